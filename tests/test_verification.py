"""What a verification says of a recipe: it holds, it does not, or that cannot be told."""

from __future__ import annotations

from pathlib import Path

import pytest

from optkit.comparison import Comparison
from optkit.errors import UsageError
from optkit.verification import Verification, verify
from stories import bring_up, checked, ended, failed, finished, rounds, started

SAVED = {"speedup": 2.0, "speedup_low": 1.8, "speedup_high": 2.2, "first_call_s": 9.0, "agreement": "equal"}


def found(ms=1.0, *, agreement="equal", count=20, more=(), **fields):
    """Return a verification of a recipe that was twice as fast as eager, which takes 2 ms."""
    told = [started("compile"), *bring_up("eager"), *bring_up("compile", graphs=1)]
    told += [*rounds(count, eager=2.0, compile=ms), *([checked("compile", agreement)] if agreement else []), *more]
    given = {
        "folder": Path("recipe"), "found": {"load_s": 1.0, "first_call_s": 0.5, "distance": 1e-7},
        "comparison": Comparison([*told, *finished("eager", "compile"), ended()]), "saved": SAVED, "variant": "compile",
    }  # fmt: skip
    return Verification(**given | fields)


def test_it_holds_where_the_intervals_overlap_and_the_outputs_agree():
    verification = found()
    assert (verification.holds, verification.overlaps) == (True, True)
    assert "the intervals overlap" in str(verification)
    assert "within 1e-07 of their size; they are equal to eager's of now" in str(verification)
    assert "Loaded in 1.00 s, first call 500 ms" in str(verification)


def test_it_does_not_hold_where_it_is_surely_slower_than_it_was():
    verification = found(4.0)
    assert (verification.holds, verification.overlaps) == (False, False)
    assert "do not overlap" in str(verification)


def test_what_is_faster_than_it_was_holds():
    assert found(0.5).holds


@pytest.mark.parametrize("agreement", ["different", "nan", "shape"])
def test_other_outputs_do_not_hold_however_fast(agreement):
    assert found(agreement=agreement).holds is False


def test_without_an_interval_it_cannot_be_told():
    assert found(count=1).holds is None
    assert found(saved=SAVED | {"speedup_low": None}).holds is None
    assert found(agreement=None).holds is None


def test_outputs_that_cannot_be_repeated_are_not_said_to_agree():
    verification = found(agreement="nondeterministic", compares=False)
    assert verification.holds
    assert "could not be repeated when it was saved, so outputs are not compared" in str(verification)
    assert found(agreement="nondeterministic").holds is False


def test_what_failed_now_does_not_hold():
    assert found(more=[failed("compile")]).holds is False


def test_what_is_refused_has_one_sentence_and_what_changed_and_no_numbers():
    refused = Verification(Path("recipe"), ["run.py was edited since it was saved."], refused="It is another.")
    assert refused.lines() == ["It is another.", "run.py was edited since it was saved."]
    assert (refused.holds, refused.measurement, refused.overlaps) == (False, None, None)
    assert refused.to_json()["comparison"] is None


def test_a_folder_without_a_recipe_or_with_a_damaged_record_is_wrong_use(tmp_path):
    with pytest.raises(UsageError, match="There is no recipe in"):
        verify(tmp_path)
    (tmp_path / "recipe.json").write_text("{")
    with pytest.raises(UsageError, match="damaged; save the recipe again"):
        verify(tmp_path)
    (tmp_path / "recipe.json").write_text('{"schema": 99, "optkit": "9.9"}')
    with pytest.raises(UsageError, match=r"another version of optkit, 9\.9"):
        verify(tmp_path)
