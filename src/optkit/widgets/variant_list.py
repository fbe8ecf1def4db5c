"""VariantList: the variants that will be measured, and presets to start from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from optkit import advice, environment
from optkit.marks import Marks, Series, svg
from optkit.presets import PRESETS, VariantLike, resolve
from optkit.variant import BASELINE, Variant
from optkit.widgets.static_files import module, stylesheet

if TYPE_CHECKING:
    from collections.abc import Iterable

_LABELS = {
    "recommended": "Recommended here",
    "backends": "Backends",
    "modes": "Modes",
    "contexts": "Grad contexts",
    "precision": "Precision",
    "threads": "Threads",
    "exports": "Exports",
    "guide": "The guide's table",
    "patterns": "Deployment patterns",
}


class VariantList(anywidget.AnyWidget):
    """A list of variants, the baseline first; users remove one, or start from a preset.

    Of a variant that cannot run here the reason is shown, and of those that are recommended here what speaks for them.

    Parameters
    ----------
    variants
        The variants at first, in any form; an empty list leaves the baseline alone.
    marks
        Which mark each variant has, where other parts show the same variants; its own otherwise.
    """

    _esm = module("dom.js", "variants.js")
    _css = stylesheet("optkit.css")
    _presets: traitlets.List[dict[str, str]] = traitlets.List().tag(sync=True)
    _preset = traitlets.Unicode("").tag(sync=True)
    _items: traitlets.List[dict[str, Any]] = traitlets.List().tag(sync=True)
    disabled = traitlets.Bool(default_value=False).tag(sync=True)

    def __init__(
        self, variants: VariantLike | Iterable[VariantLike] = "recommended", *, marks: Marks | None = None
    ) -> None:
        super().__init__()
        self._marks = marks or Marks()
        self._environment = environment.detect()
        self._presets = [
            {"name": name, "label": _LABELS.get(name, name.capitalize()), "meaning": meaning}
            for name, (meaning, _) in PRESETS.items()
        ]
        self.set(variants)
        self.on_msg(self._receive)

    @property
    def variants(self) -> list[Variant]:
        """The variants to measure, without the baseline, which always is."""
        return list(self._variants)

    def set(self, variants: VariantLike | Iterable[VariantLike]) -> None:
        """Replace all variants; a preset's name is taken as well."""
        none = isinstance(variants, list | tuple) and not variants
        self._variants = [] if none else [v for v in resolve(variants, self._environment) if v != BASELINE]
        self._preset = variants if isinstance(variants, str) and variants in PRESETS else ""
        # They are told as long as the list comes from there, also when some were removed and others added.
        self._advice = dict(advice.recommend(self._environment)) if self._preset == "recommended" else {}
        self._draw()

    def add(self, variant: Variant) -> None:
        """Add one variant, unless it is there already."""
        self._variants = [v for v in resolve([*self._variants, variant], self._environment) if v != BASELINE]
        self._preset = ""
        self._draw()

    def remove(self, text: str) -> None:
        """Remove the variant with this text."""
        self._variants = [variant for variant in self._variants if str(variant) != text]
        self._preset = ""
        self._draw()

    def _draw(self) -> None:
        listed = {str(variant): variant for variant in (BASELINE, *self._variants)}
        drawn = self._marks.assign("list", list(listed), str(BASELINE))
        self._items = [self._item(series, listed[series.name]) for series in drawn]

    def _item(self, series: Series, variant: Variant) -> dict[str, Any]:
        """Describe a variant for the browser: `why` it is recommended, and why it is `blocked`, if so."""
        return {
            "text": series.name,
            "mark": svg(series),
            "removable": variant != BASELINE,
            "why": self._advice.get(series.name, ""),
            "blocked": variant.blocked(self._environment) or "",
        }

    def _receive(self, _widget: object, content: dict[str, Any], _buffers: object) -> None:
        if self.disabled:
            return
        if content.get("op") == "preset" and content["name"] in PRESETS:
            self.set(content["name"])
        elif content.get("op") == "remove":
            self.remove(content["name"])
