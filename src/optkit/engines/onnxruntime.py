"""ONNX Runtime: export the model to ONNX, and run it in a process of its own with Microsoft's runtime."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from optkit.engines import artifact, exported, heard, onnx_export, onnx_file
from optkit.engines.base import NO_GRAD, Engine, LoadedModel
from optkit.engines.compile import written
from optkit.engines.onnx_export import FILE, STRUCTURE
from optkit.errors import UsageError, VariantError
from optkit.verdicts import Doubt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from optkit.environment import Environment

KIND = "an ONNX model"
PACKAGES, EXPORTING = ("onnxruntime",), ("onnx", "onnxscript")
LEVELS = {"all": "ORT_ENABLE_ALL", "extended": "ORT_ENABLE_EXTENDED", "basic": "ORT_ENABLE_BASIC",
          "disabled": "ORT_DISABLE_ALL"}  # fmt: skip
THREADS = "intra_op_num_threads"
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
        if THREADS in dict(self.options):
            raise VariantError(f"{THREADS} is the number of threads; set it with +threads=N, so that the row knows it.")
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

    @property
    def artifact_name(self) -> str | None:
        """The ONNX file."""
        return FILE if self.runs_file else None

    def check_file(self) -> None:
        """See that it is there, no file of torch's, and reads no weights from outside its folder."""
        if self.path is not None:
            path = artifact.found(Path(self.path), KIND)
            artifact.check_no_archive(path, KIND)
            onnx_file.check(path)

    def export(self, loaded: LoadedModel, folder: Path) -> None:
        """Write the ONNX file, have it checked, and note which opset it has."""
        loaded.facts["opset"] = onnx_export.write(loaded, folder, opset=self.opset, dynamic=self.dynamic)

    def prepare(self, loaded: LoadedModel, folder: Path | None) -> Callable[..., Any]:
        """Make a session for the file, and a function that takes and returns tensors as the model does."""
        import cloudpickle

        del loaded
        path = artifact.found(Path(self.path) if folder is None else folder / FILE, KIND)  # type: ignore[arg-type]
        session = self._session(path)
        wanted = [one.name for one in session.get_inputs()]
        if folder is None:
            return _Runner(session, wanted, None, None, path.name)
        structure, names, template = cloudpickle.loads((folder / STRUCTURE).read_bytes())
        kept = [name if name in wanted else None for name in names]  # an input that nothing reads may be gone
        return _Runner(session, kept, structure, template, path.name)

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
                options.add_session_config_entry(name, _entry(value))
            elif hasattr(options, name):
                setattr(options, name, value)
            else:
                raise UsageError(f"ONNX Runtime's SessionOptions have no {name!r}; see its documentation for names.")
        with artifact.reading(path, KIND, is_own=self.path is None):
            return onnxruntime.InferenceSession(str(path), options, providers=[self.provider or CPU_PROVIDER])

    def doubts(self, facts: Mapping[str, Any], *, grad: str, device: str) -> dict[Doubt, str]:
        """Say where another opset was written than was asked for."""
        del grad, device
        got = facts.get("opset")
        found = {}
        if remedy := heard.one_path_remedy(facts, "leave opset out: the newer exporter refuses such a model"):
            found[Doubt.ONE_PATH] = remedy
        if self.opset is None or got is None or got == self.opset:
            return found
        said = (
            f"opset={self.opset} was asked for and {got} was written, because torch's exporters cannot write that one"
        )
        return found | {
            Doubt.OPSET_CHANGED: f"{said} for this model; leave opset out, or run it where {got} can be read."
        }

    def code(self, model: str, method: str, inputs: str, *, context: str = NO_GRAD) -> list[str]:
        """Return the lines that export the model and make a function of the session."""
        if self.path is None:
            feed = "{f'input_{key}': tensor.numpy() for key, tensor in zip(keys, tensors)}"
            lines = onnx_export.code(model, method, inputs, opset=self.opset, dynamic=self.dynamic, context=context)
        else:
            feed = "{one.name: tensor.numpy() for one, tensor in zip(session.get_inputs(), tensors)}"
            lines = onnx_export.given_code(inputs)
        return [
            *lines,
            *self._session_code(repr(FILE if self.path is None else self.path)),
            "def fast(*args, **kwargs):  # returns the outputs as a list",
            "    given = {**dict(enumerate(args)), **kwargs}",
            "    tensors = [given[key] for key in keys]",
            f"    feed = {feed}",
            "    arrays = session.run(None, {name: feed[name] for name in wanted})",
            "    return [torch.from_numpy(array) for array in arrays]",
        ]

    def loading_code(self, file: str, method: str, facts: Mapping[str, Any]) -> list[str]:
        """Return the lines that make a function of the session, which takes and returns what the model does."""
        del method
        if "signature" not in facts:
            return [
                *self._session_code(file),
                "def fast(*args, **kwargs):",
                "    feed = dict(zip(wanted, (tensor.numpy() for tensor in tensors([args, kwargs])), strict=True))",
                "    outputs = tuple(torch.from_numpy(array) for array in session.run(None, feed))",
                "    return outputs[0] if len(outputs) == 1 else outputs",
            ]
        told = facts["signature"]
        names, keywords, built_in = told["names"], told["keywords"], ", ".join(told["constants"])
        given = f"[args, {{key: kwargs[key] for key in {keywords}}}]" if keywords else "args"
        return [
            *self._session_code(file),
            "def fast(*args, **kwargs):",
            f"    if len(args) != {told['arguments']} or set(kwargs) != set({keywords}):",
            f'        raise TypeError("This takes {told["arguments"]} arguments and the keywords {keywords}.")',
            f"    given = {given}",
            f"    if constants(given) != [{built_in}]:",
            '        raise ValueError("What is no tensor was built in when this was exported, and is another now.")',
            f"    named = zip({names}, tensors(given), strict=True)",
            "    arrays = session.run(None, {name: tensor.numpy() for name, tensor in named if name in wanted})",
            "    outputs = [torch.from_numpy(array) for array in arrays]",
            f"    return {told['outputs']}",
        ]

    def _session_code(self, file: str) -> list[str]:
        providers = f"providers=[{self.provider or CPU_PROVIDER!r}]"
        return [
            "import onnxruntime",
            *self._options_code(),
            f"session = onnxruntime.InferenceSession({file}, options, {providers})",
            "wanted = [one.name for one in session.get_inputs()]  # what nothing reads may be gone",
        ]

    def _options_code(self) -> list[str]:
        lines = []
        if self.optimization != "all":
            level = f"onnxruntime.GraphOptimizationLevel.{LEVELS[self.optimization]}"
            lines.append(f"options.graph_optimization_level = {level}")
        for name, value in dict(self.options).items():
            entry = f"options.add_session_config_entry({name!r}, {_entry(value)!r})"
            lines.append(entry if "." in name else f"options.{name} = {value!r}")
        return ["options = onnxruntime.SessionOptions()", f"options.{THREADS} = torch.get_num_threads()", *lines]


