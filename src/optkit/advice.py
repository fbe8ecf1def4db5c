"""Which variants make sense on a machine, each with the fact about its hardware that speaks for it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from optkit.environment import Environment

ONNX = ("onnx", "onnxscript", "onnxruntime")
MOST = 6
LITTLE_MEMORY_BYTES = 2 * 10**9
"""With less than this, what holds the weights twice, or many kernels at once, is not advised,"""
MOST_IN_LITTLE_MEMORY = 2
"""and no more variants than this: each has a worker of its own."""
FIRST_WITH_TRITON, FIRST_WITH_BFLOAT16 = (7, 0), (8, 0)
"""CUDA generations: Inductor refuses older ones than the first."""
FIRST_WITHOUT_TORCHSCRIPT = (3, 14)
"""The version of Python from which torch.jit is not supported."""


class Advice(NamedTuple):
    """A variant that is worth measuring here, and why.

    Attributes
    ----------
    variant
        Its text form.
    reason
        One sentence that names what about the machine speaks for it.
    """

    variant: str
    reason: str


def recommend(environment: Environment) -> tuple[Advice, ...]:
    """Return what makes sense in `environment`, at least one and at most six, the default to beat first."""
    found = _for_cpu(environment) if environment.device == "cpu" else _for_cuda(environment)
    memory = _memory_bytes(environment)
    return tuple(_sparing(found, memory) if memory < LITTLE_MEMORY_BYTES else found[:MOST])


def _for_cpu(environment: Environment) -> list[Advice]:
    found = _compiled_for_cpu(environment) or _without_compiler(environment)
    if all(package in environment.versions for package in ONNX):
        version = environment.versions["onnxruntime"]
        found.append(Advice("onnxruntime", f"onnxruntime {version} is installed and brings CPU kernels of its own."))
    return [*found, *_threads(environment)]


def _compiled_for_cpu(environment: Environment) -> list[Advice]:
    """Return what Inductor can do: it writes C++, for which it needs a compiler and Python's headers."""
    if not (environment.cxx_compiler and environment.python_headers):
        return []
    found = [
        Advice("compile", f"{environment.cxx_compiler} lets Inductor compile for this CPU; the default to beat."),
        Advice(
            "compile:freezing=true",
            "On a CPU the weights can be laid out for its kernels once and for all; for inference only.",
        ),
    ]
    if environment.bfloat16_units:
        said = f"This CPU multiplies bf16 in hardware ({environment.bfloat16_units}), at half the memory traffic."
        found.append(Advice("compile:freezing=true+bfloat16", said))
    return found


def _without_compiler(environment: Environment) -> list[Advice]:
    what = "Python headers" if environment.cxx_compiler else "C++ compiler"
    said = f"There is no {what}, so Inductor cannot compile for this CPU"
    python = tuple(int(part) for part in environment.versions["python"].split(".")[:2])
    return [
        *(
            [Advice("torchscript:optimize_for_inference=true", f"{said}, but TorchScript needs none.")]
            if python < FIRST_WITHOUT_TORCHSCRIPT
            else []
        ),
        Advice("eager+channels_last", f"{said}, but convolutions can be given the order of data that it likes."),
    ]


def _threads(environment: Environment) -> list[Advice]:
    """Return advice where torch would start more threads than the container lets run."""
    quota, cpus = environment.cpu_quota, environment.cpus
    if quota is None or quota >= cpus:
        return []
    threads = max(1, int(quota))
    given = environment.variables.get("OMP_NUM_THREADS", "")
    if given.isdigit() and int(given) <= threads:
        return []
    said = f"The container grants {quota:g} of {cpus} CPUs, and torch starts threads for all of them."
    return [Advice(f"eager+threads={threads}", said)]


def _for_cuda(environment: Environment) -> list[Advice]:
    device = str(environment.accelerators[0]["name"]) if environment.accelerators else "this accelerator"
    capability = environment.compute_capability
    graphs = Advice(
        "compile:backend=cudagraphs", f"On {device}, eager's own kernels can be replayed without launching each."
    )
    if capability is not None and capability < FIRST_WITH_TRITON:
        said = f"Inductor refuses compute capability {_dotted(capability)}, but CUDA graphs of eager's kernels work."
        return [graphs._replace(reason=said)]
    return [
        Advice("compile", f"Inductor writes Triton kernels for {device}; the default to beat."),
        Advice(
            "compile:mode=reduce-overhead",
            f"On {device}, CUDA graphs save the launch of each kernel, which counts most with small batches.",
        ),
        Advice(
            "compile:mode=max-autotune",
            f"Inductor times several kernels for each product on {device} and takes the fastest; it compiles longest.",
        ),
        graphs,
        *([] if capability is None else _half_precision(capability)),
    ]


def _half_precision(capability: tuple[int, int]) -> list[Advice]:
    """Return what the tensor cores of a generation are for."""
    dtype = "bfloat16" if capability >= FIRST_WITH_BFLOAT16 else "float16"
    cores = f"The tensor cores of compute capability {_dotted(capability)}"
    return [
        Advice(f"compile:mode=max-autotune+{dtype}", f"{cores} multiply {dtype} much faster than float32."),
        Advice(
            f"compile:mode=max-autotune+channels_last+{dtype}",
            f"{cores} take {dtype} convolutions with the channels last.",
        ),
    ]


def _dotted(capability: tuple[int, int]) -> str:
    return ".".join(map(str, capability))


def _memory_bytes(environment: Environment) -> int:
    """Return the memory that is scarcest: the machine's, or that of an accelerator."""
    told = [int(device["memory_bytes"]) for device in environment.accelerators if environment.device == "cuda"]
    return min(environment.memory_bytes, *told) if told else environment.memory_bytes


def _sparing(found: list[Advice], memory_bytes: int) -> list[Advice]:
    """Keep what needs little memory, and say why there is no more."""
    light = [advice for advice in found if advice.variant == "compile" or advice.variant.startswith("eager")]
    kept = (light or found)[:MOST_IN_LITTLE_MEMORY]
    said = f"what needs more than {memory_bytes / 1e9:.1f} GB of memory is left out."
    return [advice._replace(reason=f"{advice.reason.removesuffix('.')}; {said}") for advice in kept]
