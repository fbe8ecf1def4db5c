"""How busy the machine is."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from optkit import cgroup, machine
from optkit.machine import Monitor

SPIN = "while True: pass"


@pytest.fixture
def neighbour():
    process = subprocess.Popen([sys.executable, "-c", SPIN])
    yield process.pid
    process.kill()
    process.wait()


def used_by_others(monitor, seconds=1.5):
    monitor.read()
    time.sleep(seconds)
    return monitor.read()["others_cpus"]


def test_the_first_look_has_nothing_to_compare_with():
    told = Monitor().read()
    assert told["others_cpus"] is None
    assert told["visible_cpus"] == os.cpu_count()
    assert told["memory_available_bytes"] > 0
    assert told["load_1min"] >= 0


def test_a_busy_process_that_is_not_the_studys_is_seen(neighbour):
    assert used_by_others(Monitor()) > 0.2


def test_a_busy_process_of_the_study_is_not_another(neighbour, monkeypatch):
    used = iter([(10.0, 2), (11.5, 2)])  # the machine was busy for 1.5 s
    monkeypatch.setattr(machine, "_busy_s", lambda: next(used))
    own = iter([1.0, 2.5])  # and all of it was the study's
    monkeypatch.setattr(machine, "_own_s", lambda *_: next(own))
    assert used_by_others(Monitor((neighbour,)), 0.1) == 0.0


def test_the_time_of_a_whole_tree_is_counted(neighbour):
    before = machine._own_s((), (os.getpid(),))
    time.sleep(1.0)
    assert machine._own_s((), (os.getpid(),)) - before > 0.1
    assert machine._own_s((), (neighbour,)) < machine._own_s((), (os.getpid(),))


def test_two_looks_at_once_say_nothing():
    monitor = Monitor()
    monitor.read()
    assert monitor.read()["others_cpus"] is None


def test_where_the_system_tells_nothing_nothing_is_said(tmp_path, monkeypatch):
    for reader in (machine, cgroup):
        monkeypatch.setattr(reader, "Path", lambda path: tmp_path / str(path).lstrip("/"))
    told = Monitor().read()
    assert told["others_cpus"] is told["throttled_s"] is told["memory_available_bytes"] is None
    assert machine.private_bytes(1) == 0


def test_the_memory_of_a_tree_holds_that_of_its_root_and_of_its_children(neighbour):
    whole, child = machine.tree_bytes((os.getpid(),)), machine.tree_bytes((neighbour,))
    assert 10**5 < child < whole < 10**11
    assert machine.tree_bytes(()) is None


def test_the_memory_of_a_process_of_its_own_is_counted():
    assert 10**6 < machine.private_bytes(os.getpid()) < 10**11


def test_being_held_back_is_counted_from_the_beginning(monkeypatch):
    told = iter([5.0, 5.5])
    monkeypatch.setattr(cgroup, "throttled_s", lambda: next(told))
    assert Monitor().read()["throttled_s"] == 0.5
