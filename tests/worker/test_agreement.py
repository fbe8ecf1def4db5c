"""What is equal, close or different, for whatever a model may return."""

from __future__ import annotations

import collections
import dataclasses
import math
from typing import Any, NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing._comparison import default_tolerances

from optkit.worker import leaves
from optkit.worker.agreement import NUMBER_TOLERANCES, SEVERITY, TOLERANCES, combine, compare, repeats
from optkit.worker.leaves import flatten


class Pair(NamedTuple):
    scores: Any
    pooled: Any = None


@dataclasses.dataclass
class Output:
    logits: Any
    hidden: Any = None


@dataclasses.dataclass
class ModelOutput(collections.OrderedDict):
    logits: Any = None

    def __post_init__(self):
        self["logits"] = self.logits


class Opaque:
    pass


def noise(shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def agreement(found, reference, precise=None):
    return compare(flatten(found), flatten(reference), None if precise is None else lambda: flatten(precise))


def test_leaves_are_found_by_path_in_whatever_holds_them():
    output = Output(Pair(1.5, [True, None]), {"a": ({"b": torch.ones(2)}, "text"), 3: ModelOutput(2)})
    assert list(flatten(output)) == [
        "output.logits.scores",
        "output.logits.pooled[0]",
        "output.logits.pooled[1]",
        "output.hidden['a'][0]['b']",
        "output.hidden['a'][1]",
        "output.hidden[3].logits",
    ]


def test_leaves_are_copies():
    tensor = torch.ones(2, requires_grad=True)
    leaf = flatten(tensor)["output"]
    tensor.data.zero_()
    assert leaf.tolist() == [1, 1]
    assert not leaf.requires_grad


def test_sparse_nested_and_array_leaves_are_dense_tensors():
    nested = torch.nested.nested_tensor([torch.ones(2), torch.ones(3)], layout=torch.jagged)
    found = flatten([torch.eye(2).to_sparse(), torch.ones(2).numpy(), nested])
    assert found["output[0]"].layout == torch.strided
    assert found["output[1]"].tolist() == [1, 1]
    assert [len(found[f"output[2][{i}]"]) for i in range(2)] == [2, 3]


def test_objects_of_other_types_are_named_and_not_compared():
    found = flatten({"x": torch.ones(2), "y": Opaque()})
    assert leaves.not_compared(found) == [f"output['y'] ({__name__}.Opaque)"]
    assert compare(found, flatten({"x": torch.ones(2), "y": Opaque()})).status == "equal"


def test_outputs_of_which_nothing_can_be_compared_are_not_called_equal():
    found = agreement(Opaque(), Opaque())
    assert found.status == "structure"
    assert "Opaque" in found.why
    assert repeats([flatten(Opaque())], [flatten(Opaque())])


def test_a_list_that_contains_itself_ends():
    endless = [torch.ones(1)]
    endless.append(endless)
    assert agreement(endless, endless).status == "equal"
    assert len(leaves.not_compared(flatten(endless))) == 1


@pytest.mark.parametrize("kind", [collections.OrderedDict, dict])
def test_the_kind_of_a_mapping_and_its_order_do_not_matter(kind):
    assert agreement(kind(b=1, a=2), {"a": 2, "b": 1}).status == "equal"


def test_leaves_travel_through_a_file_that_holds_no_program(tmp_path):
    batch = flatten([torch.ones(2), 1j, True, None, 2**70, "text", b"bytes", math.inf, torch.float16])
    leaves.save([batch], None, {"random": True}, str(tmp_path / "reference"))
    (found,), others, flags = leaves.load(str(tmp_path / "reference"))
    assert others is None
    assert flags == {"random": True}
    assert found.keys() == batch.keys()
    assert all(torch.equal(found[k], v) if isinstance(v, torch.Tensor) else found[k] == v for k, v in batch.items())
    assert [path.name for path in tmp_path.iterdir()] == ["reference"]


def test_tolerances_are_those_of_torch():
    assert {dtype: default_tolerances(dtype) for dtype in TOLERANCES} == TOLERANCES


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.complex64])
@pytest.mark.parametrize("size", [1, 1e-4])
def test_a_drift_of_five_percent_is_different(dtype, size):
    reference = (noise((8, 16)).softmax(-1) * size).to(dtype)
    found = agreement(reference * 1.05, reference, precise=reference.to(torch.complex128).real)
    assert found.status == "different"
    assert found.where == "output"
    assert "output differs from eager's by up to" in found.why


def test_a_drift_of_probabilities_is_different_although_torch_calls_it_close():
    reference = noise((2, 10_000)).mul(0.1).softmax(-1)
    torch.testing.assert_close(reference * 1.05, reference)
    assert agreement(reference * 1.05, reference, precise=reference.double()).status == "different"


