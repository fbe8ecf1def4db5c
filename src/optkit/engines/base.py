"""The seam between the measurement and a technique: one settings class with one method that runs in the worker."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from optkit import text
from optkit.errors import VariantError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from optkit.environment import Environment
    from optkit.verdicts import Doubt

NONE_WORDS = {"mode": "default", "dynamic": "auto"}
"""What the text form calls a setting that is left to torch."""

NO_GRAD = "torch.no_grad()"
COMPILING = ("torch", "torch._dynamo", "torch._inductor.compile_fx")
"""What a process imports that compiles with torch."""

Batch = tuple[tuple[Any, ...], dict[str, Any]]
"""The positional and keyword arguments of one call."""


@dataclass(frozen=True)
class LoadedModel:
    """A model with its inputs, in a worker, placed on its device.

    Attributes
    ----------
    model
        The module; None in a worker that runs what another one has exported.
    method
        Name of the method that is measured; ``"forward"`` means calling the module itself.
    batches
        Arguments of the calls that are made in turn; at least one.
    device
        Where model and inputs are, e.g. ``"cpu"`` or ``"cuda:1"``.
    evaluate
        The user's function of the outputs that returns a number; None where there is none.
    facts
        What an engine finds out while it exports or prepares, as JSON; see `Engine.doubts`.
    """

    model: Any
    method: str
    batches: tuple[Batch, ...]
    device: str
    evaluate: Callable[[Any], float] | None = None
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def target(self) -> Callable[..., Any]:
        """What is called: the module itself, or its bound method."""
        target: Callable[..., Any] = self.model if self.method == "forward" else getattr(self.model, self.method)
        return target


@dataclass(frozen=True)
class Engine(ABC):
    """Settings of one technique.

    Subclasses are frozen dataclasses whose fields are the keys of the text form. A field's metadata may hold
    ``choices``, the values allowed; a field named ``options`` takes free keys.
    """

    name: ClassVar[str]

    lingers_s: ClassVar[float] = 0.0
    """For how long the technique's threads keep CPUs busy after a call; others are not timed meanwhile."""

    @property
    def modules(self) -> tuple[str, ...]:
        """What a process imports for this technique, of what workers find imported; part of every start-up time."""
        return ("torch",)

    @property
    def loading_modules(self) -> tuple[str, ...]:
        """The same for a process that only loads what another has exported."""
        return ("torch",)

    @property
    def compiles(self) -> bool:
        """Whether torch.compile is to make graphs of the model; zero graphs then mean that nothing was done."""
        return False

    @property
    def runs_file(self) -> bool:
        """Whether what is timed is loaded from a file, and needs no model."""
        return False

    @property
    def exports(self) -> bool:
        """Whether that file is written first, by a worker of its own (`export`); otherwise the user has it."""
        return self.runs_file and getattr(self, "path", None) is None

    @property
    def probes_cpu(self) -> bool:
        """Whether the first call on a CPU would include Inductor's look at the machine, which is timed apart."""
        return False

    def check_file(self) -> None:
        """Look at the user's own file before it is loaded, and before anything is timed.

        Raises
        ------
        UsageError
            If it is missing, damaged, or no file of this kind.
        """
        return

    def export(self, loaded: LoadedModel, folder: Path) -> None:
        """Write the model to `folder`. Runs in a worker of its own, with gradients disabled; only where `exports`."""
        del loaded, folder
        raise AssertionError(f"{self.name} exports nothing")

    @abstractmethod
    def prepare(self, loaded: LoadedModel, folder: Path | None) -> Callable[..., Any]:
        """Return the callable to measure. Runs in a worker, in the grad context of the variant; may import torch.

        Parameters
        ----------
        loaded
            The model and its inputs; where the engine `exports`, the inputs alone.
        folder
            Where `export` has written; None where it was not called.
        """

    @property
    def artifact_name(self) -> str | None:
        """What to call the file that holds the model, which `export` writes; None where none is run."""
        return None

    def loading_code(self, file: str, method: str, facts: Mapping[str, Any]) -> list[str]:
        """Return the lines that make ``fast`` of a file: what `export` wrote, or the user's own.

        Parameters
        ----------
        file
            The expression that is the path of the file, a string.
        method
            Name of the method that was exported.
        facts
            What the engine found out while it exported; see `LoadedModel.facts`. Empty for a file of the user's own.
        """
        del file, method, facts
        raise AssertionError(f"{self.name} exports nothing")

    @abstractmethod
    def code(self, model: str, method: str, inputs: str, *, context: str = NO_GRAD) -> list[str]:
        """Return the lines that make a callable named ``fast``, for users to copy.

        Parameters
        ----------
        model, method
            The expression that is the model, and the name of its method; ``"forward"`` is calling it.
        inputs
            How a call takes the variable ``inputs``: ``"*inputs"``, ``"**inputs"``, or ``"inputs"``, a single one.
        context
            The contexts in which a model is exported, where it is.
        """

    def blocked(self, environment: Environment) -> str | None:
        """Return the sentence that says why this cannot run here, or None where it can."""
        del environment
        return None

    def problems(self, environment: Environment) -> list[str]:
        """Return sentences: why this cannot, or should not, run here as asked."""
        reason = self.blocked(environment)
        return [] if reason is None else [reason]

    def doubts(self, facts: Mapping[str, Any], *, grad: str, device: str) -> dict[Doubt, str]:
        """Return what torch's own account says against these settings, each with its remedy.

        Parameters
        ----------
        facts
            What the engine found out (`LoadedModel.facts`), and `optkit.worker.compile_trace.Trace.facts`; facts that
            are None, or missing, say nothing.
        grad
            The grad context of the calls.
        device
            Where the model was, e.g. ``"cpu"``.
        """
        del facts, grad, device
        return {}

    def pairs(self) -> list[tuple[str, Any]]:
        """Return the settings that differ from their defaults, in the order of the fields."""
        found: list[tuple[str, Any]] = []
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name == "options":
                found += [(f"options.{key}", option) for key, option in value]
            elif value != field.default:
                found.append((field.name, value))
        return found

    @classmethod
    def keys(cls) -> list[str]:
        """Return the keys of the text form."""
        return ["options.NAME" if field.name == "options" else field.name for field in dataclasses.fields(cls)]

    @classmethod
    def from_pairs(cls, pairs: Mapping[str, Any]) -> Self:
        """Build the settings from the keys and values of a text form.

        Raises
        ------
        VariantError
            If a key is unknown or a value is not allowed; the message lists what is.
        """
        known = {field.name: field for field in dataclasses.fields(cls)}
        values: dict[str, Any] = {}
        for key, value in pairs.items():
            group, _, option = key.partition(".")
            if group == "options" and option and "options" in known:
                values.setdefault("options", {})[option] = value
            elif key in known and key != "options":
                values[key] = value
            else:
                allowed = ", ".join(cls.keys()) or "none"
                raise VariantError(f"{cls.name} has no setting {key!r}; allowed are: {allowed}.")
        return cls(**values)

    def check_choice(self, key: str, choices: tuple[Any, ...]) -> None:
        """Raise a VariantError unless the setting `key` is one of `choices`."""
        value = getattr(self, key)
        # By type as well: True == 1 in Python, but `fullgraph=1` is a slip worth telling.
        if not any(type(value) is type(choice) and value == choice for choice in choices):
            allowed = ", ".join(
                NONE_WORDS.get(key, "none") if choice is None else text.dump(choice) for choice in choices
            )
            raise VariantError(f"{self.name} has no {key}={text.dump(value)}; allowed are: {allowed}.")
