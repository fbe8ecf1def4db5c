"""Studies that measure nothing: what a sweep is told by them is made up, at once. Nodes of a cluster import this."""

from __future__ import annotations

import dataclasses
import os
import secrets
import signal
import time
from pathlib import Path

from optkit import environment
from optkit.errors import UsageError
from optkit.presets import resolve
from optkit.variant import BASELINE
from stories import bring_up, checked, ended, failed, finished, rounds, started

MARK = "OPTKIT_TEST_FOLDER"
"""A folder, named by this variable, in which each study leaves a file when it begins."""


def events(workload, variants, plan, *, because="rounds", record=None, machine=None, broken=(), count=20, factor=2.0):
    """Return what a study would tell in which each variant is `factor` times as fast as the one before."""
    here = environment.detect()
    names = [str(one) for one in resolve(variants, here) if one != BASELINE]
    first = dataclasses.replace(
        started(*names, workload=workload.describe(here) | (record or {})),
        run_id=f"run-{secrets.token_hex(6)}",
        plan=plan.to_json(),
        environment=here.to_json() | (machine or {}),
    )
    able = [name for name in names if name not in broken]
    told = [first, *bring_up("eager"), *bring_up("eager", twin=True)]
    for name in names:
        told += [*bring_up(name, graphs=1), *([failed(name)] if name in broken else [])]
    told += rounds(count, eager=100, **{name: 100 / factor ** (place + 1) for place, name in enumerate(able)})
    told += [checked("eager", "equal"), checked("eager", "equal", twin=True), *(checked(one, "equal") for one in able)]
    return [*told, *finished("eager", *able), ended(because)]


def quick(workload, variants, plan):
    """Return a whole study at once."""
    return events(workload, variants, plan)


def noted(workload, variants, plan):
    """Return a study that notes that it began."""
    folder = Path(os.environ[MARK])
    (folder / f"{workload.batch_size}-{secrets.token_hex(4)}").touch()
    return events(workload, variants, plan)


def refusing(workload, variants, plan):
    """Refuse batches of 2."""
    if workload.batch_size == 2:
        raise UsageError("It needs a machine that is not here.")
    return events(workload, variants, plan)


class Slow:
    """A study that tells an event, and then no more for a while; it can be stopped."""

    def __init__(self, workload, variants, plan, *, seconds=60.0):
        self.told, self.seconds, self.stopped = noted(workload, variants, plan), seconds, False

    def __iter__(self):
        yield self.told[0]
        until = time.monotonic() + self.seconds
        while time.monotonic() < until and not self.stopped:
            time.sleep(0.02)
        yield from [ended("stopped")] if self.stopped else self.told[1:]

    def stop(self):
        self.stopped = True


def brief(workload, variants, plan):
    """Return a study of a fifth of a second."""
    return Slow(workload, variants, plan, seconds=0.2)


def deadly(workload, variants, plan):
    """Kill the process that measures a batch of 3 for the first time, in the middle of the study."""
    first = not list(Path(os.environ[MARK]).glob("3-*"))
    told = noted(workload, variants, plan)
    if workload.batch_size == 3 and first:
        return _and_die(told)
    return told


def _and_die(told):
    yield from told[:5]
    time.sleep(0.3)  # what was told is on its way
    os.kill(os.getpid(), signal.SIGKILL)


def always_deadly(workload, variants, plan):
    """Kill whatever process measures a batch of 3."""
    if workload.batch_size == 3:
        time.sleep(1)  # what was told of the studies before is on its way
        os.kill(os.getpid(), signal.SIGKILL)
    return noted(workload, variants, plan)
