"""Run `optkit.worker.start` in a new interpreter, with private folders, and return what it told.

The parent's side: nothing here imports torch, and what the process says is JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from optkit import private, text
from optkit.environment import is_scrubbed
from optkit.worker import endings
from optkit.worker.endings import TAIL_BYTES, StoppedError, WorkerFailedError, exit_sentence

if TYPE_CHECKING:
    from collections.abc import Callable

LOOKS_S = 0.02
"""How often the end of the process is looked for: rarely enough to take no time from it."""
CACHE, TEMPORARY = "inductor", "tmp"

_BOOT = (
    "import time; began = time.monotonic_ns(); import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from optkit.worker.start import main; main(sys.argv[2], int(sys.argv[3]), began)"
)


class Start(NamedTuple):
    """How a process started.

    Attributes
    ----------
    seconds
        By phase; they add up to `total_s`.
    total_s
        From the moment it was asked for until its first result.
    told
        What else it said.
    """

    seconds: dict[str, float]
    total_s: float
    told: dict[str, Any]


def start(task: dict[str, Any], folder: Path, limit_s: float, is_unwanted: Callable[[], bool] = bool) -> Start:
    """Run a task that starts a model; see `run`."""
    spawned_ns, told = run(task, folder, limit_s, is_unwanted)
    seconds = {"interpreter": (told["began_ns"] - spawned_ns) / 1e9, **told["seconds"]}
    total_s = (told["done_ns"] - spawned_ns) / 1e9
    return Start(seconds | {"other": total_s - sum(seconds.values())}, total_s, told)


def run(
    task: dict[str, Any], folder: Path, limit_s: float, is_unwanted: Callable[[], bool] = bool
) -> tuple[int, dict[str, Any]]:
    """Run a task in a new interpreter and wait for its end.

    Parameters
    ----------
    task
        See `optkit.startups`; JSON. Its ``import_path``, where it has one, is searched for modules first.
    folder
        A private one, which is made where it is not there; its `CACHE` may be filled already.
    limit_s
        Seconds after which the process is ended.
    is_unwanted
        Is asked every `LOOKS_S` whether to end it.

    Returns
    -------
    tuple
        When it was started, in nanoseconds of the monotonic clock, which all processes share, and what it told.

    Raises
    ------
    WorkerFailedError
        If it raised, died, or took too long.
    StoppedError
        If it was unwanted.
    """
    for name in (CACHE, TEMPORARY):
        private.folder(folder / name)
    result, printed, told = folder / "result", folder / "printed", folder / "task"
    private.write_text(told, json.dumps(task | {"result": str(result)}))
    path = [str(Path(entry).absolute()) for entry in (*task.get("import_path", ()), *sys.path)]
    spawned_ns, status = _run([json.dumps(path), str(told)], printed, _environ(folder), limit_s, is_unwanted)
    said = _tail(printed)
    if status is None:
        raise WorkerFailedError(f"No first result within {limit_s:.0f} s, so it was ended.", said)
    try:
        answer: dict[str, Any] = text.plain_json(json.loads(result.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError):
        last = (said.splitlines() or ["nothing"])[-1]
        raise WorkerFailedError(f"{exit_sentence(status)} It last printed: {last}", said) from None
    if "error" in answer:
        raise WorkerFailedError(answer["error"], said, raised=True)
    return spawned_ns, answer


def _environ(folder: Path) -> dict[str, str]:
    """Return the environment of a worker (see `optkit.worker.host`): scrubbed, and with private folders."""
    cache = folder / CACHE
    environ = {name: value for name, value in os.environ.items() if not is_scrubbed(name)}
    return environ | {
        "TMPDIR": str(folder / TEMPORARY),
        "TORCHINDUCTOR_CACHE_DIR": str(cache),
        "TRITON_CACHE_DIR": str(cache / "triton"),
        "TORCH_WARM_POOL": "0",
    }


def _run(
    arguments: list[str], printed: Path, environ: dict[str, str], limit_s: float, is_unwanted: Callable[[], bool]
) -> tuple[int, int | None]:
    """Return when the process was started and its exit status; None where it had to be ended."""
    alive_r, alive_w = os.pipe()  # it ends when this closes, also where this process is killed
    try:
        with private.file(printed).open("wb") as output:
            spawned_ns = time.monotonic_ns()
            process = subprocess.Popen(
                # -P: the working folder is not searched before the user's own path is in place
                [sys.executable, "-P", "-c", _BOOT, *arguments, str(alive_r)],
                env=environ, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, pass_fds=[alive_r],
                start_new_session=True, umask=private.UMASK,
            )  # fmt: skip
        try:
            has_ended = _wait(process.pid, limit_s, is_unwanted)
        finally:  # before it is reaped, so that its number cannot be somebody else's
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            status = process.wait()
    finally:
        os.close(alive_r)
        os.close(alive_w)
    return spawned_ns, status if has_ended else None


def _wait(pid: int, limit_s: float, is_unwanted: Callable[[], bool]) -> bool:
    """Wait for the end of a child without reaping it; False where that took longer than `limit_s`."""
    until = time.monotonic() + limit_s
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        if time.monotonic() > until:
            return False
        if is_unwanted():
            raise StoppedError
        time.sleep(LOOKS_S)
    return True


def _tail(path: Path) -> str:
    """Return the end of what was printed."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL_BYTES))
        return endings.printed(file.read())
