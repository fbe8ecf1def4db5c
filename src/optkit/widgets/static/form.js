// A form of labelled controls. The kernel owns the values: a change is sent as {op: "set", name, value}, and whatever
// the kernel then says the fields are is drawn. Synced traits: _fields, _notes, _summary.

function control(field, id, send) {
  if (field.kind === "number") {
    const input = document.createElement("input");
    Object.assign(input, { type: "number", id, min: field.min, max: field.max, step: field.step });
    input.addEventListener("change", () => send(field.name, input.valueAsNumber));
    return input;
  }
  const select = document.createElement("select");
  select.id = id;
  select.addEventListener("change", () => send(field.name, select.value));
  return select;
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
function fill(element, field, busy, force) {
  if (element.tagName === "SELECT") fillSelect(element, field);
  else if (force || document.activeElement !== element) element.value = field.value;
  element.disabled = busy || field.disabled;
}

function render({ model, el }) {
  const root = document.createElement("div");
  root.className = "optkit-form";
  const grid = document.createElement("div");
  grid.className = "optkit-form-fields";
  const notes = document.createElement("ul");
  notes.className = "optkit-notes";
  const summary = document.createElement("code");
  summary.className = "optkit-summary";
  root.append(grid, notes, summary);
  el.append(root);
  const controls = new Map();
  const send = (name, value) => model.send({ op: "set", name, value });

  function draw({ force = false } = {}) {
    const fields = model.get("_fields");
    for (const field of fields) {
      if (!controls.has(field.name)) {
        const id = `optkit-${Math.random().toString(36).slice(2)}`;
        const label = document.createElement("label");
        label.htmlFor = id;
        label.textContent = field.label;
        const element = control(field, id, send);
        controls.set(field.name, element);
        grid.append(label, element);
      }
      fill(controls.get(field.name), field, model.get("disabled"), force);
    }
    notes.replaceChildren(
      ...model.get("_notes").map((text) => Object.assign(document.createElement("li"), { textContent: text })),
    );
    notes.hidden = notes.childElementCount === 0;
    summary.textContent = model.get("_summary");
    summary.hidden = !summary.textContent;
  }

  const watched = ["change:_fields", "change:_notes", "change:_summary", "change:disabled"];
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
