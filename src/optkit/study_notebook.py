"""What is chosen in the Explorer as a notebook that measures it, with papermill or by hand. Pure text, and no widget.

Nothing that somebody else has written, such as a model's name or an error, can do more in it than be read: in a code
cell it stands in a literal, in Markdown in a block of code, whose fence is longer than any that it holds.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
import textwrap
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from optkit import answers, building, own_code, text, zoo
from optkit.building.lines import LINE_LENGTH, constant, container, wrapped
from optkit.building.names import Script
from optkit.engines import Engine
from optkit.errors import UsageError, VariantError
from optkit.report import facts
from optkit.report.parts import LONGEST_NAME, plain
from optkit.study import Plan
from optkit.variant import BASELINE, Variant

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from optkit.comparison import Comparison
    from optkit.events import StudyStarted
    from optkit.presets import VariantLike
    from optkit.workload import Workload

PLANNED = tuple(one.name for one in dataclasses.fields(Plan))
ORDER = ("model", "batch_size", "shape", "device", "call", "weights", "variants", *PLANNED)
"""Everything that can be a parameter, in the order of the cell."""
HELP = {
    "model": "a model of torchvision by name, or tiny_cnn or tiny_transformer",
    "device": 'None: the accelerator if there is one; "cpu", "cuda", "cuda:1"',
    "variants": "variants, or the name of a preset",
    "budget_s": "seconds, after which no further round begins",
    "seed": "decides the order of turns",
    "folders": "where the modules of your own lie that the model needs",
}
MOST_NAMES = 30
"""Variants, and modules, that the text names."""
LONGEST_ANSWER = 3000
COLUMNS = 100

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
    modules, folders = _modules(own, chosen.evaluate)
    cells = [_markdown(*_head(chosen, workload, comparison)), *_parameter_cells(chosen, folders)]
    given = [f"{name}={name}" for name in chosen.parameters]
    if not is_named or chosen.evaluate is not None:  # the user's own source may call something else `device`
        pairs = ", ".join(f'"{name}": {name}' for name in chosen.parameters)
        cells.append(_code(*wrapped(f"{{{pairs}}}", before="study_settings = ")))
        given = ["**study_settings"]
    if not is_named or (workload is not None and workload.batches is not None):
        cells += [*([] if is_named else _model_cells(workload, modules)), *_inputs_cells(workload)]
        given = [*([] if is_named else ["model"]), "inputs=inputs", *given]
    if chosen.evaluate is not None:
        cells += _evaluate_cells(chosen.evaluate)
        given.append("evaluate=evaluate")
    cells += _measuring_cells(given)
    metadata = {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "language_info": {"name": "python"},
    }
    numbered = [cell | {"id": f"study-{number:02}"} for number, cell in enumerate(cells)]
    document = {"cells": numbered, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def _markdown(*paragraphs: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": "\n\n".join(paragraphs)}


def _code(*lines: str, tag: str | None = None) -> dict[str, Any]:
    metadata = {"tags": [tag]} if tag else {}
    return {
        "cell_type": "code", "metadata": metadata, "source": "\n".join(lines), "outputs": [], "execution_count": None
    }  # fmt: skip


def _parameter_cells(chosen: _Chosen, folders: list[str]) -> list[dict[str, Any]]:
    parameters = chosen.parameters | ({"folders": folders} if folders else {})
    lines = (line for name, value in parameters.items() for line in _assignment(name, value))
    cells = [
        _markdown("Any of these can be changed: `papermill this.ipynb out.ipynb -p budget_s 20`."),
        _code(*lines, tag="parameters"),
    ]
    if folders:
        cells.append(_code("import sys", "", "sys.path[:0] = folders"))
    if chosen.left_out and not chosen.parameters["variants"]:
        cells.append(_code("if not variants:", f"    {_asking('variants', 'A text cannot bring back a callable.')}"))
    return cells


def _measuring_cells(given: list[str]) -> list[dict[str, Any]]:
    """Return the cells that measure, show and check; `given` are the arguments of `optkit.compare`."""
    return [
        _markdown(
            "Every variant is measured in a process of its own, and they take turns in random order, against `eager` "
            "under `inference_mode`. This takes `budget_s` seconds or a little more."
        ),
        _code("import optkit", "", *wrapped(f"optkit.compare({', '.join(given)})", before="comparison = ")),
        _code("comparison"),
        _markdown(
            "What holds on any machine, however fast: what was measured has rounds; where something was compiled, the "
            "first call took longer than the typical one; and what is called best computes what the model computes."
        ),
        _code(CLAIMS.rstrip(), tag="claims"),
        _markdown("The numbers, one row a variant in SI units; and the code of the best."),
        _code("comparison.to_frame()"),
        _code("print(comparison.code())"),
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
    if isinstance(given, str) and not _holds_callable(given):
        return given, []
    items = [given] if isinstance(given, Variant | Engine | str) else given
    texts = [str(Variant(item) if isinstance(item, Engine) else item) for item in items] or [str(BASELINE)]
    left_out = [one for one in texts if _holds_callable(one)]
    return [one for one in texts if one not in left_out], left_out


def _holds_callable(variant: str) -> bool:
    """Return whether the text of a variant only names a part of it; what is no variant at all is refused later."""
    with suppress(VariantError):
        Variant.parse(variant)
        return False
    with suppress(VariantError):
        Variant.read(variant)
        return True
    return False


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
        f"{name} cannot be written into a notebook, because it is {_kind(value)}; "
        "give plain data, and a model of your own as a Workload."
    )


def _kind(value: Any) -> str:
    return "not finite" if isinstance(value, float) else f"of type {text.one_line(type(value).__name__, limit=100)}"


def _literal(value: Any) -> str:
    found = constant(value) or container(value, _literal)
    assert found is not None, "only plain data is written"
    return found


def _assignment(name: str, value: Any) -> list[str]:
    lines = wrapped(_literal(value), before=f"{name} = ")
    said = f"{lines[0]}  # {HELP.get(name)}"
    return [said] if name in HELP and len(lines) == 1 and len(said) <= LINE_LENGTH else lines


def _asking(name: str, why: str) -> str:
    """Return a statement that stops the notebook: nothing is measured, rather than something else."""
    return f"raise NameError({_literal(f'Put the {name} of this notebook here: {name} = ... {why}')})"


def _span(words: object) -> str:
    """Return a name for a line of Markdown, always as code: else ``__name__`` would be a bold name."""
    said = text.one_line(plain(words, LONGEST_NAME)) or "–"
    return text.code_span(said) if "`" in said else f"`{said}`"


def _spans(words: Iterable[object]) -> str:
    spans = [_span(one) for one in words]
    more = [f"and {len(spans) - MOST_NAMES} more"] if len(spans) > MOST_NAMES else []
    return ", ".join(spans[:MOST_NAMES] + more)


def _head(chosen: _Chosen, workload: Workload | None, comparison: Comparison | None) -> list[str]:
    """Return what the notebook is; what was measured before; and what it does not do."""
    model = chosen.parameters.get("model", "your model" if workload is None else workload.name)
    parts = [
        f"# Which settings for {_span(model)}?",
        "This notebook measures PyTorch inference settings side by side, with optkit, which has written it.",
    ]
    started = None if comparison is None else comparison.started
    if comparison is not None and started is not None:
        parts += ["When it was written, this was known:", _block(_known(comparison, started))]
        changed = _changed(chosen.parameters, workload, started)
        if changed:
            parts.append(f"**What is measured below is not quite that.** Changed since: {_spans(changed)}.")
    if chosen.left_out:
        parts.append(
            f"**Left out**, because a callable of yours is part of it: {_spans(chosen.left_out)}. "
            "Add it to `variants` as a `Variant`."
        )
    return parts


def _known(c: Comparison, started: StudyStarted) -> Iterator[tuple[str, str]]:
    """Yield when, where and what was measured, and the answer: names of ours, and texts of anybody's."""
    environment, plan = started.environment, started.plan
    versions = environment.get("versions")
    versions = versions if isinstance(versions, dict) else {}
    software = (f"{name} {versions[name]}" for name in ("torch", "python") if name in versions)
    where = (environment.get("cpu", "an unknown processor"), started.workload.get("device"), *software)
    names = [plain(name, LONGEST_NAME) for name in started.variants]
    more = [f"and {len(names) - MOST_NAMES} more"] if len(names) > MOST_NAMES else []
    ended = "it had not ended" if c.ended_because is None else answers.ENDINGS.get(c.ended_because, c.ended_because)
    answer = c.answer()
    for name in started.variants:
        if len(name) > LONGEST_NAME:
            answer = answer.replace(name, plain(name, LONGEST_NAME))
    yield "measured", f"{facts.when(c)}, run {plain(started.run_id, LONGEST_NAME)}"
    yield "where", ", ".join(plain(one, LONGEST_NAME) for one in where if one)
    yield "model", plain(facts.model(c), LONGEST_NAME)
    yield "variants", ", ".join([*names[:MOST_NAMES], *more])
    yield "budget", f"{plain(plan.get('budget_s'), 20)} s; it took {text.duration(c.elapsed_s)}: {ended}"
    yield "answer", plain(answer, LONGEST_ANSWER)


