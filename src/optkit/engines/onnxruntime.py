"""ONNX Runtime: export the model to ONNX, and run it in a process of its own with Microsoft's runtime."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from optkit.engines import artifact, exported, onnx_export
from optkit.engines.base import Engine, LoadedModel
from optkit.engines.compile import written
from optkit.engines.onnx_export import FILE, STRUCTURE
from optkit.errors import UsageError, VariantError
from optkit.verdicts import Doubt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from optkit.environment import Environment

KIND = "an ONNX model"
PACKAGES, EXPORTING = ("onnxruntime",), ("onnx", "onnxscript")
LEVELS = {"all": "ORT_ENABLE_ALL", "extended": "ORT_ENABLE_EXTENDED", "basic": "ORT_ENABLE_BASIC",
          "disabled": "ORT_DISABLE_ALL"}  # fmt: skip
CPU_PROVIDER = "CPUExecutionProvider"


@dataclass(frozen=True)
class OnnxRuntime(Engine):
    """Export the model to ONNX, and run it with ONNX Runtime.

    Parameters
    ----------
    opset
        The version of ONNX's operators to write; None: the exporter's own choice.
    dynamic
        Let the size of a batch vary: the first dimension of every tensor that is as long as the batch.
    optimization
        How far the runtime rewrites the graph: ``"all"`` (default), ``"extended"``, ``"basic"`` or ``"disabled"``.
    provider
        The execution provider, of those that are installed; None: the CPU's own.
    options
        Attributes of `onnxruntime.SessionOptions`, or its configuration entries, whose names have dots.
    path
        Run this file in place of exporting the model.

    Raises
    ------
    VariantError
        If a value is not allowed.
    """

    name: ClassVar[str] = "onnxruntime"
    lingers_s: ClassVar[float] = 0.05

    opset: int | None = None
    dynamic: bool = False
    optimization: str = "all"
    provider: str | None = None
    options: Mapping[str, Any] | tuple[tuple[str, Any], ...] = ()
    path: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", written(dict(self.options)))
        self.check_choice("dynamic", (True, False))
        self.check_choice("optimization", tuple(LEVELS))
        if self.opset is not None and (type(self.opset) is not int or self.opset < 1):
            raise VariantError(f"opset must be a whole number of at least 1, not {self.opset!r}.")
        if self.provider is not None and not isinstance(self.provider, str):
            raise VariantError(f"provider must be a name such as {CPU_PROVIDER}, not {self.provider!r}.")
        artifact.check_path(self.name, self.path, trust=False, is_program=False)  # a graph of known operators
        if self.path is not None and (self.opset is not None or self.dynamic):
            raise VariantError("onnxruntime: opset and dynamic are for exporting; leave them out beside path.")

    @property
    def runs_file(self) -> bool:
        """Always."""
        return True

    def blocked(self, environment: Environment) -> str | None:
        """Say which packages are missing, or that the device cannot be used."""
        needed = PACKAGES if self.path is not None else (*PACKAGES, *EXPORTING)
        missing = [name for name in needed if name not in environment.versions]
        if missing:
            return f'onnxruntime needs {" and ".join(missing)}, not installed here; pip install "optkit[onnx]".'
        if environment.device != "cpu":
            return "optkit runs ONNX Runtime on the CPU only; give device='cpu'."
        return None

    def export(self, loaded: LoadedModel, folder: Path) -> None:
        """Write the ONNX file, have it checked, and note which opset it has."""
        loaded.facts["opset"] = onnx_export.write(loaded, folder, opset=self.opset, dynamic=self.dynamic)

    def prepare(self, loaded: LoadedModel, folder: Path | None) -> Callable[..., Any]:
        """Make a session for the file, and a function that takes and returns tensors as the model does."""
        import cloudpickle

        del loaded
        path = artifact.found(Path(self.path) if folder is None else folder / FILE, KIND)  # type: ignore[arg-type]
        session = self._session(path)
        structure, names = None, [one.name for one in session.get_inputs()]
        if folder is not None:
            structure, names = cloudpickle.loads((folder / STRUCTURE).read_bytes())
        wanted = {one.name for one in session.get_inputs()}  # an input that nothing reads may be gone
        return _Runner(session, [name if name in wanted else None for name in names], structure, path.name)

    def _session(self, path: Path) -> Any:
        import onnxruntime
        import torch

        known = onnxruntime.get_available_providers()
        if self.provider is not None and self.provider not in known:
            raise UsageError(f"ONNX Runtime has no {self.provider} here; installed are: {', '.join(known)}.")
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors only
        options.intra_op_num_threads = torch.get_num_threads()
        options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, LEVELS[self.optimization])
        for name, value in dict(self.options).items():
            if "." in name:
                options.add_session_config_entry(name, str(int(value) if isinstance(value, bool) else value))
            elif hasattr(options, name):
                setattr(options, name, value)
            else:
                raise UsageError(f"ONNX Runtime's SessionOptions have no {name!r}; see its documentation for names.")
        with artifact.reading(path, KIND):
            return onnxruntime.InferenceSession(str(path), options, providers=[self.provider or CPU_PROVIDER])

    def doubts(self, facts: Mapping[str, Any], *, grad: str, device: str) -> dict[Doubt, str]:
        """Say where another opset was written than was asked for."""
        del grad, device
        got = facts.get("opset")
        if self.opset is None or got is None or got == self.opset:
            return {}
        said = (
            f"opset={self.opset} was asked for and {got} was written, because torch's exporters cannot write that one"
        )
        return {Doubt.OPSET_CHANGED: f"{said} for this model; leave opset out, or run it where {got} can be read."}

    def code(self, model: str, method: str, inputs: str) -> list[str]:
        """Return the lines that export the model and make a function of the session."""
        name = inputs.lstrip("*")
        if self.path is not None:
            lines, file = [], self.path
        else:
            lines, file = onnx_export.code(model, method, inputs, opset=self.opset, dynamic=self.dynamic), FILE
        given = f"{name}.values()" if inputs.startswith("**") else name if inputs.startswith("*") else f"[{name}]"
        options = self._options_code()
        providers = f"providers=[{self.provider or CPU_PROVIDER!r}]"
        made = f"session = onnxruntime.InferenceSession({file!r}, {'options, ' if options else ''}{providers})"
        return [
            "import onnxruntime",
            *lines,
            *options,
            made,
            "names = [one.name for one in session.get_inputs()]",
            "def fast(*tensors, **named):",
            "    tensors = [*tensors, *named.values()]",
            "    feed = {name: tensor.numpy() for name, tensor in zip(names, tensors)}",
            "    return [torch.from_numpy(array) for array in session.run(None, feed)]",
            f"# fast takes {given} and returns the model's outputs as a list",
        ]

    def _options_code(self) -> list[str]:
        lines = []
        if self.optimization != "all":
            level = f"onnxruntime.GraphOptimizationLevel.{LEVELS[self.optimization]}"
            lines.append(f"options.graph_optimization_level = {level}")
        for name, value in dict(self.options).items():
            entry = f'options.add_session_config_entry("{name}", "{value}")'
            lines.append(entry if "." in name else f"options.{name} = {value!r}")
        return ["options = onnxruntime.SessionOptions()", *lines] if lines else []


class _Runner:
    """Calls a session with tensors, and returns tensors."""

    def __init__(self, session: Any, names: list[str | None], structure: Any, file: str) -> None:
        self.run = session.run
        self.names = names
        self.structure = structure
        self.file = file
        self.is_single = structure is None and len(session.get_outputs()) == 1
        if structure is not None:
            spec, present = structure
            self.is_single = spec.is_leaf() and present == [True]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        import torch

        tensors = args if not kwargs and all(isinstance(arg, torch.Tensor) for arg in args) else _tensors(args, kwargs)
        if len(tensors) != len(self.names):
            names = ", ".join(map(str, self.names))
            raise UsageError(f"{self.file} takes {len(self.names)} tensors ({names}) and was given {len(tensors)}.")
        feed = {name: tensor.detach().numpy() for name, tensor in zip(self.names, tensors, strict=True) if name}
        arrays = self.run(None, feed)
        if self.is_single:
            return torch.from_numpy(arrays[0])
        outputs = [torch.from_numpy(array) for array in arrays]
        return tuple(outputs) if self.structure is None else exported.rebuilt(outputs, self.structure)


def _tensors(args: Any, kwargs: Any) -> list[Any]:
    import torch
    from torch.utils import _pytree as pytree

    return [leaf for leaf in pytree.tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
