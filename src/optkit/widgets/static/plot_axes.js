// The axes of a latency plot, and how its numbers are written.

const NO_TIMES = { min: -2, max: 0, splits: [] };

function niceStep(span, most) {
  const unit = pow10(Math.floor(log10(span / most)));
  return unit * [1, 2, 2.5, 5, 10].find((m) => span / (m * unit) <= most * 1.0001);
}

// Ticks for [low, high] in log10(seconds), and the range stretched to them so that it moves seldom while calls arrive.
function timeAxis(low, high, most, leastRatio) {
  if (low > high) return NO_TIMES;
  const middle = (low + high) / 2;
  const half = Math.max(high - low, log10(leastRatio)) / 2;
  const from = pow10(middle - half);
  const to = pow10(middle + half);
  return to / from < 8 ? linearTicks(from, to, most) : decadeTicks(from, to, most);
}

function linearTicks(from, to, most) {
  const step = niceStep(to - from, most - 1);
  const half = step / 2; // the range ends on whole or half steps, so that little room is wasted
  const low = half * Math.floor((from * 0.995) / half) || from * 0.9;
  const high = half * Math.ceil((to * 1.005) / half);
  const ticks = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high * 1.000001; i++) ticks.push(i * step);
  return { min: log10(low), max: log10(high), splits: ticks.map(log10) };
}

function decadeTicks(from, to, most) {
  const min = log10(from * 0.8);
  const max = log10(to * 1.25);
  const decades = max - min;
  const mantissas = 3 * decades <= most ? [1, 2, 5] : 2 * decades <= most ? [1, 3] : [1];
  const every = Math.ceil(decades / most);
  const splits = [];
  for (let d = Math.floor(min); d <= max; d++) {
    if (d % every === 0) splits.push(...mantissas.map((m) => d + log10(m)));
  }
  return { min, max, splits: splits.filter((v) => v >= min && v <= max) };
}

// The last call, rounded up so that the axis moves seldom while calls arrive.
function callAxis(groups) {
  let first = 4;
  let last = 20;
  for (const g of groups) {
    if (!g.calls.length) continue;
    first = Math.min(first, g.calls.values[0]);
    last = Math.max(last, g.calls.values[g.calls.length - 1]);
  }
  const unit = pow10(Math.floor(log10(last)));
  const ends = [1, 1.1, 1.2, 1.4, 1.6, 1.8, 2, 2.5, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 9, 10];
  last = unit * ends.find((m) => m * unit >= last - 1e-9);
  const pad = (last - first) * 0.015;
  return { min: first - pad, max: last + pad, first };
}

function callTicks({ min, max, first }, most) {
  const step = Math.max(1, niceStep(max - min, most));
  const whole = step === 2.5 ? 5 : step;
  const ticks = [first];
  for (let v = whole * Math.ceil((first + whole * 0.6) / whole); v <= max; v += whole) ticks.push(v);
  return ticks;
}

// ----------------------------------------------------------------------------------------------------------- wording

const UNITS = [["s", 1], ["ms", 1e-3], ["µs", 1e-6], ["ns", 1e-9]];

function formatTime(seconds, digits = 3) {
  const [unit, size] = UNITS.find(([, s]) => seconds >= s * 0.9995) ?? UNITS[3];
  return `${Number((seconds / size).toPrecision(digits))} ${unit}`;
}

function formatCount(n) {
  return n < 10000 ? String(n) : String(n).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

const plural = (n, noun) => `${formatCount(n)} ${noun}${n === 1 ? "" : "s"}`;

function pointText(series, group, i) {
  const call = group.calls.values[i];
  const time = formatTime(pow10(group.logs.values[i]));
  const last = formatCount(call + group.stride - 1);
  const where = group.stride > 1 ? `calls ${formatCount(call)}–${last}, mean` : `call ${formatCount(call)}`;
  return `${series.name}, ${where}${group.kind === "settle" ? " (settling)" : ""}: ${time}`;
}

function strayText(stray) {
  const total = (kind) => stray.filter((off) => off.group.kind === kind).reduce((sum, off) => sum + off.count, 0);
  const [steady, settling] = [total("steady"), total("settle")];
  const counts = [steady && plural(steady, "call"), settling && `${formatCount(settling)} settling`].filter(Boolean);
  const slowest = formatTime(pow10(Math.max(...stray.map((off) => off.slowest))));
  return `${counts.join(" and ")} off scale, slowest ${slowest}`;
}
