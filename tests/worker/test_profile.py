"""Profiles of real models in real workers."""

from __future__ import annotations

import gzip
import json
import os
import stat
import subprocess
import sys

import pytest
import torch
from torch import nn

from optkit.errors import UsageError
from optkit.profiling import profile
from optkit.workload import Workload

pytestmark = pytest.mark.worker


def checked(told, *sides):
    assert [side.variant for side in told.sides] == list(sides)
    for side in told.sides:
        assert sum(one.share for one in side.operators) + side.outside_share == pytest.approx(1)
        assert min(one.self_s for one in side.operators) >= 0
        assert side.call_s > 0
        assert side.load["visible_cpus"] == os.cpu_count()
        assert side.profiled_s > 0
    return told


def calls_of(side, part):
    return sum(one.calls for one in side.operators if part in one.name)


def test_each_operator_of_eager_and_of_dynamo_alone_is_counted(private, mark, disabled):
    told = checked(profile("tiny_cnn", variant="compile:backend=eager"), "eager", "compile:backend=eager")
    assert told.calls == 10
    for side in told.sides:
        assert calls_of(side, "aten::conv2d") == 3
    assert "TorchDynamo Cache Lookup" in told.sides[1].framework
    assert not any("Dynamo" in name for name in told.sides[0].framework)


@pytest.fixture
def busy():
    """Keep every CPU busy with something else."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    yield
    for one in others:
        one.kill()
        one.wait()


def test_on_a_busy_machine_the_load_is_told_and_the_sides_are_not_compared(private, mark, busy):
    told = checked(profile("tiny_cnn", variant="eager", calls=2), "eager")
    assert told.sides[0].load["others_cpus"] > 0.25 * os.cpu_count()
    assert told.reading().startswith("Meanwhile other processes used up to")
    assert told.reading() in str(told)


@pytest.mark.slow
def test_eager_itself_is_one_side_and_calls_are_whole_passes_over_the_batches(private, mark):
    batches = [torch.randn(n, 4) for n in (1, 2, 3)]
    told = checked(profile(Workload(nn.Linear(4, 4), batches), variant="eager", calls=4), "eager")
    assert told.calls == 6
    assert calls_of(told.sides[0], "aten::addmm") == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["trace.json", "trace.json.gz"])
def test_the_trace_of_the_variant_is_saved_for_its_user_alone(private, mark, tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"something that was there before, and longer than nothing")
    path.chmod(0o644)
    profile("tiny_cnn", variant="eager", calls=2, trace=path)
    raw = path.read_bytes()
    events = json.loads(gzip.decompress(raw) if name.endswith("gz") else raw)["traceEvents"]
    assert {"aten::conv2d"} <= {event.get("name") for event in events}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == [name]


def test_onnx_runtime_is_profiled_by_itself_and_leaves_nothing_in_the_working_folder(
    private, mark, tmp_path, monkeypatch
):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    monkeypatch.chdir(tmp_path)
    told = checked(profile("tiny_cnn", variant="onnxruntime", trace=tmp_path / "trace.json"), "eager", "onnxruntime")
    assert calls_of(told.sides[1], "Conv") >= 3
    assert "ONNX Runtime's own profiler" in told.details[-1]
    assert "model_run" in {event["name"] for event in json.loads((tmp_path / "trace.json").read_text())}
    assert [one.name for one in tmp_path.iterdir()] == ["trace.json"]


def test_a_model_that_fails_is_told_in_one_sentence(private, mark):
    with pytest.raises(UsageError, match="eager of Linear failed"):
        profile(nn.Linear(3, 3), torch.randn(2, 5))


@pytest.mark.slow
def test_a_variant_that_fails_is_told_by_the_name_it_was_given(private, mark, tmp_path):
    missing = f'aotinductor:path="{tmp_path}/missing.pt2",trust=true'
    with pytest.raises(UsageError, match=r"aotinductor:path=.*missing"):
        profile("tiny_cnn", variant=missing)


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["compile", "compile:freezing=true", "aotinductor"])
def test_the_kernels_that_inductor_fused_are_told_one_by_one(private, mark, disabled, variant):
    told = checked(profile("tiny_cnn", variant=variant), "eager", variant)
    assert any("cpp_fused" in one.name for one in told.sides[1].operators)
    assert calls_of(told.sides[1], "batch_norm_impl") == 0
