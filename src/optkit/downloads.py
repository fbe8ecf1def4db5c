"""Files to take away: tables as CSV that is safe to open, every raw sample, and how a report carries them. Pure.

What the columns mean is in ``docs/columns.md``.
"""

from __future__ import annotations

import base64
import csv
import gzip
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optkit import bill
from optkit.rows import finite
from optkit.timings import round_medians

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from optkit.comparison import Comparison
    from optkit.measurement import Measurement

SCHEMA = 1
SAMPLE_COLUMNS = ("variant", "twin", "kind", "round", "sample", "seconds_per_call")
"""Columns of the raw samples: one row a sample."""
MEDIAN_COLUMNS = ("variant", "twin", "kind", "round", "samples", "median_s")
"""Columns of what stands in for them where they are too many: one row a round."""
PLAIN_BYTES = 20_000
"""Files up to this size are not compressed, so that a click opens them."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Download:
    """A file inside a report.

    Attributes
    ----------
    name, mime
        Name of the file, and its MIME type; that of what is compressed is gzip's.
    content
        Its bytes.
    """

    name: str
    mime: str
    content: bytes

    @property
    def url(self) -> str:
        """The whole file as a link."""
        return f"data:{self.mime};base64,{base64.b64encode(self.content).decode()}"


def table(columns: Iterable[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """Return rows as CSV with a head; several names in one cell are joined with ``|``."""
    names = tuple(columns)
    return _lines([names, *([harmless(_joined(row[name])) for name in names] for row in rows)])


def _joined(value: Any) -> Any:
    return "|".join(value) if isinstance(value, tuple) else value


def saved(content: str, path: str | Path | None) -> str:
    """Return a text, and write it to a file where one is given."""
    if path is not None:
        Path(path).write_text(content, encoding="utf-8")
    return content


def document(c: Comparison) -> dict[str, Any]:
    """Return a whole comparison as it is written to JSON; its keys are in ``docs/columns.md``."""
    started, everyone = c.started, list(c.measurements.values())
    return {
        "schema": SCHEMA,
        "run_id": c.run_id,
        "workload": started.workload if started else None,
        "environment": started.environment | c.load() if started else None,
        "plan": started.plan if started else None,
        "rows": [finite(one) for one in c.rows()],
        "remedies": {str(m): {doubt.name: remedy for doubt, remedy in m.remedies.items()} for m in everyone},
        "metrics": {str(m): m.metric for m in everyone},
        "details": {str(m): m.details for m in everyone if m.details},
        "costs": {str(m): bill.record(m) for m in everyone},
        "best": str(c.best()) if c.has_answer else None,
        "noise": c.noise,
        "ended_because": c.ended_because,
    }


def harmless(value: Any) -> Any:
    """Return a cell such that no spreadsheet takes a text for a formula and runs it: an apostrophe stops that."""
    if not isinstance(value, str):
        return value
    # A carriage return would end the row: Python's csv does not quote it.
    safe = value.replace("\r\n", "\n").replace("\r", "\n")
    return f"'{safe}" if value.startswith(_FORMULA) else safe


def samples(comparison: Comparison) -> Iterator[str]:
    """Return every raw sample as CSV, piece by piece."""
    yield _lines([SAMPLE_COLUMNS])
    for m, twin in _workers(comparison):
        variant = harmless(m.variant)
        for kind, rounds in _turns(m):
            yield _lines(
                (variant, twin, kind, number, place, value)
                for number, values in sorted(rounds.items())
                for place, value in enumerate(values, 1)
            )


def medians(comparison: Comparison) -> Iterator[str]:
    """Return the median of every round as CSV, piece by piece; what is in no round counts as one."""
    yield _lines([MEDIAN_COLUMNS])
    for m, twin in _workers(comparison):
        variant = harmless(m.variant)
        for kind, rounds in _turns(m):
            found = round_medians(dict(rounds))
            yield _lines((variant, twin, kind, n, len(rounds[n]), found[n]) for n in sorted(found))


def packed(name: str, mime: str, pieces: Iterable[str], most_bytes: int) -> Download | None:
    """Return a file, compressed where it is large; None where its link would be longer than so many bytes."""
    room = max(most_bytes - len(name) - 60, 0) * 3 // 4  # base64 makes four characters of three bytes
    out, whole, size = io.BytesIO(), list[bytes](), 0
    with gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as file:
        for piece in pieces:
            data = piece.encode("utf-8", "backslashreplace")
            size += len(data)
            if size <= PLAIN_BYTES:
                whole.append(data)
            file.write(data)
            if out.tell() > room:  # millions of samples need not be compressed to the end to know this
                return None
    if size <= min(PLAIN_BYTES, room):
        return Download(name, mime, b"".join(whole))
    return Download(f"{name}.gz", "application/gzip", out.getvalue()) if out.tell() <= room else None


def stem(run_id: str | None) -> str:
    """Return how the names of a run's files begin."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", run_id or "")[:60] or "optkit"


def _workers(comparison: Comparison) -> Iterator[tuple[Measurement, str]]:
    """Return each worker's measurement, and whether it is the baseline's second one."""
    for m in comparison.measurements.values():
        yield m, "false"
        if m.twin is not None:
            yield m.twin, "true"


def _turns(m: Measurement) -> Iterator[tuple[str, Mapping[Any, list[float]]]]:
    """Return what was timed by kind and round; what is in no round has an empty number."""
    warm = [] if m.warm is None else [ns / 1e9 for ns in m.warm.durations_ns]
    first = [] if m.first_call_s is None else [m.first_call_s]
    yield "first_call", {"": first} if first else {}
    yield "early", {"": m.early_s} if m.early_s else {}
    yield "settle", {"": m.settle_s} if m.settle_s else {}
    yield "preliminary", m.preliminary_samples_s
    yield "round", m.round_samples_s
    yield "confirm", m.confirm_samples_s
    yield "warm_start", {"": warm} if warm else {}


def _lines(rows: Iterable[Iterable[Any]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()
