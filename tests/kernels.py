"""A kernel that runs a study and can be killed: a program that notes each event once it was shown."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
import os, sys
import optkit
from optkit import crew, scheduler
from optkit.study import Study

crew.SETTLE_SHARE = 0.0
shown = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
study = Study("tiny_cnn", ["eager+no_grad", "compile:backend=eager"], budget_s=float(sys.argv[2]), rounds=(6, 6))
for number, event in enumerate(study):
    os.write(shown, f"{number}\\n".encode())
"""


def start(folder: Path, budget_s: float = 20) -> subprocess.Popen[bytes]:
    """Start a study in a process of its own, with its own home and folder of temporary files below `folder`."""
    script, temporary = folder / "kernel.py", folder / "tmp"
    script.write_text(PROGRAM)
    temporary.mkdir(exist_ok=True)
    environ = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "TMPDIR": str(temporary),
        "OPTKIT_HOME": str(folder / "home"),
        "OPTKIT_LOCK": folder.name,
    }
    command = [sys.executable, str(script), str(folder / "shown"), str(budget_s)]
    return subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def count_shown(folder: Path) -> int:
    """Return how many events were shown."""
    path = folder / "shown"
    return path.read_text().count("\n") if path.exists() else 0
