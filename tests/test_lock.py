"""The lock names what is installed and required here, and nothing else."""

from __future__ import annotations

import importlib
import platform
from importlib import metadata

import pytest
from packaging.requirements import Requirement

from optkit import lock


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Return a function that makes a distribution look installed, with what it requires."""
    monkeypatch.syspath_prepend(tmp_path)

    def make(name: str, version: str, *requires: str) -> None:
        folder = tmp_path / f"{name.replace('-', '_')}-{version}.dist-info"
        folder.mkdir()
        lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
        lines += [f"Requires-Dist: {text}" for text in requires]
        (folder / "METADATA").write_text("\n".join([*lines, ""]))
        importlib.invalidate_caches()

    return make


def test_a_real_package_brings_what_it_requires():
    assert lock.lock(["Jinja2"]) == {
        "jinja2": metadata.version("jinja2"),
        "markupsafe": metadata.version("markupsafe"),
    }


def test_of_the_optional_dependencies_only_those_asked_for_are_followed():
    assert "onnx" not in lock.lock(["jinja2", "optkit"])
    assert {"torch", "numpy", "jinja2", "optkit"} <= lock.lock(["optkit"]).keys()


def test_markers_are_evaluated_here(install):
    install(
        "fake-a",
        "1.0",
        'fake-b; python_version >= "3.0"',
        'fake-c; python_version < "3.0"',
        "fake-d>=1 ; os_name != ''",
    )
    for name in ("fake-b", "fake-c", "fake-d"):
        install(name, "2.0")
    assert lock.lock(["fake-a"]) == {"fake-a": "1.0", "fake-b": "2.0", "fake-d": "2.0"}


def test_extras_in_a_requirement_are_followed_and_others_are_not(install):
    install("fake-a", "1", "fake-b[With_More]>=1")
    install(
        "fake-b", "1", 'fake-c; extra == "with-more"', 'fake-d; extra == "other"', 'fake-b[deep]; extra=="with-more"'
    )
    install("fake-c", "1")
    install("fake-d", "1")
    assert list(lock.lock(["fake-a"])) == ["fake-a", "fake-b", "fake-c"]
    assert list(lock.lock(["fake-b"])) == ["fake-b"]
    assert list(lock.lock(["fake-b[other]"])) == ["fake-b", "fake-d"]


def test_an_extra_that_asks_for_other_extras_of_the_same_package(install):
    install("fake-a", "1", 'fake-a[x,y]; extra == "all"', 'fake-b; extra == "x"', 'fake-c; extra == "y"')
    install("fake-b", "1")
    install("fake-c", "1")
    assert list(lock.lock(["fake-a[all]"])) == ["fake-a", "fake-b", "fake-c"]


def test_circles_end(install):
    install("fake-a", "1", "fake-b")
    install("fake-b", "1", "fake-a")
    assert lock.lock(["fake-b", "fake-a"]) == {"fake-a": "1", "fake-b": "1"}


def test_what_is_missing_or_makes_no_sense_is_left_out(install):
    install("fake-a", "1", "fake-missing>=3", "fake-b (>=oddly", "fake-b; 'x' == 'x'", "fake-c")
    install("fake-b", "1")
    install("fake-c", "1")
    assert lock.lock(["fake-a", "fake-gone"]) == {"fake-a": "1", "fake-c": "1"}
    assert lock.lock([]) == {}


def test_names_are_canonical_and_sorted(install):
    install("Fake.B_b", "1")
    install("fake-a", "1", "FAKE_b.B")
    assert list(lock.lock(["Fake_A"])) == ["fake-a", "fake-b-b"]


def test_a_requirements_file_has_no_local_labels(install):
    install("fake-torch", "2.13.0+cpu")
    locked = lock.lock(["fake-torch"])
    assert locked == {"fake-torch": "2.13.0+cpu"}
    text = lock.requirements({"z": "1!2.0rc1"} | locked)
    assert text == f"# made with Python {platform.python_version()}\nfake-torch==2.13.0\nz==1!2.0rc1\n"
    assert [str(Requirement(line)) for line in text.splitlines()[1:]] == ["fake-torch==2.13.0", "z==1!2.0rc1"]


def test_an_empty_lock_still_says_which_python():
    assert lock.requirements({}) == f"# made with Python {platform.python_version()}\n"


def test_what_was_installed_from_a_folder_is_a_comment_for_no_index_need_have_it():
    assert "# installed here from a folder or file: optkit==" in lock.requirements({"optkit": "0.1.0"})
    assert "\njinja2==3" in lock.requirements({"jinja2": "3"})
