"""Fixtures for tests with real workers."""

from __future__ import annotations

import tempfile
import uuid

import pytest

from processes import MARK, marked, wait_until_gone


@pytest.fixture(scope="module")
def patch():
    with pytest.MonkeyPatch.context() as context:
        yield context


@pytest.fixture(scope="module")
def mark(patch):
    """Mark every process that the tests of a module start, and see to it that none outlives them."""
    name = uuid.uuid4().hex
    patch.setenv(MARK, name)
    assert marked(name) == []
    yield name
    wait_until_gone(name)


@pytest.fixture(scope="module")
def private(patch, tmp_path_factory):
    """Return the folder in which private folders are made during the tests of a module; none may remain there."""
    folder = tmp_path_factory.mktemp("private")
    patch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.glob("optkit-*")) == []


@pytest.fixture(scope="module")
def disabled(patch):
    """Set variables that would turn torch.compile off, in this process."""
    patch.setenv("TORCH_COMPILE_DISABLE", "1")
    patch.setenv("TORCHDYNAMO_DISABLE", "1")
