"""Sweeps on a real LocalCluster: nodes that are lost, callers that are gone, and rows as in a serial sweep."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
import torch

import optkit
from optkit.errors import UsageError
from optkit.store import Store
from optkit.sweeps import Sweep, job
from optkit.sweeps import cluster as cluster_module
from optkit.sweeps.cluster import _missing_is_told as missing_is_told
from optkit.sweeps.sweeping import collect
from optkit.workload import Workload
from stub_studies import Slow, always_deadly, brief, deadly, noted, quick, refusing

distributed = pytest.importorskip("distributed")
pytestmark = [
    pytest.mark.worker,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # of what a killed worker leaves open
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:Port .* is already in use:UserWarning"),
]
VARIANTS = ["compile", "onnxruntime"]


@pytest.fixture
def client(begun):
    """Return a client of two workers, each in a process of its own, which is started anew when it is killed."""
    with cluster(2) as local, distributed.Client(local) as one:
        yield one


def cluster(count, **given):
    given = {"resources": {"optkit": 1}} | given
    return distributed.LocalCluster(
        n_workers=count, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50, **given
    )


def sizes(*batches):
    return [Workload("tiny_cnn", batch_size=size) for size in batches]


def run(workloads, client=None, variants=VARIANTS, **given):
    return collect(Sweep(workloads, variants, client, **given))


def rows(found):
    """Return what does not depend on when and where it was measured."""
    return found.to_frame().drop(columns="run_id").to_dict("records")


def test_a_cluster_gives_the_rows_of_a_serial_sweep_and_keeps_every_run(client, begun):
    here = run(sizes(*range(1, 9)), make=quick)
    there = run(sizes(*range(1, 9)), client, make=quick, again=True)
    assert str(rows(here)) == str(rows(there))
    assert len(set(there.nodes.values())) == 2
    assert len(optkit.history()) == 16


def test_events_are_told_while_the_study_still_runs(client, begun):
    sweep = Sweep(sizes(1), VARIANTS, client, make=Slow)
    for told in sweep:
        if told.kind == "event":
            assert told.node.startswith("tcp://")
            sweep.stop()
    assert sweep.result.state(0) == "stopped"


def test_a_study_whose_node_is_killed_is_measured_on_another_and_none_twice(client, begun):
    told = []
    sweep = Sweep(sizes(*range(1, 9)), VARIANTS, client, make=deadly)
    told.extend(sweep)
    found = sweep.result
    assert found.lost == 1
    assert [found.state(number) for number in range(8)] == ["done"] * 8
    assert len(found.to_frame()) == 24
    assert [one.number for one in told if one.kind == "lost"] == [2]
    ends = optkit.history()["ended_because"].tolist()
    assert sorted(ends) == ["interrupted"] + ["rounds"] * 8
    assert len(list(begun.iterdir())) == 9, "one of eight begins twice"


def test_a_study_that_kills_each_node_is_told_and_the_rest_goes_on(client, begun):
    found = run(sizes(*range(1, 9)), client, make=always_deadly)
    assert list(found.refused) == [2]
    assert "was lost" in found.refused[2]
    assert found.count("done") == 7, "those that waited on the same nodes are not to blame"
    assert len(list(begun.iterdir())) == 7, "and none is measured twice"


def test_what_a_node_refuses_is_told_with_its_reason(client, begun):
    found = run(sizes(1, 2), client, make=refusing)
    assert found.refused == {1: "It needs a machine that is not here."}


def test_what_is_known_is_not_measured_again_on_the_cluster(client, begun):
    run(sizes(1, 2), make=noted)
    assert run(sizes(1, 2, 4), client, make=noted).known == {0, 1}
    assert len(list(begun.iterdir())) == 3


def test_a_cluster_whose_workers_offer_nothing_is_refused_with_what_to_do(begun):
    with (
        cluster(1, resources={}) as local,
        distributed.Client(local) as one,
        pytest.raises(UsageError, match="--resources optkit=1"),
    ):
        run(sizes(1), one, make=quick)


def test_a_node_without_optkit_is_told_in_a_sentence():
    with (
        pytest.raises(UsageError, match="A worker of this cluster has no optkit; install optkit there"),
        missing_is_told("A worker"),
    ):
        raise Exception("ModuleNotFoundError(\"No module named 'optkit'\")")  # noqa: TRY002 - as dask does


def test_a_cluster_without_a_worker_is_waited_for_and_one_that_comes_late_measures(begun):
    with cluster(0) as local, distributed.Client(local) as one:
        told = iter(Sweep(sizes(1), VARIANTS, one, make=quick))
        assert next(told).said == "Waiting for a worker that offers optkit=1."
        local.scale(1)
        assert type(list(told)[-1].event).__name__ == "StudyEnded"


def test_a_model_of_ones_own_travels_to_the_node(client, begun):
    workload = Workload(torch.nn.Linear(4, 4), torch.ones(2, 4))
    found = optkit.sweep([workload], ["eager+no_grad"], client, budget_s=20, rounds=(1, 2))
    assert set(found.to_frame()["status"]) == {"ok"}
    assert found.to_frame()["median_s"].gt(0).all()
    here = optkit.sweep([workload], ["eager+no_grad"], budget_s=20, rounds=(1, 2), again=True)
    threads = {one.comparisons[0].measurements["eager"].threads for one in (found, here)}
    assert len(threads) == 1, "dask's workers have OMP_NUM_THREADS=1, and a study must not"


def test_a_study_is_not_handed_out_for_ever(client, begun):
    nodes = Sweep(sizes(1), VARIANTS, client, make=quick).nodes
    lost = SimpleNamespace(cancelled=lambda: False, exception=type("KilledWorker", (Exception,), {}))
    answers = []
    for number in range(cluster_module.MOST_SUBMISSIONS + 1):
        nodes._submissions[0] = number
        answers.append(nodes._is_innocent(0, lost))
    assert answers == [True] * cluster_module.MOST_SUBMISSIONS + [False]
    nodes._submissions[0] = 1
    nodes.stop()
    assert not nodes._is_innocent(0, lost)


def test_a_module_that_is_another_one_on_the_node_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "own_module_of_a_sweep.py"
    monkeypatch.syspath_prepend(tmp_path)
    path.write_text("import torch\n\n\ndef build():\n    return torch.nn.Linear(4, 4)\n")
    packed = job.pack(Workload(importlib.import_module("own_module_of_a_sweep").build, torch.ones(2, 4)))
    asked = job.Job("", 0, "", packed.record, packed.spec, b"", {}, None, packed.sources)
    asked.check_sources()
    path.write_text(path.read_text().replace("4, 4", "4, 5"))
    with pytest.raises(UsageError, match="own_module_of_a_sweep is another one on the node"):
        asked.check_sources()


CALLER = """
import sys, distributed, stub_studies, optkit
from optkit.sweeps import Sweep
from optkit.workload import Workload

