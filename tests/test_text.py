"""The text form of values."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from optkit import text

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.text('"\\|,=+:. ()ae1-', max_size=6)
    | st.sampled_from(["true", "None", "AUTO", "1", "1e5", " 1", "nan", "inf", "1_000", "f()", "a\\", "\u0661"])
)
VALUES = SCALARS | st.lists(SCALARS, min_size=1, max_size=4).map(tuple)


def same(one, other):
    """Equal, and of equal types: 1, 1.0 and True are different settings."""
    if isinstance(one, tuple):
        return isinstance(other, tuple) and len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


@given(VALUES)
@example(("a\\", "b|c"))
@example("ends with a backslash\\")
def test_load_reads_what_dump_wrote(value):
    assert same(text.load(text.dump(value)), value)


@given(st.lists(VALUES, min_size=1, max_size=4), st.sampled_from(",+"))
def test_splitting_joined_values_gives_them_back(values, separator):
    written = [text.dump(value) for value in values]
    assert text.split(separator.join(written), separator) == written


@given(VALUES)
def test_a_written_value_has_no_white_space_at_its_ends(value):
    assert text.dump(value) == text.dump(value).strip()


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (True, "true"), (False, "false"), (None, "none"), (3, "3"), (0.5, "0.5"), (1e-05, "1e-05"), (1e30, "1e30"),
        ("max-autotune", "max-autotune"), ("", '""'), ("3", '"3"'), ("a,b", '"a,b"'), ('say "x"', '"say \\"x\\""'),
        ((1, 2), "1|2"), (("a",), "a|"), (len, "len()"),
    ],
)  # fmt: skip
def test_values_are_written_plainly_and_quoted_only_where_they_would_read_otherwise(value, written):
    assert text.dump(value) == written


def test_at_most_so_many_splits_are_made():
    assert text.split("a=b=c", "=", maximum=1) == ["a", "b=c"]


def test_a_callable_object_goes_by_its_class():
    class Backend:
        def __call__(self):
            return None

    assert text.dump(Backend()) == "Backend()"


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (None, "–"), (0.0631, "63.1 ms"), (0.00631, "6.31 ms"), (0.631, "631 ms"), (1.0, "1.00 s"), (12.34, "12.3 s"),
        (123.4, "123 s"), (4e-6, "4.00 µs"), (3e-8, "30 ns"), (0.9999, "1.00 s"),
    ],
)  # fmt: skip
def test_a_duration_has_three_digits_and_a_unit(seconds, written):
    assert text.duration(seconds) == written


@given(st.floats(1e-9, 99))
def test_a_duration_reads_back_within_its_three_digits(seconds):
    number, unit = text.duration(seconds).split()
    read = float(number) * {"s": 1, "ms": 1e-3, "µs": 1e-6, "ns": 1e-9}[unit]
    assert math.isclose(read, seconds, rel_tol=0.006, abs_tol=0.6e-9)
