"""Every doubt, provoked for real: models, backends and settings that do what they should not, in real workers."""

from __future__ import annotations

import math
import subprocess
import sys
import time

import cloudpickle
import pytest
import torch
from torch import nn
from torch.nn import functional

import optkit
from optkit import environment
from optkit.crew import Crew
from optkit.engines import Compile
from optkit.verdicts import Doubt

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers must not need this file

pytestmark = pytest.mark.worker
X = torch.randn(4, 8)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 8)

    def forward(self, x):
        return self.layer(x)


class Prints(Net):
    def forward(self, x):
        x = self.layer(x)
        print("a graph break")
        return self.layer(x)


class Branches(Net):
    def forward(self, x):
        x = self.layer(x)
        if x.sum() > 0:
            return self.layer(x)
        return self.layer(x) + 1


class AlwaysDrops(Net):
    def forward(self, x):
        return functional.dropout(self.layer(x), 0.5)  # training=True by default


class Drops(Net):
    def __init__(self):
        super().__init__()
        self.dropout = nn.Dropout(0.5)

    def forward(self, x):
        return self.dropout(self.layer(x))


class Counts(Net):
    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x):
        self.seen += 1
        return self.layer(x) + self.seen


class Overwrites(Net):
    def forward(self, x):
        x.add_(1)
        return self.layer(x)


class NeverSteady(Net):
    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        time.sleep(0.001 * 1.01 ** min(self.calls, 300))
        return self.layer(x)


class Unseeded(Net):
    def __init__(self):
        super().__init__()
        self.bias = nn.Parameter(torch.tensor(time.time_ns() % 1_000_003 / 1e5))

    def forward(self, x):
        return self.layer(x) + self.bias


def broken():
    model = Net()
    with torch.no_grad():
        model.layer.weight[0, 0] = math.nan
    return model


def suppressing():
    torch._dynamo.config.suppress_errors = True
    return Net()


def unchanged(graph, example_inputs):
    return graph.forward


def drifting(graph, example_inputs):
    return lambda *inputs: [output * 1.05 for output in graph(*inputs)]


def halving(graph, example_inputs):
    return lambda *inputs: [output.half() for output in graph(*inputs)]


def raising(graph, example_inputs):
    raise RuntimeError("this backend gives up")


def measured(model, *variants, inputs=X, **plan):
    """Measure in three rounds and return the measurements by the text of the variant."""
    plan = {"budget_s": 10, "rounds": (3, 3)} | plan
    return optkit.compare(model, inputs, variants, **plan)


def remedy(comparison, variant, doubt):
    """Return the remedy; wherever a doubt is shown it is this one."""
    m = comparison.measurements[variant]
    assert doubt in m.doubts, (m.doubts, m.facts, m.check)
    assert doubt.name in comparison.rows()[list(comparison.measurements).index(variant)]["doubts"]
    return m.remedies[doubt]


@pytest.fixture(autouse=True)
def _alone(mark, private):
    """No process and no private folder outlives these tests."""


def test_settings_that_their_backend_has_no_use_for():
    cudagraphs, mode, frozen = (
        "compile:backend=cudagraphs",
        "compile:backend=eager,mode=max-autotune",
        "compile:backend=eager,freezing=true",
    )
    comparison = measured(Net(), cudagraphs, mode, frozen)
    assert "the model is on the CPU" in remedy(comparison, cudagraphs, Doubt.CUDAGRAPHS_SKIPPED)
    assert "mode=max-autotune is a setting of Inductor" in remedy(comparison, mode, Doubt.MODE_IGNORED)
    assert "backend=eager" in remedy(comparison, frozen, Doubt.FREEZING_IGNORED)
    few = remedy(comparison, mode, Doubt.TOO_FEW_CALLS)
    assert "3 rounds" in few
    assert "than 3" in few


