"""Workers for questions that are no study: a diagnosis, a replay of shapes, a profile.

One works after the other, and nothing is raced. Like a study they have private caches and deadlines, and hold off other
studies of this process.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any, Self

from optkit import environment
from optkit.crew import Crew
from optkit.errors import UsageError
from optkit.machine_lock import MachineLock
from optkit.member import Member
from optkit.phases import PHASE_WORDS
from optkit.study import Plan, alone
from optkit.variant import Variant
from optkit.worker.endings import StoppedError, WorkerFailedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from optkit.worker.host import Host, Worker
    from optkit.workload import Workload

__all__ = ["INTERRUPTIONS", "LIMIT_S", "Investigation", "StoppedError", "chosen_variant"]

LIMIT_S = 600.0
QUESTION_WORDS = {"breaks": "explaining its graphs", "calls": "calling it", "profile": "watching its operators"}
INTERRUPTIONS = (KeyboardInterrupt, StoppedError)
"""What ends an investigation early; what is known by then is kept where it is an answer."""


def chosen_variant(given: Variant | str) -> Variant:
    """Return the variant that a user gave, as it is or as text.

    Raises
    ------
    UsageError
        If it is neither, or there is no such variant.
    """
    if not isinstance(given, Variant | str):
        raise UsageError(f"{given!r} is no variant; give one, as optkit.Variant or as text such as 'compile'.")
    return given if isinstance(given, Variant) else Variant.parse(given)


class Investigation:
    """Owns the workers; use it as a context manager.

    Parameters
    ----------
    workload
        What the questions are about.
    limit_s
        Seconds that one phase, or one answer, may take.
    tell
        Is told what is being done, in words.
    """

    def __init__(
        self, workload: Workload, *, limit_s: float = LIMIT_S, tell: Callable[[str], None] | None = None
    ) -> None:
        self.workload = workload
        self.environment = environment.detect()
        self.device = workload.place(self.environment)
        self.limit_s = limit_s
        self._tell = tell
        self._stopping = threading.Event()
        self._host: Host | None = None
        self._contexts = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as contexts:  # also where a model cannot be packed, all of it is left
            contexts.enter_context(alone())
            plan = Plan(budget_s=1.0, compile_limit_s=self.limit_s)
            self.crew = Crew(self.workload, plan, self.environment, self.device, 1)
            self._host = contexts.enter_context(self.crew.host)
            if self.is_stopping:  # before there was a host that could be stopped
                self._host.stop()
            lock = contexts.enter_context(MachineLock())
            for holder in lock.wait(lambda seconds: self.crew.host.wait(lambda: False, seconds)):
                self.tell(f"waiting until the study of {holder} is over")
            self.tell(PHASE_WORDS["import"])
            self.crew.pack()
            self.crew.start()
            self._contexts = contexts.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._contexts.close()

    def tell(self, said: str) -> None:
        """Say what is being done."""
        if self._tell is not None:
            self._tell(said)

    @property
    def is_stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stopping.is_set()

    def stop(self) -> None:
        """End whatever is going on, from any thread; the thread that waits raises StoppedError."""
        self._stopping.set()
        if self._host is not None:
            self._host.stop()

    def worker(self, variant: Variant, *, until: str = "prepare", cache: Path | None = None) -> Worker:
        """Return a new worker of a variant that has come through the phases up to `until`.

        Parameters
        ----------
        variant
            What the worker is to run.
        until
            The last phase: ``"build"``, ``"prepare"`` (the callable is made, and not yet called) or ``"first_call"``.
        cache
            Inductor's cache directory of an earlier worker, which is copied; None: one that is empty but for what is
            known of this machine.

        Raises
        ------
        UsageError
            If the variant cannot run here, or the model fails in one of the phases; the message says why.
        """
        return self._bring_up(variant, until, cache)[0]

    def exported(self, variant: Variant) -> tuple[Path, dict[str, Any]]:
        """Have a worker export a variant; return the folder that it wrote to, and what it answered. Raises as above."""
        worker, answer = self._bring_up(variant, "export", None)
        worker.end()
        return worker.folder / "artifact", answer

    @property
    def spec(self) -> dict[str, Any]:
        """What a process needs to build the model; see `Workload.pack`."""
        return self.crew.spec

    def _bring_up(self, variant: Variant, until: str, cache: Path | None) -> tuple[Worker, dict[str, Any]]:
        """Return a worker that has come through the phases up to `until`, and its answer to that one."""
        here = self.environment.placed(self.device)
        if (blocked := variant.blocked(here)) is not None:
            raise UsageError(f"{variant} cannot run here: {blocked}")
        member = Member(variant, cache=cache)
        self.tell(f"{variant}: {PHASE_WORDS['prepare' if until == 'first_call' else until]}")
        answer: dict[str, Any] = {}
        with self.explained(variant):
            if self.crew.probes(member):
                for _ in self.crew.learn_cpu(member):
                    pass
            for phase, told in self.crew.start_again(member):
                answer = told
                if phase == until:
                    break
        assert member.worker is not None
        return member.worker, answer

    def ask(self, worker: Worker, kind: str, variant: Variant, **given: Any) -> dict[str, Any]:
        """Have a worker look into something; see `Session.do_investigate`. Errors end in one sentence, as above."""
        self.tell(f"{variant}: {QUESTION_WORDS[kind]}")
        with self.explained(variant):
            return worker.ask({"do": "investigate", "kind": kind, "given": given}, self.limit_s)

    @contextlib.contextmanager
    def explained(self, variant: Variant) -> Iterator[None]:
        """Turn the failure of a worker into a sentence about the variant."""
        try:
            yield
        except WorkerFailedError as error:
            raise UsageError(f"{variant} of {self.workload.name} failed: {' '.join(error.reason.split())}") from error
