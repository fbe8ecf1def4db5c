"""Measurements: what is known of one variant, folded from hand-made events."""

from __future__ import annotations

import pytest

from optkit import stats
from optkit.comparison import Comparison
from optkit.events import MachineRead
from optkit.rows import COLUMNS, row
from optkit.verdicts import Doubt, Verdict
from stories import bring_up, checked, ended, evidence, failed, finished, rounds, skipped, started, turn

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


def row_of(*events):
    return row(Comparison(events).measurements["compile"])


def test_a_row_has_exactly_the_columns_of_the_design_in_their_order():
    assert tuple(DESIGN.split()) == COLUMNS
    assert all(tuple(row) == COLUMNS for row in study().rows())


def test_before_anything_happened_every_number_is_missing():
    told = row_of(started("compile"))
    assert {key for key, value in told.items() if value is not None} == {"variant", "status", "doubts"}
    assert (told["variant"], told["status"], told["doubts"]) == ("compile", "waiting", ())


def test_what_was_not_measured_is_missing_and_never_zero():
    rows = Comparison([started("compile"), *bring_up("compile", graphs=1)]).rows()
    numbers = [v for row in rows for k, v in row.items() if k != "graph_breaks" and not isinstance(v, str | tuple)]
    assert 0 not in numbers
    assert rows[1]["graph_breaks"] == 0  # this one was counted


def test_a_measured_row_holds_what_was_told():
    told = row(compiled(*finished("compile"), ended()))
    assert told["status"] == "ok"
    assert told["median_s"] == pytest.approx(0.001)
    assert told["first_call_s"] == 0.5
    assert told["prepare_s"] == 0.25
    assert (told["graphs"], told["graph_breaks"]) == (1, 0)
    assert (told["rounds"], told["calls"]) == (20, 80)
    assert told["speedup"] == pytest.approx(2.0)
    assert told["speedup_low"] <= told["speedup"] <= told["speedup_high"]
    assert told["verdict"] == "faster"
    assert told["reason"] is told["failed_phase"] is None


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
    assert (row(measurement)["rounds"], row(measurement)["calls"]) == (None, None)
    for event in rounds(1, eager=2.0, compile=1.0):
        comparison.fold(event)
    assert not measurement.preliminary
    assert measurement.speedup == pytest.approx(2.0)
    assert max(measurement.samples_s) < 0.0011


def test_blocks_count_all_their_calls_and_give_no_percentiles():
    measurement = compiled(turn("compile", 21, *[100.0] * 700, calls_per_sample=100))
    assert measurement.calls == 80 + 70_000
    assert measurement.samples_s[-1] == pytest.approx(0.001)
    assert row(measurement)["p90_s"] is None


def test_percentiles_are_given_only_with_enough_calls():
    few = row(compiled(count=15))  # 60 calls
    many = row(compiled(count=20))  # 80
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
    comparison.fold(ended())
    assert measurement.interval(0.95) == stats.bootstrap_interval(measurement.ratios, 0.95, 0)


def test_too_few_rounds_for_an_interval_give_none_also_at_the_end():
    told = row(compiled(ended(), count=5))
    assert told["speedup"] == pytest.approx(2.0)
    assert told["speedup_low"] is told["speedup_high"] is None
    assert told["verdict"] == "inconclusive"


def test_the_baseline_compares_with_itself_as_one():
    told = row(study(ended()).baseline)
    assert (told["speedup"], told["verdict"]) == (1.0, "baseline")
    assert told["speedup_low"] is told["speedup_high"] is None


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
        comparison.fold(turn("eager", number, 2.2 if number % 2 else 1.8, twin=True))
    assert comparison.noise == pytest.approx(2.0 / 1.8 - 1)
    # Within what this machine makes of no difference; and on so noisy a machine nobody may call two things the same.
    assert measurement.verdict is Verdict.INCONCLUSIVE
    assert Doubt.NOISY_MACHINE in measurement.doubts


def test_without_enough_rounds_of_the_twin_the_noise_is_unknown():
    assert study(count=5).noise is None
    assert study(twin=False).noise is None
    assert study().noise == pytest.approx(0.0)


