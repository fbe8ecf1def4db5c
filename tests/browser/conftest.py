"""One JupyterLab and one Chromium for all tests of a file; for each test a notebook, a kernel and a page of its own."""

from __future__ import annotations

import itertools
import json
import os
import secrets
import shutil
import urllib.request
from typing import TYPE_CHECKING, Any, NamedTuple

import nbformat
import pytest
from playwright.sync_api import expect, sync_playwright

from browser.jupyter import CHROMIUM_ARGUMENTS, Lab, jupyter_lab
from processes import MARK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from nbformat import NotebookNode
    from playwright.sync_api import BrowserContext

KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}
WIDE = {"width": 1380, "height": 1100}
expect.set_options(timeout=60_000)  # for hangs and no measure: other tests use this machine as well


class Server(NamedTuple):
    """A JupyterLab that serves `folder`; `mark` is in the environment of all its processes, see `processes`."""

    address: str
    token: str
    folder: Path
    mark: str

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Use the server's own interface."""
        request = urllib.request.Request(
            f"{self.address}/api/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {self.token}"},
        )
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.loads(answer.read() or "null")


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the path of Debian's Chromium; where it is missing, skip loudly, or fail in CI, which must not skip."""
    path = os.environ.get("OPTKIT_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        said = "Chromium is not installed, so the browser tests did not run: apt-get install chromium"
        pytest.fail(said) if os.environ.get("CI") else pytest.skip(said)
    return path


@pytest.fixture(scope="module", autouse=True)
def history(tmp_path_factory) -> Iterator[Path]:
    """Give each file a history of its own: a page shows only the latest runs, and other tests make many."""
    with pytest.MonkeyPatch.context() as patched:
        folder = tmp_path_factory.mktemp("history")
        patched.setenv("OPTKIT_HOME", str(folder))
        yield folder


@pytest.fixture(scope="module")
def kernel_environment() -> dict[str, str]:
    """Return what a file's kernels shall have in their environment besides; for files to override."""
    return {}


@pytest.fixture(scope="module")
def server(tmp_path_factory, history, kernel_environment) -> Iterator[Server]:
    root, mark = tmp_path_factory.mktemp("jupyter"), secrets.token_hex(8)
    (root / "notebooks").mkdir()
    with jupyter_lab(root / "notebooks", root / "home", more={MARK: mark} | kernel_environment) as (address, token):
        yield Server(address, token, root / "notebooks", mark)


@pytest.fixture(scope="module")
def context(chromium, server) -> Iterator[BrowserContext]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        context = browser.new_context(viewport=WIDE)
        context.grant_permissions(["clipboard-read", "clipboard-write"], origin=server.address)
        yield context
        browser.close()


_numbers = itertools.count()


@pytest.fixture
def open_notebook(server, context) -> Iterator[Callable[..., Lab]]:
    """Return a function that opens a notebook with the given cells, or a whole `notebook`, in a page, and runs it.

    Once the test is over the kernel is shut down, and the page must have had no errors (a test that expects some sets
    `Lab.console_errors` to an empty list), and must have asked nothing of any other server.
    """
    opened: list[tuple[Lab, str]] = []

    def open_one(*cells: str, notebook: NotebookNode | None = None, run: bool = True) -> Lab:
        name = f"notebook-{next(_numbers)}.ipynb"
        made = notebook or nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(one) for one in cells], metadata={"kernelspec": KERNEL}
        )
        nbformat.write(made, server.folder / name)
        # The kernel starts while the page loads, which takes it another second or two.
        asked = {"path": name, "name": name, "type": "notebook", "kernel": {"name": "python3"}}
        session = server.ask("POST", "sessions", asked)["id"]
        lab = Lab(context.new_page())
        opened.append((lab, session))
        lab.open(server.address, server.token, name)
        if run:
            lab.run_all()
        return lab

    yield open_one
    for lab, session in opened:
        lab.page.close()
        server.ask("DELETE", f"sessions/{session}")
    assert [error for lab, _ in opened for error in lab.console_errors] == []
    own = (f"{server.address}/", f"{server.address.replace('http', 'ws')}/", "data:", "blob:")
    assert [url for lab, _ in opened for url in lab.requests if not url.startswith(own)] == []
