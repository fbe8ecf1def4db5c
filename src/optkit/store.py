"""Store: every event of every study, kept the moment it happens, in one SQLite file that only this user can read.

SQLite in WAL mode lets several notebooks write at once, and survives a process that is killed in mid-write. On file
systems without shared memory (network homes) it falls back to a rollback journal.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from platformdirs import user_data_path

from optkit import private
from optkit.errors import OptkitError, UsageError
from optkit.events import Event

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

FILE = "history.db"
LAST = "last"
"""Names the run that began last."""
COLUMNS = "run_id, began_unix_s, events, summarized, summary, writer"
BUSY_S = 10.0
"""Another process holds the file for a millisecond at a time, unless the machine is very busy."""
MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY, run_id TEXT NOT NULL UNIQUE, began_unix_s REAL NOT NULL,
        events INTEGER NOT NULL DEFAULT 0, summarized INTEGER NOT NULL DEFAULT 0, summary TEXT, writer TEXT
    );
    CREATE INDEX runs_began ON runs (began_unix_s);
    CREATE TABLE events (
        run INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE, number INTEGER NOT NULL, body TEXT NOT NULL,
        PRIMARY KEY (run, number)
    );
    """,
    """
    ALTER TABLE runs ADD COLUMN asked TEXT;
    CREATE INDEX runs_asked ON runs (asked);
    """,
)
"""What brings a file from one version of the schema to the next; `user_version` says how many have been applied."""


class Kept(NamedTuple):
    """A run in the store.

    Attributes
    ----------
    events
        How many events there are.
    summary
        What was read from the first `summarized` of them, as JSON; None where that was not done.
    writer
        The process that measures it, as `process_name` has it; None or empty where that is over, or was elsewhere.
    """

    run_id: str
    began_unix_s: float
    events: int
    summarized: int
    summary: dict[str, Any] | None
    writer: str | None = None

    @property
    def is_running(self) -> bool:
        """Whether the process that measures it is still there."""
        return bool(self.writer) and self.writer == process_name(int(str(self.writer).rpartition(" ")[2]))


