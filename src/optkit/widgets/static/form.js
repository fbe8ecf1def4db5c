// A form of labelled controls. The kernel owns the values: a change is sent as {op: "set", name, value}, and whatever
// the kernel then says the fields are is drawn. Synced traits: _fields, _warnings, _notes, _summary.
// A field's `group` is the legend it stands under; `rare` ones stand under "More", which opens when one of them is set.

function control(field, send) {
  const id = newId();
  if (field.kind === "number") {
    const input = make("input", { type: "number", id, min: field.min, max: field.max, step: field.step });
    onTyped(input, () => send(field.name, input.valueAsNumber)); // NaN, of an empty one, is null
    return input;
  }
  if (field.kind === "text") {
    const input = make("input", { type: "text", id, spellcheck: false });
    onTyped(input, () => send(field.name, input.value));
    return input;
  }
  const select = make("select", { id });
  select.addEventListener("change", () => send(field.name, select.value));
  return select;
}

function row(field, send) {
  const element = control(field, send);
  const label = make("label", { htmlFor: element.id });
  return { root: make("div", { className: "optkit-field" }, label, element), label, element };
}

function fillSelect(select, field) {
  const drawn = JSON.stringify(field.options);
  if (select.dataset.drawn !== drawn) {
    select.dataset.drawn = drawn;
    select.replaceChildren(
      ...field.options.map((option) => {
        const element = new Option(option.label, option.value);
        element.disabled = Boolean(option.reason);
        element.title = option.reason || "";
        return element;
      }),
    );
  }
  select.value = field.value;
}

// A person who is typing is not interrupted, except where what was typed is refused.
function fill({ root, label, element }, field, busy, force) {
  label.textContent = field.label;
  root.title = field.hint ?? "";
  if (element.tagName === "SELECT") fillSelect(element, field);
  else if (force || document.activeElement !== element) element.value = field.value;
  element.disabled = busy || field.disabled;
}

// Make `wanted` the children of `parent`. What stays is not moved: moving it would take the keyboard's focus away.
function arrange(parent, wanted) {
  for (const element of [...parent.children]) if (!wanted.includes(element)) element.remove();
  wanted.forEach((element, i) => {
    if (parent.children[i] !== element) parent.insertBefore(element, parent.children[i] ?? null);
  });
}

function section(root, ...before) {
  const grid = make("div", { className: "optkit-form-fields" });
  root.append(...before, grid);
  return { root, grid };
}

function group(legend) {
  if (!legend) return section(make("div"));
  return section(make("fieldset", { className: "optkit-group" }), make("legend", { textContent: legend }));
}

function fold() {
  const count = make("small");
  const summary = make("summary", {}, "More", count);
  return { ...section(make("details", { className: "optkit-group optkit-more" }), summary), count, opened: new Set() };
}

// It opens by itself when a field in it is set; whether it stays open is the reader's choice.
function openFold(more, fields) {
  const set = new Set(fields.filter((field) => field.set).map((field) => field.name));
  if ([...set].some((name) => !more.opened.has(name))) more.root.open = true;
  more.opened = set;
  more.count.textContent = set.size ? ` ${set.size} set` : "";
}

function list(element, texts) {
  element.replaceChildren(...texts.map((text) => make("li", { textContent: text })));
  element.hidden = texts.length === 0;
}

function render({ model, el }) {
  const groups = make("div", { className: "optkit-groups" });
  const warnings = make("ul", { className: "optkit-notes optkit-warnings" });
  const notes = make("ul", { className: "optkit-notes" });
  const summary = make("code", { className: "optkit-summary" });
  el.append(make("div", { className: "optkit-form" }, groups, notes, warnings, summary));
  const rows = new Map();
  const sections = new Map();
  const more = fold();
  const send = (name, value) => model.send({ op: "set", name, value });

  function rowOf(field, force) {
    if (!rows.has(field.name)) rows.set(field.name, row(field, send));
    const found = rows.get(field.name);
    fill(found, field, model.get("disabled"), force);
    return found.root;
  }

  function drawFields(force) {
    const fields = model.get("_fields");
    for (const name of [...rows.keys()]) if (!fields.some((field) => field.name === name)) rows.delete(name);
    const inside = new Map();
    for (const field of fields) {
      const legend = field.group ?? "";
      if (!field.rare && !sections.has(legend)) sections.set(legend, group(legend));
      const place = field.rare ? more : sections.get(legend);
      inside.set(place, [...(inside.get(place) ?? []), rowOf(field, force)]);
    }
    const shown = [...inside.keys()].sort((a, b) => (a === more) - (b === more)); // stable: the fold comes last
    arrange(groups, shown.map((place) => place.root));
    for (const [place, wanted] of inside) arrange(place.grid, wanted);
    openFold(more, fields.filter((field) => field.rare));
  }

  function draw({ force = false } = {}) {
    drawFields(force);
    list(warnings, model.get("_warnings"));
    list(notes, model.get("_notes"));
    summary.textContent = model.get("_summary");
    summary.hidden = !summary.textContent;
  }

  const watched = ["_fields", "_warnings", "_notes", "_summary", "disabled"].map((name) => `change:${name}`);
  const redraw = () => draw();
  const answer = (message) => message.op === "redraw" && draw({ force: true }); // a refused value: show the old one
  for (const name of watched) model.on(name, redraw);
  model.on("msg:custom", answer);
  draw();
  return () => {
    watched.forEach((name) => model.off(name, redraw));
    model.off("msg:custom", answer);
  };
}

export default { render };
