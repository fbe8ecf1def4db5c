"""Marks: a variant keeps its colour and shape."""

from __future__ import annotations

from optkit.marks import BASELINE_MARK, MARKS, SHAPES, Marks


def drawn(marks, holder, *names):
    return {one.name: (one.color, one.shape) for one in marks.assign(holder, names, "eager")}


def test_the_baseline_looks_like_no_other_and_not_like_the_remove_button():
    assert BASELINE_MARK[1] not in {shape for _, shape in MARKS} | {"cross"}
    assert {shape for _, shape in MARKS} < set(SHAPES)
    assert drawn(Marks(), "list", "eager")["eager"] == BASELINE_MARK


def test_a_known_variant_keeps_its_mark_and_a_new_one_gets_the_first_that_is_free():
    marks = Marks()
    before = drawn(marks, "list", "eager", "a", "b")
    after = drawn(marks, "list", "eager", "b", "c")
    assert after["b"] == before["b"]
    assert after["c"] == MARKS[2]
    assert drawn(marks, "list", "a")["a"] == before["a"]


def test_marks_of_what_nobody_shows_are_used_again_but_not_those_that_the_study_shows():
    marks = Marks()
    shown = drawn(marks, "study", "eager", "kept")
    for number in range(20):
        (mark,) = drawn(marks, "list", f"v{number}").values()
        assert mark in MARKS
        assert mark != shown["kept"]
    assert drawn(marks, "study", "kept") == {"kept": shown["kept"]}


def test_many_variants_have_a_mark_each():
    names = [f"v{number}" for number in range(49)]
    assert len(set(drawn(Marks(), "list", *names).values())) == 49


def test_more_variants_than_marks_are_drawn_all_the_same():
    assert len(drawn(Marks(), "list", *(f"v{number}" for number in range(60)))) == 60
