"""Questions that are interrupted, or that cannot even begin, with real workers: nothing known is lost, nothing held."""

from __future__ import annotations

import signal
import threading

import pytest
import torch
from torch import nn

from optkit import replay_items
from optkit.errors import UsageError
from optkit.investigation import Investigation, StoppedError
from optkit.replay import STOPPED, call_each, replay_shapes
from optkit.startups import start_each_way, startup_matrix
from optkit.variant import BASELINE
from optkit.workload import Workload, workload_from

pytestmark = pytest.mark.worker
X = torch.ones(2, 4)


def stopping_at(said):
    """Return an investigation that is stopped when it tells this, and the list of all that it told."""
    told = []

    def tell(doing):
        told.append(doing)
        if said in doing:
            looking.stop()

    looking = Investigation(Workload("tiny_cnn"), tell=tell)
    return looking, told


def test_a_replay_that_is_stopped_keeps_the_variants_that_were_replayed():
    looking, told = stopping_at("dynamic=true")
    ways = ["compile:backend=eager", "compile:backend=eager,dynamic=true", "compile:backend=eager,dynamic=false"]
    replay = call_each(looking, replay_items.read([1, 2]), ways)
    assert replay.stopped
    assert replay.variants == ["eager", ways[0]]
    assert replay.failed == dict.fromkeys(ways[1:], STOPPED)
    assert "eager: calling it" in told
    assert STOPPED in str(replay)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_keeps_the_starts_that_were_made():
    def tell(doing):
        if "torchscript" in doing:
            signal.raise_signal(signal.SIGINT)

    matrix = startup_matrix("tiny_cnn", variants=["eager", "torchscript"], tell=tell)
    assert matrix.stopped
    assert [(row.variant, row.status) for row in matrix.rows] == [("eager", "ok")]
    assert "It was stopped" in str(matrix)


def test_a_start_that_is_stopped_ends_its_process_at_once():
    looking, _ = stopping_at("compile: cold")
    matrix = start_each_way(looking, ["eager", "compile"])
    assert matrix.stopped
    assert [row.variant for row in matrix.rows] == ["eager"]


def test_what_is_stopped_before_anything_is_known_has_no_answer():
    looking, _ = stopping_at("importing torch")
    with pytest.raises(StoppedError):
        call_each(looking, replay_items.read([1]))


def test_a_model_that_cannot_be_packed_leaves_no_lock_and_no_folder(tmp_path, monkeypatch):
    class Holds(nn.Module):
        def __init__(self):
            super().__init__()
            self.held = threading.Lock()

        def forward(self, x):
            return x

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    with pytest.raises(UsageError):
        replay_shapes(Holds(), [1], inputs=X)
    assert list(tmp_path.iterdir()) == []
    with Investigation(Workload("tiny_cnn")) as looking:  # it would say that another study is running
        assert looking.worker(BASELINE, until="build").pid


def test_what_is_given_beside_a_workload_is_refused():
    whole = Workload("tiny_cnn")
    assert workload_from(whole, batch_size=1, device=None) is whole
    for given in ({"inputs": X}, {"batch_size": 4}, {"device": "cpu"}):
        with pytest.raises(UsageError, match="give them there"):
            workload_from(whole, **given)
