"""A kernel that is killed with SIGKILL at any moment: every event that was shown is kept, and nothing else remains."""

from __future__ import annotations

import random
import time

import pytest

import optkit
from kernels import count_shown, start
from optkit.errors import UsageError
from optkit.events import Samples
from optkit.store import Store
from processes import wait_for, wait_until_gone

pytestmark = pytest.mark.worker
GONE_S = 5.0
"""How soon after the kernel's death no process of it may be alive."""
QUICK, ALL = 3, 50


def moments():
    """Return shares of a study's time, spread over all of it, the same each time; three of them are for `make test`."""
    chance = random.Random(7)
    shares = [(number + chance.random()) / ALL for number in range(ALL)]
    step = ALL // QUICK
    return [
        pytest.param(share, id=f"{share:.3f}", marks=[] if number % step == step // 2 else [pytest.mark.slow])
        for number, share in enumerate(shares)
    ]


@pytest.fixture(scope="module")
def usual_s(mark, tmp_path_factory):
    """Return how long a study takes here that nobody kills."""
    folder = tmp_path_factory.mktemp("usual")
    begin = time.monotonic()
    assert start(folder).wait(120) == 0
    assert count_shown(folder) > 50
    return time.monotonic() - begin


@pytest.mark.parametrize("share", moments())
def test_every_event_that_was_shown_is_kept_and_no_process_and_no_folder_remains(
    share, usual_s, mark, tmp_path, monkeypatch
):
    kernel = start(tmp_path)
    time.sleep(share * usual_s)
    kernel.kill()
    kernel.wait(10)
    wait_until_gone(mark, GONE_S)
    wait_for(lambda: list((tmp_path / "tmp").iterdir()) == [], GONE_S)
    monkeypatch.setenv("OPTKIT_HOME", str(tmp_path / "home"))
    shown = count_shown(tmp_path)
    try:
        loaded = optkit.load()
    except UsageError:  # it was killed before its study began
        assert shown == 0
        return
    with Store() as store:
        kept = store.events(loaded.run_id)
    assert len(kept) >= shown
    assert loaded.ended_because is not None
    assert all(m.status in ("ok", "stopped") for m in loaded.measurements.values())
    assert len(optkit.history()) == 1


def test_a_study_whose_kernel_was_killed_is_resumed_where_its_rounds_ended(mark, tmp_path, monkeypatch):
    kernel = start(tmp_path, budget_s=60)
    monkeypatch.setenv("OPTKIT_HOME", str(tmp_path / "home"))

    def in_round_three():
        if not (tmp_path / "home" / "history.db").exists():
            return False
        with Store() as store:
            events = [one for kept in store.runs() for one in store.events(kept.run_id)]
        return any(isinstance(one, Samples) and (one.kind, one.round_number) == ("round", 3) for one in events)

    wait_for(in_round_three)
    with pytest.raises(UsageError, match="is still being measured"):
        optkit.resume()
    kernel.kill()
    kernel.wait(10)
    before = optkit.load()
    assert before.ended_because == "interrupted"
    with pytest.raises(UsageError, match="measured something else"):
        optkit.resume(before.run_id, "tiny_transformer")
    whole = optkit.resume(budget_s=30)
    assert whole.run_id == before.run_id
    assert all(m.rounds >= 5 for m in whole.measurements.values())  # the round in which it was killed is not whole
    assert all(m.status == "ok" and m.agreement == "equal" for m in whole.measurements.values())
    first_calls = [[m.first_call_s for m in part.measurements.values()] for part in (before, whole)]
    assert first_calls[0] == first_calls[1]  # those of the new workers are no news
    assert whole.to_json() == optkit.load().to_json()
    with pytest.raises(UsageError, match="is done"):
        optkit.resume()
