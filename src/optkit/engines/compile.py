"""torch.compile: backend, mode, dynamic shapes, fullgraph, Inductor's options and freezing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib import util
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, ClassVar

from optkit import text
from optkit.engines import compile_doubts, inductor_settings
from optkit.engines.base import COMPILING, NO_GRAD, Engine, LoadedModel
from optkit.errors import VariantError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from optkit.environment import Environment
    from optkit.verdicts import Doubt

BACKENDS = ("inductor", "cudagraphs", "aot_eager", "eager", "aot_eager_decomp_partition", "openxla", "tvm")
"""Backends that torch registers itself; `backends()` adds the installed ones."""

NEEDS = {"tvm": "tvm", "openxla": "torch_xla"}
"""Backends that torch names itself, and the package that each runs on."""


@cache
def backends() -> tuple[str, ...]:
    """Return the names that `backend` may have: torch's own, and those of installed packages."""
    installed = [entry.name for entry in entry_points(group="torch_dynamo_backends")]
    return tuple(dict.fromkeys([*BACKENDS, *installed]))


def written(given: dict[Any, Any]) -> tuple[tuple[str, Any], ...]:
    """Return options sorted and with tuples for lists, or raise a VariantError where one has no text."""
    found = {}
    for key, value in given.items():
        if not isinstance(key, str) or not re.fullmatch(r"[\w.-]+", key):
            raise VariantError(f"{key!r} is no name of an option; names are letters, digits, '_', '-' and '.'.")
        found[key] = tuple(value) if isinstance(value, list) else value
        if text.load(text.dump(value)) != found[key]:
            raise VariantError(f"options.{key} must be true, false, a number, a string or a list of those.")
    return tuple(sorted(found.items()))