if __name__ == "__main__":
    with distributed.Client(sys.argv[1]) as client:
        sweep = Sweep([Workload("tiny_cnn", batch_size=n) for n in range(1, 9)], ["compile"], client, make=getattr(stub_studies, sys.argv[2]))
        for told in sweep:
            if told.event is not None and sweep.result.count("done") >= 3:
                print("three", flush=True)
        print(len(sweep.result.known), sweep.result.count("done"), flush=True)
"""  # noqa: E501


def start(program, address, study):
    path = os.pathsep.join(entry for entry in sys.path if entry)
    return subprocess.Popen(
        [sys.executable, str(program), address, study],
        env=os.environ | {"PYTHONPATH": path},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_caller_that_is_killed_finishes_only_the_rest_when_it_is_run_again(client, begun, tmp_path):
    program = tmp_path / "caller.py"
    program.write_text(CALLER)
    first = start(program, client.scheduler.address, brief.__name__)
    assert first.stdout.readline() == "three\n"
    first.send_signal(signal.SIGKILL)
    first.wait()
    first.stdout.close()
    with Store() as store:
        kept = [one for one in store.runs() if store.events(one.run_id)[-1].__class__.__name__ == "StudyEnded"]
    second = start(program, client.scheduler.address, brief.__name__)
    said, _ = second.communicate(timeout=120)
    assert said.splitlines()[-1] == f"{len(kept)} 8"
    assert 3 <= len(kept) < 8


def test_a_study_whose_caller_is_gone_does_not_hold_its_node(client, begun, tmp_path):
    program = tmp_path / "caller.py"
    program.write_text(CALLER)
    first = start(program, client.scheduler.address, Slow.__name__)
    while len(list(begun.iterdir())) < 2:
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    first.wait()
    first.stdout.close()
    began = time.monotonic()
    found = run(sizes(1, 2), client, make=quick)
    assert found.count("done") == 2
    assert time.monotonic() - began < 30, "the nodes were held by studies of 60 s"