def _block(pairs: Iterable[tuple[str, str]]) -> str:
    """Return names and texts as a block of code, which shows them as they are, in lines that can be read."""
    lines = []
    for name, said in pairs:
        room, before = COLUMNS - 10, f"{name:<10}"
        for line in said.expandtabs().split("\n"):
            for piece in textwrap.wrap(line, room) or [""]:
                lines.append(f"{before}{piece}".rstrip())
                before = " " * 10
    content = "\n".join(lines)
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", content)), default=0))
    return f"{fence}text\n{content}\n{fence}"


def _changed(parameters: Mapping[str, Any], workload: Workload | None, started: StudyStarted) -> list[str]:
    """Return the parameters that are known to be others than what was measured."""
    now = Plan().to_json() | ({} if workload is None else {"model": workload.name}) | dict(parameters)
    then = started.workload | started.plan
    changed = [name for name in ORDER if None not in (now.get(name), then.get(name)) and now[name] != then[name]]
    listed = parameters["variants"]
    if isinstance(listed, list) and all(map(_reads, listed)):
        names = {str(Variant.parse(one)) for one in listed} | {str(BASELINE)}
        if names != {one for one in started.variants if not _holds_callable(one)}:
            changed.append("variants")
    return changed


def _reads(variant: str) -> bool:
    with suppress(VariantError):
        Variant.parse(variant)
        return True
    return False


