"""VariantPicker: choose an engine, its settings and modifiers, and see what does not go together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import traitlets

from optkit import environment
from optkit.errors import VariantError
from optkit.variant import Variant
from optkit.widgets.form import Form, select
from optkit.widgets.offer import Offer

if TYPE_CHECKING:
    from optkit.environment import Environment
    from optkit.widgets.field import Field


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
        form does not show (``options``, ``provider``, ``path``, ``trust``) are kept until another engine is chosen.
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
        offer = Offer(self.variant, self._environment)
        drawn = [_drawn(field, offer) for field in offer.fields]
        with self.hold_sync():
            self._fields = drawn
            self._warnings = offer.problems
            self._notes = list(dict.fromkeys(note for field in drawn for note in _notes(field)))
            self._summary = str(self.variant)

    def choose(self, name: str, value: Any) -> None:
        """Take what was chosen for a field; what no longer goes with it falls back to its default."""
        try:
            self.variant = Offer(self.variant, self._environment).chosen(name, value)
        except VariantError:
            self.send({"op": "redraw"})


def _drawn(field: Field, offer: Offer) -> dict[str, Any]:
    """Describe one field for the browser."""
    options = []
    for text in field.options(offer.variant):
        reason = offer.reason(field.name, text)
        options.append({"value": text, "label": text} | ({"reason": reason} if reason else {}))
    place = {"group": field.group, "hint": field.hint, "rare": field.is_rare}
    is_set = field.read(offer.variant) != field.default
    return select(field.name, field.label, field.shown(offer.variant), options) | place | {"set": is_set}


def _notes(drawn: dict[str, Any]) -> list[str]:
    """Say why options of a field are disabled, each with the name of the option where its reason has none."""
    reasons = {option["label"]: option["reason"] for option in drawn["options"] if "reason" in option}
    names = {label: f"{drawn['label']} {label}" if label == "true" else label for label in reasons}
    return [
        reason if label in reason or drawn["name"] in reason else f"{names[label]}: {reason}"
        for label, reason in reasons.items()
    ]
