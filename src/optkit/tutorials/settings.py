"""Parameters of notebooks as they are given in a terminal: read, and refused where a notebook does not have them."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

from optkit import text
from optkit.errors import UsageError
from optkit.tutorials import finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from optkit.tutorials.finding import Tutorial

_CONSTANTS = {"True": True, "true": True, "False": False, "false": False, "None": None, "null": None}


def settings(pairs: Iterable[str], *, smoke: bool) -> dict[str, Any]:
    """Read ``NAME=VALUE`` texts; a later one of the same name replaces an earlier one.

    Raises
    ------
    UsageError
        If one has no value, or one that a notebook cannot be given.
    """
    given: dict[str, Any] = {"smoke": True} if smoke else {}
    for pair in pairs:
        name, equals, said = pair.partition("=")
        if not equals or not name.isidentifier():
            raise UsageError(f"-p takes a parameter's name and its value, such as -p model tiny_cnn, not {pair!r}.")
        given[name] = _value(name, said)
    return given


def check(tutorials: Sequence[Tutorial], given: dict[str, Any]) -> None:
    """Refuse parameters that one of the notebooks does not have, or would not keep: nothing would tell of it.

    Raises
    ------
    UsageError
        If there is one; it lists those that the notebook has.
    """
    for tutorial in tutorials:
        unknown = [name for name in given if name not in (tutorial.parameters or {})]
        if unknown:
            has = f"it has {', '.join(tutorial.parameters)}" if tutorial.parameters else "it has none"
            raise UsageError(f"{tutorial.name} has no parameter {', '.join(unknown)}; {has}. Nothing was run.")
        lost = sorted(tutorial.set_by_smoke & given.keys()) if given.get(finding.SMOKE) else []
        if lost:
            raise UsageError(
                f"{tutorial.name} sets {', '.join(lost)} itself in a smoke run, so what you gave would be lost; leave "
                "out --smoke, or the parameter. Nothing was run."
            )


def _value(name: str, said: str) -> Any:
    """Read a value as papermill's own command does, and lists, dicts and quoted texts as YAML, of which JSON is part.

    All else is a text as it stands: YAML would take "no" for False, and "a: b" for a dict.
    """
    import yaml  # type: ignore[import-untyped]

    if said in _CONSTANTS:
        return _CONSTANTS[said]
    try:
        value = yaml.safe_load(said) if said[:1] in ("[", "{", '"', "'") else _number(said)
        json.dumps(value, allow_nan=False, sort_keys=True)
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise UsageError(
            f"The value of {name} cannot be read: {text.one_line(said, limit=text.LONGEST_NAME)!r}; give a finite "
            "number, true, false, null, a word, or a list or dict as in JSON."
        ) from error
    return value


def _number(said: str) -> int | float | str:
    for number in (int, float):
        with contextlib.suppress(ValueError):
            return number(said)
    return said
