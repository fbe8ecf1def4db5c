"""How fast and how light the live plot is in real JupyterLab, beside plotly's FigureWidget with the same data.

20 variants grow from 1 900 to 2 000 calls each: a thread of the kernel appends the turn of a random variant, 10 to 30
calls, every 60 to 200 ms. A turn is on screen one animation frame after the drawing that contains it; kernel and
browser share the machine's clock. Bytes are those of the websocket's frames that name the widget.

Limits for the live plot: on screen within 100 ms (median) and 250 ms (p95); at most 2 kB a turn plus 8 bytes a number.

After ``make test``: ``python benchmarks/live_view.py [--rounds N] [--busy N] [--only optkit|plotly] [--shots FOLDER]``.
``--busy`` keeps so many processes calculating meanwhile, as a study does.
"""

from __future__ import annotations

import argparse
import contextlib
import contextvars
import json
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

SERIES, BEFORE, AFTER = 20, 1900, 2000
EARLY, SETTLING = 3, 30  # of the calls of each variant, these come first and are drawn in other ways
LIMITS = {"median": "100 ms", "p95": "250 ms", "overhead": "2 kB", "number": "8 B"}
PATIENCE_MS = 120_000


# ------------------------------------------------------------------------------------------------------- in the kernel


def names() -> list[str]:
    return ["eager", *(f"compile:mode={i}" for i in range(1, SERIES))]


def latencies() -> dict[str, np.ndarray]:
    """Return seconds of each variant's calls: a slow start, noise, and one call in a hundred that was disturbed."""
    rng = np.random.default_rng(7)
    made = {}
    for i, name in enumerate(names()):
        seconds = 0.004 * 3 ** (i / SERIES) * rng.lognormal(0, 0.03, AFTER)
        seconds *= np.where(rng.random(AFTER) < 0.01, rng.uniform(1.5, 4, AFTER), 1)
        seconds[:EARLY] *= [300, 4, 1.5]
        made[name] = seconds
    return made


class OptkitView:
    """optkit's plot, fed as the Explorer feeds it."""

    def __init__(self) -> None:
        from optkit.marks import Marks
        from optkit.widgets import LatencyPlot

        self.widget = LatencyPlot()
        self.widget.reset(Marks().assign("study", names(), "eager"))

    def add(self, turns: list[tuple[str, int, np.ndarray]]) -> None:
        for name, first, seconds in turns:
            edges = [0, EARLY, SETTLING, AFTER]
            for kind, low, high in zip(("first", "settle", "steady"), edges, edges[1:], strict=False):
                part = seconds[max(0, low - first + 1) : max(0, high - first + 1)]
                if part.size:
                    self.widget.append(name, kind, max(first, low + 1), part)
        self.widget.flush()


class PlotlyView:
    """The same calls in a FigureWidget, fed as its documentation shows."""

    def __init__(self) -> None:
        import plotly.graph_objects as go

        self.widget = go.FigureWidget([go.Scattergl(x=[], y=[], mode="markers", name=name) for name in names()])
        self.widget.update_layout(yaxis_type="log", height=420)
        self._index = {name: i for i, name in enumerate(names())}

    def add(self, turns: list[tuple[str, int, np.ndarray]]) -> None:
        with self.widget.batch_update():
            for name, first, seconds in turns:
                trace = self.widget.data[self._index[name]]
                calls = np.arange(first, first + seconds.size, dtype=np.float64)
                trace.x = np.append(np.asarray(trace.x, dtype=np.float64), calls)
                trace.y = np.append(np.asarray(trace.y, dtype=np.float64), seconds)


