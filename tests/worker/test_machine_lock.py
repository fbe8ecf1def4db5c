"""One study at a time on a machine, with real processes: who waits says for whom, and the dead hold nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from optkit.comparison import Comparison
from optkit.events import StudyEnded, Waiting
from optkit.investigation import Investigation
from optkit.machine_lock import VARIABLE, MachineLock, machine_lock
from optkit.study import Study
from optkit.worker.endings import StoppedError
from optkit.workload import Workload
from processes import wait_for

pytestmark = pytest.mark.worker
HOLDER = """
import sys
from optkit.machine_lock import machine_lock
with machine_lock():
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def lock_of_its_own(monkeypatch):
    monkeypatch.setenv(VARIABLE, f"test-{os.getpid()}-{time.monotonic_ns()}")


@pytest.fixture
def holder():
    """Return a process that holds the lock until it is told, or killed."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


def events_of(study, seen):
    thread = threading.Thread(target=lambda: seen.extend(iter_noting(study, seen)))
    thread.start()
    return thread


def iter_noting(study, seen):
    for event in study:
        seen.append(event)
    return ()


def test_whoever_comes_second_waits_and_says_for_whom(holder):
    seen = []
    thread = events_of(Study("tiny_cnn", ["eager+no_grad"], budget_s=3, rounds=(3, 3)), seen)
    wait_for(lambda: any(isinstance(event, Waiting) for event in seen))
    (waiting,) = [event for event in seen if isinstance(event, Waiting)]
    assert waiting.holder.startswith(f"process {holder.pid} (python")
    assert Comparison(seen).waits_for == waiting.holder
    time.sleep(1.5)
    assert isinstance(seen[-1], Waiting)
    holder.stdin.close()
    thread.join(120)
    comparison = Comparison(seen)
    assert comparison.waits_for is None
    assert isinstance(seen[-1], StudyEnded)
    assert comparison.baseline.rounds == 3
    assert [m.status for m in comparison.measurements.values()] == ["ok", "ok"]


def test_waiting_is_no_part_of_the_budget(holder):
    seen = []
    thread = events_of(Study("tiny_cnn", ["eager"], budget_s=30, rounds=(1, 1)), seen)
    wait_for(lambda: any(isinstance(event, Waiting) for event in seen))
    waited = time.monotonic()
    time.sleep(2)
    holder.stdin.close()
    began = next(event.at_s for event in seen if isinstance(event, Waiting))
    thread.join(120)
    after = seen[seen.index(next(event for event in seen if isinstance(event, Waiting))) + 1]
    assert after.at_s - began < time.monotonic() - waited - 1.5


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_dead_holder_holds_nothing(holder, number):
    with MachineLock() as lock:
        assert not lock.acquire()
        holder.send_signal(number)
        holder.wait(10)
        wait_for(lock.acquire, 5)


def test_a_study_that_waits_can_be_stopped(holder):
    seen = []
    study = Study("tiny_cnn", ["eager"], budget_s=3)
    thread = events_of(study, seen)
    wait_for(lambda: any(isinstance(event, Waiting) for event in seen))
    study.stop()
    thread.join(10)
    assert seen[-1].because == "stopped"


def test_a_question_waits_too_and_can_be_stopped(holder):
    told = []

    def tell(said):
        told.append(said)
        if said.startswith("waiting"):
            looking.stop()

    looking = Investigation(Workload("tiny_cnn"), tell=tell)
    with pytest.raises(StoppedError), looking:
        pass
    assert f"process {holder.pid} (python" in told[-1]


def test_what_a_holder_starts_does_not_keep_the_lock():
    with machine_lock():
        child = subprocess.Popen(["sleep", "1000"], close_fds=False)
    try:
        with MachineLock() as lock:
            assert lock.acquire()
    finally:
        child.kill()
        child.wait()


def test_many_may_wait_at_once_and_each_gets_its_turn():
    order = []

    def take(number):
        with machine_lock():
            order.append(number)
            time.sleep(0.01)

    with machine_lock():
        threads = [threading.Thread(target=take, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        time.sleep(1)
        assert order == []
    for thread in threads:
        thread.join(60)
    assert sorted(order) == list(range(8))


def test_another_name_is_another_lock(holder, monkeypatch):
    monkeypatch.setenv(VARIABLE, "another")
    with MachineLock() as lock:
        assert lock.acquire()
