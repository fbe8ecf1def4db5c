"""optkit: find out, truthfully and while you watch, which inference settings to use for your model on your machine.

Importing this package loads neither torch nor pandas nor plotly: each name is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optkit.comparison import Comparison
    from optkit.diagnosis import Diagnosis, diagnose
    from optkit.errors import OptkitError, UsageError, VariantError, WorkerError, WorkloadError
    from optkit.gating import Gate, gate
    from optkit.measurement import Measurement
    from optkit.profiling import Profile, profile
    from optkit.replay import Replay, replay_shapes
    from optkit.replayed import ReplayedCall
    from optkit.resuming import resume
    from optkit.run_diff import RunDiff
    from optkit.runs import diff, export_runs, history, import_runs, load, prune
    from optkit.startups import StartupMatrix, startup_matrix
    from optkit.study import Plan, Study, compare
    from optkit.sweeps import Sweep, SweepEvent, SweepResult, sweep
    from optkit.troubleshooting import Troubleshooting, troubleshoot
    from optkit.variant import Variant
    from optkit.verdicts import Doubt, Verdict
    from optkit.verification import Verification, verify
    from optkit.widgets import ComparisonView, Explorer, LatencyPlot, VariantPicker, explore
    from optkit.workload import Workload

_HOMES = {
    "Comparison": "comparison",
    "ComparisonView": "widgets",
    "Diagnosis": "diagnosis",
    "Doubt": "verdicts",
    "Explorer": "widgets",
    "Gate": "gating",
    "LatencyPlot": "widgets",
    "Measurement": "measurement",
    "OptkitError": "errors",
    "Plan": "study",
    "Profile": "profiling",
    "Replay": "replay",
    "ReplayedCall": "replayed",
    "RunDiff": "run_diff",
    "StartupMatrix": "startups",
    "Study": "study",
    "Sweep": "sweeps",
    "SweepEvent": "sweeps",
    "SweepResult": "sweeps",
    "Troubleshooting": "troubleshooting",
    "UsageError": "errors",
    "Variant": "variant",
    "VariantError": "errors",
    "VariantPicker": "widgets",
    "Verdict": "verdicts",
    "Verification": "verification",
    "WorkerError": "errors",
    "Workload": "workload",
    "WorkloadError": "errors",
    "compare": "study",
    "diagnose": "diagnosis",
    "diff": "runs",
    "explore": "widgets",
    "export_runs": "runs",
    "gate": "gating",
    "history": "runs",
    "import_runs": "runs",
    "load": "runs",
    "profile": "profiling",
    "prune": "runs",
    "replay_shapes": "replay",
    "resume": "resuming",
    "startup_matrix": "startups",
    "sweep": "sweeps",
    "troubleshoot": "troubleshooting",
    "verify": "verification",
}

__version__ = "0.1.0"
__all__ = [
    "Comparison",
    "ComparisonView",
    "Diagnosis",
    "Doubt",
    "Explorer",
    "Gate",
    "LatencyPlot",
    "Measurement",
    "OptkitError",
    "Plan",
    "Profile",
    "Replay",
    "ReplayedCall",
    "RunDiff",
    "StartupMatrix",
    "Study",
    "Sweep",
    "SweepEvent",
    "SweepResult",
    "Troubleshooting",
    "UsageError",
    "Variant",
    "VariantError",
    "VariantPicker",
    "Verdict",
    "Verification",
    "WorkerError",
    "Workload",
    "WorkloadError",
    "compare",
    "diagnose",
    "diff",
    "explore",
    "export_runs",
    "gate",
    "history",
    "import_runs",
    "load",
    "profile",
    "prune",
    "replay_shapes",
    "resume",
    "startup_matrix",
    "sweep",
    "troubleshoot",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'optkit' has no attribute {name!r}")
    value = getattr(import_module(f"optkit.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
