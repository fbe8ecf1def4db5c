"""Real JupyterLab and a real Chromium, for tests."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import nbformat

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from nbformat import NotebookNode


CHROMIUM_ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
PATIENCE_MS = 180_000
SETTINGS = {
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},  # cells out of sight are drawn as well
    "@jupyterlab/docmanager-extension/plugin": {"autosave": False},
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def environment(home: Path, theme: str = "JupyterLab Light", more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an environment in which Jupyter reads and writes below `home` only."""
    settings = SETTINGS | {"@jupyterlab/apputils-extension/themes": {"theme": theme}}
    for name, value in settings.items():
        path = home / "settings" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value))
    places = {
        "HOME": home, "JUPYTER_CONFIG_DIR": home / "config", "JUPYTER_DATA_DIR": home / "data",
        "JUPYTER_RUNTIME_DIR": home / "runtime", "JUPYTERLAB_SETTINGS_DIR": home / "settings",
        "JUPYTERLAB_WORKSPACES_DIR": home / "workspaces", "IPYTHONDIR": home / "ipython",
    }  # fmt: skip
    return dict(os.environ) | {name: str(path) for name, path in places.items()} | dict(more or {})


@contextlib.contextmanager
def jupyter_lab(
    folder: Path, home: Path, theme: str = "JupyterLab Light", more: Mapping[str, str] | None = None
) -> Iterator[tuple[str, str]]:
    """Serve `folder`; yield the address and the token. The server and its kernels have `more` in their environment."""
    token, port = secrets.token_hex(16), free_port()
    log = home / "server.log"
    home.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output:
        server = subprocess.Popen(
            [
                sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", f"--port={port}",
                "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}", "--allow-root",
                "--expose-app-in-browser", f"--ServerApp.root_dir={folder}",
            ],
            env=environment(home, theme, more), stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            address = f"http://127.0.0.1:{port}"
            wait_until_served(f"{address}/api/status?token={token}", server, log)
            yield address, token
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            try:
                server.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)


def wait_until_served(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(480):
        if server.poll() is not None:
            raise RuntimeError(f"The server ended:\n{log.read_text()}")
        with contextlib.suppress(OSError, urllib.error.URLError):
            urllib.request.urlopen(url, timeout=5).close()
            return
        time.sleep(0.25)
    raise TimeoutError(f"The server did not answer:\n{log.read_text()}")


class Lab:
    """A page on JupyterLab; it talks to the application, never to pixels of menus.

    Attributes
    ----------
    console_errors
        What the page wrote to its console as an error, and what was thrown in it and not caught.
    requests
        Addresses of all that the page asked for.
    """

    def __init__(self, page) -> None:
        self.page = page
        self.console_errors: list[str] = []
        self.requests: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: self.console_errors.append(str(error)))
        page.on("console", self._on_console)
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("websocket", lambda socket: self.requests.append(socket.url))

    def _on_console(self, message) -> None:
        if message.type == "error":
            self.console_errors.append(f"{message.text} ({message.location.get('url')})")

    def open(self, address: str, token: str, notebook: str, *, reset: bool = True) -> None:
        self.page.goto(
            f"{address}/lab/tree/{notebook}?{'reset&' if reset else ''}token={token}", wait_until="domcontentloaded"
        )
        self.wait_idle()

    def wait_idle(self) -> None:
        self.wait_ready()
        self.page.wait_for_function(
            "() => jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status === 'idle'"
        )

    def wait_ready(self) -> None:
        """Wait until the notebook is there with its kernel, which may be busy."""
        self.page.wait_for_function("() => window.jupyterapp?.shell.currentWidget?.context")
        self.page.evaluate(
            "async () => { const w = jupyterapp.shell.currentWidget; await jupyterapp.restored;"
            " await w.context.ready; await w.sessionContext.ready; }"
        )

    def command(self, name: str, **arguments) -> None:
        """Execute a command of the application."""
        self.page.evaluate(
            "async ([name, given]) => { await jupyterapp.commands.execute(name, given) }", [name, arguments]
        )

    def run_all(self) -> None:
        """Begin to run all cells; a cell can block for as long as it likes."""
        self.page.evaluate("() => { jupyterapp.commands.execute('notebook:run-all-cells') }")

    def notebook(self) -> NotebookNode:
        """Return the notebook as it stands in the page, with its outputs."""
        told = self.page.evaluate("() => JSON.stringify(jupyterapp.shell.currentWidget.context.model.toJSON())")
        return nbformat.reads(told, as_version=4)

    def wait_until_run(self, limit_ms: float) -> None:
        """Wait until the last cell with code has been run, or one has failed, and the kernel is idle."""
        self.page.wait_for_function(
            """() => {
                const widget = jupyterapp.shell.currentWidget;
                const cells = widget.context.model.toJSON().cells.filter(cell => cell.cell_type === 'code');
                const failed = cells.some(cell => cell.outputs.some(output => output.output_type === 'error'));
                const idle = widget.sessionContext.session?.kernel?.status === 'idle';
                return idle && (failed || cells.at(-1).execution_count !== null);
            }""",
            timeout=limit_ms,
            polling=500,
        )

    def blank_outputs(self) -> list[str]:
        """Return the outputs that take no room on the page."""
        return self.page.locator(".jp-OutputArea-output").evaluate_all(
            "all => all.filter(one => one.getBoundingClientRect().height < 2).map(one => one.outerHTML.slice(0, 300))"
        )

    def execute(self, code: str) -> None:
        """Run code in the notebook's kernel without a cell, which leaves the focus where it is."""
        self.page.evaluate(
            "code => jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute({ code }).done", code
        )

    def interrupt(self) -> None:
        """Press ■."""
        self.command("notebook:interrupt-kernel")

    def restart(self) -> None:
        """Restart the kernel, without the question that comes first."""
        self.page.evaluate("async () => { await jupyterapp.shell.currentWidget.sessionContext.restartKernel() }")
        self.wait_idle()

    def save(self) -> None:
        self.command("docmanager:save")

    def reload(self) -> None:
        self.page.reload(wait_until="domcontentloaded")
        self.wait_ready()

    def choose_theme(self, name: str) -> None:
        """Switch to another theme at run time: Light or Dark."""
        self.command("apputils:change-theme", theme=f"JupyterLab {name}")
        self.page.wait_for_function(
            "light => document.body.dataset.jpThemeLight === light", arg=str(name == "Light").lower()
        )

    def notebook_state(self) -> tuple[int, str, int]:
        """Return how many cells there are, whether one is edited, and which is the active one."""
        return tuple(
            self.page.evaluate(
                "() => { const n = jupyterapp.shell.currentWidget.content;"
                " return [n.model.cells.length, n.mode, n.activeCellIndex]; }"
            )
        )

    def cell_errors(self) -> list[str]:
        return self.page.locator(
            ".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.error']"
        ).all_inner_texts()
