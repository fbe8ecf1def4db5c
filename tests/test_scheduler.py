"""Who does what next: one run of a study with workers that answer at once, and a clock that is moved by hand."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby, pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest

from optkit import crew, kept, machine, scheduler
from optkit.comparison import Comparison
from optkit.events import PhaseBegan, PhaseEnded, Samples, StudyEnded, VariantFinished, VariantSkipped
from optkit.study import Plan
from optkit.variant import Variant
from optkit.verdicts import Doubt
from optkit.worker.endings import StoppedError, WorkerFailedError
from optkit.workload import Workload

MS = 1_000_000
RATES = [[1 << 18, 1e10], [1 << 28, 1e10]]
ANSWERS = {
    "throughput": {"items": 100, "calls": 100, "duration_ns": 100 * MS},
    "memory": {"host_bytes": 1000, "accelerator_bytes": None},
    "work": {"flops": 1e9, "read_bytes": 1e6, "written_bytes": 1e6, "dtype": "float32"},
    "probe": {"seconds": 0.1, "details": {"instructions": "avx2", "headers": None}},
    "build": {"seconds": 0.1},
    "export": {"seconds": 0.2, "details": {"facts": {"opset": 18}}},
    "prepare": {"seconds": 0.1},
    "rates": {"flops_per_s": 1e11, "copy_bytes_per_s": RATES, "read_bytes_per_s": RATES},
}
"""What a worker answers where no calls are timed one by one."""


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


class FakeMonitor:
    """A machine of which nothing is known."""

    def read(self):
        return {}


class FakeWorker:
    """Answers like a session; each call takes `ms`. `fails` is the phase in which it ends."""

    def __init__(self, host, name, folder):
        self.host, self.name, self.folder, self.cache, self.pid = host, name, folder, folder, 0
        self.calls = 0
        self.ended = False

    def converse(self, command, limit_s):
        yield from ()  # it has no news
        return self.ask(command, limit_s)

    def ask(self, command, limit_s):
        assert not self.ended
        do, fault = command["do"], self.host.faults.get(self.name)
        self.host.asked.append((self.name, do))
        self.host.clock.now += self.host.takes_s.get(do, 0.0)
        if fault == do:
            raise WorkerFailedError("It broke.", "", raised=True)
        if fault == f"stop at {do}":
            raise StoppedError
        self.calls += 10
        wobble = 1 + 0.3 * self.host.noise.get(self.name, 0.0) * (len(self.host.asked) % 5 - 2)
        samples = {"first_call": self.calls, "calls_per_sample": 1, "compiles": None}
        samples["durations_ns"] = [round(self.host.ms.get(self.name, 1.0) * wobble * MS)] * 10
        if do == "first_call":
            return {"duration_ns": 500 * MS, "facts": {"graphs": 1}}
        if do == "facts":
            return {"facts": {"graphs": 1}}
        if do == "reference":
            Path(command["path"]).touch()
        if do in ("reference", "check"):
            return {"agreement": self.host.agreement.get(self.name, "equal"), "max_abs_error": 0.0}
        if do in ANSWERS:
            return ANSWERS[do]
        return samples | ({"steady": True} if do == "settle" else {})

    def printed(self):
        return f"{self.name} says hello"

    def end(self):
        self.ended = True


class FakeHost:
    """Stands in for the process boundary."""

    def __init__(self, folder, clock):
        self.folder, self.clock = folder, clock
        self.workers, self.asked, self.kept = [], [], []
        self.ms, self.noise, self.faults, self.takes_s, self.agreement = {}, {}, {}, {}, {}
        self.names = []
        self.zygote_pid = 0
        self.closed = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.closed = True

    def start(self, import_path=()):
        del import_path
        return {"torch": 1.0}

    def fork(self, name, seed_cache=None):
        self.kept.append(seed_cache)
        folder = self.folder / str(len(self.workers))
        folder.mkdir()
        self.workers.append(FakeWorker(self, name if name == "probe" else self.names.pop(0), folder))
        return self.workers[-1]


@pytest.fixture
def measure(tmp_path, monkeypatch, environment):
    """Return a function that runs a study of these variants with fake workers, and returns host and events.

    Workers are named as their variants are, and the baseline's second one ``twin``. Those that are forked afresh are
    named in `again`; by default there is no time for them. `names` names all of them, in the order of their forks.
    """

    def run(
        *variants, environment=environment, ms=(), noise=(), faults=(), takes_s=(), agreement=(), again=(), names=(),
        **plan,
    ):  # fmt: skip
        clock = Clock()
        host = FakeHost(tmp_path / f"run{len(list(tmp_path.iterdir()))}", clock)
        host.folder.mkdir()
        monkeypatch.setattr(scheduler, "Monitor", FakeMonitor)
        monkeypatch.setattr(machine, "available_memory_bytes", lambda: None)
        monkeypatch.setattr(machine, "private_bytes", lambda _: 0)
        monkeypatch.setattr(kept, "load", lambda *_, **__: None)
        monkeypatch.setattr(kept, "save", lambda *_: None)
        time = SimpleNamespace(monotonic=clock.monotonic, time=lambda: 1.7e9, strftime=lambda _: "20260101-000000")
        monkeypatch.setattr(scheduler, "time", time)
        monkeypatch.setattr(crew, "time", time)
        if not again:
            monkeypatch.setattr(scheduler.Run, "_confirm_s", lambda _: 0)
            monkeypatch.setattr(scheduler.Run, "_confirm", lambda *_: iter(()))
        host.agreement = dict(agreement)
        host.ms, host.noise, host.faults, host.takes_s = dict(ms), dict(noise), dict(faults), dict(takes_s)
        run = scheduler.Run(Workload("tiny_cnn"), [Variant.parse(name) for name in variants], Plan(**plan), environment)
        run.crew.host, run.crew.began = host, clock.now
        blocked = {str(m.variant) for m in run.members if m.variant.blocked(environment)}
        everyone = [] if names else ["eager", "twin", *(name for name in variants if name not in blocked), *again]
        host.names = [*names, *everyone]
        events = list(run.events())
        assert host.closed
        return host, events

    return run


def turns(events):
    """Return who took turns, by round."""
    taken = {}
    for event in events:
        if isinstance(event, Samples) and event.kind == "round":
            taken.setdefault(event.round_number, []).append("twin" if event.twin else event.variant)
    return taken


def test_each_round_visits_everyone_once_in_an_order_that_changes(measure):
    _, events = measure("eager+grad", "eager+no_grad", noise={"eager+grad": 1, "eager+no_grad": 1}, rounds=(30, 30))
    rounds = turns(events)
    assert list(rounds) == list(range(1, 31))
    assert {tuple(sorted(names)) for names in rounds.values()} == {("eager", "eager+grad", "eager+no_grad", "twin")}
    assert len({tuple(names) for names in rounds.values()}) > 5


def test_the_seed_decides_the_order(measure):
    def order(seed):
        return turns(measure("eager+grad", "eager+no_grad", rounds=(9, 9), seed=seed)[1])

    assert order(3) == order(3)
    assert order(3) != order(4)


def test_a_phase_is_told_before_it_begins_and_its_result_after(measure):
    _, events = measure("eager+grad", rounds=(1, 1))
    told = [e.phase for e in events if isinstance(e, PhaseBegan) and e.variant == "eager+grad"]
    assert [phase for phase, _ in groupby(told)] == [
        "build", "prepare", "first_call", "early_calls", "settle", "preliminary", "rounds", "throughput", "memory",
        "checks",
    ]  # fmt: skip
    for before, after in pairwise(events):
        if isinstance(after, Samples):
            assert isinstance(before, PhaseBegan)
            assert (before.variant, before.twin) == (after.variant, after.twin)


def test_nothing_compiles_while_others_are_timed(measure):
    host, _ = measure("compile:backend=eager", "eager+grad", rounds=(2, 2))
    doing = [do for _, do in host.asked]
    last = len(doing) - doing[::-1].index("turn")
    assert set(doing[last - 2 * 4 : last]) == {"turn"}
    # Looked at after all timing; throughput first, and what loads another model last.
    assert doing[last:] == [
        *["throughput"] * 3 * 3, *["memory", "facts", "reference"], *["facts", "check"],
        *["memory", "facts", "check"] * 2, "work",
    ]  # fmt: skip


def test_three_preliminary_rounds_with_the_baseline_follow_each_first_call(measure):
    _, events = measure("eager+grad", "eager+no_grad", rounds=(1, 1))
    preliminary = [e for e in events if isinstance(e, Samples) and e.kind == "preliminary"]
    by_round = {number: sorted(e.variant for e in preliminary if e.round_number == number) for number in range(1, 7)}
    assert by_round == {n: ["eager", "eager+grad" if n <= 3 else "eager+no_grad"] for n in range(1, 7)}


def test_a_variant_is_finished_when_its_interval_is_narrow_and_rests_then(measure):
    _, events = measure("eager+grad", "eager+no_grad", noise={"eager+no_grad": 1}, rounds=(10, 30), budget_s=1000)
    finished = [event.variant for event in events if isinstance(event, VariantFinished)]
    assert finished == ["eager+grad", "eager", "eager+no_grad"]
    taken = [number for number, names in turns(events).items() if "eager+grad" in names]
    assert taken == list(range(1, 11))
    assert events[-1].because == "rounds"


def test_when_all_are_finished_the_study_ends_and_says_so(measure):
    _, events = measure("eager+grad", rounds=(20, 30))
    assert max(turns(events)) == 20
    assert events[-1].because == "target"


def test_the_stopping_rule_is_looked_at_after_the_fewest_rounds(measure):
    _, events = measure("eager+grad", rounds=(11, 30))
    assert max(turns(events)) == 11


def test_a_used_up_budget_ends_the_study_after_three_rounds(measure):
    _, events = measure("eager+grad", takes_s={"first_call": 100}, budget_s=250)
    assert max(turns(events)) == 3
    assert events[-1].because == "budget"
    assert {m.status for m in Comparison(events).measurements.values()} == {"ok"}


def test_a_budget_used_up_before_its_turn_skips_a_variant_but_never_the_first(measure):
    _, events = measure("eager+grad", "eager+no_grad", takes_s={"first_call": 100}, budget_s=10)
    skipped = [event for event in events if isinstance(event, VariantSkipped)]
    assert [event.variant for event in skipped] == ["eager+no_grad"]
    assert skipped[0].reason.startswith("The budget of 10 s was ")
    assert max(turns(events)) == 3


def test_what_cannot_run_here_is_skipped_with_its_reason_and_no_worker(measure, environment):
    host, events = measure("compile", "eager+grad", environment=replace(environment, cxx_compiler=""), rounds=(1, 1))
    skipped = [event for event in events if isinstance(event, VariantSkipped)]
    assert [(event.variant, "g++" in event.reason) for event in skipped] == [("compile", True)]
    assert len(host.workers) == 3


@pytest.mark.parametrize("phase", ["build", "prepare", "first_call", "early_calls", "settle", "turn"])
def test_a_variant_that_fails_in_any_phase_leaves_the_others_alone(measure, phase):
    host, events = measure("eager+grad", "eager+no_grad", faults={"eager+grad": phase}, rounds=(3, 3))
    comparison = Comparison(events)
    failed = comparison.measurements["eager+grad"]
    assert (failed.status, failed.failed_phase) == ("failed", "preliminary" if phase == "turn" else phase)
    assert host.workers[2].ended
    assert comparison.measurements["eager+no_grad"].status == comparison.baseline.status == "ok"
    assert comparison.measurements["eager+no_grad"].rounds == 3


def test_a_twin_that_fails_costs_only_the_noise(measure):
    _, events = measure("eager+grad", faults={"twin": "first_call"}, rounds=(10, 10))
    comparison = Comparison(events)
    assert comparison.noise is None
    assert [m.status for m in comparison.measurements.values()] == ["ok", "ok"]


@pytest.mark.parametrize("phase", ["build", "first_call", "settle"])
def test_a_baseline_that_fails_ends_the_study_and_the_rest_is_skipped(measure, phase):
    host, events = measure("eager+grad", faults={"eager": phase})
    assert isinstance(events[-1], StudyEnded)
    assert events[-1].because == "baseline_failed"
    assert [m.status for m in Comparison(events).measurements.values()] == ["failed", "skipped"]
    assert len(host.workers) == 1


@pytest.mark.parametrize("phase", ["build", "first_call", "turn"])
def test_stop_ends_the_study_wherever_it_is(measure, phase):
    _, events = measure("eager+grad", faults={"eager+grad": f"stop at {phase}"})
    assert events[-1].because == "stopped"
    assert [m.status for m in Comparison(events).measurements.values()] == ["stopped", "stopped"]


def test_the_look_at_the_cpu_is_made_once_and_given_to_the_others(measure):
    host, events = measure("compile", "compile:freezing=true", "compile:backend=eager", rounds=(1, 1))
    assert [name for name, do in host.asked if do == "probe"] == ["probe", "probe", "compile", "compile:freezing=true"]
    first = host.workers[2]
    assert host.kept == [None, None, None, *[first.cache] * 4]  # the second look tells what each process pays
    assert first.ended
    assert host.workers[3].ended
    looks = [e for e in events if isinstance(e, PhaseEnded) and e.phase == "probe"]
    assert [e.details.get("of") for e in looks] == ["machine", None, None]


def test_what_runs_from_a_file_is_exported_by_one_worker_and_measured_in_another(measure, monkeypatch):
    told = {}
    ask = FakeWorker.ask

    def spy(self, command, limit_s):
        told.setdefault((self.folder.name, command["do"]), dict(command))
        return ask(self, command, limit_s)

    monkeypatch.setattr(FakeWorker, "ask", spy)
    host, events = measure("torchscript", names=("eager", "twin", "exporter", "torchscript"), rounds=(1, 1))
    exporter, measured = host.workers[2:4]
    assert exporter.ended
    assert [do for name, do in host.asked if name == "exporter"] == ["build", "export"]
    assert told["2", "build"]["with_model"] is True
    assert told["3", "build"]["with_model"] is False
    assert told["3", "prepare"]["folder"] == told["2", "export"]["folder"] == str(exporter.folder / "artifact")
    m = Comparison(events).measurements["torchscript"]
    assert (m.seconds["export"], m.prepare_s) == (0.2, pytest.approx(0.3))
    assert m.engine_facts == {"opset": 18}
    assert m.details == "exporter says hello\ntorchscript says hello"
    phases = [e.phase for e in events if isinstance(e, PhaseBegan) and e.variant == "torchscript"]
    assert phases[:4] == ["build", "export", "prepare", "first_call"]
    assert measured.ended is False


def test_an_export_that_fails_is_a_row_and_leaves_the_others_alone(measure):
    names = ("eager", "twin", "exporter", "eager+grad")
    _, events = measure("torchscript", "eager+grad", names=names, faults={"exporter": "export"}, rounds=(1, 1))
    comparison = Comparison(events)
    assert comparison.measurements["torchscript"].failed_phase == "export"
    assert comparison.measurements["eager+grad"].status == "ok"


def test_a_fresh_worker_of_a_file_loads_it_and_exports_nothing(measure):
    names = ("eager", "twin", "exporter", "torchscript", "eager", "twin", "again")
    host, _ = measure("torchscript", names=names, again=True, ms={"torchscript": 0.5, "again": 0.5}, rounds=(20, 20))
    doing = [do for name, do in host.asked if name == "again"]
    assert doing[:3] == ["build", "prepare", "first_call"]


def test_long_calls_make_a_turn_of_three(measure, monkeypatch):
    asked = []
    ask = FakeWorker.ask

    def spy(self, command, limit_s):
        if command["do"] == "turn":
            asked.append((self.name, command["least_calls"]))
        return ask(self, command, limit_s)

    monkeypatch.setattr(FakeWorker, "ask", spy)
    measure("eager+grad", "eager+no_grad", ms={"eager+grad": 3000.0, "eager+no_grad": 400.0}, rounds=(1, 1))
    assert dict(asked) == {"eager": 10, "twin": 10, "eager+grad": 3, "eager+no_grad": 5}


def test_patience_with_a_turn_grows_with_what_a_call_takes(measure, monkeypatch):
    limits = {}
    ask = FakeWorker.ask

    def spy(self, command, limit_s):
        limits.setdefault((self.name, command["do"]), limit_s)
        return ask(self, command, limit_s)

    monkeypatch.setattr(FakeWorker, "ask", spy)
    measure("eager+grad", ms={"eager+grad": 3000.0}, rounds=(1, 1), compile_limit_s=77)
    assert limits["eager+grad", "first_call"] == limits["eager", "build"] == 77
    assert limits["eager+grad", "turn"] > 100 > limits["eager", "turn"] > 20


def test_all_are_timed_in_blocks_as_soon_as_one_is_short(measure, monkeypatch):
    asked, ask = [], FakeWorker.ask

    def spy(self, command, limit_s):
        if command["do"] == "turn":
            asked.append((self.name, command["in_blocks"]))
        answer = ask(self, command, limit_s)
        return answer | {"is_short": self.name == "eager+no_grad"} if command["do"] == "settle" else answer

    monkeypatch.setattr(FakeWorker, "ask", spy)
    measure("eager+grad", "eager+no_grad", rounds=(2, 2))
    preliminary, rounds = asked[:12], asked[12:]
    assert {in_blocks for name, in_blocks in preliminary[:6]} == {False}
    assert {in_blocks for name, in_blocks in preliminary[6:]} == {True}
    assert len(rounds) == 8
    assert {in_blocks for _, in_blocks in rounds} == {True}


def test_a_baseline_that_dies_in_the_rounds_leaves_the_others_their_speed_ups(measure, monkeypatch):
    ask = FakeWorker.ask

    def die(self, command, limit_s):
        if (
            self.name == "eager"
            and command["do"] == "turn"
            and sum(name == "eager" for name, _ in self.host.asked) > 12
        ):
            raise WorkerFailedError("It was killed.", "")
        return ask(self, command, limit_s)

    monkeypatch.setattr(FakeWorker, "ask", die)
    _, events = measure("eager+grad", rounds=(20, 20), ms={"eager": 2.0, "twin": 2.0, "eager+grad": 1.0})
    comparison = Comparison(events)
    assert comparison.baseline.status == "failed"
    assert comparison.baseline.rounds < 20
    assert len(comparison.measurements["eager+grad"].ratios) == 20
    assert comparison.measurements["eager+grad"].speedup == 2.0
    assert "The baseline failed on the way: It was killed." in comparison.answer()


def test_a_study_whose_baseline_and_twin_are_gone_ends(measure, monkeypatch):
    ask = FakeWorker.ask

    def die(self, command, limit_s):
        if self.name in ("eager", "twin") and command["do"] == "turn":
            raise WorkerFailedError("It was killed.", "")
        return ask(self, command, limit_s)

    monkeypatch.setattr(FakeWorker, "ask", die)
    _, events = measure("eager+grad", rounds=(20, 20))
    assert events[-1].because == "baseline_failed"
    assert max(turns(events)) == 1
    assert "Nothing beats" not in Comparison(events).answer()


def test_outputs_are_compared_with_the_first_baseline_s_after_the_rounds(measure):
    host, events = measure("eager+grad", rounds=(1, 1), agreement={"eager+grad": "different"})
    assert [(name, do) for name, do in host.asked if do in ("reference", "check")] == [
        ("eager", "reference"), ("twin", "check"), ("eager+grad", "check"),
    ]  # fmt: skip
    assert Comparison(events).measurements["eager+grad"].agreement == "different"


def test_a_check_that_fails_is_an_agreement_of_its_own_and_takes_no_number_away(measure):
    _, events = measure("eager+grad", rounds=(20, 20), faults={"eager+grad": "check"}, ms={"eager+grad": 0.5})
    m = Comparison(events).measurements["eager+grad"]
    assert (m.status, m.speedup, m.agreement) == ("ok", 2.0, "failed")
    assert "It broke." in m.remedies[Doubt.OUTPUT_DIFFERS]
    assert Comparison(events).best() is not m


def test_without_a_reference_outputs_are_not_compared(measure):
    _, events = measure("eager+grad", rounds=(1, 1), faults={"eager": "reference", "twin": "reference"})
    assert Comparison(events).measurements["eager+grad"].agreement is None


def test_both_baselines_and_the_fastest_are_measured_again_by_fresh_workers(measure):
    variants = ("eager+grad", "eager+no_grad", "eager+threads=1")
    host, events = measure(
        *variants,
        again=("eager", "twin", "again"),
        ms={"eager+grad": 0.5, "eager+no_grad": 0.8, "eager+threads=1": 0.4, "again": 0.6},
        agreement={"eager+threads=1": "different"},
        rounds=(20, 20),
    )
    assert [e.variant for e in events if isinstance(e, Samples) and e.kind == "confirm"].count("eager+grad") == 8
    m = Comparison(events).measurements["eager+grad"]  # the fastest of those that agree
    assert (m.speedup, m.rounds) == (2.0, 20)
    assert m.confirmed_speedup == pytest.approx(1 / 0.6)
    assert m.interval()[0] == pytest.approx(1 / 0.6)
    assert host.kept[-1] == host.workers[2].cache  # what the first worker compiled


def test_a_fresh_baseline_that_fails_takes_no_number_away(measure):
    _, events = measure("eager+grad", again=("again", "twin", "eager+grad"), faults={"again": "build"}, rounds=(20, 20))
    comparison = Comparison(events)
    assert [m.status for m in comparison.measurements.values()] == ["ok", "ok"]
    assert comparison.baseline.median_s == 1e-3


def test_the_last_rounds_leave_time_to_confirm_but_the_first_ten_come_first(measure):
    def last_round(budget_s):
        _, events = measure(
            "eager+grad", again=("eager", "twin", "eager+grad"), noise={"eager+grad": 1}, takes_s={"turn": 1.0},
            rounds=(20, 30), budget_s=budget_s,
        )  # fmt: skip
        return max(turns(events)), any(isinstance(e, Samples) and e.kind == "confirm" for e in events)

    assert last_round(40) == (12, False)  # 6 s of preliminary rounds, then 3 s a round
    rounds, confirmed = last_round(80)
    assert 10 < rounds < 30
    assert confirmed


def test_with_the_best_as_the_goal_a_decided_variant_rests_at_the_next_look(measure):
    noise = {"eager+grad": 0.2, "eager+no_grad": 1}
    _, events = measure(
        "eager+grad", "eager+no_grad", ms={"eager+grad": 3.0}, noise=noise, rounds=(20, 30), goal="best"
    )
    taken = [number for number, names in turns(events).items() if "eager+grad" in names]
    assert taken == list(range(1, 11))
    finished = {event.variant: event.because for event in events if isinstance(event, VariantFinished)}
    assert finished["eager+grad"] == "decided"


def test_what_does_not_fit_in_memory_is_loaded_in_turn_with_the_baseline(measure, monkeypatch):
    monkeypatch.setattr(crew.Crew, "has_room", lambda self: len(self.host.workers) < 3)
    again = ["eager", *["eager+no_grad", "eager"] * 2]
    host, events = measure("eager+grad", "eager+no_grad", again=again, rounds=(3, 3), ms={"eager+no_grad": 0.5})
    cycles = [e for e in events if isinstance(e, Samples) and e.reloaded]
    assert [e.variant for e in cycles] == ["eager", "eager+no_grad", "eager+no_grad", "eager"] * 3
    assert sum(not worker.ended for worker in host.workers) == 1  # never two at a time
    m = Comparison(events).measurements["eager+no_grad"]
    assert (m.speedup, m.rounds, m.status) == (2.0, 3, "ok")
    assert Doubt.NOT_INTERLEAVED in m.doubts
    assert Doubt.NOT_INTERLEAVED not in Comparison(events).measurements["eager+grad"].doubts
