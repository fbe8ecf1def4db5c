"""The start-up matrix with real processes: every way, agreement after each load, and nothing left behind."""

from __future__ import annotations

import dataclasses
import math
import sys

import cloudpickle
import pytest
import torch
from torch import nn

from optkit import environment
from optkit.errors import UsageError
from optkit.startup_advice import COLD, FILE, MODEL, NO_TORCH, PORTABLE, WARM, WARM_HEADER
from optkit.startups import startup_matrix

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # processes must not need this file

pytestmark = pytest.mark.worker
X = torch.linspace(-1, 2, 4 * 16).reshape(4, 16)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.norm = nn.Linear(16, 16), nn.LayerNorm(16)

    def forward(self, x, scale=None):
        hidden = self.norm(nn.functional.gelu(self.layer(x)))
        return {"out": hidden if scale is None else hidden * scale, "mean": x.mean()}


class Branches(Net):
    def forward(self, x):
        if x.sum() > 0:
            return self.layer(x)
        return x * 3


class Noisy(Net):
    def forward(self, x):
        return nn.functional.dropout(self.layer(x), training=True)


class Dies(Net):
    """Ends its process at the first call, but not in the worker that exports or the one that makes the reference."""

    def forward(self, x):
        if torch.compiler.is_compiling():
            return self.layer(x)
        if "optkit.worker.session" not in sys.modules:
            import os

            print("these are my last words", flush=True)
            os.abort()
        return self.layer(x)


@pytest.fixture(autouse=True)
def _alone(mark, private):
    """No process and no private folder outlives these tests."""


@pytest.fixture(scope="module")
def matrix(mark, private):
    torch.manual_seed(0)
    return startup_matrix(Net().eval(), {"x": X, "scale": torch.tensor(2.0)})


def by_name(matrix):
    return {(row.variant, row.way): row for row in matrix.rows}


@pytest.mark.slow
def test_every_way_gives_a_first_result_that_agrees_with_eager(matrix):
    assert [(row.variant, row.way) for row in matrix.rows] == [
        ("eager", MODEL), ("compile", COLD), ("compile", WARM), ("compile", WARM_HEADER), ("compile", PORTABLE),
        ("aotinductor", FILE), ("torchscript", FILE), ("onnxruntime", FILE), ("onnxruntime", NO_TORCH),
    ]  # fmt: skip
    assert [(row.status, row.reason) for row in matrix.rows] == [("ok", None)] * 9
    assert {row.agreement for row in matrix.rows} <= {"equal", "close"}
    assert by_name(matrix)["eager", MODEL].agreement == "equal"
    assert all(row.distance is not None and row.distance <= 1e-3 for row in matrix.rows)


@pytest.mark.slow
def test_phases_add_up_to_the_time_from_the_start_of_the_process(matrix):
    for row in matrix.rows:
        assert math.isclose(sum(row.seconds.values()), row.total_s)
        assert min(row.seconds.values()) >= 0
        assert {"interpreter", "import", "first_call", "other"} <= row.seconds.keys()
        assert ("load" in row.seconds) == (row.way in (FILE, NO_TORCH, PORTABLE))
        assert ("build" in row.seconds) == (row.way not in (FILE, NO_TORCH))


@pytest.mark.slow
def test_the_probe_is_told_apart_and_caches_are_what_they_are_called(matrix):
    rows = by_name(matrix)
    cold, warm, header, portable = (rows["compile", way] for way in (COLD, WARM, WARM_HEADER, PORTABLE))
    assert cold.facts["probe_s"].keys() == {"look", "header"}
    assert (cold.facts["cache_hits"], cold.facts["cache_misses"]) == (0, 1)
    assert all(one.facts["cache_hits"] == 1 and one.facts["cache_misses"] == 0 for one in (warm, header, portable))
    assert cold.facts["libraries"] == portable.facts["libraries"] > 0  # portable artifacts leave compiled C++ out
    assert warm.facts["libraries"] == header.facts["libraries"] == 0
    assert cold.artifact_bytes is None
    assert 0 < portable.artifact_bytes < warm.artifact_bytes < header.artifact_bytes
    assert "probe" not in rows["eager", MODEL].seconds


@pytest.mark.slow
def test_an_onnx_file_runs_in_a_process_that_has_no_torch(matrix):
    rows = by_name(matrix)
    assert rows["onnxruntime", NO_TORCH].facts["has_torch"] is False
    assert rows["onnxruntime", NO_TORCH].artifact_bytes == rows["onnxruntime", FILE].artifact_bytes > 0


@pytest.mark.slow
def test_a_matrix_is_shown_with_its_advice(matrix):
    assert matrix.advice
    assert len(matrix.to_frame()) == 9
    assert "<svg" in matrix._repr_mimebundle_()["text/html"]
    assert all(row.name in str(matrix) for row in matrix.rows)


