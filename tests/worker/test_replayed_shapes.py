"""A replay of shapes with real torch: compiles per call are those that torch's own metrics count in a plain process."""

from __future__ import annotations

import json
import sys

import pytest
import torch

import optkit
from optkit.engines.base import LoadedModel
from optkit.errors import UsageError
from optkit.investigation import Investigation
from optkit.replay import MARK, replay_shapes
from optkit.replayed import GAVE_UP
from optkit.variant import Variant
from optkit.worker import batches

pytestmark = pytest.mark.worker
FAST = "compile:backend=eager"
DYNAMIC, STATIC = f"{FAST},dynamic=true", f"{FAST},dynamic=false"
SIZES = [4, 8, 9, 1]
BROKEN = """
import torch

class Broken(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = torch.nn.Linear(8, 8), torch.nn.Linear(8, 4)

    def forward(self, x):
        y = self.first(x).relu()
        print("a graph break")
        return self.second(y)
"""
PLAIN = (
    BROKEN
    + """
import json, sys
from torch._dynamo.utils import get_compilation_metrics

def counts(model, batches, mark=False, **settings):
    torch._dynamo.reset()
    compiled, found = torch.compile(model, **settings), []
    for x in batches:
        if mark and len(x) > 1:
            torch._dynamo.mark_dynamic(x, 0)
        known = len(get_compilation_metrics())
        with torch.inference_mode():
            compiled(x)
        new = list(get_compilation_metrics())[known:]
        found.append(sum(1 for one in new if one.compile_id and not one.fail_type))
    return found

"""
)


def plainly(run_python, code) -> dict:
    """Return what a plain process prints as JSON on its last line."""
    return json.loads(run_python(PLAIN + code).splitlines()[-1])


@pytest.fixture
def broken(tmp_path, monkeypatch):
    """Return a model with one graph break."""
    (tmp_path / "broken_net.py").write_text(BROKEN)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "broken_net", raising=False)  # that of another test lies in another folder
    return __import__("broken_net").Broken()


def per_call(replay) -> dict[str, list[int | None]]:
    return {name: [call.compiles for call in replay.of(name)] for name in replay.variants}


def test_compiles_per_call_of_a_model_with_a_graph_break_are_what_torchs_metrics_say(broken, run_python):
    replay = replay_shapes(broken, SIZES, [FAST, DYNAMIC, STATIC], torch.randn(4, 8))
    expected = plainly(
        run_python,
        f"made = lambda: [torch.randn(size, 8) for size in {SIZES}]\n"
        "told = {}\n"
        "for name, dynamic in (('auto', None), ('true', True), ('false', False)):\n"
        "    told[name] = counts(Broken().eval(), made(), backend='eager', dynamic=dynamic)\n"
        "print(json.dumps(told))\n",
    )
    found = per_call(replay)
    assert found.pop("eager") == [0, 0, 0, 0]
    assert list(found.values()) == list(expected.values())
    assert found[FAST] == [2, 2, 0, 2]  # both halves of the model, each time
    (first, rest) = replay.of(FAST)[1].compilations
    assert (first.resumed_at, rest.resumed_at) == (None, 11)
    assert "Pad the batch of 1 to 2" in " ".join(replay.advice)
    assert all(call.duration_s > 0 for call in replay.calls)
    assert all(replay.loads[name]["visible_cpus"] for name in replay.variants)


def test_compiles_per_call_of_the_guides_batch_sizes_are_what_torchs_metrics_say(run_python):
    replay = replay_shapes("tiny_cnn", [1, 4, 8, 16], [FAST, DYNAMIC, STATIC])
    expected = plainly(
        run_python,
        "from optkit.tiny_models import TinyCNN\n"
        "made = lambda: [torch.randn(size, 3, 32, 32) for size in (1, 4, 8, 16)]\n"
        "told = {}\n"
        "for name, dynamic in (('auto', None), ('true', True), ('false', False)):\n"
        "    told[name] = counts(TinyCNN().eval(), made(), backend='eager', dynamic=dynamic)\n"
        "print(json.dumps(told))\n",
    )
    found = per_call(replay)
    del found["eager"]
    assert list(found.values()) == list(expected.values())
    assert replay.of(STATIC)[3].shape == (16, 3, 32, 32)
    assert "warm up" in replay.advice[-1]


