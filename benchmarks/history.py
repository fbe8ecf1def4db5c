"""How long the history takes: an append, the list of runs, and one run, at 100, 1 000 and 10 000 runs.

``.venv/bin/python benchmarks/history.py``; exit code 1 where a target is missed.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from optkit import runs, summary
from optkit.comparison import Comparison
from optkit.store import Store
from stories import bring_up, checked, ended, finished, rounds, started

SIZES = (100, 1_000, 10_000)
REPEATS = 7
APPEND_MS, HISTORY_S, LOAD_S = 1.0, 0.3, 0.2
VARIANTS = ("compile", "compile:freezing=true", "onnxruntime")


def story(number: int) -> list:
    """Return the events of a study of three variants with 20 rounds of 10 calls."""
    first = replace(started(*VARIANTS), run_id=f"20260101-000000-{number:08x}", time_unix_s=1.7e9 + number)
    told = [first]
    for name in ("eager", *VARIANTS):
        told += bring_up(name, graphs=1)
    told += bring_up("eager", twin=True)
    told += rounds(20, calls=10, eager=10, **dict.fromkeys(VARIANTS, 5))
    told += [checked(name, "equal") for name in ("eager", *VARIANTS)]
    return [*told, *finished("eager", *VARIANTS), ended()]


def median_s(act) -> float:
    """Return the median time of some calls, in seconds."""
    times = []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        act()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def append_ms() -> list[float]:
    """Return the milliseconds that each append of ten runs took, one event at a time, as a study makes them."""
    times = []
    with Store() as store:
        for number in range(10):
            for place, event in enumerate(story(number)):
                begin = time.perf_counter()
                store.append(f"20260101-000000-{number:08x}", place, [event])
                times.append(1e3 * (time.perf_counter() - begin))
    return times


def main() -> None:
    missed = False
    with tempfile.TemporaryDirectory() as folder:
        os.environ["OPTKIT_HOME"] = folder
        times = append_ms()
        middle, high = statistics.median(times), statistics.quantiles(times, n=100)[98]
        missed |= middle > APPEND_MS
        print(
            f"append of an event: median {middle:.3f} ms (target {APPEND_MS:g}), 99 % within {high:.2f} ms, "
            f"{len(times)} events"
        )
        known, about = 10, summary.of(Comparison(story(0)))
        print(f"a run: {len(story(0))} events, {sum(len(str(e.to_json())) for e in story(0)) / 1e3:.0f} kB")
        for size in SIZES:
            with Store() as store:
                for number in range(known, size):
                    events = story(number)
                    store.append(events[0].run_id, 0, events, about)
            known = size
            runs.history()  # whatever is imported, or read for the first time, is not what is asked
            listed, loaded = median_s(runs.history), median_s(lambda: runs.load("last"))
            missed |= listed > HISTORY_S or loaded > LOAD_S
            print(
                f"{size:>6} runs: history() {listed:.3f} s (target {HISTORY_S:g}), "
                f"load() {loaded:.3f} s (target {LOAD_S:g}), history(20) {median_s(lambda: runs.history(20)):.4f} s"
            )
        print(f"file: {sum(one.stat().st_size for one in Path(folder).iterdir()) / 1e6:.0f} MB")
    sys.exit(missed)


if __name__ == "__main__":
    main()
