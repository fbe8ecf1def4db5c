"""`optkit lab`, down to a JupyterLab that serves the Explorer."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from browser.jupyter import environment, free_port
from optkit import lab


def test_root_is_allowed_only_to_root(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert "--allow-root" in lab.command(Path("somewhere"), None, browser=True)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "--allow-root" not in lab.command(Path("somewhere"), None, browser=True)


def test_one_interrupt_ends_it_without_a_question():
    assert "--ServerApp.answer_yes=True" in lab.command(Path("somewhere"), None, browser=False)


def test_it_becomes_jupyterlab_so_that_signals_reach_the_server(monkeypatch):
    became = []
    monkeypatch.setattr(os, "execv", lambda path, words: became.append((path, words)))
    lab.serve(8899, browser=False)
    ((path, words),) = became
    assert path == sys.executable
    assert words == lab.command(lab.notebooks_folder(), 8899, browser=False)


def test_it_listens_on_localhost_and_on_the_port_given():
    words = lab.command(Path("somewhere"), 8899, browser=False)
    assert {"--ip=127.0.0.1", "--port=8899", "--ServerApp.port_retries=0", "--no-browser"} <= set(words)


def test_no_browser_opens_without_a_screen(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    assert not lab.can_open_browser()


def test_a_checkout_serves_its_own_notebooks():
    assert (lab.notebooks_folder() / lab.EXPLORER).exists()


def test_an_installed_wheel_serves_a_copy_that_is_not_overwritten(tmp_path, monkeypatch):
    package = tmp_path / "site" / "optkit"
    (package / "_notebooks").mkdir(parents=True)
    (package / "_notebooks" / lab.EXPLORER).write_text("{}")
    monkeypatch.setattr(lab, "__file__", str(package / "lab.py"))
    monkeypatch.chdir(tmp_path)
    folder = lab.notebooks_folder()
    assert folder == tmp_path / "optkit-notebooks"
    (folder / lab.EXPLORER).write_text("mine")
    assert (lab.notebooks_folder() / lab.EXPLORER).read_text() == "mine"


def answered(url: str, patience_s: float = 60.0):
    """Return what the server answers; the address is printed a moment before it listens."""
    until = time.monotonic() + patience_s
    while True:
        try:
            with urllib.request.urlopen(url, timeout=patience_s) as answer:
                return json.load(answer)
        except urllib.error.URLError as error:
            if isinstance(error, urllib.error.HTTPError) or time.monotonic() > until:
                raise
            time.sleep(0.2)


@pytest.mark.worker
def test_it_serves_the_explorer_prints_its_address_and_frees_the_port_on_sigterm(tmp_path):
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "optkit", "lab", "--port", str(port), "--no-browser"],
        env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        said = ""
        for line in process.stdout:
            said += line
            if found := re.search(rf"http://127\.0\.0\.1:{port}/lab/tree/00_explorer\.ipynb\?token=\w+", said):
                break
        else:
            pytest.fail(said)
        url = found[0].replace("/lab/tree/", "/api/contents/")
        assert answered(url)["name"] == "00_explorer.ipynb"
        process.terminate()
        process.wait(30)
        with socket.socket() as again:
            again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            again.bind(("127.0.0.1", port))
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
