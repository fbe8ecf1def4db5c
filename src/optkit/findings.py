"""What about this machine lets things run, stands in their way, or blurs numbers, each with its remedy. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from optkit import installed, text
from optkit.disturbance import NOISY_SHARE
from optkit.environment import EXTRAS
from optkit.installed import KINDS, Status, Told

if TYPE_CHECKING:
    from optkit.environment import Environment
    from optkit.seen import Seen

LITTLE_MEMORY_BYTES, LITTLE_ROOM_BYTES = 2 * 10**9, 10**9


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    name
        What was looked at, e.g. ``"C++ compiler"``.
    status
        ``"ok"``; ``"note"``: good to know; ``"warning"``: something does not work, or numbers suffer; ``"missing"``:
        something that can be installed is not there.
    said
        What was found and what follows from it.
    remedy
        What to do about it; empty where there is nothing to do.
    """

    name: str
    status: Status
    said: str
    remedy: str = ""


def find(environment: Environment, seen: Seen) -> tuple[Finding, ...]:
    """Return what there is to say about a machine, always about the same things and in the same order."""
    added = {name: installed.added_by(name, environment) for name in EXTRAS}
    told = {
        "Python": Told("ok", environment.versions["python"]),
        "Python headers": installed.headers(environment),
        "torch": installed.torch(environment, seen),
        "torchvision": installed.torchvision(environment, seen),
        "C++ compiler": installed.compiler(environment),
        "accelerator": _accelerator(environment, seen),
        "CPU": _cpu(environment),
        "CPU quota": _quota(environment),
        "memory": _memory(environment, seen),
        "load": _load(seen),
        "temporary folder": _temporary_folder(seen),
        "environment variables": _variables(environment),
        "TorchScript": installed.torchscript(environment),
        **{f"extra {name}": said for name, said in added.items()},
        "ipykernel": installed.ipykernel(seen),
    }
    return tuple(Finding(name, *said) for name, said in told.items())


def _accelerator(environment: Environment, seen: Seen) -> Told:
    if environment.accelerators:
        return Told("ok", "; ".join(_device(device) for device in environment.accelerators))
    if environment.cuda and "cuda" in seen.torch_builds:
        said = "there is an NVIDIA device, but nvidia-smi does not answer: torch may not see it either."
        return Told("warning", said, "Look at what nvidia-smi prints; the driver may not be loaded.")
    if environment.cuda:
        return Told("ok", "a ROCm device; of what generation is not known without torch.")
    built = [KINDS[kind] for kind in seen.torch_builds]
    there = [KINDS[kind] for kind in seen.device_nodes]
    if there:
        said = (
            f"there is a {' and a '.join(there)} device, but torch is {'for ' + built[0] if built else 'a CPU build'}."
        )
        return Told("warning", said, f"Install a build of torch for {there[0]}.")
    why = f"; torch was built for {built[0]} and runs on the CPU" if built else ""
    return Told("note", f"none: everything runs on the CPU{why}.")


def _device(device: dict[str, object]) -> str:
    capability = device.get("compute_capability")
    said = f"{device['name']}, {text.size(float(str(device['memory_bytes'])))}, driver {device['driver']}"
    return said + (f", compute capability {capability}" if capability else "")


def _cpu(environment: Environment) -> Told:
    cores = "" if environment.cores is None else f" on {environment.cores} cores"
    units = [
        f"{units} for {what}"
        for what, units in (("bf16", environment.bfloat16_units), ("int8", environment.int8_units))
        if units
    ]
    said = f"{environment.cpu}, {environment.cpus} CPUs{cores}"
    if environment.bfloat16_units:
        return Told("ok", f"{said}; {', '.join(units)}")
    return Told("note", "; ".join([said, *units, "no bf16 units: bf16 is emulated, which was seen 40 times slower."]))


def _quota(environment: Environment) -> Told:
    quota, cpus = environment.cpu_quota, environment.cpus
    if quota is None or quota >= cpus:
        return Told("ok", f"none below the {cpus} CPUs that are seen")
    said = f"the container grants {quota:g} of the {cpus} CPUs that are seen, and torch starts threads for all of them."
    return Told("warning", said, f"Measure with +threads={max(1, int(quota))} too.")


def _memory(environment: Environment, seen: Seen) -> Told:
    available = seen.memory_available_bytes
    said = text.size(environment.memory_bytes)
    if available is not None:
        said += f", {text.size(available)} of it available"
    scarce = environment.memory_bytes if available is None else min(available, environment.memory_bytes)
    if scarce >= LITTLE_MEMORY_BYTES:
        return Told("ok", said)
    said += ": each variant has a worker of its own, and compiling takes some hundred megabytes more."
    return Told("warning", said, "End what else runs, measure fewer variants at once, or a smaller model.")


def _load(seen: Seen) -> Told:
    said = f"{seen.load_1min:.1f} over the last minute, on {seen.machine_cpus} CPUs"
    if seen.load_1min <= NOISY_SHARE * seen.machine_cpus:
        return Told("ok", said)
    said += ": something else runs, or did just now. Calls then take longer, and small differences cannot be told."
    return Told("warning", said, "End what else runs here, or give a larger --budget.")


def _temporary_folder(seen: Seen) -> Told:
    said = f"{text.size(seen.temp_free_bytes)} free"
    remedy = "Set TMPDIR to a folder on another disk."
    if not seen.temp_runs_code:
        return Told("warning", f"{said}, but it is mounted noexec: what Inductor compiles cannot be loaded.", remedy)
    if seen.temp_free_bytes < LITTLE_ROOM_BYTES:
        return Told("warning", f"{said}: each variant keeps what it compiles there, and the weights lie there.", remedy)
    return Told("ok", said)


def _variables(environment: Environment) -> Told:
    off = environment.disables_compile
    if off:
        said = f"{' and '.join(off)} switches torch.compile off in your own processes; optkit measures without it."
        return Told("warning", said, f"unset {' '.join(off)}")
    if environment.scrubbed:
        names = ", ".join(environment.scrubbed)
        return Told("note", f"{names}: set here, but kept from workers, because that changes what is compiled.")
    return Told("ok", "none that changes what is compiled")
