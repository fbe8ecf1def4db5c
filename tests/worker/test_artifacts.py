"""Files that hold a model: the user's own, damaged ones, ones of another kind, and what exporters say meanwhile."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import warnings
import zipfile

import cloudpickle
import pytest
import torch
from torch import nn

import optkit
from optkit.engines import AotInductor, OnnxRuntime, TorchScript
from optkit.verdicts import Doubt

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers must not need this file

pytestmark = pytest.mark.worker
X = torch.randn(4, 8)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 8)

    def forward(self, x):
        return torch.relu(self.layer(x))

    def twice(self, x, other=None):
        return {"twice": self(self(x)), "other": other}


class Branches(Net):
    def forward(self, x):
        return self.layer(x) if x.sum() > 0 else x * 3


class Batches(Net):
    """Takes a batch of any size."""


@pytest.fixture(autouse=True)
def _alone(mark, private):
    """No process and no private folder outlives these tests."""


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return Net().eval()


@pytest.fixture(scope="module")
def files(model, tmp_path_factory):
    """Return a folder with one artifact of each kind, made as a user makes them."""
    folder = tmp_path_factory.mktemp("artifacts")
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(model, X).save(str(folder / "model.ts"))
        torch.onnx.export(model, (X,), str(folder / "model.onnx"), input_names=["x"], verbose=False)
        program = torch.export.export(model, (X,))
        torch._inductor.aoti_compile_and_package(program, package_path=str(folder / "model.pt2"))
    return folder


def engine(kind, path):
    if kind == "onnxruntime":
        return OnnxRuntime(path=str(path))
    return {"torchscript": TorchScript, "aotinductor": AotInductor}[kind](path=str(path), trust=True)


FILES = {"torchscript": "model.ts", "onnxruntime": "model.onnx", "aotinductor": "model.pt2"}


def measured(model, given, inputs=X, **plan):
    c = optkit.compare(model, inputs, given, **{"budget_s": 60, "rounds": (1, 1)} | plan)
    return [m for m in c.measurements.values() if m is not c.baseline]


@pytest.mark.slow
def test_a_users_own_file_is_measured_beside_the_model(model, files):
    for m in measured(model, [engine(kind, files / name) for kind, name in FILES.items()]):
        assert (m.status, m.agreement in ("equal", "close")) == ("ok", True), m.reason


@pytest.mark.slow
def test_a_file_of_another_model_is_found_out(files):
    torch.manual_seed(1)
    for m in measured(Net(), [engine(kind, files / name) for kind, name in FILES.items()]):
        assert (m.status, m.agreement) == ("ok", "different")


def middle_of_largest(path):
    """Return where the middle of the largest file in an archive is: between files there is padding."""
    with zipfile.ZipFile(path) as archive, path.open("rb") as file:
        largest = max(archive.infolist(), key=lambda one: one.compress_size)
        file.seek(largest.header_offset + 26)
        name, extra = struct.unpack("<HH", file.read(4))
        return largest.header_offset + 30 + name + extra + largest.compress_size // 2


@pytest.fixture
def damaged(files, tmp_path):
    def damage(name, how):
        content = bytearray((files / name).read_bytes())
        if how == "cut":
            content = content[: len(content) // 2]
        elif how == "flipped":
            content[middle_of_largest(files / name)] ^= 0xFF
        elif how == "empty":
            content = bytearray()
        else:
            content = bytearray(b"this is no model at all")
        path = tmp_path / f"{how}-{name}"
        path.write_bytes(content)
        return path

    return damage


def test_a_damaged_file_ends_in_one_sentence(model, damaged):
    given = [
        engine(kind, damaged(name, how))
        for kind, name in FILES.items()
        for how in ("cut", "flipped", "empty", "text")
        if (kind, how) != ("onnxruntime", "flipped")  # it has no checksum: a flipped weight is another model
    ]
    for m in measured(model, given):
        assert (m.status, m.failed_phase) == ("failed", "prepare"), m
        assert "\n" not in m.reason
        assert "export it again" in m.reason or "give a file that was exported as one" in m.reason


@pytest.mark.slow
def test_a_file_of_another_kind_or_none_at_all_ends_in_one_sentence(model, files):
    swapped = [("torchscript", "model.pt2"), ("aotinductor", "model.ts"), ("onnxruntime", "model.ts")]
    given = [
        engine(kind, files / name) for kind, name in [*swapped, ("torchscript", "no.ts"), ("onnxruntime", "no.onnx")]
    ]
    for m in measured(model, given):
        assert (m.status, m.failed_phase) == ("failed", "prepare")
        assert m.reason.count(". ") == 0


def test_inputs_that_a_file_was_not_made_for_are_refused_and_not_miscalculated(files):
    given = [engine(kind, files / FILES[kind]) for kind in ("onnxruntime", "aotinductor")]
    for m in measured(Batches(), given, inputs=torch.randn(6, 8)):
        assert (m.status, m.failed_phase) == ("failed", "first_call")
        assert "4" in m.reason
        assert "6" in m.reason


@pytest.mark.slow
def test_a_method_with_keywords_and_a_dict_of_outputs_is_exported(model):
    inputs = {"x": X, "other": torch.ones(2)}
    given = ["torchscript", "onnxruntime", "aotinductor"]
    for m in measured(optkit.Workload(model, inputs, call="twice"), given, inputs=None):
        assert (m.status, m.agreement in ("equal", "close")) == ("ok", True), (m, m.reason)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variants", "sizes"),
    [
        (["onnxruntime:dynamic=true", "onnxruntime:dynamic=true,opset=14"], (1, 3)),
        (["aotinductor:dynamic=true"], (2, 3)),  # torch.export takes a size of 1 for a constant
    ],
)
def test_a_batch_may_vary_where_that_was_asked_for(model, variants, sizes):
    for m in measured(model, variants, inputs=[torch.randn(size, 8) for size in sizes]):
        assert (m.status, m.agreement in ("equal", "close")) == ("ok", True), (m, m.reason)


@pytest.mark.slow
def test_opset_14_is_honoured_and_so_is_a_newer_one(model):
    for m, opset in zip(measured(model, ["onnxruntime:opset=14", "onnxruntime:opset=19"]), (14, 19), strict=True):
        assert m.engine_facts["opset"] == opset
        assert Doubt.OPSET_CHANGED not in m.doubts


def test_torchscript_is_legacy_and_compiling_it_compiles_nothing(model):
    plain, compiled = measured(model, ["torchscript", "torchscript:compile=true"])
    assert Doubt.LEGACY in plain.doubts
    assert {Doubt.LEGACY, Doubt.NOT_COMPILED} <= set(compiled.doubts)
    assert compiled.merit == 0


def test_a_branch_is_refused_by_exporters_and_found_out_in_a_trace():
    given = ["torchscript", "torchscript:method=script", "onnxruntime", "aotinductor"]
    traced, scripted, onnx, aot = measured(Branches(), given, inputs=X.abs())
    assert (traced.status, traced.agreement) == ("ok", "different")
    assert "for others of the same shapes" in traced.remedies[Doubt.OUTPUT_DIFFERS]
    assert scripted.agreement == "equal"
    assert [m.failed_phase for m in (onnx, aot)] == ["export", "export"]
    assert all("cannot export this model" in m.reason and "data-dependent" in m.reason for m in (onnx, aot))


class Counts(Net):
    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.zeros(1))

    def forward(self, x):
        self.seen.add_(1)
        return self.layer(x) + self.seen


@pytest.mark.slow
def test_a_file_that_may_have_lost_its_state_is_never_taken_for_equal():
    for m in measured(Counts(), ["torchscript", "onnxruntime", "aotinductor"]):
        assert m.status == "failed" or m.agreement == "stateful", (m, m.agreement)
        assert m.merit == 0


class Symmetric(Net):
    """Branches on what is the same for the floats negated: nothing but torch's own warning tells."""

    def forward(self, x):
        return self.layer(x) if x.abs().max() < 100 else x


