// What the widgets' own scripts share. It stands before them in one module; see static_files.py.

const KEYBOARD = "select, input, button, summary";

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
