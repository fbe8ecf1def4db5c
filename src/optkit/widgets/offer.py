"""Offer: what can be chosen from one variant on, and why some of it cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from optkit.errors import VariantError
from optkit.widgets import fields
from optkit.widgets.field import Modifier

if TYPE_CHECKING:
    from optkit.environment import Environment
    from optkit.variant import Variant
    from optkit.widgets.field import Field


class Offer:
    """The fields of a variant, and the variant that each choice would make of it.

    Parameters
    ----------
    variant
        What is chosen now.
    environment
        The machine that it shall run on.

    Attributes
    ----------
    fields
        In the order in which they are shown; the first is the engine.
    problems
        What speaks against the variant as it is.
    """

    def __init__(self, variant: Variant, environment: Environment) -> None:
        self.variant = variant
        self.fields = fields.offered(variant, environment)
        self.problems = variant.problems(environment)
        self._environment = environment

    def chosen(self, name: str, text: Any) -> Variant:
        """Return the variant with one field changed, and others reset where they would not go with it.

        Raises
        ------
        VariantError
            If there is no such field or option, or if it cannot be chosen here; the message says why.
        """
        field = next((one for one in self.fields if one.name == name), None)
        values = {} if field is None else field.options(self.variant)
        if field is None or text not in list(values):  # a list: text is whatever the browser sent
            raise VariantError(f"{name} cannot be {text!r}.")
        if field.shown(self.variant) == text:
            return self.variant
        candidate = self._settled(field, values[text])
        for problem in self._new_problems(candidate):
            raise VariantError(problem)
        return candidate

    def reason(self, name: str, text: str) -> str | None:
        """Return the sentence that says why an option cannot be chosen, or None where it can."""
        try:
            self.chosen(name, text)
        except VariantError as error:
            return str(error)
        return None

    def _settled(self, field: Field, value: Any) -> Variant:
        """Change one field, then keep of those that give way to it what brings no problem along."""
        variant = self.variant
        later = [one for one in self._after(field) if one.read(variant) != one.default]
        kept = [(one, one.read(variant)) for one in later]
        for one in later:
            variant = one.put(variant, one.default)
        variant = field.put(variant, value)
        if field is fields.ENGINE:
            variant = self._started(variant)
        for one, before in kept:
            variant = self._with(variant, one, before)
        return variant

    def _after(self, field: Field) -> list[Field]:
        """Return the fields that give way to this one. With another engine all its settings are new anyway."""
        if field is fields.ENGINE:
            return [one for one in self.fields if isinstance(one, Modifier)]
        if field.gives_way:
            return []
        place = self.fields.index(field)
        return [*self.fields[place + 1 :], *(one for one in self.fields[:place] if one.gives_way)]

    def _started(self, variant: Variant) -> Variant:
        """Where an engine cannot run with its defaults, give its first setting the first value with which it can."""
        if not self._new_problems(variant):
            return variant
        for first in fields.ENGINE_SETTINGS[variant.engine.name][:1]:
            others = [first.put(variant, value) for value in first.choices.values()]
            return next((one for one in others if not self._new_problems(one)), variant)
        return variant

    def _with(self, variant: Variant, field: Field, value: Any) -> Variant:
        try:
            candidate = field.put(variant, value)
        except VariantError:
            return variant
        before = variant.problems(self._environment)
        return variant if set(self._new_problems(candidate)) - set(before) else candidate

    def _new_problems(self, variant: Variant) -> list[str]:
        return [one for one in variant.problems(self._environment) if one not in self.problems]
