"""Which accelerators there are, learnt without importing torch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from optkit import accelerators


@pytest.mark.parametrize(
    ("version_file", "node", "cuda"),
    [
        ("cuda: Optional[str] = '12.8'\nhip: Optional[str] = None\n", "nvidia0", True),
        ("cuda: Optional[str] = '12.8'\n", None, False),
        ("cuda: Optional[str] = '12.8'\n", "nvidia3", True),
        ("cuda: Optional[str] = '12.8'\n", "nvidiactl", False),
        ("cuda: Optional[str] = None\n", "nvidia0", False),
        ("cuda: Optional[str] = None\nhip: Optional[str] = '6.2'\n", "kfd", True),
        ("__version__ = '2.13.0'\n", "nvidia0", False),
    ],
)
def test_an_accelerator_needs_both_a_build_for_it_and_a_device_node(version_file, node, cuda, tmp_path, monkeypatch):
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "version.py").write_text(version_file)

    class Spec:
        origin = str(tmp_path / "torch" / "__init__.py")

    def find(path):
        return tmp_path / "dev" if str(path) == "/dev" else Path(path)

    (tmp_path / "dev").mkdir()
    if node:
        (tmp_path / "dev" / node).touch()
    monkeypatch.setattr(accelerators.util, "find_spec", lambda _: Spec)
    monkeypatch.setattr(accelerators, "Path", find)
    assert accelerators.are_likely() is cuda


def test_accelerators_are_asked_of_the_drivers_tool(tmp_path, monkeypatch):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'A Card, 550.54, 81920'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert accelerators.ask_driver() == ({"name": "A Card", "driver": "550.54", "memory_bytes": 81920 * 2**20},)
    tool.write_text("#!/bin/sh\necho gibberish; exit 0\n")
    assert accelerators.ask_driver() == ()
    monkeypatch.setenv("PATH", "")
    assert accelerators.ask_driver() == ()


@pytest.fixture
def driver_tool(tmp_path, monkeypatch):
    """Return a function that puts a shell script in the place of the driver's own tool."""

    def put(script):
        tool = tmp_path / "nvidia-smi"
        tool.write_text(f"#!/bin/sh\n{script}\n")
        tool.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))

    return put


def test_the_generation_of_an_accelerator_is_told_where_the_driver_knows_it(driver_tool, environment):
    driver_tool("case $1 in *compute_cap) echo 'A Card, 570.1, 81920, 9.0'; echo 'Another, 570.1, 8192, 12.0';; esac")
    found = accelerators.ask_driver()
    assert [device["compute_capability"] for device in found] == ["9.0", "12.0"]
    assert replace(environment, accelerators=found).compute_capability == (9, 0)


@pytest.mark.parametrize(
    "script",
    [
        "case $1 in *compute_cap) echo 'Field is not valid'; exit 2;; *) echo 'A Card, 470.1, 81920';; esac",
        "case $1 in *compute_cap) echo 'A Card, 470.1, 81920, [N/A]';; *) exit 1;; esac",
    ],
)
def test_an_older_driver_is_asked_again_without_the_generation(script, driver_tool, environment):
    driver_tool(script)
    found = accelerators.ask_driver()
    assert found == ({"name": "A Card", "driver": "470.1", "memory_bytes": 81920 * 2**20},)
    assert replace(environment, accelerators=found).compute_capability is None


def test_without_accelerators_there_is_no_generation(environment):
    assert environment.compute_capability is None
