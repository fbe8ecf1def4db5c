"""The browser-side files as they are sent."""

from __future__ import annotations

import re

import pytest

from optkit import widgets
from optkit.widgets.static_files import _STATIC, module

FILES = sorted(path.name for path in _STATIC.glob("*.js"))
SCRIPTS = [name for name in FILES if "uPlot" not in name]


@pytest.mark.parametrize("name", SCRIPTS)
def test_no_text_goes_over_several_lines_so_that_indentation_may_be_left_out(name):
    source = (_STATIC / name).read_text()
    for line in source.splitlines():
        assert re.sub(r"//.*|\\`", "", line).count("`") % 2 == 0, line
    assert "/*" not in source


def test_comments_and_indentation_are_left_out_and_nothing_else(tmp_path):
    sent = module("dom.js")
    assert "//" not in sent
    kept = [line.strip() for line in (_STATIC / "dom.js").read_text().splitlines()]
    assert sent.splitlines() == [line for line in kept if line and not line.startswith("//")]


def test_all_javascript_together_is_under_150_kb_also_as_one_explorer_sends_it():
    assert sum((_STATIC / name).stat().st_size for name in FILES) < 150_000
    explorer = widgets.explore("tiny_cnn")
    parts = [explorer, *explorer._parts.values()]
    assert sum(len(one._esm.encode()) for one in parts) < 150_000


@pytest.mark.parametrize("name", [*SCRIPTS, "optkit.css", "latency_plot.css"])
def test_nothing_is_loaded_from_elsewhere_and_nothing_moves_by_itself(name):
    source = (_STATIC / name).read_text()
    assert not re.search(r"https?://(?!www\.w3\.org)|@import|\bfetch\(|XMLHttpRequest|import\(", source)
    assert not re.search(r"\b(transition|animation)\s*:", source)
