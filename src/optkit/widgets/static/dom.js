// What the widgets' own scripts share. It stands before them in one module; see static_files.py.

const KEYBOARD = "select, input, button, summary, [tabindex]";

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  ownKeys(element);
  return element;
}

// In a notebook's command mode JupyterLab would take the keys first: an arrow leaves for the next cell, Enter edits the
// cell, and two d delete it. It looks for this attribute on the element that has the focus.
function ownKeys(root) {
  for (const element of [root, ...root.querySelectorAll(KEYBOARD)]) {
    if (element.matches(KEYBOARD)) element.dataset.lmSuppressShortcuts = "true";
  }
}

// What was typed is taken when the field is left, and at Enter, which alone does nothing in the output of a notebook.
function onTyped(input, take) {
  input.addEventListener("change", take);
  input.addEventListener("keydown", (event) => event.key === "Enter" && take());
}

const newId = () => `optkit-${Math.random().toString(36).slice(2)}`;

// A row of buttons; each is {name, label, title, disabled, primary}. One that has the focus and is greyed out gives the
// focus to the last that is not, or to the row until there is one, so that the keyboard stays here: its keys would be
// the notebook's.
class Buttons {
  constructor(root, press) {
    this.root = root;
    this.press = press;
    this.made = new Map();
    root.tabIndex = -1;
    ownKeys(root);
  }
  draw(wanted) {
    const focused = this.root.contains(document.activeElement);
    for (const one of wanted) {
      if (!this.made.has(one.name)) {
        const element = make("button", { type: "button" });
        element.dataset.name = one.name;
        element.addEventListener("click", () => this.press(one.name));
        this.made.set(one.name, element);
        this.root.append(element);
      }
      const element = this.made.get(one.name);
      element.textContent = one.label;
      element.title = one.title ?? "";
      element.classList.toggle("optkit-primary", Boolean(one.primary));
      if (element.disabled !== Boolean(one.disabled)) element.disabled = Boolean(one.disabled);
    }
    const now = document.activeElement;
    if (focused && (now === document.body || now === this.root || now?.disabled)) {
      const next = [...this.made.values()].findLast((element) => !element.disabled);
      (next ?? this.root).focus({ preventScroll: true });
    }
  }
}
