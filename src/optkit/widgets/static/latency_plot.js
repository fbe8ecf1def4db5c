// The browser side of optkit.widgets.live.LatencyPlot. The messages are described there; uPlot stands above this text
// in the same module. uPlot draws axes, grid and cursor; the marks are drawn here, straight from typed arrays.
// Both panels use log10(seconds) on a linear uPlot scale, so that ticks may sit wherever they read well.

const PANEL_HEIGHT = 270;
const STACKED_HEIGHT = 210;
const STACKED_BELOW = 520;
const REDRAW_EVERY_MS = 250;
const HOVER_PX = 24;
const EDGE_PX = 6; // off-scale marks sit this far inside the edge
const EMPTY_TEXT = "Latencies appear here as soon as a study runs.";
const STEADY_TEXT = "time against call number, zoomed in";
const THINNED_TEXT = "many: of neighbouring calls, the fastest and the slowest";
const WAITING_TEXT = "Waiting for the first call.";
const NOTHING_TEXT = "No calls were measured.";

// ---------------------------------------------------------------------------------------------------- points and data

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
    this.clear([], false);
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

// ------------------------------------------------------------------------------------------------------------ scales

const log10 = Math.log10;
const pow10 = (v) => 10 ** v;

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

// ------------------------------------------------------------------------------------------------------------- marks

const polygon = (n, turn) => Array.from({ length: n }, (_, i) => {
  const angle = turn + (2 * Math.PI * i) / n;
  return [Math.cos(angle), Math.sin(angle)];
});
const scaled = (points, by) => points.map(([x, y]) => [x * by, y * by]);
const rotated = (points) => points.map(([x, y]) => [(x - y) * Math.SQRT1_2, (x + y) * Math.SQRT1_2]);
const ARM = 0.25;
const PLUS = [
  [-ARM, -1], [ARM, -1], [ARM, -ARM], [1, -ARM], [1, ARM], [ARM, ARM],
  [ARM, 1], [-ARM, 1], [-ARM, ARM], [-1, ARM], [-1, -ARM], [-ARM, -ARM],
];
const UP = -Math.PI / 2;

// Outlines with about the same area, each of which can be filled or hollow.
const OUTLINES = {
  circle: polygon(14, 0),
  triangle: scaled(polygon(3, UP), 1.3),
  square: scaled(polygon(4, UP / 2), 1.22),
  diamond: scaled(polygon(4, UP), 1.28),
  "triangle-down": scaled(polygon(3, -UP), 1.3),
  star: polygon(10, UP).map(([x, y], i) => (i % 2 ? [x * 0.6, y * 0.6] : [x * 1.45, y * 1.45])),
  plus: scaled(PLUS, 1.25),
  cross: scaled(rotated(PLUS), 1.3),
};

function trace(path, outline, x, y, r, close) {
  path.moveTo(x + r * outline[0][0], y + r * outline[0][1]);
  for (let i = 1; i < outline.length; i++) path.lineTo(x + r * outline[i][0], y + r * outline[i][1]);
  if (close) path.closePath(); // a fill closes by itself, and closePath is what costs most
}

function svgMark(shape, { hollow = false, faded = false } = {}) {
  const outline = OUTLINES[shape];
  const points = outline.map(([x, y]) => `${(7 + 4.2 * x).toFixed(2)},${(7 + 4.2 * y).toFixed(2)}`).join(" ");
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 14 14");
  svg.setAttribute("aria-hidden", "true");
  svg.classList.add("optkit-mark");
  svg.classList.toggle("optkit-hollow", hollow);
  svg.classList.toggle("optkit-faded", faded);
  const shapeElement = document.createElementNS(svg.namespaceURI, "polygon");
  shapeElement.setAttribute("points", points);
  svg.append(shapeElement);
  return svg;
}

const MARKS_PER_PATH = 400; // long paths are slow to fill

// The k-th index when 0..n-1 are visited in so many passes, each from left to right.
function interleaved(k, n, passes) {
  const long = n % passes; // this many passes have one index more
  const length = Math.floor(n / passes);
  const inLong = long * (length + 1);
  if (k < inLong) return Math.floor(k / (length + 1)) + passes * (k % (length + 1));
  return long + Math.floor((k - inLong) / length) + passes * ((k - inLong) % length);
}

