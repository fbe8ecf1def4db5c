"""The checks in a worker, called as a session calls them: after many calls, in the variant's grad context."""

from __future__ import annotations

import dataclasses
import json
import math
import random
import sys
import warnings

import cloudpickle
import numpy as np
import pytest
import torch
from torch import nn
from torch._dynamo.utils import counters
from torch.nn import functional

from optkit.variant import Variant
from optkit.worker import checks, conversion, leaves, loading
from optkit.workload import Workload

cloudpickle.register_pickle_by_value(sys.modules[__name__])

CONTEXTS = [torch.inference_mode, torch.no_grad, torch.enable_grad]
X = torch.randn(4, 8, generator=torch.Generator().manual_seed(0))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 8)

    def forward(self, x):
        return {"scores": self.layer(x).softmax(-1)}


class Counts(Net):
    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.zeros(()), persistent=False)

    def forward(self, x):
        self.seen += 1
        return self.layer(x) + self.seen


class Replaces(Counts):
    def forward(self, x):
        self.seen = self.seen + 1
        return self.layer(x) + self.seen


class Grows(Counts):
    def forward(self, x):
        self.seen = torch.cat([self.seen.reshape(-1), x[0, :1]])
        return self.layer(x) + self.seen.numel()


class CountsInPython(Net):
    seen = 0

    def forward(self, x):
        self.seen += 1
        return self.layer(x) + self.seen


class LearnsStatistics(Net):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(8)

    def forward(self, x):
        return self.norm.train()(self.layer(x))


class Drops(Net):
    def forward(self, x):
        return functional.dropout(self.layer(x), 0.5)


class DrawsFromNumPy(Net):
    def forward(self, x):
        return self.layer(x) + np.random.rand() + random.random()  # noqa: NPY002


class Unseedable(Net):
    def forward(self, x):
        return self.layer(x) + random.SystemRandom().random()


class Overwrites(Net):
    def forward(self, x):
        return self.layer(x.add_(1))


class Broken(Net):
    def forward(self, x):
        return (x, self.layer(x) * math.nan)


class Amplifies(Net):
    """Sums whose exact value is small, so that rounding is most of what differs."""

    def forward(self, x):
        return (self.layer(x) + 1e4 - 1e4) * 1.0


class Branches(Net):
    def forward(self, x):
        return self.layer(x) if x.sum() > 0 else x * 3


class Positive(Net):
    def forward(self, x):
        return x.log()


class Picky(Net):
    def forward(self, x):
        if (x < 0).any():
            raise ValueError("only what is positive")
        return x


def rebuilt():
    model = Net()
    with torch.no_grad():
        model.layer.weight.mul_(random.SystemRandom().random())
    return model


def plain():
    return lambda x: x * 2


class Worker:
    """A model that was called a few times, as in the timing."""

    def __init__(self, folder, model, inputs=X, prepare=None, calls=3, variant="eager", **options):
        folder.mkdir()
        self.variant = Variant.parse(variant)
        self.spec = Workload(model, inputs, **options).pack(folder) | {"train": False}
        with torch.inference_mode(False):  # a session loads before it enters the context
            self.timed = conversion.convert(loading.load(self.spec, "cpu"), self.variant)
        self.function = self.timed.target if prepare is None else prepare(self.timed.target)
        for _ in range(calls):
            for args, kwargs in self.timed.batches:
                self.function(*args, **kwargs)

    def ask(self, function, path):
        more = (self.variant,) if function is checks.check else ()
        found = function(self.spec, self.timed, self.function, str(path), *more)
        return json.loads(json.dumps(found, allow_nan=False))


@pytest.fixture(autouse=True)
def _few_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
    torch.compiler.reset()


@pytest.fixture(params=CONTEXTS, ids=lambda context: context.__name__)
def context(request):
    return request.param


