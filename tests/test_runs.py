"""The runs that are kept: listed, loaded, exported, imported, pruned and held beside each other. No study runs here."""

from __future__ import annotations

import dataclasses
import json
import os
import stat
import time

import pytest

import optkit
from optkit import runs, summary
from optkit.comparison import Comparison
from optkit.errors import OptkitError, UsageError
from optkit.recorder import Recorder
from optkit.store import FILE, Store, home, process_name
from optkit.verdicts import Verdict
from stories import bring_up, checked, ended, failed, finished, rounds, started

VARIANTS = ("compile", "compile:backend=aot_eager")


def story(run_id="run-a", *, began=1.7e9, eager=10, compiled=5, other=8, over=True, workload=None, environment=None):
    first = dataclasses.replace(started(*VARIANTS, workload=workload), run_id=run_id, time_unix_s=began)
    if environment is not None:
        first = dataclasses.replace(first, environment=environment)
    measured = rounds(20, **{"eager": eager, VARIANTS[0]: compiled, VARIANTS[1]: other})
    told = [
        first, *bring_up("eager"), *bring_up("eager", twin=True), *bring_up(VARIANTS[0], graphs=1),
        *bring_up(VARIANTS[1], graphs=1), *measured, checked("eager", "equal"), checked("eager", "equal", twin=True),
        checked(VARIANTS[0], "close"), checked(VARIANTS[1], "close"),
    ]  # fmt: skip
    return [*told, *finished("eager", *VARIANTS), ended()] if over else told


