"""HTML of a comparison: its table, and what stands around it."""

from __future__ import annotations

import math
import re
from html.parser import HTMLParser

import pytest

from optkit.comparison import Comparison
from optkit.cost import BreakEven
from optkit.events import MachineRead, PhaseBegan, RatesMeasured, WorkCounted
from optkit.marks import Marks
from optkit.svg_parts import Scale
from optkit.widgets import files, table, view
from optkit.widgets.forest import Forest
from stories import bring_up, ended, failed, finished, rounds, skipped, started, turn
from stories import checked as checked_event

RATES = RatesMeasured(
    at_s=2.0, device="cpu", dtype="float32", threads=2, flops_per_s=1e12, measured_at_unix_s=1.7e9,
    copy_bytes_per_s=((1 << 18, 1e11), (1 << 28, 1e10)), read_bytes_per_s=((1 << 18, 2e11), (1 << 28, 2e10)),
)  # fmt: skip
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


def rows_of(html: str) -> list[str]:
    return re.findall(r"<tr.*?</tr>", html.partition("<tbody>")[2])


def test_rows_keep_the_order_of_the_study_while_it_runs_and_are_ranked_when_it_is_over():
    measured = rounds(20, eager=10, compile=5)
    running, over = story(*measured), story(*measured, *finished("eager", "compile"), ended())
    assert ["eager" in row for row in rows_of(checked(table.render(running)))] == [True, False]
    assert ["eager" in row for row in rows_of(checked(table.render(over)))] == [False, True]
    assert 'class="best"' in rows_of(table.render(over))[0]


def test_no_row_is_marked_as_best_where_nothing_beats_the_baseline():
    over = story(*rounds(20, eager=10, compile=10), *finished("eager", "compile"), ended())
    assert 'class="best"' not in table.render(over)


def test_a_speed_up_stands_with_its_interval():
    over = story(*rounds(20, eager=10, compile=5), *finished("eager", "compile"), ended())
    assert re.search(r"2\.00× <small>\d\.\d\d–\d\.\d\d</small>", table.render(over))


def test_preliminary_numbers_are_called_so():
    early = [
        turn(name, number, ms, kind="preliminary")
        for number in (1, 2, 3)
        for name, ms in (("eager", 4), ("compile", 2))
    ]
    html = table.render(story(*early))
    assert "preliminary" in html
    assert "~2.0×" in html


def test_a_doubt_is_a_chip_that_opens_to_its_remedy():
    told = [turn("eager", 4, 10), *finished("eager", "compile"), ended("budget")]
    html = checked(table.render(story(*rounds(3, eager=10, compile=5), *told)))
    assert "<summary>TOO_FEW_CALLS</summary><p>It rests on 3 rounds and a verdict wants 20;" in html
    assert re.search(
        r"<code>compile</code></span><div class=\"why\"><details", html
    )  # in the cell of the name, in sight


def test_a_failed_row_shows_phase_reason_and_details():
    html = checked(table.render(story(failed("compile", "first_call", details="Traceback"), ended())))
    assert "First call: It broke." in html
    assert "<pre>Traceback</pre>" in html


def test_a_skipped_row_shows_why():
    assert "There was no time left." in table.render(story(skipped("compile"), ended()))


EVIL = '<img src=x onerror="alert(1)">'


def test_whatever_a_model_or_its_errors_say_is_escaped():
    told = failed(EVIL, details=EVIL)
    html = table.render(Comparison([started(EVIL), *bring_up("eager"), told, ended()]))
    shown = [
        html,
        view.answer(EVIL, code=EVIL),
        view.head(EVIL, [EVIL], Comparison()),
        view.code_page(Comparison(), (EVIL, EVIL), None),
    ]
    assert not any("<img" in part for part in shown)


@pytest.mark.parametrize("running", [True, False])
def test_the_progress_line_says_whether_the_clock_runs(running):
    comparison = Comparison([started("compile"), *bring_up("eager"), turn("eager", 1, 4.0)])
    html = view.progress(comparison, phase_s=1, elapsed_s=65, left_s=48, running=running)
    assert f'data-running="{str(running).lower()}"' in html
    assert ('data-left-s="48"' in html) is running
    assert ('value="0.575"' in html) is running


def test_why_a_study_ended_is_said():
    html = view.progress(story(ended("stopped")), phase_s=0, elapsed_s=9, left_s=None, running=False)
    assert "Ended: it was stopped." in html
    assert "<progress" not in html


@pytest.mark.parametrize(("number", "said"), [(2, "finishing the first three rounds"), (9, "finishing this round")])
def test_past_the_budget_it_is_said_what_is_finished(number, said):
    now = PhaseBegan(at_s=3.0, variant="compile", phase="rounds", round_number=number, round_limit=30)
    html = view.progress(story(now), phase_s=0, elapsed_s=11, left_s=None, running=True)
    assert said in html
    assert "<progress" not in html


def test_what_the_workers_hold_is_said_while_it_runs():
    read = MachineRead(at_s=3.0, memory_available_bytes=6 * 10**9, workers_bytes=812 * 10**6)
    html = view.progress(story(read), phase_s=0, elapsed_s=11, left_s=5, running=True)
    assert "workers hold 812 MB, 6.0 GB free" in html
    assert "hold" not in view.progress(story(read, ended()), phase_s=0, elapsed_s=11, left_s=None, running=False)


