// The points of a latency plot, as its messages bring them, and what is read from all of them.

const log10 = Math.log10;
const pow10 = (v) => 10 ** v;

class Column {
  constructor() {
    this.values = new Float64Array(256);
    this.length = 0;
  }
  push(values) {
    const length = this.length + values.length;
    if (length > this.values.length) {
      const grown = new Float64Array(Math.max(length, 2 * this.values.length));
      grown.set(this.values.subarray(0, this.length));
      this.values = grown;
    }
    this.values.set(values, this.length);
    this.length = length;
  }
  view() {
    return this.values.subarray(0, this.length);
  }
}

class Store {
  constructor() {
    this.clear([], 0);
  }
  clear(series, thinned) {
    this.series = series;
    this.thinned = thinned;
    this.groups = new Map();
    this.count = 0;
  }
  add(chunk, buffer) {
    if (chunk.series >= this.series.length) return; // an append that came before this view's snapshot
    const numbers = floats(buffer);
    const n = numbers.length / 2;
    const key = `${chunk.series} ${chunk.kind} ${chunk.stride}`;
    if (!this.groups.has(key)) this.groups.set(key, { ...chunk, calls: new Column(), logs: new Column() });
    const group = this.groups.get(key);
    group.calls.push(numbers.subarray(0, n));
    group.logs.push(numbers.subarray(n).map(Math.log10));
    this.count += n;
  }
  // Warming-up calls below the ones that count.
  inDrawingOrder(kinds, hidden) {
    const rank = (g) => (g.kind === "settle" ? 0 : 500) + g.series;
    return [...this.groups.values()]
      .filter((g) => kinds.includes(g.kind) && !hidden.has(this.series[g.series].name))
      .sort((a, b) => rank(a) - rank(b));
  }
}

function floats(buffer) {
  return new Float64Array(buffer.buffer.slice(buffer.byteOffset, buffer.byteOffset + buffer.byteLength));
}

// Quantiles of a sample are enough to place an axis, and keep a redraw cheap.
function quantiles(logs, ...wanted) {
  const step = Math.ceil(logs.length / 4000);
  const sample = new Float64Array(Math.ceil(logs.length / step));
  for (let i = 0; i < sample.length; i++) sample[i] = logs[i * step];
  sample.sort();
  return wanted.map((q) => sample[Math.floor(q * (sample.length - 1))]);
}

// The fastest and slowest call of one series that are no outliers: a hiccup must not flatten everything else.
function usualRange(logs) {
  const [p05, q25, median, q75, p95] = quantiles(logs, 0.05, 0.25, 0.5, 0.75, 0.95);
  const slack = Math.max(log10(1.4), 3 * (q75 - q25));
  const low = Math.min(q25 - slack, p05 - log10(1.1));
  const high = Math.max(q75 + slack, p95 + log10(1.1));
  let min = Infinity;
  let max = -Infinity;
  for (const v of logs) {
    if (v >= low && v < min) min = v;
    if (v <= high && v > max) max = v;
  }
  return { min, max, median };
}

// A series ten times slower than the fastest would hide 10 % differences between the others, so it goes off scale;
// unless only a minority would be left, when there is no "others" to protect.
function steadyRange(groups) {
  const ranges = groups.filter((g) => g.logs.length).map((g) => usualRange(g.logs.view()));
  if (!ranges.length) return null;
  const fastest = Math.min(...ranges.map((r) => r.median));
  const near = ranges.filter((r) => r.median <= fastest + 1);
  const shown = 2 * near.length > ranges.length ? near : ranges;
  return [Math.min(...shown.map((r) => r.min)), Math.max(...shown.map((r) => r.max))];
}

const median = (group) => quantiles(group.logs.view(), 0.5)[0];

function offScale(group, { min, max }) {
  let count = 0;
  let slowest = -Infinity;
  for (const v of group.logs.view()) {
    if (v >= min && v <= max) continue;
    count += 1;
    if (v > slowest) slowest = v;
  }
  return { group, count, slowest };
}
