"""The site: executed tutorials, a reference of every public name, and the pages of docs, built by Sphinx."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_output

import optkit
from notebooks.tutorials import TUTORIALS

ROOT = Path(__file__).parents[1]
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0h9"/></svg>'


def test_the_reference_has_every_public_name_once():
    api = runpy.run_path(str(ROOT / "scripts" / "site.py"))["api"]()
    assert sorted(re.findall(r":: optkit\.(\w+)", api)) == sorted(optkit.__all__)


@pytest.fixture
def executed(tmp_path):
    """Return a folder with all tutorials as if they had passed; the first one shows a figure."""
    (tmp_path / "executed").mkdir()
    for path in TUTORIALS:
        notebook = nbformat.read(path, as_version=4)
        notebook.metadata["optkit"] = {"status": "passed"}
        nbformat.write(notebook, tmp_path / "executed" / path.name)
    first = nbformat.read(tmp_path / "executed" / TUTORIALS[0].name, as_version=4)
    figure = {"application/vnd.plotly.v1+json": {"data": []}, "image/svg+xml": SVG, "text/plain": "a chart"}
    first.cells[1].outputs = [new_output("execute_result", figure, execution_count=1)]
    nbformat.write(first, tmp_path / "executed" / TUTORIALS[0].name)
    return tmp_path / "executed"


def site(executed, output):
    words = [sys.executable, ROOT / "scripts" / "site.py", "--executed", executed, "--output", output]
    return subprocess.run(words, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_site_shows_what_was_executed_and_asks_nothing_of_the_network(executed, tmp_path):
    done = site(executed, tmp_path / "site")
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "site" / "_images").glob("*.svg"))
    pages = ["index", "api", "method", "coverage", *(f"notebooks/{path.stem}" for path in TUTORIALS)]
    for name in pages:
        html = (tmp_path / "site" / f"{name}.html").read_text()
        assert not re.findall(r"<(?:script|link|img|iframe)[^>]*(?:src|href)=\"(?:https?:)?//[^\"]*\"", html), name
    assert "optkit.compare" in (tmp_path / "site" / "api.html").read_text()


def test_there_is_no_site_of_a_tutorial_that_has_not_passed(executed, tmp_path):
    (executed / TUTORIALS[-1].name).unlink()
    done = site(executed, tmp_path / "site")
    assert done.returncode == 1
    assert f"{TUTORIALS[-1].stem} was not executed into" in done.stderr
    assert not (tmp_path / "site").exists()


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


def test_every_link_of_the_readme_into_this_repository_leads_somewhere():
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", (ROOT / "README.md").read_text())
    own = [link for link in links if "://" not in link]
    assert len(own) > 20
    assert [link for link in own if not (ROOT / link).exists()] == []
