"""Faults that are no variant's: full disks, clocks that jump, caches that rot, what cannot be sent to a worker."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time

import cloudpickle
import pytest
import torch
from torch import nn

import optkit
from optkit import crew
from optkit.comparison import Comparison
from optkit.engines import Compile
from optkit.errors import OptkitError, WorkloadError
from optkit.events import Event, PhaseBegan, StudyEnded
from optkit.study import Study, collect

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers must not need this file

pytestmark = pytest.mark.worker


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    monkeypatch.setattr(crew, "SETTLE_SHARE", 0.0)


class Unsendable:
    """A backend that cannot be pickled, or not be read back."""

    __name__ = "unsendable"

    def __init__(self, where):
        self.where = where

    def __getstate__(self):
        if self.where == "dumps":
            raise RuntimeError("I stay here")
        return self.__dict__

    def __setstate__(self, state):
        raise RuntimeError("I do not wake up")

    def __call__(self, graph, example_inputs):
        return graph.forward


@pytest.mark.parametrize(
    ("where", "said"),
    [
        pytest.param("dumps", "I stay here", marks=pytest.mark.slow),
        pytest.param("loads", "I do not wake up", marks=pytest.mark.slow),
    ],
)
def test_a_variant_that_cannot_be_sent_is_a_row_and_the_others_go_on(where, said):
    study = Study("tiny_cnn", [Compile(backend=Unsendable(where)), "eager+no_grad"], budget_s=60, rounds=(3, 3))
    comparison = collect(study)
    broken, healthy = comparison.measurements["compile:backend=unsendable()"], comparison.measurements["eager+no_grad"]
    assert (broken.status, broken.failed_phase) == ("failed", "build")
    assert said in broken.reason
    assert (healthy.status, healthy.rounds) == ("ok", 3)


class Locked(nn.Module):
    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()

    def forward(self, x):
        return x


def test_a_model_that_cannot_be_sent_is_one_sentence_and_no_run():
    before = len(optkit.history())
    with pytest.raises(WorkloadError, match="Locked"):
        optkit.compare(Locked(), torch.ones(2), variants=["eager"], budget_s=5)
    assert len(optkit.history()) == before


@pytest.mark.parametrize("answer", [0, pytest.param(-5, marks=pytest.mark.slow)])
def test_a_clock_that_stands_still_or_goes_backwards_is_a_failed_row(answer, monkeypatch):
    """The model's code can reach the clock of its worker."""

    def backend(graph, example_inputs):
        from optkit.worker import timing

        timing.perf_counter_ns = lambda: answer
        return graph.forward

    study = Study("tiny_cnn", [Compile(backend=backend), "eager+no_grad"], budget_s=60, rounds=(3, 3))
    comparison = collect(study)
    broken = comparison.measurements["compile:backend=backend()"]
    assert broken.status == "failed"
    assert "clock of its process" in broken.reason
    assert comparison.measurements["eager+no_grad"].rounds == 3


@pytest.mark.slow
@pytest.mark.parametrize("days", [1, pytest.param(-1, marks=pytest.mark.slow)])
def test_a_wall_clock_that_jumps_by_a_day_changes_no_number(days, monkeypatch):
    real, jumped = time.time, []
    monkeypatch.setattr(time, "time", lambda: real() + (days * 86_400 if jumped else 0))
    events = []
    for event in Study("tiny_cnn", ["eager+no_grad"], budget_s=200, rounds=(4, 4)):
        events.append(event)
        if isinstance(event, PhaseBegan) and (event.phase, event.round_number) == ("rounds", 2):
            jumped.append(event)
    assert jumped
    times = [event.at_s for event in events]
    assert times == sorted(times)
    assert times[-1] < 600
    assert Comparison(events).measurements["eager+no_grad"].rounds == 4
    assert optkit.load(events[0].run_id).to_json() == Comparison(events).to_json()


