"""Sweeps: many studies, on this machine or on the nodes of a dask cluster, and what comes of them together."""

from __future__ import annotations

from optkit.sweeps.result import SweepResult
from optkit.sweeps.sweeping import Sweep, sweep
from optkit.sweeps.told import SweepEvent

__all__ = ["Sweep", "SweepEvent", "SweepResult", "sweep"]