@dataclass(frozen=True)
class Compile(Engine):
    """Compile the model with `torch.compile`.

    Parameters
    ----------
    backend
        A name (``"inductor"`` by default; the spelling ``"cudagraph"`` means ``"cudagraphs"``), or a callable
        ``backend(graph_module, example_inputs)`` that returns a callable; it travels to the worker by value.
    mode
        None (default), ``"reduce-overhead"``, ``"max-autotune"``, ``"max-autotune-no-cudagraphs"``, or ``"lite"`` where
        torch has it.
    dynamic
        True: symbolic shapes from the first compile on; False: never; None: torch decides at the first other shape.
    fullgraph
        Fail at a graph break, where torch would otherwise run the rest of the model in pieces.
    freezing
        Let Inductor fold the weights into the graph as constants (needs grad disabled).
    options
        Inductor's options by name, e.g. ``{"max_autotune": True}``; torch takes either these or a mode.

    Raises
    ------
    VariantError
        If a value is not allowed, Inductor has no such option, or mode and options are both given.
    """

    name: ClassVar[str] = "compile"

    backend: str | Callable[..., Any] = "inductor"
    mode: str | None = None
    dynamic: bool | None = None
    fullgraph: bool = False
    freezing: bool = False
    options: Mapping[str, Any] | tuple[tuple[str, Any], ...] = ()

    def __post_init__(self) -> None:
        if self.backend == "cudagraph":
            object.__setattr__(self, "backend", "cudagraphs")
        if self.mode == "default":
            object.__setattr__(self, "mode", None)
        # A sorted tuple rather than a dict: equal settings are then equal, hashable, and print alike.
        object.__setattr__(self, "options", written(dict(self.options)))
        if not callable(self.backend):
            self.check_choice("backend", backends())
        self.check_choice("mode", inductor_settings.modes())
        self.check_choice("dynamic", (None, True, False))
        self.check_choice("fullgraph", (True, False))
        self.check_choice("freezing", (True, False))
        if self.mode is not None and self.options:
            raise VariantError("compile takes either a mode or options, not both; give the mode's settings as options.")
        if self.backend == "inductor":
            for name, value in dict(self.options).items():
                inductor_settings.check(name, value)

    @property
    def modules(self) -> tuple[str, ...]:
        """Dynamo and Inductor."""
        return COMPILING

    @property
    def compiles(self) -> bool:
        """Always."""
        return True

    @property
    def probes_cpu(self) -> bool:
        """Inductor compiles C++ for this CPU."""
        return self.backend == "inductor"

    def prepare(self, loaded: LoadedModel, folder: Path | None) -> Callable[..., Any]:
        """Return the compiled callable; torch compiles it at its first call."""
        import torch

        del folder
        self.set_globals()
        compiled: Callable[..., Any] = torch.compile(loaded.target, **self._arguments())
        return compiled

    def set_globals(self) -> None:
        """Set what torch reads for the whole process when it compiles: whether weights become constants."""
        import torch._inductor.config as inductor_config

        inductor_config.freezing = self.freezing

    def _arguments(self) -> dict[str, Any]:
        """Return the arguments of torch.compile that differ from its defaults."""
        arguments: dict[str, Any] = {}
        if self.backend != "inductor":
            arguments["backend"] = self.backend
        if self.mode is not None:
            arguments["mode"] = self.mode
        if self.dynamic is not None:
            arguments["dynamic"] = self.dynamic
        if self.fullgraph:
            arguments["fullgraph"] = True
        if self.options:
            arguments["options"] = dict(self.options)
        return arguments

    def blocked(self, environment: Environment) -> str | None:
        """Inductor needs a C++ compiler on a CPU, some backends a package of their own."""
        needed = NEEDS.get(self.backend) if isinstance(self.backend, str) else None
        if needed is not None and util.find_spec(needed) is None:
            return f"backend={self.backend} needs the package {needed}, which is not installed."
        if self.backend == "inductor" and environment.device == "cpu" and not environment.cxx_compiler:
            return "Inductor needs a C++ compiler on a CPU and none was found; install g++."
        if self.backend == "inductor" and environment.device == "cpu" and not environment.python_headers:
            return "Inductor needs Python's headers on a CPU and there are none; install python3-dev."
        return None

    def problems(self, environment: Environment) -> list[str]:
        """Return why the settings cannot, or should not, be used here."""
        found = super().problems(environment)
        name = text.callable_name(self.backend)
        if self.backend == "cudagraphs" and environment.device == "cpu":
            found.append("cudagraphs needs a CUDA device; none here, so torch skips it.")
        if self.mode == "reduce-overhead" and environment.device == "cpu":
            found.append("mode=reduce-overhead is CUDA graphs; without a CUDA device it is the default mode.")
        if self.backend != "inductor":
            found += [
                f"{setting} is a setting of Inductor and does nothing with backend={name}."
                for setting, given in (("mode", self.mode), ("freezing", self.freezing), ("options", self.options))
                if given
            ]
        return found

    @property
    def wants_cudagraphs(self) -> bool:
        """Whether the settings ask for CUDA graphs."""
        by_mode = self.backend == "inductor" and self.mode in ("reduce-overhead", "max-autotune")
        return self.backend == "cudagraphs" or by_mode or dict(self.options).get("triton.cudagraphs") is True

    def doubts(self, facts: Mapping[str, Any], *, grad: str, device: str) -> dict[Doubt, str]:
        """Return where torch did not do what these settings ask for."""
        return compile_doubts.find(self, facts, grad=grad, device=device)

    def code(self, model: str, method: str, inputs: str, *, context: str = NO_GRAD) -> list[str]:
        """Return the lines that compile the model."""
        del inputs, context
        target = model if method == "forward" else f"{model}.{method}"
        name = text.callable_name(self.backend)
        lines = []
        if callable(self.backend):
            name = name if name.isidentifier() else "my_backend"
            lines.append(f"# {name}: the callable that you gave as the backend")
        arguments = [f"{key}={name if callable(value) else repr(value)}" for key, value in self._arguments().items()]
        if self.freezing:
            lines += ["import torch._inductor.config", "torch._inductor.config.freezing = True"]
        return [*lines, f"fast = torch.compile({', '.join([target, *arguments])})"]
