"""One call of a replay: how long it took, what torch compiled in it, and why. Pure."""

from __future__ import annotations

import linecache
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from optkit import causes, compile_record, guards, signatures

GAVE_UP = "torch had compiled it so often that it gave up"
MOST_CHARACTERS = 200
OF_SHAPE = ("batch_size", "shape", "size_of_one", "size_bound", "rank")
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Compilation:
    """One time that torch compiled a function, or the rest of one behind a graph break.

    Attributes
    ----------
    function
        What was compiled; ``"the model"`` where torch wraps it in a function of its own.
    resumed_at
        The line from which on, where this is the rest of a function after a graph break; else None.
    reason
        Why, in plain words.
    guard
        torch's words for the guard that failed; empty for the first time.
    of_one
        Whether it is there because a size of 1 shares its graph with no other, or because the one before is for a 1.
    of_shape
        Whether a size, or the number of dimensions, is why; else other shapes, or none, would have compiled as well.
    """

    function: str
    resumed_at: int | None
    reason: str
    guard: str = ""
    of_one: bool = False
    of_shape: bool = True

    @property
    def name(self) -> str:
        """The function, with the line from which on."""
        return self.function if self.resumed_at is None else f"{self.function} from line {self.resumed_at} on"

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


@dataclass(frozen=True)
class ReplayedCall:
    """One call of one variant.

    Attributes
    ----------
    variant, number
        Whose call it is, and which: from 1.
    asked
        What the user asked for, as text: ``"8"`` is a batch size, ``"8×32"`` a shape.
    shapes
        The shape of each tensor that went in, by the name of its parameter.
    duration_s
        How long the call took, compiling included; None where it raised.
    compilations
        What torch compiled in it; None where that is not told.
    left_to_eager
        Why torch compiled something not, and ran it as eager does; one sentence each.
    unmarked
        Tensors that ``mark_dynamic`` was not called for, because of their size.
    error
        What it raised; else None.
    """

    variant: str
    number: int
    asked: str
    shapes: dict[str, Shape]
    duration_s: float | None
    compilations: tuple[Compilation, ...] | None = ()
    left_to_eager: tuple[str, ...] = ()
    unmarked: tuple[str, ...] = ()
    error: str | None = None

    @property
    def compiles(self) -> int | None:
        """How often torch compiled something in this call; what it gave up is not counted.

        A compile need not make a graph: behind the last break of a function there can be no operation left.
        """
        return None if self.compilations is None else len(self.compilations)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why each of them was compiled."""
        return tuple(map(str, self.compilations or ()))

    @property
    def shape(self) -> Shape | dict[str, Shape]:
        """The shape of the only tensor, or of several by name."""
        return next(iter(self.shapes.values())) if len(self.shapes) == 1 else self.shapes


def calls(variant: str, asked: list[str], answer: dict[str, Any], *, is_told: bool) -> list[ReplayedCall]:
    """Return what `optkit.worker.calls` answered about a sequence.

    Parameters
    ----------
    variant, asked
        Whose calls they are, and what was asked for in each.
    answer
        The worker's answer.
    is_told
        Whether all that this variant compiles would be in torch's record.
    """
    told = is_told and answer["told"]
    made: list[ReplayedCall] = []
    records = [record for one in answer["calls"] for record in one["compiles"]]
    left: tuple[str, ...] = ()
    for number, (words, one) in enumerate(zip(asked, answer["calls"], strict=True), 1):
        call = _call(variant, number, words, one, answer["parameters"], told=told)
        # torch runs a function that it has left to eager there from then on, also where it had a graph for it.
        made.append(call if call.compilations or call.left_to_eager else replace(call, left_to_eager=left))
        left = _of_all(one, records[0]) or left if records else left
    return made


def _of_all(one: dict[str, Any], first: dict[str, Any]) -> tuple[str, ...]:
    """Return why the function that all begins with was left to eager in a call; empty where it was not."""
    frame = first["id"].partition("/")[0]
    left = (record for record in _left(one) if record["id"].partition("/")[0] == frame)
    return tuple(_given_up(record) for record in left if not compile_record.is_limit(record))


def _left(one: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the records of what was left to eager in a call."""
    return [record for record in one["compiles"] if compile_record.outcome(record, one["error"]) == "skipped"]


def _call(
    variant: str, number: int, asked: str, one: dict[str, Any], parameters: list[str], *, told: bool
) -> ReplayedCall:
    shapes = {signatures.called(key, parameters): tuple(shape) for key, shape, _ in one["inputs"] if shape is not None}
    made = [record for record in one["compiles"] if not record["failed"]]
    return ReplayedCall(
        variant,
        number,
        asked,
        shapes,
        None if one["error"] else one["duration_ns"] / 1e9,
        tuple(_compilation(record, parameters, shapes) for record in made) if told else None,
        tuple(map(_given_up, _left(one))),
        tuple(signatures.called(key, parameters) for key in one.get("unmarked", ())),
        one["error"],
    )


def _compilation(record: dict[str, Any], parameters: list[str], shapes: dict[str, Shape]) -> Compilation:
    guard = compile_record.guard(record, parameters)
    reason, of_one = _why(guard, shapes) if guard else ("its first compile", False)
    of_shape = not guard or guards.of_guard(guard).name in OF_SHAPE or "size()[" in guard
    return Compilation(compile_record.function(record), record["resumed_at"], reason, _short(guard), of_one, of_shape)


def _why(guard: str, shapes: dict[str, Shape]) -> tuple[str, bool]:
    """Return why a guard failed, and whether a size of 1 is behind it."""
    cause = guards.of_guard(guard)
    size = re.fullmatch(r"the size of (.+) in dimension (\d+)", cause.changed)
    if size is None:
        return cause.changed or cause.reason, "expected 1, actual" in guard
    shape, dimension = shapes.get(size[1]), int(size[2])
    if shape is None or dimension >= len(shape):  # a value of the model's own, behind a graph break
        is_one = guard.startswith("2 <= ") and any(1 in shape for shape in shapes.values())
        return f"{cause.changed} is another, and the graph before holds for {_short(guard)}", is_one
    now = f"{size[1]}: {shape[dimension]} in dimension {dimension}"
    return f"{now}, and the graph before holds for {_short(guard)}", guard.startswith("2 <= ") and shape[dimension] == 1


def _given_up(record: dict[str, Any]) -> str:
    """Return why torch left a function to eager, with its line."""
    if compile_record.is_limit(record):
        return GAVE_UP
    path, line = record.get("fail_path") or record["path"], record.get("fail_line")
    source = linecache.getline(path, line).strip() if line else ""
    why = causes.of_break(record["fail_reason"] or record["failed"], source).reason
    return f"{Path(path).name}:{line}: {why}" if line and not compile_record.is_wrapper(path) else why


def _short(words: str) -> str:
    line = " ".join(words.split())
    return line if len(line) <= MOST_CHARACTERS else f"{line[:MOST_CHARACTERS]}…"
