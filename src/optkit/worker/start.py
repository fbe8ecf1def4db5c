"""The program of a fresh process that starts a model in one way, and says what each part of that took.

It is no worker: a worker is forked from a process that has torch already. Importing this module imports no torch, and
what runs an ONNX file never does.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import select
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from optkit.engines.base import LoadedModel
    from optkit.variant import Variant

PROBES = {
    "look": ("torch._inductor.cpu_vec_isa", "valid_vec_isa_list"),
    "header": ("torch._inductor.codecache", "_precompile_header"),
}
"""Parts of Inductor's probe, each with the function in which it happens, whenever it is first needed: the look at the
CPU, and precompiling the header of all its C++."""
COUNTED = ("graphs", "graph_breaks", "cache_hits", "cache_misses")
"""Of `compile_trace.Trace.facts`, what tells whether a compiled function was found or made."""


def main(path: str, alive: int, began_ns: int) -> None:
    """Do what the task at `path` says, and write what came of it, as JSON, to the file that it names.

    Parameters
    ----------
    path
        A JSON object; see `optkit.startups`.
    alive
        A pipe that nobody writes to: it closes when the process that started this one is gone.
    began_ns
        When the first line of this process ran, by the monotonic clock, which all processes share.
    """
    os.set_inheritable(alive, False)
    threading.Thread(target=end_with_parent, args=(alive,), daemon=True).start()
    task = json.loads(Path(path).read_text(encoding="utf-8"))
    try:
        told = {"load": _start, "serve": _start_without_torch, "compare": _compare}[task["do"]](task)
    except BaseException as error:  # noqa: BLE001 - SystemExit of the user's model is a result too
        traceback.print_exception(error)
        told = {"error": _sentence(error)}
    Path(task["result"]).write_text(json.dumps(told | {"began_ns": began_ns}), encoding="utf-8")
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(0)  # what libraries do at the end of a process is no part of its start


class Clock:
    """Seconds by phase; what Inductor's probe takes is taken off the phase that it happens in."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.probe: dict[str, float] = {}
        self.probed: set[Path] = set()

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time a phase."""
        begin, before = time.perf_counter(), sum(self.probe.values())
        yield
        probed = sum(self.probe.values()) - before
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begin - probed

    def watch_probe(self) -> None:
        """Time the probe wherever it happens; where torch names these functions otherwise, nothing is told apart."""
        for part, (module, name) in PROBES.items():
            function = getattr(sys.modules.get(module), name, None)
            if function is not None:
                setattr(sys.modules[module], name, self._timed(part, function))

    def _timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            begin, inside = time.perf_counter(), sum(self.probe.values())
            before = set() if part in self.probe else libraries()  # later calls are answered at once, and are many
            try:
                return function(*args, **kwargs)
            finally:
                if part not in self.probe:
                    self.probed |= libraries() - before
                inside = sum(self.probe.values()) - inside  # one of the two may call the other
                self.probe[part] = self.probe.get(part, 0.0) + time.perf_counter() - begin - inside

        return timed

    def told(self) -> dict[str, Any]:
        """Return what was timed until the first result is there, which is now."""
        done_ns = time.monotonic_ns()
        probe = {"probe": sum(self.probe.values())} if self.probe else {}
        return {"seconds": probe | self.seconds, "done_ns": done_ns, "probe_s": self.probe}


def libraries() -> set[Path]:
    """Return the libraries that lie in this process's cache directory."""
    return set(Path(os.environ["TORCHINDUCTOR_CACHE_DIR"]).rglob("*.so"))


def _start(task: dict[str, Any]) -> dict[str, Any]:
    """Build or load with torch, and make the first call; then say what else is to be known of it."""
    clock = Clock()
    with clock.phase("import"):
        for name in task["modules"]:
            importlib.import_module(name)
    if task["torchvision"]:
        from optkit import zoo

        with clock.phase("import"):
            zoo.torchvision_models()
    import cloudpickle

    variant = cloudpickle.loads(Path(task["variant"]).read_bytes())
    found_before = libraries()
    clock.watch_probe()
    loaded, found = _first_call(task, variant, clock)
    told = clock.told()
    made = libraries() - found_before - clock.probed
    return told | _afterwards(task, variant, loaded) | _distance(task, found) | {"libraries": len(made)}


