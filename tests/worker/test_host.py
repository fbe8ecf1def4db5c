"""The process boundary, with real workers: what they inherit, how they end, and that nothing is left."""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import stat
import sys
import threading
import time
from pathlib import Path

import cloudpickle
import pytest

from optkit.environment import is_scrubbed
from optkit.errors import WorkerError
from optkit.variant import Variant
from optkit.worker.endings import TAIL_BYTES, StoppedError, Tail, WorkerFailedError, exit_sentence
from optkit.worker.host import Host, Worker
from optkit.workload import Workload
from processes import marked, wait_for

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers must not need this file


def test_a_tail_keeps_the_last_bytes_and_says_how_many_came_before():
    tail = Tail()
    assert str(tail) == ""
    for number in range(20_000):
        tail.add(f"line {number}\n".encode())
    text = str(tail)
    assert text.endswith("line 19999")
    assert len(text) < TAIL_BYTES + 100
    first, _, rest = text.partition("\n")
    assert first == f"[{tail.dropped} bytes before this]"
    assert tail.dropped + TAIL_BYTES == sum(len(f"line {number}\n") for number in range(20_000))
    assert rest


@pytest.mark.parametrize(
    ("status", "said"),
    [(0, "exit status 0"), (3, "exit status 3"), (-9, "SIGKILL. Something killed it"), (-11, "SIGSEGV. Native code"),
     (-6, "SIGABRT"), (-99, "signal 99")],
)  # fmt: skip
def test_how_a_worker_ended_is_said_in_words(status, said):
    assert said in exit_sentence(status)


def test_a_torch_that_does_not_import_is_an_error_with_what_it_printed(tmp_path, monkeypatch):
    (tmp_path / "torch.py").write_text("raise ImportError('this torch is broken')")
    monkeypatch.syspath_prepend(tmp_path)
    with Host() as host, pytest.raises(WorkerError, match=r"(?s)ended or hung.*this torch is broken"):
        host.start()
    assert not host.folder.exists()


def test_a_host_that_never_started_closes_and_may_be_stopped_and_closed_again():
    host = Host()
    host.close()
    host.stop()
    host.close()
    assert not host.folder.exists()


@pytest.mark.timeout(30)
def test_the_end_of_a_worker_and_its_last_words_may_arrive_in_any_order():
    with Host() as host:
        host._selector.unregister(host._control)
        host._control.close()
        host._control, zygote = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        host._selector.register(host._control, selectors.EVENT_READ, host._on_control)
        output, printing = os.pipe()
        worker = Worker(host, 10**9, os.open(os.devnull, os.O_WRONLY), host.folder)
        host.workers.append(worker)
        host._watch_output(output, worker.tail)
        zygote.send(json.dumps({"exited": worker.pid, "status": 5}).encode())
        os.write(printing, b"last words")  # a grandchild holds the pipe open: reading it once more would block
        with pytest.raises(WorkerFailedError, match="exit status 5") as caught:
            worker.ask({"do": "first_call"}, 10)
        assert caught.value.details == "last words"
        os.close(printing)
        zygote.close()


@pytest.fixture(scope="module")
def host(mark, private, disabled):
    with Host() as started:
        modules = started.start()
        assert set(modules) == {"torch", "torch._dynamo", "torch._inductor.compile_fx"}
        yield started


def build(host, model, inputs=((),), **how):
    """Fork a worker, let it build `model`, and return it."""
    worker = host.fork("eager")
    spec = Workload(model, *inputs, **how).pack(worker.folder)
    path = worker.folder / "variant"
    path.write_bytes(cloudpickle.dumps(Variant()))
    worker.ask({"do": "build", "workload": spec, "variant": str(path), "device": "cpu"}, 60)
    worker.ask({"do": "prepare"}, 60)
    return worker


def printed(host, function):
    """Return what `function` returned in a worker, through its standard output."""

    def model():
        print(f"BEGIN{json.dumps(function())}END")
        return len

    worker = build(
        host,
        model,
        (
            [
                (),
            ],
        ),
    )
    assert host.wait(lambda: str(worker.tail).endswith("END"), 60)
    return worker, json.loads(str(worker.tail).partition("BEGIN")[2].removesuffix("END"))


