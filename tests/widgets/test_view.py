"""HTML of a comparison."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from optkit.comparison import Comparison
from optkit.events import PhaseBegan
from optkit.widgets import view
from stories import bring_up, ended, failed, finished, rounds, skipped, started, turn

VOID = {"progress", "path", "circle", "rect"}


class Wellformed(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def checked(html: str) -> str:
    parser = Wellformed()
    parser.feed(html)
    assert parser.open == []
    return html


def story(*more):
    return Comparison([started("compile"), *bring_up("eager"), *bring_up("compile", graphs=1), *more])


def rows(html: str) -> list[str]:
    return re.findall(r"<tr class=.*?</tr>", html)


def test_rows_keep_the_order_of_the_study_while_it_runs_and_are_ranked_when_it_is_over():
    measured = rounds(20, eager=10, compile=5)
    running, over = story(*measured), story(*measured, *finished("eager", "compile"), ended())
    assert ["eager" in row for row in rows(checked(view.table(running)))] == [True, False]
    assert ["eager" in row for row in rows(checked(view.table(over)))] == [False, True]
    assert 'class="best"' in rows(view.table(over))[0]


def test_no_row_is_marked_as_best_where_nothing_beats_the_baseline():
    over = story(*rounds(20, eager=10, compile=10), *finished("eager", "compile"), ended())
    assert 'class="best"' not in view.table(over)


def test_a_speed_up_stands_with_its_interval():
    over = story(*rounds(20, eager=10, compile=5), *finished("eager", "compile"), ended())
    assert re.search(r"2\.00× <small>\d\.\d\d–\d\.\d\d</small>", view.table(over))


def test_preliminary_numbers_are_called_so():
    early = [
        turn(name, number, ms, kind="preliminary")
        for number in (1, 2, 3)
        for name, ms in (("eager", 4), ("compile", 2))
    ]
    html = view.table(story(*early))
    assert "preliminary" in html
    assert "~2.0×" in html


def test_a_doubt_is_a_chip_that_opens_to_its_remedy():
    html = checked(view.table(story(*rounds(3, eager=10, compile=5), *finished("eager", "compile"), ended("budget"))))
    assert "<summary>TOO_FEW_CALLS</summary><p>It rests on 3 rounds and a verdict wants 20;" in html
    assert re.search(r"<code>compile</code><div class=\"why\"><details", html)  # in the cell of the name, in sight


def test_a_failed_row_shows_phase_reason_and_details():
    html = checked(view.table(story(failed("compile", "first_call", details="Traceback"), ended())))
    assert "First call: It broke." in html
    assert "<pre>Traceback</pre>" in html


def test_a_skipped_row_shows_why():
    assert "There was no time left." in view.table(story(skipped("compile"), ended()))


EVIL = '<img src=x onerror="alert(1)">'


def test_whatever_a_model_or_its_errors_say_is_escaped():
    told = failed(EVIL, details=EVIL)
    html = view.table(Comparison([started(EVIL), *bring_up("eager"), told, ended()]))
    shown = [html, view.answer(EVIL, code=EVIL), view.head(EVIL, [EVIL], Comparison()), view.code(EVIL, EVIL)]
    assert not any("<img" in part for part in shown)


@pytest.mark.parametrize("running", [True, False])
def test_the_progress_line_names_the_round_and_whether_the_clock_runs(running):
    comparison = Comparison([started("compile"), *bring_up("eager"), turn("eager", 1, 4.0)])
    html = view.progress(comparison, phase_s=1, elapsed_s=65, budget_s=120, running=running)
    assert f'data-running="{str(running).lower()}"' in html
    assert "of 2:00" in html


def test_why_a_study_ended_is_said():
    html = view.progress(story(ended("stopped")), phase_s=0, elapsed_s=9, budget_s=10, running=False)
    assert "Ended: it was stopped." in html
    assert "<progress" not in html


@pytest.mark.parametrize(("number", "said"), [(2, True), (9, False)])
def test_past_the_budget_it_is_said_that_the_first_rounds_are_finished(number, said):
    now = PhaseBegan(at_s=3.0, variant="compile", phase="rounds", round_number=number, round_limit=30)
    html = view.progress(story(now), phase_s=0, elapsed_s=11, budget_s=10, running=True)
    assert ("over the budget: finishing the first three rounds" in html) is said
    assert "<progress" not in html