// Draws one group. A mark that would cover another of the same group exactly is skipped: 50 000 points stay fluid.
function drawGroup(u, group, style) {
  const { ctx, bbox } = u;
  const ratio = uPlot.pxRatio;
  const { min: x0, max: x1 } = u.scales.x;
  const { min: y0, max: y1 } = u.scales.y;
  const kx = bbox.width / (x1 - x0);
  const ky = bbox.height / (y1 - y0);
  const cell = Math.max(1, ratio);
  const columns = Math.ceil(bbox.width / cell) + 1;
  const taken = new Uint8Array(columns * (Math.ceil(bbox.height / cell) + 1));
  const edge = EDGE_PX * ratio;
  const above = new Map(); // one mark for each few pixels of the edge
  const below = new Map();
  const calls = group.calls.values;
  const logs = group.logs.values;
  ctx.save();
  ctx.globalAlpha = style.alpha;
  ctx.strokeStyle = ctx.fillStyle = style.color;
  ctx.lineWidth = style.line * ratio;
  ctx.lineJoin = "miter";
  const paint = () => (style.hollow ? ctx.stroke() : ctx.fill());
  let inPath = 0;
  ctx.beginPath();
  const n = group.calls.length;
  const passes = n > 10 * MARKS_PER_PATH ? 31 : 1; // pale marks add up evenly when each path spreads over the width
  for (let k = 0; k < n; k++) {
    const i = passes === 1 ? k : interleaved(k, n, passes);
    const x = (calls[i] - x0) * kx;
    const y = (y1 - logs[i]) * ky;
    if (y < 0 || y > bbox.height) {
      (y < 0 ? above : below).set(Math.floor(x / (7 * ratio)), x);
      continue;
    }
    const at = Math.floor(y / cell) * columns + Math.floor(x / cell);
    if (taken[at]) continue;
    taken[at] = 1;
    trace(ctx, style.outline, bbox.left + x, bbox.top + y, style.radius * ratio, style.hollow);
    if (++inPath % MARKS_PER_PATH === 0) {
      paint();
      ctx.beginPath();
    }
  }
  paint();
  const size = 3.4 * ratio;
  ctx.beginPath();
  for (const x of above.values()) trace(ctx, OUTLINES.triangle, bbox.left + x, bbox.top + edge, size, style.hollow);
  const floor = bbox.top + bbox.height - edge;
  for (const x of below.values()) trace(ctx, OUTLINES["triangle-down"], bbox.left + x, floor, size, style.hollow);
  paint();
  ctx.restore();
}

// ------------------------------------------------------------------------------------------------------------- theme

function readTheme(root, series) {
  const probe = root.querySelector(".optkit-probe");
  const resolve = (color) => {
    probe.style.color = "";
    probe.style.color = color;
    return getComputedStyle(probe).color;
  };
  return {
    ink: resolve("var(--optkit-ink-2)"),
    grid: resolve("var(--optkit-grid)"),
    font: getComputedStyle(root).fontFamily,
    colors: series.map((one) => resolve(one.color)),
  };
}

// ------------------------------------------------------------------------------------------------------------- panels

const TICK_FONT_PX = 11;

class Panel {
  constructor(view, parent, { kinds, title, subtitle, xTicks }) {
    this.view = view;
    this.kinds = kinds;
    this.title = title;
    this.groups = [];
    this.x = { min: 0, max: 1, first: 0 };
    this.y = NO_TIMES;
    this.element = make("div", "optkit-panel", parent);
    const heading = make("div", "optkit-panel-title", this.element);
    make("span", "", heading).textContent = title;
    this.subtitle = make("span", "optkit-dim", heading);
    this.subtitle.textContent = subtitle;
    this.holder = make("div", "optkit-canvas", this.element);
    this.holder.setAttribute("role", "img");
    this.xTicks = xTicks;
    this.plot = new uPlot(this.options(), [[0, 1], [null, null]], this.holder);
    this.tip = make("div", "optkit-tip", this.plot.over);
    this.ring = make("div", "optkit-ring", this.plot.over);
    this.hideTip();
  }

  options() {
    const { view } = this;
    const axis = {
      stroke: () => view.theme.ink,
      font: `${TICK_FONT_PX}px ${view.theme.font}`,
      ticks: { show: false },
      gap: 4,
    };
    return {
      width: 100,
      height: PANEL_HEIGHT,
      padding: [6, 20, 0, 0],
      legend: { show: false },
      cursor: { drag: { x: false, y: false, setScale: false }, points: { show: false } },
      scales: {
        x: { time: false, range: () => [this.x.min, this.x.max] },
        y: { range: () => [this.y.min, this.y.max] },
      },
      axes: [
        {
          ...axis,
          size: 24,
          grid: { show: false },
          splits: (u) => this.xTicks(this.x, Math.max(2, u.bbox.width / uPlot.pxRatio / 70)),
          values: (_u, splits) => splits.map(formatCount),
        },
        {
          ...axis,
          size: 60,
          grid: { stroke: () => view.theme.grid, width: 1 },
          splits: () => this.y.splits,
          values: (_u, splits) => splits.map((v) => formatTime(pow10(v), 6)),
        },
      ],
      series: [{}, { show: true, stroke: "transparent", points: { show: false } }],
      hooks: { draw: [() => this.draw()], setCursor: [(u) => this.point(u)] },
    };
  }

