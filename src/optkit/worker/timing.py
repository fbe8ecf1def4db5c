"""The timing code. Small on purpose: whatever runs between two readings of the clock is in every number.

Calls of 100 µs and more are timed one by one. Shorter ones are timed in blocks of at least 10 ms, because reading the
clock would weigh too much in a single one. Which of the two is decided once for all variants of a study (the median of
single calls and the median of means of blocks are different numbers). On an accelerator each call is synchronised
inside the timed region.
"""

from __future__ import annotations

import math
from itertools import repeat
from statistics import median
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from optkit.engines.base import Batch

SHORT_CALL_NS = 100_000
BLOCK_NS = 10_000_000
FEWEST_TRIALS, MOST_TRIALS, TRIAL_NS = 3, 20, 50_000_000


class Stopwatch:
    """Times calls of one callable, visiting its batches in turn.

    Parameters
    ----------
    function
        What is called.
    batches
        Arguments of the calls.
    synchronize
        Waits until the device has done its work; None where a call returns only when it is done.

    Attributes
    ----------
    calls
        How many calls were made since the beginning, timed or not.
    calls_per_sample
        1, or the size of a block.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        batches: tuple[Batch, ...],
        synchronize: Callable[[], None] | None = None,
    ) -> None:
        self.function = function
        self.batches = batches
        self.synchronize = synchronize
        self.calls = 0
        self.calls_per_sample = 1

    def one(self) -> int:
        """Time one call; return nanoseconds."""
        function, synchronize = self.function, self.synchronize
        args, kwargs = self.batches[self.calls % len(self.batches)]
        self.calls += 1
        begin = perf_counter_ns()
        function(*args, **kwargs)
        if synchronize is not None:
            synchronize()
        return perf_counter_ns() - begin

    def block(self, calls: int) -> int:
        """Time `calls` calls together; return nanoseconds."""
        function, synchronize = self.function, self.synchronize
        offset, self.calls = self.calls, self.calls + calls
        if len(self.batches) > 1 or synchronize is not None:
            return self._general_block(offset, calls)
        args, kwargs = self.batches[0]
        if kwargs:
            begin = perf_counter_ns()
            for _ in repeat(None, calls):
                function(*args, **kwargs)
            return perf_counter_ns() - begin
        begin = perf_counter_ns()
        for _ in repeat(None, calls):
            function(*args)
        return perf_counter_ns() - begin

    def _general_block(self, offset: int, calls: int) -> int:
        function, synchronize, batches = self.function, self.synchronize, self.batches
        order = [batches[(offset + i) % len(batches)] for i in range(calls)]
        begin = perf_counter_ns()
        for args, kwargs in order:
            function(*args, **kwargs)
            if synchronize is not None:
                synchronize()
        return perf_counter_ns() - begin

    def pipelined(self, least_s: float) -> tuple[int, int]:
        """Call for at least `least_s` seconds without waiting for the device between calls; wait at the end.

        Returns how many calls were made, in whole passes over the batches, and the nanoseconds that all took. One pass
        before is not timed: inputs of another size may compile there.
        """
        function, synchronize = self.function, self.synchronize or (lambda: None)
        for args, kwargs in self.batches:
            function(*args, **kwargs)
        synchronize()
        calls, begin = 0, perf_counter_ns()
        until = begin + int(least_s * 1e9)
        while perf_counter_ns() < until:
            for args, kwargs in self.batches:
                function(*args, **kwargs)
            calls += len(self.batches)
        synchronize()
        return calls, perf_counter_ns() - begin

    def sample(self) -> int:
        """Take one sample: a call, or a block of them."""
        return self.one() if self.calls_per_sample == 1 else self.block(self.calls_per_sample)

    def sample_calls(self, calls: int) -> None:
        """Let each sample span at least `calls` calls: 1 times them one by one.

        With several batches a sample is always one or more whole passes over them. Anything less would compare one
        variant's small batches with another's large ones.
        """
        self.calls_per_sample = math.ceil(calls / len(self.batches)) * len(self.batches)

    def try_out(self) -> float:
        """Call every batch once, then time a few calls; return typical nanoseconds per call.

        The first pass is not timed: a batch of another shape may compile there.
        """
        if len(self.batches) > 1:
            self.discard(len(self.batches), 0)
            return self.block(len(self.batches)) / len(self.batches)
        times: list[int] = []
        while len(times) < FEWEST_TRIALS or (len(times) < MOST_TRIALS and sum(times) < TRIAL_NS):
            times.append(self.one())
        return float(median(times))

    def discard(self, least_calls: int, least_s: float) -> None:
        """Make calls that do not count, up to the end of a pass over the batches: after a rest the first are slow."""
        until, last = perf_counter_ns() + int(least_s * 1e9), self.calls + least_calls
        while self.calls < last or perf_counter_ns() < until or self.calls % len(self.batches):
            self.one()

    def take(self, least_calls: int, least_s: float) -> list[int]:
        """Take samples until there are `least_calls` calls and `least_s` seconds of them."""
        until, last = perf_counter_ns() + int(least_s * 1e9), self.calls + least_calls
        samples = []
        while self.calls < last or perf_counter_ns() < until:
            samples.append(self.sample())
        return samples


def block_calls(undisturbed_ns: float) -> int:
    """Return how many calls a block of at least 10 ms needs, where a call takes so long that nothing disturbs."""
    return math.ceil(BLOCK_NS / max(undisturbed_ns, 1.0))
