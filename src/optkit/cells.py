"""What stands in the cells of a row, as plain text, wherever a comparison is shown as a table. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optkit import text

if TYPE_CHECKING:
    from optkit.measurement import Measurement


TWO_DIGITS = 10
TERMS = {
    "verdict": "Against the baseline, by the 99 % interval of the speed-up and the noise of this machine.",
    "speed-up": "The baseline's time over the variant's, paired round by round; below it the 95 % interval.",
    "median": "Of a steady call: the median over rounds of the medians within them. Below it how many rounds.",
    "p90": "A tenth of the calls take longer. Missing where there were too few, or calls were timed in blocks.",
    "first call": "The first call of a process, in which a compiler compiles.",
    "start-up": "From the start of a process to its first result, with empty caches; warm is with filled ones.",
    "pays off after": "Calls after which a process that starts cold is ahead of the baseline, with the interval.",
    "throughput": "Inputs in a second, with calls that do not wait for each other.",
    "memory": "The most that calls take, beyond what an idle worker holds.",
    "outputs": "How they agree with eager's; below it the largest absolute difference.",
}
"""What the columns of a table mean."""


def verdict(m: Measurement) -> str:
    """Return the verdict, or why there is none."""
    if m.status in ("failed", "skipped", "waiting"):
        return m.status
    said = str(m.verdict) if m.verdict is not None else m.status
    if m.preliminary:
        return "preliminary"
    return f"{said}, stopped" if m.status == "stopped" and m.verdict is not None else said


def speedup(m: Measurement) -> str:
    """Return the speed-up: with a tilde where there are too few rounds for an interval."""
    if m.speedup is None:
        return "–"
    if m.baseline is m:
        return "1"
    if m.interval() is not None:
        return f"{m.speedup:.2f}×"
    digits = 1 if m.speedup < TWO_DIGITS else 0  # of a few rounds no more is known
    return f"~{m.speedup:.{digits}f}×"


def interval(m: Measurement) -> str:
    """Return the 95 % interval of the speed-up; empty where there is none."""
    found = None if m.speedup is None or m.baseline is m else m.interval()
    return "" if found is None else f"{found[0]:.2f}–{found[1]:.2f}"


def startup(m: Measurement) -> str:
    """Return the cold start, and the warm one where it was measured."""
    cold, warm = m.startup(), m.startup(warm=True)
    if cold is None:
        return "–"
    return text.duration(cold.total_s) + (f" / {text.duration(warm.total_s)}" if warm is not None else "")


def break_even(m: Measurement) -> str:
    """Return after how many calls the cold start is paid back."""
    return "–" if m.baseline is m or m.break_even().low is None else m.break_even().said


def memory(m: Measurement) -> str:
    """Return the most memory that calls take."""
    return "–" if m.peak_memory_bytes is None else text.size(m.peak_memory_bytes)


def outputs(m: Measurement) -> tuple[str, str]:
    """Return how the outputs agree with eager's, and by how much they differ at most."""
    error = None if m.check is None else m.check.max_abs_error
    return m.agreement or "–", "" if error is None else f"{error:.1g}"


def headroom(m: Measurement) -> str:
    """Return how many times the least time of this machine a call takes."""
    if m.headroom is None:
        return "–"
    return f"{m.headroom:.1f}×" if m.headroom < TWO_DIGITS else f"{m.headroom:,.0f}×"
