"""Do here what Binder does with `binder/`, in a clean virtual environment, and run the first notebook there.

``make binder`` clones the last commit, installs ``binder/requirements.txt`` and ``postBuild``, and through ``start``
executes 00 in smoke mode and serves JupyterLab on it. Two things differ from Binder: torch's builds
for CPUs come from the index that pip uses here, at the same versions, and Python is this one where the one that
``runtime.txt`` names is missing; both are said. So what the index in ``requirements.txt`` offers is not tried here.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
FIRST = "notebooks/00_explorer.ipynb"
PATIENCE_S = 120


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", type=Path, help="work in this new folder, and leave it")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="optkit-binder-") as name:
        folder = (chosen.keep or Path(name)).resolve()
        repository, environment = folder / "repository", folder / "environment"
        with step("clone the last commit"):
            run(["git", "clone", "--quiet", str(ROOT), str(repository)], cwd=ROOT)
        python = python_of(repository)
        with step(f"make an environment with {python}"):
            run([python, "-m", "venv", str(environment)], cwd=folder)
        outside = {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "VIRTUAL_ENV"}}
        environ = outside | {
            "PATH": f"{environment / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "OPTKIT_HOME": str(folder / "home"),
            "OPTKIT_LOCK": "binder",
        }
        with step("install binder/requirements.txt"):
            pip(environment, here(repository / "binder" / "requirements.txt"), environ)
        with step("binder/postBuild"):
            run(["binder/postBuild"], cwd=repository, environ=environ)
        with step(f"binder/start papermill {FIRST}"):
            execute(repository, folder / "executed.ipynb", environ)
        with step("binder/start jupyter lab, opened on 00"):
            serve(repository, environ)


@contextmanager
def step(name: str) -> Iterator[None]:
    """Say what is done, and how long it took."""
    print(f"{name} ...", flush=True)  # noqa: T201
    began = time.monotonic()
    yield
    print(f"    {time.monotonic() - began:.0f} s", flush=True)  # noqa: T201


def run(words: list[str], cwd: Path, environ: dict[str, str] | None = None) -> None:
    """Run a program; what it said is shown where it fails."""
    done = subprocess.run(words, cwd=cwd, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")


def python_of(repository: Path) -> str:
    """Return the Python of ``runtime.txt``, or this one."""
    version = (repository / "binder" / "runtime.txt").read_text(encoding="utf-8").strip().removeprefix("python-")
    named = shutil.which(f"python{version}")
    if named and subprocess.run([named, "-c", ""], check=False, capture_output=True).returncode == 0:
        return named
    print(f"python{version}, which runtime.txt names, is not here; with {sys.executable} instead.")  # noqa: T201
    return sys.executable


def here(requirements: Path) -> Path:
    """Write the requirements beside the original as pip takes them here: without the index, and without "+cpu"."""
    lines = [line for line in requirements.read_text(encoding="utf-8").splitlines() if "index-url" not in line]
    written = requirements.with_name("requirements-here.txt")
    written.write_text("\n".join(re.sub(r"\+cpu$", "", line) for line in lines) + "\n", encoding="utf-8")
    print("torch's builds come from the index that pip uses here.")  # noqa: T201
    return written


def pip(environment: Path, requirements: Path, environ: dict[str, str]) -> None:
    python = str(environment / "bin" / "python")
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(requirements)]
    run(install, cwd=requirements.parent, environ=environ)


def execute(repository: Path, output: Path, environ: dict[str, str]) -> None:
    """Run 00 as papermill does, and look whether it has checked its claims."""
    words = ["binder/start", "papermill", FIRST, str(output), "-p", "smoke", "True", "-k", "python3"]
    run(words, cwd=repository, environ=environ)
    cells = json.loads(output.read_text(encoding="utf-8"))["cells"]
    (claims,) = [cell for cell in cells if "claims" in cell["metadata"].get("tags", [])]
    said = "".join(claims["outputs"][0]["data"]["text/plain"])
    print(f"    it says {said}")  # noqa: T201
    if not re.fullmatch(r"'[1-9]\d* variants checked'", said):
        sys.exit("00 has measured nothing.")


def serve(repository: Path, environ: dict[str, str]) -> None:
    """Start JupyterLab as Binder does, and ask for the address that the badge leads to."""
    token, port = "replay", 8000 + os.getpid() % 1000
    words = ["binder/start", "jupyter", "lab", "--no-browser", "--ip=127.0.0.1", f"--port={port}"]
    words += [f"--IdentityProvider.token={token}", *(["--allow-root"] if os.geteuid() == 0 else [])]
    server = subprocess.Popen(words, cwd=repository, env=environ, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        address = f"http://127.0.0.1:{port}"
        page = ask(f"{address}/lab/tree/{FIRST}?token={token}")
        notebook = json.loads(ask(f"{address}/api/contents/{FIRST}?content=0&token={token}"))
    finally:
        server.terminate()
        server.wait(30)
    if b"jupyter-config-data" not in page or notebook["type"] != "notebook":
        sys.exit("JupyterLab did not open the notebook.")


def ask(url: str) -> bytes:
    """Return what a server answers, which may take a while to start."""
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return bytes(answer.read())
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.5)


if __name__ == "__main__":
    main()
