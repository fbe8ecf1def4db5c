// A piece of a page that the kernel writes as HTML (every text in it escaped there). Adds what markup alone cannot do:
// clocks that run between updates ([data-elapsed-s], [data-left-s]), copying ([data-copy]), messages to the kernel
// ([data-send], JSON), tables that are sorted by a click on a head ([data-sort], cells with [data-value]), and <details>,
// a sorting and a focus ([data-key]) that survive an update.

function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false; // no permission, or not a secure page
  }
}

// Numbers by size, texts by the alphabet; what has no value comes last in either direction.
function compareCells(a, b, falling) {
  if (a === "" || b === "") return (a === "") - (b === "");
  const [x, y] = [Number(a), Number(b)];
  const order = Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b) : x - y;
  return falling ? -order : order;
}

class Page {
  constructor(root, send) {
    this.root = root;
    this.send = send;
    this.sorting = new Map(); // key of a table: {column, falling}
    this.html = null;
    this.drawnAt = performance.now();
    root.classList.add("optkit-html");
    root.addEventListener("click", (event) => this.click(event));
  }

  draw(html) {
    if (html === this.html) return;
    this.html = html;
    const open = new Map([...this.root.querySelectorAll("details")].map((one) => [one.dataset.key, one.open]));
    const active = this.root.contains(document.activeElement) ? document.activeElement : null;
    const focused = active?.closest("[data-key]")?.dataset.key;
    this.root.innerHTML = html;
    ownKeys(this.root);
    for (const one of this.root.querySelectorAll("details")) one.open = open.get(one.dataset.key) ?? one.open;
    for (const table of this.root.querySelectorAll("table[data-key]")) this.sort(table);
    if (focused !== undefined) this.focus(focused);
    this.drawnAt = performance.now();
    this.tick();
  }

  focus(key) {
    const again = [...this.root.querySelectorAll("[data-key]")].find((one) => one.dataset.key === key);
    (again?.querySelector("summary") ?? again)?.focus({ preventScroll: true });
  }

  tick() {
    const passed = (performance.now() - this.drawnAt) / 1000;
    for (const one of this.root.querySelectorAll("[data-elapsed-s]")) {
      one.textContent = clock(Number(one.dataset.elapsedS) + (one.dataset.running === "true" ? passed : 0));
    }
    for (const one of this.root.querySelectorAll("[data-left-s]")) {
      const left = Number(one.dataset.leftS) - passed;
      one.textContent = left > 1 ? `, about ${clock(left)} left` : ", longer than expected";
    }
  }

  async click(event) {
    const target = event.target.closest("[data-copy], [data-send], [data-sort]");
    if (!target) return;
    if (target.dataset.send) this.send(JSON.parse(target.dataset.send));
    if (target.dataset.sort) this.turn(target);
    if (!target.dataset.copy) return;
    const copied = await copy(this.root.querySelector(target.dataset.copy).textContent);
    target.textContent = copied ? "Copied" : "Not allowed to copy";
    setTimeout(() => (target.textContent = target.dataset.label), 2000);
  }

  // The first click sorts, the second turns the order round, the third gives the kernel's order back.
  turn(button) {
    const table = button.closest("table");
    const column = button.dataset.sort;
    const before = this.sorting.get(table.dataset.key);
    const first = button.dataset.first === "falling";
    if (before?.column !== column) this.sorting.set(table.dataset.key, { column, falling: first });
    else if (before.falling === first) before.falling = !first;
    else this.sorting.delete(table.dataset.key);
    this.sort(table);
  }

  sort(table) {
    const body = table.tBodies[0];
    const rows = [...body.rows];
    rows.forEach((row, place) => (row.dataset.place ??= place));
    const by = this.sorting.get(table.dataset.key);
    for (const head of table.querySelectorAll("th:has([data-sort])")) {
      const sorted = by && head.querySelector("[data-sort]").dataset.sort === by.column;
      head.setAttribute("aria-sort", sorted ? (by.falling ? "descending" : "ascending") : "none");
    }
    const head = by && [...table.tHead.rows[0].cells].findIndex((one) => one.querySelector("[data-sort]")?.dataset.sort === by.column);
    const value = (row) => row.cells[head]?.dataset.value ?? "";
    rows.sort((a, b) => (by ? compareCells(value(a), value(b), by.falling) : 0) || a.dataset.place - b.dataset.place);
    body.append(...rows);
  }
}

// Redraws a page whenever a trait of the model changes.
function follow(model, trait, page) {
  const draw = () => page.draw(model.get(trait));
  model.on(`change:${trait}`, draw);
  draw();
  return () => model.off(`change:${trait}`, draw);
}
