// Something that is asked about a model: what it is about, a field, a button that asks and one that stops, the answer.
// Synced traits: _name, _status and _answer (HTML), _field {label, title} or {}, value, busy, disabled.
// Sends {op: "ask" | "stop"}.

function render({ model, el }) {
  const row = make("div", { className: "optkit-asking" });
  const status = make("div", { className: "optkit-asked" });
  status.setAttribute("role", "status");
  const buttons = make("div", { className: "optkit-buttons" });
  const answer = make("div");
  row.append(status);
  el.append(make("div", { className: "optkit-question" }, row, answer));

  const described = model.get("_field");
  const input = make("input", { type: "text", id: newId(), title: described.title ?? "", value: model.get("value") });
  if (described.label) {
    row.append(make("label", { htmlFor: input.id, textContent: described.label }), input);
    onTyped(input, () => {
      model.set("value", input.value);
      model.save_changes();
    });
  }
  row.append(buttons);

  const pressed = new Buttons(buttons, (name) => model.send({ op: name }));
  function draw() {
    const [busy, disabled] = [model.get("busy"), model.get("disabled")];
    input.disabled = busy || disabled;
    pressed.draw([
      { name: "stop", label: "Stop", title: "End this, and keep what is known where that is an answer", disabled: !busy },
      { name: "ask", label: model.get("_name"), disabled: busy || disabled },
    ]);
  }
  function value() {
    input.value = model.get("value");
  }

  const pages = [new Page(status, () => {}), new Page(answer, () => {})];
  const ended = [follow(model, "_status", pages[0]), follow(model, "_answer", pages[1])];
  const timer = setInterval(() => pages.forEach((one) => one.tick()), 1000);
  model.on("change:busy", draw);
  model.on("change:disabled", draw);
  model.on("change:value", value);
  draw();
  return () => {
    clearInterval(timer);
    ended.forEach((end) => end());
    model.off("change:busy", draw);
    model.off("change:disabled", draw);
    model.off("change:value", value);
  };
}

export default { render };
