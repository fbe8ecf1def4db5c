"""The names of what a model is called with, read from its signature. Pure."""

from __future__ import annotations

import inspect
from typing import Any


def positional(target: Any) -> list[str] | None:
    """Return the names of the parameters that take one argument each, in order; None where Python cannot tell.

    Of a module these are its forward's.
    """
    try:
        found = inspect.signature(getattr(target, "forward", target)).parameters.values()
    except (TypeError, ValueError):
        return None
    return [one.name for one in found if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]


def called(key: str, parameters: list[str]) -> str:
    """Return the parameter's name of an input that is known by its position; others keep their name."""
    return parameters[int(key)] if key.isdigit() and int(key) < len(parameters) else key
