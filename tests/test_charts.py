"""What the charts show, read from comparisons of hand-made events."""

from __future__ import annotations

import math

import pytest

from optkit import charts
from optkit.comparison import Comparison
from optkit.errors import UsageError
from optkit.events import PhaseEnded, WarmStarted
from optkit.marks import BASELINE_MARK, Marks
from optkit.verdicts import Doubt, Verdict
from stories import bring_up, checked, ended, failed, finished, rounds, started, turn


def warm(variant, ms) -> WarmStarted:
    calls = (ms * 1_000_000, 2_000_000, 1_000_000)
    return WarmStarted(at_s=82.0, variant=variant, build_s=0.2, prepare_s=0.01, durations_ns=calls)


def study(*events, count=20, twin=True, first_ms=None, **medians_ms) -> Comparison:
    """Return a comparison after `count` rounds; it is over if `events` end it."""
    medians = medians_ms or {"eager": 2.0, "compile": 1.0}
    told = [started(*(name for name in medians if name != "eager")), *bring_up("eager", twin=True)]
    for name in medians:
        told += bring_up(name, graphs=1, first_ms=(first_ms or {}).get(name, 500))
    return Comparison([*told, *rounds(count, twin=twin, **medians), *events])


def over(*variants):
    return [*finished("eager", *variants), ended()]


def names(chart):
    return [row.series.name for row in chart.rows]


@pytest.mark.parametrize("name", charts.CHARTS)
def test_before_anything_was_measured_every_chart_is_empty_and_says_so(name):
    for comparison in (Comparison(), Comparison([started("compile")])):
        chart = charts.read(comparison, name)
        assert chart.rows == ()
        assert charts.describe(chart) == chart.missing


def test_an_unknown_chart_is_refused_with_the_names_of_those_there_are():
    with pytest.raises(UsageError, match="'pie'; choose one of latency, speedup, break_even, startup"):
        charts.read(study(), "pie")


@pytest.mark.parametrize("name", charts.CHARTS)
def test_rows_are_in_the_order_of_the_study(name):
    chart = charts.read(study(**{"eager": 2.0, "compile": 4.0, "compile:freezing=true": 1.0}), name)
    expected = ["eager", "compile", "compile:freezing=true"]
    assert names(chart) == (expected[1:] if name == "speedup" else expected)


@pytest.mark.parametrize("name", charts.CHARTS)
def test_variants_keep_the_marks_that_a_holder_gave_them(name):
    marks = Marks()
    marks.assign("picker", ["another", "compile"], "eager")
    row = charts.read(study(), name, marks=marks).rows[-1]
    assert row.series == marks.assign("picker", ["compile"], "eager")[0]


def test_the_baseline_is_drawn_as_the_baseline():
    series = charts.latency(study()).rows[0].series
    assert (series.color, series.shape) == BASELINE_MARK


def test_latency_leaves_out_what_has_no_numbers():
    told = [started("compile", "compile:freezing=true"), *bring_up("eager"), *rounds(3, eager=2.0)]
    chart = charts.latency(Comparison([*told, failed("compile")]))
    assert names(chart) == ["eager"]


def test_a_variant_that_failed_after_its_first_call_keeps_that_number_and_says_that_it_failed():
    told = [started("compile"), *bring_up("compile", graphs=1), failed("compile", "rounds")]
    (row,) = charts.latency(Comparison(told)).rows
    assert (row.first_call_s, row.median_s) == (0.5, None)
    assert row.said == "compile: first call 500 ms, failed."


def test_latency_says_both_numbers_in_words():
    assert "compile: first call 500 ms, steady 1.00 ms." in charts.describe(charts.latency(study()))


def test_a_speedup_comes_with_interval_verdict_and_noise():
    chart = charts.speedup(study(*over("compile")))
    (row,) = chart.rows
    assert row.speedup == pytest.approx(2.0)
    assert row.interval[0] <= 2.0 <= row.interval[1]
    assert row.verdict == Verdict.FASTER
    assert chart.band == pytest.approx((1 / (1 + chart.noise), 1 + chart.noise))
    assert charts.describe(chart) == f"{row.said} Machine noise: {chart.noise:.1%}."


def test_without_a_twin_the_noise_is_unknown_and_there_is_no_band():
    chart = charts.speedup(study(twin=False))
    assert (chart.noise, chart.band) == (None, None)


def test_with_few_rounds_there_is_a_speedup_without_an_interval():
    (row,) = charts.speedup(study(count=2)).rows
    assert row.interval is None
    assert row.shown_interval == "no interval yet"
    assert row.verdict == Verdict.INCONCLUSIVE


def test_preliminary_numbers_are_called_preliminary():
    told = [started("compile"), *bring_up("eager"), *bring_up("compile", graphs=1)]
    told += [turn(name, 1, ms, kind="preliminary") for name, ms in (("eager", 2.0), ("compile", 1.0))]
    (row,) = charts.speedup(Comparison(told)).rows
    assert row.shown_verdict == "preliminary"


