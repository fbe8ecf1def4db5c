"""What Binder installs is what optkit needs, at the versions that it is tested with."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
BINDER = ROOT / "binder"


def canonical(requirement: str) -> str:
    return re.split(r"[\s<>=!~;\[]", requirement, maxsplit=1)[0].lower().replace("_", "-")


def lines(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines() if line and not line.startswith("#")]


def test_binder_installs_all_that_optkit_needs_with_onnx_and_quantization():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    needed = {canonical(one) for one in [*project["dependencies"], *extras["onnx"], *extras["quant"]]}
    listed = [line for line in lines(BINDER / "requirements.txt") if not line.startswith("-")]
    assert {canonical(one) for one in listed} == needed
    pinned = {canonical(line) for line in lines(ROOT / "constraints.txt")}
    assert needed <= pinned


def test_torch_is_the_build_for_cpus_at_the_version_that_is_tested():
    pinned = {canonical(line): line for line in lines(ROOT / "constraints.txt")}
    listed = lines(BINDER / "requirements.txt")
    for name in ("torch", "torchvision"):
        assert f"{pinned[name]}+cpu" in listed
    assert "-c ../constraints.txt" in listed
    assert "--extra-index-url https://download.pytorch.org/whl/cpu" in listed
    assert (BINDER / "runtime.txt").read_text() == "python-3.12\n"


def test_its_programs_can_be_run_and_start_passes_on_what_it_is_given():
    for name in ("postBuild", "start"):
        assert os.access(BINDER / name, os.X_OK)
    assert lines(BINDER / "postBuild")[-1] == "python -m pip install --no-cache-dir --no-deps -e ."
    start = (BINDER / "start").read_text()
    assert start.rstrip().endswith('exec "$@"')
    done = subprocess.run(
        [BINDER / "start", "printenv", "OMP_NUM_THREADS"], capture_output=True, text=True, check=True,
        env={key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
        | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
    )  # fmt: skip
    assert 1 <= int(done.stdout) <= os.cpu_count()
