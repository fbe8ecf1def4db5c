"""Workload: what is measured. A model, its example inputs, and where and how it is called."""

from __future__ import annotations

import hashlib
import inspect
import linecache
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optkit import building, environment, own_code, private, script, text, zoo
from optkit import inputs as inputs_in
from optkit.errors import UsageError, WorkloadError
from optkit.script import Subject
from optkit.zoo import torchvision_models

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from optkit.environment import Environment
    from optkit.variant import Variant

FULL_BYTES = 2**20
"""What torch has to say of a full disk is about its archive; a disk with less room than this is the reason."""

__all__ = ["Workload", "torchvision_models", "workload_from"]


class Workload:
    """A model with its inputs. Nothing is built, placed or downloaded here: a worker does that.

    Parameters
    ----------
    model
        An ``nn.Module`` (also of a class defined in a notebook cell), a function without arguments that builds one, or
        a name: any of torchvision's classification models, ``tiny_cnn`` or ``tiny_transformer``.
    inputs
        A tensor; a tuple (positional arguments); a dict (keyword arguments); or a list of those, several batches that
        are visited in turn. Needed unless the model is a name.
    batch_size, shape
        For a model given by name: the number of inputs in a batch, and the shape of one of them.
    device
        ``"cpu"``, ``"cuda"``, ``"cuda:1"``; None: the accelerator if there is one.
    call
        Name of the method to measure, e.g. ``"generate"``; None: calling the model itself.
    weights
        Name of torchvision weights such as ``"DEFAULT"``, which are downloaded; None: random weights from a fixed seed.
    evaluate
        A function that turns the model's output (of several batches: the list of outputs) into a number, e.g. an
        accuracy. It is called once for each variant, in its worker, after all timing.

    Raises
    ------
    WorkloadError
        If the model is unknown, or what was given does not fit together.
    """

    def __init__(
        self,
        model: Any,
        inputs: Any = None,
        *,
        batch_size: int = 1,
        shape: Sequence[int] | None = None,
        device: Any = None,
        call: str | None = None,
        weights: str | None = None,
        evaluate: Callable[[Any], float] | None = None,
    ) -> None:
        self.import_path: tuple[str, ...] = ()
        if evaluate is not None and not callable(evaluate):
            raise WorkloadError(f"evaluate must be a function of the outputs, not {type(evaluate).__name__}.")
        self.evaluate = evaluate
        self.model = model
        self.is_zoo = isinstance(model, str)
        self.batches = None if inputs is None else inputs_in.batches(inputs)
        self._inputs_code = inputs_in.written(inputs, keywords=self.model == "tiny_transformer")
        self.batch_size = _positive(batch_size, "batch_size")
        self.shape = None if shape is None else tuple(_positive(size, "each size in shape") for size in shape)
        self.device = None if device is None else _device(device)
        self.call = call or "forward"
        if not self.call.isidentifier():  # it becomes part of the code that is shown, and of recipes
            raise WorkloadError(f"call must be the name of a method, not {call!r}.")
        self.weights = weights
        if self.is_zoo:
            zoo.check_name(model)
            if weights is not None and model in zoo.TINY:
                raise WorkloadError(f"There are no trained weights for {model}; leave weights out.")
            if self.batches is not None and (self.shape is not None or self.batch_size != 1):
                raise WorkloadError("inputs have their batch size and shape already; leave batch_size and shape out.")
            if self.batches is None and self.shape is None and weights is None:
                self.shape = zoo.default_shape(model)
        else:
            self._check_own_model()

    def _check_own_model(self) -> None:
        if isinstance(self.model, Workload):
            raise WorkloadError("The model is already a Workload; pass the Workload itself, or the model in it.")
        if not callable(self.model):
            raise WorkloadError(
                "The model must be an nn.Module, a function that builds one, or a name, "
                f"not {type(self.model).__name__}."
            )
        if hasattr(self.model, "_orig_mod"):
            raise WorkloadError(
                "The model is already compiled; pass the original module, and the settings as a variant."
            )
        if self.batches is None:
            raise WorkloadError(
                "A model of your own needs inputs: pass a tensor, a tuple, a dict, or a list of those as inputs=."
            )
        if self.shape is not None or self.weights is not None or self.batch_size != 1:
            raise WorkloadError(
                "batch_size, shape and weights are for models given by name; give inputs= of that size."
            )
        if self.is_module and not callable(getattr(self.model, self.call, None)):
            raise WorkloadError(f"{self.name} has no method {self.call!r} to call.")

    @property
    def is_module(self) -> bool:
        """Whether the model is a module, rather than a name or a function that builds one."""
        torch = sys.modules.get("torch")  # a module can only exist where torch was imported already
        return torch is not None and isinstance(self.model, torch.nn.Module)

    @property
    def name(self) -> str:
        """What to call the model: its name in the zoo, its class, or the function that builds it."""
        if self.is_zoo:
            return str(self.model)
        told = type(self.model).__name__ if self.is_module else getattr(self.model, "__name__", "model")
        return text.one_line(str(told), limit=text.LONGEST_NAME)

    def place(self, environment: Environment) -> str:
        """Return the device to use in `environment`.

        Raises
        ------
        WorkloadError
            If an accelerator was asked for that torch cannot use here.
        """
        device = self.device or environment.device
        if device.startswith("cuda") and not environment.cuda:
            raise WorkloadError(f"device={device!r} cannot be used: this machine or this build of torch has no CUDA.")
        return device

    def describe(self, environment: Environment) -> dict[str, Any]:
        """Return the workload as a JSON object, for records and tables."""
        return {
            "model": self.name,
            "source": "zoo" if self.is_zoo else "module" if self.is_module else "factory",
            "batch_size": self.batch_size if self.is_zoo and self.batches is None else None,
            "shape": list(self.shape) if self.shape else None,
            "batches": self.batch_count,
            "device": self.place(environment),
            "call": self.call,
            "weights": self.weights,
            "evaluate": None if self.evaluate is None else text.callable_name(self.evaluate),
            "inputs": None if self.batches is None else [inputs_in.shapes(batch) for batch in self.batches],
            "digest": None if self.is_zoo else _digest(self.model if not self.is_module else type(self.model)),
            "code": self._setup(),
            "inputs_code": self._inputs_code,
        }

    def snippet(self, variant: Variant) -> str:
        """Return the lines that run the model as the variant does, for users to copy; see `Variant.snippet`."""
        return variant.snippet(setup=self._setup(), method=self.call, inputs=self._inputs_code)

    def subject(self) -> Subject:
        """Return what a script needs that stands alone; see `Variant.code`."""
        lines = ["torch.manual_seed(0)", *self._needs(), *self.model_code(), *self._inputs_lines()]
        device = self.place(environment.detect())
        return Subject(self.name, lines, self.call, self._inputs_code.replace("inputs[0]", "inputs"), device)

    def _needs(self) -> list[str]:
        """Return a comment that says which modules of the user's own a script has to find."""
        names = sorted({name.partition(".")[0] for name in own_code.modules_of(self.model)}) if not self.is_zoo else []
        said = f"Needs {', '.join(names)}: run it beside that, or with its folder on PYTHONPATH."
        return [script.comment(said)] if names else []

    @property
    def has_keywords(self) -> bool:
        """Whether inputs are given by keyword."""
        return self._inputs_code.startswith("**")

    def model_code(self) -> list[str]:
        """Return lines that define the model, with torch imported."""
        return zoo.model_code(self.model, self.weights) if self.is_zoo else building.model(self.model).lines

    def _inputs_lines(self) -> list[str]:
        """Return lines that define inputs like the first batch."""
        if self.batches is None:
            return zoo.inputs_code(self.model, self.batch_size, self.shape, self.weights)
        args, kwargs = self.batches[0]
        note = [] if self.batch_count == 1 else [f"# the first of your {self.batch_count} batches"]
        is_single = not self._inputs_code.startswith("*")
        return [*note, *building.inputs(args[0] if is_single else kwargs or args).lines]

    @property
    def batch_count(self) -> int:
        """How many batches are visited in turn."""
        return len(self.batches) if self.batches else 1

    def _setup(self) -> str:
        """Return lines that make ``model`` ready, to stand before a variant's snippet."""
        if not self.is_zoo:
            return "model.eval()"
        lines = [*self.model_code(), "model.eval()"]
        return "\n".join([*lines, *(self._inputs_lines() if self.batches is None else ["# inputs: as you gave them"])])

    def pack(self, folder: Path) -> dict[str, Any]:
        """Write what a worker needs to build the model into `folder`, and return the rest as a JSON object.

        A model of the user's own is pickled by value (cloudpickle), so that classes of a notebook or script travel.
        Its weights end up in a file that every worker maps into memory.

        Raises
        ------
        WorkloadError
            If the model or its inputs cannot be pickled.
        """
        spec: dict[str, Any] = {
            "model": self.model if self.is_zoo else None,
            "batch_size": self.batch_size,
            "shape": self.shape,
            "weights": self.weights,
            "call": self.call,
            "payload": None,
            "payload_by_torch": "torch" in sys.modules,
        }
        if not self.is_zoo or self.batches is not None or self.evaluate is not None:
            payload = {
                "model": None if self.is_zoo else self.model,
                "batches": self.batches,
                "evaluate": self.evaluate,
                "sources": _cell_sources(),
            }
            path = folder / "workload"
            try:
                _dump(payload, path)
            except Exception as error:  # pickling runs the user's code: anything can come out of it
                if shutil.disk_usage(folder).free < FULL_BYTES:
                    raise WorkloadError(
                        f"{self.name} could not be written for its workers, because no space is left in "
                        f"{folder.parent}; free some, or set TMPDIR to another folder."
                    ) from error
                raise WorkloadError(
                    f"{self.name} cannot be sent to a worker ({type(error).__name__}: {error}); "
                    "pass a function that builds it instead."
                ) from error
            spec["payload"] = str(path)
        return spec

    def __repr__(self) -> str:
        return f"<Workload {self.name}>"