@pytest.fixture
def checked(tmp_path):
    """Return a function that makes the reference in one worker and checks another against it."""

    def run(model, inputs=X, prepare=None, context=torch.inference_mode, variant="eager", **options):
        with context():
            reference = Worker(tmp_path / "reference", model, inputs, **options)
            made = reference.ask(checks.make_reference, tmp_path / "outputs")
            other = Worker(tmp_path / "variant", model, inputs, prepare, variant=variant, **options)
            return made, other.ask(checks.check, tmp_path / "outputs")

    return run


def compiled(target):
    return torch.compile(target, backend="eager")


def changed(change):
    return lambda target: lambda *args, **kwargs: change(target(*args, **kwargs))


def test_a_model_that_is_repeatable_is_equal_to_itself(checked, context):
    made, found = checked(Net(), context=context)
    assert made["agreement"] == found["agreement"] == "equal"
    assert made["max_abs_error"] == found["max_abs_error"] == 0
    assert found["details"]["state"] == []
    assert found["details"]["inputs_changed"] is False
    assert "random" not in found["details"]
    assert "metric" not in found["details"]


def test_models_of_the_zoo_are_checked(checked):
    made, found = checked("tiny_cnn", None)
    assert made["agreement"] == found["agreement"] == "equal"
    assert found["details"]["top1"] == 1


def test_a_compiled_function_is_checked_without_compiling_again(checked, context):
    def prepare(target):
        torch.compiler.reset()
        counters.clear()
        return compiled(target)

    made, found = checked(Counts(), prepare=prepare, context=context)
    assert (made["agreement"], found["agreement"]) == ("stateful", "equal")
    assert counters["stats"]["unique_graphs"] == 1


def test_a_drift_is_different(checked):
    _, found = checked(Net(), prepare=changed(lambda output: {"scores": output["scores"] * 1.05}))
    assert found["agreement"] == "different"
    assert found["details"]["where"] == "output['scores']"
    assert "differs from eager's" in found["details"]["why"]


def test_the_fp64_reference_forgives_what_eager_does_not_know_better(checked):
    made, found = checked(Amplifies(), prepare=changed(lambda output: output + 2e-4))
    assert made["agreement"] == "equal"
    assert found["agreement"] == "close"
    assert found["max_abs_error"] > 1e-4


def traced(target):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.trace(target, (X,), strict=False, check_trace=False)


def test_a_trace_of_one_branch_is_found_out_on_other_inputs(checked):
    made, found = checked(Branches(), prepare=traced, variant="torchscript")
    assert made["agreement"] == "equal"
    assert found["agreement"] == "different"
    assert found["details"]["why"].startswith("For your inputs it agrees, but for others of the same shapes")


def test_a_function_that_fails_on_other_inputs_is_different(checked):
    def fussy(target):
        def call(x):
            if x.sum() != X.sum():
                raise ValueError("these are not mine")
            return target(x)

        return call

    _, found = checked(Net(), prepare=fussy)
    assert found["agreement"] == "different"
    assert "it fails: ValueError: these are not mine" in found["details"]["why"]


@pytest.mark.parametrize("model", [Positive, Picky])
def test_other_inputs_that_eager_does_not_take_say_nothing(checked, model):
    _, found = checked(model(), inputs=X.abs() + 1)
    assert found["agreement"] == "equal"


def test_whole_numbers_are_varied_in_their_order_alone():
    (((floats, numbers, flags, scalar), _),) = checks._varied(
        (((X, torch.arange(3), torch.tensor([True, False]), torch.tensor(3)), {}),)
    )
    assert torch.equal(floats, -X)
    assert numbers.tolist() == [2, 1, 0]
    assert flags.tolist() == [True, False]
    assert scalar.item() == 3


@pytest.mark.parametrize("variant", ["eager+bfloat16", "eager+float16"])
def test_a_model_in_half_precision_agrees_as_far_as_eager_does_in_it(checked, variant):
    _, found = checked(Net(), variant=variant)
    assert found["agreement"] == "reduced"
    assert found["max_abs_error"] > 1e-4
    assert found["details"]["state"] == []
    assert found["details"]["inputs_changed"] is False


