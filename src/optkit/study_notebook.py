"""What is chosen in the Explorer as a notebook that measures it, with papermill or by hand. Pure text, and no widget.

Nothing that somebody else has written, such as a model's name or an error, can do more in it than be read: in a code
cell it stands in a literal, in Markdown in a block of code, whose fence is longer than any that it holds.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, NamedTuple

from optkit import zoo
from optkit.building.lines import wrapped
from optkit.engines import Engine
from optkit.errors import UsageError
from optkit.study import Plan
from optkit.study_notebook_head import head
from optkit.study_notebook_model import evaluate_cells, inputs_cells, model_cells, modules_of
from optkit.study_notebook_parts import ORDER, asking, assignment, code, holds_callable, kind_of, markdown
from optkit.variant import BASELINE, Variant

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from optkit.comparison import Comparison
    from optkit.presets import VariantLike
    from optkit.workload import Workload

CLAIMS = """\
measured = [m for m in comparison.measurements.values() if m.rounds]
assert comparison.baseline.rounds, "the baseline was not measured, so there is nothing to compare with"
was_stopped = comparison.ended_because == "stopped"
for m in comparison.measurements.values():
    assert m.rounds or m.reason or was_stopped, f"{m} was not measured, and nothing says why"
for m in measured:
    assert m.calls >= 3 * m.rounds, f"{m} has a round of less than three calls"
    assert not m.graphs or m.first_call_s > m.median_s, f"{m} was compiled, and its first call took no longer for it"

