"""Recipes: what is saved runs from an empty folder, after it was moved, and says where it is not what was measured."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import torch

import optkit
from optkit.errors import UsageError
from optkit.workload import torchvision_models

pytestmark = pytest.mark.worker
ENGINES = ["eager", "compile", "torchscript", "onnxruntime", "aotinductor"]
APPLIED = ["eager+bfloat16", "compile:backend=eager+fallback=eager", "torchscript", "onnxruntime"]
SLOW = ("compile", "aotinductor")  # they compile when they are measured, and again when they are saved
NET = """
from torch import nn
from {name}_layers.blocks import Block

class Net(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.blocks = nn.Sequential(*[Block(width) for _ in range(3)])

    def forward(self, x):
        return {{"scores": self.blocks(x), "mean": x.mean()}}
"""
BLOCK = """
from torch import nn
class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.layer = nn.Linear(width, width)
    def forward(self, x):
        return x + self.layer(x).relu()
"""
X = torch.linspace(-1, 2, 8 * 64).reshape(8, 64)


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    """Return a model of a user's own file, which imports another; the recipe must hold both."""
    folder = tmp_path_factory.mktemp("theirs")
    (folder / "their_layers").mkdir()
    (folder / "their_net.py").write_text(NET.format(name="their"))
    (folder / "their_layers" / "__init__.py").write_text("")
    (folder / "their_layers" / "blocks.py").write_text(BLOCK)
    with pytest.MonkeyPatch.context() as context:
        context.syspath_prepend(str(folder))
        import their_net

        torch.manual_seed(3)
        yield their_net.Net(64)
        for name in [name for name in sys.modules if name.startswith("their_")]:
            del sys.modules[name]


def measured(*args, **kwargs):
    return optkit.compare(*args, **{"budget_s": 120, "rounds": (1, 1)} | kwargs)


@pytest.fixture(scope="module")
def of_net(net):
    return measured(net, X, [*ENGINES, *APPLIED])


@pytest.fixture(scope="module")
def of_zoo():
    return measured("tiny_transformer", variants=["torchscript", "onnxruntime"], batch_size=2)


def run(program, folder, *arguments):
    """Run a program of a recipe in a fresh interpreter, from an empty folder that finds nothing of the user's."""
    folder.mkdir()
    return subprocess.run(
        [sys.executable, str(program), *arguments],
        cwd=folder, env={"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder)}, capture_output=True,
        text=True, timeout=300, check=False,
    )  # fmt: skip


def proves_itself_before_and_after_moving(folder, tmp_path):
    first = run(folder / "run.py", tmp_path / "empty", "--check")
    assert first.returncode == 0, first.stderr
    assert not list((tmp_path / "empty").rglob("*.gch"))  # a new machine has no headers, and need not make them
    assert not list((tmp_path / "empty").glob("recipe-*"))
    moved = Path(shutil.move(folder, tmp_path / "elsewhere"))
    again = run(moved / "run.py", tmp_path / "empty2")
    assert again.returncode == 0, again.stderr
    assert "outputs differ from eager's by" in again.stdout
    assert "in 5 turns" in again.stdout
    assert json.loads(first.stdout)["distance"] <= 1e-3


@pytest.mark.parametrize("variant", [pytest.param(one, marks=[pytest.mark.slow] * (one in SLOW)) for one in ENGINES])
def test_the_recipe_of_a_users_model_runs_from_anywhere_without_optkit(variant, of_net, tmp_path):
    folder = of_net.save_recipe(tmp_path / "recipe", variant)
    assert "optkit" not in (folder / "requirements.txt").read_text()
    assert "import optkit" not in (folder / "run.py").read_text() + (folder / "serve.py").read_text()
    assert len((folder / "README.md").read_text().splitlines()) == 10
    assert not list(tmp_path.glob(".optkit*"))
    proves_itself_before_and_after_moving(folder, tmp_path)


@pytest.mark.parametrize("variant", ["torchscript", pytest.param("onnxruntime", marks=pytest.mark.slow)])
def test_the_recipe_of_a_model_of_the_zoo_runs_from_anywhere(variant, of_zoo, tmp_path):
    proves_itself_before_and_after_moving(of_zoo.save_recipe(tmp_path / "recipe", variant), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["eager", *SLOW])
def test_the_recipe_of_a_larger_model_of_the_zoo_runs_from_anywhere(variant, tmp_path):
    comparison = measured("resnet18", variants=[variant] if variant != "eager" else ["eager+no_grad"])
    proves_itself_before_and_after_moving(comparison.save_recipe(tmp_path / "recipe", variant), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    "variant",
    [
        "eager+autocast", "compile:backend=eager+compiled_in=no_grad", "compile:backend=eager+fallback=eager",
        "torchscript:compile=true", "torchscript+bfloat16", "onnxruntime:dynamic=true,optimization=basic",
        "aotinductor:dynamic=true+channels_last", "compile:freezing=true+threads=1", "compile+int8",
    ],
)  # fmt: skip
def test_every_modifier_is_in_the_recipe(variant, net, tmp_path):
    inputs = [X, X[:4]] if "dynamic" in variant else X
    folder = measured(net, inputs, variant).save_recipe(tmp_path / "recipe", variant)
    done = run(folder / "run.py", tmp_path / "empty", "--check")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def recipe(of_net, tmp_path_factory):
    return of_net.save_recipe(tmp_path_factory.mktemp("kept") / "recipe", "torchscript")


@pytest.fixture
def copied(recipe, tmp_path):
    return Path(shutil.copytree(recipe, tmp_path / "recipe"))


def alter_artifact(folder):
    content = bytearray((folder / "model.ts").read_bytes())
    content[len(content) // 2] ^= 0xFF
    (folder / "model.ts").write_bytes(content)


def remove_artifact(folder):
    (folder / "model.ts").unlink()


def age(folder):
    record = json.loads((folder / "recipe.json").read_text())
    (folder / "recipe.json").write_text(json.dumps(record | {"torch": "2.1.0"}))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (alter_artifact, "model.ts was altered after it was saved"),
        (remove_artifact, "model.ts is missing"),
        (age, "This recipe was saved with torch 2.1.0 and this is 2.13"),
    ],
)
def test_what_is_not_as_it_was_saved_is_told_in_one_sentence_without_numbers(change, said, copied, tmp_path):
    change(copied)
    done = run(copied / "run.py", tmp_path / "empty")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(said)
    assert len(done.stderr.splitlines()) == 1
    verification = optkit.verify(copied)
    assert str(verification).startswith(said)
    assert (verification.holds, verification.comparison, verification.found) == (False, None, {})


def test_other_outputs_than_those_that_eager_gave_are_told(copied, tmp_path):
    kept = torch.load(copied / "inputs.pt")
    kept["expected"][0][0] *= 1.1
    torch.save(kept, copied / "inputs.pt")
    record = json.loads((copied / "recipe.json").read_text())
    del record["files"]["inputs.pt"]
    (copied / "recipe.json").write_text(json.dumps(record))
    done = run(copied / "run.py", tmp_path / "empty")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("The outputs are 0.0")


def test_verifying_measures_it_again_beside_eager(recipe):
    verification = optkit.verify(recipe, budget_s=8)
    assert verification.refused is None
    assert (verification.holds, verification.overlaps) == (
        None,
        None,
    )  # one round, when it was measured, has no interval
    assert verification.measurement.agreement in ("equal", "close")
    assert verification.found["first_call_s"] > 0
    assert "eager now" in str(verification)
    assert json.loads(json.dumps(verification.to_json()))["comparison"]["rows"][1]["variant"] == "torchscript"


@pytest.mark.slow
def test_a_recipe_that_was_measured_well_is_verified_with_intervals(tmp_path):
    comparison = measured("tiny_cnn", variants="torchscript", rounds=(10, 12))
    verification = optkit.verify(comparison.save_recipe(tmp_path / "recipe", "torchscript"), budget_s=60)
    assert verification.overlaps is not None
    assert verification.holds is not None
    assert "the intervals" in str(verification)


def test_a_model_of_a_notebook_or_script_is_saved_by_value(tmp_path, run_python):
    folder = tmp_path / "recipe"
    run_python(
        "import torch, optkit\n"
        "SCALE = 2.0\n"
        "class Mine(torch.nn.Module):\n"
        "    def forward(self, x):\n"
        "        return x * SCALE\n"
        "if __name__ == '__main__':\n"
        "    c = optkit.compare(Mine(), torch.ones(3), 'eager', budget_s=60, rounds=(1, 1))\n"
        f"    c.save_recipe({str(folder)!r})\n"
    )
    assert "cloudpickle==" in (folder / "requirements.txt").read_text()
    assert run(folder / "run.py", tmp_path / "empty", "--check").returncode == 0


@pytest.mark.slow
def test_a_users_model_that_is_built_with_torchvision_is_measured_and_saved(tmp_path):
    model = torchvision_models().mobilenet_v3_small()
    folder = measured(model, torch.ones(1, 3, 64, 64), "eager").save_recipe(tmp_path / "recipe")
    assert "torchvision==" in (folder / "requirements.txt").read_text()
    assert "import optkit" not in (folder / "run.py").read_text()
    assert run(folder / "run.py", tmp_path / "empty", "--check").returncode == 0


def test_the_server_warms_up_and_answers_as_the_model_does(recipe, net, tmp_path):
    assert len((recipe / "serve.py").read_text().splitlines()) < 30
    server = subprocess.Popen(
        [sys.executable, str(recipe / "serve.py"), "0"], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    try:
        address = f"http://127.0.0.1:{server.stdout.readline().split('port ')[1].split(';')[0]}"
        torch.save(((X,), {}), body := io.BytesIO())
        with urllib.request.urlopen(urllib.request.Request(address, body.getvalue())) as answer:
            outputs = torch.load(io.BytesIO(answer.read()))
        torch.testing.assert_close(outputs["scores"], net(X)["scores"].detach())
        with pytest.raises(urllib.error.HTTPError, match="400"):
            urllib.request.urlopen(urllib.request.Request(address, b"no tensor"))
    finally:
        server.send_signal(signal.SIGKILL)
        server.communicate()


def test_the_notebook_runs_under_papermill_with_the_folder_as_a_parameter(recipe, tmp_path):
    import papermill

    out = tmp_path / "out.ipynb"
    papermill.execute_notebook(recipe / "recipe.ipynb", out, {"folder": str(recipe), "seconds": 0.2}, cwd=tmp_path)
    assert "in 5 turns" in out.read_text()


def test_a_folder_that_holds_something_is_left_alone(of_net, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="no empty folder"):
        of_net.save_recipe(tmp_path, "eager")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("variant", APPLIED)
def test_apply_is_the_fast_callable_in_this_process(variant, of_net, net):
    fast = of_net.measurements[variant].apply(net)
    expected = net(X)["scores"].detach()
    for _ in range(2):
        torch.testing.assert_close(fast(X)["scores"].float(), expected, atol=0.05, rtol=0.05)
    assert next(net.parameters()).dtype == torch.float32


def test_the_best_one_is_applied_with_settings_that_hold_for_each_call(of_net, net):
    fast = of_net.apply(net)
    assert not fast(X)["scores"].requires_grad
    assert fast.variant == str(of_net.best())
