"""Take pictures of the Explorer in real JupyterLab after a real study: every tab, light and dark, and a moving one.

``make pictures``, or ``.venv/bin/python scripts/screenshots.py [FOLDER] [MODEL] [BUDGET_S]``.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from moving_picture import Shot, save_moving, save_still

from browser.jupyter import CHROMIUM_ARGUMENTS, Lab, jupyter_lab

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

IMAGES = Path(__file__).parents[1] / "docs" / "images"
WIDTH, MOVING_WIDTH, NARROW_WIDTH = 1280, 1180, 760
"""Of the window; the Explorer is some 180 pixels narrower."""
HEIGHT, MOVING_HEIGHT = 1700, 900
MARGIN = 5
EVERY_S = 1.5
"""Between two pictures of a run: taking one costs time that calls are measured in."""
CHOOSING_S, RUNNING_S, ANSWER_S, TURNING_S, HOLD_S = 3.0, 11.0, 2.0, 0.7, 3.0
"""How long choosing, the run, its end, opening "Compare" and what that shows last in the moving picture."""
RATES, MOST_BYTES = (8, 6, 5, 4), 2_500_000
"""Frames a second, the highest with which the moving picture is not larger than that."""
PATIENCE_MS = 1_800_000
SOME_ROUNDS = re.compile(r"Round ([2-9]|\d\d)")
TABS = {
    "live": "Live", "compare": "Compare", "cost": "Cost", "why": "Why", "shapes": "Shapes", "startup": "Start-up",
    "operators": "Operators", "code": "Code", "past": "Past runs",
}  # fmt: skip
QUESTIONS = {"why": "Why?", "shapes": "Replay", "startup": "Start", "operators": "Profile"}
EARLIER = (
    "import optkit\n"
    "optkit.compare('tiny_cnn', variants=['compile'], budget_s=5)\n"
    "optkit.compare('tiny_transformer', variants=['compile', 'onnxruntime'], budget_s=5)\n"
)
"""Studies of another day, so that "Past runs" has some."""
CURSOR = """() => {
  const cursor = document.createElement("div");
  cursor.id = "shown-cursor";
  cursor.style = "position:fixed; left:0; top:0; z-index:99999; pointer-events:none";
  cursor.innerHTML = '<svg width="18" height="24" viewBox="0 0 18 24"><path d="M1 1v18l4.5-4 3 7 3-1.3-3-6.9h6z" '
    + 'fill="#111" stroke="#fff" stroke-width="1.5"/></svg>';
  document.body.append(cursor);
  document.addEventListener("mousemove", (event) => {
    cursor.style.transform = `translate(${event.clientX}px, ${event.clientY}px)`;
  });
}"""
"""A picture of a page lacks the mouse's pointer."""
ALONE = ".jp-InputArea, .jp-Collapser { visibility: hidden; }"
"""Hides what JupyterLab draws around the Explorer."""


def notebook(path: Path, model: str, budget_s: int) -> None:
    cell = nbformat.v4.new_code_cell(f"import optkit\n\noptkit.explore({model!r}, budget_s={budget_s})")
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}  # without it JupyterLab asks for one
    nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata={"kernelspec": kernel}), path)


