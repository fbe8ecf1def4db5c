"""What torch warns of while a model is exported: that a technique is deprecated, and that a trace took one path."""

from __future__ import annotations

import sys
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from optkit import source_place

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ONE_PATH = "might cause the trace to be incorrect"
"""What torch says where a trace turns a tensor into a number, or a branch on one into the branch that was taken."""


@contextmanager
def warnings_of(facts: dict[str, Any], *, deprecations: bool) -> Iterator[None]:
    """Note in `facts` what torch warns of; other warnings are printed, and end up in the details of the row.

    ``one_path``: where a trace took one path for good. ``deprecated``: what it said, where `deprecations` are wanted.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield
        finally:
            for warning in caught:
                _note(warning, facts, deprecations=deprecations)


def _note(warning: warnings.WarningMessage, facts: dict[str, Any], *, deprecations: bool) -> None:
    said = " ".join(str(warning.message).split())
    if issubclass(warning.category, DeprecationWarning | FutureWarning):
        if deprecations:
            facts.setdefault("deprecated", said)
        return
    if ONE_PATH in said:
        facts.setdefault("one_path", f"{warning.filename}:{warning.lineno}")
    print(f"{warning.category.__name__}: {said}", file=sys.stderr)  # noqa: T201 - a worker's output


def one_path_remedy(facts: Mapping[str, Any], instead: str) -> str | None:
    """Return what to do about a trace that holds for one path; None where there is none."""
    if not facts.get("one_path"):
        return None
    where = source_place.read(str(facts["one_path"]))
    return (
        f"The trace holds for inputs that take the same path as yours at {where}: what is decided or counted there is "
        f"built in as it was; {instead}."
    )