  show(x, y, groups) {
    Object.assign(this, { x, y, groups });
    this.plot.batch(() => {
      this.plot.setScale("x", { min: x.min, max: x.max });
      this.plot.setScale("y", { min: y.min, max: y.max });
    });
    this.plot.redraw(false, true);
  }

  resize(width, height) {
    if (width !== this.plot.width || height !== this.plot.height) this.plot.setSize({ width, height });
  }

  draw() {
    const { ctx, bbox } = this.plot;
    ctx.save();
    for (const group of this.groups) drawGroup(this.plot, group, this.style(group, bbox.width / uPlot.pxRatio));
    ctx.restore();
    if (this.tip) this.point(this.plot); // the point under a resting cursor has moved
  }

  style(group, width) {
    const series = this.view.store.series[group.series];
    const crowd = group.calls.length / width;
    const steady = group.kind === "steady";
    return {
      color: this.view.theme.colors[group.series],
      outline: OUTLINES[series.shape] ?? OUTLINES.circle,
      hollow: !steady,
      radius: group.kind === "first" ? 4.6 : crowd > 2 ? 1.5 : crowd > 0.5 ? 2 : 2.6,
      line: group.kind === "first" ? 1.6 : 1,
      alpha: group.kind === "settle" ? 0.65 : crowd > 5 ? 0.45 : 1,
    };
  }

  // The point nearest to the cursor; an off-scale one is where its mark is drawn, at the edge.
  nearest(left, top) {
    const { over, scales } = this.plot;
    const [w, h] = [over.clientWidth, over.clientHeight];
    const kx = w / (scales.x.max - scales.x.min);
    const ky = h / (scales.y.max - scales.y.min);
    let best = { distance: HOVER_PX ** 2 };
    for (const group of this.groups) {
      const calls = group.calls.values;
      const logs = group.logs.values;
      for (let i = 0; i < group.calls.length; i++) {
        const x = (calls[i] - scales.x.min) * kx;
        if (Math.abs(x - left) > HOVER_PX) continue;
        let y = (scales.y.max - logs[i]) * ky;
        if (y < 0) y = EDGE_PX;
        else if (y > h) y = h - EDGE_PX;
        const distance = (x - left) ** 2 + (y - top) ** 2;
        if (distance < best.distance) best = { distance, group, i, x, y };
      }
    }
    return best.group ? best : null;
  }

  point(u) {
    const { left, top } = u.cursor;
    const found = left >= 0 && top >= 0 ? this.nearest(left, top) : null;
    if (!found) return this.hideTip();
    this.tip.textContent = pointText(this.view.store.series[found.group.series], found.group, found.i);
    this.tip.hidden = this.ring.hidden = false;
    this.ring.style.borderColor = this.view.theme.colors[found.group.series];
    this.ring.style.transform = `translate(${found.x - 7}px, ${found.y - 7}px)`;
    this.placeTip(found);
  }

  // Beside the point, turned to the inner side; it may reach over the panel's edge but not out of the figure.
  placeTip({ x, y }) {
    const figure = this.view.root.getBoundingClientRect();
    const over = this.plot.over.getBoundingClientRect();
    const { offsetWidth: w, offsetHeight: h } = this.tip;
    const roomRight = figure.right - over.left - x;
    const left = roomRight > w + 16 ? x + 12 : Math.max(x - w - 12, figure.left - over.left);
    const top = y > h + 14 ? y - h - 10 : y + 12;
    this.tip.style.transform = `translate(${left}px, ${top}px)`;
  }

  hideTip() {
    this.tip.hidden = this.ring.hidden = true;
  }

  describe(text) {
    this.holder.setAttribute("aria-label", text);
  }

  destroy() {
    this.plot.destroy();
  }
}

function make(tag, className, parent) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  parent?.append(element);
  return element;
}

// --------------------------------------------------------------------------------------------------------------- view

