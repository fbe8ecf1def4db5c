"""What goes wrong with compiled inference: the likely causes, the calls that prove which it is, and the fix. Pure.

What is said was run with torch 2.13 on a CPU; what comes from torch's documentation alone says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Proof(NamedTuple):
    """A call that shows which cause it is: code with ``model`` and ``inputs``, and what to read in its result."""

    code: str
    read: str


class Correction(NamedTuple):
    """What guides say, and what is true."""

    said: str
    true: str


@dataclass(frozen=True)
class Symptom:
    """Something that goes wrong.

    Attributes
    ----------
    name, title
        What it goes by, and what it looks like.
    causes, remedies
        Sentences, the most likely first.
    proves
        Calls that show which cause it is.
    corrections
        Where guides to PyTorch inference err about it.
    """

    name: str
    title: str
    causes: tuple[str, ...]
    proves: tuple[Proof, ...]
    remedies: tuple[str, ...]
    corrections: tuple[Correction, ...] = ()


def _items(written: str) -> tuple[str, ...]:
    """Return the items of a list that is written with dashes, each as one line."""
    return tuple(" ".join(item.split()) for item in f"\n{written.strip()}".split("\n- ")[1:])


def _symptom(name: str, title: str, causes: str, proves: tuple[tuple[str, str], ...], remedies: str,  # noqa: PLR0917
             corrections: tuple[tuple[str, str], ...] = ()) -> tuple[str, Symptom]:  # fmt: skip
    read = tuple(Proof(code.strip(), " ".join(said.split())) for code, said in proves)
    righted = tuple(Correction(said, " ".join(true.split())) for said, true in corrections)
    return name, Symptom(name, title, _items(causes), read, _items(remedies), righted)


# fmt: off
SYMPTOMS: dict[str, Symptom] = dict((
    _symptom("compile_fails", "Compiling fails", """
- torch.compile(...) compiles nothing yet, so errors come from the first call of what it returns.
- On a CPU, Inductor needs a C++ compiler and Python's headers.
- With fullgraph=True a graph break, such as an `if` on a tensor's value, is an error.
- A library in Inductor's cache that was cut short fails every later run, until it is deleted.
- A scripted module raises RuntimeError since torch 2.12; backend="cudagraph" raises InvalidBackend, because its name is
  cudagraphs.
""", (("""
c = optkit.compare(model, inputs, ["compile", "compile:backend=aot_eager", "compile:backend=eager"])
print(c.to_frame()[["variant", "status", "failed_phase", "reason"]].to_string())
""", """`reason` is torch's own sentence. Where `compile:backend=eager` fails too, torch cannot trace the model; where
`compile` alone fails, it is Inductor or the C++ compiler."""), (
'optkit.diagnose(model, inputs, "compile:backend=eager")',
"The line of the model that torch could not trace, with a fix. It needs no C++ compiler.")), """
- Run `optkit doctor` in a terminal: it says what is missing on this machine.
- Mend the line that the diagnosis names, or leave out fullgraph=True and accept the break.
- To serve in any case, let the first call fall back: `optkit.Variant.parse("compile+fallback=eager").code()` writes it,
  and a variant that fell back is marked FELL_BACK.
""", (('try: torch.compile(model, backend="inductor") except: torch.compile(model, backend="eager")',
"This `except` catches nothing: torch.compile returns at once, and fails at the first call. Wrap that call."),)),

    _symptom("out_of_memory", "Out of memory", """
- Calls with gradients on keep what a backward pass would need. ResNet-18 on 8 images took 258 MB beyond an idle process
  that way, and 164 MB under inference_mode.
- The batch is large. The same model took 70 MB for 1 image.
- Weights are there more than once. Four linear layers of 3000 by 3000 took 156 MB in eager, 76 MB in bfloat16, 183 MB
  compiled, and 338 MB compiled with freezing.
