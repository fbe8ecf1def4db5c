"""A real study, seen from outside: its folders are its user's alone, no port is open, no secret is in what it tells."""

from __future__ import annotations

import contextlib
import json
import os
import stat
from pathlib import Path

import pytest

import optkit
from optkit.comparison import Comparison
from processes import marked

pytestmark = pytest.mark.worker
SECRET = "hunter2-d41d8cd98f"
TABLES = ("tcp", "tcp6", "udp", "udp6", "raw", "raw6")


def internet_sockets(pid):
    """Return what sockets of a process can be reached through a network, or reach one."""
    process, known, own = Path("/proc") / str(pid), set(), set()
    with contextlib.suppress(OSError):  # it has ended
        for table in TABLES:
            lines = (process / "net" / table).read_text().splitlines()[1:]
            known |= {f"socket:[{line.split()[9]}]" for line in lines}
        for path in (process / "fd").iterdir():
            with contextlib.suppress(OSError):  # it was closed
                own.add(str(path.readlink()))
    return own & known


def readable_by_others(folder):
    """Return the paths in a folder, and the folder, that anybody but its owner may read, write or enter."""
    found = {}
    for path in [folder, *folder.rglob("*")]:
        with contextlib.suppress(FileNotFoundError):  # gone meanwhile
            told = path.lstat()
            if not stat.S_ISLNK(told.st_mode) and told.st_mode & 0o077:
                found[str(path)] = oct(told.st_mode)
    return found


@pytest.fixture(scope="module")
def seen(mark, private, patch, tmp_path_factory):
    """Run a study where everybody may write what nobody protects, and look at it at each of its events."""
    patch.setenv("SECRET_TOKEN", SECRET)
    patch.setenv("HTTPS_PROXY", f"http://me:{SECRET}@proxy.invalid")
    before, mine = os.umask(0), internet_sockets(os.getpid())
    told = {"sockets": set(), "open": {}, "files": set(), "events": [], "processes": set()}
    try:
        study = optkit.Study("tiny_cnn", ["compile:backend=eager", "torchscript"], budget_s=120, rounds=(1, 2))
        for event in study:
            told["events"].append(event)
            pids = marked(mark)
            told["processes"] |= set(pids)
            told["sockets"] |= {one for pid in [*pids, os.getpid()] for one in internet_sockets(pid)} - mine
            for folder in private.glob("optkit-*"):
                told["open"] |= readable_by_others(folder)
                told["files"] |= {path.name for path in folder.rglob("*")}
        comparison = told["comparison"] = Comparison(told["events"])
        os.umask(before)
        told["recipe"] = comparison.save_recipe(tmp_path_factory.mktemp("made") / "recipe", "torchscript")
    finally:
        os.umask(before)
    return told


def test_every_file_and_folder_of_a_study_is_its_users_alone(seen):
    assert {"variant", "artifact", "model.ts", "reference", "inductor", "tmp"} <= seen["files"]
    assert seen["open"] == {}


def test_no_process_of_a_study_has_a_socket_that_a_network_reaches(seen):
    assert len(seen["processes"]) >= 4
    assert seen["sockets"] == set()


def test_a_socket_would_have_been_seen():
    import socket

    with socket.create_server(("127.0.0.1", 0)):
        assert internet_sockets(os.getpid())


def test_no_secret_of_the_environment_is_in_anything_that_a_study_tells_or_writes(seen):
    comparison = seen["comparison"]
    told = [json.dumps(event.to_json()) for event in seen["events"]]
    told += [comparison.to_json(), comparison.to_csv(), str(comparison._repr_mimebundle_()), comparison.code()]
    told.append(comparison.to_html(seen["recipe"].parent / "report.html") or "")
    folders = [seen["recipe"].parent, Path(os.environ["XDG_CACHE_HOME"]), Path(os.environ["OPTKIT_HOME"])]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 5
    assert not [one for one in told if SECRET in str(one)]
    assert not [str(path) for path in files if SECRET.encode() in path.read_bytes()]


def test_a_recipe_has_the_rights_of_the_users_other_files(seen):
    usual = 0o666 & ~(mask := os.umask(0o022))
    os.umask(mask)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in seen["recipe"].rglob("*") if path.is_file()}
    assert modes == {usual}
    assert stat.S_IMODE(seen["recipe"].stat().st_mode) == 0o777 & ~mask
