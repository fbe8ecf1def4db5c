"""What the charts show, read from comparisons of hand-made events."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import numpy as np
import pytest

from optkit import charts
from optkit.chart_compiling import NESTED, PARTS, REST, compiling, exclusive_s
from optkit.chart_spread import ALL, CAVEAT, SLOWEST, span, spread
from optkit.comparison import Comparison
from optkit.errors import UsageError
from optkit.events import CompileBegan, PhaseBegan, PhaseEnded, WarmStarted
from optkit.marks import BASELINE_MARK, Marks
from optkit.verdicts import Doubt, Verdict
from stories import bring_up, checked, compiled, ended, failed, finished, rounds, started, turn


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


def calls(number, *, variant="compile", median_ms=1.0, seed=0, **fields) -> list:
    """Return a story with so many steady calls of one variant, 16 a round at most."""
    chance = random.Random(seed)
    times = [median_ms * chance.lognormvariate(0, 0.05) for _ in range(number)]
    return [turn(variant, i, *times[start : start + 16], **fields) for i, start in enumerate(range(0, number, 16), 1)]


def the_row(chart, variant="compile"):
    return next(row for row in chart.rows if row.series.name == variant)


def spread_of(*events, variants=("compile",)):
    return spread(Comparison([started(*variants), *events]))


@pytest.mark.parametrize(
    ("number", "ranks", "name"),
    [(130, (5, 95), "p5–p95"), (129, (10, 90), "p10–p90"), (64, (10, 90), "p10–p90"), (63, (0, 100), ALL)],
)
def test_whiskers_are_the_widest_percentiles_that_so_many_calls_allow(number, ranks, name):
    comparison = Comparison([started("compile"), *calls(number)])
    row = the_row(spread(comparison))
    times = comparison.measurements["compile"].samples_s
    assert (row.low_s, row.high_s) == pytest.approx(tuple(np.percentile(times, ranks)))
    assert row.whiskers == name
    assert row.box_s == pytest.approx(tuple(np.percentile(times, (25, 75))))
    assert row.median_s == pytest.approx(np.median(times))
    assert row.count == f"{number} calls"


def test_an_upper_whisker_is_the_percentile_of_the_measurement():
    comparison = Comparison([started("compile"), *calls(200)])
    assert the_row(spread(comparison)).high_s == comparison.measurements["compile"].percentile_s(95)


def test_the_slowest_calls_beyond_the_whisker_are_few_and_the_slowest_there_are():
    comparison = Comparison([started("compile"), *calls(320)])
    chart = spread(comparison)
    row = the_row(chart)
    assert chart.dots_s(row) == tuple(sorted(comparison.measurements["compile"].samples_s)[-SLOWEST:])
    assert min(chart.dots_s(row)) > row.high_s


def test_where_whiskers_end_at_the_slowest_call_there_is_nothing_beyond():
    assert the_row(spread_of(*calls(20))).beyond_s == ()


def test_calls_that_were_timed_in_blocks_are_called_block_means_with_how_many_calls_there_were():
    chart = spread_of(*calls(150, median_ms=10, calls_per_sample=1000))
    row = the_row(chart)
    assert row.median_s == pytest.approx(1e-5, rel=0.02)
    assert row.said.startswith("compile: 150 block means of 150,000 calls, median ")
    assert charts.describe(chart).endswith(f" {CAVEAT.capitalize()}.")
    assert CAVEAT.capitalize() not in charts.describe(spread_of(*calls(150)))


def test_of_preliminary_rounds_nobody_says_what_their_samples_are_calls_of():
    row = the_row(spread_of(turn("compile", 1, 1.0, 2.0, 3.0, kind="preliminary")))
    assert (row.count, row.state, row.median_s) == ("3 samples", "preliminary", pytest.approx(0.002))


def test_a_variant_that_failed_keeps_its_calls_and_says_that_it_failed():
    row = the_row(spread_of(*calls(20), failed("compile", "rounds")))
    assert row.said.startswith("compile: 20 calls, ")
    assert row.said.endswith(", failed.")


def test_neither_first_calls_nor_those_that_warm_up_are_in_a_spread():
    assert spread_of(*bring_up("compile")).rows == ()


@pytest.mark.parametrize(("slower", "logarithmic"), [(5, False), (10, True)])
def test_an_axis_is_logarithmic_where_variants_lie_far_apart(slower, logarithmic):
    chart = spread_of(*calls(40), *calls(40, variant="eager", median_ms=slower))
    assert chart.is_logarithmic is logarithmic


def test_an_outlier_does_not_stretch_the_axis_and_is_said_in_words():
    chart = spread_of(*calls(150), turn("compile", 99, 900.0, 1.2))
    row, (low, high) = the_row(chart), chart.limits_s
    assert low == row.low_s
    assert row.high_s <= high < 0.002
    assert chart.off_scale_s(row) == (pytest.approx(0.9),)
    assert chart.said_off_scale(row)[0] == "1 off scale: 900 ms"
    assert row.said.endswith(f"slowest {span(row.beyond_s[-SLOWEST], 0.9)}.")


def test_all_that_is_not_said_to_be_off_scale_lies_on_the_axis():
    chart = spread_of(*calls(150), *calls(150, variant="eager", median_ms=3), turn("eager", 99, 3.9, 40.0))
    low, high = chart.limits_s
    for row in chart.rows:
        assert all(low <= value <= high for value in (row.low_s, *row.box_s, row.high_s, *chart.dots_s(row)))
        assert all(value > high for value in chart.off_scale_s(row))


def test_all_calls_off_the_scale_are_counted_not_only_those_that_are_shown():
    chart = spread_of(*calls(800), turn("compile", 99, *range(50, 70)))
    assert chart.said_off_scale(the_row(chart))[0] == "20 off scale: 50.0–69.0 ms"


def test_calls_that_all_take_the_same_time_have_a_spread_of_nothing():
    chart = spread_of(turn("compile", 1, *[2.0] * 200))
    assert the_row(chart).said == "compile: 200 calls, median 2.00 ms, middle half 2.00 ms, p5–p95 2.00 ms."
    assert chart.limits_s == (0.002, 0.002)


def test_two_times_are_written_with_their_unit_once_where_it_is_the_same():
    assert [span(0.012, 0.0131), span(0.0009, 0.002), span(0.5, 0.5)] == ["12.0–13.1 ms", "900 µs–2.00 ms", "500 ms"]


def story(*events, first_ms=10_000, variant="compile", prepare_s=0.25) -> Comparison:
    """Return a comparison in which `events` happen before the first call of one variant has ended."""
    first, *later = bring_up(variant, graphs=1, first_ms=first_ms)[3:]
    prepared = PhaseEnded(at_s=1.2, variant=variant, phase="prepare", seconds=prepare_s)
    return Comparison([started(variant), prepared, *events, first, *later])


def test_phases_within_each_other_become_parts_that_add_up_to_the_compile():
    parts = exclusive_s(compiled("compile", 8.0, 7.0, 5.0, 3.5))
    assert parts == {"dynamo": 1.0, "aot_autograd": 2.0, "inductor": 1.5, "code generation": 3.5}


@pytest.mark.parametrize(
    ("told", "parts"),
    [
        (compiled("compile", 2.0, 0.5), {"dynamo": 1.5, "aot_autograd": 0.5}),
        (compiled("compile", seconds=3.0), {"compiling": 3.0}),
        (compiled("compile"), {"compiling": 0.0}),
        (compiled("compile", 1.0, 4.0, 9.0, 9.0), {"code generation": 1.0}),
        (compiled("compile", 9.0, 4.0, seconds=5.0), {"dynamo": 1.0, "aot_autograd": 4.0}),
    ],
)
def test_whatever_torch_tells_the_parts_are_never_negative_and_add_up_to_the_whole(told, parts):
    found = exclusive_s(told)
    assert {part: seconds for part, seconds in found.items() if seconds} == {p: s for p, s in parts.items() if s}
    assert min(found.values()) >= 0


def test_a_phase_that_a_cache_made_unnecessary_is_left_out():
    told = replace(compiled("compile", seconds=2.0), phases_s={"dynamo": 2.0, "inductor": 0.5})
    assert exclusive_s(told) == {"dynamo": 1.5, "inductor": 0.5}


def test_all_parts_add_up_to_preparing_and_the_first_call():
    told = [compiled("compile", 4.0, 3.0, 2.0, 1.0, at_s=6.0), compiled("compile", 3.0, 2.5, at_s=9.5)]
    comparison = story(PhaseEnded(at_s=1.1, variant="compile", phase="export", seconds=6.0), *told)
    m, (row,) = comparison.measurements["compile"], compiling(comparison).rows
    assert row.total_s == pytest.approx(m.prepare_s + m.first_call_s) == pytest.approx(16.25)
    assert row.parts == pytest.approx({
        "export": 6.0, "prepare": 0.25, "dynamo": 1.5, "aot_autograd": 3.5, "inductor": 1.0, "code generation": 1.0,
        REST: 3.0,
    })  # fmt: skip
    assert list(row.parts) == [part for part in PARTS if part in row.parts]
    assert (row.later_s, row.state) == (0.0, "")


def test_what_is_compiled_in_later_calls_is_not_taken_for_the_first():
    comparison = story(compiled("compile", 9.0, 8.0, at_s=11.9))
    comparison.fold(compiled("compile", 4.0, 3.5, at_s=30.0, compile_id="0/1", reason="size mismatch"))
    (row,) = compiling(comparison).rows
    assert row.total_s == pytest.approx(10.25)
    assert (row.parts["dynamo"], row.later_s) == (1.0, 4.0)
    assert row.said.endswith("rest of first call 1.00 s), compiling in later calls 4.00 s.")


def test_a_short_compile_long_after_the_first_is_a_later_one_even_if_it_would_fit():
    comparison = story(compiled("compile", 2.0, at_s=4.0))
    comparison.fold(compiled("compile", 0.5, at_s=60.0))
    assert compiling(comparison).rows[0].later_s == 0.5


def test_what_was_compiled_for_other_batch_sizes_is_no_call_of_the_variant():
    comparison = story(compiled("compile", 9.0, at_s=11.9))
    for event in (checked("compile", "close"), compiled("compile", 4.0, at_s=99.0)):
        comparison.fold(event)
    assert compiling(comparison).rows[0].later_s == 0.0


def test_a_compile_that_by_its_clock_took_a_little_longer_than_the_call_is_all_of_it_and_no_more():
    (row,) = compiling(story(compiled("compile", 10.02, 5.01, at_s=11.0))).rows
    assert row.parts == pytest.approx({"prepare": 0.25, "dynamo": 5.0, "aot_autograd": 5.0})


def test_while_a_variant_compiles_what_is_known_is_shown_and_said_to_be_incomplete():
    told = [
        started("compile"), PhaseBegan(at_s=1.0, variant="compile", phase="prepare"),
        PhaseEnded(at_s=1.2, variant="compile", phase="prepare", seconds=0.25),
        PhaseBegan(at_s=1.2, variant="compile", phase="first_call"),
    ]  # fmt: skip
    (row,) = compiling(Comparison(told)).rows
    assert (row.shown_total, row.state) == ("250 ms so far", "still in its first call")
    told += [CompileBegan(at_s=1.3, variant="compile", compile_id="0/0"), compiled("compile", 2.0, 1.5, at_s=3.3)]
    (row,) = compiling(Comparison(told)).rows
    assert row.said == ("compile: 2.25 s so far (prepare 250 ms, dynamo 500 ms, aot_autograd 1.50 s), still compiling.")


def test_a_variant_that_fails_while_it_compiles_keeps_what_was_known_and_says_that_it_failed():
    prepared = PhaseEnded(at_s=1.2, variant="compile", phase="prepare", seconds=0.25)
    told = [started("compile"), prepared, compiled("compile", 2.0, failed="Unsupported: print"), failed("compile")]
    (row,) = compiling(Comparison(told)).rows
    assert (row.shown_total, row.state) == ("2.25 s so far", "failed")


def test_a_study_that_stops_while_a_variant_compiles_says_so():
    prepared = PhaseEnded(at_s=1.2, variant="compile", phase="prepare", seconds=0.25)
    began = PhaseBegan(at_s=1.2, variant="compile", phase="first_call")
    comparison = Comparison([started("compile"), prepared, began, ended("stopped")])
    assert compiling(comparison).rows[0].state == comparison.measurements["compile"].status == "stopped"


@pytest.mark.parametrize(
    ("variant", "prepare_s", "shown"),
    [("eager+no_grad", 1e-4, False), ("eager+no_grad", 2.0, True), ("compile", 1e-4, True), ("torchscript", 1e-4, True),
     ("of another version", 1e-4, False)],
)  # fmt: skip
def test_a_plain_first_call_is_only_shown_where_there_is_something_to_split(variant, prepare_s, shown):
    rows = compiling(story(variant=variant, prepare_s=prepare_s)).rows
    assert [row.series.name for row in rows] == [variant] * shown


def test_what_compiled_nothing_has_a_first_call_and_no_rest_of_one():
    comparison = story(PhaseEnded(at_s=1.1, variant="torchscript", phase="export", seconds=6.0), variant="torchscript")
    (row,) = compiling(comparison).rows
    assert row.said == "torchscript: 16.2 s (export 6.00 s, prepare 250 ms, first call 10.0 s)."


def test_every_phase_that_torch_tells_has_a_part_with_a_colour_of_its_own():
    assert set(NESTED.values()) <= set(PARTS)
    assert len(set(PARTS.values())) == len(PARTS)
