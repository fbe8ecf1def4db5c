"""The answer: lines that build, where it is known what does; otherwise a comment and what the user can do instead.

Code that builds another architecture would put a wrong number beside a true one, so a guess is printed only after it
has been checked.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from typing import Any, NamedTuple

from optkit import own_code, zoo
from optkit.building import batch, check, guess
from optkit.building.lines import CannotTellError, is_module, wrapped
from optkit.building.names import Script
from optkit.script import comment

RANDOM = '# Its weights are random here: model.load_state_dict(torch.load("weights.pt")) gives it yours.'


class Built(NamedTuple):
    """Lines of Python that define ``model`` or ``inputs``.

    Attributes
    ----------
    lines
        They need ``import torch`` above them, and can import the user's modules.
    complete
        False where a comment asks the user to supply it.
    """

    lines: list[str]
    complete: bool


def model(value: Any) -> Built:
    """Return what builds a model, with random weights; or, where that cannot be told, what loads it.

    Parameters
    ----------
    value
        A module, or a function or class that builds one when it is called without arguments.
    """
    complete = True
    try:
        lines = _building(value) if is_module(value) else _calling(value)
    except Exception:  # noqa: BLE001 - the user's classes are asked and called: anything can come out of them
        lines, complete = _loading(value), False
    return Built([*_accommodation(value, lines), *lines], complete)


def inputs(value: Any) -> Built:
    """Return what makes inputs of the same structure, shapes and dtypes, with integers in the same range.

    Parameters
    ----------
    value
        One batch: a tensor, a tuple of positional arguments or a dict of keywords.
    """
    try:
        return Built(wrapped(batch.expression(value), before="inputs = "), complete=True)
    except Exception:  # noqa: BLE001 - tensors of other packages fail in ways of their own
        said = f"inputs: as you gave them; optkit cannot print what is in this {type(value).__name__}"
        return Built([comment(said)], complete=False)


def _building(value: Any) -> list[str]:
    for guessed in guess.guesses(value):
        with contextlib.suppress(Exception):  # as in `model`
            script = Script(model=None)
            lines = wrapped(guessed(value, script) + guess.conversion(value), before="model = ")
            if check.builds(lines, script.names, value):
                return [*script.lines, *lines, *([RANDOM] if any(True for _ in value.parameters()) else [])]
    raise CannotTellError


def _calling(value: Any) -> list[str]:
    parameters = inspect.signature(value).parameters.values()
    if any(one.default is one.empty and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD) for one in parameters):
        raise CannotTellError
    script = Script()
    is_partial = isinstance(value, functools.partial)
    called = script.call(value.func, value.args, value.keywords) if is_partial else script.call(value)
    return [*script.lines, *wrapped(called, before="model = ")]


def _loading(value: Any) -> list[str]:
    """Return what loads a model, below those classes of a script or notebook that its file names."""
    script = Script()
    kinds = dict.fromkeys(type(part) for part in value.modules()) if is_module(value) else ()
    with contextlib.suppress(Exception):  # as in `model`: then the user supplies the classes as well
        for kind in kinds:
            if kind.__module__ == "__main__":
                script.reference(kind)
    name = type(value).__name__ if is_module(value) else getattr(value, "__name__", type(value).__name__)
    return [
        *script.lines,
        comment(f"optkit cannot tell how this {name} is built:"),
        '# torch.save(model, "model.pt") where you have it, and run this beside that file.',
        'model = torch.load("model.pt", weights_only=False)',
    ]


def _accommodation(value: Any, lines: list[str]) -> list[str]:
    """Return what lets torchvision be imported, where lines import it, be it by way of a module of the user's."""
    code = zoo.accommodation_code()
    if not code or any("torchvision" in line for line in lines):
        return code
    with contextlib.suppress(Exception):  # anything can refuse to be pickled
        reached = own_code.packages_of([type(part) for part in value.modules()] if is_module(value) else value)
        return code if "torchvision" in reached else []
    return []