@pytest.mark.slow
def test_freezing_is_ignored_with_gradients_and_keeps_nothing_for_the_next_start_without():
    ignored, done, reduced = "compile:freezing=true+grad", "compile:freezing=true", "compile:mode=reduce-overhead"
    comparison = measured(Net(), ignored, done, reduced, budget_s=60)
    assert "leave +grad out" in remedy(comparison, ignored, Doubt.FREEZING_IGNORED)
    assert "freezing=true" in remedy(comparison, done, Doubt.CACHE_BYPASSED)
    assert Doubt.FREEZING_IGNORED not in comparison.measurements[done].doubts
    assert "leave the mode out" in remedy(comparison, reduced, Doubt.CUDAGRAPHS_SKIPPED)
    assert Doubt.CACHE_BYPASSED not in comparison.measurements[reduced].doubts
    assert comparison.measurements[reduced].agreement in ("equal", "close")


@pytest.mark.parametrize("model", [Prints, Branches])
def test_a_graph_break_is_named_with_its_place(model):
    comparison = measured(model(), "compile:backend=eager")
    assert "test_doubts.py:" in remedy(comparison, "compile:backend=eager", Doubt.PARTLY_COMPILED)
    assert comparison.rows()[1]["graph_breaks"] >= 1


def test_the_recompile_limit_is_a_fallback_and_its_reason_is_told():
    fixed, free = "compile:backend=eager,dynamic=false", "compile:backend=eager"
    comparison = measured(Net(), fixed, free, inputs=[torch.randn(n, 8) for n in range(2, 14)])
    said = remedy(comparison, fixed, Doubt.FELL_BACK)
    assert "dynamic=false" in said
    assert "size mismatch" in said
    assert remedy(comparison, free, Doubt.RECOMPILED).startswith("torch compiled once after the first call")
    assert Doubt.FELL_BACK not in comparison.measurements[free].doubts
    assert comparison.rows()[2]["recompiles"] == 1


def test_an_error_that_torch_suppresses_is_a_fallback_to_eager():
    comparison = measured(suppressing, Compile(backend=raising))
    said = remedy(comparison, "compile:backend=raising()", Doubt.FELL_BACK)
    assert "this backend gives up" in said
    assert Doubt.NOT_COMPILED in comparison.measurements["compile:backend=raising()"].doubts
    assert comparison.best() is comparison.baseline


def test_a_traced_module_is_not_compiled():
    def traced():
        return torch.jit.trace(Net().eval(), torch.randn(4, 8))

    comparison = measured(traced, "compile:backend=eager")
    assert "traced" in remedy(comparison, "compile:backend=eager", Doubt.NOT_COMPILED)


def test_a_variable_that_switches_torch_compile_off_is_named_and_its_variants_are_never_best(monkeypatch):
    monkeypatch.setenv("TORCH_COMPILE_DISABLE", "1")
    comparison = measured(Net(), "compile:backend=eager")
    m = comparison.measurements["compile:backend=eager"]
    assert m.graphs == 1  # it was measured without the variable
    assert "TORCH_COMPILE_DISABLE" in remedy(comparison, "compile:backend=eager", Doubt.NOT_COMPILED)
    assert m.merit == 0


def test_dropout_that_eval_does_not_switch_off_cannot_be_repeated():
    comparison = measured(AlwaysDrops(), "compile:backend=eager")
    assert "random" in remedy(comparison, "eager", Doubt.NONDETERMINISTIC)
    assert comparison.measurements["eager"].agreement == "nondeterministic"


def test_dropout_in_training_mode_gives_other_outputs():
    comparison = measured(Drops(), "eager+train")
    assert remedy(comparison, "eager+train", Doubt.OUTPUT_DIFFERS)
    assert comparison.measurements["eager"].agreement == "equal"


def test_a_model_that_is_built_differently_each_time_cannot_be_compared():
    comparison = measured(Unseeded, "eager+no_grad")
    assert {m.agreement for m in comparison.measurements.values()} == {"nondeterministic"}
    assert remedy(comparison, "eager+no_grad", Doubt.NONDETERMINISTIC)
    assert Doubt.OUTPUT_DIFFERS not in comparison.measurements["eager+no_grad"].doubts


