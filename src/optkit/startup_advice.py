"""What follows from how fresh processes started: a sentence where the numbers carry it, and none elsewhere. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optkit import text
from optkit.cost import STARTUP_SPREAD
from optkit.replay_advice import listed

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
    """Return what follows from the rows, the most important first; what several variants have in common is said once.

    Those whose outputs differ from eager's are advised against only.
    """
    usable = [row for row in rows if row.is_usable]
    variants: dict[str, Ways] = {}
    for row in usable:
        variants.setdefault(row.variant, {})[row.way] = row
    each = list(variants.values())
    told = [_soonest(usable)]
    told += [f"{_named(row)} gives other outputs than eager, so do not start this way."
             for row in rows if row.agreement == "different"]  # fmt: skip
    told += [_disk(each), _header(each), *_portable(each), _probe(each), _no_torch(each)]
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


def _disk(each: Sequence[Ways]) -> str | None:
    pairs = [(ways[COLD], ways[WARM]) for ways in each if COLD in ways and WARM in ways]
    saved = [
        f"{_s(warm)} with {warm.variant} ({_s(cold)} cold)" for cold, warm in pairs if _is_clearly_less(warm, cold)
    ]
    if not saved:
        return None
    return (
        f"With a warm disk cache the first result comes after {listed(saved)}: ship the cache directory (save_recipe "
        "does)."
    )


def _header(each: Sequence[Ways]) -> str | None:
    """Say what a copy of the cache directory lacks."""
    pairs = [(ways[WARM], ways[WARM_HEADER]) for ways in each if WARM in ways and WARM_HEADER in ways]
    told = []
    for warm, both in pairs:
        if _is_clearly_less(both, warm):
            spent = warm.facts.get("probe_s", {}).get("header")
            took = "much" if spent is None else text.duration(spent)
            more = text.size((both.artifact_bytes or 0) - (warm.artifact_bytes or 0))
            told.append(f"{took} of {_s(warm)} with {warm.variant}, and {_s(both)} where it is found ({more} more)")
    if not told:
        return None
    return (
        "A cache directory does not have the header of Inductor's C++, which is precompiled into "
        "torchinductor_USER/precompiled_headers in TMPDIR: from a warm disk cache, making it anew takes "
        f"{listed(told)}."
    )


def _portable(each: Sequence[Ways]) -> list[str]:
    """Say what torch's portable artifacts did, once for all variants for which it was the same."""
    alike: dict[str, list[str]] = {}
    for ways in each:
        if COLD not in ways or PORTABLE not in ways:
            continue
        cold, portable = ways[COLD], ways[PORTABLE]
        made = portable.facts.get("libraries")
        found = "graphs were found in them" if portable.facts.get("cache_hits") else "no graph was found in them"
        compiled = f", and {_count(made)} compiled anew" if made else ""
        verdict = "" if _is_clearly_less(portable, cold) else ", so they did not clearly help"
        took = f"{_s(portable)} with {cold.variant} ({_s(cold)} cold)"
        alike.setdefault(f"{verdict}: {found}{compiled}", []).append(took)
    return [
        f"Portable cache artifacts gave the first result after {listed(took)}{ending}."
        for ending, took in alike.items()
    ]


def _probe(each: Sequence[Ways]) -> str | None:
    """Say where a look at the CPU is a large part of a start that finds no cache."""
    rows = [ways[way] for ways in each for way in (COLD, FILE) if way in ways]
    told = [row for row in rows if row.seconds.get("probe", 0.0) >= max(WORTH_S, STARTUP_SPREAD * _total(row))]
    if not told:
        return None
    spent = [
        f"{text.duration(row.seconds['probe'])} of {_s(row)} from {_named(row)}"
        f"{' (with the header of its C++)' if row.facts.get('probe_s', {}).get('header') else ''}"
        for row in told
    ]
    return (
        f"Inductor's look at this CPU, which every process pays that does not find it on its disk, is {listed(spent)}."
    )


def _no_torch(each: Sequence[Ways]) -> str | None:
    pairs = [(ways[FILE], ways[NO_TORCH]) for ways in each if FILE in ways and NO_TORCH in ways]
    saved = [
        f"{_s(bare)} with {bare.variant} ({_s(file)} with it)" for file, bare in pairs if _is_clearly_less(bare, file)
    ]
    if not saved:
        return None
    return (
        f"Without torch in the process the first result comes after {listed(saved)}: import onnxruntime and numpy "
        "alone where you serve."
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