def test_autocast_agrees_as_far_as_eager_does_in_it(checked):
    _, found = checked(
        Net(), variant="eager+autocast", prepare=lambda target: conversion.in_autocast(target, "cpu", autocast=True)
    )
    assert found["agreement"] == "reduced"


def test_a_drift_in_half_precision_is_different_all_the_same(checked):
    drift = changed(lambda output: {"scores": output["scores"] * 1.1})
    _, found = checked(Net(), variant="eager+bfloat16", prepare=drift)
    assert found["agreement"] == "different"
    assert "eager is nearer in the same precision" in found["details"]["why"]


def test_layout_alone_reduces_nothing(checked):
    _, found = checked("tiny_cnn", None, variant="eager+channels_last")
    assert found["agreement"] in ("equal", "close")


def test_what_runs_from_a_file_has_no_state_to_look_at(tmp_path):
    with torch.inference_mode():
        Worker(tmp_path / "reference", Net()).ask(checks.make_reference, tmp_path / "outputs")
        worker = Worker(tmp_path / "variant", Net())
        worker.timed = dataclasses.replace(worker.timed, model=None)
        found = worker.ask(checks.check, tmp_path / "outputs")
    assert found["agreement"] == "equal"
    assert "state" not in found["details"]


@pytest.mark.parametrize("model", [Counts, Replaces, Grows])
def test_a_buffer_that_counts_calls_is_named_and_put_back(model, checked, context):
    made, found = checked(model(), context=context)
    assert made["agreement"] == "stateful"
    assert made["details"]["stateful"] is True
    assert made["details"]["state"] == found["details"]["state"] == ["seen"]
    assert found["agreement"] == "equal"


def test_a_counter_in_python_cannot_be_put_back(checked):
    made, found = checked(CountsInPython())
    assert made["agreement"] == found["agreement"] == "stateful"
    assert made["details"]["state"] == []
    assert "random" not in found["details"]


def test_statistics_that_change_no_output_are_named_and_the_outputs_are_equal(checked):
    made, found = checked(LearnsStatistics())
    assert made["details"]["state"] == ["norm.num_batches_tracked", "norm.running_mean", "norm.running_var"]
    assert made["agreement"] == found["agreement"] == "equal"


@pytest.mark.parametrize("model", [Drops, DrawsFromNumPy])
def test_a_model_that_draws_random_numbers_is_nondeterministic(model, checked):
    made, found = checked(model())
    assert made["agreement"] == "nondeterministic"
    assert made["details"]["random"].startswith("Eager draws random numbers")
    assert made["max_abs_error"] is None
    assert found["agreement"] == "equal"  # it draws the same


def test_what_is_different_from_a_random_reference_says_nothing(checked):
    _, found = checked(Drops(), prepare=changed(lambda output: output + 1))
    assert found["agreement"] == "nondeterministic"
    assert found["max_abs_error"] > 0


def test_a_model_that_no_seed_repeats_is_nondeterministic(checked):
    made, found = checked(Unseedable())
    assert made["details"]["random"].startswith("Two runs of eager with the same seed")
    assert made["agreement"] == found["agreement"] == "nondeterministic"


def test_a_variant_that_cannot_be_repeated_says_so(checked):
    made, found = checked(Net(), prepare=changed(lambda o: {"scores": o["scores"] + random.SystemRandom().random()}))
    assert made["agreement"] == "equal"
    assert found["details"]["random"].startswith("Two runs of this variant")
    assert found["agreement"] == "different"


def test_a_variant_that_is_wrong_only_at_times_is_different(checked):
    calls = []

    def every_other(output):
        calls.append(1)
        return {"scores": output["scores"] + len(calls) % 2}

    assert checked(Net(), prepare=changed(every_other))[1]["agreement"] == "different"


def test_a_model_that_is_built_differently_each_time_is_nondeterministic_and_has_no_state(checked):
    made, found = checked(rebuilt)
    assert made["details"]["state"] == []
    assert "Building the model twice" in made["details"]["random"]
    assert made["agreement"] == found["agreement"] == "nondeterministic"