def _first_call(task: dict[str, Any], variant: Variant, clock: Clock) -> tuple[LoadedModel, Any]:
    import torch

    from optkit.worker import loading, making

    if variant.threads is not None:
        torch.set_num_threads(variant.threads)
    if task["artifacts"] is not None:
        with clock.phase("load"):
            torch.compiler.load_cache_artifacts(Path(task["artifacts"]).read_bytes())
    if variant.engine.runs_file:
        loaded = _inputs(task)
    else:
        with clock.phase("build"):
            loaded = loading.load(task["workload"] | {"train": variant.train}, task["device"])
    folder = None if task["exported"] is None else Path(task["exported"])
    with making.CONTEXTS[variant.compiled_in or variant.grad]():
        with clock.phase("load" if variant.engine.runs_file else "prepare"):
            loaded, function = making.prepare(variant, loaded, folder)
        args, kwargs = loaded.batches[0]
        with clock.phase("first_call"):
            try:
                found = function(*args, **kwargs)
            except Exception as error:
                if variant.fallback is None:
                    raise
                traceback.print_exception(error)
                found = making.called(variant, loaded, loaded.target)(*args, **kwargs)
            if task["device"].startswith("cuda"):
                torch.cuda.synchronize(task["device"])
    return loaded, found


def _inputs(task: dict[str, Any]) -> LoadedModel:
    """Return the inputs alone, as whoever runs a file has them: nothing of the model's source is imported."""
    from optkit.engines.base import LoadedModel
    from optkit.worker import loading

    batches = tuple(loading.move(batch, task["device"]) for batch in _kept(task)["batches"])
    return LoadedModel(None, task["workload"]["call"], batches, task["device"])


def _kept(task: dict[str, Any]) -> dict[str, Any]:
    """Return what `optkit.worker.keeping.keep` wrote."""
    import torch

    return dict(torch.load(task["kept"], weights_only=task["is_plain"]))


def _afterwards(task: dict[str, Any], variant: Variant, loaded: LoadedModel) -> dict[str, Any]:
    """Say what the process did and leave what others start from; nothing of this is timed."""
    import torch

    from optkit.worker import compile_trace, outputs

    told: dict[str, Any] = {"threads": torch.get_num_threads()}
    if variant.engine.compiles:
        facts = compile_trace.Trace().facts()
        told |= {name: facts[name] for name in COUNTED}
    if task["save_artifacts"] is not None:
        told["unsaved"] = _save_artifacts(Path(task["save_artifacts"]))
    if task["feed"] is not None:
        import numpy as np

        args, kwargs = loaded.batches[0]
        given = outputs.tensors([args, {name: kwargs[name] for name in task["keywords"] or kwargs}])
        np.savez(task["feed"], *(one.detach().cpu().numpy() for one in given))
    compile_trace.end_compile_workers()
    return told


def _save_artifacts(path: Path) -> str | None:
    """Write torch's portable cache artifacts, where there are any; return why that failed, or None."""
    import torch

    try:
        artifacts = torch.compiler.save_cache_artifacts()
    except Exception as error:  # noqa: BLE001 - the start itself was a good one
        return _sentence(error)
    if artifacts is not None:
        path.write_bytes(artifacts[0])
    return None


def _start_without_torch(task: dict[str, Any]) -> dict[str, Any]:
    """Run an ONNX file with numpy and ONNX Runtime alone."""
    clock = Clock()
    with clock.phase("import"):
        import numpy as np
        import onnxruntime
    feed = dict(np.load(task["feed"]))
    with clock.phase("load"):
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors only
        options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, task["level"])
        for name, value in task["options"].items():
            if "." in name:
                options.add_session_config_entry(name, str(int(value) if isinstance(value, bool) else value))
            else:
                setattr(options, name, value)
        session = onnxruntime.InferenceSession(task["file"], options, providers=[task["provider"]])
    wanted = [one.name for one in session.get_inputs()]  # what nothing reads may be gone
    named = dict(zip(task["names"] or wanted, feed.values(), strict=True))
    with clock.phase("first_call"):
        arrays = session.run(None, {name: named[name] for name in wanted})
    told = clock.told()
    np.savez(task["outputs"], *arrays)
    return told | {"has_torch": "torch" in sys.modules}


def _compare(task: dict[str, Any]) -> dict[str, Any]:
    """Say how far outputs are that another process, which has no torch, has written."""
    import numpy as np
    import torch

    return _distance(task, [torch.from_numpy(array) for array in np.load(task["outputs"]).values()])


def _distance(task: dict[str, Any], found: Any) -> dict[str, Any]:
    """Say how far the outputs of the first call are from eager's; infinite is None, which JSON can hold."""
    from optkit.worker import outputs

    far = outputs.distance(found, _kept(task)["expected"][0])
    return {"distance": None if far == float("inf") else far}


def _sentence(error: BaseException) -> str:
    from optkit.engines import artifact
    from optkit.errors import OptkitError

    if isinstance(error, OptkitError):
        return str(error)
    return f"{type(error).__name__}: {artifact.said(error)}"


def end_with_parent(alive: int) -> None:
    """Wait, without ever waking, until the other end of the pipe closes; then end this process and all it started."""
    poll = select.poll()
    poll.register(alive, 0)  # hang-up is always reported
    poll.poll()
    os.killpg(0, signal.SIGKILL)