class View {
  constructor(root) {
    this.root = root;
    this.store = new Store();
    this.hidden = new Set(); // names, so that a choice outlives a snapshot
    this.legend = make("div", "optkit-legend", root);
    this.legend.setAttribute("role", "group");
    this.legend.setAttribute("aria-label", "Series: show or hide");
    this.key = makeKey(root);
    this.note = make("div", "optkit-note", root);
    this.body = make("div", "optkit-body", root);
    make("span", "optkit-probe", root);
    this.theme = readTheme(root, []);
    this.first = new Panel(this, this.body, {
      kinds: ["first"],
      title: "First calls",
      subtitle: "with compiling",
      xTicks: () => [1, 2, 3],
    });
    this.steady = new Panel(this, this.body, {
      kinds: ["settle", "steady"],
      title: "Steady calls",
      subtitle: STEADY_TEXT,
      xTicks: callTicks,
    });
    this.first.element.classList.add("optkit-first");
    this.empty = make("div", "optkit-empty", this.body);
    this.caption = make("div", "optkit-caption", root);
    this.caption.setAttribute("role", "status");
    this.lastDraw = 0;
    this.over = false;
    this.update();
  }

  receive(message, buffers) {
    const replaced = message.op === "snapshot";
    if (replaced) this.store.clear(message.series, message.thinned);
    else if (message.op !== "append") return;
    message.chunks.forEach((chunk, i) => this.store.add(chunk, buffers[i]));
    this.root.dataset.points = this.store.count;
    this.root.dataset.series = this.store.series.length;
    if (replaced) {
      this.first.groups = this.steady.groups = []; // they may name series that are gone
      this.readTheme();
      this.fillLegend();
    }
    this.schedule();
  }

  readTheme() {
    this.theme = readTheme(this.root, this.store.series);
  }

  retheme() {
    this.readTheme();
    this.schedule();
  }

  schedule() {
    if (this.timer) return;
    const every = this.store.count > 20000 ? 2 * REDRAW_EVERY_MS : REDRAW_EVERY_MS;
    const wait = Math.max(0, every - (performance.now() - this.lastDraw));
    this.timer = setTimeout(() => {
      this.frame = requestAnimationFrame(() => {
        this.timer = 0;
        this.lastDraw = performance.now();
        this.update();
      });
    }, wait);
  }

  update() {
    const empty = this.store.count === 0;
    this.root.classList.toggle("optkit-is-empty", empty);
    this.empty.textContent = this.over ? NOTHING_TEXT : this.store.series.length ? WAITING_TEXT : EMPTY_TEXT;
    this.root.setAttribute("aria-label", this.label());
    this.layout();
    this.updateFirst();
    this.updateSteady();
  }

  label() {
    const names = this.store.series.map((one) => one.name).join(", ");
    return `Latency of each call. ${names ? `First calls and steady calls of ${names}` : EMPTY_TEXT}`;
  }

  updateFirst() {
    const groups = this.store.inDrawingOrder(["first"], this.hidden);
    let [low, high] = [Infinity, -Infinity];
    for (const g of groups) {
      for (const v of g.logs.view()) [low, high] = [Math.min(low, v), Math.max(high, v)];
    }
    this.first.show({ min: 0.5, max: 3.5 }, timeAxis(low, high, 6, 10), groups);
    const said = this.sentence(groups, (g) => `${formatTime(pow10(g.logs.values[0]))} at first`);
    this.first.describe(`First calls: ${said}`);
  }

  updateSteady() {
    const groups = this.store.inDrawingOrder(["settle", "steady"], this.hidden);
    const counted = groups.filter((g) => g.kind === "steady");
    const [low, high] = steadyRange(counted) ?? steadyRange(groups) ?? [Infinity, -Infinity];
    const y = timeAxis(low, high, 6, 1.15);
    this.steady.show(callAxis(groups), y, groups);
    const said = this.sentence(counted, (g) => `median ${formatTime(pow10(median(g)))}`);
    this.steady.describe(`Steady calls: ${said}`);
    this.steady.subtitle.textContent = this.store.thinned ? THINNED_TEXT : STEADY_TEXT;
    this.fillNote(groups.map((g) => offScale(g, y)).filter((off) => off.count));
  }

  sentence(groups, say) {
    const parts = groups.filter((g) => g.logs.length).map((g) => `${this.store.series[g.series].name} ${say(g)}`);
    return parts.length ? parts.join("; ") : "none yet";
  }

