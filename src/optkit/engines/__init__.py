"""The engines: each is one technique that turns a model into a callable, as an immutable settings class.

Importing this package loads no torch; an engine's `prepare` does, and runs in a worker only.
"""

from optkit.engines.aotinductor import AotInductor
from optkit.engines.base import Engine, LoadedModel
from optkit.engines.compile import Compile
from optkit.engines.eager import Eager
from optkit.engines.onnxruntime import OnnxRuntime
from optkit.engines.torchscript import TorchScript

ENGINES: dict[str, type[Engine]] = {
    engine.name: engine for engine in (Eager, Compile, TorchScript, OnnxRuntime, AotInductor)
}
"""Every engine by the name it has in the text form of a variant."""

__all__ = ["ENGINES", "AotInductor", "Compile", "Eager", "Engine", "LoadedModel", "OnnxRuntime", "TorchScript"]
