"""The stopwatch: which calls are made, in what order, and which of them count. Its clock is set by hand."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optkit.worker import timing
from optkit.worker.session import Session
from optkit.worker.timing import Stopwatch, block_calls

MS = 1_000_000


class Bench:
    """A callable whose calls take a given time on a clock that nothing else moves."""

    def __init__(self, monkeypatch, *takes_ns, batches=1, kwargs=False, device_ns=0):
        self.now = 0
        self.takes = takes_ns
        self.seen: list = []
        self.device_ns = device_ns
        self.synchronized = 0
        monkeypatch.setattr(timing, "perf_counter_ns", lambda: self.now)
        arguments = [((), {"x": i}) if kwargs else ((i,), {}) for i in range(batches)]
        self.watch = Stopwatch(self, tuple(arguments), self.synchronize if device_ns else None)

    def __call__(self, x):
        self.now += self.takes[min(len(self.seen), len(self.takes) - 1)]
        self.seen.append(x)

    def synchronize(self):
        self.now += self.device_ns
        self.synchronized += 1


@pytest.fixture
def bench(monkeypatch):
    return lambda *takes, **how: Bench(monkeypatch, *takes, **how)


@pytest.mark.parametrize("kwargs", [False, True])
def test_batches_are_visited_in_turn_whatever_the_calls_are_for(bench, kwargs):
    made = bench(MS, batches=3, kwargs=kwargs)
    made.watch.one()
    made.watch.discard(2, 0.0)
    made.watch.block(4)
    made.watch.try_out()
    made.watch.take(5, 0.0)
    assert made.seen == [i % 3 for i in range(len(made.seen))]
    assert made.watch.calls == len(made.seen)


@given(batches=st.integers(2, 7), calls=st.integers(1, 20), before=st.integers(0, 9))
def test_with_several_batches_every_sample_is_whole_passes_over_them(batches, calls, before):
    with pytest.MonkeyPatch.context() as patch:
        made = Bench(patch, MS, batches=batches)
        for _ in range(before):
            made.watch.one()
        made.watch.sample_calls(calls)
        made.watch.discard(2, 0.0)
        start = made.watch.calls
        samples = made.watch.take(10, 0.0)
    assert start % batches == 0
    assert made.watch.calls_per_sample >= calls
    assert made.watch.calls_per_sample % batches == 0
    assert samples == [made.watch.calls_per_sample * MS] * len(samples)


def test_every_batch_is_called_before_any_is_timed(bench):
    made = bench(*[1000 * MS] * 3, MS, batches=3)  # the first pass compiles
    assert made.watch.try_out() == MS


@pytest.mark.parametrize("how", [{}, {"kwargs": True}, {"batches": 2}, {"device_ns": 3}])
def test_a_block_times_all_its_calls_together(bench, how):
    made = bench(10, **how)
    assert made.watch.block(7) == 7 * (10 + how.get("device_ns", 0))
    assert made.watch.calls == len(made.seen) == 7


def test_one_call_is_timed_with_its_synchronisation(bench):
    made = bench(10, device_ns=5)
    assert [made.watch.one(), made.watch.one()] == [15, 15]
    assert made.synchronized == 2


def test_each_call_of_a_block_is_synchronised(bench):
    made = bench(10, device_ns=5)
    made.watch.block(4)
    assert made.synchronized == 4


@pytest.mark.parametrize(("takes_ns", "calls"), [(99_999, 101), (10_000, 1000), (1, 10 * MS), (0, 10 * MS)])
def test_a_block_is_at_least_10_milliseconds_long(takes_ns, calls):
    assert block_calls(takes_ns) == calls


def test_one_slow_call_does_not_decide_what_is_typical(bench):
    assert bench(40 * MS, 1000).watch.try_out() == 1000


@pytest.mark.parametrize(("takes_ns", "trials"), [(1000, 20), (10 * MS, 5), (60 * MS, 3), (2000 * MS, 3)])
def test_trying_out_costs_3_to_20_calls(bench, takes_ns, trials):
    made = bench(takes_ns)
    made.watch.try_out()
    assert len(made.seen) == trials


def test_discarded_calls_are_counted_and_not_returned(bench):
    made = bench(MS)
    made.watch.discard(2, 0.0205)
    assert made.watch.calls == 21
    assert made.watch.take(3, 0.0) == [MS] * 3


def test_at_least_so_many_calls_are_discarded_however_long_they_take(bench):
    made = bench(1000 * MS)
    made.watch.discard(2, 0.02)
    assert made.watch.calls == 2


@given(
    takes=st.integers(MS // 10, 50 * MS),
    least_calls=st.integers(0, 30),
    least_ms=st.integers(0, 200),
    block=st.integers(1, 20),
)
def test_a_turn_takes_just_enough_samples_for_both_limits(takes, least_calls, least_ms, block):
    with pytest.MonkeyPatch.context() as patch:
        made = Bench(patch, takes)
        made.watch.calls_per_sample = block
        samples = made.watch.take(least_calls, least_ms / 1000)
    assert samples == [block * takes] * len(samples)
    assert made.watch.calls == block * len(samples)
    both = made.watch.calls >= least_calls and sum(samples) >= least_ms * MS
    fewer = len(samples) - 1
    assert both
    assert fewer < 0 or fewer * block < least_calls or fewer * block * takes < least_ms * MS


def test_the_real_clock_is_the_default():
    assert Stopwatch(lambda: sum(range(1000)), (((), {}),)).one() > 0


def test_a_block_is_as_long_as_undisturbed_calls_need_even_where_the_first_few_were_all_disturbed(bench):
    disturbed = bench(*[20 * MS] * 25, *[MS // 20] * 10_000)  # 20 ms each while something else runs, then 50 µs
    session = Session(-1, -1)
    session.watch, session.variant = disturbed.watch, SimpleNamespace(engine=SimpleNamespace(lingers_s=0.0))
    settled = session.do_settle(limit_s=5.0, least_calls=40)
    assert settled["is_short"]
    turn = session.do_turn(in_blocks=True, least_calls=10, least_s=0.1, discard_calls=2, discard_s=0.0)
    assert turn["calls_per_sample"] == 200
