"""What optkit keeps is its user's alone, whatever the umask, and of the environment it records what holds no secret."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from optkit import environment, fresh_process, kept, private, probe
from optkit.worker.endings import WorkerFailedError
from optkit.workload import Workload


@pytest.fixture
def open_to_all():
    """Let this process make files that everybody may write, unless it says otherwise."""
    before = os.umask(0)
    yield
    os.umask(before)


def rights(folder):
    return {str(path.relative_to(folder)): stat.S_IMODE(path.lstat().st_mode) for path in [folder, *folder.rglob("*")]}


def only_mine(folder):
    """Return the paths in a folder, and the folder, that others may read, write or enter."""
    return {name: oct(mode) for name, mode in rights(folder).items() if mode & 0o077}


@pytest.mark.usefixtures("open_to_all")
def test_what_is_kept_of_a_machine_is_private_whatever_the_umask(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "not" / "there"))
    files = private.folder(tmp_path / "files")
    private.write_bytes(files / "code.so", b"x")
    kept.save("key", {"a": 1}, files)
    kept.save("other", {"a": 1})
    assert kept.load("key") == kept.load("other") == {"a": 1}
    assert only_mine(tmp_path / "not") == {}


@pytest.mark.usefixtures("open_to_all")
@pytest.mark.parametrize("open_one", ["key", "home"])
def test_what_others_could_have_written_is_not_used(tmp_path, monkeypatch, open_one):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    kept.save("key", {"a": 1})
    home = tmp_path / "optkit" / "machine"
    (home if open_one == "home" else home / "key").chmod(0o777)
    assert kept.load("key") is None


@pytest.mark.usefixtures("open_to_all")
def test_a_model_is_packed_for_its_user_alone(tmp_path):
    Workload(Path, (1,)).pack(tmp_path)
    assert stat.S_IMODE((tmp_path / "workload").stat().st_mode) == 0o600


@pytest.mark.usefixtures("open_to_all")
def test_a_fresh_process_works_in_a_private_folder(tmp_path):
    task = {"do": "serve", "feed": str(tmp_path / "no such file")}
    with pytest.raises(WorkerFailedError, match="No such file"):
        fresh_process.run(task, tmp_path / "new" / "one", 60)
    assert {"task", "result", "printed", "tmp", "inductor"} <= rights(tmp_path / "new" / "one").keys()
    assert only_mine(tmp_path / "new") == {}


def test_a_header_that_lies_elsewhere_is_not_kept(tmp_path):
    assert probe._inside(f"{tmp_path}/a/b", tmp_path) == "a/b"
    assert probe._inside(f"{tmp_path}/../../etc", tmp_path) == ""


@pytest.mark.parametrize(("name", "value", "told"), [
    ("CXX", "/home/me/bin/g++ -O2", "g++ -O2"), ("LD_PRELOAD", "/home/me/a.so:/opt/b.so", "a.so b.so"),
    ("MALLOC_CONF", "prof_prefix:/home/me/x,narenas:2", "prof_prefix:x,narenas:2"),
    ("OMP_PLACES", "{0:4},{4:4}", "{0:4},{4:4}"), ("KMP_AFFINITY", "fine,compact,1,0", "fine,compact,1,0"),
    ("OMP_NUM_THREADS", "\x1b[31m4", r"\x1b[31m4"),
])  # fmt: skip
def test_of_an_allowed_variable_neither_folders_nor_what_a_terminal_obeys_is_recorded(name, value, told, monkeypatch):
    monkeypatch.setenv(name, value)
    assert environment.detect().variables[name] == told


def test_no_other_variable_is_recorded(monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    monkeypatch.setenv("HTTPS_PROXY", "http://me:hunter2@proxy")
    monkeypatch.setenv("TORCHINDUCTOR_SECRET", "hunter2")
    record = json.dumps(environment.detect().to_json())
    assert "hunter2" not in record
    assert "SECRET_TOKEN" not in record
    assert "TORCHINDUCTOR_SECRET" in record  # the name of what workers do not inherit
    assert not [
        name for name in environment.VARIABLES if any(word in name for word in ("TOKEN", "KEY", "PROXY", "SECRET"))
    ]


def test_of_the_compiler_its_name_is_recorded_and_not_in_whose_home_it_lies(environment):
    assert replace(environment, cxx_compiler="/home/me/bin/g++").to_json()["cxx_compiler"] == "g++"