- CUDA graphs hold memory of their own; mode="reduce-overhead", mode="max-autotune" and backend="cudagraphs" use them
  (torch's documentation; measure it on your GPU).
""", (("""
c = optkit.compare(model, inputs, ["eager+grad", "compile", "compile:mode=reduce-overhead", "compile:freezing=true"])
{name: m.peak_memory_bytes for name, m in c.measurements.items()}
""", """The most bytes that calls took, of the GPU where there is one. `eager` runs under inference_mode and
`eager+grad` does not; on a GPU `compile:mode=reduce-overhead` has CUDA graphs, and `compile` has none."""), ("""
c = optkit.compare(model, inputs, "precision")
print(c.to_frame()[["variant", "status", "peak_memory_bytes", "max_abs_error"]].to_string())
""", "What half precision and int8 take, and how far their outputs are off.")), """
- Call under torch.inference_mode().
- Give smaller batches.
- Use half precision where it takes less here, and its errors are small enough for you.
- Use a mode without CUDA graphs: the default one, or max-autotune-no-cudagraphs.
- Leave freezing out.
""", (('Out of memory on a GPU: use mode="reduce-overhead".', """It is the same compile with CUDA graphs added, and
their pools hold more memory, not less (torch's documentation; measure it on your GPU)."""),)),

    _symptom("shapes_change", "Input shapes change", """
- A graph has sizes of its first call built in, and another shape compiles again, in the call that brings it.
- A batch of 1 makes a graph of its own, also with dynamic=True.
- After too many compiles of a function torch stops, and runs eager from then on; one line in the log says so.
""", (("optkit.replay_shapes(model, [1, 4, 8, 16], inputs=inputs)", """Of each call how long it took, whether torch
compiled in it, and why; with dynamic left to torch, true and false, and with dimensions marked."""), (
"optkit.diagnose(model, inputs).recompiles",
"Each names the input that changed. Give the real batches as a list: `inputs = [batch_1, batch_2]`.")), """
- Compile with dynamic=True, or mark the dimension with torch._dynamo.mark_dynamic(tensor, 0).
- Pad to a few sizes, and a batch of 1 to 2.
- Call each size once before you serve.
""", (("torch.compile(model, dynamic=True) handles different batch sizes.",
"Not every one: a batch of 1 still makes a graph of its own, and other guards can fail as before."),)),

    _symptom("slower", "Slower after compiling", """
- The first call was timed with the others, and it is the one that compiles.
- The model is small. Dynamo's guards cost 50 to 200 µs in each call, which can be more than compiling saves.
- Graph breaks leave pieces, with Python between them.
- The CPU has no bfloat16 units. ResNet-50 took 4.4 s on one under bfloat16 autocast, and 0.1 s without.
- Threads wait for each other on busy CPUs. The same small model took 32 µs on 1 thread, and 16 ms on 2 busy ones.
""", (("""
c = optkit.compare(model, inputs, ["compile", "compile:freezing=true"])
print(c.to_frame()[["variant", "verdict", "speedup", "graphs", "graph_breaks", "recompiles", "doubts"]].to_string())
""", """The verdict, measured in turns with eager, and the doubts about it; `c.measurements["compile"].remedies` says
what to do about each."""), ("optkit.profile(model, inputs)", """Which operators the time goes to, in eager and
compiled, and how much of it is outside of them: guards and Python."""), (
"optkit.diagnose(model, inputs)", "Graph breaks and recompiles, each with its line and a fix."), (
'optkit.compare(model, inputs, "compile").measurements["compile"].break_even()',
"After how many calls a process has paid for compiling.")), """
- Warm up before you time.
- Leave a small model in eager, or give it larger batches.
- Mend the lines that the diagnosis names.
- Take what `c.best()` returns: it is eager where nothing beats it.
"""),

    _symptom("outputs_differ", "Outputs differ", """
- The model is in training mode. Dropout and batch statistics are on until eval() is called.
- The precision was reduced: half precision, autocast, int8.
- A trace keeps the one path through an `if` that its example took.
- An AOTInductor package checks no inputs unless it is told to. Another dtype, stride or shape gives wrong outputs, or
  reads out of bounds.
- A compiled dropout draws other numbers than eager does from the same seed.
""", (("""
c = optkit.compare(model, inputs, "precision")
c.best(max_error=1e-3)
""", "The fastest variant whose outputs are no further from eager's than you allow."), ("""
c = optkit.compare(model, inputs, ["compile", "torchscript"])
print(c.to_frame()[["variant", "agreement", "max_abs_error", "doubts"]].to_string())
""", """`equal` is bit by bit, `close` within tolerance; `c.measurements["compile"].check.details` says more. With
NONDETERMINISTIC or STATEFUL among the doubts, eager does not repeat its own outputs either.""")), """
- Call model.eval() before you compile or export.
- Keep the precision, or say which error you allow: `c.best(max_error=...)`.
- Export with torch.export, as the variant `aotinductor` does, in place of a trace.
- Set AOTI_RUNTIME_CHECK_INPUTS=1 where an AOTInductor package is loaded.
- To compare dropout, set torch._inductor.config.fallback_random = True.
""", (("torch.no_grad() also disables batch norm and dropout.", "It does not; eval() does."),)),

    _symptom("slow_start", "The first request after a deployment is slow", """
- The first call of each process compiles, or reads the cache.
- The cache was not deployed with the model. From an empty one, ResNet-50's first call took 12 to 49 s on 2 cores.
- torch.compiler.save_cache_artifacts leaves out the C++ that was compiled for a CPU. ResNet-18's first call took 17.1 s
  without it, 12.9 s with it, and 2.2 s with Inductor's whole cache directory.
- With freezing Inductor keeps none of its graphs in the cache, so that each process makes them anew.
""", (("optkit.startup_matrix(model, inputs)", """How long a fresh process takes to its first result, for each way to
start: compiled, with empty and filled caches, and from files."""), ("""
c = optkit.compare(model, inputs, ["compile", "compile:freezing=true"], warm=True)
print(c.to_frame()[["variant", "startup_cold_s", "startup_warm_s", "doubts"]].to_string())
""", "The start with an empty cache and with a filled one; CACHE_BYPASSED where graphs are not kept.")), """
- Call the model once with each shape before the process takes requests.
- Deploy the cache directory with the model: `c.save_recipe(folder)` writes a folder that has both.
- Compile ahead of time: `aotinductor` loads a package that is compiled already.
- Leave freezing out where processes start often.
"""),

    _symptom("not_compiled", "Nothing was compiled at all", """
- The model is a traced module: torch.compile makes no graph of it, and says nothing.
- TORCH_COMPILE_DISABLE or TORCHDYNAMO_DISABLE is set, and torch.compile does nothing then.
- torch._dynamo.config.suppress_errors is on, or the limit of recompiles was reached: eager runs, and one line in the
  log says so.
- torch.compiler.disable stands on the model, or a graph break in a loop or a try block leaves all of it to eager.
- A setting has no effect here: CUDA graphs on a CPU, a mode with backend="eager", freezing while gradients are on.
""", (("""
c = optkit.compare(model, inputs, ["compile", "torchscript:compile=true"])
print(c.to_frame()[["variant", "graphs", "doubts"]].to_string())
""", """0 graphs, or NOT_COMPILED, FELL_BACK, CUDAGRAPHS_SKIPPED, MODE_IGNORED or FREEZING_IGNORED among the doubts.
optkit measures without those variables, and raises NOT_COMPILED where they are set."""), (
'optkit.diagnose(model, inputs, "compile:backend=eager")',
"""Whether torch made a graph of your model at all. Where it made none, "Not compiled" comes first, with the reason if
it is known: TorchScript, torch.compiler.disable, or everything left to eager.""")), """
- Compile the original module, not one that was traced.
- Unset the variable.
- Leave out the setting that the doubt names.
- Set fullgraph=True while you develop: torch then raises where it would run a piece of the model in eager.
""", (("torch.compile(torch.jit.trace(model, x)) takes 16.8 ms in place of 25.5, the fastest of all methods.",
"It compiles nothing, silently: what is timed is the trace. fullgraph=True raises there since torch 2.12."),)),

    _symptom("stalls", "It stalls now and then", """
- torch compiles again in the midst of calls: for another shape, dtype, stride or grad mode, a Python number that
  varies, autocast, another number of threads, or a call from another thread.
- Other processes use the CPUs, or the container is held back because its quota is used up.
""", (("optkit.diagnose(model, inputs).recompiles",
"What was compiled again, in which call, and what had changed. Give the real batches as a list."), ("""
c = optkit.compare(model, inputs, "compile")
print(c.to_frame()[["variant", "median_s", "p99_s", "recompiles", "doubts"]].to_string())
""", """With RECOMPILED it is torch. With NOISY_MACHINE or THREADS_EXCEED_QUOTA it is the machine; see whether eager's
p99 is far from its median as well.""")), """
- Make all calls, the first one too, in one thread, under one grad mode and with the same settings.
- Pass numbers that vary as tensors.
- Call each shape once before you serve.
- Use no more threads than there are CPUs: torch.set_num_threads, or a variant such as `compile+threads=2`.
"""),
))
# fmt: on
"""By name, in the order in which they are listed."""