def _entry(value: Any) -> str:
    """Return a value as a configuration entry has it."""
    return str(int(value) if isinstance(value, bool) else value)


class _Runner:
    """Calls a session with tensors, and returns tensors.

    `structure` and `template` say how outputs and inputs are built (see `optkit.engines.exported.flat`); they are None
    for a file of the user's.
    """

    def __init__(self, session: Any, names: list[str | None], structure: Any, template: Any, file: str) -> None:
        self.run = session.run
        self.names = names
        self.structure = structure
        self.template = template
        self.file = file
        self.is_plain = template is not None and template[2] == list(range(len(template[1])))
        self.is_single = structure is None and len(session.get_outputs()) == 1
        if structure is not None:
            spec, present = structure
            self.is_single = spec.is_leaf() and present == [True]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        import torch

        tensors = self._tensors(args, kwargs)
        feed = {name: tensor.detach().numpy() for name, tensor in zip(self.names, tensors, strict=True) if name}
        try:
            arrays = self.run(None, feed)
        except Exception as error:
            said = " ".join(str(error).split())[: artifact.MOST_CHARACTERS]
            raise UsageError(
                f"{self.file} does not take these inputs ({said}); give dtypes and shapes that it was exported for, or "
                "export it with dynamic=true."
            ) from error
        if self.is_single:
            return torch.from_numpy(arrays[0])
        outputs = [torch.from_numpy(array) for array in arrays]
        return tuple(outputs) if self.structure is None else exported.rebuilt(outputs, self.structure)

    def _tensors(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Sequence[Any]:
        import torch
        from torch.utils import _pytree as pytree

        if self.is_plain and not kwargs and len(args) == len(self.names):
            return args
        if self.template is not None:
            return exported.leaves_like(self.template, args, kwargs)
        tensors = [leaf for leaf in pytree.tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        if len(tensors) != len(self.names):
            names = ", ".join(map(str, self.names))
            raise UsageError(f"{self.file} takes {len(self.names)} tensors ({names}) and was given {len(tensors)}.")
        return tensors
