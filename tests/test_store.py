"""Store: runs and their events, in one private file that several processes share."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from optkit import store as module
from optkit.errors import OptkitError, UsageError
from optkit.store import Store, process_name
from stories import bring_up, ended, finished, rounds, started

STORY = [started("compile"), *bring_up("eager"), *rounds(3, eager=10, compile=5), *finished("eager"), ended()]


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "deep" / "history.db") as one:
        yield one


def keep(store, run_id, events=STORY):
    for number, event in enumerate(events):
        store.append(run_id, number, [event])


def test_events_come_back_as_they_were_and_in_order(store):
    keep(store, "a")
    assert store.events("a") == STORY
    assert store.run("a").events == len(STORY)


def test_what_is_there_already_is_not_doubled(store):
    keep(store, "a")
    store.append("a", 0, STORY)
    assert store.events("a") == STORY
    assert store.run("a").events == len(STORY)


@pytest.mark.parametrize("number", [1, 3, len(STORY) + 1])
def test_other_events_and_events_behind_missing_ones_are_refused(store, number):
    keep(store, "a")
    with pytest.raises(OptkitError, match="kept with other events"):
        store.append("a", number, [ended("stopped")])
    assert store.events("a") == STORY


def test_a_run_is_gone_on_with_by_one_process_at_a_time(store):
    keep(store, "a")
    me = process_name(os.getpid())
    store.claim("a", len(STORY), me)
    store.claim("a", len(STORY), me)
    with pytest.raises(UsageError, match="still being measured"):
        store.claim("a", len(STORY), "another 1")
    with pytest.raises(UsageError, match="has gone on since"):
        store.claim("a", len(STORY) - 1, me)


def test_folder_and_files_are_for_this_user_only(store):
    keep(store, "a")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in store.path.parent.iterdir()}
    assert stat.S_IMODE(store.path.parent.stat().st_mode) == 0o700
    assert {"history.db", "history.db-wal"} <= modes.keys()
    assert set(modes.values()) == {0o600}


def test_a_run_is_found_by_its_id_its_beginning_or_as_the_last(store):
    keep(store, "2026-a")
    keep(store, "2026-b")
    assert store.find("2026-b") == "2026-b"
    assert store.find("2026-a") == "2026-a"
    assert store.find("last") == "2026-b"
    for name, said in (("2026", "beginning of 2 runs"), ("2027", "No run '2027'"), ("", "No run"), ("%", "No run")):
        with pytest.raises(UsageError, match=said):
            store.find(name)
    with pytest.raises(UsageError, match="No run 'gone'"):
        store.events("gone")


def test_a_removed_run_is_gone_with_its_events_and_its_room(store):
    keep(store, "a", [STORY[0], *STORY[1:] * 200])
    keep(store, "b")
    store._open_one.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = store.path.stat().st_size
    assert store.remove(["a", "gone"]) == 1
    assert [kept.run_id for kept in store.runs()] == ["b"]
    store.close()
    with sqlite3.connect(store.path) as plain:
        assert plain.execute("SELECT count(*) FROM events").fetchone() == (len(STORY),)
    assert store.path.stat().st_size < before / 4


def test_a_change_that_fails_half_way_changes_nothing(store):
    keep(store, "a")
    changing = store._changing()
    changing.__enter__().execute("DELETE FROM runs")
    with pytest.raises(RuntimeError):
        changing.gen.throw(RuntimeError())
    assert store.events("a") == STORY


def test_a_file_of_an_older_schema_is_brought_to_the_newer_one(tmp_path, monkeypatch):
    path = tmp_path / "history.db"
    with Store(path) as old:
        keep(old, "a")
    monkeypatch.setattr(module, "MIGRATIONS", (*module.MIGRATIONS, "ALTER TABLE runs ADD COLUMN note TEXT;"))
    with Store(path) as new:
        assert new.events("a") == STORY
        new._open_one.execute("UPDATE runs SET note = 'kept'")
        assert new._open_one.execute("PRAGMA user_version").fetchone() == (len(module.MIGRATIONS),)


def test_a_migration_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "history.db"
    with Store(path) as old:
        keep(old, "a")
    broken = "ALTER TABLE runs ADD COLUMN note TEXT; ALTER TABLE nothing ADD COLUMN x TEXT;"
    with monkeypatch.context() as patched:
        patched.setattr(module, "MIGRATIONS", (*module.MIGRATIONS, broken))
        with pytest.raises(OptkitError, match="cannot be used"):
            Store(path)
    with Store(path) as again:
        assert again.events("a") == STORY


def test_a_file_of_a_newer_optkit_is_refused_in_one_sentence(tmp_path):
    path = tmp_path / "history.db"
    Store(path).close()
    with sqlite3.connect(path) as plain:
        plain.execute("PRAGMA user_version = 99")
    with pytest.raises(OptkitError, match="is of a newer optkit"):
        Store(path)


def test_a_file_that_is_no_database_is_a_sentence_and_stays_as_it_is(tmp_path):
    path = tmp_path / "history.db"
    path.write_bytes(b"my shopping list" * 100)
    with pytest.raises(OptkitError, match="is damaged"):
        Store(path)
    assert path.read_bytes().startswith(b"my shopping list")


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OptkitError, match="set OPTKIT_HOME to a folder"):
        Store(tmp_path / "file" / "history.db")


def test_a_closed_store_says_so(tmp_path):
    one = Store(tmp_path / "history.db")
    one.close()
    one.close()
    with pytest.raises(OptkitError, match="was closed"):
        one.runs()


def test_a_file_system_without_shared_memory_gets_a_rollback_journal(tmp_path, monkeypatch):
    real = sqlite3.connect

    class Plain(sqlite3.Connection):
        def execute(self, statement, *more):
            if "journal_mode" in statement:
                raise sqlite3.OperationalError("locking protocol")
            return super().execute(statement, *more)

    monkeypatch.setattr(module.sqlite3, "connect", lambda *a, **k: real(*a, **k, factory=Plain))
    with Store(tmp_path / "history.db") as one:
        keep(one, "a")
        assert one.events("a") == STORY
        assert not (tmp_path / "history.db-wal").exists()


WRITER = """
import sys
from pathlib import Path
from optkit.events import MachineRead
from optkit.store import Store
sys.path.insert(0, {tests!r})
from stories import started
with Store(Path({path!r})) as store:
    for number in range(1000):
        store.append({name!r}, number, [MachineRead(at_s=float(number)) if number else started()])