class Feed:
    """Fills a view, and then appends turns to it from a thread."""

    def __init__(self, kind: str, seed: int) -> None:
        self._began_s = time.time()
        self._random = random.Random(seed)
        self._seconds = latencies()
        self._done = dict.fromkeys(names(), BEFORE)
        self._view = {"optkit": OptkitView, "plotly": PlotlyView}[kind]()
        self._view.add([(name, 1, self._seconds[name][:BEFORE]) for name in names()])
        self.widget = self._view.widget

    def start(self, record: str) -> None:
        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(self._run, Path(record)), daemon=True).start()

    def _run(self, record: Path) -> None:
        turns = []
        while left := [name for name, done in self._done.items() if done < AFTER]:
            time.sleep(self._random.uniform(0.06, 0.2))
            name = self._random.choice(left)
            first = self._done[name] + 1
            size = min(self._random.randint(10, 30), AFTER - self._done[name])
            self._done[name] += size
            begin = time.time()
            self._view.add([(name, first, self._seconds[name][first - 1 : first - 1 + size])])
            turns.append({"begin": begin, "end": time.time(), "points": sum(self._done.values()), "size": size})
        whole = {"began": self._began_s, "turns": turns}
        record.with_suffix(".part").write_text(json.dumps(whole))
        record.with_suffix(".part").replace(record)


# ------------------------------------------------------------------------------------------------------ in the browser

NOW = "performance.timeOrigin + performance.now()"

# Each calls `seen(points)` right after a drawing.
WATCH = {
    "optkit": """(seen) => {
        const root = document.querySelector('.optkit-latency-plot');
        if (!(root?.dataset.drawn > 0)) return false;
        new MutationObserver(() => seen(Number(root.dataset.drawn)))
            .observe(root, { attributes: true, attributeFilter: ['data-drawn'] });
        seen(Number(root.dataset.drawn));
        return true;
    }""",
    "plotly": """(seen) => {
        const graph = document.querySelector('.js-plotly-plot');
        if (!graph?.on || !graph.calcdata?.length) return false;
        const count = () => seen(graph._fullData.reduce((sum, trace) => sum + (trace.x?.length ?? 0), 0));
        graph.on('plotly_afterplot', count);
        count();
        return true;
    }""",
}
RECORD = f"""() => {{
    window.drawings = [];
    const seen = (points) => requestAnimationFrame(() => drawings.push([points, {NOW}]));
    const watch = WATCH;
    const look = () => watch(seen) || requestAnimationFrame(look);
    look();
}}"""


class Frames:
    """The frames of the page's websockets, as they pass."""

    def __init__(self, page) -> None:
        self.received: list[bytes] = []
        self.sent: list[bytes] = []
        page.on("websocket", self._listen)

    def _listen(self, socket) -> None:
        socket.on("framereceived", lambda payload: self.received.append(_bytes(payload)))
        socket.on("framesent", lambda payload: self.sent.append(_bytes(payload)))

    def clear(self) -> None:
        self.received.clear()
        self.sent.clear()

    def about(self, model_id: str) -> list[bytes]:
        return [frame for frame in self.received if model_id.encode() in frame]


def _bytes(payload: str | bytes) -> bytes:
    return payload if isinstance(payload, bytes) else payload.encode()


def browser_cpu_s() -> float:
    """Return the processor time that the browser's processes have used."""
    import psutil

    used = 0.0
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if "chrom" in process.name():
                times = process.cpu_times()
                used += times.user + times.system
    return used


# ----------------------------------------------------------------------------------------------------------- measuring


@dataclass
class Reading:
    """What one view did, over all rounds."""

    module_bytes: int = 0
    display_ms: list[float] = field(default_factory=list)
    display_bytes: list[int] = field(default_factory=list)
    delays_ms: list[float] = field(default_factory=list)
    kernel_ms: list[float] = field(default_factory=list)
    update_bytes: list[int] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    drawings: int = 0
    cores: list[float] = field(default_factory=list)


def notebook(path: Path, cells: list[str]) -> None:
    import nbformat

    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}  # without it JupyterLab asks for one
    made = [nbformat.v4.new_code_cell(cell) for cell in cells]
    nbformat.write(nbformat.v4.new_notebook(cells=made, metadata={"kernelspec": kernel}), path)


