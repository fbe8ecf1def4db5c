"""SweepResult: the fold of what a sweep tells. One comparison for each item, and what is read from all of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from optkit import downloads
from optkit.comparison import Comparison
from optkit.errors import UsageError
from optkit.events import StudyEnded
from optkit.rows import COLUMNS as ROW_COLUMNS
from optkit.rows import finite
from optkit.sweeps import drawn, leaderboard, machines, page

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

    from optkit.sweeps.items import Item
    from optkit.sweeps.told import SweepEvent

_Found = TypeVar("_Found")
SCHEMA = 1
COLUMNS = ("machine", "workload", *ROW_COLUMNS, "device", "run_id")
"""Columns of `SweepResult.to_frame`."""


class SweepResult:
    """What a sweep has measured so far: of each workload a `Comparison`, in the order given.

    Parameters
    ----------
    items
        What it was asked for.

    Attributes
    ----------
    comparisons
        One for each item, in order; empty ones of those that have not begun.
    refused
        Why an item could not be measured, by its number.
    known
        Numbers of the items that were measured before.
    nodes
        Who measures an item, by its number, where that is another process.
    lost
        How often a node was lost while it measured.
    waits_for
        What the sweep waits for, a sentence; empty where it does not.
    """

    def __init__(self, items: Sequence[Item]) -> None:
        self.items = tuple(items)
        self.comparisons = [Comparison(workload=item.workload) for item in self.items]
        self.refused: dict[int, str] = {}
        self.known: set[int] = set()
        self.nodes: dict[int, str] = {}
        self.lost = 0
        self.waits_for = ""
        self._read: dict[tuple[str, int], Any] = {}

    def fold(self, told: SweepEvent) -> None:
        """Take in what was told."""
        self.waits_for = told.said if told.kind == "waiting" else ""
        if told.number is None:
            return
        for what in ("leader", "front", "rows"):
            self._read.pop((what, told.number), None)
        match told.kind:
            case "lost":
                self.lost += 1
                self._begin(told.number)
            case "refused":
                self.refused[told.number] = told.said
                one = self.comparisons[told.number]
                if one.started is not None and one.ended_because is None:
                    one.fold(StudyEnded(at_s=one.elapsed_s, because="interrupted"))
            case "event" | "known" if told.event is not None:
                self.nodes[told.number] = told.node
                self.known |= {told.number} if told.kind == "known" else set()
                self.comparisons[told.number].fold(told.event)

    def _begin(self, number: int) -> None:
        self.comparisons[number] = Comparison(workload=self.items[number].workload)

    def state(self, number: int) -> str:
        """Return ``"waiting"``, ``"running"``, ``"done"``, ``"stopped"``, ``"failed"`` or ``"refused"``.

        ``"failed"``: eager itself could not be measured, so there is no answer. ``"refused"``: the study could not be
        made, or was given up; see `refused`.
        """
        one = self.comparisons[number]
        if number in self.refused:
            return "refused"
        if one.started is None:
            return "waiting"
        if one.ended_because is None:
            return "running"
        if one.ended_because in ("stopped", "interrupted"):
            return "stopped"
        return "failed" if one.ended_because == "baseline_failed" else "done"

    def count(self, state: str) -> int:
        """Return how many items are in a state."""
        return sum(self.state(number) == state for number in range(len(self.items)))

    def unanswered(self) -> dict[int, str]:
        """Return why there is no answer for an item, by its number: of those that were refused, and that failed."""
        failed = {i: self.comparisons[i].answer() for i in range(len(self.items)) if self.state(i) == "failed"}
        return dict(sorted((failed | self.refused).items()))

    def machines(self) -> dict[int, str]:
        """Return what to call the machine of each item that has begun, by its number."""
        begun = {i: one.started for i, one in enumerate(self.comparisons) if one.started is not None}
        return machines.names({i: (one.environment, str(one.workload.get("device"))) for i, one in begun.items()})

    def rows(self) -> list[dict[str, Any]]:
        """Return one dict a variant and item with the columns of `to_frame`, in the order of the sweep."""
        named = self.machines()
        return [
            {"machine": named.get(item.number), "workload": item.name} | row | self._whence(item.number, row)
            for item in self.items
            for row in self._once("rows", item.number, Comparison.rows) or self._rows_of(item)
        ]

    def _rows_of(self, item: Item) -> list[dict[str, Any]]:
        """Return the rows of an item that has not begun, which say so."""
        reason = self.refused.get(item.number)
        empty: dict[str, Any] = dict.fromkeys(ROW_COLUMNS) | {"doubts": ()}
        status = "failed" if reason else "waiting"
        return [empty | {"variant": one, "status": status, "reason": reason} for one in item.expected]

    def _whence(self, number: int, row: dict[str, Any]) -> dict[str, Any]:
        """Return device and run of a row; and why it did not end, where its study was given up."""
        one, why = self.comparisons[number], self.refused.get(number)
        said = {"status": "failed", "reason": why} if why and row["status"] in ("stopped", "waiting") else {}
        return {"device": one.started.workload.get("device") if one.started else None, "run_id": one.run_id} | said

    def to_frame(self) -> pd.DataFrame:
        """Return a DataFrame, one row a variant and workload in the order of the sweep; columns are `COLUMNS`.

        Rows of different machines stand beside each other: their times tell of the machines, not of the variants.
        Speed-ups are always over eager on the same machine.
        """
        import pandas as pd

        return pd.DataFrame(self.rows(), columns=list(COLUMNS))

    def leaderboard(self) -> pd.DataFrame:
        """Return a DataFrame, one row a machine and workload with the best variant; see `leaderboard.COLUMNS`."""
        import pandas as pd

        return pd.DataFrame(self.leaders(), columns=list(leaderboard.COLUMNS))

    def leaders(self) -> list[dict[str, Any]]:
        """Return the rows of `leaderboard`."""
        return [place | self._once("leader", number, leaderboard.leader) for number, place in self._places()]

    def pareto(self) -> pd.DataFrame:
        """Return a DataFrame of all variants that are right, with what each costs and whether another beats it.

        ``on_front`` is False where another variant of the same workload and machine (``beaten_by``) is better in
        latency, start-up or memory and worse in none of them. See `leaderboard.front` for when one is better.
        """
        import pandas as pd

        return pd.DataFrame(self.fronts(), columns=list(leaderboard.FRONT_COLUMNS))

    def fronts(self) -> list[dict[str, Any]]:
        """Return the rows of `pareto`."""
        return [
            place | row for number, place in self._places() for row in self._once("front", number, leaderboard.front)
        ]

    def _places(self) -> list[tuple[int, dict[str, Any]]]:
        """Return of each study that has begun its number, machine and workload; those of one machine together."""
        named = self.machines()
        order = list(dict.fromkeys(named.values()))
        return [
            (number, {"machine": named[number], "workload": self.items[number].name})
            for number in sorted(named, key=lambda number: order.index(named[number]))
        ]

    def _once(self, what: str, number: int, find: Callable[[Comparison], _Found]) -> _Found:
        """Return what `find` reads from the study of this number, which is read once until it goes on."""
        if (what, number) not in self._read:
            self._read[what, number] = find(self.comparisons[number])
        return cast("_Found", self._read[what, number])

    def comparison(self, workload: str | int) -> Comparison:
        """Return the comparison of one workload, by its name in the tables or its place in the sweep.

        Raises
        ------
        UsageError
            If there is none of this name.
        """
        names = [item.name for item in self.items]
        if isinstance(workload, int) and -len(names) <= workload < len(names):
            return self.comparisons[workload]
        if workload not in names:
            raise UsageError(f"There is no workload {workload!r} in this sweep; it has {', '.join(names)}.")
        return self.comparisons[names.index(str(workload))]

    def answer(self) -> str:
        """Return in a few sentences what was best, machine by machine."""
        return leaderboard.answer(self)

    def svg(self, name: str = "leaders") -> str:
        """Return a chart as SVG: ``"leaders"``, the best variant of each workload, or ``"pareto"``, what it costs."""
        return drawn.render(self, name, standalone=True)

    def to_json(self, path: str | Path | None = None) -> str:
        """Return everything as one JSON document, and write it to `path` where one is given."""
        rows = [finite(one) for one in self.rows()]
        document = {
            "schema": SCHEMA,
            "studies": [
                {
                    "workload": item.name,
                    "state": self.state(item.number),
                    "run_id": self.comparisons[item.number].run_id,
                }
                for item in self.items
            ],
            "rows": rows,
            "leaderboard": [finite(one) for one in self.leaders()],
            "pareto": [finite(one) for one in self.fronts()],
            "answer": self.answer(),
        }
        return downloads.saved(json.dumps(document, indent=2, allow_nan=False), path)

    def to_csv(self, path: str | Path | None = None) -> str:
        """Return the table as CSV, and write it to `path` where one is given; several doubts are joined with ``|``."""
        return downloads.saved(downloads.table(COLUMNS, self.rows()), path)

    def to_html(self, path: str | Path | None = None) -> str:
        """Return a report of the whole sweep as one HTML file, and write it to `path` where one is given."""
        from optkit import report
        from optkit.sweeps import sweep_report

        content = sweep_report.render(self)
        if path is not None:
            report.write(content, Path(path))
        return content

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        return page.bundle(self)

    def __repr__(self) -> str:
        return f"<SweepResult of {len(self.items)} studies: {self.answer()}>"
