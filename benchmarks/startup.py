"""How soon optkit is there: import, `--help`, and a worker after the first.

Targets: import under 0.15 s, `optkit --help` under 0.6 s, a worker ready under 100 ms. Beside each stands what an empty
interpreter takes here, so that a slow machine can be told from a slow optkit. Run with ``make bench``.
"""

from __future__ import annotations

import subprocess
import sys
from statistics import median
from time import perf_counter

from optkit.worker.host import Host

REPEATS = 7


def seconds(*arguments: str) -> float:
    times = []
    for _ in range(REPEATS):
        begin = perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
        times.append(perf_counter() - begin)
    return median(times)


def imported() -> float:
    code = "from time import perf_counter; b = perf_counter(); import optkit; print(perf_counter() - b)"
    runs = [subprocess.run([sys.executable, "-c", code], check=True, capture_output=True) for _ in range(REPEATS)]
    return median(float(run.stdout) for run in runs)


def worker_s() -> float:
    """Seconds from asking for a worker to its first answer, the first one left out."""
    times = []
    with Host() as host:
        host.start()
        for _ in range(REPEATS + 1):
            begin = perf_counter()
            host.fork("ready").ask({"do": "ping"}, 60)
            times.append(perf_counter() - begin)
    return median(times[1:])


def main() -> None:
    print(f"An empty interpreter: {seconds('-c', ''):.3f} s")
    print(f"1. import optkit: {imported():.3f} s; target under 0.15 s")
    print(f"2. optkit --help: {seconds('-m', 'optkit', '--help'):.3f} s; target under 0.6 s")
    print(f"3. A worker ready: {worker_s() * 1e3:.1f} ms; target under 100 ms")


if __name__ == "__main__":
    main()