def test_a_buffer_that_counts_calls_is_state():
    comparison = measured(Counts(), "eager+no_grad")
    for variant in comparison.measurements:
        assert "'seen'" in remedy(comparison, variant, Doubt.STATEFUL)


def test_inputs_that_calls_change_are_state():
    assert "their own inputs" in remedy(measured(Overwrites(), "eager+no_grad"), "eager", Doubt.STATEFUL)


def test_weights_that_are_no_numbers_never_pass():
    comparison = measured(broken, "eager+no_grad")
    assert comparison.measurements["eager+no_grad"].agreement == "nan"
    assert "NaN" in remedy(comparison, "eager+no_grad", Doubt.OUTPUT_DIFFERS)
    assert comparison.measurements["eager+no_grad"].merit == 0


def test_a_backend_that_changes_outputs_or_their_dtype_is_found_out_and_never_best():
    drift, half = "compile:backend=drifting()", "compile:backend=halving()"
    comparison = measured(Net(), *(Compile(backend=one) for one in (drifting, halving, unchanged)))
    assert comparison.measurements[drift].agreement == "different"
    assert comparison.measurements[half].agreement == "dtype"
    for variant in (drift, half):
        assert remedy(comparison, variant, Doubt.OUTPUT_DIFFERS)
        assert comparison.measurements[variant].merit == 0
    assert comparison.rows()[1]["max_abs_error"] > 0
    assert comparison.measurements["compile:backend=unchanged()"].agreement == "equal"


def test_calls_that_never_become_steady_say_so():
    assert "samples of warming up" in remedy(measured(NeverSteady(), "eager+no_grad"), "eager", Doubt.NOT_STEADY)


def test_more_threads_than_cpus_are_named():
    cpus = int(environment.detect().usable_cpus)
    variant = f"eager+threads={cpus + 1}"
    said = remedy(measured(Net(), variant), variant, Doubt.THREADS_EXCEED_QUOTA)
    assert f"{cpus + 1} threads" in said
    assert f"+threads={cpus}" in said


def test_a_busy_machine_is_named():
    spin = "while True: pass"
    neighbours = [
        subprocess.Popen([sys.executable, "-c", spin]) for _ in range(environment.detect().cpus)
    ]  # as many as there are CPUs
    try:
        comparison = measured(Net(), "eager+no_grad")
    finally:
        for process in neighbours:
            process.kill()
            process.wait()
    assert "ther processes used" in remedy(comparison, "eager", Doubt.NOISY_MACHINE)


def test_what_does_not_fit_in_memory_is_loaded_in_turn_with_the_baseline(monkeypatch):
    monkeypatch.setattr(Crew, "has_room", lambda crew: len(crew.host.workers) < 3)  # both baselines and one variant
    comparison = measured(Net(), "eager+no_grad", "eager+grad")
    crowded = comparison.measurements["eager+grad"]
    assert "did not fit in memory" in remedy(comparison, "eager+grad", Doubt.NOT_INTERLEAVED)
    assert Doubt.NOT_INTERLEAVED not in comparison.measurements["eager+no_grad"].doubts
    assert crowded.status == "ok"
    assert len(crowded.ratios) == 3
    assert crowded.agreement in ("equal", "close")
    assert crowded.first_call_s > 0


def test_evaluate_gives_each_variant_a_number_and_its_error_costs_nothing_else():
    comparison = measured(Net(), Compile(backend=drifting), evaluate=lambda output: output.abs().mean().item())
    ratio = comparison.measurements["compile:backend=drifting()"].metric / comparison.baseline.metric
    assert math.isclose(ratio, 1.05, rel_tol=1e-3)
    failed = measured(Net(), "eager+no_grad", evaluate=lambda output: output.no_such_thing)
    assert failed.baseline.metric is None
    assert failed.baseline.agreement == "equal"
    assert "no_such_thing" in failed.baseline.check.details["metric_error"]
