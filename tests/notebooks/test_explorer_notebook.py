"""The notebooks, executed headlessly by papermill as a user of papermill would."""

from __future__ import annotations

from pathlib import Path

import nbformat
import papermill
import pytest

FOLDER = Path(__file__).parents[2] / "notebooks"


@pytest.mark.notebook
@pytest.mark.worker
def test_the_explorer_notebook_runs_through_without_measuring_when_nobody_presses_run(tmp_path):
    done = papermill.execute_notebook(
        FOLDER / "00_explorer.ipynb",
        tmp_path / "out.ipynb",
        kernel_name="python3",
        store_widget_state=False,
        progress_bar=False,
        cwd=str(tmp_path),
    )
    (claims,) = [cell for cell in done.cells if "claims" in cell.metadata.tags]
    assert claims.outputs[0]["data"]["text/plain"] == "'0 variants checked'"


CELLS = (
    "import torch\nfrom torch import nn\nimport optkit",
    (
        "class Net(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.layer = nn.Linear(8, 8)\n"
        "    def forward(self, x: torch.Tensor) -> torch.Tensor:\n"
        "        return self.layer(x) if bool(x.sum() > 0) else x * 3"
    ),
    "c = optkit.compare(Net(), torch.ones(4, 8), ['torchscript:method=script'], budget_s=1, rounds=(1, 1))",
    "m = c.measurements['torchscript:method=script']\nassert (m.status, m.agreement) == ('ok', 'equal'), m.reason",
)


@pytest.mark.notebook
@pytest.mark.worker
def test_a_class_that_is_defined_in_a_cell_can_be_scripted(tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    nbformat.write(notebook, tmp_path / "cell.ipynb")
    done = papermill.execute_notebook(
        tmp_path / "cell.ipynb",
        tmp_path / "out.ipynb",
        kernel_name="python3",
        store_widget_state=False,
        progress_bar=False,
        cwd=str(tmp_path),
    )
    assert all(not cell.outputs for cell in done.cells)  # nothing that a worker says reaches a cell
