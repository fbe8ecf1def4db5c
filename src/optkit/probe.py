"""Inductor's look at this CPU: learnt once on a machine, kept, and given to every worker. The parent's side.

What it learns are the vector instructions that can be used, and the header that all its C++ kernels include, compiled
beforehand. On a fresh machine that costs whichever process compiles first some seconds, so it is a number of its own.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from optkit import kept as store
from optkit.engines.artifact import is_inside

if TYPE_CHECKING:
    from optkit.environment import Environment
    from optkit.worker.host import Host

CACHE, HEADERS = "inductor", "headers"
EXPECTED = (("avx512f", "avx512"), ("avx2", "avx2"), ("asimd", "asimd"))
"""A flag of the CPU, and what Inductor then must have found, or something went wrong. The first that applies counts."""


class Probe(NamedTuple):
    """What was learnt: the cache folder that workers begin with, what it costs on a fresh machine, and what it says."""

    cache: Path
    seconds: float
    details: dict[str, Any]


def kept(host: Host, environment: Environment) -> Probe | None:
    """Return what an earlier study learnt, checked and copied to the private folder; None where there is nothing."""
    folder = host.folder / "probe"
    known = store.load(_key(environment), folder)
    if known is None:
        return None
    headers = known["headers"]
    if headers and is_inside(headers):
        shutil.copytree(folder / HEADERS, host.folder / headers, dirs_exist_ok=True)
    return Probe(
        folder / CACHE, known["seconds"], {"of": "machine", "kept": True, "instructions": known["instructions"]}
    )


def is_kept(environment: Environment) -> bool:
    """Whether an earlier study has learnt it, as far as can be told without looking at the files."""
    return store.load(_key(environment)) is not None


def learn(host: Host, environment: Environment, limit_s: float) -> Probe:
    """Learn it in a worker, and keep it where it makes sense.

    The worker also pays what every process pays that compiles something. A second worker, which finds what the first
    has learnt, tells how much that is, and it is taken off.

    Raises
    ------
    WorkerFailedError
        If a worker fails.
    """
    first = host.fork("probe")
    answer = first.ask({"do": "probe", "compile_one": 1.0}, limit_s)
    second = host.fork("probe", first.cache)
    again = second.ask({"do": "probe", "compile_one": 2.0}, limit_s)
    for worker in (first, second):
        worker.end()
    seconds = max(0.0, answer["seconds"] - again["seconds"])
    instructions, headers = answer["details"]["instructions"], _inside(answer["details"]["headers"], host.folder)
    if _is_plausible(instructions, environment):
        files = host.folder / "to-keep"
        shutil.copytree(first.cache, files / CACHE)
        if headers and (host.folder / headers).is_dir():
            shutil.copytree(host.folder / headers, files / HEADERS)
        known = {
            "seconds": seconds,
            "instructions": instructions,
            "headers": headers if (files / HEADERS).is_dir() else "",
        }
        store.save(_key(environment), known, files)
        shutil.rmtree(files)
    return Probe(first.cache, seconds, {"of": "machine", "kept": False, "instructions": instructions})


def _key(environment: Environment) -> str:
    return store.machine_key(environment, "probe")


def _inside(path: str | None, folder: Path) -> str:
    """Return a path relative to the private folder; empty where it lies elsewhere, for then every worker finds it."""
    if path is None or not Path(path).resolve().is_relative_to(folder.resolve()):
        return ""
    return str(Path(path).resolve().relative_to(folder.resolve()))


def _is_plausible(instructions: str, environment: Environment) -> bool:
    """Whether Inductor found what this CPU has: a look that was disturbed must not be kept."""
    expected = next((found for flag, found in EXPECTED if flag in environment.cpu_flags), None)
    return expected is None or instructions.startswith(expected)
