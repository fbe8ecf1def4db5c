"""The site: executed tutorials, a reference of every public name, and the pages of docs, built by Sphinx."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

import optkit

ROOT = Path(__file__).parents[1]
PYTHON = {"language_info": {"name": "python", "pygments_lexer": "ipython3"}}
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0h9"/></svg>'


def test_the_reference_has_every_public_name_once():
    api = runpy.run_path(str(ROOT / "scripts" / "site.py"))["api"]()
    assert sorted(re.findall(r":: optkit\.(\w+)", api)) == sorted(optkit.__all__)


@pytest.mark.slow
def test_the_site_shows_what_was_executed_and_asks_nothing_of_the_network(tmp_path):
    figure = {"application/vnd.plotly.v1+json": {"data": []}, "image/svg+xml": SVG, "text/plain": "a chart"}
    cells = [
        new_markdown_cell("# A question\n\nWords."),
        new_code_cell("figure", outputs=[new_output("execute_result", figure, execution_count=1)], execution_count=1),
    ]
    (tmp_path / "executed").mkdir()
    nbformat.write(new_notebook(cells=cells, metadata=PYTHON), tmp_path / "executed" / "00_question.ipynb")
    words = ["--executed", tmp_path / "executed", "--output", tmp_path / "site"]
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "site.py", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "site" / "notebooks" / "00_question.html").read_text()
    assert "A question" in page
    assert list((tmp_path / "site" / "_images").glob("*.svg")) or "<svg xmlns" in page
    for name in ("index", "api", "method", "coverage", "notebooks/00_question"):
        html = (tmp_path / "site" / f"{name}.html").read_text()
        assert not re.findall(r"<(?:script|link|img|iframe)[^>]*(?:src|href)=\"(?:https?:)?//[^\"]*\"", html), name
    assert "optkit.compare" in (tmp_path / "site" / "api.html").read_text()


def test_the_badge_is_set_in_the_one_place_where_the_owner_stands(tmp_path):
    (tmp_path / "scripts").mkdir()
    script = tmp_path / "scripts" / "badge.py"
    script.write_text((ROOT / "scripts" / "badge.py").read_text())
    (tmp_path / "README.md").write_text((ROOT / "README.md").read_text())
    refused = subprocess.run([sys.executable, script, "nobody"], capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "REPO=owner/name" in refused.stderr
    subprocess.run([sys.executable, script, "some-one/else.kit"], check=True)
    changed = [
        line
        for line in (tmp_path / "README.md").read_text().splitlines()
        if line not in (ROOT / "README.md").read_text()
    ]
    (line,) = changed
    assert "gh/some-one/else.kit/HEAD?urlpath=lab/tree/notebooks/00_explorer.ipynb" in line
    assert (ROOT / "notebooks" / "00_explorer.ipynb").exists()
