"""A worker's side of the conversation: it does what it is told, one command at a time, and answers with JSON.

The Study decides what is done and when; a session knows nothing of budgets, rounds or other variants.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import select
import signal
import threading
import time
import traceback
from pathlib import Path
from time import perf_counter
from typing import Any

import torch

from optkit import stats, text
from optkit.engines import exported
from optkit.errors import OptkitError
from optkit.worker import checks, compile_trace, frames, fresh, keeping, loading, making, memory, rates, work
from optkit.worker.timing import SHORT_CALL_NS, Stopwatch, block_calls

REASON_CHARACTERS = 400
DETAILS_CHARACTERS = 20_000
MEMORY_CALLS = 3
WINDOW = 20
INVESTIGATIONS = {
    "breaks": "optkit.worker.breaks",
    "calls": "optkit.worker.calls",
    "profile": "optkit.worker.profile",
}
"""Modules whose function ``look(session, ...)`` answers a question; imported when it is asked."""
SETTLE_SAMPLES = 300
SETTLE_LIMIT_S = 30.0


class Session:
    """One worker: a variant of a workload, brought up step by step and then timed on request."""

    def __init__(self, commands: int, replies: int) -> None:
        self.commands = commands
        self.replies = replies
        self.contexts = contextlib.ExitStack()
        self.variant: Any = None
        self.loaded: Any = None
        self.watch: Any = None
        self.trace: compile_trace.Trace | None = None
        self.spec: dict[str, Any] = {}
        self.undisturbed_ns = 0.0
        self.idle_bytes: int | None = None
        self.fell_back: str | None = None

    def serve(self) -> None:
        """Answer commands until the other end closes the pipe."""
        threading.Thread(target=_end_with_parent, args=(self.commands,), daemon=True).start()
        while (command := frames.read(self.commands)) is not None:
            do = getattr(self, f"do_{command.pop('do')}")
            try:
                reply = do(**command)
            except BaseException as error:  # noqa: BLE001 - SystemExit of the user's model is a result too
                reply = {"error": shorten(_sentence(error), REASON_CHARACTERS), "details": _traceback(error)}
            if self.trace is not None:
                self.trace.tell()
            frames.write(self.replies, reply)

    def _tell(self, news: dict[str, Any]) -> None:
        """Say something before the answer: what is being compiled."""
        frames.write(self.replies, {"news": news})

    def do_ping(self) -> dict[str, Any]:
        """Say that the worker is ready."""
        return {}

    def do_probe(self, *, compile_one: float | None) -> dict[str, Any]:
        """Let Inductor look at the CPU, into the private cache directory; say which instructions it chose."""
        begin = perf_counter()
        chosen = compile_trace.probe_cpu(compile_one=compile_one)
        seconds = perf_counter() - begin
        return {"seconds": seconds, "details": {"instructions": chosen, "headers": compile_trace.header_folder()}}

    def do_build(
        self, workload: dict[str, Any], variant: str, device: str, *, with_model: bool = True, is_portable: bool = False
    ) -> dict[str, Any]:
        """Build the model and place it; or its inputs alone. `variant` is the path of the pickled Variant."""
        import cloudpickle

        if is_portable:
            compile_trace.precompile_no_headers()

        self.variant = cloudpickle.loads(Path(variant).read_bytes())
        if self.variant.threads is not None:
            torch.set_num_threads(self.variant.threads)
        self.idle_bytes = memory.held_bytes()
        begin = perf_counter()
        self.spec = workload | {"train": self.variant.train}
        self.loaded = loading.load(self.spec, device, with_model=with_model)
        return {"seconds": perf_counter() - begin, "details": loading.describe(self.loaded)}

    def do_export(self, folder: str) -> dict[str, Any]:
        """Let the engine write the model to a new folder, for another worker to load."""
        begin = perf_counter()
        Path(folder).mkdir()
        self.loaded = making.export(self.variant, self.loaded, Path(folder), _sentence)
        return {"seconds": perf_counter() - begin, "details": {"facts": self.loaded.facts}}

    def do_prepare(self, folder: str | None = None) -> dict[str, Any]:
        """Let the engine make the callable, in the grad context of the first call."""
        variant = self.variant
        self.contexts.enter_context(making.CONTEXTS[variant.compiled_in or variant.grad]())
        if variant.engine.compiles:
            self.trace = compile_trace.Trace(self._tell)
        variant.engine.check_file()
        begin = perf_counter()
        self.loaded, function = making.prepare(variant, self.loaded, None if folder is None else Path(folder))
        self.watch = Stopwatch(function, self.loaded.batches, _synchronizer(self.loaded.device))
        return {"seconds": perf_counter() - begin, "details": {"facts": self.loaded.facts}}

    def do_first_call(self) -> dict[str, Any]:
        """Time the first call, and say what was compiled in it."""
        reply: dict[str, Any] = {"duration_ns": self._first_ns()}
        if self.trace is not None:
            self.trace.first_call_ended()
        if self.variant.compiled_in is not None:  # never again after this: each change of context compiles anew
            self.contexts.close()
            self.contexts.enter_context(making.CONTEXTS[self.variant.grad]())
        return reply | self.do_facts()

    def _first_ns(self) -> int:
        """Time the first call; where it fails and there is a fallback, that is called and timed in it."""
        if self.variant.fallback is None:
            alone: int = self.watch.one()
            return alone
        fast, eager = self.watch.function, making.called(self.variant, self.loaded, self.loaded.target)

        def first(*args: Any, **kwargs: Any) -> Any:
            try:
                return fast(*args, **kwargs)
            except Exception as error:  # noqa: BLE001 - as a user's own fallback would catch it
                self.fell_back = shorten(_sentence(error), REASON_CHARACTERS)
                traceback.print_exception(error)
                return eager(*args, **kwargs)

        self.watch.function = first
        duration_ns: int = self.watch.one()
        self.watch.function = fast if self.fell_back is None else eager
        return duration_ns

    def do_facts(self) -> dict[str, Any]:
        """Say what torch tells of what it did; None where the engine does not compile."""
        fell_back = {} if self.fell_back is None else {"fell_back": self.fell_back}
        return {"facts": None if self.trace is None else self.trace.facts() | fell_back}

    def do_reference(self, path: str) -> dict[str, Any]:
        """Write this variant's outputs to `path`, for others to be compared with; see whether they can be repeated."""
        return checks.make_reference(self.spec, self.loaded, self.watch.function, path)

    def do_check(self, path: str) -> dict[str, Any]:
        """Compare this variant's outputs with those at `path`."""
        return checks.check(self.spec, self.loaded, self.watch.function, path, self.variant)

    def do_investigate(self, kind: str, given: dict[str, Any]) -> dict[str, Any]:
        """Let one of `INVESTIGATIONS` look into the model; what it is given, and answers, is JSON."""
        look = importlib.import_module(INVESTIGATIONS[kind]).look
        answer: dict[str, Any] = look(self, **given)
        return answer

    def do_keep(self, path: str) -> dict[str, Any]:
        """Write inputs and eager's outputs for them to `path`."""
        return keeping.keep(self.spec, self.loaded, self.watch.function, path)

    def do_memory(self) -> dict[str, Any]:
        """Call a few times more, and say how much memory that takes beyond an idle worker's."""
        calls = max(MEMORY_CALLS, len(self.loaded.batches))
        told = memory.peak_during(lambda: self.watch.discard(calls, 0), self.loaded.device)
        peak, idle = told["peak_bytes"], self.idle_bytes
        return {
            "host_bytes": None if peak is None or idle is None else max(peak - idle, 0),
            "accelerator_bytes": told["accelerator_bytes"],
        }

    def do_throughput(self, batch_size: int | None, least_s: float) -> dict[str, Any]:
        """Call without waiting in between, with inputs of this batch size, or the user's own where it is None."""
        batches = self.loaded.batches if batch_size is None else exported.resized(self.loaded.batches, batch_size)
        watch = Stopwatch(self.watch.function, batches, _synchronizer(self.loaded.device))
        calls, duration_ns = watch.pipelined(least_s)
        self._let_threads_rest()
        items = sum(exported.batch_size(batch) for batch in batches) / len(batches)
        return {"items": round(items * calls), "calls": calls, "duration_ns": duration_ns}

    def do_work(self) -> dict[str, Any]:
        """Count the least work of a call, with a model of its own."""
        return work.count(fresh.load_fresh(self.spec, self.loaded.device))

    def do_rates(self, device: str, dtype: str, threads: int | None) -> dict[str, Any]:
        """Measure what this machine can do at most."""
        if threads is not None:
            torch.set_num_threads(threads)
        return rates.measure(device, dtype)

    def do_early_calls(self) -> dict[str, Any]:
        """Time calls 2 and 3; then end Inductor's compile workers."""
        compiled = self._compiles()
        durations = [self.watch.one(), self.watch.one()]
        compile_trace.end_compile_workers()
        gc.collect()
        gc.freeze()  # what is alive now stays: full collections would otherwise land in some sample
        return self._samples(2, durations, compiled)

    def do_settle(self, limit_s: float, least_calls: int) -> dict[str, Any]:
        """Call until two adjacent windows agree and nothing compiled in them.

        At most `limit_s` seconds or `least_calls` calls, whichever is more. `steady` in the answer is None where there
        were too few calls for two windows.
        """
        compiled = self._compiles()
        self.undisturbed_ns = self.watch.try_out()
        is_short = self.undisturbed_ns < SHORT_CALL_NS
        self.watch.sample_calls(block_calls(self.undisturbed_ns) if is_short else 1)
        self.watch.discard(0, 0)
        begin, first = perf_counter(), self.watch.calls + 1
        last = self.watch.calls + least_calls
        samples: list[int] = []
        steady: bool | None = None
        counted, quiet_from = self._compiles(), 0
        while len(samples) < SETTLE_SAMPLES and (passed := perf_counter() - begin) < SETTLE_LIMIT_S:
            if self.watch.calls >= last and passed >= limit_s:
                break
            samples.append(self.watch.sample())
            if len(samples) % (WINDOW // 2) == 0:
                if (now := self._compiles()) != counted:
                    counted, quiet_from = now, len(samples)
                if len(samples) - quiet_from >= 2 * WINDOW:
                    steady = stats.is_steady(samples[-2 * WINDOW : -WINDOW], samples[-WINDOW:])
                    if steady:
                        break
        if steady is None and len(samples) >= WINDOW and not quiet_from:  # a slow model: what there is, in two halves
            half = len(samples) // 2
            steady = stats.is_steady(samples[:half], samples[-half:])
        # A few calls on a busy machine can all be disturbed, and a block that is sized by them would be a single call
        # beside other variants' blocks of hundreds: a median without stalls beside means with all of them.
        self.undisturbed_ns = min([self.undisturbed_ns, *(ns / self.watch.calls_per_sample for ns in samples)])
        self._let_threads_rest()
        is_short = self.undisturbed_ns < SHORT_CALL_NS
        return self._samples(first, samples, compiled) | {"steady": steady, "is_short": is_short}

    def do_turn(
        self, *, in_blocks: bool, least_calls: int, least_s: float, discard_calls: int, discard_s: float
    ) -> dict[str, Any]:
        """One turn of a round: some calls that do not count, then some that do."""
        compiled = self._compiles()
        self.watch.sample_calls(block_calls(self.undisturbed_ns) if in_blocks else 1)
        self.watch.discard(discard_calls, discard_s)
        first = self.watch.calls + 1
        samples = self.watch.take(least_calls, least_s)
        self._let_threads_rest()
        return self._samples(first, samples, compiled)

    def _let_threads_rest(self) -> None:
        """Wait until threads that keep a CPU busy after a call have gone to sleep: the next turn is another's."""
        if self.variant.engine.lingers_s:
            time.sleep(self.variant.engine.lingers_s)

    def _compiles(self) -> int | None:
        return None if self.trace is None else self.trace.compiles

    def _samples(self, first: int, samples: list[int], compiled: int | None) -> dict[str, Any]:
        """Describe samples; `compiled` is how many compiles there had been before their first call."""
        now = self._compiles()
        return {
            "first_call": first,
            "calls_per_sample": self.watch.calls_per_sample,
            "durations_ns": samples,
            "compiles": None if now is None or compiled is None else now - compiled,
        }


def shorten(message: str, characters: int) -> str:
    """Cut the middle out of a long message, and say how much."""
    if len(message) <= characters:
        return message
    half = characters // 2
    return f"{message[:half]} […{len(message) - 2 * half} characters…] {message[-half:]}"


def _end_with_parent(commands: int) -> None:
    """Wait, without ever waking, until the parent's end of the pipe closes; then end the whole process group.

    The command loop sees that end too, but only between commands: a compile can take minutes.
    """
    poll = select.poll()
    poll.register(commands, 0)  # hang-up is always reported
    poll.poll()
    os.killpg(0, signal.SIGKILL)


def _sentence(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"The model's code called sys.exit({error.code!r})."
    if isinstance(error, OptkitError):
        return str(error)
    lines = text.COLOURS.sub("", str(error)).strip().splitlines()
    if lines and "TorchScript interpreter" in lines[0]:
        lines = lines[-1:]  # what is wrong comes last
    return f"{type(error).__name__}: {' '.join(line.strip() for line in lines[:3])}" if lines else type(error).__name__


def _traceback(error: BaseException) -> str:
    return shorten("".join(traceback.format_exception(error)), DETAILS_CHARACTERS)


def _synchronizer(device: str) -> Any:
    return (lambda: torch.cuda.synchronize(device)) if device.startswith("cuda") else None