def workload_from(model: Any, inputs: Any = None, **given: Any) -> Workload:
    """Return what is to be measured; a Workload is taken as it is.

    Raises
    ------
    UsageError
        If the arguments make no `Workload`, or something is given beside one.
    """
    if not isinstance(model, Workload):
        return Workload(model, inputs, **given)
    if inputs is not None or any(value not in (None, 1) for value in given.values()):  # 1 is the usual batch_size
        raise UsageError("A Workload has its inputs, device and so on already; give them there, not beside it.")
    return model


def _dump(payload: Any, path: Path) -> None:
    from optkit import by_value  # pickling is for when something is run; importing it takes a while

    private.file(path)
    torch = sys.modules.get("torch")
    if torch is not None:  # tensors then lie in the file as they lie in memory
        torch.save(payload, path, pickle_module=by_value)
    else:
        path.write_bytes(by_value.dumps(payload))


def _cell_sources() -> dict[str, Any]:
    """Return sources that only this process has (notebook cells), by the file name that tracebacks give them."""
    return {
        name: entry
        for name, entry in linecache.cache.items()
        if len(entry) == 4 and entry[2] and not Path(name).exists() and ("ipykernel" in name or name.startswith("<"))  # noqa: PLR2004
    }


def _digest(code: Any) -> str | None:
    """Return a few digits that change with the source of a class or function; None where there is no source."""
    try:
        return hashlib.sha256(inspect.getsource(code).encode()).hexdigest()[:12]
    except (OSError, TypeError):
        return None


def _positive(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise WorkloadError(f"{name} must be a whole number of at least 1, not {value!r}.")
    return value


def _device(device: Any) -> str:
    name = str(device)
    kind, _, index = name.partition(":")
    if kind not in ("cpu", "cuda") or (index and not (index.isascii() and index.isdigit())):
        raise WorkloadError(f"device must be 'cpu', 'cuda' or 'cuda:N', not {name!r}.")
    return name