"""


def test_four_processes_write_a_thousand_events_each_at_once_and_none_is_lost_or_doubled(tmp_path):
    path = tmp_path / "history.db"
    tests = str(Path(__file__).parent)
    names = ["a", "b", "c", "d"]
    programs = [WRITER.format(tests=tests, path=str(path), name=name) for name in names]
    running = [subprocess.Popen([sys.executable, "-c", program]) for program in programs]
    assert [one.wait(240) for one in running] == [0] * 4
    with Store(path) as store:
        for name in names:
            assert [event.at_s for event in store.events(name)] == [float(number) for number in range(1000)]


def test_who_writes_a_run_is_known_while_that_process_lives(store):
    store.append("a", 0, STORY[:1], writer=process_name(os.getpid()))
    assert store.run("a").is_running
    gone = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    store.append("b", 0, STORY[:1], writer=process_name(gone.pid))
    assert store.run("b").is_running
    gone.communicate(b"\n")
    assert not store.run("b").is_running
    keep(store, "c")
    assert not store.run("c").is_running


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
def test_a_file_that_was_cut_is_a_sentence_or_gives_whole_events(tmp_path, share):
    path = tmp_path / "history.db"
    with Store(path) as one:
        keep(one, "a", [STORY[0], *STORY[1:] * 20])
        one._open_one.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    try:
        with Store(path) as cut:
            found = [cut.events(kept.run_id) for kept in cut.runs()]
    except OptkitError as error:
        assert str(path) in str(error)  # noqa: PT017 - either is right
    else:
        whole = [STORY[0], *STORY[1:] * 20]
        assert all(events == whole[: len(events)] for events in found)


def test_a_journal_torn_at_any_byte_gives_whole_events(tmp_path):
    """A process killed in mid-write leaves a log whose end is torn: what was committed before stays."""
    path, work = tmp_path / "history.db", tmp_path / "torn.db"
    with Store(path) as one:
        keep(one, "a")
        for name in ("", "-wal"):
            shutil.copy(f"{path}{name}", f"{work}{name}")
    log = (tmp_path / "torn.db-wal").read_bytes()
    database = work.read_bytes()
    lengths = []
    for cut in [*range(0, len(log), 4096 // 3), len(log)]:
        work.write_bytes(database)
        (tmp_path / "torn.db-wal").write_bytes(log[:cut])
        (tmp_path / "torn.db-shm").unlink(missing_ok=True)
        with Store(work) as torn:
            events = torn.events("a") if torn.runs() else []
        assert events == STORY[: len(events)]
        lengths.append(len(events))
    assert lengths == sorted(lengths)
    assert lengths[-1] == len(STORY)


def test_events_are_kept_as_json_that_anybody_can_read(store):
    keep(store, "a")
    assert json.loads(store.bodies("a")[0])["event"] == "StudyStarted"
