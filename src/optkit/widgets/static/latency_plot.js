// The browser side of optkit.widgets.live.LatencyPlot. The messages are described there; uPlot and the files plot_*.js
// stand above this text in the same module.

const STACKED_HEIGHT = 210;
const STACKED_BELOW = 520;
const REST = 3; // times as long as the last drawing took: the machine that draws is the one that is measured
const TELL_EVERY_MS = 1000;
const EMPTY_TEXT = "Latencies appear here as soon as a study runs.";
const STEADY_TEXT = "time against call number, zoomed in";
const WAITING_TEXT = "Waiting for the first call.";
const NOTHING_TEXT = "No calls were measured.";
const thinnedText = (most) => `more than ${formatCount(most)} calls: of neighbouring ones the fastest and the slowest`;

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
    this.restUntil = 0;
    this.told = { at: 0, count: 0 };
    this.stale = true; // all is to be drawn anew, as it looks different now
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
      this.stale = true;
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
    this.renew();
  }

  renew() {
    this.stale = true;
    this.schedule();
  }

  schedule() {
    if (this.timer || this.frame) return;
    const wait = this.restUntil - performance.now();
    if (wait > 0) {
      this.timer = setTimeout(() => {
        this.timer = 0;
        this.schedule();
      }, wait);
    } else {
      this.frame = requestAnimationFrame(() => {
        this.frame = 0;
        this.drawFrame();
      });
    }
  }

  drawFrame() {
    const began = performance.now();
    const rest = () => {
      this.restUntil = performance.now() + REST * (performance.now() - began);
    };
    this.update();
    rest();
    // The browser paints what was drawn before it comes to this; ahead of other tasks, where it can tell them apart.
    if (globalThis.scheduler?.postTask) scheduler.postTask(rest, { priority: "user-blocking" });
    else setTimeout(rest);
  }

  update() {
    if (this.stale && !this.layout()) return; // not on screen: the ResizeObserver speaks up when it is
    const first = this.store.inDrawingOrder(["first"], this.hidden);
    const steady = this.store.inDrawingOrder(["settle", "steady"], this.hidden);
    const telling = this.isTimeToTell(first, steady);
    this.updateFirst(first, telling);
    this.updateSteady(steady, telling);
    if (telling) this.tell();
    else this.later ||= setTimeout(() => this.tellLater(), this.told.at + TELL_EVERY_MS - performance.now());
    this.stale = false;
    this.root.dataset.drawn = this.store.count; // those of hidden series included
  }

  // Time axes, notes and labels come of all calls. They wait a second, unless much has changed.
  isTimeToTell(first, steady) {
    const { at, count } = this.told;
    if (performance.now() - at >= TELL_EVERY_MS || this.store.count > 1.25 * count) return true;
    return this.stale || !this.first.holds(first) || !this.steady.holds(steady);
  }

  tellLater() {
    this.later = 0;
    this.schedule();
  }

  tell() {
    clearTimeout(this.later);
    this.later = 0;
    this.told = { at: performance.now(), count: this.store.count };
    this.root.classList.toggle("optkit-is-empty", this.store.count === 0);
    this.empty.textContent = this.over ? NOTHING_TEXT : this.store.series.length ? WAITING_TEXT : EMPTY_TEXT;
    this.root.setAttribute("aria-label", this.label());
  }

  label() {
    const names = this.store.series.map((one) => one.name).join(", ");
    return `Latency of each call. ${names ? `First calls and steady calls of ${names}` : EMPTY_TEXT}`;
  }

  updateFirst(groups, telling) {
    if (!telling) return this.first.show(this.first.x, this.first.y, groups);
    let [low, high] = [Infinity, -Infinity];
    for (const g of groups) {
      for (const v of g.logs.view()) [low, high] = [Math.min(low, v), Math.max(high, v)];
    }
    this.first.show({ min: 0.5, max: 3.5 }, timeAxis(low, high, 6, 10), groups, this.stale);
    const said = this.sentence(groups, (g) => `${formatTime(pow10(g.logs.values[0]))} at first`);
    this.first.describe(`First calls: ${said}`);
  }

  updateSteady(groups, telling) {
    if (!telling) return this.steady.show(callAxis(groups), this.steady.y, groups);
    const counted = groups.filter((g) => g.kind === "steady");
    const [low, high] = steadyRange(counted) ?? steadyRange(groups) ?? [Infinity, -Infinity];
    const y = timeAxis(low, high, 6, 1.15);
    this.steady.show(callAxis(groups), y, groups, this.stale);
    const said = this.sentence(counted, (g) => `median ${formatTime(pow10(median(g)))}`);
    this.steady.describe(`Steady calls: ${said}`);
    this.steady.subtitle.textContent = this.store.thinned ? thinnedText(this.store.thinned) : STEADY_TEXT;
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
    if (!width) return false;
    const stacked = width < STACKED_BELOW;
    this.root.classList.toggle("optkit-stacked", stacked);
    const gap = 12;
    const left = stacked ? width : Math.round(Math.min(Math.max(0.27 * width, 170), 300));
    this.first.size = { width: left, height: stacked ? STACKED_HEIGHT : PANEL_HEIGHT };
    this.steady.size = {
      width: stacked ? width : width - left - gap,
      height: stacked ? STACKED_HEIGHT + 30 : PANEL_HEIGHT,
    };
    return true;
  }

  destroy() {
    clearTimeout(this.timer);
    clearTimeout(this.later);
    cancelAnimationFrame(this.frame);
    this.first.destroy();
    this.steady.destroy();
    this.root.remove();
  }
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
    view.renew();
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
    view.renew();
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
