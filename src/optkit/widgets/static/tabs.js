// Tabs after the ARIA pattern: arrows, Home and End move between them, and what has the focus is shown.

class Tabs {
  constructor(root, label, chosen) {
    this.list = make("div", { className: "optkit-tabs" });
    this.list.setAttribute("role", "tablist");
    this.list.setAttribute("aria-label", label);
    root.append(this.list);
    this.root = root;
    this.chosen = chosen;
    this.tabs = new Map();
    this.list.addEventListener("keydown", (event) => this.key(event));
  }

  // Returns the panel, where the tab's contents go.
  add(name, label) {
    const tab = make("button", { type: "button", textContent: label, id: newId() });
    const panel = make("div", { className: "optkit-panel-of-tab", id: newId(), hidden: true });
    tab.setAttribute("role", "tab");
    tab.setAttribute("aria-controls", panel.id);
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", tab.id);
    tab.addEventListener("click", () => this.chosen(name));
    this.list.append(tab);
    this.root.append(panel);
    this.tabs.set(name, { tab, panel });
    return panel;
  }

  show(name) {
    const shown = this.tabs.has(name) ? name : [...this.tabs.keys()][0];
    const focused = [...this.tabs].find(([, { panel }]) => panel.contains(document.activeElement));
    for (const [one, { tab, panel }] of this.tabs) {
      tab.setAttribute("aria-selected", String(one === shown));
      tab.tabIndex = one === shown ? 0 : -1;
      ownKeys(tab);
      panel.hidden = one !== shown;
    }
    // What had the focus is out of sight: a keyboard whose keys go nowhere would be the notebook's.
    if (focused && focused[0] !== shown) this.tabs.get(shown).tab.focus({ preventScroll: true });
  }

  key(event) {
    const names = [...this.tabs.keys()];
    const place = names.findIndex((name) => this.tabs.get(name).tab === document.activeElement);
    const to = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: names.length - 1 }[event.key];
    if (place < 0 || to === undefined) return;
    event.preventDefault();
    const name = names[(to + names.length) % names.length];
    this.tabs.get(name).tab.focus();
    this.chosen(name);
  }
}
