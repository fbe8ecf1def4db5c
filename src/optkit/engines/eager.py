"""Eager: the model as it is. The baseline of every study."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from optkit.engines.base import NO_GRAD, Engine, LoadedModel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True)
class Eager(Engine):
    """Call the model as PyTorch runs it, operator by operator."""

    name: ClassVar[str] = "eager"

    def prepare(self, loaded: LoadedModel, folder: Path | None) -> Callable[..., Any]:
        """Return the model, or its method, unchanged."""
        del folder
        return loaded.target

    def code(self, model: str, method: str, inputs: str, *, context: str = NO_GRAD) -> list[str]:
        """Return the line that names the model ``fast``."""
        del inputs, context
        return [f"fast = {model}" if method == "forward" else f"fast = {model}.{method}"]
