"""Other ipykernels that optkit allows: a study's thread updates the widgets there as well."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from playwright.sync_api import expect

from browser.flows import choose_run_reload_and_stop, interrupt_a_cell_that_waits

pytestmark = [pytest.mark.browser, pytest.mark.worker, pytest.mark.slow]

VERSIONS = ("6.29.5", "7.1.0")
NEEDED = "nest-asyncio"  # by these and not by later ones; all else is there already


@pytest.fixture(scope="module", params=VERSIONS)
def version(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def kernel_environment(version, tmp_path_factory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("ipykernel")
    done = subprocess.run(
        [
            sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
            "--target", str(folder), f"ipykernel=={version}", NEEDED,
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        said = f"pip could not get ipykernel {version}, so it was not tried: {done.stderr[-500:]}"
        pytest.fail(said) if os.environ.get("CI") else pytest.skip(said)
    return {"PYTHONPATH": os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))}


@pytest.fixture(autouse=True)
def _is_this_version(version, open_notebook):
    lab = open_notebook("import ipykernel\n\nipykernel.__version__")
    expect(lab.page.locator(".jp-OutputArea-output")).to_have_text(f"'{version}'")


def test_a_person_chooses_runs_watches_and_stops_with_another_kernel(open_notebook):
    choose_run_reload_and_stop(open_notebook)


def test_an_interrupt_ends_a_study_with_another_kernel(open_notebook):
    interrupt_a_cell_that_waits(open_notebook)
