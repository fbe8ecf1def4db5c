"""Notebooks that were written for a study, executed headlessly by papermill: they measure it again."""

from __future__ import annotations

import importlib
import json
import sys

import nbformat
import papermill
import pytest
import torch

import optkit
from optkit.study_notebook import notebook

pytestmark = [pytest.mark.notebook, pytest.mark.worker]
SHORT = {"budget_s": 5, "rounds": [3, 4]}


def executed(content: str, folder, **parameters) -> nbformat.NotebookNode:
    (folder / "saved.ipynb").write_text(content, encoding="utf-8")
    done = papermill.execute_notebook(
        folder / "saved.ipynb",
        folder / "out.ipynb",
        parameters=parameters,
        store_widget_state=False,
        progress_bar=False,
        cwd=str(folder),
    )
    nbformat.validate(nbformat.read(folder / "out.ipynb", as_version=4))
    assert "widget" not in json.dumps(done.metadata)
    return done


def shown(done: nbformat.NotebookNode, source: str) -> dict:
    """Return what the cell with this source, or tag, shows."""
    (cell,) = [cell for cell in done.cells if cell.source == source or source in cell.metadata.tags]
    (output,) = cell.outputs
    return output.get("data", output)


def check_shown(done: nbformat.NotebookNode, *variants: str) -> None:
    page = shown(done, "comparison")["text/html"]
    table = shown(done, "comparison.to_frame()")["text/html"]
    for variant in ("eager", *variants):
        assert f">{variant}</th>" in page or f">{variant}</td>" in page
        assert f"<td>{variant}</td>" in table
    count = len(variants) + 1
    assert shown(done, "claims")["text/plain"] == f"'{count} of {count} variants were measured'"
    assert "import torch" in shown(done, "print(comparison.code())")["text"]


def test_papermill_measures_what_its_parameters_say(tmp_path):
    settings = {"model": "tiny_cnn", "batch_size": 1, "variants": ["compile"], "budget_s": 120.0, "rounds": (20, 30)}
    content = notebook(settings, None, None)
    done = executed(content, tmp_path, variants=["compile:backend=eager"], batch_size=2, seed=3, **SHORT)
    check_shown(done, "compile:backend=eager")
    measured = optkit.load().started
    plan = measured.plan
    assert (plan["budget_s"], plan["rounds"], plan["seed"], measured.workload["batch_size"]) == (5, [3, 4], 3, 2)


@pytest.mark.slow
def test_a_model_of_the_users_own_is_built_and_measured_from_any_folder(tmp_path, monkeypatch):
    (tmp_path / "code").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "code" / "their_own_net.py").write_text(
        "from torch import nn\n"
        "class TheirNet(nn.Module):\n"
        "    def __init__(self, width=4):\n"
        "        super().__init__()\n"
        "        self.layer = nn.Linear(width, width)\n"
        "        self.width = width\n"
        "    def forward(self, x):\n"
        "        return self.layer(x).relu()\n"
    )
    monkeypatch.syspath_prepend(tmp_path / "code")
    importlib.invalidate_caches()
    model = importlib.import_module("their_own_net").TheirNet(16)
    try:
        variants = ["compile:backend=eager"]
        workload = optkit.Workload(model, torch.ones(8, 16))
        comparison = optkit.compare(workload, variants=variants, budget_s=2, rounds=(1, 1))
        content = notebook({"variants": variants, **SHORT}, workload, comparison)
        done = executed(content, tmp_path / "elsewhere")
    finally:
        del sys.modules["their_own_net"]
    check_shown(done, "compile:backend=eager")
    assert "Changed since: `budget_s`, `rounds`." in done.cells[0].source
    measured = optkit.load()
    assert measured.run_id != comparison.run_id
    assert measured.started.workload["model"] == "TheirNet"
    assert measured.started.workload["inputs"] == ["8×16 float32"]


@pytest.mark.slow
def test_without_a_model_nothing_is_measured(tmp_path):
    with pytest.raises(papermill.PapermillExecutionError, match="Put the model of this notebook here: model = "):
        executed(notebook({"variants": ["compile"]}, None, None), tmp_path)
