"""What a variant costs, read from hand-made events: start-up, break-even, the best for so many calls, headroom."""

from __future__ import annotations

import json
import math

import pytest

from optkit.comparison import Comparison
from optkit.events import MemoryMeasured, PhaseEnded, RatesMeasured, ThroughputMeasured, WorkCounted
from optkit.verdicts import Verdict
from stories import bring_up, checked, ended, finished, rounds, started, warm_start

IMPORTS = {"torch": 1.0, "torch._dynamo": 0.5, "torch._inductor.compile_fx": 0.25}


def phase(variant, name, seconds, **details):
    return PhaseEnded(at_s=1.0, variant=variant, phase=name, seconds=seconds, details=details)


def study(*events, eager_ms=100.0, compile_ms=50.0, names=("compile",)):
    """Return a finished comparison in which eager starts in 1 s and a compiled variant pays for more."""
    told = [started(*names), phase("eager", "import", 2.0, modules_s=IMPORTS)]
    told += [*bring_up("eager"), *bring_up("eager", twin=True), phase("compile", "probe", 4.0, of="machine", kept=True)]
    for name in names:
        told += [phase(name, "probe", 0.5), *bring_up(name, graphs=1)]
    medians = {"eager": eager_ms} | dict.fromkeys(names, compile_ms)
    return Comparison([*told, *rounds(20, twin=True, **medians), *events, *finished("eager", *names), ended("rounds")])


def work(flops=0.0, read=0.0, written=0.0):
    return WorkCounted(at_s=2.0, flops=flops, read_bytes=read, written_bytes=written, dtype="float32")


def rates(threads=2):
    return RatesMeasured(
        at_s=2.0, device="cpu", dtype="float32", threads=threads, flops_per_s=1e11, measured_at_unix_s=1.7e9,
        copy_bytes_per_s=((1 << 18, 1e11), (1 << 28, 1e10)), read_bytes_per_s=((1 << 18, 2e11), (1 << 28, 2e10)),
    )  # fmt: skip


def test_a_start_is_made_of_what_the_variant_needs():
    comparison = study()
    eager, compiled = comparison.baseline.startup(), comparison.measurements["compile"].startup()
    assert (eager.import_s, eager.probe_s) == (1.0, 0.0)
    assert (compiled.import_s, compiled.probe_s) == (1.75, 4.5)


def test_what_is_learnt_of_the_machine_is_no_time_of_the_variants_own():
    assert study().measurements["compile"].seconds["probe"] == 0.5


def test_a_warm_start_is_known_where_it_was_made():
    compiled = study(warm_start("compile", 0.5)).measurements["compile"]
    assert compiled.startup(warm=True).probe_s == 0.1
    assert compiled.startup(warm=True).first_call_s == 0.5
    assert study().measurements["compile"].startup(warm=True) is None


def test_break_even_is_known_for_what_is_faster():
    found = study().measurements["compile"].break_even()
    assert found.low <= found.calls <= found.high < math.inf
    assert study().baseline.break_even().calls is None


def test_a_warm_start_pays_off_sooner():
    comparison = study(warm_start("eager", 0.1), warm_start("compile", 0.2))
    compiled = comparison.measurements["compile"]
    assert compiled.break_even(warm=True).calls < compiled.break_even().calls


def test_best_depends_on_how_many_calls_there_will_be():
    comparison = study(checked("eager", "equal"), checked("compile", "close"))
    high = comparison.measurements["compile"].break_even().high
    assert comparison.measurements["compile"].verdict == Verdict.FASTER
    assert str(comparison.best()) == "compile"
    assert str(comparison.best(calls=2)) == "eager"
    assert str(comparison.best(calls=high)) == "compile"


def test_never_is_infinite_in_the_table_and_a_word_in_json():
    comparison = study(compile_ms=120.0)
    assert comparison.rows()[1]["break_even_cold_calls"] == math.inf
    document = json.loads(comparison.to_json())
    assert document["rows"][1]["break_even_cold_calls"] is None
    assert document["costs"]["compile"]["break_even"]["cold"]["said"] == "never"


def test_throughput_is_the_median_of_its_turns_by_batch_size():
    def turn(size, items):
        return ThroughputMeasured(
            at_s=3.0, variant="compile", batch_size=size, items=items, calls=10, duration_ns=10**9
        )

    compiled = study(turn(None, 10), turn(None, 30), turn(None, 20), turn(4, 50)).measurements["compile"]
    assert (compiled.throughput_per_s(), compiled.throughput_per_s(4), compiled.throughput_per_s(8)) == (20, 50, None)