def keep(*stories):
    for events in stories:
        with Store() as store:
            store.append(events[0].run_id, 0, events)


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("OPTKIT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_home_is_the_variable_or_the_systems_place_for_data(monkeypatch, tmp_path):
    assert home() == tmp_path / "home"
    monkeypatch.delenv("OPTKIT_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert home() == tmp_path / "data" / "optkit"


def test_the_history_has_a_row_for_each_run_the_latest_first():
    keep(story("run-a", began=1.7e9), story("run-b", began=1.8e9, compiled=20, other=20))
    frame = optkit.history()
    assert list(frame.columns) == list(summary.COLUMNS)
    assert frame["run_id"].tolist() == ["run-b", "run-a"]
    assert frame["best"].tolist() == ["eager", "compile"]
    assert frame["speedup"].tolist() == [1.0, pytest.approx(2.0, rel=0.02)]
    assert str(frame["started"].dtype).startswith("datetime64[ns, UTC]") or "UTC" in str(frame["started"].dtype)
    assert len(optkit.history(limit=1)) == 1


def test_an_empty_history_is_an_empty_table():
    frame = optkit.history()
    assert len(frame) == 0
    assert list(frame.columns) == list(summary.COLUMNS)
    with pytest.raises(UsageError, match="No run 'last'"):
        optkit.load()


def test_a_loaded_run_is_the_comparison_that_it_was():
    keep(story())
    assert optkit.load("run").to_json() == Comparison(story()).to_json()


def test_a_run_whose_process_died_has_all_that_was_measured_and_says_how_it_ended():
    keep(story(over=False))
    loaded = optkit.load()
    assert loaded.ended_because == "interrupted"
    assert [m.status for m in loaded.measurements.values()] == ["stopped"] * 3
    assert loaded.measurements["compile"].rounds == 20
    assert optkit.history()["ended_because"].tolist() == ["interrupted"]
    with Store() as store:  # it is not read again each time
        assert store.run("run-a").summarized == len(story(over=False))


def test_a_run_that_goes_on_in_another_process_is_not_said_to_have_ended():
    events = story(over=False)
    with Store() as store:
        store.append("run-a", 0, events, writer=process_name(os.getpid()))
    assert optkit.load().ended_because is None
    assert optkit.history()["ended_because"].tolist() == [None]


def test_an_event_of_a_newer_optkit_is_a_sentence_and_the_list_is_still_shown():
    keep(story("run-a"), story("run-b", began=1.8e9))
    with Store() as store:
        store._open_one.execute(
            """UPDATE events SET body = '{"event":"Rumour","at_s":1.0}' WHERE run = 2 AND number = 3"""
        )
    with pytest.raises(OptkitError, match="is no kind of event"):
        optkit.load("run-b")
    assert optkit.history()["run_id"].tolist() == ["run-b", "run-a"]


def test_a_recorder_keeps_each_event_before_it_is_seen_and_the_summary_at_the_end():
    events, recorder = story(), Recorder()
    for number, event in enumerate(events):
        assert recorder.add(event, {"best": "compile"} if number == len(events) - 1 else None) is None
        with Store() as store:
            assert store.events("run-a") == events[: number + 1]
    recorder.close()
    with Store() as store:
        assert store.run("run-a").summary == {"best": "compile"}


def test_what_cannot_be_kept_is_told_once_and_kept_as_soon_as_it_can_be(own_home):
    own_home.mkdir()
    (own_home / FILE).write_bytes(b"no database" * 100)
    events, recorder = story(), Recorder()
    told = [recorder.add(event) for event in events[:5]]
    assert "is damaged" in told[0].reason
    assert told[1:] == [None] * 4
    (own_home / FILE).unlink()
    told = [recorder.add(event) for event in events[5:]]
    assert told[0].reason is None
    assert told[1:] == [None] * len(events[6:])
    recorder.close()
    with Store() as store:
        assert store.events("run-a") == events


def test_runs_go_to_a_private_file_and_come_back_elsewhere(tmp_path, monkeypatch):
    keep(story("run-a"), story("run-b", began=1.8e9))
    path = tmp_path / "runs.jsonl"
    assert optkit.export_runs(path) == 2
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert all(json.loads(line)["schema"] == 1 for line in path.read_text().splitlines())
    monkeypatch.setenv("OPTKIT_HOME", str(tmp_path / "elsewhere"))
    told = optkit.import_runs(path)
    assert (set(told.runs), told.events, told.refused) == ({"run-a", "run-b"}, 2 * len(story()), ())
    assert optkit.load("run-a").to_json() == Comparison(story()).to_json()
    assert optkit.import_runs(path) == ((), 0, ())


def test_an_import_adds_what_a_known_run_lacks_and_refuses_another_of_the_same_name(tmp_path):
    keep(story())
    path = tmp_path / "runs.jsonl"
    optkit.export_runs(path, "run-a")
    with Store() as store:
        store.remove(["run-a"])
        store.append("run-a", 0, story()[:7])
    assert optkit.import_runs(path).events == len(story()) - 7
    assert optkit.load().to_json() == Comparison(story()).to_json()
    with Store() as store:
        store.remove(["run-a"])
        store.append("run-a", 0, story(eager=11))
    told = optkit.import_runs(path)
    assert told.events == 0
    assert "kept already with other events" in told.refused[0]
    assert optkit.load().baseline.median_s == pytest.approx(0.011, rel=0.02)


def test_a_file_torn_at_any_byte_gives_the_whole_events_before_it(tmp_path):
    events = story()[:12]
    keep(events)
    path, torn = tmp_path / "runs.jsonl", tmp_path / "torn.jsonl"
    optkit.export_runs(path)
    data = path.read_bytes()
    ends = [place + 1 for place, byte in enumerate(data) if byte == ord("\n")]
    for cut in range(ends[0] - 1, len(data), 7):
        torn.write_bytes(data[:cut])
        found, refused = runs._read_file(torn)
        whole = sum(end <= cut + 1 for end in ends)  # a line without its line feed is whole
        assert found["run-a"] == events[:whole]
        assert len(refused) == (cut not in ends and cut + 1 not in ends)


@pytest.mark.parametrize(
    "line",
    ["", "no json", "[]", "3", "null", '{"schema": 1}', '{"schema": 2, "run": "x", "number": 0}',
     '{"schema": 1, "run": "../x", "number": 0, "event": {"event": "StudyEnded", "at_s": 1, "because": "rounds"}}',
     '{"schema": 1, "run": "x", "number": 0, "event": {"event": "StudyEnded", "at_s": 1, "because": "rounds"}}',
     '{"schema": 1, "run": "x", "number": 5, "event": {"event": "StudyEnded", "at_s": 1, "because": "rounds"}}',
     "[" * 5000, "\x00", "�"],
)  # fmt: skip
def test_a_line_that_is_no_event_is_left_out_with_a_sentence(tmp_path, line):
    keep(story())
    path = tmp_path / "runs.jsonl"
    optkit.export_runs(path)
    path.write_text(line + "\n" + path.read_text())
    found, refused = runs._read_file(path)
    assert found == {"run-a": story()}
    assert len(refused) == 1
    assert refused[0].startswith("Line 1 was left out: ")


def test_a_file_without_a_run_or_that_is_not_there_is_wrong_use(tmp_path):
    (tmp_path / "empty").touch()
    with pytest.raises(UsageError, match="has no run in it"):
        optkit.import_runs(tmp_path / "empty")
    with pytest.raises(UsageError, match="cannot be read"):
        optkit.import_runs(tmp_path / "gone")


def test_pruning_keeps_the_latest_and_the_young():
    now = time.time()
    keep(*(story(f"run-{age}", began=now - age * 86_400) for age in (1, 10, 100, 200)))
    with pytest.raises(UsageError, match="Say what stays"):
        optkit.prune()
    with pytest.raises(UsageError, match="must be numbers of at least 0"):
        optkit.prune(keep=-1)
    assert optkit.prune(keep=3, older_than_days=30) == 1
    assert optkit.prune(older_than_days=30) == 1
    assert optkit.history()["run_id"].tolist() == ["run-1", "run-10"]
    assert optkit.prune(keep=1) == 1
    assert optkit.prune(keep=0) == 1
    assert len(optkit.history()) == 0


def test_a_change_is_faster_or_slower_only_beyond_what_eager_itself_moved():
    keep(story("run-a"), story("run-b", began=1.8e9, compiled=4, other=8.4))
    found = optkit.diff("run-a", "run-b")
    verdicts = {change.variant: change.verdict for change in found.changes}
    assert verdicts == {"eager": Verdict.SAME, "compile": Verdict.FASTER, VARIANTS[1]: Verdict.INCONCLUSIVE}
    assert "can hide a change as well" in found.changes[0].reason
    assert any("A change below 15% is not called one" in note for note in found.notes)
    keep(story("run-c", began=1.9e9, eager=13, compiled=4, other=8))
    found = optkit.diff("run-a", "run-c")
    assert found.noise == pytest.approx(0.3, rel=0.02)
    verdicts = {change.variant: change.verdict for change in found.changes}
    assert verdicts["compile"] == Verdict.INCONCLUSIVE
    assert verdicts["eager"] == Verdict.INCONCLUSIVE
    assert "eager itself moved by 30.0%" in str(found)
    assert found.to_frame()["ratio"].tolist()[1] == pytest.approx(1.25, rel=0.02)
    assert json.loads(found.to_json())["changes"][1]["verdict"] == "inconclusive"


def test_between_machines_eagers_change_is_a_result():
    keep(
        story("run-a"),
        story("run-b", began=1.8e9, eager=20, environment={"cpu": "another", "versions": {"torch": "2"}}),
    )
    found = optkit.diff("run-a")
    assert [change.verdict for change in found.changes] == [Verdict.SLOWER, Verdict.SAME, Verdict.SAME]
    assert found.elsewhere == ("processor",)
    assert "Versions differ: torch none → 2." in found.notes


def test_runs_of_different_things_are_not_compared():
    keep(story("run-a"), story("run-b", workload={"model": "Other", "call": "forward", "inputs_code": "*inputs"}))
    with pytest.raises(UsageError, match=r"measured different things.*model"):
        optkit.diff("run-a", "run-b")
    keep([story("run-c")[0], failed("eager"), ended("baseline_failed")])
    with pytest.raises(UsageError, match="In run run-c eager was not measured"):
        optkit.diff("run-a", "run-c")


def test_a_variant_that_only_one_run_has_or_measured_is_told():
    alone = [dataclasses.replace(started("compile"), run_id="run-b"), *bring_up("eager"), *bring_up("eager", twin=True)]
    keep(story("run-a"), [*alone, failed("compile"), *rounds(20, eager=10), ended()])
    found = optkit.diff("run-a", "run-b")
    assert f"Only in the first run: {VARIANTS[1]}." in found.notes
    assert found.changes[1].reason == "It was not measured in the second run: It broke."
    assert "text/html" in found._repr_mimebundle_()


def test_an_imported_run_without_an_end_does_not_go_on(tmp_path, monkeypatch):
    keep(story(over=False))
    optkit.export_runs(tmp_path / "runs.jsonl")
    monkeypatch.setenv("OPTKIT_HOME", str(tmp_path / "elsewhere"))
    optkit.import_runs(tmp_path / "runs.jsonl")
    assert optkit.history()["ended_because"].tolist() == ["interrupted"]


def test_what_failed_last_is_kept_when_the_recorder_is_closed(own_home):
    own_home.mkdir()
    (own_home / FILE).write_bytes(b"no database" * 100)
    recorder = Recorder()
    for event in story():
        recorder.add(event, {"best": "compile"})
    (own_home / FILE).unlink()
    recorder.close()
    with Store() as store:
        assert store.events("run-a") == story()
        assert store.run("run-a").summary == {"best": "compile"}
        assert not store.run("run-a").is_running


def test_a_file_that_exists_becomes_private_when_runs_are_written_to_it(tmp_path):
    keep(story())
    path = tmp_path / "runs.jsonl"
    path.touch(mode=0o644)
    optkit.export_runs(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_of_a_newer_optkit_says_so(tmp_path):
    (tmp_path / "x").write_text('{"schema": 2, "run": "a", "number": 0, "event": {}}')
    with pytest.raises(UsageError, match="newer optkit"):
        optkit.import_runs(tmp_path / "x")


HOSTILE = [
    {"time_unix_s": 1e300}, {"workload": {"batch_size": "x"}}, {"workload": {"code": 0}}, {"plan": {"seed": "x"}},
    {"plan": {"rounds": 3}}, {"baseline": "compile:fullgraph=true"}, {"environment": {"versions": 3}},
    {"environment": {"cpus": "many"}}, {"environment": {"variables": "x"}}, {"workload": {"shape": "x"}},
]  # fmt: skip


@pytest.mark.parametrize("change", HOSTILE, ids=str)
def test_a_record_that_makes_no_sense_is_left_out_and_the_good_runs_are_taken(tmp_path, change):
    keep(story("run-a"), story("run-b"))
    path = tmp_path / "runs.jsonl"
    optkit.export_runs(path)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    (first,) = [line for line in lines if line["run"] == "run-a" and line["number"] == 0]
    first["event"] |= change
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with Store() as store:
        store.remove(["run-a", "run-b"])
    told = optkit.import_runs(path)
    assert told.runs == ("run-b",)
    assert told.refused
    assert optkit.history()["run_id"].tolist() == ["run-b"]
