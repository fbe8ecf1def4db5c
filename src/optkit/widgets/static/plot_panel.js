// One panel of a latency plot. uPlot draws axes, grid and cursor; the marks are drawn here, straight from typed arrays.
// A panel uses log10(seconds) on a linear uPlot scale, so that ticks may sit wherever they read well.

const PANEL_HEIGHT = 270;
const HOVER_PX = 24;
const TICK_FONT_PX = 11;

class Panel {
  constructor(view, parent, { kinds, title, subtitle, xTicks }) {
    this.view = view;
    this.kinds = kinds;
    this.title = title;
    this.groups = [];
    this.marks = [];
    this.size = { width: 100, height: PANEL_HEIGHT };
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
      ...this.size,
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

  holds(groups) {
    return groups.length === this.groups.length && groups.every((group, i) => group === this.groups[i]);
  }

  // Draws what has arrived. Only where an axis, a look or the choice of series has changed, or at `again`, all is drawn
  // anew; until then a new mark may lie over one that belongs above it, which is not to be seen among so many.
  show(x, y, groups, again) {
    const keeps =
      !again &&
      ["min", "max"].every((end) => x[end] === this.x[end] && y[end] === this.y[end]) &&
      this.holds(groups) &&
      this.marks.every(({ group, style }) => Object.entries(this.crowding(group)).every(([k, v]) => v === style[k]));
    Object.assign(this, { x, y, groups });
    if (keeps) this.drawMarks();
    else this.drawAll();
  }

  // In a batch uPlot draws once, and at once.
  drawAll() {
    const { plot, size, x, y } = this;
    plot.batch(() => {
      if (size.width !== plot.width || size.height !== plot.height) plot.setSize(size);
      plot.setScale("x", { min: x.min, max: x.max });
      plot.setScale("y", { min: y.min, max: y.max });
      plot.redraw(false, true);
    });
  }

  // uPlot has just cleared the canvas and drawn grid and axes.
  draw() {
    this.marks = this.groups.map((group) => new GroupMarks(this.plot, group, this.style(group)));
    this.drawMarks();
  }

  drawMarks() {
    for (const marks of this.marks) marks.draw(this.plot);
    if (this.tip) this.point(this.plot); // the point under a resting cursor has moved
  }

  style(group) {
    const series = this.view.store.series[group.series];
    return {
      color: this.view.theme.colors[group.series],
      outline: OUTLINES[series.shape] ?? OUTLINES.circle,
      hollow: group.kind !== "steady",
      line: group.kind === "first" ? 1.6 : 1,
      ...this.crowding(group),
    };
  }

  // What of the style depends on how many marks share a pixel.
  crowding(group) {
    const crowd = (group.calls.length * uPlot.pxRatio) / this.plot.bbox.width;
    return {
      radius: group.kind === "first" ? 4.6 : crowd > 2 ? 1.5 : crowd > 0.5 ? 2 : 2.6,
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
