"""The runs that are kept: a list of them, one of them as it was, and files to take them elsewhere."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from optkit import private, summary
from optkit.comparison import Comparison
from optkit.errors import OptkitError, UsageError
from optkit.events import Event, StudyEnded, StudyStarted
from optkit.run_diff import RunDiff, diff_of
from optkit.store import LAST, Store

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pandas as pd

    from optkit.store import Kept

SCHEMA = 1
DAY_S = 86_400.0
RUN_ID = re.compile(r"[\w.-]{1,64}")


class Imported(NamedTuple):
    """What was read from a file.

    Attributes
    ----------
    runs
        Ids of the runs that are new, or have more events now.
    events
        How many events were added.
    refused
        What was not taken in, a sentence each.
    """

    runs: tuple[str, ...]
    events: int
    refused: tuple[str, ...]


def history(limit: int | None = None) -> pd.DataFrame:
    """Return the runs that are kept, one row each, the latest first; columns are `optkit.summary.COLUMNS`.

    Parameters
    ----------
    limit
        How many rows at most.
    """
    import pandas as pd

    rows = latest(limit)
    frame = pd.DataFrame(rows, columns=list(summary.COLUMNS))
    frame["started"] = pd.to_datetime(frame["started"], unit="s", utc=True, errors="coerce")
    return frame.astype({"batch_size": "Int64", "variants": "Int64"})


def latest(limit: int | None = None) -> list[dict[str, Any]]:
    """Return the runs that are kept as `history` does, without pandas; `started` is a Unix time."""
    with Store() as store:
        return [_row(store, kept) for kept in store.runs(limit)]


def _row(store: Store, kept: Kept) -> dict[str, Any]:
    """Return a row; what is known of a run whose process died is read now, and kept for the next time."""
    known = kept.summary
    if known is None or kept.summarized != kept.events:
        try:
            known = summary.of(Comparison(events_of(store, kept.run_id)))
        except Exception:  # noqa: BLE001 - damaged, or of a newer optkit; the others can still be shown
            known = known or {}
        else:
            if not kept.is_running:
                store.summarize(kept.run_id, kept.events, known)
    return {"run_id": kept.run_id, "started": kept.began_unix_s} | known


def load(run_id: str = LAST) -> Comparison:
    """Return a run that is kept as the comparison that it was.

    Parameters
    ----------
    run_id
        Its id, the beginning of one, or ``"last"``.

    Returns
    -------
    Comparison
        Of a run that goes on in another process, or whose process was killed, with all that is measured so far. The
        model itself is not kept: give it to `Comparison.apply`, and a workload to `Comparison.save_recipe`.

    Raises
    ------
    UsageError
        If no run, or more than one, is meant.
    OptkitError
        If an event of it is of a newer optkit.
    """
    with Store() as store:
        return Comparison(events_of(store, store.find(run_id)))


def events_of(store: Store, run_id: str) -> list[Event]:
    """Return a run's events, with an end where its process is gone and had none."""
    events = store.events(run_id)
    return events if store.run(run_id).is_running else _ended(events)


def _ended(events: list[Event]) -> list[Event]:
    if events and not isinstance(events[-1], StudyEnded):
        return [*events, StudyEnded(at_s=events[-1].at_s, because="interrupted")]
    return events


def export_runs(path: str | Path, run_ids: Iterable[str] | str | None = None) -> int:
    """Write runs to a file of JSON lines, one event each, and return how many runs there are.

    Parameters
    ----------
    path
        The file, readable by you alone.
    run_ids
        Which, as in `load`; None: all.
    """
    with Store() as store:
        wanted = [run_ids] if isinstance(run_ids, str) else run_ids
        chosen = [kept.run_id for kept in store.runs()] if wanted is None else [store.find(one) for one in wanted]
        if not chosen:
            raise UsageError("No run is kept, so there is nothing to export.")
        lines = (line for run_id in chosen for line in _lines(store, run_id))
        try:
            private.file(Path(path))
            Path(path).chmod(private.FILE)
            with Path(path).open("w", encoding="utf-8") as file:
                file.writelines(lines)
        except OSError as error:
            raise UsageError(f"Nothing could be written to {path}: {error.strerror}; give another file.") from error
    return len(chosen)


def _lines(store: Store, run_id: str) -> Iterator[str]:
    for number, body in enumerate(store.bodies(run_id)):
        yield f'{{"schema":{SCHEMA},"run":{json.dumps(run_id)},"number":{number},"event":{body}}}\n'


