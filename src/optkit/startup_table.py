"""What is known of the ways to start a model, and how it is shown: table, JSON, chart, terminal. Pure."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar

from optkit import charts, disturbance, startup_advice, text
from optkit.html_table import html_table, literal
from optkit.marks import Marks, Series
from optkit.svg_parts import DIM, Rows, Scale, box, document, keys, label, tick_s, width_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

PHASE_COLORS = {
    "interpreter": "#5F6B7A",
    "import": charts.PART_COLORS["import"],
    "probe": charts.PART_COLORS["probe"],
    "load": "#C9B458",
    "build": charts.PART_COLORS["build"],
    "prepare": charts.PART_COLORS["prepare"],
    "first_call": charts.PART_COLORS["first call"],
    "other": "#D8D3C8",
}
"""Phases in the order in which they are drawn: colours as in the chart of start-ups, neighbours differ in lightness."""
COLUMNS = (
    "variant", "way", "status", "total_s", *(f"{phase}_s" for phase in PHASE_COLORS), "agreement", "distance",
    "artifact_bytes", "reason",
)  # fmt: skip
TITLE = "Time from the start of a process to its first result"
WIDTH, PITCH, BAR = 760, 26, 14
MOST_ADVICE = 3
"""So many sentences of advice are shown in a cell at once; the others are folded."""
DISTURBED = "times are too long, and not all alike; end what else runs here, and start it again"


@dataclass(frozen=True)
class FreshStart:
    """One way to start a model, in a process of its own.

    Attributes
    ----------
    way
        One of `optkit.startups.WAYS`.
    variant
        The text of the variant.
    status
        ``"ok"``, ``"failed"`` or ``"skipped"``.
    reason
        Why there are no numbers, in one sentence; else None.
    seconds
        By phase, those of `PHASE_COLORS` that it has; they add up to `total_s`.
    total_s
        From the moment that the process was asked for until its first result; None where there is none.
    distance
        How far the outputs are from eager's, relative to their largest; None where that is infinite, or not known.
    agreement
        ``"equal"``, ``"close"`` or ``"different"``; None where nothing was compared.
    artifact_bytes
        Of what it starts from: a file, a cache directory, artifacts; None where it starts from the model alone.
    facts
        What else the process said: ``libraries`` (native ones that it compiled), ``graphs``, ``cache_hits`` and
        ``cache_misses`` of torch.compile, ``probe_s`` (``look`` and ``header``), ``threads``, ``has_torch``;
        ``others_cpus`` of ``visible_cpus``, which other processes used meanwhile.
    """

    way: str
    variant: str
    status: str
    reason: str | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    total_s: float | None = None
    distance: float | None = None
    agreement: str | None = None
    artifact_bytes: int | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What to call it beside others."""
        return f"{self.variant}: {self.way}"

    @property
    def is_usable(self) -> bool:
        """Whether it gives a result, and not another one than eager."""
        return self.status == "ok" and self.agreement != "different"

    @property
    def outputs(self) -> str:
        """How the outputs agree, in words."""
        if self.agreement is None:
            return "–"
        return self.agreement + (f" ({self.distance:.0e})" if self.distance else "")

    @property
    def said(self) -> str:
        """The row in words."""
        if self.total_s is None:
            return f"{self.name}: {self.status}. {self.reason or ''}".rstrip()
        phases = ", ".join(f"{title(phase)} {text.duration(self.seconds[phase])}" for phase in _phases([self]))
        return f"{self.name}: {text.duration(self.total_s)} ({phases}); outputs {self.outputs}."


@dataclass
class StartupMatrix:
    """How long a fresh process takes to its first result, by the way it starts; each was started once.

    Attributes
    ----------
    model, device
        What was started, and where.
    rows
        A `FreshStart` for each way, in the order in which they were tried.
    uncompared
        Why no outputs were compared; None where they were.
    stopped
        Whether an interrupt ended it early, so that rows are missing.
    """

    model: str
    device: str
    rows: list[FreshStart] = field(default_factory=list)
    uncompared: str | None = None
    stopped: bool = False
    marks: ClassVar[Marks | None] = None
    """How variants are drawn where others draw them too, which an instance may have; no part of its record."""

    @property
    def advice(self) -> list[str]:
        """What follows from the numbers, a sentence each; empty where nothing does."""
        return startup_advice.of(self.rows)

    def to_frame(self) -> pd.DataFrame:
        """Return a table with a row for each way; what was not measured is missing."""
        import pandas as pd

        return pd.DataFrame([self._record(row) for row in self.rows], columns=list(COLUMNS))

    def _record(self, row: FreshStart) -> dict[str, Any]:
        phases = {f"{phase}_s": row.seconds.get(phase) for phase in PHASE_COLORS}
        return {name: getattr(row, name) for name in COLUMNS if name not in phases} | phases

    def to_json(self) -> str:
        """Return it as one JSON document."""
        return json.dumps({"schema": 1} | asdict(self) | {"advice": self.advice}, indent=2, allow_nan=False)

    def svg(self, *, width: float = WIDTH, standalone: bool = False) -> str:
        """Return the starts as bars of their phases; `standalone`: with colours of its own, for light and dark."""
        body, height = _drawn(self.rows, width, self.marks or Marks())
        described = " ".join(row.said for row in self.rows) or "Nothing was started."
        return document(TITLE, described, body, (width, height), standalone=standalone)

    def __str__(self) -> str:
        return "\n".join(_lines(self))

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        phases = _phases(self.rows)
        head = ("", "first result", *map(title, phases), "outputs", "size")
        rows = [[name, *map(_unbroken, cells)] for name, *cells in (_cells(row, phases) for row in self.rows)]
        first, more = _bullets(self.advice[:MOST_ADVICE]), _bullets(self.advice[MOST_ADVICE:])
        folded = f"<details><summary>More that follows from it</summary>{more}</details>" if more else ""
        told = "".join(f"<p style='overflow-wrap:anywhere'>{escape(one)}</p>" for one in self.notes)
        html = f"<p><b>{escape(self.headline)}</b></p>{self.svg()}{first}{folded}{html_table(head, rows)}{told}"
        return {"text/plain": str(self), "text/html": literal(html), "image/svg+xml": self.svg(standalone=True)}

    @property
    def headline(self) -> str:
        """What this is about, in one line."""
        return f"Seconds until the first result of {self.model} on {self.device}, each in a fresh process, started once"

    @property
    def notes(self) -> list[str]:
        """What the table does not say: why rows have no numbers, why nothing was compared, what else was going on."""
        why = _together(row for row in self.rows if row.total_s is None)
        stopped = "It was stopped, so the other starts were not made." if self.stopped else None
        disturbed = disturbance.sentence([row.facts for row in self.rows], DISTURBED)
        return why + [one for one in (stopped, self.uncompared, disturbed) if one is not None]


