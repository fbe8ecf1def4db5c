"""`optkit sweep` and how a sweep shows itself while it runs: in a terminal, in a file, in a cell."""

from __future__ import annotations

import io
import json
from functools import partial
from types import SimpleNamespace

import pytest
import typer
from rich.console import Console

from optkit import cli_sweep, sweep_terminal
from optkit.errors import UsageError
from optkit.sweeps import live, page, sweeping
from optkit.sweeps.sweeping import Sweep, sweep
from optkit.workload import Workload
from stub_studies import events, quick, refusing

FILE = 'variants = ["compile"]\n[[workloads]]\nmodel = "tiny_cnn"\nbatch_size = [1, 2]\n'


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """Return a function that runs the command with made-up studies, and returns exit code and what was printed."""
    monkeypatch.setenv("OPTKIT_HOME", str(tmp_path / "home"))
    (tmp_path / "sweep.toml").write_text(FILE)

    def of(make=quick, *, terminal=False, **options):
        monkeypatch.setattr(sweeping, "Sweep", partial(Sweep, make=make))
        file = io.StringIO()
        console = Console(file=file, force_terminal=terminal, width=160, markup=False, highlight=False)
        monkeypatch.setattr(sweep_terminal, "_console", lambda **_: console)
        with pytest.raises(typer.Exit) as ended:
            cli_sweep.sweep(tmp_path / "sweep.toml", **options)
        return ended.value.exit_code, file.getvalue()

    return of


@pytest.mark.parametrize("terminal", [False, True])
def test_it_ends_with_the_leaderboard_and_the_answer(asked, terminal):
    code, said = asked(terminal=terminal)
    assert code == 0
    for words in ("tiny_cnn, batch 1", "tiny_cnn, batch 2", "compile", "2.00×", "2 of 2 measured"):
        assert words in said
    assert "compile is best for 2" in said


def test_without_a_terminal_a_line_is_printed_as_each_study_begins_and_ends(asked):
    _, said = asked()
    assert said.count("tiny_cnn, batch 1: begins") == 1
    assert "tiny_cnn, batch 2: compile is 2.00× faster than eager" in said


def test_what_was_measured_before_is_said_to_be_so(asked):
    asked()
    code, said = asked()
    assert code == 0
    assert "tiny_cnn, batch 1: measured before. compile is" in said
    assert "2 of them before; --again measures these anew" in said
    assert "before" not in asked(again=True)[1]


def test_the_exit_code_tells_a_study_that_failed_and_the_rest_is_measured(asked):
    code, said = asked(refusing)
    assert code == cli_sweep.FAILED
    assert "tiny_cnn, batch 2 It needs a machine that is not here." in said
    assert "compile is best for 1" in said


def test_the_exit_code_tells_an_interrupt(asked):
    def interrupted(workload, variants, plan):
        yield from events(workload, variants, plan)[:4]
        raise KeyboardInterrupt

    assert asked(interrupted)[0] == cli_sweep.INTERRUPTED


def test_one_json_document_goes_to_stdout_and_files_are_written(asked, tmp_path, capsys):
    asked(as_json=True, report=tmp_path / "sweep.html", csv=tmp_path / "sweep.csv")
    assert [one["state"] for one in json.loads(capsys.readouterr().out)["studies"]] == ["done", "done"]
    assert "What speed costs" in (tmp_path / "sweep.html").read_text()
    assert (tmp_path / "sweep.csv").read_text().startswith("machine,workload,variant,")


def test_a_report_that_cannot_be_written_is_refused_before_anything_is_measured(tmp_path):
    (tmp_path / "sweep.toml").write_text(FILE)
    with pytest.raises(UsageError, match="folder that exists"):
        cli_sweep.sweep(tmp_path / "sweep.toml", report=tmp_path / "none" / "report.html")


def test_a_scheduler_that_does_not_answer_is_told_in_a_sentence(monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(cli_sweep, "CONNECT_S", 1)
    with pytest.raises(UsageError, match=r"No dask scheduler answers at tcp://127\.0\.0\.1:9"):
        cli_sweep.connected("tcp://127.0.0.1:9")
    with pytest.raises(UsageError, match="No dask scheduler answers at nonsense://x"):
        cli_sweep.connected("nonsense://x")


@pytest.fixture
def cell(monkeypatch, tmp_path):
    """Pretend that a notebook runs this, and return what its output shows, one after the other."""
    monkeypatch.setenv("OPTKIT_HOME", str(tmp_path / "home"))
    shell = SimpleNamespace(kernel=object())
    monkeypatch.setitem(live.sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    shown = []

    class Output:
        def __init__(self, html):
            shown.append(html)

        def update(self, html):
            shown.append(html)

    monkeypatch.setattr(live, "_Output", Output)
    return shown


def test_in_a_notebook_the_leaderboard_grows_while_it_is_measured(cell, monkeypatch):
    monkeypatch.setattr(sweeping, "Sweep", partial(Sweep, make=quick))
    sweep([Workload("tiny_cnn", batch_size=size) for size in (1, 2)], ["compile"])
    assert "0 of 2 measured" in cell[0]
    grown = [html for html in cell if "1 of 2 measured" in html]
    assert "tiny_cnn, batch 1" in grown[0]
    assert "2.00×" in grown[0]
    assert "2 of 2 measured, in" in cell[-1]


def test_elsewhere_it_shows_nothing_of_itself(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("OPTKIT_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(sweeping, "Sweep", partial(Sweep, make=quick))
    sweep("tiny_cnn", ["compile"])
    assert capsys.readouterr().out == ""


def test_what_runs_is_said_with_its_phase(tmp_path, monkeypatch):
    monkeypatch.setenv("OPTKIT_HOME", str(tmp_path / "home"))
    one = Sweep("tiny_cnn", ["compile"], make=quick)
    seen = [page.live(one.result, 0.0, None) for told in one if told.kind == "event"]
    assert "eager" in seen[2]
    assert any("building the model · compile" in html for html in seen)
    assert "1 of 1 measured" in seen[-1]