@pytest.mark.parametrize("phase", ["build", "first_call", "rounds"])
def test_a_failed_row_keeps_what_was_measured(phase):
    told = row(compiled(failed("compile", phase, details="Traceback"), ended()))
    assert (told["status"], told["failed_phase"], told["reason"]) == ("failed", phase, "It broke.")
    assert told["first_call_s"] == 0.5
    assert told["rounds"] == 20
    assert told["median_s"] == pytest.approx(0.001)


def test_a_variant_that_failed_at_once_has_no_numbers():
    told = row_of(started("compile"), failed("compile"), ended())
    assert (told["status"], told["failed_phase"]) == ("failed", "first_call")
    assert all(told[column] is None for column in ("median_s", "speedup", "verdict", "calls", "first_call_s"))


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
    told = row_of(started("compile"), skipped("compile"), ended())
    assert (told["status"], told["reason"]) == ("skipped", "There was no time left.")


def test_nothing_compiled_is_a_doubt_and_unknown_is_not():
    def doubts(graphs):
        told = [started("compile"), *bring_up("compile", graphs=graphs)]
        return row_of(*told)["doubts"]

    assert doubts(0) == ("NOT_COMPILED",)
    assert doubts(1) == doubts(None) == ()


def test_calls_that_were_not_seen_to_become_steady_are_a_doubt():
    def doubts(steady):
        told = [started("compile"), *bring_up("compile", steady=steady)]
        return row_of(*told)["doubts"]

    assert doubts(False) == doubts(None) == ("NOT_STEADY",)
    assert doubts(True) == ()


@pytest.mark.parametrize(("count", "doubts"), [(19, ("TOO_FEW_CALLS",)), (20, ())])
def test_fewer_than_twenty_rounds_at_the_end_are_a_doubt(count, doubts):
    assert row(compiled(*finished("compile"), count=count))["doubts"] == doubts


def test_a_measurement_prints_as_its_variant():
    assert str(compiled()) == "compile"


def test_what_torch_tells_later_replaces_what_it_told_at_the_first_call():
    m = compiled(evidence("compile", graphs=3, graph_breaks=2, recompiles=1))
    assert (m.graphs, row(m)["graph_breaks"], row(m)["recompiles"]) == (3, 2, 1)


def test_leading_rounds_of_warm_up_are_left_out_and_counted():
    told = [started("compile"), *bring_up("eager"), *bring_up("compile"), *rounds(20, eager=2.0, compile=1.0)]
    slow = [turn("compile", number, 1.5) for number in (1, 2)]
    told = [e for e in told if getattr(e, "round_number", None) not in (1, 2) or getattr(e, "variant", "") != "compile"]
    m = Comparison([*told, *slow]).measurements["compile"]
    assert (m.warmup_rounds, len(m.ratios), m.rounds) == (2, 18, 20)
    assert m.speedup == pytest.approx(2.0)


def test_rounds_that_were_left_out_are_said_where_there_are_too_few():
    told = [e for e in rounds(12, eager=2.0, compile=1.0) if e.round_number > 2 or e.variant != "compile"]
    slow = [turn("compile", number, 1.5) for number in (1, 2)]
    story = [started("compile"), *bring_up("eager"), *bring_up("compile"), *told, *slow, *finished("compile")]
    remedy = Comparison(story).measurements["compile"].remedies[Doubt.TOO_FEW_CALLS]
    assert remedy.startswith("It rests on 10 rounds (2 more were left out as warm-up) and a verdict wants 20;")


def test_fresh_workers_widen_the_interval_but_are_not_the_estimate():
    def confirmed(ms):
        told = [turn("eager", n, 2.0, kind="confirm") for n in range(1, 6)]
        return compiled(*told, *[turn("compile", n, ms, kind="confirm") for n in range(1, 6)], ended())

    assert confirmed(1.25).interval()[0] == pytest.approx(1.6)
    assert confirmed(0.8).interval()[1] == pytest.approx(2.5)
    assert confirmed(0.8).speedup == pytest.approx(2.0)
    assert confirmed(0.8).rounds == 20