def test_a_drift_of_one_element_of_many_is_different():
    reference = noise((1000, 1000))
    found = reference.clone()
    found[3, 4] = reference[3, 4] * 1.05 if reference[3, 4].abs() > 0.5 else reference[3, 4] + 0.05
    assert agreement(found, reference, precise=reference.double()).status == "different"


def test_another_order_of_summation_is_close():
    a, b = noise((32, 4096)), noise((4096, 32), 1)
    exact = a.double() @ b.double()
    split = a[:, :1000] @ b[:1000] + a[:, 1000:] @ b[1000:]
    found = agreement(split, a @ b, precise=exact)
    assert found.status == "close"
    assert 0 < found.max_abs_error < 1e-3
    assert found.cosine == pytest.approx(1)
    assert found.why == ""


def test_what_is_as_far_from_fp64_as_eager_is_close_and_without_fp64_different():
    exact = noise(1000).double()
    eager, variant = (exact.float() + noise(1000, seed) * 1e-3 for seed in (1, 2))
    assert agreement(variant, eager).status == "different"
    assert agreement(variant, eager, precise=exact).status == "close"
    assert agreement(variant + 0.01, eager, precise=exact).status == "different"


@pytest.mark.parametrize(("dtype", "status"), [(torch.bfloat16, "close"), (torch.float32, "different")])
def test_half_precision_may_be_three_times_as_far_from_fp64_as_eager(dtype, status):
    exact = torch.full((100,), 64.0, dtype=torch.float64)
    assert (
        agreement(torch.full((100,), 69.0, dtype=dtype), torch.full((100,), 66.0, dtype=dtype), exact).status == status
    )


def test_an_fp64_reference_of_something_else_forgives_nothing():
    eager, exact = noise(1000), noise(1000, 1).double()
    assert agreement(torch.zeros(1000), eager, precise=exact).status == "different"


def test_fp64_is_asked_for_only_where_it_decides():
    asked = []

    def precise():
        asked.append(1)
        return flatten([torch.ones(2).double() + 0.01] * 2)

    x = flatten([torch.ones(2), torch.ones(2)])
    assert compare(flatten([torch.ones(2), torch.ones(2) + 1e-7]), x, precise).status == "close"
    assert asked == []
    assert compare(flatten([torch.ones(2) + 0.02] * 2), x, precise).status == "close"
    assert asked == [1]


@pytest.mark.parametrize("precise", [None, [1.0], torch.ones(3), torch.full((2,), math.nan), "text"])
def test_an_fp64_reference_that_cannot_be_used_decides_nothing(precise):
    assert compare(flatten(torch.zeros(2)), flatten(torch.ones(2)), lambda: precise and None).status == "different"
    assert agreement(torch.zeros(2), torch.ones(2), precise).status == "different"


@pytest.mark.parametrize(
    ("found", "reference", "status"),
    [
        ([torch.ones(2)], torch.ones(2), "structure"),
        ({"a": 1}, {"a": 1, "b": 2}, "structure"),
        (None, torch.ones(2), "structure"),
        (1.0, torch.ones(()), "structure"),
        ([], [1], "structure"),
        (torch.ones(2).half(), torch.ones(2), "dtype"),
        (1, 1.0, "dtype"),
        (torch.ones(2, 1), torch.ones(2), "shape"),
        (torch.ones(2, 0), torch.ones(2, 0), "equal"),
        (torch.tensor([1, 2]), torch.tensor([1, 3]), "different"),
        (torch.tensor([True]), torch.tensor([False]), "different"),
        ("a", "b", "different"),
        (1, 2, "different"),
        (1.0, 1.0 + 1e-9, "close"),
        (1.0, 1.1, "different"),
        (1j, 1j, "equal"),
        (torch.zeros(3), torch.zeros(3), "equal"),
        (torch.zeros(3) + 1e-7, torch.zeros(3), "close"),
        (torch.tensor([1e300], dtype=torch.float64), torch.tensor([2e300], dtype=torch.float64), "different"),
        (None, None, "equal"),
        ((), (), "equal"),
        (math.nan, 1.0, "nan"),
        (torch.tensor([complex(0, math.inf)]), torch.tensor([1j]), "inf"),
    ],
)
def test_status(found, reference, status):
    result = agreement(found, reference)
    assert result.status == status
    assert bool(result.why) == (status not in ("equal", "close"))


@pytest.mark.parametrize(("value", "status", "said"), [(math.nan, "nan", "NaN"), (-math.inf, "inf", "infinite")])
def test_what_is_not_finite_is_said_to_be_eagers_where_it_is(value, status, said):
    sound, broken = torch.ones(2), torch.tensor([1, value])
    own, eagers, both = agreement(broken, sound), agreement(sound, broken), agreement(broken, broken)
    assert {own.status, eagers.status, both.status} == {status}
    assert f"contains {said}" in own.why
    assert eagers.why == both.why
    assert eagers.why.startswith("Eager's own")
    assert own.max_abs_error is None
    assert both.max_abs_error == 0 or status == "nan"


