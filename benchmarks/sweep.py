"""What a sweep adds to its studies, how it scales, and what it survives. A quarter of an hour; `make bench-sweep`.

1. Overhead: studies that measure nothing, on a LocalCluster of one worker; seconds of the sweep beyond those of the
   studies, per study. Target at most 50 ms.
2. Scaling: studies of 0.25 s that only wait (so that two cores do not limit four workers), on 1, 2 and 4 workers;
   speed over that of one worker, over linear. Target at least 0.9.
3. A lost node: 40 small real studies on two workers, one of which is killed with SIGKILL in the middle. All must be
   there, none twice, with rows, order and status as in a serial sweep.
4. A lost caller: the process that asked is killed in the middle; run again, it must measure the rest only.

Exit code 1 where one of them does not hold. With names (``overhead scaling node caller``) only these are run.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import distributed

import optkit
from optkit import environment
from optkit.events import StudyEnded, StudyStarted
from optkit.store import Store
from optkit.sweeps import Sweep, SweepResult
from optkit.sweeps.sweeping import collect
from optkit.workload import Workload

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_OVERHEAD_S, LEAST_SCALING = 0.05, 0.9
STUDIES, WAIT_S = 40, 0.25
VARIANTS = ["eager+no_grad", "eager+grad"]
PLAN = {"budget_s": 300.0, "rounds": (2, 3)}  # rounds end each study, however busy the machine is


class Waiting:
    """A study that measures nothing and takes this long."""

    def __init__(self, workload: Workload, plan: Any, seconds: float) -> None:
        self.workload, self.plan, self.seconds = workload, plan, seconds

    def __iter__(self) -> Iterator[Any]:
        here = environment.detect()
        yield StudyStarted(
            at_s=0.0, run_id=f"{time.time_ns()}", time_unix_s=time.time(), workload=self.workload.describe(here),
            plan=self.plan.to_json(), environment=here.to_json(), baseline="eager", variants=("eager",),
        )  # fmt: skip
        time.sleep(self.seconds)
        yield StudyEnded(at_s=self.seconds, because="rounds")


def nothing(workload: Workload, _: Any, plan: Any) -> Waiting:
    return Waiting(workload, plan, 0.0)


def waiting(workload: Workload, _: Any, plan: Any) -> Waiting:
    return Waiting(workload, plan, WAIT_S)


@contextlib.contextmanager
def cluster(workers: int) -> Iterator[Any]:
    given = {"n_workers": workers, "threads_per_worker": 1, "resources": {"optkit": 1}}
    with (
        distributed.LocalCluster(dashboard_address=None, silence_logs=50, **given) as local,
        distributed.Client(local) as client,
    ):
        yield client


def workloads(count: int) -> list[Workload]:
    return [Workload("tiny_cnn", batch_size=size, shape=(3, 16, 16)) for size in range(1, count + 1)]


def timed(client: Any, make: Any) -> float:
    """Return the seconds of a sweep of studies that are made up, after a first one that wakes everybody up."""
    collect(Sweep(workloads(4), VARIANTS, client, make=make, again=True))
    sweep = Sweep(workloads(STUDIES), VARIANTS, client, make=make, again=True)
    begin = time.perf_counter()
    result = collect(sweep)
    seconds = time.perf_counter() - begin
    assert result.count("done") == STUDIES
    return seconds


def overhead() -> tuple[dict[str, Any], bool]:
    with cluster(1) as client:
        each = timed(client, nothing) / STUDIES
    print(f"1. Overhead: {each * 1e3:.1f} ms a study; target at most {MOST_OVERHEAD_S * 1e3:.0f} ms")
    return {"overhead_s": each}, each <= MOST_OVERHEAD_S


def scaling() -> tuple[dict[str, Any], bool]:
    seconds = {}
    for workers in (1, 2, 4):
        with cluster(workers) as client:
            seconds[workers] = timed(client, waiting)
    shares = {workers: seconds[1] / took / workers for workers, took in seconds.items()}
    told = ", ".join(f"{workers}: {share:.3f}" for workers, share in shares.items())
    print(f"2. Scaling, over linear, by workers: {told}; target at least {LEAST_SCALING}")
    return {"seconds": seconds, "of_linear": shares}, min(shares.values()) >= LEAST_SCALING


def rows(result: SweepResult) -> list[tuple[str, str, str]]:
    return [(row["workload"], row["variant"], row["status"]) for row in result.rows()]


def node() -> tuple[dict[str, Any], bool]:
    serial = collect(Sweep(workloads(STUDIES), VARIANTS, again=True, **PLAN))
    with cluster(2) as client:
        sweep = Sweep(workloads(STUDIES), VARIANTS, client, again=True, **PLAN)
        killed, begun = None, 0
        for told in sweep:
            begun += isinstance(told.event, StudyStarted)
            busy = told.kind == "event" and sweep.result.state(told.number or 0) == "running"
            if killed is None and busy and sweep.result.count("done") == STUDIES // 2:
                killed = told.number
                pids = client.run(os.getpid)
                os.kill(pids[told.node], signal.SIGKILL)
    result = sweep.result
    with Store() as store:
        runs = [one.run_id for item in sweep.items for one in [result.comparisons[item.number]] if one.run_id]
        complete = sum(_is_complete(store.events(run_id)) for run_id in runs)
    alike = rows(result) == rows(serial)
    print(
        f"3. A node killed while it measured study {killed}: {result.count('done')} of {STUDIES} done, {result.lost} "
        f"begun again, {begun} begun in all, {len(set(runs))} runs of which {complete} are complete; rows, order and "
        f"status {'as' if alike else 'NOT as'} in the serial sweep ({len(rows(serial))} rows)"
    )
    known = {"done": result.count("done"), "lost": result.lost, "begun": begun, "rows_alike": alike}
    is_whole = result.count("done") == complete == len(set(runs)) == STUDIES
    return known, alike and is_whole and result.lost >= 1 and begun == STUDIES + result.lost


def _is_complete(events: Any) -> bool:
    return isinstance(events[-1], StudyEnded) and events[-1].because not in ("stopped", "interrupted")


CALLER = """
import distributed, sys
import sweep as bench
from optkit.sweeps import Sweep
if __name__ == "__main__":
    with distributed.Client(sys.argv[1]) as client:
        sweep = Sweep(bench.workloads(bench.STUDIES), bench.VARIANTS, client, make=bench.waiting)
        for told in sweep:
            print(sweep.result.count("done"), len(sweep.result.known), flush=True)
