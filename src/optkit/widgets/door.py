"""The door to the Explorer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from optkit.widgets.explorer import Explorer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from optkit.presets import VariantLike


def explore(
    model: Any = None,
    inputs: Any = None,
    variants: VariantLike | Iterable[VariantLike] = "recommended",
    **arguments: Any,
) -> Explorer:
    """Return an `Explorer` for a model; without one the user picks it. See `Explorer` for the arguments.

    Examples
    --------
    >>> explorer = optkit.explore(model, inputs)
    >>> explorer  # the last line of a cell shows it
    """
    return Explorer(model, inputs, variants, **arguments)