def test_the_worst_leaf_is_named():
    reference = {"a": torch.ones(2), "b": torch.ones(3), "c": 3}
    found = agreement({"a": torch.ones(2) * 2, "b": torch.ones(4), "c": 3}, reference)
    assert (found.status, found.where) == ("shape", "output['b']")
    assert found.max_abs_error == 1
    assert "4 where eager's has 3" in found.why


def test_top1_and_cosine():
    reference = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    found = agreement([3, reference.flip(0)], [3, reference])
    assert (found.top1, found.cosine) == (0, 0)
    assert agreement([3, reference], [3, reference]).top1 == 1


def test_of_several_batches_the_worst_counts():
    one, other = agreement(torch.ones(2), torch.ones(2)), agreement(torch.ones(2), torch.zeros(2))
    both = combine([one, other])
    assert (both.status, both.max_abs_error, both.where) == ("different", 1, "output")
    assert combine([one, agreement(torch.ones(2), torch.tensor([1, math.nan]))]).max_abs_error is None


def test_runs_repeat_where_nan_is_at_the_same_places():
    nans, other = torch.tensor([1.0, math.nan, math.inf]), torch.tensor([1.0, math.inf, math.nan])
    assert repeats([flatten(nans)], [flatten(nans)])
    assert not repeats([flatten(nans)], [flatten(other)])
    assert not repeats([flatten(nans)], [flatten(nans * -1)])


def test_dtypes_that_can_hardly_do_anything_raise_nothing():
    reference = torch.zeros(4, dtype=torch.uint8).view(torch.float4_e2m1fn_x2)
    assert agreement(reference, reference).status in SEVERITY
    for dtype in (torch.float8_e4m3fn, torch.uint64, torch.bool):
        one = torch.ones(4).to(dtype)
        assert agreement(one, one).status == "equal"
        assert agreement(one, torch.zeros(4).to(dtype)).status == "different"
    assert NUMBER_TOLERANCES[1] == 0


DTYPES = st.sampled_from([torch.float32, torch.float16, torch.int64, torch.bool, torch.complex64])
TENSORS = st.builds(
    lambda shape, dtype: torch.full(shape, 3).to(dtype), st.lists(st.integers(0, 3), max_size=3), DTYPES
)
NUMBERS = st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
NESTED = st.recursive(
    st.none() | NUMBERS | st.text() | TENSORS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
        | st.tuples(inner, inner)
        | st.builds(Output, inner, inner)
        | st.builds(Pair, inner, inner)
    ),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None)
@given(NESTED)
def test_whatever_is_compared_with_itself_is_equal(output):
    assert agreement(output, output).status == "equal"


@settings(max_examples=100, deadline=None)
@given(NESTED, NESTED)
def test_whatever_is_compared_with_anything_gives_a_status(found, reference):
    assert agreement(found, reference, precise=found).status in SEVERITY
    assert isinstance(repeats([flatten(found)], [flatten(reference)]), bool)


def reduced(found, reference, peer, precise=None):
    exact = None if precise is None else lambda: flatten(precise)
    return compare(flatten(found), flatten(reference), exact, lambda: flatten(peer))


def test_what_is_as_near_as_eager_in_the_same_precision_is_reduced_whatever_its_dtype():
    full = noise((8, 16))
    half = full.bfloat16()
    found = reduced(half, full, half, full.double())
    assert found.status == "reduced"
    assert found.max_abs_error == float((half.double() - full.double()).abs().max())
    assert reduced(full, full, full, full.double()).status == "reduced"


def test_less_precision_forgives_no_more_than_eager_shows_in_it():
    full = noise((8, 16))
    half = full.bfloat16()
    assert reduced(half * 1.1, full, half, full.double()).status == "different"
    assert reduced(half.float(), full, half).status == "dtype"
    assert reduced(half[:4], full, half).status == "shape"
    assert reduced(half.clone().fill_(math.nan), full, half).status == "nan"


def test_where_even_eager_is_far_off_in_less_precision_nothing_passes():
    full = noise((8, 16))
    wrecked = full + 0.5 * noise((8, 16), seed=1)
    found = reduced(wrecked, full, wrecked, full.double())
    assert found.status == "different"
    assert "even eager is far off" in found.why


def test_without_fp64_eager_in_full_precision_is_the_yardstick():
    full = noise((8, 16))
    half = full.bfloat16()
    assert reduced(half, full, half).status == "reduced"
    assert reduced(half * 1.1, full, half).status == "different"


def test_a_choice_that_eager_makes_alike_in_less_precision_is_reduced():
    full, half = noise((8, 16)), torch.tensor([3])
    assert reduced([full, torch.tensor([3])], [full, torch.tensor([4])], [full, half]).status == "reduced"
    assert reduced([full, torch.tensor([2])], [full, torch.tensor([4])], [full, half]).status == "different"
