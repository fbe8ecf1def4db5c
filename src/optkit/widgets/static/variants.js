// The variants that will be measured: a row of presets to start from, and a list to remove from.
// Synced traits: _presets [{name, label, meaning}], _preset, disabled, and _items [{text, mark, removable, why, blocked}]:
// why it is recommended here, and why it cannot run here. Sends {op: "preset" | "remove", name}.

function button(label, title, send) {
  const element = make("button", { type: "button", textContent: label, title });
  element.addEventListener("click", send);
  return element;
}

// A long name is broken where a setting or a modifier begins.
function code(text) {
  const parts = text.split(/(?<=[:,])|(?=\+)/).flatMap((part) => [document.createElement("wbr"), part]);
  return make("code", {}, ...parts.slice(1));
}

// A variant with its mark, and in a row below it what is wrong with it, if anything.
function line({ text, mark, why, blocked }) {
  const sign = document.createElement("span");
  sign.innerHTML = mark; // drawn by the kernel from a fixed set of shapes, never from user text
  const name = code(text);
  const element = make("li", { title: why }, sign, name);
  return { element, name, reason: blocked && make("small", { className: "optkit-blocked", textContent: blocked }) };
}

function render({ model, el }) {
  const presets = make("div", { className: "optkit-presets" });
  presets.setAttribute("role", "group");
  presets.setAttribute("aria-label", "Start from");
  const list = make("ul", { className: "optkit-listed" });
  list.setAttribute("aria-label", "Variants to measure");
  const reasons = make("ul");
  const why = make("details", { className: "optkit-why" }, make("summary", { textContent: "Why these" }), reasons);
  const heading = (text) => make("h4", { textContent: text });
  el.append(make("div", { className: "optkit-variants" }, heading("Start from"), presets, heading("Variants"), list, why));

  function item(one) {
    const { element, name, reason } = line(one);
    if (one.removable) {
      const remove = button("×", `Remove ${one.text}`, () => model.send({ op: "remove", name: one.text }));
      name.id = newId();
      remove.setAttribute("aria-label", "Remove");
      remove.setAttribute("aria-describedby", name.id);
      remove.disabled = model.get("disabled");
      element.append(remove);
    } else {
      element.append(make("small", { textContent: "baseline" }));
    }
    if (reason) element.append(reason);
    return element;
  }

  function drawPresets() {
    const focused = [...presets.children].indexOf(document.activeElement);
    presets.replaceChildren(
      ...model.get("_presets").map(({ name, label, meaning }) => {
        const element = button(label, meaning, () => model.send({ op: "preset", name }));
        element.disabled = model.get("disabled");
        element.setAttribute("aria-pressed", String(model.get("_preset") === name));
        return element;
      }),
    );
    presets.children[focused]?.focus();
  }

  function drawList() {
    const focused = [...list.children].findIndex((element) => element.contains(document.activeElement));
    list.replaceChildren(...model.get("_items").map(item));
    if (focused < 0) return; // else a remove button had the focus: the next one gets it, the last there is, or a preset
    const buttons = [...list.children].map((element) => element.querySelector("button"));
    (buttons.slice(focused).find(Boolean) ?? buttons.findLast(Boolean) ?? presets.querySelector("button"))?.focus();
  }

  function drawReasons() {
    const told = model.get("_items").filter((one) => one.why);
    reasons.replaceChildren(...told.map((one) => make("li", {}, code(one.text), ` ${one.why}`)));
    why.hidden = told.length === 0;
  }

  function draw() {
    drawPresets();
    drawList();
    drawReasons();
  }

  const watched = ["change:_presets", "change:_preset", "change:_items", "change:disabled"];
  for (const name of watched) model.on(name, draw);
  draw();
  return () => watched.forEach((name) => model.off(name, draw));
}

export default { render };