  // One phrase for each series that lies off scale as a whole, one for the stray calls of all others.
  fillNote(offs) {
    const whole = offs.filter((off) => off.group.kind === "steady" && 2 * off.count > off.group.calls.length);
    const named = new Set(whole.map((off) => off.group.series));
    const stray = offs.filter((off) => !named.has(off.group.series));
    const phrases = whole.map((off) => {
      const time = formatTime(pow10(median(off.group)));
      return [[off], `${this.store.series[off.group.series].name} off scale, median ${time}`];
    });
    if (stray.length) phrases.push([stray, (this.store.thinned ? "at least " : "") + strayText(stray)]);
    this.note.replaceChildren();
    for (const [marks, text] of phrases) {
      const phrase = make("span", "optkit-phrase", this.note);
      for (const i of new Set(marks.map((off) => off.group.series))) {
        const mark = svgMark(marks[0].slowest > this.steady.y.max ? "triangle" : "triangle-down");
        mark.style.color = this.theme.colors[i];
        phrase.append(mark);
      }
      phrase.append(text);
    }
  }

  fillLegend() {
    const focused = [...this.legend.children].indexOf(document.activeElement);
    this.legend.replaceChildren();
    this.store.series.forEach((one, i) => this.legend.append(this.legendButton(one, this.theme.colors[i])));
    if (focused >= 0) this.legend.children[focused]?.focus();
  }

  legendButton(one, color) {
    const button = make("button", "optkit-entry");
    button.type = "button";
    button.title = one.name;
    const mark = svgMark(one.shape in OUTLINES ? one.shape : "circle");
    mark.style.color = color;
    button.append(mark);
    make("span", "", button).textContent = one.name;
    const press = () => button.setAttribute("aria-pressed", String(!this.hidden.has(one.name)));
    press();
    button.addEventListener("click", () => {
      if (!this.hidden.delete(one.name)) this.hidden.add(one.name);
      press();
      this.update();
    });
    return button;
  }

  layout() {
    const width = this.body.clientWidth;
    if (!width) return; // not on screen: the ResizeObserver speaks up when it is
    const stacked = width < STACKED_BELOW;
    this.root.classList.toggle("optkit-stacked", stacked);
    const gap = 12;
    const left = stacked ? width : Math.round(Math.min(Math.max(0.27 * width, 170), 300));
    this.first.resize(left, stacked ? STACKED_HEIGHT : PANEL_HEIGHT);
    this.steady.resize(stacked ? width : width - left - gap, stacked ? STACKED_HEIGHT + 30 : PANEL_HEIGHT);
  }

  destroy() {
    clearTimeout(this.timer);
    cancelAnimationFrame(this.frame);
    this.first.destroy();
    this.steady.destroy();
    this.root.remove();
  }
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

function strayText(stray) {
  const total = (kind) => stray.filter((off) => off.group.kind === kind).reduce((sum, off) => sum + off.count, 0);
  const [steady, settling] = [total("steady"), total("settle")];
  const counts = [steady && plural(steady, "call"), settling && `${formatCount(settling)} settling`].filter(Boolean);
  const slowest = formatTime(pow10(Math.max(...stray.map((off) => off.slowest))));
  return `${counts.join(" and ")} off scale, slowest ${slowest}`;
}

function makeKey(root) {
  const key = make("div", "optkit-key", root);
  const entries = [
    [{ hollow: true }, "first calls"],
    [{}, "steady"],
    [{ hollow: true, faded: true }, "settling, not in the result"],
  ];
  for (const [look, text] of entries) {
    const entry = make("span", "", key);
    entry.append(svgMark("circle", look), text);
  }
  return key;
}

// ----------------------------------------------------------------------------------------------------------- anywidget

function render({ model, el }) {
  const root = make("div", "optkit-latency-plot", el);
  root.setAttribute("role", "group");
  root.dataset.points = root.dataset.series = 0;
  const view = new View(root);

  const receive = (message, buffers) => view.receive(message, buffers);
  const showCaption = () => {
    view.caption.textContent = model.get("caption");
  };
  model.on("msg:custom", receive);
  model.on("change:caption", showCaption);
  showCaption();
  const showOver = () => {
    view.over = model.get("over");
    view.schedule();
  };
  model.on("change:over", showOver);
  showOver();

  const theme = new MutationObserver(() => view.retheme());
  const attributeFilter = ["data-jp-theme-light", "data-jp-theme-name", "data-vscode-theme-kind", "class"];
  theme.observe(document.body, { attributes: true, attributeFilter });
  let width = 0;
  const size = new ResizeObserver(() => {
    if (view.body.clientWidth === width) return;
    width = view.body.clientWidth;
    view.schedule();
  });
  size.observe(view.body);

  model.send({ op: "ready" });

  return () => {
    model.off("msg:custom", receive);
    model.off("change:caption", showCaption);
    model.off("change:over", showOver);
    theme.disconnect();
    size.disconnect();
    view.destroy();
  };
}

export default { render };