def test_a_speedup_whose_outputs_differ_says_so():
    comparison = study(*(checked(name, "equal") for name in ("eager",)), checked("compile", "different"))
    assert Doubt.OUTPUT_DIFFERS.name in charts.speedup(comparison).rows[0].said


@pytest.mark.parametrize(
    ("value", "written"),
    [(1.0, "1.00"), (0.951, "0.95"), (0.0123, "0.012"), (12.34, "12.3"), (1234.5, "1,234"), (0.000151, "0.00015")],
)
def test_speedups_are_written_with_the_digits_that_matter(value, written):
    assert charts.ratio(value) == written


def test_break_even_goes_from_one_call_to_ten_times_the_last_crossing():
    comparison = study(*over("compile"), first_ms={"eager": 10, "compile": 4000})
    chart = charts.break_even(comparison)
    crossing = comparison.measurements["compile"].break_even().calls
    assert chart.end == 10 * crossing
    assert {(row.points[0][0], row.points[-1][0]) for row in chart.rows} == {(1, chart.end)}


def test_break_even_shows_a_hundred_calls_at_least_and_ten_million_at_most():
    assert charts.break_even(study(eager=1.0, compile=2.0)).end == 100
    slow_start = study(*over("compile"), first_ms={"compile": 9_000_000}, eager=0.002, compile=0.001)
    assert charts.break_even(slow_start).end == 10_000_000


def test_times_by_calls_are_those_of_the_measurement_and_never_fall():
    comparison = study()
    for row in charts.break_even(comparison).rows:
        m = comparison.measurements[row.series.name]
        assert [m.cumulative_s(calls) for calls, _ in row.points] == [seconds for _, seconds in row.points]
        assert sorted(row.points) == list(row.points)
        assert sorted(seconds for _, seconds in row.points) == [seconds for _, seconds in row.points]


def test_a_crossing_lies_where_the_variant_has_caught_up_with_the_baseline():
    comparison = study(*over("compile"), first_ms={"eager": 10, "compile": 4000})
    baseline, compiled = comparison.measurements.values()
    row = charts.break_even(comparison).rows[1]
    assert row.crossing_s == compiled.cumulative_s(row.crossing.calls)
    assert row.crossing_s == pytest.approx(baseline.cumulative_s(row.crossing.calls), rel=0.01)
    assert row.crossing.low <= row.crossing.calls <= row.crossing.high


def test_a_variant_that_never_catches_up_has_no_crossing_and_says_never():
    comparison = study(*over("compile"), first_ms={"eager": 10, "compile": 4000}, eager=1.0, compile=2.0)
    row = charts.break_even(comparison).rows[1]
    assert (row.shown, row.crossing_s) == ("never", None)
    assert math.isinf(row.crossing.calls)
    assert row.said.startswith("compile: breaks even: never, ")


def test_the_baseline_has_no_crossing():
    row = charts.break_even(study()).rows[0]
    assert (row.crossing, row.crossing_s, row.shown) == (None, None, "baseline")


def test_warm_break_even_shows_those_whose_warm_start_is_known():
    comparison = study(warm("eager", 20), warm("compile", 300))
    cold, filled = charts.break_even(comparison), charts.break_even(comparison, warm=True)
    assert names(cold) == names(filled)
    assert filled.rows[1].points[0][1] < cold.rows[1].points[0][1]
    assert names(charts.break_even(study(warm("eager", 20)), warm=True)) == ["eager"]


def test_lines_that_repeat_a_colour_are_counted():
    variants = {f"compile:options={letter}": 1.0 for letter in "abcdefghij"}
    chart = charts.break_even(study(**{"eager": 2.0} | variants))
    assert chart.repeats == [0] * 8 + [1] * 3


def test_a_start_up_is_shown_part_by_part_cold_and_warm():
    probe = PhaseEnded(at_s=0.5, variant="compile", phase="probe", seconds=0.5)
    comparison = study(probe, warm("compile", 300))
    comparison.surroundings.modules_s = {"torch": 1.5, "torch._dynamo": 0.5}
    comparison.surroundings.probe_s = 4.0
    chart = charts.startup(comparison)
    eager, compiled = chart.rows
    assert eager.warm is None
    assert compiled.cold.parts["import"] == compiled.warm.parts["import"] == 2.0
    assert (compiled.cold.parts["probe"], compiled.warm.parts["probe"]) == (4.5, 0.0)
    assert (compiled.cold.parts["first call"], compiled.warm.parts["first call"]) == (0.5, 0.3)
    assert chart.parts == ["import", "probe", "build", "prepare", "first call", "calls 2–3"]
    assert charts.length_s(compiled.cold) == pytest.approx(2.0 + 4.5 + 0.1 + 0.25 + 0.5 + 0.5)
    assert "cold 7.85 s (import 2.00 s, probe 4.50 s" in compiled.said


def test_parts_that_nobody_needed_are_not_in_the_key():
    assert charts.startup(study()).parts == ["build", "prepare", "first call", "calls 2–3"]


def test_every_part_of_a_start_up_has_a_colour():
    row = charts.startup(study()).rows[0]
    assert list(charts.PART_COLORS) == list(row.cold.parts)
