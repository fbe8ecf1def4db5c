// A comparison: the answer, tabs, the table, and what can be taken away; and beside it, in an Explorer, what is chosen.
// Synced traits: _head, _answer, _notice, _progress, _table, _files (HTML); _tabs [{name, label}], each of which shows the HTML of
// the trait _page_<name>, if there is one, below the part of that name; _tab, the open one; _buttons; _parts, other
// widgets by name. Sends {op: "press" | "save" | ..., name}; is sent {op: "file", view, name, mime} with the bytes.

const GONE =
  "The kernel of this Explorer is gone, so nothing can be pressed any more. Run its cell again: what was measured is kept, and listed under Past runs.";
const BESIDE = ["form", "list", "picker"];

async function embed(model, reference, holder, views, gone) {
  const child = await model.widget_manager.get_model(reference.slice("IPY_MODEL_".length));
  child.on("comm_live_update", () => child.comm_live || gone()); // its kernel has ended, or was started anew
  const view = await model.widget_manager.create_view(child);
  views.push(view);
  holder.append(view.el);
}

function download(name, mime, bytes) {
  const link = make("a", { href: URL.createObjectURL(new Blob([bytes], { type: mime })), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

function section(name, className, ...children) {
  const element = make("section", { className }, ...children);
  element.setAttribute("aria-label", name);
  return element;
}

function render({ model, el }) {
  const view = newId();
  const views = [];
  const ended = [];
  const pages = [];
  const parts = model.get("_parts");
  const send = (message) => model.send({ ...message, view });
  const holder = (className = "") => make("div", { className });

  function gone() {
    notice.replaceChildren(make("div", { className: "optkit-answer bad", textContent: GONE }));
    root.querySelectorAll("button:not([role=tab], [data-copy], [data-sort]), input, select").forEach((one) => (one.disabled = true));
  }

  function page(trait, className) {
    const root = holder(className);
    const one = new Page(root, send);
    pages.push(one);
    ended.push(follow(model, trait, one));
    return root;
  }

  function answer() {
    const root = page("_answer", "optkit-answer-holder");
    root.setAttribute("role", "status");
    return root;
  }

  function beside() {
    const places = Object.fromEntries(BESIDE.map((name) => [name, holder()]));
    const add = holder("optkit-buttons optkit-add");
    buttons.push(new Buttons(add, (name) => send({ op: "press", name })));
    const heading = make("h4", { textContent: "Add one" });
    for (const name of BESIDE) embed(model, parts[name], places[name], views, gone);
    return section("Choose", "optkit-card optkit-chooser", places.form, places.list, heading, places.picker, add);
  }

  function controls() {
    const row = holder("optkit-buttons");
    buttons.push(new Buttons(row, (name) => send({ op: "press", name })));
    return make("div", { className: "optkit-controls" }, page("_progress", "optkit-progress-holder"), row);
  }

  function tabbed() {
    const root = section("Results", "optkit-card optkit-watch");
    if (model.get("_buttons").length) root.append(controls());
    const choose = (name) => {
      model.set("_tab", name);
      model.save_changes();
    };
    const tabs = new Tabs(root, "What to look at", choose);
    for (const { name, label } of model.get("_tabs")) {
      const panel = tabs.add(name, label);
      if (parts[name]) {
        const place = holder();
        panel.append(place);
        embed(model, parts[name], place, views, gone);
      }
      if (model.get(`_page_${name}`) !== undefined) panel.append(page(`_page_${name}`));
    }
    const show = () => tabs.show(model.get("_tab"));
    model.on("change:_tab", show);
    ended.push(() => model.off("change:_tab", show));
    show();
    return root;
  }

  const buttons = [];
  const columns = make("div", { className: "optkit-columns" });
  if (parts.form) columns.append(beside());
  else columns.classList.add("optkit-alone");
  columns.append(tabbed());
  columns.append(section("Table", "optkit-card optkit-table", page("_table"), page("_files")));
  const notice = page("_notice");
  notice.setAttribute("role", "status");
  const root = make("div", { className: "optkit-explorer" }, page("_head"), make("div", {}, answer(), notice), columns);
  el.append(root);

  function drawButtons() {
    const [add, main] = buttons.length > 1 ? buttons : [null, buttons[0]];
    const wanted = model.get("_buttons");
    main?.draw(wanted.filter((one) => one.name !== "add"));
    add?.draw(wanted.filter((one) => one.name === "add"));
  }

  function receive(message, buffers) {
    if (message.op === "file" && message.view === view) download(message.name, message.mime, buffers[0]);
  }

  const timer = setInterval(() => pages.forEach((one) => one.tick()), 1000);
  model.on("change:_buttons", drawButtons);
  model.on("msg:custom", receive);
  drawButtons();
  return () => {
    clearInterval(timer);
    ended.forEach((end) => end());
    views.forEach((one) => one.remove());
    model.off("change:_buttons", drawButtons);
    model.off("msg:custom", receive);
  };
}

export default { render };