def read(path: str | Path) -> Comparison:
    """Return the one run in a file that `export_runs` wrote, without keeping it.

    Raises
    ------
    UsageError
        If the file cannot be read, or holds none or several.
    """
    found, _ = _read_file(path)
    if len(found) != 1:
        raise UsageError(f"{path} holds {len(found)} runs, where one is needed: optkit export FILE RUN.")
    (events,) = found.values()
    return Comparison(_ended(events))


def import_runs(path: str | Path) -> Imported:
    """Read what `export_runs` wrote into the history; runs that are there already get what they lack.

    A file that was cut, or has lines that are no events, gives what stands before: nothing in it is run.

    Raises
    ------
    UsageError
        If there is no such file, or no line of it is an event.
    """
    found, refused = _read_file(path)
    added: dict[str, int] = {}
    with Store() as store:
        for run_id, events in found.items():
            try:
                added[run_id] = _take_in(store, run_id, events)
            except OptkitError as error:
                refused.append(str(error))
            except Exception as error:  # noqa: BLE001 - events that are right one by one, and make no sense together
                refused.append(f"Run {run_id} was left out: {type(error).__name__} in reading it.")
    changed = tuple(run_id for run_id, count in added.items() if count)
    return Imported(changed, sum(added.values()), tuple(refused))


def _read_file(path: str | Path) -> tuple[dict[str, list[Event]], list[str]]:
    try:
        with Path(path).open(encoding="utf-8", errors="replace") as file:
            found, refused = _read(file)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}; give a file that optkit export wrote.") from error
    if not found:
        why = f" ({refused[0]})" if refused else ""
        raise UsageError(f"{path} has no run in it{why}; give a file that optkit export wrote.")
    return found, refused


def _read(lines: Iterable[str]) -> tuple[dict[str, list[Event]], list[str]]:
    """Return the events of each run up to the first line that is none, and what was wrong with the others."""
    found: dict[str, list[Event]] = {}
    refused: list[str] = []
    for place, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
            schema, run_id, number = record["schema"], record["run"], record["number"]
            if isinstance(schema, int) and schema > SCHEMA:
                raise UsageError("it is of a newer optkit; update this one")
            if schema != SCHEMA or not isinstance(run_id, str) or not RUN_ID.fullmatch(run_id):
                raise UsageError("it is of another version of optkit")
            event = Event.from_json(record["event"])
            if isinstance(event, StudyStarted) != (number == 0) or number != len(found.get(run_id, ())):
                raise UsageError("an event before it is missing")
            if isinstance(event, StudyStarted) and event.run_id != run_id:
                raise UsageError("it names another run")
        except (ValueError, KeyError, AttributeError, TypeError, RecursionError, OptkitError) as error:
            why = error if isinstance(error, OptkitError) else "it is no event, or it was cut"
            refused.append(f"Line {place} was left out: {why}.".replace("..", "."))
            continue
        found.setdefault(run_id, []).append(event)
    return found, refused


def _take_in(store: Store, run_id: str, events: list[Event]) -> int:
    """Add a run, or what a known one lacks; return how many events that were."""
    known = next((kept.events for kept in store.runs() if kept.run_id == run_id), 0)
    if known and store.events(run_id)[: len(events)] != events[:known]:
        raise UsageError(f"Run {run_id} is kept already with other events, so that of the file was left out.")
    if len(events) > known:
        store.append(run_id, known, events[known:], summary.of(Comparison(_ended(events))))
    return max(len(events) - known, 0)


def prune(*, keep: int | None = None, older_than_days: float | None = None) -> int:
    """Remove runs from the history for good, and return how many.

    Parameters
    ----------
    keep
        How many of the latest stay in any case; None with `older_than_days`: none.
    older_than_days
        Only runs that began longer ago than this are removed; None: age is no reason to stay.

    Raises
    ------
    UsageError
        If neither is given, or one makes no sense.
    """
    if keep is None and older_than_days is None:
        raise UsageError("Say what stays: keep=100 for the latest hundred runs, or older_than_days=90.")
    if (keep is not None and keep < 0) or (older_than_days is not None and not older_than_days >= 0):
        raise UsageError("keep and older_than_days must be numbers of at least 0.")
    until = float("inf") if older_than_days is None else time.time() - older_than_days * DAY_S
    with Store() as store:
        old = [kept.run_id for kept in store.runs()[keep or 0 :] if kept.began_unix_s < until]
        return store.remove(old) if old else 0


def diff(before: str | Comparison, after: str | Comparison = LAST) -> RunDiff:
    """Say what changed between two runs of the same workload: torch versions, machines or dates.

    Parameters
    ----------
    before, after
        Runs, as in `load`, or comparisons.

    Raises
    ------
    UsageError
        If they cannot be found, or measured different things.
    """
    one, other = (run if isinstance(run, Comparison) else load(run) for run in (before, after))
    return diff_of(one, other)