def test_the_accelerators_memory_is_what_counts_where_there_is_one():
    def held(**fields):
        event = MemoryMeasured(at_s=3.0, variant="compile", **fields)
        return study(event).measurements["compile"].peak_memory_bytes

    assert held(host_bytes=5) == 5
    assert held(host_bytes=5, accelerator_bytes=7) == 7
    assert held() is None


def test_headroom_is_the_median_over_the_arithmetic():
    comparison = study(work(flops=2.5e9), rates())
    assert comparison.measurements["compile"].headroom == pytest.approx(0.05 / 0.025)
    assert comparison.baseline.headroom == pytest.approx(0.1 / 0.025)


def test_headroom_is_the_median_over_the_bytes_where_these_take_longer():
    small, large = 1 << 18, 1 << 28
    comparison = study(work(flops=1.0, read=small, written=small), rates())
    assert comparison.baseline.headroom == pytest.approx(0.1 / (2 * small / 1e11))
    comparison = study(work(flops=1.0, read=large, written=large), rates(), compile_ms=90.0)
    assert comparison.baseline.headroom == pytest.approx(0.1 / (2 * large / 1e10))
    read_only = study(work(read=large), rates())
    assert read_only.baseline.headroom == pytest.approx(0.1 / (large / 2e10))


def test_a_least_time_that_a_variant_beats_is_not_believed():
    comparison = study(work(flops=9e9), rates())
    assert {m.headroom for m in comparison.measurements.values()} == {None}


def test_rates_for_other_threads_say_nothing():
    assert study(work(flops=2.5e9), rates(threads=1)).baseline.headroom is None


def test_the_answer_for_few_calls_says_why_the_fastest_is_not_it_and_for_many_what_is_gained():
    comparison = study(checked("eager", "equal"), checked("compile", "close"))
    few, many = comparison.answer(calls=2), comparison.answer(calls=10_000)
    assert few.startswith("A process that makes 2 calls should stay with eager, after ")
    assert "faster a call" in few
    assert "pays off after" in few
    assert many.startswith("A process that makes 10,000 calls is done first with compile: after ")
    assert "faster than eager" in many
    assert "A process" not in comparison.answer()


def test_with_calls_the_ranking_is_by_what_is_done_first():
    comparison = study(checked("eager", "equal"), checked("compile", "close"))
    assert [str(m) for m in comparison.ranked()] == ["compile", "eager"]
    assert [str(m) for m in comparison.ranked(calls=2)] == ["eager", "compile"]
    assert [str(m) for m in comparison.ranked(calls=10_000)] == ["compile", "eager"]


def test_with_calls_a_variant_that_is_surely_faster_a_call_is_not_said_to_be_maybe_as_fast():
    told = [started("compile", "compile:mode=max-autotune"), *bring_up("eager"), *bring_up("eager", twin=True)]
    told += [*bring_up("compile", first_ms=2000), *bring_up("compile:mode=max-autotune", first_ms=60_000)]
    medians = {"eager": 10.0, "compile": 7.0, "compile:mode=max-autotune": 5.0}
    known = [checked(name, "equal") for name in medians]
    comparison = Comparison([*told, *rounds(20, twin=True, **medians), *known, *finished(*medians), ended()])
    said = comparison.answer(calls=3000)
    assert said.startswith("A process that makes 3,000 calls is done first with compile:")
    assert "compile:mode=max-autotune is faster a call, 2.00×, but surely done no sooner." in said
    assert "may be as fast" not in said
    assert "a larger budget" not in said


def test_with_calls_what_is_still_starting_when_the_baseline_is_done_needs_no_verdict():
    told = [started("compile"), *bring_up("eager"), *bring_up("compile", first_ms=60_000)]
    comparison = Comparison(
        [*told, *rounds(3, eager=10.0, compile=5.0), *finished("eager", "compile"), ended("budget")]
    )
    assert "compile may or may not beat eager after 3 rounds, and no verdict is given under 10" in comparison.answer()
    said = comparison.answer(calls=100)
    assert said.startswith("A process that makes 100 calls should stay with eager: it is done after ")
    assert "compile would still be starting" in said
    assert "may or may not" in comparison.answer(calls=1_000_000)
