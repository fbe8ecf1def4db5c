// The marks of a latency plot: their outlines, in the legend and on a canvas.

const EDGE_PX = 6; // off-scale marks sit this far inside the edge
const MARKS_PER_PATH = 400; // long paths are slow to fill

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

// The k-th index when 0..n-1 are visited in so many passes, each from left to right.
function interleaved(k, n, passes) {
  const long = n % passes; // this many passes have one index more
  const length = Math.floor(n / passes);
  const inLong = long * (length + 1);
  if (k < inLong) return Math.floor(k / (length + 1)) + passes * (k % (length + 1));
  return long + Math.floor((k - inLong) / length) + passes * ((k - inLong) % length);
}

// The marks of one group on a panel's canvas. A mark that would cover another of the same group exactly is skipped:
// 50 000 points stay fluid. What is covered is remembered, so that calls which arrive later are added to what is there.
class GroupMarks {
  constructor(u, group, style) {
    this.group = group;
    this.style = style;
    this.drawn = 0;
    this.cell = Math.max(1, uPlot.pxRatio);
    this.columns = Math.ceil(u.bbox.width / this.cell) + 1;
    const cells = this.columns * (Math.ceil(u.bbox.height / this.cell) + 1);
    this.taken = new Uint8Array((cells >> 3) + 1); // a bit for each cell
    this.edges = new Set(); // one mark for each few pixels of the upper and the lower edge
  }

  // Draws the calls that are not drawn yet.
  draw(u) {
    const { group, style, cell, columns, taken } = this;
    const n = group.calls.length;
    const start = this.drawn;
    if (start === n) return;
    this.drawn = n;
    const { ctx, bbox } = u;
    const ratio = uPlot.pxRatio;
    const { min: x0, max: x1 } = u.scales.x;
    const { min: y0, max: y1 } = u.scales.y;
    const kx = bbox.width / (x1 - x0);
    const ky = bbox.height / (y1 - y0);
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
    // Pale marks add up evenly when each path spreads over the width; a few neighbours then get a path each.
    const spread = n > 10 * MARKS_PER_PATH;
    const passes = spread && !start ? 31 : 1;
    const most = spread && start ? 1 : MARKS_PER_PATH;
    const off = [];
    for (let k = start; k < n; k++) {
      const i = passes === 1 ? k : interleaved(k, n, passes);
      const x = (calls[i] - x0) * kx;
      const y = (y1 - logs[i]) * ky;
      if (y < 0 || y > bbox.height) {
        const place = Math.floor(x / (7 * ratio)) + 1;
        const edge = y < 0 ? place : -place;
        if (!this.edges.has(edge)) off.push([x, y < 0]);
        this.edges.add(edge);
        continue;
      }
      const at = Math.floor(y / cell) * columns + Math.floor(x / cell);
      const bit = 1 << (at & 7);
      if (taken[at >> 3] & bit) continue;
      taken[at >> 3] |= bit;
      trace(ctx, style.outline, bbox.left + x, bbox.top + y, style.radius * ratio, style.hollow);
      if (++inPath % most === 0) {
        paint();
        ctx.beginPath();
      }
    }
    paint();
    ctx.beginPath();
    for (const [x, above] of off) {
      const y = bbox.top + (above ? EDGE_PX * ratio : bbox.height - EDGE_PX * ratio);
      trace(ctx, OUTLINES[above ? "triangle" : "triangle-down"], bbox.left + x, y, 3.4 * ratio, style.hollow);
    }
    paint();
    ctx.restore();
  }
}
