"""Measurements: what is known of one variant, folded from hand-made events."""

from __future__ import annotations

import pytest

from optkit import stats
from optkit.comparison import Comparison
from optkit.measurement import COLUMNS
from optkit.verdicts import Verdict
from stories import bring_up, ended, failed, finished, rounds, skipped, started, turn

DESIGN = """variant status verdict speedup speedup_low speedup_high median_s p90_s p99_s calls rounds
first_call_s prepare_s startup_cold_s startup_warm_s break_even_cold_calls break_even_warm_calls throughput_per_s graphs
graph_breaks recompiles max_abs_error agreement peak_memory_bytes artifact_bytes headroom doubts failed_phase reason"""


def study(*events, variants=("compile",), count=20, twin=True, **medians_ms) -> Comparison:
    """Return a comparison of eager and `variants` after `count` rounds, and then `events`."""
    medians = {"eager": 2.0, "compile": 1.0} | medians_ms
    told = [started(*variants), *bring_up("eager"), *bring_up("eager", twin=True)]
    told += [event for variant in variants for event in bring_up(variant, graphs=1)]
    return Comparison([*told, *rounds(count, twin=twin, **medians), *events])


def compiled(*events, **fields):
    return study(*events, **fields).measurements["compile"]


def test_a_row_has_exactly_the_columns_of_the_design_in_their_order():
    assert tuple(DESIGN.split()) == COLUMNS
    assert all(tuple(row) == COLUMNS for row in study().rows())


def test_before_anything_happened_every_number_is_missing():
    row = Comparison([started("compile")]).measurements["compile"].row()
    assert {key for key, value in row.items() if value is not None} == {"variant", "status", "doubts"}
    assert (row["variant"], row["status"], row["doubts"]) == ("compile", "waiting", ())


def test_what_was_not_measured_is_missing_and_never_zero():
    rows = Comparison([started("compile"), *bring_up("compile", graphs=1)]).rows()
    numbers = [v for row in rows for k, v in row.items() if k != "graph_breaks" and not isinstance(v, str | tuple)]
    assert 0 not in numbers
    assert rows[1]["graph_breaks"] == 0  # this one was counted


def test_a_measured_row_holds_what_was_told():
    row = compiled(*finished("compile"), ended()).row()
    assert row["status"] == "ok"
    assert row["median_s"] == pytest.approx(0.001)
    assert row["first_call_s"] == 0.5
    assert row["prepare_s"] == 0.25
    assert (row["graphs"], row["graph_breaks"]) == (1, 0)
    assert (row["rounds"], row["calls"]) == (20, 80)
    assert row["speedup"] == pytest.approx(2.0)
    assert row["speedup_low"] <= row["speedup"] <= row["speedup_high"]
    assert row["verdict"] == "faster"
    assert row["reason"] is row["failed_phase"] is None


def test_first_calls_and_warming_up_are_never_among_the_samples():
    samples = compiled().samples_s
    assert len(samples) == 80
    assert max(samples) < 0.0011  # the first call took 0.5 s, the next two 0.3 and 0.2, settling 0.1 each


def test_preliminary_rounds_are_shown_meanwhile_and_never_among_the_samples():
    early = [turn(v, 1, ms, kind="preliminary") for v, ms in (("eager", 60.0), ("compile", 20.0))]
    comparison = Comparison([started("compile"), *early])
    measurement = comparison.measurements["compile"]
    assert measurement.preliminary
    assert measurement.median_s == pytest.approx(0.02)
    assert measurement.speedup == pytest.approx(3.0)
    assert measurement.verdict is Verdict.INCONCLUSIVE
    assert measurement.samples_s == []
    assert (measurement.row()["rounds"], measurement.row()["calls"]) == (None, None)
    for event in rounds(1, eager=2.0, compile=1.0):
        comparison.apply(event)
    assert not measurement.preliminary
    assert measurement.speedup == pytest.approx(2.0)
    assert max(measurement.samples_s) < 0.0011


def test_blocks_count_all_their_calls_and_give_no_percentiles():
    measurement = compiled(turn("compile", 21, *[100.0] * 700, calls_per_sample=100))
    assert measurement.calls == 80 + 70_000
    assert measurement.samples_s[-1] == pytest.approx(0.001)
    assert measurement.row()["p90_s"] is None


def test_percentiles_are_given_only_with_enough_calls():
    few = compiled(count=15).row()  # 60 calls
    many = compiled(count=20).row()  # 80
    assert few["p90_s"] is None
    assert many["p90_s"] == pytest.approx(0.00101)
    assert many["p99_s"] is None


def test_the_speedup_is_paired_by_round_so_that_a_common_disturbance_cancels():
    told = [started("compile")]
    for number, slow in enumerate((1, 10, 1, 7, 1, 1, 3, 1, 90, 1), start=1):
        told += [turn("eager", number, 2.0 * slow), turn("compile", number, 1.0 * slow)]
    measurement = Comparison(told).measurements["compile"]
    assert measurement.speedup == pytest.approx(2.0)
    assert measurement.interval(0.95) == pytest.approx((2.0, 2.0))