def _modules(*values: Any) -> tuple[list[str], list[str]]:
    """Return the user's own modules that something refers to, and the folders in which they are found."""
    try:
        names = own_code.modules_of([one for one in values if one is not None])
        files = own_code.closure(names)
    except Exception:  # noqa: BLE001 - what is the user's own is pickled for this: anything can come out of it
        return [], []
    folders = []
    for name, place in files.items():
        if "." not in name:
            path = place.absolute()
            folders.append(str(path.parents[1] if path.name == "__init__.py" else path.parent))
    return sorted({name.partition(".")[0] for name in names}), list(dict.fromkeys(folders))


def _model_cells(workload: Workload | None, modules: list[str]) -> list[dict[str, Any]]:
    """Return a text and the lines that build the user's own model; where they are not known, a call for them."""
    built = None if workload is None else building.model(workload.model)
    if workload is None or built is None or not built.complete:
        name = "the model" if workload is None else f"this {plain(workload.name, LONGEST_NAME)}"
        why = f"It was a model of your own, and optkit cannot tell how {name} is built."
        return [
            _markdown(
                "## The model",
                "**Only you can say it.** It was a model of your own, and optkit does not know how it is built: put "
                "that in place of the next line.",
            ),
            _code(_asking("model", why)),
        ]
    if workload.is_module:
        how = (
            f"**A guess that was tried.** How {_span(workload.name)} is built was read off its attributes. Built like "
            "this without memory, it had the same layers, parameters and buffers as the model that was measured. Its "
            "weights are random here."
        )
    else:
        how = f"The function {_span(workload.name)}, which was given to build it, is called here; this was not tried."
    if modules:
        how += f" It needs modules of yours: {_spans(modules)}; `folders` says where they lay."
    return [
        _markdown("## The model", how),
        _code("import torch", "", "torch.manual_seed(0)", *built.lines),
    ]


def _inputs_cells(workload: Workload | None) -> list[dict[str, Any]]:
    """Return a text and the lines that make inputs like the user's; where they are not known, a call for them."""
    batches = [_given(*batch) for batch in (workload.batches if workload is not None else None) or ()]
    built = building.inputs(batches if len(batches) > 1 else batches[0]) if batches else None
    if built is None or not built.complete:
        return [
            _markdown("## The inputs", "**Only you can give them**: put them in place of the next line."),
            _code(_asking("inputs", "optkit cannot print those that were measured.")),
        ]
    return [
        _markdown(
            "## The inputs", "Drawn anew, like those that were measured in shape, dtype and range of whole numbers."
        ),
        _code("import torch", "", "torch.manual_seed(0)", *built.lines),
    ]


def _given(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return a batch as a user gives it: a tensor, a tuple or a dict."""
    is_tensor = len(args) == 1 and not kwargs and hasattr(args[0], "shape") and hasattr(args[0], "dtype")
    return args[0] if is_tensor else kwargs or args


def _evaluate_cells(evaluate: Any) -> list[dict[str, Any]]:
    """Return a text and the lines that define ``evaluate``; None where its source cannot be had: times are the same."""
    script = Script(model=None)
    try:
        found = script.reference(evaluate)
        lines = [*script.lines, *([] if found == "evaluate" else [f"evaluate = {found}"])]
    except Exception:  # noqa: BLE001 - it is the user's own: anything can come out of it
        said = (
            "**Only you can give it.** A function of yours made a number of the outputs, and optkit cannot print it. "
            "Without it there is no such number; nothing else changes."
        )
        return [_markdown("## A number made of the outputs", said), _code("evaluate = None")]
    lines = ["import torch", "", *lines] if any("torch" in line for line in lines) else lines
    return [_markdown("## A number made of the outputs", "It is called once for each variant."), _code(*lines)]
