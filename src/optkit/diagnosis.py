"""Why is it not faster, why does it stall: graph breaks and recompiles of a model, with the user's line and a fix.

No single source of torch's is to be believed: its counter misses breaks at data-dependent branches, its explanation
runs another call than the one that is compiled, the functions that it resumes say where, but not why, and its log is no
interface. All are read.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from optkit import diagnosis_page, sightings
from optkit.errors import UsageError
from optkit.finding import Finding
from optkit.investigation import Investigation, chosen_variant
from optkit.variant import BASELINE
from optkit.workload import workload_from

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

    from optkit.variant import Variant

PASSES = 3
"""How often the batches are called: what a model keeps from one call shows in the next, a growing list in the third."""


@dataclass
class Diagnosis:
    """What was found, and what it was found with.

    Attributes
    ----------
    model, variant
        What was looked at.
    findings
        Breaks, recompiles and so on, in the order in which a call meets them; first, where that is so, that torch made
        no graph at all.
    evidence
        What was counted: ``calls``, ``compiles``, ``graphs``, ``graph_breaks`` (of all sources the most),
        ``breaks_logged``, ``breaks_counted``, ``breaks_explained``, ``functions_resumed``, ``recompiles``,
        ``recompiles_failed``, ``skipped_functions``, ``cudagraph_skips``. None where torch does not say.
    details
        What could not be looked at, in sentences.
    """

    model: str
    variant: str
    findings: list[Finding] = field(default_factory=list)
    evidence: dict[str, int | None] = field(default_factory=dict)
    details: list[str] = field(default_factory=list)

    @property
    def graph_breaks(self) -> list[Finding]:
        """The places at which a graph ends before the model does."""
        return [one for one in self.findings if one.kind == "graph_break"]

    @property
    def recompiles(self) -> list[Finding]:
        """What was compiled again, by the guard that failed."""
        return [one for one in self.findings if one.kind == "recompile"]

    @property
    def is_clean(self) -> bool:
        """Whether torch made a graph, and nothing was found that is in its way."""
        return not self.findings and bool(self.evidence.get("graphs"))

    def to_frame(self) -> pd.DataFrame:
        """Return one row a finding, with the attributes of `Finding` and its ``place``."""
        import pandas as pd

        names = [one.name for one in fields(Finding)]
        rows = [[*(getattr(found, name) for name in names), found.place] for found in self.findings]
        return pd.DataFrame(rows, columns=[*names, "place"])

    def to_json(self) -> str:
        """Return it as one JSON document."""
        return json.dumps({"schema": 1} | asdict(self), indent=2)

    def __str__(self) -> str:
        return "\n".join(diagnosis_page.lines(self))

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        return {"text/plain": str(self), "text/html": diagnosis_page.html(self)}


def diagnose(
    model: Any,
    inputs: Any = None,
    variant: Variant | str = "compile",
    *,
    batch_size: int = 1,
    shape: Sequence[int] | None = None,
    device: Any = None,
    call: str | None = None,
    weights: str | None = None,
    tell: Callable[[str], None] | None = None,
) -> Diagnosis:
    """Find out where torch.compile breaks a model's graph, and why it compiles again, on the user's own lines.

    The batches are called three times over, in order, in a worker; another has torch explain the model.

    Parameters
    ----------
    model, inputs, batch_size, shape, device, call, weights
        See `optkit.Workload`; a `Workload` is taken as a model as well. Several batches, as a list, show what their
        differences cost.
    variant
        The settings to look at, of torch.compile. ``"compile:backend=eager"`` finds the same breaks and recompiles in a
        fraction of the time, as Dynamo makes the graphs whatever the backend does with them.
    tell
        Is told what is being done, in words; ``print`` will do.

    Raises
    ------
    UsageError
        If the variant is not of torch.compile, or the model does not run with its inputs.
    """
    given = {"batch_size": batch_size, "shape": shape, "device": device, "call": call, "weights": weights}
    return look(Investigation(workload_from(model, inputs, **given), tell=tell), variant)


def look(looking: Investigation, variant: Variant | str) -> Diagnosis:
    """Do it with the workers of an investigation; see `diagnose`."""
    chosen = chosen_variant(variant)
    if not chosen.engine.compiles:
        raise UsageError(f"{chosen} does not use torch.compile, so it has no graph breaks; give a variant of compile.")
    with looking:
        eager = looking.worker(BASELINE, until="first_call")  # a model that does not run is told here
        settings = {name: getattr(chosen.engine, name, None) for name in ("dynamic", "fullgraph")}
        explained = looking.ask(eager, "breaks", chosen, **settings)
        eager.end()
        called = looking.ask(looking.worker(chosen), "calls", chosen, passes=PASSES)
    found = sightings.findings(explained, called, **settings)
    result = Diagnosis(looking.workload.name, str(chosen), found, sightings.evidence(explained, called))
    if explained["failed"] and not any(one.kind == "failed" for one in found):  # else that says what it was
        result.details.append(f"torch._dynamo.explain could not say more: {explained['failed']}.")
    return result
