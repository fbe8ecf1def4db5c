"""The tutorials, executed by `optkit notebooks --smoke` with papermill: what they show, and what they take."""

from __future__ import annotations

import json
import subprocess
import sys

import nbformat
import pytest

from notebooks.tutorials import TUTORIALS, blanks, in_tables, pictures

pytestmark = [pytest.mark.notebook, pytest.mark.worker]

QUICK = {"00", "01", "11", "15", "17"}
"""What `make test` runs; `make test-all` runs all."""
MOST_BYTES = 1.8e9
"""Binder ends a session above 2 GB."""
MOST_CPU_S = 3600
"""Of all together; what Binder grants in a session."""
SHOWN = {
    "00": ["eager", "compile:backend=aot_eager", "torchscript"],
    "01": ["eager", "compile:backend=aot_eager"],
    "02": ["eager", "compile:backend=eager", "compile:backend=aot_eager", "compile"],
    "03": ["eager", "compile", "compile:mode=reduce-overhead"],
    "04": ["eager", "eager+grad", "eager+no_grad", "compile:backend=aot_eager+compiled_in=no_grad"],
    "05": ["compile:backend=aot_eager,dynamic=true", "compile:backend=aot_eager,dynamic=false"],
    "06": ["eager", "compile:backend=aot_eager"],
    "07": ["eager", "torchscript", "torchscript:compile=true", "compile"],
    "08": ["eager", "onnxruntime", "onnxruntime:opset=14"],
    "09": ["eager", "aotinductor", "compile"],
    "10": ["eager", "eager+bfloat16", "eager+autocast", "eager+channels_last", "eager+int8"],
    "11": ["eager", "compile:backend=eager", "compile", "torchscript", "torchscript:compile=true"],
    "12": ["eager", "compile", "compile:freezing=true"],
    "13": ["eager", "compile:backend=eager", "compile:backend=aot_eager"],
    "14": ["eager", "eager+no_grad", "torchscript", "torchscript:compile=true", "aotinductor"],
    "15": ["eager", "eager+threads=1"],
    "16": ["eager", "compile:backend=aot_eager"],
    "17": ["eager", "eager+no_grad", "torchscript"],
}
"""The variants that stand in a tutorial's tables."""

used: dict[str, float] = {}


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, id=path.stem, marks=[] if path.name[:2] in QUICK else pytest.mark.slow) for path in TUTORIALS],
)
def test_a_tutorial_holds_its_claims_and_shows_tables_and_pictures(path, tmp_path):
    words = [sys.executable, "-m", "optkit", "notebooks", path.stem, "--smoke", "--json", "--output", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    (told,) = json.loads(done.stdout)["notebooks"]
    assert (told["status"], told["reason"]) == ("passed", None)
    assert told["left"] == []
    assert told["peak_bytes"] < MOST_BYTES
    used[path.stem] = told["cpu_s"]
    executed = nbformat.read(told["output"], as_version=4)
    assert set(SHOWN[path.name[:2]]) <= in_tables(executed)
    assert pictures(executed) > 0
    assert blanks(executed) == []


@pytest.mark.slow
def test_all_tutorials_together_take_less_than_an_hour_of_a_processor():
    if set(used) != {path.stem for path in TUTORIALS}:
        pytest.skip("Not all tutorials have been run by this process.")
    assert sum(used.values()) < MOST_CPU_S