@pytest.mark.slow
def test_the_four_ways_with_inductor_compile_what_torchs_metrics_say(broken, run_python):
    replay = replay_shapes(broken, SIZES, inputs=torch.randn(4, 8))
    expected = plainly(
        run_python,
        f"made = lambda: [torch.randn(size, 8) for size in {SIZES}]\n"
        "told = {}\n"
        "for name, dynamic in (('auto', None), ('true', True), ('false', False), ('mark', None)):\n"
        "    told[name] = counts(Broken().eval(), made(), name == 'mark', dynamic=dynamic)\n"
        "print(json.dumps(told))\n",
    )
    found = per_call(replay)
    assert list(found) == ["eager", "compile", "compile:dynamic=true", "compile:dynamic=false", MARK]
    assert list(found.values())[1:] == list(expected.values())
    assert replay.of(MARK)[3].unmarked == ("x",)
    assert replay._repr_mimebundle_()["text/html"].count("<svg") == 1


def looked(model, inputs, sizes, variant=FAST, **more):
    """Return what a worker tells of a sequence, with torch's fast backend also for marks."""
    chosen = Variant.parse(variant)
    with Investigation(optkit.Workload(model, inputs)) as looking:
        sequence = [{"batch_size": size} for size in sizes]
        return looking.ask(looking.worker(chosen), "calls", chosen, sequence=sequence, **more)


@pytest.mark.slow
def test_marked_batches_compile_what_torchs_metrics_say_and_a_batch_of_one_is_not_marked(broken, run_python):
    answer = looked(broken, torch.randn(4, 8), SIZES, mark_dynamic=True)
    expected = plainly(
        run_python,
        f"made = [torch.randn(size, 8) for size in {SIZES}]\n"
        "print(json.dumps(counts(Broken().eval(), made, True, backend='eager')))\n",
    )
    assert [len(call["compiles"]) for call in answer["calls"]] == expected
    assert [call["unmarked"] for call in answer["calls"]] == [[], [], [], ["0"]]
    assert answer["told"] is True


class Constant(torch.nn.Module):
    def forward(self, x):
        return x + torch.ones(4, 8)


@pytest.mark.slow
def test_a_mark_on_a_size_that_the_model_has_built_in_is_an_error_of_that_call():
    answer = looked(Constant(), torch.randn(4, 8), [4, 8], mark_dynamic=True)
    assert "Constraints violated" in answer["calls"][0]["error"]


def test_a_shape_that_the_model_does_not_take_is_the_error_of_its_call_and_the_others_go_on():
    replay = replay_shapes(torch.nn.Linear(8, 4), [(4, 8), (4, 3), (2, 8)], FAST, torch.randn(4, 8))
    for name in ("eager", FAST):
        errors = [call.error for call in replay.of(name)]
        assert errors[0] is errors[2] is None
        assert errors[1]
        assert replay.of(name)[1].duration_s is None
    assert replay.advice[0].startswith("The model itself does not take 4×3; eager raised:")


@pytest.mark.slow
def test_when_torch_gives_up_recompiling_the_call_says_so():
    replay = replay_shapes(torch.nn.Linear(8, 4), range(2, 12), STATIC, torch.randn(4, 8))
    calls = replay.of(STATIC)
    assert [call.compiles for call in calls] == [1] * 8 + [0] * 2
    assert [call.number for call in calls if call.left_to_eager == (GAVE_UP,)] == [9]
    assert "left call 9 (10) to eager" in " ".join(replay.advice)


@pytest.mark.slow
def test_what_is_no_compiler_has_no_count_and_what_fails_alone_loses_nothing():
    def build():
        return lambda x: x * 2

    replay = replay_shapes(build, [4, 2], ["eager+channels_last", "eager+no_grad"], torch.ones(4, 8))
    assert replay.variants == ["eager", "eager+no_grad"]
    assert "nn.Module" in replay.failed["eager+channels_last"]
    traced = replay_shapes(torch.nn.Linear(8, 4), [4, 2], "torchscript", torch.randn(4, 8))
    assert [call.compiles for call in traced.of("torchscript")] == [None, None]


def test_a_model_without_inputs_is_called_with_the_shapes_that_are_given():
    replay = replay_shapes(torch.nn.Bilinear(8, 4, 2), [{0: (4, 8), 1: (4, 4)}, {"0": (6, 8), "1": (6, 4)}], FAST)
    assert [call.shapes for call in replay.of(FAST)] == [
        {"input1": (4, 8), "input2": (4, 4)},
        {"input1": (6, 8), "input2": (6, 4)},
    ]
    assert not any(call.error for call in replay.calls)


def test_a_name_that_only_the_worker_can_know_is_refused_there_in_one_sentence():
    with pytest.raises(
        UsageError, match="There is no tensor 'nothing' among the inputs; name one of these: tokens, mask"
    ):
        replay_shapes("tiny_transformer", [{"nothing": (4, 16)}], FAST)


@pytest.mark.slow
def test_inputs_of_a_model_from_the_zoo_are_named_by_keyword():
    replay = replay_shapes("tiny_transformer", [{"tokens": (n, 9), "mask": (n, 9)} for n in (2, 4)], [])
    assert replay.calls[1].shapes == {"tokens": (4, 9), "mask": (4, 9)}
    assert not any(call.error for call in replay.calls)


