"""AOTInductor: export the model, compile it ahead of time, and load the package in another process."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from optkit.engines import artifact, exported, inductor_settings
from optkit.engines.base import COMPILING, NO_GRAD, Engine, LoadedModel
from optkit.engines.compile import written
from optkit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from optkit.environment import Environment

FILE = "model.pt2"
KIND = "an AOTInductor package"
CHECKS = "AOTI_RUNTIME_CHECK_INPUTS"
"""Without it a package takes inputs of any dtype, stride and shape, and gives wrong numbers for them."""


@dataclass(frozen=True)
class AotInductor(Engine):
    """Export the model with `torch.export`, compile it ahead of time, and measure the package that is loaded.

    Parameters
    ----------
    dynamic
        Let the size of a batch vary: the first dimension of every tensor that is as long as the batch. It is 2 or
        more: torch.export takes a size of 1 for a constant.
    freezing
        Let Inductor fold the weights into the code as constants.
    options
        Inductor's options by name.
    path, trust
        Run this package in place of exporting the model. Loading one can run anything: `trust` must be True.

    Raises
    ------
    VariantError
        If a value is not allowed.
    """

    name: ClassVar[str] = "aotinductor"

    dynamic: bool = False
    freezing: bool = False
    options: Mapping[str, Any] | tuple[tuple[str, Any], ...] = ()
    path: str | None = None
    trust: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", written(dict(self.options)))
        for key in ("dynamic", "freezing", "trust"):
            self.check_choice(key, (True, False))
        for name, value in dict(self.options).items():
            inductor_settings.check(name, value)
        artifact.check_path(self.name, self.path, trust=self.trust, is_program=True)

    @property
    def modules(self) -> tuple[str, ...]:
        """Dynamo and Inductor."""
        return COMPILING

    @property
    def loading_modules(self) -> tuple[str, ...]:
        """Loading a package imports Dynamo."""
        return COMPILING[:2]

    @property
    def runs_file(self) -> bool:
        """Always."""
        return True

    @property
    def probes_cpu(self) -> bool:
        """Compiling ahead of time does, and so does loading: the package says which instructions it was made for."""
        return True

    def blocked(self, environment: Environment) -> str | None:
        """Compiling needs a C++ compiler, also for a model on an accelerator."""
        if self.path is None and not environment.cxx_compiler:
            return "AOTInductor needs a C++ compiler and none was found; install g++."
        if self.path is None and not environment.python_headers:
            return "AOTInductor needs Python's headers and there are none; install python3-dev."
        return None

    @property
    def artifact_name(self) -> str | None:
        """A package."""
        return FILE if self.runs_file else None

    def check_file(self) -> None:
        """Look at the checksums: torch does not."""
        if self.path is not None:
            artifact.check_zip(Path(self.path), KIND, ".so")

    def export(self, loaded: LoadedModel, folder: Path) -> None:
        """Export the model, compile it, and write the package."""
        import torch
        import torch._inductor

        if self.dynamic and any(exported.batch_size(batch) == 1 for batch in loaded.batches):
            raise UsageError(
                "torch.export takes a batch of 1 for a constant; give batches of 2 and more, or leave dynamic out."
            )
        args, kwargs = loaded.batches[0]
        shapes = exported.batch_dimensions(loaded) if self.dynamic else None
        program = torch.export.export(exported.module(loaded), args, kwargs, dynamic_shapes=shapes, strict=False)
        if self.dynamic and not program.range_constraints:
            raise UsageError("The size of the batch is built into this model; leave dynamic=true out.")
        configs = dict(self.options) | ({"freezing": True} if self.freezing else {})
        torch._inductor.aoti_compile_and_package(  # noqa: SLF001 - this is its documented name
            program, package_path=str(folder / FILE), inductor_configs=configs
        )

    def prepare(self, loaded: LoadedModel, folder: Path | None) -> Callable[..., Any]:
        """Load the package, with the checks of its inputs switched on."""
        import torch._inductor

        path = Path(self.path) if folder is None else folder / FILE  # type: ignore[arg-type]
        os.environ[CHECKS] = "1"
        with artifact.reading(path, KIND, is_own=self.path is None):
            package: Callable[..., Any] = torch._inductor.aoti_load_package(str(path))  # noqa: SLF001
        del loaded
        return package

    def code(self, model: str, method: str, inputs: str, *, context: str = NO_GRAD) -> list[str]:
        """Return the lines that make the package and load it."""
        if self.path is not None:
            return self.loading_code(repr(self.path), method, {})
        name = inputs.lstrip("*")
        given = f"(), {name}" if inputs.startswith("**") else name if inputs.startswith("*") else f"({name},)"
        lines, module = exported.module_code(model, method)
        arguments = [module, given]
        if self.dynamic:
            lines.append(_shapes_code(inputs))
            arguments.append("dynamic_shapes=shapes")
        configs = dict(self.options) | ({"freezing": True} if self.freezing else {})
        last = f", inductor_configs={configs!r}" if configs else ""
        lines += [f"with {context}:", f"    program = torch.export.export({', '.join(arguments)})"]
        lines.append(f'    torch._inductor.aoti_compile_and_package(program, package_path="{FILE}"{last})')
        return ["import torch._inductor", *lines, *self.loading_code(repr(FILE), method, {})]

    def loading_code(self, file: str, method: str, facts: Mapping[str, Any]) -> list[str]:
        """Return the lines that load the package."""
        del method, facts
        return [
            "import os",
            "import torch._inductor",
            f'os.environ["{CHECKS}"] = "1"  # refuse inputs of another shape or dtype',
            f"fast = torch._inductor.aoti_load_package({file})",
        ]


def _shapes_code(inputs: str) -> str:
    """Return the line that lets the first dimension of every input vary."""
    name, one = inputs.lstrip("*"), "{0: torch.export.Dim.AUTO}"
    made = f"{{key: {one} for key in {name}}}" if inputs.startswith("**") else f"[{one} for _ in {name}]"
    return f"shapes = {made if inputs.startswith('*') else f'[{one}]'}  # export with a batch of at least two"
