"""Lines of source are named as their reader knows them."""

from __future__ import annotations

import linecache
import sys
from types import SimpleNamespace

import pytest

from optkit import source_place

NAME = "/tmp/ipykernel_12/345.py"
CELL = "def forward(x):\n    return x\n"


@pytest.fixture
def notebook(monkeypatch):
    """Be a notebook whose third cell has the source CELL."""
    shell = SimpleNamespace(user_ns={"In": ["", "import torch", "1 + 1", CELL.strip()]})
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setitem(linecache.cache, NAME, (len(CELL), None, CELL.splitlines(keepends=True), NAME))


@pytest.mark.usefixtures("notebook")
def test_a_line_of_a_cell_is_named_by_the_cell():
    assert source_place.words(NAME, 2) == source_place.read(f"{NAME}:2") == "cell [3], line 2"


@pytest.mark.parametrize("place", ["/my/model.py:12", "/tmp/ipykernel_12/678.py:2", "words", "a: b", ""])
@pytest.mark.usefixtures("notebook")
def test_anything_else_is_told_as_it_is(place):
    assert source_place.read(place) == place