def test_a_busy_machine_is_told_from_a_quiet_one():
    def pill(others):
        reads = [MachineRead(at_s=at_s, others_cpus=others, visible_cpus=2) for at_s in (1.0, 2.0)]
        return view.head("Net", [], story(*reads))

    assert "quiet" in pill(0.1)
    assert "busy: others use 1.2 of 2 CPUs" in pill(1.2)


def test_every_number_can_be_sorted_by_and_what_has_none_says_so():
    html = checked(table.render(story(*rounds(20, eager=10, compile=5), failed("compile"), ended())))
    heads = re.findall(r'data-sort="([^"]+)"', html)
    assert heads[:4] == ["variant", "verdict", "speed-up", "median"]
    assert len({html.count("<td")}) == 1
    cells = [row.count("<td") for row in rows_of(html)]
    assert cells == [len(heads) + 2] * 2  # the rank and the forest plot are sorted by nothing
    assert 'data-value=""' in html


def test_a_doubt_that_every_row_has_stands_once_above_the_table():
    few = story(*rounds(3, eager=10, compile=5), *finished("eager", "compile"), ended("budget"))
    html = checked(table.render(few))
    assert html.count("<summary>TOO_FEW_CALLS</summary>") == 1
    assert html.startswith('<div class="optkit-common">Of every row: <details')


def test_a_speed_up_off_the_forest_plot_is_an_arrow_and_keeps_its_number():
    html = table.render(story(*rounds(20, eager=1, compile=80), *finished("eager", "compile"), ended()))
    assert "0.01×" in html
    slow = rows_of(html)[1]
    assert "l7 4z" in slow


def test_an_interval_that_goes_beyond_the_forest_plot_has_an_arrow_there():
    wide = Forest(Scale(0.5, 2.0, 6, 82))
    assert wide._open_ends((0.6, 1.9), "red", 8) == ""
    assert wide._open_ends((0.1, 9.0), "red", 8).count("<path") == 2


@pytest.mark.parametrize(
    ("found", "value"), [((10.0, 8.0, 12.0), 10.0), ((300.0, 260.0, math.inf), math.inf), ((None, None, None), None)]
)
def test_pays_off_after_is_sorted_by_nothing_that_the_cell_does_not_say(monkeypatch, found, value):
    m = story().measurements["compile"]
    monkeypatch.setattr(type(m), "break_even", lambda _: BreakEven(*found))
    assert table._break_even_calls(m) == value


def test_a_machine_that_was_held_back_or_whose_workers_strayed_is_not_called_quiet():
    def reads(**fields):
        return [MachineRead(at_s=at_s, others_cpus=0.0, visible_cpus=2, **fields) for at_s in (1.0, 2.0)]

    apart = [turn("eager", n, 10 * (1 + 0.5 * twin), twin=twin) for n in range(1, 21) for twin in (False, True)]
    noisy = story(
        *bring_up("eager", twin=True), *apart, *rounds(20, compile=5), *reads(), *finished("compile"), ended()
    )
    assert "held back 50% of the time" in view.head("Net", [], story(*reads(throttled_s=1.0), ended()))
    assert "noisy" in view.head("Net", [], noisy)


def test_while_a_study_runs_the_pill_tells_of_now():
    reads = [MachineRead(at_s=at_s, others_cpus=1.9 * (at_s > 9), visible_cpus=2) for at_s in (1.0, 9.0, 10.0)]
    assert "busy: others use 1.9 of 2 CPUs" in view.head("Net", [], story(*reads))
    assert "quiet" in view.head("Net", [], story(*reads, ended()))


def test_compare_shows_outputs_and_what_is_left_to_win():
    over = story(
        *rounds(20, eager=10, compile=5), checked_event("compile", "close"), *finished("eager", "compile"), ended()
    )
    html = checked(view.compare_page(over, Marks()))
    assert "Do outputs agree with eager?" in html
    assert "close to eager" in html
    told = [WorkCounted(at_s=1.0, flops=1e9, read_bytes=1.0, written_bytes=1.0, dtype="float32"), RATES]
    least = view.compare_page(story(*told, *rounds(20, eager=10, compile=5), ended()), Marks())
    assert re.search(r"What is left to win.*eager.*10.0 ms.*1.00 ms.*arithmetic.*10×", least)
    assert "Speed-ups, the spread of calls" in view.compare_page(Comparison(), Marks())


def test_the_code_of_the_best_comes_first_and_of_what_failed_there_is_none():
    over = story(*rounds(20, eager=10, compile=5), *finished("eager", "compile"), ended())
    html = checked(view.code_page(over, None, None))
    assert html.index("torch.compile(model)") < html.index('data-key="code eager"')
    assert 'data-key="code compile"' not in view.code_page(
        story(*rounds(20, eager=10), failed("compile"), ended()), None, None
    )


def test_buttons_name_each_file_that_can_be_taken_away():
    html = checked(view.files(files.KINDS))
    assert re.findall(r">([^<>]+)</button>", html) == ["HTML report", "CSV", "JSON", "Notebook"]


def test_what_gives_other_outputs_has_no_rank_and_its_code_says_so():
    told = [*rounds(20, eager=10, compile=5), checked_event("compile", "different", error=0.7)]
    over = story(*told, *finished("eager", "compile"), ended())
    first, second = rows_of(table.render(over))
    assert "<code>compile</code>" in first
    assert "<td></td>" in first
    assert "<td>1</td>" in second
    assert "# Mind: its outputs are different from eager&#x27;s (within 0.7)." in view.code_page(over, None, None)
