"""Several batches of different cost, and a backend that writes into whatever pipe it finds, with real workers."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import cloudpickle
import pytest

import optkit
from optkit.engines import Compile

cloudpickle.register_pickle_by_value(sys.modules[__name__])

pytestmark = pytest.mark.worker
COMPILE_S = 2.0
BATCHES = (10, 20, 40, 80)


def sleeping(factor):
    """Return a backend whose graphs sleep `factor` ms for each row, and two seconds when one is compiled."""

    def backend(graph, example_inputs):
        time.sleep(COMPILE_S)

        def compiled(*args):
            rows = max(arg.shape[0] for arg in args if arg.dim() == 2 and arg.shape[0] in BATCHES)
            time.sleep(rows * factor / 1000)
            return graph.forward(*args)

        return compiled

    backend.__name__ = f"sleeping_{factor}"
    return backend


def vandal(graph, example_inputs):
    """Write garbage into every pipe of the process, once compiled."""

    def compiled(*args):
        for descriptor in range(3, 64):
            try:
                if "pipe:" in str(Path(f"/proc/self/fd/{descriptor}").readlink()):
                    os.write(descriptor, b"\xff" * 64)
            except OSError:
                continue
        return graph.forward(*args)

    return compiled


@pytest.fixture(scope="module")
def comparison(mark, private):
    import torch

    model, inputs = torch.nn.Linear(3, 3), [torch.zeros(rows, 3) for rows in BATCHES]
    backends = [sleeping(1), sleeping(2), vandal]
    variants = [Compile(backend=backend, dynamic=False) for backend in backends]
    return optkit.compare(model, inputs, variants, budget_s=60, rounds=(4, 4))


def measured(comparison, name):
    return comparison.measurements[f"compile:backend={name}(),dynamic=false"]


def test_a_variant_that_is_twice_as_slow_on_each_batch_is_twice_as_slow(comparison):
    # Medians of single calls would compare one's small batches with the other's large ones: off by a factor of two.
    ratio = measured(comparison, "sleeping_2").median_s / measured(comparison, "sleeping_1").median_s
    assert 1.6 < ratio < 2.5


def test_the_time_per_call_is_the_mean_over_the_batches(comparison):
    assert measured(comparison, "sleeping_1").median_s >= sum(BATCHES) / len(BATCHES) / 1000


def test_a_batch_that_compiles_late_is_in_no_steady_sample(comparison):
    assert measured(comparison, "sleeping_1").first_call_s >= COMPILE_S
    passes = COMPILE_S / len(BATCHES)  # what one compile would add to the mean over a pass
    assert min(measured(comparison, "sleeping_1").samples_s) > 0
    assert max(measured(comparison, "sleeping_1").samples_s) < passes + sum(BATCHES) / len(BATCHES) / 1000


def test_garbage_in_a_reply_pipe_fails_that_worker_and_no_other(comparison):
    broken = measured(comparison, "vandal")
    assert broken.status == "failed"
    assert "message" in broken.reason
    assert {m.status for m in comparison.measurements.values() if m is not broken} == {"ok"}
    assert comparison.ended_because is not None
