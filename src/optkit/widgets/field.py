"""Field: one drop-down of the picker, which reads and changes one part of a variant."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from optkit import text
from optkit.engines import ENGINES
from optkit.variant import Variant

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Field(ABC):
    """One drop-down: a part of a variant, and the values it can be given.

    Parameters
    ----------
    name, label, hint
        What the browser calls it, what stands before it, and a sentence that says what it does.
    choices
        The values by the text that is shown; the first is the default.
    is_rare
        Whether it stands under "More".
    gives_way
        Whether it falls back to its default for every other field, also for those that stand below it.
    """

    name: str
    label: str
    hint: str
    choices: Mapping[str, Any]
    is_rare: bool = False
    gives_way: bool = False

    group = ""  # the legend it stands under

    @property
    def default(self) -> Any:
        """The value that leaves the decision to torch, or to the model."""
        return next(iter(self.choices.values()))

    @abstractmethod
    def read(self, variant: Variant) -> Any:
        """Return the value that a variant has."""

    @abstractmethod
    def put(self, variant: Variant, value: Any) -> Variant:
        """Return the variant with another value; raise a VariantError where there is none."""

    def said(self, value: Any) -> str:
        """Return the text of a value that was set in code and is not among the choices."""
        return text.dump(value)

    def options(self, variant: Variant) -> dict[str, Any]:
        """Return the values by their text: the choices, and what is set where that is none of them."""
        value = self.read(variant)
        own = {} if value in self.choices.values() else {self.said(value): value}
        return {**self.choices, **own}

    def shown(self, variant: Variant) -> str:
        """Return the text of the value that a variant has."""
        value = self.read(variant)
        return next(said for said, one in self.options(variant).items() if one == value)


class Technique(Field):
    """The engine; another one starts with its defaults."""

    def read(self, variant: Variant) -> str:
        """Return the engine's name."""
        return variant.engine.name

    def put(self, variant: Variant, value: str) -> Variant:
        """Return the variant with another engine."""
        return dataclasses.replace(variant, engine=ENGINES[value]())


class Setting(Field):
    """A setting of the engine."""

    group = "Settings"

    def read(self, variant: Variant) -> Any:
        """Return what the engine has."""
        return getattr(variant.engine, self.name)

    def put(self, variant: Variant, value: Any) -> Variant:
        """Return the variant with a changed engine."""
        return dataclasses.replace(variant, engine=dataclasses.replace(variant.engine, **{self.name: value}))


class Modifier(Field):
    """A field of the variant itself."""

    group = "Modifiers"

    def read(self, variant: Variant) -> Any:
        """Return what the variant has."""
        return getattr(variant, self.name)

    def put(self, variant: Variant, value: Any) -> Variant:
        """Return the changed variant."""
        changes: dict[str, Any] = {self.name: value}
        return dataclasses.replace(variant, **changes)


class Precision(Modifier):
    """Three modifiers that hardly go together: dtype, autocast and quantize."""

    def read(self, variant: Variant) -> tuple[Any, ...]:
        """Return dtype, autocast and quantize."""
        return variant.dtype, variant.autocast, variant.quantize

    def put(self, variant: Variant, value: tuple[Any, ...]) -> Variant:
        """Return the variant with all three changed."""
        dtype, autocast, quantize = value
        return dataclasses.replace(variant, dtype=dtype, autocast=autocast, quantize=quantize)

    def said(self, value: tuple[Any, ...]) -> str:
        """Return them as they are written in a variant."""
        return "+".join(self.put(Variant(), value).modifiers)
