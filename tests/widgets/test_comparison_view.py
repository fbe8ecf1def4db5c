"""ComparisonView: a comparison that is over, one that grows, and what is sent of it."""

from __future__ import annotations

import pytest

from optkit.comparison import Comparison
from optkit.widgets import ComparisonView, comparison_view
from stories import bring_up, ended, finished, rounds, started

STORY = [started("compile"), *bring_up("eager"), *bring_up("compile", graphs=1), *rounds(20, eager=10, compile=5)]
WHOLE = [*STORY, *finished("eager", "compile"), ended()]


def test_a_comparison_that_is_over_is_shown_whole():
    view = ComparisonView(Comparison(WHOLE))
    assert "compile is 2.00× faster than eager" in view._answer
    assert view._page_compare.count('role="img"') == 2
    assert "<code>compile</code>" in view._table
    assert "HTML report" in view._files
    assert [tab["name"] for tab in view._tabs] == ["compare", "cost", "code"]


def test_a_page_without_widgets_is_given_the_table_and_charts_of_the_moment():
    data, _ = ComparisonView(Comparison(WHOLE))._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    assert "compile is 2.00× faster than eager" in data["text/html"]
    assert "text/html" not in ComparisonView()._repr_mimebundle_()[0]


def test_nothing_is_shown_as_nothing():
    view = ComparisonView()
    assert "Nothing was measured yet." in view._answer
    assert view._files == ""


def test_another_comparison_replaces_the_first():
    view = ComparisonView()
    view.comparison = Comparison(WHOLE)
    assert "compile is 2.00× faster" in view._answer


def test_events_are_folded_and_redrawn_at_most_once_a_second(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(comparison_view.time, "monotonic", lambda: now[0])
    view = ComparisonView()
    drawn = []
    view.observe(lambda change: drawn.append(change["new"]), "_table")
    for event in STORY:
        now[0] += 0.01
        view.apply(event)
    assert len(drawn) == 1 + int(0.01 * len(STORY))
    for event in WHOLE[len(STORY) :]:
        view.apply(event)
    assert "compile is 2.00× faster" in view._answer


def test_while_it_grows_only_the_open_page_is_drawn():
    view = ComparisonView(Comparison(STORY))
    assert "<svg" in view._page_compare
    assert view._page_cost == ""
    view._tab = "cost"
    assert "<svg" in view._page_cost


@pytest.mark.parametrize("calls", [None, 2])
def test_calls_decide_what_the_answer_is(calls):
    said = ComparisonView(Comparison(WHOLE), calls=calls)._answer
    assert ("It cannot be told whether a process that makes 2 calls gains" in said) is (calls == 2)
    assert ("Copy code" in said) is (calls is None)