def test_inputs_that_calls_change_are_named_and_every_run_has_its_own(checked):
    made, found = checked(Overwrites())
    assert made["details"]["inputs_changed"] is True
    assert found["details"]["inputs_changed"] is True
    assert made["agreement"] == found["agreement"] == "equal"


def test_a_variant_that_leaves_inputs_alone_where_eager_changes_them_is_different(checked):
    made, found = checked(Overwrites(), prepare=lambda target: lambda x: target(x.clone()))
    assert made["details"]["inputs_changed"] is True
    assert found["agreement"] == "different"
    assert found["details"]["why"].startswith("Eager changes its inputs in place")


def test_inputs_that_are_nan_have_not_changed(checked):
    made, _ = checked(Net(), torch.full((4, 8), math.nan))
    assert made["details"]["inputs_changed"] is False
    assert made["agreement"] == "nan"


def test_eagers_own_nan_is_said_to_be_eagers(checked):
    made, found = checked(Broken())
    assert made["agreement"] == found["agreement"] == "nan"
    assert "Eager's own" in found["details"]["why"]
    assert found["details"]["where"] == "output[1]"


def test_a_function_without_parameters_has_no_state(checked):
    made, found = checked(plain, prepare=changed(lambda output: output * 1.05))
    assert made["details"]["state"] == []
    assert (made["agreement"], found["agreement"]) == ("equal", "different")


def test_of_several_batches_the_worst_is_named(checked):
    batches = [torch.ones(n, 8) for n in (1, 2, 3)]
    _, found = checked(
        Net(), batches, changed(lambda o: {"scores": o["scores"] * (1.05 if len(o["scores"]) == 2 else 1)})
    )
    assert found["agreement"] == "different"
    assert found["details"]["batch"] == 1


def test_evaluate_sees_the_output_of_the_variant(checked):
    made, found = checked(plain, (X,), changed(lambda output: output * 2), evaluate=lambda output: output.sum())
    assert made["details"]["metric"] == pytest.approx(2 * X.sum().item(), rel=1e-5)
    assert found["details"]["metric"] == pytest.approx(4 * X.sum().item(), rel=1e-5)


def test_evaluate_sees_outputs_of_several_batches_that_are_not_overwritten(checked):
    def overwriting(target):
        buffer = torch.zeros(2)

        def call(x):
            return buffer.copy_(target(x))

        return call

    made, found = checked(
        plain, [torch.ones(2), torch.zeros(2)], overwriting, evaluate=lambda outputs: sum(o.sum() for o in outputs)
    )
    assert made["details"]["metric"] == found["details"]["metric"] == 4
    assert found["agreement"] == "equal"


@pytest.mark.parametrize(
    ("evaluate", "said"),
    [(lambda output: 1 / 0, "ZeroDivisionError: division by zero"), (lambda output: math.inf, None)],
)
def test_an_evaluation_that_gives_no_number_costs_nothing_else(evaluate, said, checked):
    made, _ = checked(Net(), evaluate=evaluate)
    assert made["agreement"] == "equal"
    assert made["details"]["metric"] is None
    assert made["details"].get("metric_error") == said


def test_what_cannot_be_compared_is_named(checked):
    _, found = checked(lambda: lambda x: (x, {1, 2}))
    assert found["agreement"] == "equal"
    assert found["details"]["not_compared"] == ["output[1] (builtins.set)"]


def test_an_error_of_the_model_is_the_sessions_to_report(checked):
    def raising(output):
        if armed:
            raise RuntimeError("out of order")
        return output

    armed = []

    def prepare(target):
        function = changed(raising)(target)
        function(X)
        armed.append(1)
        return function

    with pytest.raises(RuntimeError, match="out of order"):
        checked(Net(), prepare=prepare)


def test_flags_reach_the_others_through_the_file(checked, tmp_path):
    checked(Drops())
    _, _, flags = leaves.load(str(tmp_path / "outputs"))
    assert flags == {"random": True, "stateful": False, "inputs_changed": False}
