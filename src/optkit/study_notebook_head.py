"""The words at the head of a study's notebook: what it is, what was measured before, and what it does not do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from optkit import answers, text
from optkit.report import facts
from optkit.report.parts import LONGEST_NAME, plain
from optkit.study import Plan
from optkit.study_notebook_parts import MOST_NAMES, ORDER, block, holds_callable, reads, span, spans
from optkit.variant import BASELINE, Variant

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from optkit.comparison import Comparison
    from optkit.events import StudyStarted
    from optkit.workload import Workload

LONGEST_ANSWER = 3000


def head(
    parameters: Mapping[str, Any], left_out: Sequence[str], workload: Workload | None, comparison: Comparison | None
) -> list[str]:
    """Return what the notebook is; what was measured before; and what it does not do."""
    model = parameters.get("model", "your model" if workload is None else workload.name)
    parts = [
        f"# Which settings for {span(model)}?",
        "This notebook measures PyTorch inference settings side by side, with optkit, which has written it.",
    ]
    started = None if comparison is None else comparison.started
    if comparison is not None and started is not None:
        parts += ["When it was written, this was known:", block(_known(comparison, started))]
        changed = _changed(parameters, workload, started)
        if changed:
            parts.append(f"**What is measured below is not quite that.** Changed since: {spans(changed)}.")
    if left_out:
        parts.append(
            f"**Left out**, because a callable of yours is part of it: {spans(left_out)}. "
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


def _changed(parameters: Mapping[str, Any], workload: Workload | None, started: StudyStarted) -> list[str]:
    """Return the parameters that are known to be others than what was measured."""
    now = Plan().to_json() | ({} if workload is None else {"model": workload.name}) | dict(parameters)
    then = started.workload | started.plan
    changed = [name for name in ORDER if None not in (now.get(name), then.get(name)) and now[name] != then[name]]
    listed = parameters["variants"]
    if isinstance(listed, list) and all(map(reads, listed)):
        names = {str(Variant.parse(one)) for one in listed} | {str(BASELINE)}
        if names != {one for one in started.variants if not holds_callable(one)}:
            changed.append("variants")
    return changed
