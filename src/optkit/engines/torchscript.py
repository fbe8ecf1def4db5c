"""TorchScript: trace or script the model, save it, and load it in another process. Deprecated, and still in use."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from optkit.engines import artifact, exported, heard
from optkit.engines.base import COMPILING, NO_GRAD, Engine, LoadedModel
from optkit.errors import UsageError, VariantError
from optkit.verdicts import Doubt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from optkit.environment import Environment

FILE = "model.ts"
KIND = "a TorchScript file"
UNSUPPORTED_PYTHON = (3, 14)


@dataclass(frozen=True)
class TorchScript(Engine):
    """Turn the model into TorchScript, save it, and measure what another process loads.

    Parameters
    ----------
    method
        ``"trace"`` (default): record the operators of one call; ``"script"``: translate the Python source.
    freeze
        `torch.jit.freeze` after loading: weights become constants.
    optimize_for_inference
        `torch.jit.optimize_for_inference` after loading, which freezes as well.
    compile
        Give the traced module to `torch.compile`, in the process that traced it: torch refuses a loaded one.
    path, trust
        Run this file in place of exporting the model. Loading one can run anything: `trust` must be True.

    Raises
    ------
    VariantError
        If a value is not allowed, or settings do not go together.
    """

    name: ClassVar[str] = "torchscript"

    method: str = "trace"
    freeze: bool = False
    optimize_for_inference: bool = False
    compile: bool = False
    path: str | None = None
    trust: bool = False

    def __post_init__(self) -> None:
        self.check_choice("method", ("trace", "script"))
        for key in ("freeze", "optimize_for_inference", "compile", "trust"):
            self.check_choice(key, (True, False))
        artifact.check_path(self.name, self.path, trust=self.trust, is_program=True)
        if self.compile and (self.path or self.freeze or self.optimize_for_inference):
            raise VariantError(
                "torchscript:compile=true is for a module as it was traced: torch.compile refuses one that was loaded "
                "or frozen; leave path, freeze and optimize_for_inference out."
            )

    @property
    def compiles(self) -> bool:
        """Only where the traced module is given to torch.compile."""
        return self.compile

    @property
    def modules(self) -> tuple[str, ...]:
        """As for `Compile`, where it is compiled."""
        return COMPILING if self.compile else super().modules

    @property
    def runs_file(self) -> bool:
        """A file, but for what is compiled."""
        return not self.compile

    def blocked(self, environment: Environment) -> str | None:
        """TorchScript ends with Python 3.13."""
        version = environment.versions.get("python", "")
        parts = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
        if parts >= UNSUPPORTED_PYTHON:
            return f"torch supports no TorchScript on Python {version}; use compile or aotinductor."
        return None

    @property
    def artifact_name(self) -> str | None:
        """A file, but for what is compiled."""
        return FILE if self.runs_file else None

    def check_file(self) -> None:
        """Look at the checksums: torch does not."""
        if self.path is not None:
            artifact.check_zip(Path(self.path), KIND, "constants.pkl")

    def export(self, loaded: LoadedModel, folder: Path) -> None:
        """Trace or script the model, and save it."""
        with heard.warnings_of(loaded.facts, deprecations=True):
            self._made(loaded).save(str(folder / FILE))

    def prepare(self, loaded: LoadedModel, folder: Path | None) -> Callable[..., Any]:
        """Load what was exported; or compile what is traced here."""
        import torch

        with heard.warnings_of(loaded.facts, deprecations=True):
            if self.compile:
                module = self._made(loaded)
                return torch.compile(_method(module, loaded.method))
            path = Path(self.path) if folder is None else folder / FILE  # type: ignore[arg-type]
            with artifact.reading(path, KIND, is_own=self.path is None):
                module = torch.jit.load(str(path), map_location=loaded.device)  # type: ignore[no-untyped-call]
            others = [loaded.method] if hasattr(module, loaded.method) and loaded.method != "forward" else []
            if self.freeze:
                module = torch.jit.freeze(module.eval(), preserved_attrs=others)
            if self.optimize_for_inference:
                module = torch.jit.optimize_for_inference(module.eval(), other_methods=others)
        return _method(module, loaded.method)

    def _made(self, loaded: LoadedModel) -> Any:
        import torch

        if self.method == "script":
            scripted = torch.jit.script(loaded.model)
            if not hasattr(scripted, loaded.method):
                raise UsageError(
                    f"torch.jit.script takes forward and what it calls; mark {loaded.method} with @torch.jit.export, "
                    "or use method=trace."
                )
            return scripted
        args = positional(loaded)
        traced = exported.module(loaded) if isinstance(loaded.model, torch.nn.Module) else loaded.target
        return torch.jit.trace(traced, args, strict=False)  # type: ignore[no-untyped-call]  # a dict may come out

    def doubts(self, facts: Mapping[str, Any], *, grad: str, device: str) -> dict[Doubt, str]:
        """Say what replaces TorchScript, and that torch.compile does nothing with it."""
        del grad, device
        found = {}
        if self.compile and facts.get("graphs") == 0:
            found[Doubt.NOT_COMPILED] = (
                "torch.compile makes no graph of a TorchScript module and says nothing, so these are TorchScript's own "
                "times; compile the original: the variant compile."
            )
        if facts.get("deprecated"):
            found[Doubt.LEGACY] = (
                f"torch says: {facts['deprecated'].rstrip('.')}. Use compile in a process that has the model's source, "
                "aotinductor in one that loads a file."
            )
        if remedy := heard.one_path_remedy(facts, "use method=script, or compile, which has guards"):
            found[Doubt.ONE_PATH] = remedy
        return found

    def code(self, model: str, method: str, inputs: str, *, context: str = NO_GRAD) -> list[str]:
        """Return the lines that export the model and load it again."""
        if self.path is not None:
            return self._loaded(repr(self.path), "")
        name = inputs.lstrip("*")
        lines: list[str] = []
        if self.method == "script":
            last, made = "" if method == "forward" else f".{method}", f"torch.jit.script({model})"
        else:
            lines, module = exported.module_code(model, method)
            given = f"example_kwarg_inputs={name}" if inputs.startswith("**") else name
            last, made = "", f"torch.jit.trace({module}, {given}, strict=False)"
        lines += [f"with {context}:", f"    scripted = {made}"]
        if self.compile:
            return [*lines, f"fast = torch.compile(scripted{last})"]
        return [*lines, f'scripted.save("{FILE}")', *self._loaded(repr(FILE), last)]

    def loading_code(self, file: str, method: str, facts: Mapping[str, Any]) -> list[str]:
        """Return the lines that load the file; what was traced is the method itself."""
        del facts
        return self._loaded(file, f".{method}" if self.method == "script" and method != "forward" else "")

    def _loaded(self, path: str, last: str) -> list[str]:
        method = last.removeprefix(".")
        lines = [f"fast = torch.jit.load({path})"]
        if self.freeze:
            lines.append(f"fast = torch.jit.freeze(fast.eval(){f', [{method!r}]' if method else ''})")
        if self.optimize_for_inference:
            lines.append(f"fast = torch.jit.optimize_for_inference(fast.eval(){f', [{method!r}]' if method else ''})")
        return [*lines, *([f"fast = fast{last}"] if last else [])]


def positional(loaded: LoadedModel) -> tuple[Any, ...]:
    """Return the first batch as positional arguments, which is how a trace takes them.

    Raises
    ------
    UsageError
        If an argument can only be given by name.
    """
    args, kwargs = loaded.batches[0]
    if not kwargs:
        return args
    function = getattr(loaded.model, loaded.method, loaded.target)
    bound = inspect.signature(function).bind(*args, **kwargs)
    bound.apply_defaults()
    if bound.kwargs:
        raise UsageError(
            f"A trace takes positional arguments only, and {', '.join(bound.kwargs)} must be given by name."
        )
    given = bound.args
    while given and given[-1] is None:  # defaults that were not given
        given = given[:-1]
    return given


def _method(module: Any, method: str) -> Callable[..., Any]:
    """Return the method of a scripted module; what was traced is the method itself."""
    function: Callable[..., Any] = module if method == "forward" else getattr(module, method, module)
    return function
