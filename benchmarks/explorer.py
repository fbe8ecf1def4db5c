"""How fast the Explorer is in real JupyterLab: until it is seen, from an event to the screen, and cells beside a study.

A real study of a small model with several variants runs in the kernel. An event is on screen one animation frame after
the drawing of the live plot that contains its calls; kernel and browser share the machine's clock. Meanwhile a cell is
run again and again; its time is that from the request to its end.

Limits: first display within 1 s of a ready kernel; an event on screen within 100 ms (median) and 250 ms (p95); a cell
within 200 ms; JavaScript under 150 kB.

After ``make test``: ``python benchmarks/explorer.py [--rounds N] [--budget S]``.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from live_view import RECORD, WATCH, lab_with, quantile

VARIANTS = ["compile:backend=eager", "eager+threads=1", "eager+no_grad", "compile:backend=aot_eager", "compile"]
PATIENCE_MS = 600_000
SHOWN = ".optkit-latency-plot, .optkit-listed li, .optkit-summary"


# ------------------------------------------------------------------------------------------------------- in the kernel


def record(explorer, path: str) -> None:
    """Note when each event with calls comes, and how many points there are then; written to `path` at the end."""
    from optkit.events import FirstCall, Samples, StudyEnded

    apply, noted = explorer.plot.apply, []

    def apply_and_note(event) -> None:
        at_s = time.time()
        apply(event)
        if isinstance(event, Samples | FirstCall) and not event.twin:
            groups = (*explorer.plot._kept.values(), *explorer.plot._pending.values())
            noted.append([at_s, sum(part.shape[1] for parts in groups for part in parts)])
        if isinstance(event, StudyEnded):
            Path(path).write_text(json.dumps(noted))

    explorer.plot.apply = apply_and_note


# ------------------------------------------------------------------------------------------------------ in the browser

CELL = """async () => {
    const kernel = jupyterapp.shell.currentWidget.sessionContext.session.kernel;
    const began = performance.now();
    await kernel.requestExecute({ code: "sum(range(1000))" }).done;
    return performance.now() - began;
}"""
RUN_FIRST = f"""async () => {{
    const wanted = {SHOWN!r}.split(", ");
    jupyterapp.shell.currentWidget.content.activeCellIndex = 0;
    const began = performance.now();
    jupyterapp.commands.execute('notebook:run-cell');
    await new Promise((done) => {{
        const look = () => (wanted.every((one) => document.querySelector(one)) ? done() : requestAnimationFrame(look));
        look();
    }});
    await new Promise(requestAnimationFrame);
    return performance.now() - began;
}}"""


@dataclass
class Reading:
    """What was seen, over all rounds."""

    display_ms: list[float] = field(default_factory=list)
    display_bytes: list[int] = field(default_factory=list)
    delays_ms: list[float] = field(default_factory=list)
    cells_ms: list[float] = field(default_factory=list)
    idle_cells_ms: list[float] = field(default_factory=list)
    bytes_per_s: list[float] = field(default_factory=list)


def measure(browser, budget_s: int, reading: Reading) -> None:
    noted = Path(tempfile.mkdtemp(prefix="explorer-")) / "noted.json"
    first = (
        f"import optkit\nexplorer = optkit.explore('tiny_cnn', variants={VARIANTS!r}, budget_s={budget_s})\nexplorer"
    )
    watch = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); from explorer import record"
    with lab_with(browser, [first]) as (lab, frames):
        page = lab.page
        frames.clear()
        reading.display_ms.append(page.evaluate(RUN_FIRST))
        page.wait_for_timeout(1500)
        reading.display_bytes.append(sum(map(len, frames.received)))
        reading.idle_cells_ms += [page.evaluate(CELL) for _ in range(20)]
        lab.execute(f"{watch}; record(explorer, {str(noted)!r})")
        page.get_by_role("button", name="Run", exact=True).click()
        page.evaluate(RECORD.replace("WATCH", WATCH["optkit"]))
        frames.clear()
        began = time.monotonic()
        while not noted.exists():
            reading.cells_ms.append(page.evaluate(CELL))
            page.wait_for_timeout(500)
        reading.bytes_per_s.append(sum(map(len, frames.received)) / (time.monotonic() - began))
        page.get_by_text("Ended:").wait_for(timeout=PATIENCE_MS)
        page.wait_for_timeout(1500)
        drawings = page.evaluate("() => drawings")
    for at_s, points in json.loads(noted.read_text()):
        shown_ms = next((at for count, at in drawings if count >= points), None)
        if shown_ms is None:
            raise RuntimeError(f"{points} points were never on screen, {drawings[-1][0]} were.")
        reading.delays_ms.append(shown_ms - 1e3 * at_s)
    shutil.rmtree(noted.parent)


def static_javascript_bytes() -> int:
    """Return the size of all JavaScript files together."""
    import optkit

    return sum(len(path.read_bytes()) for path in (Path(optkit.__file__).parent / "widgets/static").glob("*.js"))


def sent_javascript_bytes() -> int:
    """Return how much JavaScript one Explorer sends, what its parts share counted each time."""
    import optkit

    explorer = optkit.explore("tiny_cnn")
    return sum(len(one._esm.encode()) for one in (explorer, *explorer._parts.values()))


def main() -> None:
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--budget", type=int, default=30)
    options = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from browser.jupyter import CHROMIUM_ARGUMENTS

    reading = Reading()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM_ARGUMENTS)
        for _ in range(options.rounds):
            measure(browser, options.budget, reading)
        browser.close()
    rows = [
        ("first display, median ms", median(reading.display_ms), "1,000 ms"),
        ("  slowest ms", max(reading.display_ms), ""),
        ("  bytes over websockets", median(reading.display_bytes), ""),
        ("JavaScript files, bytes", static_javascript_bytes(), "150,000 B"),
        ("  sent for one Explorer", sent_javascript_bytes(), ""),
        ("event on screen, median ms", median(reading.delays_ms), "100 ms"),
        ("  p95 ms", quantile(reading.delays_ms, 0.95), "250 ms"),
        ("  slowest ms", max(reading.delays_ms), ""),
        ("events", len(reading.delays_ms), ""),
        ("cell during a study, median ms", median(reading.cells_ms), "200 ms"),
        ("  p95 ms", quantile(reading.cells_ms, 0.95), "200 ms"),
        ("  slowest ms", max(reading.cells_ms), ""),
        ("cell without one, median ms", median(reading.idle_cells_ms), ""),
        ("bytes a second in a study", median(reading.bytes_per_s), ""),
    ]
    for label, value, limit in rows:
        print(f"{label:32}{value:>12,.0f}   {limit}".rstrip())


if __name__ == "__main__":
    main()