def look_around():
    def link(descriptor):
        try:
            return str(descriptor.readlink())
        except OSError:  # the descriptor with which the folder was listed
            return ""

    return {
        "pid": os.getpid(),
        "session": os.getsid(0),
        "group": os.getpgid(0),
        "environ": {name: os.environ[name] for name in os.environ if name.startswith(("TORCH", "TRITON", "TMP"))},
        "stdin": sys.stdin.read(),
        "pipes": [link(fd) for fd in Path("/proc/self/fd").iterdir() if link(fd).startswith(("pipe:", "socket:"))],
        "cwd": str(Path.cwd()),
        "path": sys.path,
    }


@pytest.fixture(scope="module")
def seen(host):
    """Return what two workers of one host saw of themselves."""
    return [printed(host, look_around) for _ in range(2)]


@pytest.mark.worker
def test_each_worker_is_a_session_and_a_process_group_of_its_own(seen):
    for worker, found in seen:
        assert found["pid"] == found["session"] == found["group"] == worker.pid


@pytest.mark.worker
def test_variables_that_change_what_is_compiled_are_not_inherited(seen):
    for worker, found in seen:
        inherited = {name for name in found["environ"] if is_scrubbed(name)}
        assert inherited == {"TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR"}
        assert found["environ"]["TORCHINDUCTOR_CACHE_DIR"] == str(worker.cache)
        assert found["environ"]["TMPDIR"].startswith(str(worker.folder))


@pytest.mark.worker
def test_workers_share_no_pipe_and_have_no_input(seen):
    (_, one), (_, other) = seen
    assert len(one["pipes"]) >= 3
    assert set(one["pipes"]) & set(other["pipes"]) == set()
    assert one["stdin"] == ""


@pytest.mark.worker
def test_workers_stand_where_the_parent_stands(seen):
    assert seen[0][1]["cwd"] == str(Path.cwd())
    assert seen[0][1]["path"] == [str(Path(entry).absolute()) for entry in sys.path]


@pytest.mark.worker
def test_private_folders_are_for_this_user_only(host, private):
    assert host.folder.parent == private
    assert stat.S_IMODE(host.folder.stat().st_mode) == 0o700
    worker = host.fork("eager")
    assert worker.folder.parent == host.folder


@pytest.mark.worker
def test_the_cache_of_a_worker_outlives_it_and_is_copied_for_later_ones(host):
    first = host.fork("eager")
    (first.cache / "learnt").write_text("avx2")
    first.end()
    worker = host.fork("compile", first.cache)
    assert (worker.cache / "learnt").read_text() == "avx2"
    assert worker.cache != first.cache


def counting():
    """Build a model that only accepts its two batches in turn, the first by position and the second by keyword."""
    calls = []

    def model(*args, **kwargs):
        calls.append(1)
        expected = ((1, 2), {}) if len(calls) % 2 else ((), {"x": 3})
        assert (args, kwargs) == expected, "a batch was left out"

    return lambda: model


@pytest.mark.worker
def test_several_batches_are_visited_in_turn_through_every_phase(host):
    worker = build(host, counting(), ([(1, 2), {"x": 3}],))
    assert worker.ask({"do": "first_call"}, 60)["duration_ns"] > 0
    early = worker.ask({"do": "early_calls"}, 60)
    assert (early["first_call"], early["calls_per_sample"], len(early["durations_ns"])) == (2, 1, 2)
    settled = worker.ask({"do": "settle", "limit_s": 0.0, "least_calls": 20}, 60)
    turn = {"do": "turn", "least_calls": 10, "least_s": 0.0, "discard_calls": 2, "discard_s": 0.0}
    turn["in_blocks"] = settled["is_short"]
    first, second = worker.ask(turn, 60), worker.ask(turn, 60)
    spans = [settled, first, second]
    ends = [span["first_call"] + len(span["durations_ns"]) * span["calls_per_sample"] for span in spans]
    assert settled["first_call"] > 3
    assert first["first_call"] == ends[0] + 2  # two calls were discarded
    assert second["first_call"] == ends[1] + 2
    assert len(first["durations_ns"]) * first["calls_per_sample"] >= 10