@contextlib.contextmanager
def lab_with(browser, cells: list[str], theme: str = "JupyterLab Light") -> Iterator[tuple]:
    """Open a notebook of these cells in JupyterLab; yield the `Lab` and the frames of its page. No cell has run."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from browser.jupyter import Lab, jupyter_lab

    root = Path(tempfile.mkdtemp(prefix="live-view-"))
    os.environ["OPTKIT_HOME"] = str(root / "optkit")
    (root / "notebooks").mkdir()
    notebook(root / "notebooks" / "view.ipynb", cells)
    page = browser.new_page(viewport={"width": 1380, "height": 1000})
    try:
        with jupyter_lab(root / "notebooks", root / "home", theme) as (address, token):
            lab, frames = Lab(page), Frames(page)
            lab.open(address, token, "view.ipynb")
            page.evaluate("() => jupyterapp.shell.collapseLeft()")
            yield lab, frames
    finally:
        page.close()
        shutil.rmtree(root, ignore_errors=True)


def run_cell(lab, index: int) -> None:
    """Run one cell and wait until it is done."""
    lab.page.evaluate(
        "i => { jupyterapp.shell.currentWidget.content.activeCellIndex = i;"
        " return jupyterapp.commands.execute('notebook:run-cell'); }",
        index,
    )


def measure(browser, kind: str, seed: int, reading: Reading, shot: Path | None = None) -> None:
    """One view, from its first display to the last turn on screen, in a JupyterLab of its own."""
    record = Path(tempfile.mkdtemp(prefix="live-view-")) / "record.json"
    begin = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import live_view\n"
        "import optkit.widgets, plotly.graph_objects"
    )
    with lab_with(browser, [begin, f"feed = live_view.Feed({kind!r}, {seed})\nfeed.widget"]) as (lab, frames):
        page = lab.page
        run_cell(lab, 0)
        page.evaluate(RECORD.replace("WATCH", WATCH[kind]))
        frames.clear()
        run_cell(lab, 1)
        page.wait_for_function(f"() => drawings.some(([points]) => points === {SERIES * BEFORE})", timeout=PATIENCE_MS)
        page.wait_for_timeout(2000)
        reading.display_bytes.append(sum(map(len, frames.received)))

        cell = "jupyterapp.shell.currentWidget.content.widgets[1].model.outputs"
        mime = "application/vnd.jupyter.widget-view+json"
        model_id = page.evaluate(f"() => {cell}.get(0).data['{mime}'].model_id")
        first = page.evaluate(f"() => drawings.find(([points]) => points === {SERIES * BEFORE})[1]")
        drawn_before = page.evaluate("() => drawings.length")
        frames.clear()
        cpu_s, clock = browser_cpu_s(), time.monotonic()
        lab.execute(f"feed.start({str(record)!r})")
        page.wait_for_function(f"() => drawings.at(-1)[0] === {SERIES * AFTER}", timeout=PATIENCE_MS)
        reading.cores.append((browser_cpu_s() - cpu_s) / (time.monotonic() - clock))
        while not record.exists():
            page.wait_for_timeout(100)
        page.wait_for_timeout(500)
        told = json.loads(record.read_text())
        drawings = page.evaluate("() => drawings")
        if shot:
            page.locator(".optkit-latency-plot, .js-plotly-plot").first.screenshot(path=shot)
    shutil.rmtree(record.parent)

    reading.display_ms.append(1e3 * (first / 1e3 - told["began"]))
    reading.drawings += len(drawings) - drawn_before
    for turn in told["turns"]:
        shown_ms = next(at for points, at in drawings if points >= turn["points"])
        reading.delays_ms.append(shown_ms - 1e3 * turn["begin"])
        reading.kernel_ms.append(1e3 * (turn["end"] - turn["begin"]))
        reading.numbers.append(2 * turn["size"])
    updates = [len(frame) for frame in frames.about(model_id)]
    reading.update_bytes += updates


def javascript_bytes(kind: str) -> int:
    """Return how much JavaScript travels to the browser with the widget."""
    if kind == "optkit":
        from optkit.widgets import LatencyPlot as Widget
    else:
        from plotly.graph_objects import FigureWidget as Widget
    return len(str(Widget._esm).encode())  # text, or anywidget's contents of a file


# ------------------------------------------------------------------------------------------------------------ printing


def quantile(values: list[float], q: float) -> float:
    return float(np.quantile(values, q))


def rows(readings: dict[str, Reading]) -> Iterator[tuple[str, list[float], str, str]]:
    """Yield label, one number for each view, its format, and the limit."""

    def each(read):
        return [read(one) for one in readings.values()]

    yield "first display, ms", each(lambda r: median(r.display_ms)), ",.0f", ""
    yield "  bytes over websockets", each(lambda r: median(r.display_bytes)), ",.0f", ""
    yield "JavaScript, bytes", each(lambda r: r.module_bytes), ",.0f", ""
    yield "turn on screen, median ms", each(lambda r: median(r.delays_ms)), ",.0f", LIMITS["median"]
    yield "  p95 ms", each(lambda r: quantile(r.delays_ms, 0.95)), ",.0f", LIMITS["p95"]
    yield "  slowest ms", each(lambda r: max(r.delays_ms)), ",.0f", ""
    yield "  in the kernel, median ms", each(lambda r: median(r.kernel_ms)), ",.1f", ""
    yield "turns", each(lambda r: len(r.delays_ms)), ",.0f", ""
    yield "  drawings", each(lambda r: r.drawings), ",.0f", ""
    yield "bytes a turn", each(lambda r: sum(r.update_bytes) / len(r.delays_ms)), ",.0f", ""
    yield "  without 8 a number", each(overhead), ",.0f", LIMITS["overhead"]
    yield "  a number", each(lambda r: sum(r.update_bytes) / sum(r.numbers)), ",.1f", ""
    yield "browser, cores busy", each(lambda r: median(r.cores)), ".2f", ""


def overhead(reading: Reading) -> float:
    return (sum(reading.update_bytes) - 8 * sum(reading.numbers)) / len(reading.delays_ms)


def print_table(readings: dict[str, Reading]) -> None:
    print(f"{'':26}" + "".join(f"{kind:>13}" for kind in readings) + f"{'ratio':>9}   limit")
    for label, values, style, limit in rows(readings):
        ratio = f"{values[-1] / values[0]:9.1f}" if len(values) > 1 and values[0] else " " * 9
        print(
            f"{label:26}" + "".join(f"{format(value, style):>13}" for value in values) + f"{ratio}   {limit}".rstrip()
        )


def spin() -> None:
    while True:
        np.linalg.svd(np.ones((60, 60)))


def main() -> None:
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--busy", type=int, default=0)
    parser.add_argument("--only", choices=list(WATCH))
    parser.add_argument("--shots", type=Path)
    options = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from browser.jupyter import CHROMIUM_ARGUMENTS

    if options.shots:
        options.shots.mkdir(parents=True, exist_ok=True)
    kinds = [options.only] if options.only else list(WATCH)
    readings = {kind: Reading(javascript_bytes(kind)) for kind in kinds}
    neighbours = [multiprocessing.Process(target=spin, daemon=True) for _ in range(options.busy)]
    for one in neighbours:
        one.start()
    # Without a graphics card plotly's WebGL needs the browser's own renderer.
    arguments = [*CHROMIUM_ARGUMENTS, "--enable-unsafe-swiftshader"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        for seed in range(options.rounds):
            for kind in kinds:
                shot = options.shots / f"{kind}.png" if options.shots else None
                measure(browser, kind, seed, readings[kind], shot)
        browser.close()
    print(f"{SERIES} series of {BEFORE:,} to {AFTER:,} calls, {options.rounds} rounds, {options.busy} busy neighbours")
    print_table(readings)


if __name__ == "__main__":
    main()