class Camera:
    """Takes pictures of the Explorer on a page."""

    def __init__(self, page: Page, folder: Path) -> None:
        self.page, self.folder = page, folder
        self.explorer: Locator = page.locator(".optkit-explorer")
        self.shots: list[Shot] = []
        self.cuts: list[tuple[int, float]] = []
        self.size: dict[str, float] = {}
        self.mouse = (0.0, 0.0)

    def fit(self, width: int, height: int | None = None) -> None:
        """Give the window a width, and a height in which all of the Explorer can be seen."""
        self.page.set_viewport_size({"width": width, "height": height or HEIGHT})
        for _ in range(1 if height else 3):  # a scroll bar that goes changes the width, and that the height
            self.page.wait_for_timeout(400)
            box = self.explorer.bounding_box()
            if height is None and box is not None:
                self.page.set_viewport_size({"width": width, "height": round(box["y"] + box["height"]) + 60})
        self.page.wait_for_timeout(600)

    def clip(self) -> dict[str, float]:
        """Return where the Explorer is."""
        box = self.explorer.bounding_box()
        assert box is not None
        return {
            "x": box["x"] - MARGIN, "y": box["y"] - MARGIN,
            "width": box["width"] + 2 * MARGIN, "height": box["height"] + 2 * MARGIN,
        }  # fmt: skip

    def still(self, name: str, *, whole_page: bool = False) -> None:
        """Take one picture."""
        taken = self.page.screenshot() if whole_page else self.page.screenshot(clip=self.clip())
        save_still(taken, self.folder / f"{name}.png")

    def shoot(self) -> None:
        """Take one picture of a moving one, of the upper part; all have the same size."""
        clip = self.clip() | self.size
        self.size = {"width": clip["width"], "height": MOVING_HEIGHT}
        self.shots.append(Shot(time.monotonic(), self.page.screenshot(clip=clip | self.size)))

    def cut(self, shown_s: float) -> None:
        """Begin another part of the moving picture, which is shown in so many seconds, however long it really takes."""
        self.cuts.append((len(self.shots), shown_s))

    def paced(self) -> list[Shot]:
        """Return the shots at the times at which they are shown."""
        shown, began_s = [], 0.0
        for (place, shown_s), (end, _) in pairwise([*self.cuts, (len(self.shots) - 1, 0.0)]):
            first, last = self.shots[place].at_s, self.shots[end].at_s
            speed = shown_s / max(last - first, 1e-9)
            shown += [Shot(began_s + (shot.at_s - first) * speed, shot.png) for shot in self.shots[place:end]]
            began_s += shown_s
        return [*shown, Shot(began_s, self.shots[-1].png)]

    def show_cursor(self, *, shown: bool) -> None:
        """Show or hide the mouse's pointer."""
        self.page.locator("#shown-cursor").evaluate("(one, hidden) => { one.hidden = hidden }", not shown)

    def click(self, place: Locator) -> None:
        """Move the mouse to something as a person would, with pictures on the way, and click."""
        box = place.bounding_box()
        assert box is not None
        to = box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.6
        for share in (0.35, 0.8, 1.0):
            x, y = (start + share * (end - start) for start, end in zip(self.mouse, to, strict=True))
            self.page.mouse.move(x, y)
            self.shoot()
        self.mouse = to
        self.page.mouse.down()
        self.page.mouse.up()
        for _ in range(3):
            self.page.wait_for_timeout(200)
            self.shoot()


def run(page: Page, camera: Camera) -> None:
    """Choose and measure as a person would, and make a moving picture of it; and a still one of some round."""
    camera.fit(MOVING_WIDTH, MOVING_HEIGHT + 300)
    page.evaluate(CURSOR)
    camera.mouse = 700.0, 400.0
    page.mouse.move(*camera.mouse)
    camera.cut(CHOOSING_S)
    camera.shoot()
    for preset in ("Modes", "Recommended here"):
        camera.click(page.get_by_role("button", name=preset))
    camera.click(page.locator(".optkit-controls").get_by_role("button", name="Run"))
    camera.show_cursor(shown=False)
    camera.cut(RUNNING_S)
    watch(page, camera)
    camera.cut(ANSWER_S)
    camera.shoot()
    page.wait_for_timeout(1000)
    camera.show_cursor(shown=True)
    camera.cut(TURNING_S)
    camera.click(page.get_by_role("tab", name=TABS["compare"], exact=True))
    page.locator("#shown-cursor").evaluate("one => one.remove()")
    shots, path = camera.paced(), camera.folder / "explorer.gif"
    for per_second in RATES:
        save_moving(shots, path, per_second=per_second, hold_s=HOLD_S)
        if path.stat().st_size <= MOST_BYTES:
            return
    raise RuntimeError(f"{path} has {path.stat().st_size} bytes, more than {MOST_BYTES}.")