@pytest.mark.worker
def test_another_method_than_forward_can_be_measured(host):
    def make():
        class Model:
            def generate(self, x):
                print(f"generated {x}")

        return Model()

    worker = build(host, make, ((7,),), call="generate")
    worker.ask({"do": "first_call"}, 60)
    assert host.wait(lambda: "generated 7" in str(worker.tail), 60)


def endlessly():
    return lambda: time.sleep(1000)


@pytest.mark.worker
def test_a_model_that_raises_is_told_with_its_traceback_and_the_worker_lives_on(host):
    def explode():
        print("about to explode")
        raise ValueError("bang " * 4000)

    worker = build(host, lambda: explode)
    for _ in range(2):
        with pytest.raises(WorkerFailedError) as caught:
            worker.ask({"do": "first_call"}, 60)
        assert caught.value.raised
        assert caught.value.reason.startswith("ValueError: bang bang")
        assert len(caught.value.reason) < 500
        assert "in explode" in caught.value.details
        assert "about to explode" in caught.value.details
        assert len(caught.value.details) < 50_000
    assert worker.exit_status is None


@pytest.mark.worker
def test_a_worker_killed_from_outside_is_told_and_the_others_live_on(host):
    victim, other = build(host, endlessly), build(host, lambda: len, ((b"",),))
    timer = threading.Timer(0.3, os.kill, (victim.pid, signal.SIGKILL))
    timer.start()
    with pytest.raises(WorkerFailedError) as caught:
        victim.ask({"do": "first_call"}, 60)
    assert "SIGKILL" in caught.value.reason
    assert not caught.value.raised
    assert other.ask({"do": "first_call"}, 60)["duration_ns"] > 0
    with pytest.raises(WorkerFailedError, match="SIGKILL"):  # asking again is told the same
        victim.ask({"do": "first_call"}, 60)


@pytest.mark.worker
def test_a_worker_that_does_not_answer_in_time_is_ended(host):
    worker = build(host, endlessly)
    with pytest.raises(WorkerFailedError, match="No answer within 1 s, so it was ended"):
        worker.ask({"do": "first_call"}, 1)
    assert worker.exit_status == -signal.SIGKILL


@pytest.mark.worker
def test_one_worker_may_print_without_end_while_another_ends(host):
    def noisy():
        def shout():
            while True:
                os.write(1, b"x" * 50_000)

        threading.Thread(target=shout, daemon=True).start()
        return len

    build(host, noisy, ((b"",),))
    for _ in range(5):
        worker = build(host, lambda: os._exit, ((3,),))
        with pytest.raises(WorkerFailedError, match="exit status 3"):
            worker.ask({"do": "first_call"}, 60)
    host.workers[-6].end()


@pytest.mark.worker
def test_without_its_zygote_a_host_says_that_its_workers_are_gone_and_leaves_nothing(mark, private):
    before = set(marked(mark))
    with Host() as host:
        host.start()
        worker = build(host, endlessly)
        threading.Timer(0.3, host._zygote.kill).start()
        with pytest.raises(WorkerFailedError, match="SIGKILL"):
            worker.ask({"do": "first_call"}, 60)
        with pytest.raises(WorkerError, match="ended or hung"):
            host.fork("eager")
    wait_for(lambda: set(marked(mark)) <= before, 10)


@pytest.mark.worker
def test_stop_from_another_thread_ends_whatever_was_waiting(mark, private):
    with Host() as host:
        host.start()
        worker = build(host, endlessly)
        threading.Timer(0.3, host.stop).start()
        with pytest.raises(StoppedError):
            worker.ask({"do": "first_call"}, 60)
    assert not host.folder.exists()
