"""ONNX Runtime: export the model to ONNX, and run it in a process of its own with Microsoft's runtime."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from optkit.engines import artifact, exported
from optkit.engines.base import Engine, LoadedModel
from optkit.engines.compile import written
from optkit.errors import UsageError, VariantError
from optkit.verdicts import Doubt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from optkit.environment import Environment

FILE, STRUCTURE = "model.onnx", "structure"
KIND = "an ONNX model"
PACKAGES, EXPORTING = ("onnxruntime",), ("onnx", "onnxscript")
LOWEST_OF_NEW_EXPORTER = 18
"""The exporter that is torch's default writes no older opset; the one before it does."""
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
        import cloudpickle
        import onnx

        model, tensors, names = exported.flat(exported.growable(loaded) if self.dynamic else loaded)
        outputs = model(*tensors)
        path = folder / FILE
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            self._write(model, tensors, path, names, [f"output_{i}" for i in range(len(outputs))])
        onnx.checker.check_model(str(path))
        domains = {one.domain: one.version for one in onnx.load(str(path), load_external_data=False).opset_import}
        loaded.facts["opset"] = domains.get("", domains.get("ai.onnx"))
        (folder / STRUCTURE).write_bytes(cloudpickle.dumps((model.structure, names)))

    def _write(self, model: Any, tensors: tuple[Any, ...], path: Path, names: list[str], outputs: list[str]) -> None:
        """Use the exporter that honours the opset; the newer one where the older cannot export the model."""
        import torch

        shared: dict[str, Any] = {"input_names": names, "output_names": outputs}
        if self.opset is not None:
            shared["opset_version"] = self.opset
        if self.opset is not None and self.opset < LOWEST_OF_NEW_EXPORTER:
            axes = {name: {0: "batch"} for name in (*_batched(names, tensors), *outputs)} if self.dynamic else None
            try:
                torch.onnx.export(model, tensors, str(path), dynamo=False, dynamic_axes=axes, **shared)
            except Exception as error:  # noqa: BLE001 - whatever an exporter fails with, there is another
                print(f"The older exporter failed: {artifact.said(error)}")  # noqa: T201 - a worker's output
            else:
                return
        size = tensors[0].shape[0] if tensors and tensors[0].dim() else 0
        if self.dynamic:
            shapes = [{0: torch.export.Dim.DYNAMIC} if t.dim() and t.shape[0] == size else None for t in tensors]
            shared["dynamic_shapes"] = {"tensors": tuple(shapes)}
        try:
            torch.onnx.export(model, tensors, str(path), dynamo=True, **shared)
        except torch.onnx.errors.OnnxExporterError as error:  # it says what to do next; its cause says what is wrong
            cause = error.__cause__ or error
            raise UsageError(f"{type(cause).__name__}: {artifact.said(cause)}.") from error

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
            lines, file = self._export_code(model, method, inputs), FILE
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

    def _export_code(self, model: str, method: str, inputs: str) -> list[str]:
        name = inputs.lstrip("*")
        lines = [] if method == "forward" else [f"{model}.forward = {model}.{method}"]
        arguments = [model, f"(), {FILE!r}, kwargs={name}" if inputs.startswith("**") else f"{name}, {FILE!r}"]
        if self.opset is not None:
            arguments.append(f"opset_version={self.opset}")
        older = self.opset is not None and self.opset < LOWEST_OF_NEW_EXPORTER
        if older:
            arguments.append("dynamo=False")
        if self.dynamic and not older:
            values = f"{name}.values()" if inputs.startswith("**") else name if inputs.startswith("*") else f"[{name}]"
            lines.append(
                f"shapes = [{{0: torch.export.Dim.DYNAMIC}} for tensor in {values}]  # give a batch of at least 2"
            )
            arguments.append("dynamic_shapes=shapes")
        return [*lines, "with torch.no_grad():", f"    torch.onnx.export({', '.join(arguments)})"]

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


def _batched(names: list[str], tensors: tuple[Any, ...]) -> list[str]:
    """Return the names of the tensors that are as long as the batch."""
    size = tensors[0].shape[0] if tensors and tensors[0].dim() else 0
    return [name for name, tensor in zip(names, tensors, strict=True) if tensor.dim() and tensor.shape[0] == size]