"""


def caller() -> tuple[dict[str, Any], bool]:
    with cluster(2) as client, tempfile.TemporaryDirectory() as folder:
        client.upload_file(__file__)  # what makes the studies
        program = Path(folder) / "caller.py"
        program.write_text(CALLER)
        first = _start(program, client.scheduler.address)
        assert first.stdout is not None
        for line in first.stdout:
            if int(line.split()[0]) >= STUDIES // 2:
                break
        first.kill()
        first.wait()
        said, _ = _start(program, client.scheduler.address).communicate()
    done, known = map(int, said.splitlines()[-1].split())
    complete = int((optkit.history()["ended_because"] == "rounds").sum())
    print(
        f"4. The caller killed after {STUDIES // 2} of {STUDIES}: run again, it found {known} and ended with {done}; "
        f"{complete} complete runs in the history"
    )
    return {"known": known, "done": done, "complete": complete}, done == complete == STUDIES and known >= STUDIES // 2


def _start(program: Path, address: str) -> subprocess.Popen[str]:
    environ = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])}
    return subprocess.Popen([sys.executable, str(program), address], env=environ, stdout=subprocess.PIPE, text=True)


def main(names: list[str]) -> int:
    parts = {"overhead": overhead, "scaling": scaling, "node": node, "caller": caller}
    told = {}
    for name in names or parts:
        with tempfile.TemporaryDirectory(prefix="optkit-bench-") as home:  # what one part measured, no other knows
            os.environ["OPTKIT_HOME"] = home
            told[name] = parts[name]()
    print(json.dumps({name: known for name, (known, _) in told.items()}))
    failed = [name for name, (_, holds) in told.items() if not holds]
    print(f"Does not hold: {', '.join(failed)}." if failed else "All hold.")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
