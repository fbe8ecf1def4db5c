"""The cells of a study's notebook that build the user's own model and inputs, or ask for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from optkit import building, own_code
from optkit.building.names import Script
from optkit.report.parts import LONGEST_NAME, plain
from optkit.study_notebook_parts import asking, code, markdown, span, spans

if TYPE_CHECKING:
    from optkit.workload import Workload


def modules_of(*values: Any) -> tuple[list[str], list[str]]:
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


def model_cells(workload: Workload | None, modules: list[str]) -> list[dict[str, Any]]:
    """Return a text and the lines that build the user's own model; where they are not known, a call for them."""
    built = None if workload is None else building.model(workload.model)
    if workload is None or built is None or not built.complete:
        name = "the model" if workload is None else f"this {plain(workload.name, LONGEST_NAME)}"
        why = f"It was a model of your own, and optkit cannot tell how {name} is built."
        return [
            markdown(
                "## The model",
                "**Only you can say it.** It was a model of your own, and optkit does not know how it is built: put "
                "that in place of the next line.",
            ),
            code(asking("model", why)),
        ]
    if workload.is_module:
        how = (
            f"**A guess that was tried.** How {span(workload.name)} is built was read off its attributes. Built like "
            "this without memory, it had the same layers, parameters and buffers as the model that was measured. Its "
            "weights are random here."
        )
    else:
        how = f"The function {span(workload.name)}, which was given to build it, is called here; this was not tried."
    if modules:
        how += f" It needs modules of yours: {spans(modules)}; `folders` says where they lay."
    return [
        markdown("## The model", how),
        code("import torch", "", "torch.manual_seed(0)", *built.lines),
    ]


def inputs_cells(workload: Workload | None) -> list[dict[str, Any]]:
    """Return a text and the lines that make inputs like the user's; where they are not known, a call for them."""
    batches = [_given(*batch) for batch in (workload.batches if workload is not None else None) or ()]
    built = building.inputs(batches if len(batches) > 1 else batches[0]) if batches else None
    if built is None or not built.complete:
        return [
            markdown("## The inputs", "**Only you can give them**: put them in place of the next line."),
            code(asking("inputs", "optkit cannot print those that were measured.")),
        ]
    return [
        markdown(
            "## The inputs", "Drawn anew, like those that were measured in shape, dtype and range of whole numbers."
        ),
        code("import torch", "", "torch.manual_seed(0)", *built.lines),
    ]


def _given(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return a batch as a user gives it: a tensor, a tuple or a dict."""
    is_tensor = len(args) == 1 and not kwargs and hasattr(args[0], "shape") and hasattr(args[0], "dtype")
    return args[0] if is_tensor else kwargs or args


def evaluate_cells(evaluate: Any) -> list[dict[str, Any]]:
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
        return [markdown("## A number made of the outputs", said), code("evaluate = None")]
    lines = ["import torch", "", *lines] if any("torch" in line for line in lines) else lines
    return [markdown("## A number made of the outputs", "It is called once for each variant."), code(*lines)]
