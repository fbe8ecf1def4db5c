"""`optkit notebooks` with real kernels, down to the last process: tiny notebooks that pass, fail, leak and hang."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from processes import MARK, marked, wait_for, wait_until_gone

pytestmark = [pytest.mark.notebook, pytest.mark.worker]
HOLDS = "import tempfile\nheld = bytearray(30_000_000)\ntempfile.mkstemp()[1]"
LEAKS = (
    "import subprocess, sys\n"
    "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True).pid"
)
HANGS = "import subprocess, time\nsubprocess.Popen(['sleep', '601'], start_new_session=True)\ntime.sleep(600)"


def write(folder, name, *sources, tags=()):
    cells = [
        new_markdown_cell(f"# About {name}\n\nWords."),
        new_code_cell("value = 1\nsmoke = False", metadata={"tags": ["parameters"]}),
        *map(new_code_cell, sources),
        new_code_cell("f'value {value}, smoke {smoke}'", metadata={"tags": ["claims"]}),
    ]
    nbformat.write(new_notebook(cells=cells), folder / f"{name}.ipynb")
    return str(folder / f"{name}.ipynb")


@pytest.fixture
def mark(monkeypatch):
    """Return the mark that every process of a test inherits."""
    name = uuid.uuid4().hex
    monkeypatch.setenv(MARK, name)
    return name


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Return the folder in which temporary files are made."""
    folder = tmp_path / "t"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def run(folder, *arguments, limit_s=120.0):
    command = [sys.executable, "-m", "optkit", "notebooks", "--output", str(folder / "out"), *arguments]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=limit_s, check=False, stdin=subprocess.DEVNULL
    )


def rows(done):
    return {row["notebook"]: row for row in json.loads(done.stdout)["notebooks"]}


def test_after_a_failure_it_goes_on_ends_what_was_left_and_resumes_what_did_not_pass(tmp_path, mark, temporary):
    paths = [
        write(tmp_path, "passes", HOLDS),
        write(tmp_path, "fails", "import torch_that_is_not_there"),
        write(tmp_path, "leaks", LEAKS),
    ]
    before = [path.read_bytes() for path in sorted(tmp_path.glob("*.ipynb"))]
    settings = ["--smoke", "-p", "value", "7", "--json"]
    done = run(tmp_path, *paths, *settings, "--html", str(tmp_path / "gallery"))
    assert done.returncode == 1, done.stderr
    wait_until_gone(mark)
    assert list(temporary.iterdir()) == []
    assert [path.read_bytes() for path in sorted(tmp_path.iterdir()) if path.is_file()] == before

    told = rows(done)
    assert [row["status"] for row in told.values()] == ["passed", "failed", "passed"]
    assert (told["fails"]["cell"], told["fails"]["reason"][:20]) == (3, "ModuleNotFoundError:")
    assert told["leaks"]["left"] != []
    for row in told.values():
        assert row["peak_bytes"] > 20_000_000
        assert 0.1 < row["cpu_s"] < row["seconds"] * 10
        assert not row["is_lower_bound"]
    executed = nbformat.read(told["passes"]["output"], as_version=4)
    assert executed.cells[-1].outputs[0]["data"]["text/plain"] == "'value 7, smoke True'"
    assert (tmp_path / "gallery" / "notebooks" / "fails.html").exists()
    assert "About fails" in done.stderr

    write(tmp_path, "fails", "1")
    again = run(tmp_path, *paths, *settings, "--resume")
    assert again.returncode == 0, again.stderr
    assert [row["is_kept"] for row in rows(again).values()] == [True, False, True]


def test_what_prints_into_a_widget_runs_and_no_state_of_widgets_is_kept(tmp_path):
    cell = "import ipywidgets\nipywidgets.interact(lambda n: print('n is', n), n=(0, 9));"
    done = run(tmp_path, write(tmp_path, "plays", cell), "--json")
    assert done.returncode == 0, done.stdout
    executed = nbformat.read(rows(done)["plays"]["output"], as_version=4)
    assert "widgets" not in executed.metadata


def test_an_unknown_parameter_or_notebook_is_refused_before_any_runs(tmp_path):
    path = write(tmp_path, "passes")
    for arguments, said in [
        ([path, "-p", "valeu", "3"], "passes has no parameter valeu; it has value, smoke."),
        ([path, "nowhere"], "There is no notebook 'nowhere'; there are 00_explorer"),
    ]:
        done = run(tmp_path, *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert said in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_notebooks_are_listed_with_titles_and_parameters(tmp_path):
    path = write(tmp_path, "passes")
    (told,) = json.loads(run(tmp_path, path, "--list", "--json").stdout)["notebooks"]
    assert (told["title"], told["parameters"]) == ("About passes", {"value": "1", "smoke": "False"})
    said = run(tmp_path, "--list").stdout
    assert "Which settings should I use?" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_one_that_takes_too_long_is_ended_with_all_that_it_started(tmp_path, mark, temporary):
    done = run(tmp_path, write(tmp_path, "hangs", HANGS), "--limit", "6")
    assert done.returncode == 1
    assert "Cell [2]: It was ended after its limit of 6 s; --limit gives it more." in done.stdout
    wait_until_gone(mark)
    assert list(temporary.iterdir()) == []


@pytest.mark.slow
@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupt_keeps_what_is_done_and_nothing_survives_even_a_kill(tmp_path, mark, temporary, number):
    paths = [write(tmp_path, "hangs", HANGS)]
    if number == signal.SIGINT:
        paths = [write(tmp_path, "passes"), *paths, write(tmp_path, "later")]
    command = [sys.executable, "-m", "optkit", "notebooks", *paths, "--json"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
    )
    wait_for(lambda: any(b"601" in command_line(pid) for pid in marked(mark)), 60)
    os.kill(process.pid, number)
    stdout, _ = process.communicate(timeout=60)
    wait_until_gone(mark, 20)
    if number == signal.SIGINT:
        assert process.returncode == 130
        document = json.loads(stdout)
        assert document["is_interrupted"]
        assert [row["status"] for row in document["notebooks"]] == ["passed", "stopped", "not run"]
        assert (tmp_path / "optkit-notebooks-out" / "passes.ipynb").exists()
    assert list(temporary.iterdir()) == []


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.mark.slow
def test_a_kernel_that_dies_is_a_failure_of_its_cell(tmp_path, mark):
    began = time.monotonic()
    done = run(tmp_path, write(tmp_path, "dies", "import os\nos._exit(3)"), "--json")
    assert done.returncode == 1
    (row,) = rows(done).values()
    assert (row["status"], row["cell"]) == ("failed", 2)
    assert "died" in row["reason"].lower()
    assert time.monotonic() - began < 60
    wait_until_gone(mark)