def process_name(pid: int) -> str | None:
    """Return a name that no other process has, whatever the clock is set to; None where there is no such process."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        space = Path(f"/proc/{pid}/ns/pid").readlink()
        began = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None
    return f"{boot} {space} {began} {pid}"


def home() -> Path:
    """Return the folder of what is kept for good: ``OPTKIT_HOME``, or the system's place for a user's data."""
    told = os.environ.get("OPTKIT_HOME")
    return Path(told).expanduser() if told else Path(user_data_path("optkit", appauthor=False))


def _kept(row: Sequence[Any]) -> Kept:
    run_id, began_unix_s, events, summarized, summary, writer = row
    known = None if summary is None else json.loads(summary)
    return Kept(run_id, began_unix_s, events, summarized, known, writer)


class Store:
    """The history; use it as a context manager, from one thread at a time.

    Parameters
    ----------
    path
        The file, which is made where there is none; None: `FILE` in `home`.

    Raises
    ------
    OptkitError
        If the file cannot be made, is damaged, or was written by a newer optkit; also by every method.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or home() / FILE
        self._connection: sqlite3.Connection | None = None
        with self._explained():
            self._connection = self._open()
            self._migrate()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def append(
        self,
        run_id: str,
        number: int,
        events: Sequence[Event],
        summary: dict[str, Any] | None = None,
        *,
        writer: str | None = None,
        asked: str | None = None,
    ) -> None:
        """Add events of a run, the first of them under `number`, all or none of them.

        Parameters
        ----------
        run_id
            Name of the run, which begins with number 0.
        number
            How many events come before these.
        summary
            What `Kept.summary` is to be, of all events up to these.
        writer
            The process that measures the run from here on; empty: none does, it is over.
        asked
            Digits of the question that the run answers, by which `asked` finds it.

        Raises
        ------
        OptkitError
            If there are other events under these numbers, or some before them are missing: somebody else goes on with
            this run.
        """
        bodies = [json.dumps(event.to_json(), separators=(",", ":"), allow_nan=True) for event in events]
        with self._changing() as connection:
            if number == 0 and events:
                began = getattr(events[0], "time_unix_s", 0.0)
                connection.execute("INSERT OR IGNORE INTO runs (run_id, began_unix_s) VALUES (?, ?)", (run_id, began))
            run, known = self._row(run_id, "id, events")
            rows = [(run, number + place, body) for place, body in enumerate(bodies)]
            if number > known or self._differs(rows[: known - number]):
                raise OptkitError(f"Run {run_id} is kept with other events: another process goes on with it.")
            connection.executemany("INSERT INTO events VALUES (?, ?, ?)", rows[max(known - number, 0) :])
            count = max(known, number + len(bodies))
            connection.execute("UPDATE runs SET events = ? WHERE id = ?", (count, run))
            if summary is not None:
                self._summarize(run, count, summary)
            if writer is not None:
                connection.execute("UPDATE runs SET writer = ? WHERE id = ?", (writer, run))
            if asked is not None:
                connection.execute("UPDATE runs SET asked = ? WHERE id = ?", (asked, run))

    def claim(self, run_id: str, events: int, writer: str) -> None:
        """Note who goes on with a run; a UsageError where another process does, or it has more events by now."""
        with self._changing() as connection:
            kept = _kept(self._row(run_id, COLUMNS))
            if kept.is_running and kept.writer != writer:
                raise UsageError(f"Run {run_id} is still being measured, by another process; wait for its end.")
            if kept.events != events:
                raise UsageError(f"Run {run_id} has gone on since it was read; resume it once more.")
            connection.execute("UPDATE runs SET writer = ? WHERE run_id = ?", (writer, run_id))

    def _differs(self, rows: Sequence[tuple[int, int, str]]) -> bool:
        """Whether another event is kept under one of these numbers."""
        query = "SELECT body FROM events WHERE run = ? AND number = ?"
        return any(self._open_one.execute(query, row[:2]).fetchone() != (row[2],) for row in rows)

    def summarize(self, run_id: str, events: int, summary: dict[str, Any]) -> None:
        """Keep what was read from the first `events` events of a run."""
        with self._changing():
            self._summarize(self._row(run_id, "id")[0], events, summary)

    def runs(self, limit: int | None = None) -> list[Kept]:
        """Return the runs, the latest first."""
        query = f"SELECT {COLUMNS} FROM runs ORDER BY began_unix_s DESC, id DESC LIMIT ?"  # noqa: S608 - no text of others
        with self._explained():
            rows = self._open_one.execute(query, (-1 if limit is None else limit,)).fetchall()
        return [_kept(row) for row in rows]

    def asked(self, digits: str) -> list[str]:
        """Return the ids of the runs that answer a question, the latest first."""
        query = "SELECT run_id FROM runs WHERE asked = ? ORDER BY began_unix_s DESC, id DESC"
        with self._explained():
            return [run_id for (run_id,) in self._open_one.execute(query, (digits,))]

    def run(self, run_id: str) -> Kept:
        """Return what is known of one run."""
        with self._explained():
            return _kept(self._row(run_id, COLUMNS))

    def events(self, run_id: str) -> list[Event]:
        """Return the events of a run, in the order in which they happened."""
        return [Event.from_json(json.loads(body)) for body in self.bodies(run_id)]

    def bodies(self, run_id: str) -> list[str]:
        """Return the events of a run as they are kept, one JSON object each, up to the first that is missing."""
        with self._explained():
            (run,) = self._row(run_id, "id")
            query = "SELECT number, body FROM events WHERE run = ? ORDER BY number"
            rows = self._open_one.execute(query, (run,)).fetchall()
        return [body for place, (number, body) in enumerate(rows) if number == place]

    def find(self, name: str) -> str:
        """Return the id of the run that a name stands for: the id, the beginning of one, or `LAST`.

        Raises
        ------
        UsageError
            If no run, or more than one, is meant.
        """
        if not isinstance(name, str):
            raise UsageError(f"A run is named by its id, the beginning of one, or {LAST!r}, not {name!r}.")
        with self._explained():
            if name == LAST:
                rows = self._open_one.execute("SELECT run_id FROM runs ORDER BY began_unix_s DESC, id DESC LIMIT 1")
            else:
                begins = "SELECT run_id FROM runs WHERE substr(run_id, 1, ?) = ? ORDER BY run_id"
                rows = self._open_one.execute(begins, (len(name), name))
            found = [run_id for (run_id,) in rows]
        if name in found:
            return name
        if not found or not name:
            raise UsageError(f"No run {name!r} is kept in {self.path}; see optkit.history() for those that are.")
        if len(found) > 1:
            raise UsageError(
                f"{name!r} is the beginning of {len(found)} runs: {', '.join(found[:3])} …; give more of it."
            )
        return str(found[0])

    def remove(self, run_ids: Iterable[str]) -> int:
        """Remove runs for good, and give their room back; return how many there were."""
        with self._changing() as connection:
            removed = connection.executemany("DELETE FROM runs WHERE run_id = ?", [(one,) for one in run_ids]).rowcount
        with self._explained():
            self._open_one.execute("VACUUM")
        return removed

    @property
    def _open_one(self) -> sqlite3.Connection:
        if self._connection is None:
            raise OptkitError("The store was closed; open another one.")
        return self._connection

    def _row(self, run_id: str, columns: str) -> tuple[Any, ...]:
        row = self._open_one.execute(f"SELECT {columns} FROM runs WHERE run_id = ?", (run_id,)).fetchone()  # noqa: S608
        if row is None:
            raise UsageError(f"No run {run_id!r} is kept in {self.path}; see optkit.history() for those that are.")
        return tuple(row)

    def _summarize(self, run: int, events: int, summary: dict[str, Any]) -> None:
        told = json.dumps(summary, separators=(",", ":"))
        self._open_one.execute("UPDATE runs SET summary = ?, summarized = ? WHERE id = ?", (told, events, run))

    def _open(self) -> sqlite3.Connection:
        private.folder(self.path.parent)
        with contextlib.suppress(FileExistsError):  # SQLite gives its journals the rights of the file
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        connection = sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA foreign_keys = ON")
            with contextlib.suppress(sqlite3.OperationalError):  # then there is a rollback journal, which is slower
                connection.execute("PRAGMA journal_mode = WAL")
            # A commit survives the death of the process, though not of the machine in the next moments.
            connection.execute("PRAGMA synchronous = NORMAL")
        except BaseException:
            connection.close()
            raise
        return connection

    def _migrate(self) -> None:
        connection = self._open_one
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > len(MIGRATIONS):
            self.close()
            raise OptkitError(
                f"The history {self.path} is of a newer optkit; install that, or set OPTKIT_HOME to another folder."
            )
        if version == len(MIGRATIONS):
            return
        with self._changing():
            (version,) = connection.execute("PRAGMA user_version").fetchone()  # another process may have been first
            for script in MIGRATIONS[version:]:
                for statement in filter(str.strip, script.split(";")):
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")

    @contextlib.contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """Change the file, wholly or not at all."""
        with self._explained():
            connection = self._open_one
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                with contextlib.suppress(sqlite3.Error):  # a full disk has ended it already
                    connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what SQLite and the system say into a sentence that says what to do."""
        try:
            yield
        except sqlite3.OperationalError as error:
            raise OptkitError(
                f"The history in {self.path} cannot be used: {error}; see to it, or set OPTKIT_HOME."
            ) from error
        except sqlite3.DatabaseError as error:
            raise OptkitError(
                f"The history in {self.path} is damaged ({error}); move the file away, and a new one is begun."
            ) from error
        except OSError as error:
            raise OptkitError(
                f"The history in {self.path} cannot be used: {error.strerror or error}; set OPTKIT_HOME to a folder "
                "of yours."
            ) from error