FULL = """
import json, os, sys
from pathlib import Path
import optkit
from optkit import crew
crew.SETTLE_SHARE = 0.0

home = Path(os.environ["OPTKIT_HOME"])
filler = home / "filler"
room = os.statvfs(home)
optkit.history()  # the file is there before the disk is full
file = os.open(filler, os.O_WRONLY | os.O_CREAT)
try:
    while True:
        os.write(file, bytes(4096))
except OSError:
    os.close(file)
comparison = optkit.compare("tiny_cnn", variants=["eager+no_grad"], budget_s=60, rounds=(3, 3))
told = {"reason": comparison.not_kept, "rounds": [m.rounds for m in comparison.measurements.values()]}
filler.unlink()
again = optkit.compare("tiny_cnn", variants=["eager+no_grad"], budget_s=60, rounds=(3, 3))
told |= {"again": again.not_kept, "loaded": optkit.load().to_json() == again.to_json(), "runs": len(optkit.history())}
print(json.dumps(told))
"""
NO_ROOM = """
import json, os, sys, tempfile
import torch
from torch import nn
import optkit
from optkit import crew
from optkit.engines import Compile
crew.SETTLE_SHARE = 0.0

def backend(graph, example_inputs):
    with tempfile.TemporaryFile() as file:
        file.write(bytes(64 * 2**20))
    return graph.forward

backend.__module__ = "__main__"
variants = [Compile(backend=backend), "eager+no_grad"]
comparison = optkit.compare("tiny_cnn", variants=variants, budget_s=60, rounds=(3, 3))
told = {str(m): [m.status, m.rounds, m.reason] for m in comparison.measurements.values()}
try:
    optkit.compare(nn.Linear(4000, 4000), torch.ones(1, 4000), variants=["eager"], budget_s=5)
except optkit.OptkitError as error:
    told["large"] = str(error)
told["left"] = os.listdir(os.environ["TMPDIR"])
print(json.dumps(told))
"""


def on_small_disk(tmp_path, program, variable, size):
    """Run a program for which a variable names a folder on a disk of this size; return what it told."""
    disk = tmp_path / "disk"
    disk.mkdir()
    script = tmp_path / "program.py"
    script.write_text(program)
    if not shutil.which("unshare") or subprocess.run(["unshare", "-rm", "true"], check=False).returncode:
        pytest.skip("No file systems can be mounted here.")
    mount = f'mount -t tmpfs -o size={size},mode=700 tmpfs "{disk}" && exec "{sys.executable}" "{script}"'
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), variable: str(disk)}
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", mount], env=environ, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_a_full_disk_of_the_history_costs_no_number_and_is_told(tmp_path):
    told = on_small_disk(tmp_path, FULL, "OPTKIT_HOME", "12m")
    assert "full" in told["reason"]
    assert told["rounds"] == [3, 3]
    assert (told["again"], told["loaded"]) == (None, True)


@pytest.mark.slow
def test_a_full_disk_of_temporary_files_is_a_row_or_a_sentence_and_leaves_nothing(tmp_path):
    told = on_small_disk(tmp_path, NO_ROOM, "TMPDIR", "24m")
    assert told["compile:backend=backend()"][0] == "failed"
    assert "No space left" in told["compile:backend=backend()"][2]
    assert told["eager+no_grad"][:2] == ["ok", 3]
    assert "no space is left in" in told["large"]
    assert told["left"] == []


@pytest.mark.slow
@pytest.mark.parametrize("how", ["cut", "flipped", "emptied", "gone"])
def test_a_compile_cache_that_rots_before_the_warm_start_costs_no_other_number(how):
    study = Study("tiny_cnn", ["compile"], budget_s=60, rounds=(3, 3), warm=True)
    events: list[Event] = []
    for event in study:
        events.append(event)
        if isinstance(event, PhaseBegan) and (event.variant, event.phase) == ("compile", "warm_start"):
            member = next(one for one in study._run.members if str(one.variant) == "compile")
            for path in [one for one in member.worker.cache.rglob("*") if one.is_file()]:
                spoil(path, how)
    comparison = Comparison(events)
    measurement = comparison.measurements["compile"]
    assert isinstance(events[-1], StudyEnded)
    assert (measurement.status, measurement.rounds, measurement.agreement) in (("ok", 3, "equal"), ("ok", 3, "close"))
    assert measurement.warm is not None or "starting again with a warm cache failed" in measurement.reason.lower()


def spoil(path, how):
    data = path.read_bytes()
    if how == "gone":
        path.unlink()
    elif how == "flipped":
        path.write_bytes(bytes(byte ^ 0xFF for byte in data[:4096]) + data[4096:])
    else:
        path.write_bytes(data[: len(data) // 2 if how == "cut" else 0])


def test_a_full_disk_while_exporting_runs_is_a_sentence(tmp_path):
    optkit.compare("tiny_cnn", variants=["eager"], budget_s=5, rounds=(1, 1))
    with pytest.raises(OptkitError, match="/dev/full"):
        optkit.export_runs("/dev/full")
