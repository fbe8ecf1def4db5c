"""Start JupyterLab on the Explorer notebook."""

from __future__ import annotations

import os
import shutil
import sys
import webbrowser
from pathlib import Path
from typing import NoReturn

from optkit.errors import UsageError

EXPLORER = "00_explorer.ipynb"
COPY = Path("optkit-notebooks")
HIGHEST_PORT = 65535


def serve(port: int | None = None, *, browser: bool = True) -> NoReturn:
    """Become JupyterLab: this process ends here, so that Ctrl-C and SIGTERM reach the server itself.

    It listens on localhost only. Jupyter makes a token and prints the address that contains it where no browser can be
    opened. The flag that allows root is passed only to root.

    Raises
    ------
    UsageError
        If the port is not a port.
    """
    if port is not None and not 0 < port <= HIGHEST_PORT:
        raise UsageError(f"--port must be between 1 and {HIGHEST_PORT}, not {port}.")
    words = command(notebooks_folder(), port, browser=browser and can_open_browser())
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(words[0], words)  # noqa: S606 - no shell, by intention


def command(folder: Path, port: int | None, *, browser: bool) -> list[str]:
    """Return the command that starts JupyterLab."""
    words = [
        sys.executable, "-m", "jupyterlab",
        "--ip=127.0.0.1",
        f"--ServerApp.root_dir={folder}",
        f"--LabApp.default_url=/lab/tree/{EXPLORER}",
        "--ServerApp.answer_yes=True",  # one Ctrl-C ends it, without a question
        "--Application.log_level=WARN",  # at this level the address with the token is what remains
    ]  # fmt: skip
    if port is not None:
        words += [f"--port={port}", "--ServerApp.port_retries=0"]
    if not browser:
        words.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        words.append("--allow-root")
    return words


def can_open_browser() -> bool:
    """Whether there is a screen and a browser to open on it; a text browser would only take over the terminal."""
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return False
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True


def notebooks_folder() -> Path:
    """Return the folder with the notebooks: of a checkout as it is, of an installed wheel as a copy to write in."""
    checkout = Path(__file__).resolve().parents[2] / "notebooks"
    if (checkout / EXPLORER).exists():
        return checkout
    if not (COPY / EXPLORER).exists():
        shutil.copytree(Path(__file__).parent / "_notebooks", COPY, dirs_exist_ok=True)
    return COPY.resolve()
