"""What torch's own account says against the settings of torch.compile, and the remedies."""

from __future__ import annotations

import pytest

from optkit.engines import Compile, Eager
from optkit.verdicts import Doubt

FINE = {
    "graphs": 1,
    "graph_breaks": 0,
    "recompiles": 0,
    "late_compiles": 0,
    "limit_hit": False,
    "cudagraph_skips": 0,
    "freezings": 1,
    "cache_bypasses": 0,
}


def doubts(engine, *, grad="inference_mode", device="cpu", **facts):
    return engine.doubts(FINE | facts, grad=grad, device=device)


def test_a_compile_that_did_what_it_was_asked_raises_none():
    assert doubts(Compile()) == doubts(Compile(freezing=True)) == doubts(Compile(backend="eager")) == {}


def test_what_torch_does_not_tell_raises_none():
    assert Compile().doubts({}, grad="inference_mode", device="cpu") == {}
    assert Compile(freezing=True).doubts(dict.fromkeys(FINE), grad="no_grad", device="cpu") == {}


def test_eager_raises_none():
    assert doubts(Eager(), graphs=0) == {}


def test_without_a_graph_nothing_else_is_said_of_what_was_asked():
    found = doubts(Compile(backend="cudagraphs", freezing=True), graphs=0, freezings=0)
    assert list(found) == [Doubt.NOT_COMPILED]
    assert "backend=cudagraphs" in found[Doubt.NOT_COMPILED]


@pytest.mark.parametrize(
    ("dynamic", "said"), [(None, "set dynamic=true"), (False, "leave out dynamic=false"), (True, "did not help")]
)
def test_the_remedy_of_the_recompile_limit_depends_on_dynamic(dynamic, said):
    found = doubts(Compile(dynamic=dynamic), limit_hit=True, recompile_reason="size mismatch", late_compiles=8)
    assert said in found[Doubt.FELL_BACK]
    assert "size mismatch" in found[Doubt.FELL_BACK]
    assert "8 times" in found[Doubt.RECOMPILED]


def test_breaks_are_named_with_their_places():
    found = doubts(Compile(), graphs=3, graph_breaks=2, break_places=["net.py:7", "net.py:9"])
    assert "3 pieces with eager between them at net.py:7, net.py:9" in found[Doubt.PARTLY_COMPILED]
    assert Doubt.PARTLY_COMPILED in doubts(Compile(), skipped="a reason")


@pytest.mark.parametrize(
    ("engine", "said"),
    [
        (Compile(backend="cudagraphs"), "backend=cudagraphs asks"),
        (Compile(mode="reduce-overhead"), "leave the mode out"),
        (Compile(mode="max-autotune"), "max-autotune-no-cudagraphs"),
        (Compile(options={"triton.cudagraphs": True}), "asks for CUDA graphs"),
    ],
)
def test_cuda_graphs_are_skipped_on_a_cpu_and_where_torch_says_so(engine, said):
    assert said in doubts(engine)[Doubt.CUDAGRAPHS_SKIPPED]
    assert doubts(engine, device="cuda") == {}
    assert "could not capture" in doubts(engine, device="cuda", cudagraph_skips=1)[Doubt.CUDAGRAPHS_SKIPPED]


def test_modes_without_cuda_graphs_do_not_miss_them():
    assert doubts(Compile(mode="max-autotune-no-cudagraphs"), cudagraph_skips=1) == {}


def test_freezing_that_did_not_happen_is_ignored_whatever_the_settings_promise():
    frozen = Compile(freezing=True)
    assert "+grad" in doubts(frozen, grad="grad", freezings=0)[Doubt.FREEZING_IGNORED]
    assert Doubt.FREEZING_IGNORED in doubts(frozen, freezings=0)
    assert "backend=eager" in doubts(Compile(backend="eager", freezing=True), freezings=0)[Doubt.FREEZING_IGNORED]


def test_where_torch_does_not_count_freezing_the_settings_decide():
    frozen = Compile(freezing=True)
    assert Doubt.FREEZING_IGNORED in doubts(frozen, grad="grad", freezings=None)
    assert Doubt.FREEZING_IGNORED not in doubts(frozen, freezings=None)


def test_a_bypassed_cache_is_inductors_only():
    assert "freezing=true" in doubts(Compile(freezing=True), cache_bypasses=1)[Doubt.CACHE_BYPASSED]
    assert Doubt.CACHE_BYPASSED in doubts(Compile(), cache_bypasses=1)
    assert Doubt.CACHE_BYPASSED not in doubts(Compile(backend="aot_eager"), cache_bypasses=1)


def test_a_mode_or_options_for_a_backend_that_takes_none_are_ignored():
    assert "mode=max-autotune" in doubts(Compile(backend="aot_eager", mode="max-autotune"))[Doubt.MODE_IGNORED]
    assert "options" in doubts(Compile(backend="eager", options={"a": 1}))[Doubt.MODE_IGNORED]
    assert Doubt.MODE_IGNORED not in doubts(Compile(backend=lambda graph, inputs: graph, mode="max-autotune"))


@pytest.mark.parametrize("engine", [Compile(), Compile(dynamic=True), Compile(dynamic=False), Compile(freezing=True)])
def test_every_remedy_is_one_sentence_that_ends(engine):
    worst = {"graphs": 2, "graph_breaks": 1, "late_compiles": 3, "limit_hit": True, "cache_bypasses": 1, "freezings": 0}
    found = doubts(engine, grad="grad", **worst)
    assert found
    assert all(remedy.endswith(".") and "None" not in remedy for remedy in found.values())
