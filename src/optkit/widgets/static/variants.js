// The variants that will be measured: a row of presets to start from, and a list to remove from.
// Synced traits: _presets [{name, meaning}], _items [{text, mark, removable}], disabled. Sends {op: "preset" | "remove", name}.

function button(label, title, send) {
  const element = document.createElement("button");
  element.type = "button";
  element.textContent = label;
  element.title = title;
  element.addEventListener("click", send);
  return element;
}

function render({ model, el }) {
  const root = document.createElement("div");
  root.className = "optkit-variants";
  const presets = document.createElement("div");
  presets.className = "optkit-presets";
  presets.setAttribute("role", "group");
  presets.setAttribute("aria-label", "Start from");
  const list = document.createElement("ul");
  list.setAttribute("aria-label", "Variants to measure");
  root.append(heading("Start from"), presets, heading("Variants"), list);
  el.append(root);

  function heading(text) {
    return Object.assign(document.createElement("h4"), { textContent: text });
  }

  function item({ text, mark, removable }) {
    const element = document.createElement("li");
    const name = Object.assign(document.createElement("code"), { textContent: text, title: text });
    const sign = document.createElement("span");
    sign.innerHTML = mark; // drawn by the kernel from a fixed set of shapes, never from user text
    element.append(sign, name);
    if (removable) {
      const remove = button("×", `Remove ${text}`, () => model.send({ op: "remove", name: text }));
      name.id = `optkit-${Math.random().toString(36).slice(2)}`;
      remove.setAttribute("aria-label", "Remove");
      remove.setAttribute("aria-describedby", name.id);
      remove.disabled = model.get("disabled");
      element.append(remove);
    } else {
      element.append(Object.assign(document.createElement("small"), { textContent: "baseline" }));
    }
    return element;
  }

  function draw() {
    presets.replaceChildren(
      ...model.get("_presets").map(({ name, label, meaning }) => {
        const element = button(label, meaning, () => model.send({ op: "preset", name }));
        element.disabled = model.get("disabled");
        element.setAttribute("aria-pressed", String(model.get("_preset") === name));
        return element;
      }),
    );
    const focused = [...list.children].findIndex((element) => element.contains(document.activeElement));
    list.replaceChildren(...model.get("_items").map(item));
    if (focused < 0) return; // else a remove button had the focus: the next one gets it, or the last there is
    const buttons = [...list.children].map((element) => element.querySelector("button"));
    (buttons.slice(focused).find(Boolean) ?? buttons.findLast(Boolean))?.focus();
  }

  const watched = ["change:_presets", "change:_preset", "change:_items", "change:disabled"];
  for (const name of watched) model.on(name, draw);
  draw();
  return () => watched.forEach((name) => model.off(name, draw));
}

export default { render };