def watch(page: Page, camera: Camera) -> None:
    """Take pictures until the study is over."""
    said = page.locator(".optkit-progress > span").first
    pictured = False
    while not said.inner_text().startswith("Ended"):
        began = time.monotonic()
        camera.shoot()
        if not pictured and SOME_ROUNDS.match(said.inner_text()):
            pictured = True
            camera.fit(WIDTH)
            camera.still("explorer-running-light")
            camera.fit(MOVING_WIDTH, MOVING_HEIGHT + 300)
        page.wait_for_timeout(max(0, EVERY_S - (time.monotonic() - began)) * 1000)
    page.wait_for_timeout(2000)


def ask(page: Page) -> None:
    """Press the button of each question, and wait for its answer."""
    for tab, button in QUESTIONS.items():
        page.get_by_role("tab", name=TABS[tab], exact=True).click()
        panel = page.get_by_role("tabpanel", name=TABS[tab], exact=True)
        panel.get_by_role("button", name=button, exact=True).click()
        panel.get_by_role("button", name="Stop", exact=True).and_(page.locator(":enabled")).wait_for()
        panel.get_by_role("button", name=button, exact=True).and_(page.locator(":enabled")).wait_for(
            timeout=PATIENCE_MS
        )
        said = panel.locator(".optkit-asked").inner_text()
        print(f"{TABS[tab]}: {said}", flush=True)  # noqa: T201
        if ": answered in" not in said:
            raise RuntimeError(f"{TABS[tab]} was not answered: {said}")


def take_all(lab: Lab, camera: Camera) -> None:
    page = lab.page
    page.evaluate("() => jupyterapp.shell.collapseLeft()")
    lab.run_all()
    page.get_by_text("Latencies appear here").wait_for()
    camera.fit(WIDTH)
    camera.still("explorer-idle-light", whole_page=True)
    page.add_style_tag(content=ALONE)
    run(page, camera)
    ask(page)
    for theme in ("Light", "Dark"):
        lab.choose_theme(theme)
        for tab, label in TABS.items():
            page.get_by_role("tab", name=label, exact=True).click()
            page.mouse.move(5, 5)
            page.evaluate("() => document.activeElement?.blur()")
            camera.fit(WIDTH)
            camera.still(f"explorer-{tab}-{theme.lower()}")
    lab.choose_theme("Light")
    page.get_by_role("tab", name=TABS["live"], exact=True).click()
    camera.fit(NARROW_WIDTH)
    camera.still("explorer-narrow")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=IMAGES)
    parser.add_argument("model", nargs="?", default="resnet18")
    parser.add_argument("budget_s", nargs="?", type=int, default=180)
    told = parser.parse_args()
    told.folder.mkdir(parents=True, exist_ok=True)
    root = Path(tempfile.mkdtemp(prefix="screenshots-"))
    places = {
        "OPTKIT_HOME": str(root / "optkit"), "XDG_CACHE_HOME": str(root / "cache"), "OPTKIT_LOCK": root.name,
    }  # fmt: skip
    try:
        subprocess.run([sys.executable, "-c", EARLIER], check=True, env=dict(os.environ) | places)
        (root / "notebooks").mkdir()
        notebook(root / "notebooks" / "explorer.ipynb", told.model, told.budget_s)
        with jupyter_lab(root / "notebooks", root / "home", more=places) as (address, token):
            os.nice(10)  # pictures are taken while calls are timed
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM_ARGUMENTS)
                lab = Lab(browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}))
                lab.open(address, token, "explorer.ipynb")
                take_all(lab, Camera(lab.page, told.folder))
                browser.close()
    finally:
        shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main()
