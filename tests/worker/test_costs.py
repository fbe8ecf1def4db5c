"""What a speed-up costs, measured for real: start-ups, memory, throughput, headroom; and a variant that is skipped."""

from __future__ import annotations

import json
import sys
import threading
import time

import cloudpickle
import pytest
import torch
from torch import nn

import optkit
from optkit.events import CompileBegan, CompileEnded, FirstCall, PhaseBegan, RatesMeasured, VariantSkipped

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers must not need this file

pytestmark = pytest.mark.worker
HELD_BYTES = 500_000_000


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 8)

    def forward(self, x):
        return torch.relu(self.layer(x))


class Hungry(nn.Module):
    """Holds 500 MB during each call, and nothing between two."""

    def forward(self, x):
        return x + torch.zeros(HELD_BYTES // 4).add_(1)[0]


class Product(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(1024, 1024))

    def forward(self, x):
        return x @ self.weight


class Moves(nn.Module):
    def forward(self, x):
        return x.clone()


def slowly(graph, example_inputs):
    time.sleep(60)
    return graph


@pytest.fixture(autouse=True)
def _alone(mark, private):
    """No process and no private folder outlives these tests."""


@pytest.fixture(scope="module")
def told():
    """One study with warm starts, and its events."""
    study = optkit.Study(
        optkit.Workload(Net(), torch.randn(4, 8)),
        ["compile", "compile:freezing=true"],
        budget_s=60, rounds=(3, 3), warm=True, batch_sizes=(2,),
    )  # fmt: skip
    events = list(study)
    return events, optkit.Comparison(events)


@pytest.fixture
def compiled(told):
    return told[1].measurements["compile"]


def test_a_cold_start_misses_the_cache_and_a_warm_one_hits_it(compiled):
    assert (compiled.facts["cache_hits"], compiled.facts["cache_misses"]) == (0, 1)
    assert (compiled.warm.facts["cache_hits"], compiled.warm.facts["cache_misses"]) == (1, 0)
    assert compiled.startup(warm=True).first_call_s < compiled.startup().first_call_s


def test_freezing_bypasses_the_cache_also_in_a_warm_start(told):
    frozen = told[1].measurements["compile:freezing=true"]
    assert optkit.Doubt.CACHE_BYPASSED in frozen.doubts
    assert frozen.warm.facts["cache_hits"] == 0
    assert frozen.warm.facts["cache_bypasses"] >= 1


def test_a_start_has_all_its_parts_and_eager_pays_for_none_that_it_does_not_need(told):
    eager, compiled = told[1].baseline.startup(), told[1].measurements["compile"].startup()
    assert compiled.import_s > eager.import_s > 0
    assert (eager.probe_s, compiled.probe_s > 0) == (0.0, True)
    assert min(compiled.build_s, compiled.prepare_s, compiled.first_call_s, *compiled.early_s) > 0


def test_each_compile_is_told_when_it_begins_and_when_it_ended(told):
    mine = [event for event in told[0] if getattr(event, "variant", "") == "compile"]
    kinds = [type(event) for event in mine]
    began, over, first = kinds.index(CompileBegan), kinds.index(CompileEnded), kinds.index(FirstCall)
    assert began < over < first
    ended = mine[over]
    assert (ended.compile_id, ended.reason, ended.failed) == (mine[began].compile_id, None, None)
    assert 0 < ended.phases_s["inductor"] <= ended.phases_s["dynamo"]
    assert ended.seconds * 1e9 <= mine[first].duration_ns


def test_other_batch_sizes_have_their_throughput_and_cast_no_doubt_on_the_variant(compiled):
    assert compiled.throughput_per_s() > 0
    assert compiled.throughput_per_s(2) > 0
    assert compiled.throughput_per_s(3) is None
    assert optkit.Doubt.RECOMPILED not in compiled.doubts


def test_what_compiling_leaves_is_counted_and_eager_leaves_nothing(told, compiled):
    assert compiled.memory.artifact_bytes > 0
    assert told[1].baseline.memory.artifact_bytes is None


def test_the_costs_are_in_the_json_document(told):
    costs = json.loads(told[1].to_json())["costs"]["compile"]
    assert costs["cache"]["warm"]["hits"] == 1
    assert costs["startup_s"]["cold"]["first call"] > 0
    assert costs["throughput_per_s"]["2"] > 0


@pytest.mark.slow
def test_the_peak_of_a_call_that_holds_500_mb_is_seen():
    comparison = optkit.compare(Hungry(), torch.randn(4), ["eager"], budget_s=2, rounds=(1, 1))
    assert comparison.baseline.peak_memory_bytes == pytest.approx(HELD_BYTES, rel=0.05)


def test_the_work_of_a_product_is_counted_and_its_headroom_is_at_least_one():
    comparison = optkit.compare(Product(), torch.randn(1024, 1024), ["eager"], budget_s=5, rounds=(3, 3))
    work = comparison.surroundings.work
    assert work.flops == 2 * 1024**3
    assert (work.read_bytes, work.written_bytes) == (2 * 4 * 1024**2, 4 * 1024**2)
    headroom = comparison.baseline.headroom  # None where a busy machine hid what it can do
    assert headroom is None or headroom >= 1


def test_rates_are_measured_once_and_then_kept():
    def rates():
        events = optkit.Study(optkit.Workload(Moves(), torch.randn(64)), ["eager"], budget_s=1, rounds=(1, 1))
        return [event for event in events if isinstance(event, RatesMeasured)]

    first, second = rates()[-1], rates()[0]  # those that a study contradicts are measured once more in it
    assert first.measured_at_unix_s == second.measured_at_unix_s
    assert first.copy_bytes_per_s == second.copy_bytes_per_s


def test_a_variant_that_takes_too_long_is_skipped_and_the_others_are_measured():
    from optkit.engines import Compile

    study = optkit.Study(
        optkit.Workload(Net(), torch.randn(4, 8)), [Compile(backend=slowly), "eager+no_grad"], budget_s=5, rounds=(3, 3)
    )
    slow = "compile:backend=slowly()"
    comparison, begin = optkit.Comparison(), time.monotonic()
    for event in study:
        comparison.fold(event)
        if isinstance(event, PhaseBegan) and event.phase == "first_call" and event.variant == slow:
            threading.Timer(0.5, study.skip, [slow]).start()
        assert not isinstance(event, VariantSkipped) or event.variant == slow
    assert time.monotonic() - begin < 60
    assert comparison.measurements[slow].status == "skipped"
    assert comparison.measurements[slow].reason == "You skipped it."
    assert comparison.measurements["eager+no_grad"].status == "ok"


def test_the_baseline_cannot_be_skipped():
    study = optkit.Study(optkit.Workload(Net(), torch.randn(4, 8)), ["compile"])
    with pytest.raises(optkit.UsageError, match="'eager' cannot be skipped; variants that can are: compile"):
        study.skip("eager")
