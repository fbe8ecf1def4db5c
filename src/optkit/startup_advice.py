"""What follows from how fresh processes started: a sentence where the numbers carry it, and none elsewhere. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optkit import text
from optkit.cost import STARTUP_SPREAD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optkit.startup_table import FreshStart

MODEL, COLD = "model", "cold"
WARM, WARM_HEADER, PORTABLE = "warm disk cache", "warm disk cache and header", "portable cache"
FILE, NO_TORCH = "file", "file without torch"
WAYS = (MODEL, COLD, WARM, WARM_HEADER, PORTABLE, FILE, NO_TORCH)
"""Ways to start: build the model; compile it, with an empty cache, with what an earlier process left, with torch's
portable artifacts; load a file, and do that without torch."""
WORTH_S = 1.0
"""Parts of a start are spoken of from here on."""


Ways = dict[str, "FreshStart"]


def of(rows: Sequence[FreshStart]) -> list[str]:
    """Return what follows from the rows; those whose outputs differ from eager's are advised against only."""
    usable = [row for row in rows if row.is_usable]
    told = [_soonest(usable)]
    for variant in dict.fromkeys(row.variant for row in usable):
        ways = {row.way: row for row in usable if row.variant == variant}
        told += [_disk(ways), _header(ways), _portable(ways), _probe(ways.get(COLD)), _probe(ways.get(FILE))]
        told.append(_no_torch(ways))
    told += [
        f"{_named(row)} gives other outputs than eager, so do not start this way."
        for row in rows
        if row.agreement == "different"
    ]
    return [one for one in told if one is not None]


def _soonest(rows: Sequence[FreshStart]) -> str | None:
    """Say which is first, beside eager, or else the last."""
    first = min(rows, key=_total, default=None)
    other = next((row for row in rows if row.variant == "eager"), max(rows, key=_total, default=None))
    if first is None or other is None or not _is_clearly_less(first, other):
        return None
    return (
        f"The first result comes soonest from {_named(first)}: after {_s(first)}, and from {_named(other)} {_s(other)}."
    )


def _disk(ways: Ways) -> str | None:
    cold, warm = ways.get(COLD), ways.get(WARM)
    if cold is None or warm is None or not _is_clearly_less(warm, cold):
        return None
    return (
        f"{warm.variant}: first result after {_s(warm)} from a warm disk cache, after {_s(cold)} cold: ship the cache "
        "directory (save_recipe does)."
    )


def _header(ways: Ways) -> str | None:
    """Say what a copy of the cache directory lacks."""
    warm, both = ways.get(WARM), ways.get(WARM_HEADER)
    if warm is None or both is None or not _is_clearly_less(both, warm):
        return None
    spent = warm.facts.get("probe_s", {}).get("header")
    share = "much" if spent is None else text.duration(spent)
    more = text.size((both.artifact_bytes or 0) - (warm.artifact_bytes or 0))
    return (
        f"{warm.variant}: {share} of that warm start went into the header of Inductor's C++, which is precompiled into "
        "torchinductor_USER/precompiled_headers in TMPDIR and not into the cache directory; where a process finds "
        f"that too ({more} more), its first result comes after {_s(both)}."
    )


def _portable(ways: Ways) -> str | None:
    cold, portable = ways.get(COLD), ways.get(PORTABLE)
    if cold is None or portable is None:
        return None
    made = portable.facts.get("libraries")
    found = "graphs were found in them" if portable.facts.get("cache_hits") else "no graph was found in them"
    compiled = f", and {_count(made)} compiled anew" if made else ""
    verdict = "" if _is_clearly_less(portable, cold) else ", so they did not clearly help"
    return (
        f"{cold.variant}: portable cache artifacts gave the first result after {_s(portable)}, against {_s(cold)} cold"
        f"{verdict}: {found}{compiled}."
    )


def _probe(row: FreshStart | None) -> str | None:
    """Say where a look at the CPU is a large part of a start that finds no cache."""
    if row is None or row.seconds.get("probe", 0.0) < max(WORTH_S, STARTUP_SPREAD * _total(row)):
        return None
    header = " with the header of its C++" if row.facts.get("probe_s", {}).get("header") else ""
    return (
        f"{_named(row)}: {text.duration(row.seconds['probe'])} of {_s(row)} is Inductor's look at this CPU{header}, "
        "which every process pays that does not find it on its disk."
    )


def _no_torch(ways: Ways) -> str | None:
    file, bare = ways.get(FILE), ways.get(NO_TORCH)
    if file is None or bare is None or not _is_clearly_less(bare, file):
        return None
    return (
        f"{bare.variant}: without torch in the process the first result comes after {_s(bare)}, against {_s(file)} "
        "with it: import onnxruntime and numpy alone where you serve."
    )


def _is_clearly_less(one: FreshStart, other: FreshStart) -> bool:
    """Whether one is less also if chance made the other longer and this one shorter: each was started once."""
    return _total(one) * (1 + STARTUP_SPREAD) < _total(other) * (1 - STARTUP_SPREAD)


def _total(row: FreshStart) -> float:
    return float("inf") if row.total_s is None else row.total_s


def _named(row: FreshStart) -> str:
    return f"{row.variant} ({row.way})"


def _s(row: FreshStart) -> str:
    return text.duration(row.total_s)


def _count(libraries: int) -> str:
    return "a native library was" if libraries == 1 else f"{libraries} native libraries were"
