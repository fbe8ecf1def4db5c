"""The gate: what is surely slower, surely not, and what cannot be told. No study runs here."""

from __future__ import annotations

import dataclasses
import json

import pytest

import optkit
from optkit import environment
from optkit.comparison import Comparison
from optkit.errors import UsageError
from optkit.gating import fraction, gate
from optkit.workload import Workload
from stories import bring_up, checked, ended, failed, finished, rounds, started

HERE = environment.detect()
RECORD = Workload("tiny_cnn").describe(HERE)


def run(
    *, eager=10, compiled=5, run_id="before", count=20, machine=None, record=RECORD, broken=None, agreement="equal"
):
    first = dataclasses.replace(
        started("compile", workload=record), run_id=run_id, environment=HERE.to_json() | (machine or {})
    )
    told = [first, *bring_up("eager"), *bring_up("eager", twin=True), *bring_up("compile", graphs=1)]
    told += rounds(count, eager=eager, compile=compiled)
    told += [broken] if broken else []
    told += [
        checked("eager", "equal"),
        checked("eager", "equal", twin=True),
        *([checked("compile", agreement)] if agreement else []),
    ]
    return Comparison([*told, *finished("eager", "compile"), ended()])


def judged(after, before=None, **fields):
    asked = []

    def measure(study):
        asked.append(study)
        return after

    told = gate("tiny_cnn", before or run(), measure=measure, **fields)
    assert [str(variant) for variant in asked[0].variants] == ["compile"]
    return told


@pytest.mark.parametrize(
    ("compiled", "most", "holds"),
    [(5, 0.05, True), (4, 0.05, True), (6, 0.05, False), (5.5, 0.2, True), (5.25, 0.05, None), (5, 0.0, None)],
)
def test_what_is_surely_slower_surely_not_or_cannot_be_told(compiled, most, holds):
    told = judged(run(compiled=compiled, run_id="after"), max_slowdown=most)
    assert told.holds is holds
    (row,) = told.rows
    assert row.variant == "compile"
    assert row.slowdown == pytest.approx(compiled / 5 - 1, abs=0.02)
    assert row.low <= row.slowdown <= row.high
    assert json.loads(told.to_json())["holds"] is holds


def test_what_eager_moved_by_itself_is_noise():
    told = judged(run(eager=13, compiled=6.5, run_id="after"))
    assert told.holds is None
    assert "steady (--steady) says so" in told.rows[0].reason
    assert judged(run(eager=10, compiled=6.5, run_id="after")).holds is False


def test_a_variant_that_fails_now_or_gives_other_outputs_does_not_hold():
    told = judged(run(broken=failed("compile", "rounds"), run_id="after"))
    assert told.holds is False
    assert "It fails now: It broke." in told.rows[0].reason
    told = judged(run(agreement="different", run_id="after"))
    assert told.holds is False
    assert "do not any more (different)" in str(told)


def test_what_failed_in_the_earlier_run_as_well_is_no_regression():
    told = judged(run(broken=failed("compile"), run_id="after"), run(broken=failed("compile")))
    assert told.holds is None
    assert "It failed in the earlier run as well" in told.rows[0].reason


def test_few_rounds_or_another_machine_cannot_be_told():
    assert judged(run(count=4, run_id="after")).holds is None
    told = judged(run(run_id="after"), run(machine={"cpu": "another"}))
    assert told.holds is None
    assert "made elsewhere (processor differ)" in told.rows[0].reason


def test_where_there_is_only_eager_it_is_judged_itself():
    def alone(eager, run_id):
        first = dataclasses.replace(started(workload=RECORD), run_id=run_id, environment=HERE.to_json())
        told = [first, *bring_up("eager"), *bring_up("eager", twin=True), *rounds(20, eager=eager)]
        return Comparison([*told, checked("eager", "equal"), *finished("eager"), ended()])

    assert gate("tiny_cnn", alone(10, "a"), measure=lambda _: alone(10, "b")).holds is True
    assert gate("tiny_cnn", alone(10, "a"), measure=lambda _: alone(10, "b")).rows[0].variant == "eager"


def test_an_earlier_run_of_something_else_is_refused_before_anything_is_measured():
    def measure(study):
        raise AssertionError

    with pytest.raises(UsageError, match="measured something else"):
        gate("tiny_transformer", run(), measure=measure)
    with pytest.raises(UsageError, match="must be a share such as"):
        gate("tiny_cnn", run(), max_slowdown=-1, measure=measure)
    with pytest.raises(UsageError, match="has no events"):
        gate("tiny_cnn", Comparison(), measure=measure)


def test_the_earlier_run_can_be_a_file(tmp_path, monkeypatch):
    from optkit.store import Store

    monkeypatch.setenv("OPTKIT_HOME", str(tmp_path / "home"))
    first = dataclasses.replace(started("compile", workload=RECORD), run_id="x", environment=HERE.to_json())
    with Store() as store:
        store.append("x", 0, [first, *bring_up("eager"), *rounds(20, eager=10, compile=5)])
    optkit.export_runs(tmp_path / "run.jsonl", "x")
    monkeypatch.setenv("OPTKIT_HOME", str(tmp_path / "other"))
    assert gate("tiny_cnn", tmp_path / "run.jsonl", measure=lambda _: run(run_id="after")).diff.before == "x"


def test_where_the_machine_is_steady_what_eager_lost_is_the_models():
    told = gate("tiny_cnn", run(), steady=True, measure=lambda _: run(eager=20, compiled=10, run_id="after"))
    assert told.holds is False
    assert [row.holds for row in told.rows] == [False, False]
    assert gate("tiny_cnn", run(), steady=True, measure=lambda _: run(run_id="after")).holds is True


def test_outputs_that_were_not_compared_cannot_be_told_and_that_never_agreed_are_no_reason():
    assert judged(run(agreement=None, run_id="after")).holds is None
    assert judged(run(agreement="different", run_id="after"), run(agreement="different")).holds is True


def test_a_share_is_written_with_a_percent_sign_or_as_a_fraction():
    assert (fraction("5%"), fraction(" 0.05 "), fraction("150%"), fraction("0")) == (0.05, 0.05, 1.5, 0.0)
    assert (fraction(0.05), fraction(2)) == (0.05, 2.0)
    for said in ("5", "1", "-5%", "five", "", "nan", "inf", None, True, -1):
        with pytest.raises(UsageError, match="must be a share such as"):
            fraction(said)