def test_fresh_baselines_widen_the_noise():
    told = [turn("eager", n, 2.0, kind="confirm") for n in range(1, 6)]
    told += [turn("eager", n, 2.2, kind="confirm", twin=True) for n in range(1, 6)]
    assert study(*told).noise == pytest.approx(0.2 / 2.2)


def test_two_turns_of_one_round_are_one_round():
    m = compiled(turn("compile", 1, 1.0, 1.0))
    assert m.rounds == 20
    assert len(m.round_samples_s[1]) == 6


def test_outliers_are_counted_within_their_round_and_not_removed():
    m = compiled(turn("compile", 21, *[1.0] * 10, 9.0))
    assert m.outliers == 1
    assert max(m.samples_s) == 9e-3


@pytest.mark.parametrize("agreement", ["different", "nan", "inf", "dtype", "shape", "structure", "failed"])
def test_other_outputs_are_a_doubt_and_no_merit(agreement):
    m = compiled(checked("compile", agreement, why="They differ."), ended())
    assert m.remedies[Doubt.OUTPUT_DIFFERS] == "They differ."
    assert (m.merit, row(m)["agreement"]) == (0.0, agreement)


@pytest.mark.parametrize("agreement", ["equal", "close", "reduced"])
def test_outputs_that_pass_are_no_doubt(agreement):
    m = compiled(checked("compile", agreement), ended())
    assert (m.doubts, m.merit) == ((), m.speedup)


def test_two_eager_workers_that_disagree_make_all_outputs_nondeterministic():
    comparison = study(checked("eager", "different", twin=True), checked("eager", "equal"), checked("compile", "close"))
    for m in comparison.measurements.values():
        assert m.agreement == "nondeterministic"
        assert Doubt.NONDETERMINISTIC in m.doubts
        assert Doubt.OUTPUT_DIFFERS not in m.doubts


def test_what_calls_change_is_named():
    m = compiled(checked("compile", "equal", state=["seen"], inputs_changed=True))
    assert m.remedies[Doubt.STATEFUL].startswith("Calls change its 'seen' and their own inputs;")
    assert "how often" in compiled(checked("compile", "stateful")).remedies[Doubt.STATEFUL]


def test_threads_beyond_the_quota_are_named():
    told = started("compile")
    told.environment.update(cpus=8, cpu_quota=1.0)
    m = Comparison([told, *bring_up("compile")]).measurements["compile"]
    assert m.remedies[Doubt.THREADS_EXCEED_QUOTA] == "It ran 2 threads and the container grants 1 CPUs; add +threads=1."


def test_a_machine_that_others_use_is_named_once_there_are_numbers():
    busy = MachineRead(at_s=10.0, others_cpus=1.5, visible_cpus=2, throttled_s=0.5)
    said = compiled(busy).remedies[Doubt.NOISY_MACHINE]
    assert said.startswith("Other processes used 1.5 of 2 CPUs and the container was held back 5% of the time;")
    assert Comparison([started("compile"), busy]).measurements["compile"].doubts == ()
    assert compiled(MachineRead(at_s=10.0, others_cpus=0.3, visible_cpus=2, throttled_s=0.0)).doubts == ()


def test_an_engine_that_this_process_does_not_know_is_asked_nothing():
    told = [started("calls:times=13"), *bring_up("calls:times=13", graphs=0)]
    assert Comparison(told).measurements["calls:times=13"].doubts == ()


def test_both_baseline_workers_together_are_what_a_variant_is_compared_with():
    comparison = study(twin=False)
    for number in range(1, 21):
        comparison.fold(turn("eager", number, 4.5, twin=True))
    assert comparison.measurements["compile"].speedup == pytest.approx(3.0)  # the root of 2 · 4.5
    assert comparison.baseline.twin.ratios[0] == pytest.approx(2.0 / 4.5, rel=0.02)  # A against A′ alone
    assert comparison.baseline.median_s == pytest.approx(2e-3)


def test_a_variant_that_was_skipped_on_the_way_keeps_its_numbers_and_stays_skipped():
    told = compiled(skipped("compile"), *finished("compile"), ended())
    assert (told.status, told.merit) == ("skipped", 0)
    assert told.median_s == pytest.approx(0.001)