@pytest.mark.slow
def test_a_script_with_a_model_of_its_own_can_replay(run_python):
    said = run_python(
        "import torch, optkit.replay\n"
        "class Mine(torch.nn.Module):\n"
        "    def forward(self, x):\n"
        "        return x + 1\n"
        "if __name__ == '__main__':\n"
        f"    told = optkit.replay.replay_shapes(Mine(), [(2, 3), (4, 3)], {STATIC!r})\n"
        f"    print(told.compiles({STATIC!r}), told.of({STATIC!r})[1].reasons)\n"
    )
    assert said == "2 ('forward: x: 2 → 4 in dimension 0',)\n"


class Two(torch.nn.Module):
    def forward(self, x, ids, mask, scale):
        return x


def sequence(items, *inputs, variant="eager", **more) -> batches.Sequence:
    return batches.Sequence(
        LoadedModel(Two(), "forward", ((inputs, {}),), "cpu"), Variant.parse(variant), items, **more
    )


INPUTS = (
    torch.randn(4, 8, dtype=torch.float64),
    torch.tensor([[3, 7], [5, 4]]),
    torch.tensor([[True, True], [True, False]]),
    2,
)


def test_tensors_of_another_shape_have_the_dtype_and_the_values_of_those_that_were_given():
    item = {"shapes": {"x": [6, 3], "1": [50, 2], "mask": [5]}}
    ((x, ids, mask, scale), _), *_ = sequence([item], *INPUTS)
    assert (x.shape, x.dtype, ids.shape, ids.dtype) == ((6, 3), torch.float64, (50, 2), torch.int64)
    assert set(ids.flatten().tolist()) == {3, 4, 5, 6, 7}
    assert (mask.tolist(), scale) == ([True] * 5, 2)


def test_the_same_shape_has_the_same_values_each_time():
    item = {"shapes": {"": [3, 8]}}
    (first, _), (second, _) = sequence([item, item], *INPUTS)
    assert first[0].equal(second[0])
    assert first[0] is not second[0]


def test_a_batch_of_another_size_is_no_view_of_a_longer_one():
    ((x, *_), _), *_ = sequence([{"batch_size": 9}], torch.randn(4, 8))
    assert len(x) == 9
    assert x._base is None  # torch would guard on it, and compile again


def test_batches_are_converted_as_the_variant_wants_them():
    ((x, *_), _), *_ = sequence([{"shapes": {"": [2, 3, 4, 5]}}], *INPUTS, variant="eager+bfloat16+channels_last")
    assert x.dtype is torch.bfloat16
    assert x.is_contiguous(memory_format=torch.channels_last)


def test_only_tensors_whose_first_dimension_varies_are_marked():
    made = sequence([{"shapes": {"x": [n, 8], "ids": [2, n]}} for n in (4, 8, 1)], *INPUTS, mark_dynamic=True)
    calls = [args for (args, _) in made]
    assert [hasattr(args[0], "_dynamo_dynamic_indices") for args in calls] == [True, True, False]
    assert not any(hasattr(args[1], "_dynamo_dynamic_indices") for args in calls)
    assert made.unmarked == [[], [], ["0"]]


def test_a_batch_size_for_inputs_that_hold_no_batch_is_refused_before_anything_is_called():
    with pytest.raises(UsageError, match="give shapes instead"):
        sequence([{"batch_size": 4}], torch.tensor(1.0))


class RaisesLater(torch.nn.Linear):
    def forward(self, x):
        if x.shape[0] > 3:
            raise ValueError("too large")
        return super().forward(x)


@pytest.mark.slow
def test_calls_after_one_that_was_left_to_eager_are_told_as_eager():
    """In a plain process with torch 2.13 a counting backend runs no graph in calls 2 to 4, that of size 2 neither."""
    replay = replay_shapes(RaisesLater(8, 8), [2, 4, 3, 2], FAST, torch.randn(4, 8))
    assert [bool(call.left_to_eager) for call in replay.of(FAST)] == [False, True, True, True]
    assert not any("ran on what" in one for one in replay.advice)


class Counts(torch.nn.Linear):
    n = 0

    def forward(self, x):
        self.n += 1
        return super().forward(x) * self.n


@pytest.mark.slow
def test_what_is_no_shape_is_said_to_be_why():
    replay = replay_shapes(Counts(8, 8), [4] * 4, FAST, torch.randn(4, 8))
    assert any("what is no shape" in one and "self.n" in one for one in replay.advice), replay.advice
    assert not any("warm up" in one for one in replay.advice)