best = comparison.best()
agrees = best.agreement in (None, "equal", "close", "reduced")  # None: it was stopped before that was looked at
assert best is comparison.baseline or agrees, f"{best} was called best, and its outputs are {best.agreement}"
f"{len(measured)} of {len(comparison.measurements)} variants were measured"
"""


class _Chosen(NamedTuple):
    """What is to be measured.

    Attributes
    ----------
    parameters
        Plain data, by name, in the order of the cell.
    left_out
        Variants that no text can bring back.
    evaluate
        The user's function; None where there is none.
    """

    parameters: dict[str, Any]
    left_out: list[str]
    evaluate: Any


def notebook(settings: Mapping[str, Any], workload: Workload | None, comparison: Comparison | None) -> str:
    """Return the JSON text of a notebook (nbformat 4.5, no outputs) that measures, shows and checks what is chosen.

    Its cell ``parameters`` is what ``papermill notebook.ipynb out.ipynb -p budget_s 20`` changes, and its cell
    ``claims`` asserts what holds on any machine.

    Parameters
    ----------
    settings
        As `Explorer.settings`: arguments of `optkit.compare`, as plain data; ``evaluate`` may be a function.
    workload
        What is measured. Of a model of the user's own it tells how that is built, where this can be found out; where it
        cannot, or without a workload, the notebook stops with a sentence that asks for the model. Not needed where
        `settings` name a model.
    comparison
        What was measured before; the notebook then says when, where, and what the answer was.

    Raises
    ------
    UsageError
        If a setting is none of `optkit.compare`, or not plain data.
    """
    chosen = _chosen(settings, workload)
    is_named = "model" in chosen.parameters
    own = None if workload is None or workload.is_zoo else workload.model
    modules, folders = modules_of(own, chosen.evaluate)
    cells = [
        markdown(*head(chosen.parameters, chosen.left_out, workload, comparison)),
        *_parameter_cells(chosen, folders),
    ]
    given = [f"{name}={name}" for name in chosen.parameters]
    if not is_named or chosen.evaluate is not None:  # the user's own source may call something else `device`
        pairs = ", ".join(f'"{name}": {name}' for name in chosen.parameters)
        cells.append(code(*wrapped(f"{{{pairs}}}", before="study_settings = ")))
        given = ["**study_settings"]
    if not is_named or (workload is not None and workload.batches is not None):
        cells += [*([] if is_named else model_cells(workload, modules)), *inputs_cells(workload)]
        given = [*([] if is_named else ["model"]), "inputs=inputs", *given]
    if chosen.evaluate is not None:
        cells += evaluate_cells(chosen.evaluate)
        given.append("evaluate=evaluate")
    cells += _measuring_cells(given)
    metadata = {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "language_info": {"name": "python"},
    }
    numbered = [cell | {"id": f"study-{number:02}"} for number, cell in enumerate(cells)]
    document = {"cells": numbered, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def _parameter_cells(chosen: _Chosen, folders: list[str]) -> list[dict[str, Any]]:
    parameters = chosen.parameters | ({"folders": folders} if folders else {})
    lines = (line for name, value in parameters.items() for line in assignment(name, value))
    cells = [
        markdown("Any of these can be changed: `papermill this.ipynb out.ipynb -p budget_s 20`."),
        code(*lines, tag="parameters"),
    ]
    if folders:
        cells.append(code("import sys", "", "sys.path[:0] = folders"))
    if chosen.left_out and not chosen.parameters["variants"]:
        cells.append(code("if not variants:", f"    {asking('variants', 'A text cannot bring back a callable.')}"))
    return cells


def _measuring_cells(given: list[str]) -> list[dict[str, Any]]:
    """Return the cells that measure, show and check; `given` are the arguments of `optkit.compare`."""
    return [
        markdown(
            "Every variant is measured in a process of its own, and they take turns in random order, against `eager` "
            "under `inference_mode`. This takes `budget_s` seconds or a little more."
        ),
        code("import optkit", "", *wrapped(f"optkit.compare({', '.join(given)})", before="comparison = ")),
        code("comparison"),
        markdown(
            "What holds on any machine, however fast: what was measured has rounds; where something was compiled, the "
            "first call took longer than the typical one; and what is called best computes what the model computes."
        ),
        code(CLAIMS.rstrip(), tag="claims"),
        markdown("The numbers, one row a variant in SI units; and the code of the best."),
        code("comparison.to_frame()"),
        code("print(comparison.code())"),
    ]


def _chosen(settings: Mapping[str, Any], workload: Workload | None) -> _Chosen:
    """Return what is to be measured: what is set, else what the workload says, else what is usual."""
    unknown = sorted(settings.keys() - {*ORDER, "evaluate"})
    if unknown:
        raise UsageError(f"A notebook has no use for the setting {unknown[0]!r}; it takes {', '.join(ORDER)}.")
    usual = Plan()
    chosen: dict[str, Any] = {"device": None, "variants": "recommended"}
    chosen |= {"budget_s": usual.budget_s, "seed": usual.seed}
    chosen |= ({} if workload is None else _said_by(workload)) | dict(settings)
    evaluate = chosen.pop("evaluate", None)
    if "model" in chosen and (workload is None or workload.batches is None):
        chosen.setdefault("batch_size", 1)
    if chosen["device"] is not None:
        chosen["device"] = str(chosen["device"])
    chosen["variants"], left_out = _variants(chosen["variants"])
    return _Chosen({name: _plain(name, chosen[name]) for name in ORDER if name in chosen}, left_out, evaluate)


def _said_by(workload: Workload) -> dict[str, Any]:
    """Return the arguments of `optkit.compare` that a workload stands for, but for its model and inputs."""
    said: dict[str, Any] = {"device": workload.device, "evaluate": workload.evaluate, "weights": workload.weights}
    said["call"] = None if workload.call == "forward" else workload.call
    if workload.is_zoo:
        said["model"] = workload.model
        if workload.batches is None:
            said["batch_size"] = workload.batch_size
            is_usual = workload.shape is None or tuple(workload.shape) == zoo.default_shape(workload.model)
            said["shape"] = None if is_usual else workload.shape
    return {name: value for name, value in said.items() if value is not None}


def _variants(given: VariantLike | Iterable[VariantLike]) -> tuple[str | list[str], list[str]]:
    """Return variants as text, and those that cannot be read back because a callable is part of them."""
    if isinstance(given, str) and not holds_callable(given):
        return given, []
    items = [given] if isinstance(given, Variant | Engine | str) else given
    texts = [str(Variant(item) if isinstance(item, Engine) else item) for item in items] or [str(BASELINE)]
    left_out = [one for one in texts if holds_callable(one)]
    return [one for one in texts if one not in left_out], left_out


def _plain(name: str, value: Any) -> Any:
    """Return a setting as what JSON has; a UsageError where it is something else."""
    if isinstance(value, list | tuple):
        return [_plain(name, one) for one in value]
    if value is None or (isinstance(value, float) and math.isfinite(value)):
        return value if value is None else float(value)
    for kind in (bool, int, str):
        if isinstance(value, kind):
            return kind(value)
    raise UsageError(
        f"{name} cannot be written into a notebook, because it is {kind_of(value)}; "
        "give plain data, and a model of your own as a Workload."
    )