def test_rounds_that_only_one_of_the_two_has_are_left_out():
    measurement = compiled(turn("compile", 21, 500.0), turn("eager", 22, 0.001))
    assert measurement.speedup == pytest.approx(2.0)
    assert len(measurement.ratios) == 20


def test_the_interval_is_of_order_statistics_while_the_study_goes_on_and_then_bootstrapped():
    comparison = study()
    measurement = comparison.measurements["compile"]
    assert measurement.interval(0.95) == stats.order_interval(measurement.ratios, 0.95)
    comparison.apply(ended())
    assert measurement.interval(0.95) == stats.bootstrap_interval(measurement.ratios, 0.95, 0)


def test_too_few_rounds_for_an_interval_give_none_also_at_the_end():
    row = compiled(ended(), count=5).row()
    assert row["speedup"] == pytest.approx(2.0)
    assert row["speedup_low"] is row["speedup_high"] is None
    assert row["verdict"] == "inconclusive"


def test_the_baseline_compares_with_itself_as_one():
    row = study(ended()).baseline.row()
    assert (row["speedup"], row["verdict"]) == (1.0, "baseline")
    assert row["speedup_low"] is row["speedup_high"] is None


@pytest.mark.parametrize(
    ("ms", "verdict"),
    [(1.0, Verdict.FASTER), (4.0, Verdict.SLOWER), (2.001, Verdict.SAME)],
)
def test_the_verdict_follows_from_the_rounds(ms, verdict):
    assert compiled(ended(), compile=ms).verdict is verdict


def test_nine_rounds_decide_nothing():
    assert compiled(ended(), count=9).verdict is Verdict.INCONCLUSIVE
    assert compiled(ended(), count=10).verdict is Verdict.FASTER


def test_noise_between_the_twins_widens_the_margin_of_the_verdict():
    assert study(compile=1.9).measurements["compile"].verdict is Verdict.FASTER  # the twins agree
    comparison = study(twin=False, compile=1.9)
    measurement = comparison.measurements["compile"]
    assert measurement.verdict is Verdict.INCONCLUSIVE  # nobody knows what no difference looks like here
    for number in range(1, 21):
        comparison.apply(turn("eager", number, 2.2 if number % 2 else 1.8, twin=True))
    assert comparison.noise == pytest.approx(2.0 / 1.8 - 1)
    assert measurement.verdict is Verdict.SAME  # within what this machine can make of no difference


def test_without_enough_rounds_of_the_twin_the_noise_is_unknown():
    assert study(count=5).noise is None
    assert study(twin=False).noise is None
    assert study().noise == pytest.approx(0.0)


@pytest.mark.parametrize("phase", ["build", "first_call", "rounds"])
def test_a_failed_row_keeps_what_was_measured(phase):
    row = compiled(failed("compile", phase, details="Traceback"), ended()).row()
    assert (row["status"], row["failed_phase"], row["reason"]) == ("failed", phase, "It broke.")
    assert row["first_call_s"] == 0.5
    assert row["rounds"] == 20
    assert row["median_s"] == pytest.approx(0.001)


def test_a_variant_that_failed_at_once_has_no_numbers():
    row = Comparison([started("compile"), failed("compile"), ended()]).measurements["compile"].row()
    assert (row["status"], row["failed_phase"]) == ("failed", "first_call")
    assert all(row[column] is None for column in ("median_s", "speedup", "verdict", "calls", "first_call_s"))


def test_finishing_does_not_undo_a_failure():
    assert compiled(failed("compile"), *finished("compile")).status == "failed"


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ([], "running"),
        (finished("compile"), "ok"),
        ([ended("stopped")], "stopped"),
        ([*finished("compile"), ended("stopped")], "ok"),
        ([failed("compile"), ended()], "failed"),
    ],
)
def test_the_status_says_how_it_ended(events, status):
    assert compiled(*events).status == status


def test_a_skipped_variant_says_why():
    row = Comparison([started("compile"), skipped("compile"), ended()]).measurements["compile"].row()
    assert (row["status"], row["reason"]) == ("skipped", "There was no time left.")


def test_nothing_compiled_is_a_doubt_and_unknown_is_not():
    def doubts(graphs):
        told = [started("compile"), *bring_up("compile", graphs=graphs)]
        return Comparison(told).measurements["compile"].row()["doubts"]

    assert doubts(0) == ("NOT_COMPILED",)
    assert doubts(1) == doubts(None) == ()


def test_calls_that_were_not_seen_to_become_steady_are_a_doubt():
    def doubts(steady):
        told = [started("compile"), *bring_up("compile", steady=steady)]
        return Comparison(told).measurements["compile"].row()["doubts"]

    assert doubts(False) == doubts(None) == ("NOT_STEADY",)
    assert doubts(True) == ()


@pytest.mark.parametrize(("count", "doubts"), [(19, ("TOO_FEW_CALLS",)), (20, ())])
def test_fewer_than_twenty_rounds_at_the_end_are_a_doubt(count, doubts):
    assert compiled(*finished("compile"), count=count).row()["doubts"] == doubts


def test_a_measurement_prints_as_its_variant():
    assert str(compiled()) == "compile"
