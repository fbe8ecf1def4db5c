"""VariantPicker: choose engine, backend, mode, dynamic shapes and grad context, and see what does not go together."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import traitlets

from optkit import environment
from optkit.engines import ENGINES, Compile
from optkit.engines.compile import backends
from optkit.engines.inductor_settings import modes
from optkit.errors import VariantError
from optkit.text import callable_name
from optkit.variant import GRADS, Variant
from optkit.widgets.form import Form, select

if TYPE_CHECKING:
    from optkit.environment import Environment

_DYNAMIC = {"auto": None, "true": True, "false": False}
_BOOLEAN = {"false": False, "true": True}
_CHOICES: dict[str, tuple[str, dict[str, Any]]] = {
    "backend": ("Backend", {name: name for name in backends()}),
    "mode": ("Mode", {mode or "default": mode for mode in modes()}),
    "dynamic": ("Dynamic", _DYNAMIC),
    "freezing": ("Freezing", _BOOLEAN),
}
"""Fields that are settings of `Compile`: label, and value by the name shown. Later ones give way to earlier ones."""


class VariantPicker(Form):
    """Choose one variant. Combinations that cannot work here are disabled, with the reason shown.

    Parameters
    ----------
    variant
        What is chosen at first: a `Variant` or its text.

    Attributes
    ----------
    variant
        The variant that is chosen. Read it, observe it, or set it: to a `Variant` or to its text. Settings that the
        form does not show (``fullgraph``, ``options``, ``threads``) are kept.
    code
        Python that runs a model that way.
    """

    variant = traitlets.Any()

    def __init__(self, variant: Variant | str = "compile") -> None:
        self._environment: Environment = environment.detect()
        super().__init__()
        self.variant = variant

    @property
    def code(self) -> str:
        """Python that runs ``model`` with the variant that is chosen."""
        chosen: Variant = self.variant
        return chosen.code()

    @traitlets.validate("variant")
    def _read(self, proposal: dict[str, Any]) -> Variant:
        given = proposal["value"]
        if isinstance(given, Variant):
            return given
        if isinstance(given, str):
            return Variant.parse(given)
        raise VariantError(f"variant must be a Variant or its text, not {type(given).__name__}.")

    @traitlets.observe("variant")
    def _redraw(self, _change: object) -> None:
        self._fields = [self._field(name) for name in ("engine", *_CHOICES, "grad")]
        found = self.variant.problems(self._environment)
        blocked = [
            option["reason"] if option["label"] in option["reason"] else f"{option['label']}: {option['reason']}"
            for field in self._fields
            if not field["disabled"]
            for option in field["options"]
            if option.get("reason")
        ]
        self._notes = list(dict.fromkeys([*found, *blocked]))
        self._summary = str(self.variant)

    def choose(self, name: str, value: Any) -> None:
        """Take what was chosen for a field; what no longer goes with it falls back to its default."""
        if self._reason(name, value) is None:
            self.variant = self._with(name, value)
        else:
            self.send({"op": "redraw"})

    def _field(self, name: str) -> dict[str, Any]:
        compiled = isinstance(self.variant.engine, Compile)
        label, shown, value = self._shown(name)
        options = []
        for text in shown:
            reason = None if text == value else self._reason(name, text)
            options.append({"value": text, "label": text} | ({"reason": reason} if reason else {}))
        return select(name, label, value, options) | {"disabled": name in _CHOICES and not compiled}

    def _shown(self, name: str) -> tuple[str, list[str], str]:
        """Return label, the names of the options, and the one that is chosen."""
        variant: Variant = self.variant
        if name == "engine":
            return "Engine", list(ENGINES), variant.engine.name
        if name == "grad":
            return "Grad context", list(GRADS), variant.grad
        label, values = _CHOICES[name]
        chosen = getattr(variant.engine, name, next(iter(values.values())))
        text = next((text for text, value in values.items() if value == chosen), None)
        if text is None:  # a custom backend, given in code
            text = f"{callable_name(chosen)}()"
            return label, [*values, text], text
        return label, list(values), text

    def _reason(self, name: str, text: str) -> str | None:
        """Return why an option cannot be chosen, or None: the problems that it would bring along."""
        if name in _CHOICES and not isinstance(self.variant.engine, Compile):
            return f"{self.variant.engine.name} has no such setting."
        try:
            candidate = self._with(name, text)
        except (VariantError, KeyError) as error:
            return str(error)
        known = self.variant.problems(self._environment)
        return next((problem for problem in candidate.problems(self._environment) if problem not in known), None)

    def _with(self, name: str, text: str) -> Variant:
        """Return the variant with one field changed, and later fields reset where they would not go with it."""
        variant: Variant = self.variant
        if name == "engine":
            return variant if text == variant.engine.name else dataclasses.replace(variant, engine=ENGINES[text]())
        if name == "grad":
            return self._settled(Variant(variant.engine, text, variant.threads), after="grad")  # type: ignore[arg-type]
        value = _CHOICES[name][1][text]
        engine: Any = variant.engine
        return self._settled(
            dataclasses.replace(variant, engine=dataclasses.replace(engine, **{name: value})), after=name
        )

    def _settled(self, variant: Variant, after: str) -> Variant:
        """Reset the settings that bring problems, later fields first to go, but none up to and including `after`."""
        later = list(_CHOICES)[list(_CHOICES).index(after) + 1 :] if after in _CHOICES else ["freezing"]
        later = [*later, "options"] if after in _CHOICES else later
        if not isinstance(variant.engine, Compile):
            return variant
        default = Compile()
        for name in later:
            reset = dataclasses.replace(
                variant, engine=dataclasses.replace(variant.engine, **{name: getattr(default, name)})
            )
            if len(reset.problems(self._environment)) < len(variant.problems(self._environment)):
                variant = reset
        return variant