def _together(rows: Iterable[FreshStart]) -> list[str]:
    """Return why rows have no numbers, a sentence for those of one variant that say the same."""
    seen: dict[tuple[str, str, str | None], list[FreshStart]] = {}
    for row in rows:
        seen.setdefault((row.variant, row.status, row.reason), []).append(row)
    told = []
    for (variant, status, reason), same in seen.items():
        ways = ", ".join(row.way for row in same)
        told.append(f"{variant}: {ways}: {status}. {reason or ''}".rstrip() if len(same) > 1 else same[0].said)
    return told


def _bullets(sentences: list[str]) -> str:
    items = "".join(f"<li>{escape(one)}</li>" for one in sentences)
    return f"<ul style='max-width:60em;overflow-wrap:anywhere'>{items}</ul>" if items else ""


def title(phase: str) -> str:
    """Return the name of a phase as it is shown."""
    return phase.replace("_", " ")


def _phases(rows: list[FreshStart]) -> list[str]:
    return [phase for phase in PHASE_COLORS if any(phase in row.seconds for row in rows)]


def _cells(row: FreshStart, phases: list[str]) -> list[str]:
    """Return a row as text: name, total, each phase, outputs, size."""
    size = "–" if row.artifact_bytes is None else text.size(row.artifact_bytes)
    if row.total_s is None:
        return [row.name, row.status, *("" for _ in phases), "", ""]
    parts = [f"{row.seconds[phase]:.2f}" if phase in row.seconds else "" for phase in phases]
    return [row.name, f"{row.total_s:.2f}", *parts, row.outputs, size]


def _unbroken(cell: str) -> str:
    return cell.replace(" ", "\N{NO-BREAK SPACE}").replace("-", "\N{NON-BREAKING HYPHEN}")


def _lines(matrix: StartupMatrix) -> list[str]:
    """Return the matrix for a terminal."""
    phases = _phases(matrix.rows)
    table = [["", "total", *map(title, phases), "outputs", "size"], *(_cells(row, phases) for row in matrix.rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(wide) for cell, wide in zip(row[1:], widths[1:], strict=True))]
        )
        for row in table
    ]
    advice = [f"- {one}" for one in matrix.advice]
    return [f"{matrix.headline}.", "", *map(str.rstrip, lines), *_block(matrix.notes), *_block(advice)]


def _block(lines: list[str]) -> list[str]:
    return ["", *lines] if lines else []


def _drawn(starts: list[FreshStart], width: float, known: Marks) -> tuple[str, float]:
    if not starts:
        return label(width / 2, 34, "Nothing was started.", anchor="middle", opacity=DIM), 56
    phases = _phases(starts)
    key, top = keys([(box(0, 1, 12, 10, f'fill="{PHASE_COLORS[one]}"'), title(one)) for one in phases], width)
    variants = list(dict.fromkeys(one.variant for one in starts))
    marks = dict(zip(variants, known.assign("matrix", variants, "eager"), strict=True))
    series = [Series(one.name, marks[one.variant].color, marks[one.variant].shape) for one in starts]
    rows = Rows.of(series, width, top=top + 4, aside=max(map(width_of, map(_at_the_end, starts))) + 12, pitch=PITCH)
    longest = max((one.total_s or 0.0 for one in starts), default=0.0)
    scale = Scale(0, longest or 1.0, rows.left, rows.right, logarithmic=False)
    axis, height = rows.axis(scale, tick_s, "time since the process was started, until its first result")
    bars = [
        rows.row(place, one, start.said, *_bar(start, phases, scale, rows.y(place)))
        for place, (one, start) in enumerate(zip(series, starts, strict=True))
    ]
    return key + axis + "".join(bars), height


def _bar(start: FreshStart, phases: list[str], scale: Scale, y: float) -> list[str]:
    """Return the phases of a start one after another, and what it comes to; outputs that differ are said."""
    if start.total_s is None:
        return [label(scale.start + 6, y + 4, start.status, opacity=DIM)]
    at, parts = 0.0, []
    for phase in phases:
        seconds = max(start.seconds.get(phase, 0.0), 0.0)
        x, end = scale(at), scale(at + seconds)
        gap = 0.6 if end - x > 2 else 0  # noqa: PLR2004 - what is thinner than this would be all gap
        if end - x >= 0.1:  # noqa: PLR2004
            parts.append(box(x, y - BAR / 2, end - x - gap, BAR, f'fill="{PHASE_COLORS[phase]}"'))
        at += seconds
    return [*parts, label(scale(at) + 6, y + 4, _at_the_end(start))]


def _at_the_end(start: FreshStart) -> str:
    return text.duration(start.total_s) + (", different" if start.agreement == "different" else "")
