"""A study that goes on: what was measured stays whatever happens, and one process at a time goes on with it."""

from __future__ import annotations

import sys
from pathlib import Path

import cloudpickle
import pytest

import optkit
from optkit import crew, resuming
from optkit.comparison import Comparison
from optkit.engines import Compile
from optkit.errors import UsageError
from optkit.events import FirstCall, Samples, StudyEnded, StudyResumed
from optkit.store import Store
from optkit.study import Study
from optkit.variant import Variant

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers must not need this file

pytestmark = pytest.mark.worker


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    monkeypatch.setattr(crew, "SETTLE_SHARE", 0.0)


def once(flag):
    """Return a variant whose backend compiles in one process only."""

    def backend(graph, example_inputs):
        if Path(flag).exists():
            raise RuntimeError("not again")
        Path(flag).touch()
        return graph.forward

    return Variant(engine=Compile(backend=backend))


def stopped_after(study, rounds):
    """Iterate over a study until so many rounds of all are made, and leave it; return its events."""
    events = []
    for event in study:
        events.append(event)
        if isinstance(event, Samples) and event.kind == "round" and event.round_number == rounds + 1:
            break
    return events


@pytest.mark.slow
def test_a_row_whose_worker_cannot_be_had_again_keeps_its_rounds_and_says_why(tmp_path):
    variant = once(str(tmp_path / "flag"))
    first = stopped_after(Study("tiny_cnn", [variant, "eager+no_grad"], budget_s=60, rounds=(5, 5)), 3)
    whole = optkit.resume(first[0].run_id, budget_s=60, variants=[variant])
    kept, other = whole.measurements[str(variant)], whole.measurements["eager+no_grad"]
    assert (kept.status, kept.rounds) in (("ok", 3), ("ok", 4))  # the round in which it was left may be among them
    assert "not again" in kept.reason
    assert kept.first_call_s == next(
        e.duration_ns / 1e9 for e in first if isinstance(e, FirstCall) and e.variant == str(variant)
    )
    assert (other.status, other.reason, other.agreement) == ("ok", None, "equal")
    assert other.rounds >= 4
    assert whole.to_json() == optkit.load(first[0].run_id).to_json()


@pytest.mark.slow
def test_rounds_of_both_parts_have_numbers_of_their_own_and_one_end_each():
    first = stopped_after(Study("tiny_cnn", ["eager+no_grad"], budget_s=60, rounds=(6, 6)), 2)
    study = resuming.study_of(first[0].run_id, budget_s=60)
    second = []
    for event in study:
        second.append(event)
        if isinstance(event, StudyEnded):
            break
    with Store() as store:
        events = store.events(first[0].run_id)
    assert [type(event) for event in events if isinstance(event, StudyEnded | StudyResumed)] == [
        StudyEnded, StudyResumed, StudyEnded,
    ]  # fmt: skip
    turns = [(e.variant, e.twin, e.round_number) for e in events if isinstance(e, Samples) and e.kind == "round"]
    assert len(turns) == len(set(turns))
    assert max(number for _, _, number in turns) == 6
    assert Comparison(events).ended_because == "rounds"
    with pytest.raises(UsageError, match="has gone on since"):
        list(study)


def test_a_run_of_another_model_of_the_same_name_is_not_gone_on_with():
    torch = pytest.importorskip("torch")
    namespaces = [{"nn": torch.nn}, {"nn": torch.nn}]
    for width, names in zip((3, 4), namespaces, strict=True):
        exec(f"class Net(nn.Linear):\n    def __init__(self):\n        super().__init__(16, {width})\n", names)
    first = stopped_after(
        Study(optkit.Workload(namespaces[0]["Net"](), torch.ones(2, 16)), ["eager+no_grad"], budget_s=60), 1
    )
    with pytest.raises(UsageError, match=r"measured something else: .*inputs"):
        optkit.resume(first[0].run_id, namespaces[0]["Net"](), torch.ones(3, 16), budget_s=10)
    with pytest.raises(UsageError, match="had 51 parameters, and this one has 68"):
        optkit.resume(first[0].run_id, namespaces[1]["Net"](), torch.ones(2, 16), budget_s=10)
