"""How far outputs are from those expected."""

from __future__ import annotations

import dataclasses
import math
from typing import NamedTuple

import pytest
import torch

from optkit import script
from optkit.worker.outputs import constants, distance, tensors

X = torch.tensor([1.0, -4.0])


class Pair(NamedTuple):
    a: object
    b: object


@dataclasses.dataclass
class Output:
    logits: torch.Tensor
    state: object = None


@pytest.mark.parametrize(
    "held", [X, [X], (X,), {"a": X}, Pair(X, 3), Output(X), {"a": [None, {"b": X}]}, Output(None, [X])]
)
def test_tensors_are_found_in_whatever_holds_them(held):
    assert [one.data_ptr() for one in tensors(held)] == [X.data_ptr()]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (X + 0.4, 0.1372), (X, 0.0), ([X], 0.0), ([X, X], math.inf), (X[:1], math.inf), (X * math.nan, math.inf),
        (X.half(), 0.0), (None, math.inf), (X.to(torch.complex64), math.inf), (torch.tensor([1, -4]), math.inf),
    ],
)  # fmt: skip
def test_distance_is_relative_to_the_size_and_infinite_for_another_form(found, expected):
    assert distance(found, X) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(
    ("found", "reference", "expected"),
    [
        ([math.nan, 1.0], [math.nan, 1.0], 0.0), ([0.0, 1.0], [math.nan, 1.0], math.inf),
        ([math.inf, 1.0], [math.inf, 1.0], 0.0), ([-math.inf, 1.0], [math.inf, 1.0], math.inf),
        ([1 + 1j], [1 + 1j], 0.0), ([1 + 1j], [1.0], math.inf),
        ([1, 2], [1, 2], 0.0), ([1, 3], [1, 2], math.inf), ([True], [True], 0.0), ([], [], 0.0),
    ],
)  # fmt: skip
def test_what_is_no_finite_float_must_be_the_same(found, reference, expected):
    assert distance(torch.tensor(found), torch.tensor(reference)) == expected


def test_one_large_value_does_not_hide_many_that_are_wrong():
    expected = torch.cat([torch.tensor([1e3]), torch.ones(999)])
    found = expected.clone()
    found[1:] += 0.9
    assert distance(found, expected) > 0.02


def test_constants_are_what_is_no_tensor():
    assert constants([(X, 2.0, [None, X]), {"a": "b"}]) == [2.0, None, "b"]


def test_nothing_to_compare_is_no_agreement():
    assert distance([], []) == math.inf


def test_what_is_printed_into_scripts_is_this_code():
    space = {"torch": torch}
    exec(script.helpers("tensors", "distance"), space)
    assert space["distance"]((X + 0.4, X), (X, X)) == pytest.approx(0.1372, rel=1e-3)