def test_what_cannot_be_exported_is_a_failed_row_and_the_others_go_on():
    matrix = startup_matrix(Branches().eval(), X, ["aotinductor", "onnxruntime", "eager"])
    assert [(row.variant, row.status) for row in matrix.rows] == [
        ("aotinductor", "failed"), ("onnxruntime", "failed"), ("onnxruntime", "failed"), ("eager", "ok"),
    ]  # fmt: skip
    assert "aotinductor cannot export this model" in matrix.rows[0].reason
    assert "\n" not in matrix.rows[0].reason


@pytest.mark.slow
def test_what_has_no_cache_and_what_is_not_installed_is_skipped_with_the_reason(monkeypatch):
    here = environment.detect()
    versions = {name: version for name, version in here.versions.items() if name != "onnxruntime"}
    monkeypatch.setattr(environment, "detect", lambda: dataclasses.replace(here, versions=versions))
    matrix = startup_matrix(Net().eval(), X, ["compile:backend=eager", "onnxruntime"])
    assert [(row.way, row.status) for row in matrix.rows] == [
        (COLD, "ok"), (WARM, "skipped"), (WARM_HEADER, "skipped"), (PORTABLE, "skipped"), (FILE, "skipped"),
        (NO_TORCH, "skipped"),
    ]  # fmt: skip
    assert matrix.rows[1].reason == "Compiling left nothing in the cache directory, so there is nothing to start from."
    assert 'pip install "optkit[onnx]"' in matrix.rows[4].reason


def test_a_process_that_dies_is_a_failed_row_with_its_last_words():
    matrix = startup_matrix(Dies().eval(), X, ["eager", "torchscript"])
    assert [row.status for row in matrix.rows] == ["failed", "ok"]
    assert "SIGABRT" in matrix.rows[0].reason
    assert "these are my last words" in matrix.rows[0].reason or "Aborted" in matrix.rows[0].reason


@pytest.mark.slow
def test_outputs_that_cannot_be_repeated_are_not_compared():
    matrix = startup_matrix(Noisy().eval(), X, ["eager"])
    assert matrix.uncompared == "Eager's own outputs cannot be repeated, so no outputs were compared."
    assert (matrix.rows[0].status, matrix.rows[0].agreement) == ("ok", None)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch deprecates TorchScript
def test_what_gives_other_outputs_is_told_and_not_advised(tmp_path):
    theirs = tmp_path / "theirs.ts"
    torch.jit.trace(Net().eval(), (X,), strict=False).save(str(theirs))
    path = f'path="{theirs}",trust=true'
    matrix = startup_matrix(Net().eval(), X, ["eager+bfloat16", f"torchscript:{path}"])
    half, wrong = matrix.rows
    assert half.agreement == "close"  # in less precision, more distance is to be expected
    assert wrong.agreement == "different"
    assert wrong.distance > 1e-3
    assert wrong.artifact_bytes == theirs.stat().st_size
    (warning,) = [one for one in matrix.advice if "torchscript" in one]
    assert warning.endswith("gives other outputs than eager, so do not start this way.")


def test_a_model_that_does_not_run_is_an_error():
    with pytest.raises(UsageError, match="failed"):
        startup_matrix(Net().eval(), torch.randn(4, 5), ["eager"])


def test_a_model_of_the_zoo_needs_no_torch_in_this_process(run_python):
    told = run_python(
        "import sys\nfrom optkit.startups import startup_matrix\n"
        "matrix = startup_matrix('tiny_cnn', variants=['eager', 'onnxruntime'])\n"
        "print([row.status for row in matrix.rows], 'torch' in sys.modules)\n"
    )
    assert told == "['ok', 'ok', 'ok'] False\n"


@pytest.mark.slow
def test_what_torch_caches_no_graph_of_has_no_portable_artifacts():
    torch.manual_seed(0)
    matrix = startup_matrix(Net().eval(), X, ["compile:freezing=true+threads=1"])
    assert [row.status for row in matrix.rows] == ["ok", "ok", "ok", "skipped"]
    assert {row.agreement for row in matrix.rows[:3]} <= {"equal", "close"}
    assert {row.facts["threads"] for row in matrix.rows[:3]} == {1}
    assert "nothing to save" in matrix.rows[3].reason


@pytest.mark.slow
def test_an_onnx_file_is_run_with_the_settings_of_its_variant():
    matrix = startup_matrix(Net().eval(), X, ["onnxruntime:dynamic=true,optimization=basic+threads=1"])
    assert [row.status for row in matrix.rows] == ["ok", "ok"]
    assert {row.agreement for row in matrix.rows} <= {"equal", "close"}