@pytest.mark.slow
def test_a_branch_that_other_inputs_cannot_show_is_a_doubt_because_torch_warns_of_it():
    traced, older = measured(Symmetric(), ["torchscript", "onnxruntime:opset=14"])
    assert "test_artifacts.py:" in traced.remedies[Doubt.ONE_PATH]
    assert Doubt.ONE_PATH in older.doubts
    assert Doubt.ONE_PATH not in measured(Net(), ["torchscript"])[0].doubts


@pytest.mark.slow
def test_an_opset_that_cannot_be_written_is_a_doubt():
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
    (m,) = measured(layer, ["onnxruntime:opset=14"], inputs=torch.randn(2, 4, 8))
    assert (m.status, m.engine_facts["opset"] > 14) == ("ok", True), m.reason
    assert "opset=14 was asked for" in m.remedies[Doubt.OPSET_CHANGED]


@pytest.mark.slow
def test_keywords_in_another_order_reach_the_right_inputs(model):
    class Pair(nn.Module):
        def forward(self, a, b):
            return a - 2 * b

    batches = [{"b": X, "a": X + 1}, {"a": X + 3, "b": X}]
    for m in measured(Pair(), ["onnxruntime", "onnxruntime:opset=14"], inputs=batches):
        assert (m.status, m.agreement in ("equal", "close")) == ("ok", True), (m, m.reason)


@pytest.mark.slow
def test_a_constant_that_changes_between_batches_is_refused():
    class Scaled(nn.Module):
        def forward(self, x, k):
            return x * k

    (m,) = measured(Scaled(), ["onnxruntime"], inputs=[(X, 2.0), (X, 3.0)])
    assert (m.status, "built in when this was exported" in m.reason) == ("failed", True)


@pytest.mark.slow
def test_the_size_of_the_file_and_a_warm_start_that_only_loads_are_told(model):
    (m,) = measured(model, ["torchscript"], warm=True)
    assert m.memory.artifact_bytes > 0
    assert m.startup(warm=True).prepare_s < m.startup().prepare_s
    assert m.startup(warm=True).build_s < 1


def test_what_exporters_print_stays_in_the_details_and_out_of_the_document(tmp_path):
    command = [sys.executable, "-m", "optkit", "compare", "tiny_cnn", "-v", "onnxruntime", "--budget", "1", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True)
    document = json.loads(done.stdout)
    assert "torch.onnx" in document["details"]["onnxruntime"]
    assert "torch.onnx" not in done.stderr
