// A piece of HTML that the kernel writes (every text in it escaped there). Adds what markup alone cannot do: a clock
// that runs between updates ([data-elapsed-s]), copying ([data-copy]), <details> that stay open across updates, and a
// focus that survives them ([data-key]). Synced traits: _html, _role.

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

function render({ model, el }) {
  const root = document.createElement("div");
  root.className = "optkit-html";
  if (model.get("_role")) root.setAttribute("role", model.get("_role"));
  el.append(root);
  let drawnAt = performance.now();

  function tick() {
    const passed = (performance.now() - drawnAt) / 1000;
    for (const element of root.querySelectorAll("[data-elapsed-s]")) {
      const running = element.dataset.running === "true";
      element.textContent = clock(Number(element.dataset.elapsedS) + (running ? passed : 0));
    }
  }

  function draw() {
    const open = new Set([...root.querySelectorAll("details[open]")].map((element) => element.dataset.key));
    const active = root.contains(document.activeElement) ? document.activeElement : null;
    const focused = active?.closest("[data-key]")?.dataset.key;
    root.innerHTML = model.get("_html");
    ownKeys(root);
    for (const element of root.querySelectorAll("details")) element.open ||= open.has(element.dataset.key);
    if (focused !== undefined) {
      const again = [...root.querySelectorAll("[data-key]")].find((element) => element.dataset.key === focused);
      (again?.querySelector("summary") ?? again)?.focus({ preventScroll: true });
    }
    drawnAt = performance.now();
    tick();
  }

  root.addEventListener("click", async (event) => {
    const copier = event.target.closest("[data-copy]");
    if (!copier) return;
    const copied = await copy(root.querySelector(copier.dataset.copy).textContent);
    copier.textContent = copied ? "Copied" : "Not allowed to copy";
    setTimeout(() => (copier.textContent = copier.dataset.label), 2000);
  });

  const timer = setInterval(tick, 1000);
  model.on("change:_html", draw);
  draw();
  return () => {
    clearInterval(timer);
    model.off("change:_html", draw);
  };
}

export default { render };
