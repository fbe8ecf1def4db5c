"""Fixtures that several test modules use. Nothing here imports torch."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys

import pytest

from optkit.environment import Environment
from stub_studies import MARK as BEGUN

CPU = Environment(
    platform="Linux",
    cpu="a processor",
    cpus=8,
    cpu_quota=2.0,
    memory_bytes=8 * 2**30,
    cuda=False,
    cxx_compiler="g++",
    versions={
        "python": "3.12.1",
        "torch": "2.13.0",
        "onnx": "1.23.2",
        "onnxscript": "0.7.2",
        "onnxruntime": "1.32.0",
        "torchao": "0.18.0",
    },
    python_headers=True,
    cpu_flags=("avx512f", "avx512_bf16"),
)


@pytest.fixture(scope="session", autouse=True)
def _own_folders(tmp_path_factory):
    """What is learnt about the machine is learnt once for all tests, and from no earlier run; runs are kept apart."""
    with pytest.MonkeyPatch.context() as context:
        context.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        context.setenv("OPTKIT_HOME", str(tmp_path_factory.mktemp("home")))
        context.setenv("OPTKIT_LOCK", f"tests-{os.getpid()}")
        yield


@pytest.fixture
def environment():
    """Return a machine with two usable CPUs, a compiler and no accelerator."""
    return CPU


@pytest.fixture
def interruptible():
    """Have interrupts raised: a job in the background of a shell is started deaf to them."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def run_python(tmp_path):
    """Return a function that runs a program in a fresh interpreter and returns what it printed."""

    def run(code: str, limit_s: float = 120.0) -> str:
        script = tmp_path / "program.py"
        script.write_text(code)
        path = os.pathsep.join(entry for entry in sys.path if entry)
        done = subprocess.run(
            [sys.executable, str(script)],
            env=os.environ | {"PYTHONPATH": path},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=limit_s,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def chromium():
    """Return the path of Debian's Chromium; where it is missing, skip loudly, or fail in CI, which must not skip."""
    path = os.environ.get("OPTKIT_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        said = "Chromium is not installed, so the browser tests did not run: apt-get install chromium"
        pytest.fail(said) if os.environ.get("CI") else pytest.skip(said)
    return path


@pytest.fixture
def begun(tmp_path, monkeypatch):
    """Return a folder in which made-up studies leave a file when they begin; the history is empty."""
    monkeypatch.setenv("OPTKIT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv(BEGUN, str(tmp_path / "begun"))
    (tmp_path / "begun").mkdir()
    return tmp_path / "begun"
