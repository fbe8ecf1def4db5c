"""However a study ends, nothing that it started remains: no process, however deep, and no folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import cloudpickle
import pytest

from optkit import crew
from optkit.comparison import Comparison
from optkit.engines import Compile
from optkit.events import PhaseBegan, Samples, StudyEnded
from optkit.study import Study, collect
from processes import marked, wait_for, wait_until_gone

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers must not need this file

pytestmark = pytest.mark.worker
PROMISED_S = 2.0
"""`Study.stop` promises that every process is gone within two seconds."""


def starting(begun):
    """Return a backend that starts processes, also in another session, and then sleeps in mid-compile."""

    def backend(graph, example_inputs):
        subprocess.Popen(["sleep", "1000"])
        subprocess.Popen(["sleep", "1000"], start_new_session=True)
        subprocess.Popen(["sh", "-c", "sleep 1000 & exec sleep 1000"], start_new_session=True)
        Path(begun).touch()
        time.sleep(1000)

    return Compile(backend=backend)


def leaving_behind(graph, example_inputs):
    """Compile, and leave a process behind that outlives the worker."""
    subprocess.Popen(["sleep", "1000"], start_new_session=True)
    return graph.forward


@pytest.fixture
def begun(tmp_path):
    return tmp_path / "begun"


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    """Let 20 calls do to warm up."""
    monkeypatch.setattr(crew, "SETTLE_SHARE", 0.0)


def study_of(*variants, **fields):
    return Study("tiny_cnn", variants, **({"budget_s": 60, "rounds": (30, 30)} | fields))


def when(condition, act):
    """Do something from another thread as soon as a condition holds; return when it was done."""
    done = []

    def watch():
        wait_for(condition)
        done.append(time.monotonic())
        act()

    threading.Thread(target=watch, daemon=True).start()
    return done


def test_stop_in_mid_compile_ends_the_study_and_all_its_processes(mark, private, begun):
    study = study_of(starting(str(begun)))
    stopped = when(begun.exists, study.stop)
    events = list(study)
    wait_until_gone(mark, stopped[0] + PROMISED_S - time.monotonic())
    assert events[-1].because == "stopped"
    assert list(private.glob("optkit-*")) == []
    statuses = {name: m.status for name, m in Comparison(events).measurements.items()}
    assert statuses == {"eager": "stopped", "compile:backend=backend()": "stopped"}
    assert Comparison(events).baseline.first_call_s > 0


def test_stop_during_rounds_keeps_what_was_measured_and_the_study_can_run_again(mark, private):
    study = study_of(Compile(backend=leaving_behind))
    events = []

    def in_round_two():
        return any(isinstance(e, Samples) and (e.kind, e.round_number) == ("round", 2) for e in list(events))

    stopped = when(in_round_two, study.stop)
    for event in study:
        events.append(event)  # noqa: PERF402 - the other thread watches the list grow
    wait_until_gone(mark, stopped[0] + PROMISED_S - time.monotonic())
    comparison = Comparison(events)
    assert comparison.ended_because == "stopped"
    assert [m.status for m in comparison.measurements.values()] == ["stopped", "stopped"]
    assert all(m.rounds >= 1 for m in comparison.measurements.values())

    again = iter(study)
    assert next(again).run_id != comparison.run_id
    study.stop()
    assert list(again)[-1].because == "stopped"


def test_leaving_the_iteration_early_ends_everything(mark, private):
    for event in study_of("eager+no_grad"):
        if isinstance(event, PhaseBegan) and event.phase == "settle":
            assert marked(mark)
            assert list(private.glob("optkit-*"))
            break
    wait_until_gone(mark)
    assert list(private.glob("optkit-*")) == []


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_while_collecting_returns_what_was_measured(mark, private, begun):
    study = study_of(starting(str(begun)))
    interrupted = when(begun.exists, lambda: os.kill(os.getpid(), signal.SIGINT))
    comparison = collect(study)
    wait_until_gone(mark, interrupted[0] + PROMISED_S - time.monotonic())
    assert comparison.ended_because == "stopped"
    assert comparison.baseline.first_call_s > 0
    assert list(private.glob("optkit-*")) == []


PARENT = """
import subprocess, sys, time
from pathlib import Path
import optkit
from optkit.engines import Compile

def backend(graph, example_inputs):
    subprocess.Popen(["sleep", "1000"])
    subprocess.Popen(["sleep", "1000"], start_new_session=True)
    Path(BEGUN).touch()
    time.sleep(1000)

BEGUN = sys.argv[1]
list(optkit.Study("tiny_cnn", Compile(backend=backend), budget_s=60))
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["SIGKILL", "SIGTERM"])
def test_killing_the_parent_leaves_no_process(number, mark, tmp_path, begun):
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "TMPDIR": str(tmp_path)}
    parent = subprocess.Popen([sys.executable, str(script), str(begun)], env=environ)
    try:
        wait_for(lambda: begun.exists() or parent.poll() is not None)
        assert parent.poll() is None
        assert len(marked(mark)) >= 6  # it, the zygote, three workers, and what one of them started
        parent.send_signal(number)
        parent.wait(10)
        wait_until_gone(mark, 10)
    finally:
        parent.kill()


def test_a_process_that_a_failed_worker_left_behind_does_not_outlive_it(mark, private):
    def backend(graph, example_inputs):
        subprocess.Popen(["sleep", "1000"], start_new_session=True)
        os._exit(7)

    counted = []
    for event in study_of(Compile(backend=backend), rounds=(1, 1)):
        if isinstance(event, PhaseBegan) and event.phase == "rounds":
            wait_for(lambda: len(marked(mark)) == 3, 10)  # the zygote, the baseline and its twin
            counted.append(event)
    assert counted
    assert isinstance(event, StudyEnded)
