"""Every tutorial, opened in real JupyterLab and run from top to bottom, in smoke mode."""

from __future__ import annotations

import nbformat
import pytest

from optkit import lab
from optkit.tutorials import executed, finding

pytestmark = [pytest.mark.browser, pytest.mark.notebook, pytest.mark.worker, pytest.mark.slow]

LIMIT_MS = 480_000
TUTORIALS = sorted(lab.notebooks_folder().glob(finding.PATTERN))


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_runs_from_top_to_bottom_in_jupyterlab(open_notebook, path):
    notebook = nbformat.read(path, as_version=4)
    (parameters,) = [cell for cell in notebook.cells if finding.PARAMETERS in cell.metadata.get("tags", [])]
    parameters.source += "\nsmoke = True"
    page = open_notebook(notebook=notebook)
    page.wait_until_run(LIMIT_MS)
    assert page.cell_errors() == []
    assert executed.failure(page.notebook()) is None
    assert page.blank_outputs() == []
