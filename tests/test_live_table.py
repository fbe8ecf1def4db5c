"""A study in a terminal."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from optkit import live_table
from optkit.comparison import Comparison
from optkit.events import PhaseBegan
from optkit.study import Plan
from optkit.workload import Workload
from stories import bring_up, ended, failed, finished, rounds, started, turn

STORY = [
    started("compile", "compile:backend=aot_eager"),
    PhaseBegan(at_s=0.1, variant="eager", phase="import"),
    *bring_up("eager"),
    *bring_up("compile", graphs=0),
    failed("compile:backend=aot_eager"),
    *rounds(20, eager=10, compile=5),
    *finished("eager", "compile"),
    ended(),
]


class Told:
    plan = Plan(budget_s=10)
    workload, variants, known = Workload("tiny_cnn"), (), ()

    def __iter__(self):
        yield from STORY


@pytest.fixture
def shown(monkeypatch):
    """Return a function that shows the story on a console of a kind, and returns what a person would read."""

    def show(*, terminal: bool) -> str:
        out = io.StringIO()
        console = Console(file=out, force_terminal=terminal, width=160, color_system=None)
        monkeypatch.setattr(live_table, "Console", lambda **_: console)
        live_table.show(Told())
        return out.getvalue()

    return show


@pytest.mark.parametrize("terminal", [True, False])
def test_it_ends_with_the_ranked_table_the_answer_the_doubts_and_why_it_ended(shown, terminal):
    said = shown(terminal=terminal)
    assert re.findall(r"\b(compile|eager) +(?:faster|baseline)", said)[-2:] == ["compile", "eager"]
    assert "2.00×" in said
    assert "It broke." in said
    assert "NOT_COMPILED (compile): backend=inductor was given no graph" in said
    assert re.search(r"Two equal workers agree within \d+\.\d%\.", said)
    assert "NOISY_MACHINE" not in said
    assert "The study ended because all rounds are done." in said


def test_a_variant_that_compiled_nothing_is_not_the_answer(shown):
    assert "faster than eager" not in shown(terminal=False)


def test_without_a_terminal_there_is_a_line_a_phase_and_no_control_sequence(shown):
    said = shown(terminal=False)
    assert "importing torch · eager" in said
    assert "\x1b" not in said


def answered(events) -> str:
    out = io.StringIO()
    live_table._print_answer(Comparison(events), Console(file=out, width=160))
    return out.getvalue()


def test_on_a_busy_machine_it_is_said_that_small_differences_cannot_be_told():
    told = [started(), *bring_up("eager"), *bring_up("eager", twin=True)]
    for number in range(1, 21):
        told += [turn("eager", number, 10.0), turn("eager", number, 10.0 + number % 2 * 8, twin=True)]
    assert "NOISY_MACHINE (eager): Two equal workers strayed 44% from each other;" in answered([*told, ended()])


def test_nothing_is_said_of_noise_that_is_not_known():
    said = answered([started("compile"), *bring_up("eager"), ended("stopped")])
    assert "equal workers" not in said
    assert "NOISY" not in said


def test_a_speed_up_without_an_interval_is_marked_as_rough():
    told = [*bring_up("eager"), *bring_up("compile", graphs=1), turn("eager", 1, 10.0), turn("compile", 1, 5.0)]
    cells = live_table._cells(Comparison([started("compile"), *told]).measurements["compile"], measured=False)
    assert str(cells[2]) == "~2.0×"


def test_an_empty_comparison_has_an_empty_table():
    assert live_table.table(Comparison()).row_count == 0
