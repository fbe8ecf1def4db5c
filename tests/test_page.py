"""How results show themselves as the last line of a cell."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from optkit.comparison import Comparison
from optkit.errors import UsageError
from optkit.html_table import html_table
from optkit.variant import Variant
from stories import bring_up, checked, ended, finished, rounds, started


@pytest.fixture
def comparison():
    told = [started("compile"), *bring_up("eager"), *bring_up("eager", twin=True), *bring_up("compile", graphs=1)]
    told += [*rounds(20, twin=True, eager=10, compile=5), checked("eager", "equal"), checked("compile", "close")]
    return Comparison([*told, *finished("eager", "compile"), ended("rounds")])


def parsed(svg):
    return ET.fromstring(svg)


def test_a_comparison_shows_its_answer_its_table_and_charts(comparison):
    shown = comparison._repr_mimebundle_()
    assert comparison.answer() in shown["text/html"].replace("&#x27;", "'")
    assert shown["text/html"].count("<svg") == 2
    assert "2.00×" in shown["text/html"]
    assert parsed(shown["image/svg+xml"]).tag.endswith("svg")
    assert "Comparison of 2 variants" in shown["text/plain"]


def test_a_comparison_of_nothing_is_text():
    assert set(Comparison()._repr_mimebundle_()) == {"text/plain"}


def test_a_measurement_shows_itself_beside_the_baseline(comparison):
    shown = comparison.best()._repr_mimebundle_()
    assert shown["text/plain"] == "compile"
    assert "faster" in shown["text/html"]
    assert {"compile", "eager"} <= {"".join(text.itertext()) for text in parsed(shown["image/svg+xml"]).iter()}


def test_a_variant_shows_what_it_sets_and_its_code():
    shown = Variant.parse("compile:mode=max-autotune+no_grad")._repr_mimebundle_()["text/html"]
    for said in ("max-autotune", "no_grad", "torch.compile(model"):
        assert said in shown


def test_a_chart_can_be_had_as_a_file_and_as_a_figure(comparison):
    assert parsed(comparison.svg("latency")).tag.endswith("svg")
    assert len(comparison.figure("latency").data) > 0
    with pytest.raises(UsageError, match="choose one of latency, speedup, break_even, startup"):
        comparison.svg("pie")


def test_cells_of_a_table_are_escaped():
    assert "<b>" not in html_table(("<b>",), [("<b>",)])
    assert html_table(("a", "b"), [("1", "2")]).count("<td") == 2
