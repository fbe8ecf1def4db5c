"""Take pictures of the Explorer in real JupyterLab: idle, running and finished, light and dark, and narrow.

After ``make test``: ``.venv/bin/python scripts/screenshots.py FOLDER [MODEL] [BUDGET_S] [LOOK …]``.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import nbformat
from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from browser.jupyter import CHROMIUM_ARGUMENTS, Lab, jupyter_lab

WIDE, NARROW = {"width": 1380, "height": 1000}, {"width": 760, "height": 1500}
DONE = "() => document.querySelector('.optkit-progress span').textContent.startsWith('Ended')"


def notebook(path: Path, model: str, budget_s: int) -> None:
    cell = nbformat.v4.new_code_cell(f"import optkit\n\noptkit.explore({model!r}, budget_s={budget_s})")
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}  # without it JupyterLab asks for one
    nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata={"kernelspec": kernel}), path)


def shoot(page: Page, lab: Lab, name: str, folder: Path, budget_s: int) -> None:
    page.evaluate("() => jupyterapp.shell.collapseLeft()")
    lab.run_all()
    page.get_by_text("Latencies appear here").wait_for()
    page.wait_for_timeout(1500)
    page.screenshot(path=folder / f"explorer-{name}-idle.png")
    page.locator(".optkit-controls").get_by_role("button", name="Run").click()
    page.wait_for_timeout(budget_s * 500)
    page.screenshot(path=folder / f"explorer-{name}-running.png")
    page.wait_for_function(DONE, timeout=600_000)
    page.wait_for_timeout(1500)
    page.screenshot(path=folder / f"explorer-{name}-finished.png")
    page.set_viewport_size(dict(page.viewport_size or WIDE, height=2600))
    page.evaluate("() => document.querySelectorAll('.optkit-chart').forEach(chart => { chart.open = true; })")
    page.wait_for_timeout(1000)
    page.screenshot(path=folder / f"explorer-{name}-charts.png")


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    model = sys.argv[2] if len(sys.argv) > 2 else "resnet18"  # noqa: PLR2004
    budget_s = int(sys.argv[3]) if len(sys.argv) > 3 else 120  # noqa: PLR2004
    wanted = sys.argv[4:] or ["light", "dark", "narrow"]
    looks = (
        ("light", "JupyterLab Light", WIDE),
        ("dark", "JupyterLab Dark", WIDE),
        ("narrow", "JupyterLab Light", NARROW),
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM_ARGUMENTS)
        for name, theme, size in (look for look in looks if look[0] in wanted):
            root = Path(tempfile.mkdtemp(prefix="screenshots-"))
            (root / "notebooks").mkdir()
            notebook(root / "notebooks" / "explorer.ipynb", model, budget_s)
            with jupyter_lab(root / "notebooks", root / "home", theme) as (address, token):
                page = browser.new_page(viewport=size)
                lab = Lab(page)
                lab.open(address, token, "explorer.ipynb")
                shoot(page, lab, name, folder, budget_s)
                page.close()
            shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main()
