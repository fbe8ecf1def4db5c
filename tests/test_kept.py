"""What is kept between studies: it comes back as it was, or not at all."""

from __future__ import annotations

import os

import pytest

from optkit import environment, kept


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A cache folder of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "optkit" / "machine"


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "files"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "kernel.so").write_bytes(b"code")
    return folder


def test_what_was_kept_comes_back_with_its_files(files, tmp_path):
    kept.save("key", {"seconds": 4.5}, files)
    assert kept.load("key", tmp_path / "copy") == {"seconds": 4.5}
    assert (tmp_path / "copy" / "deep" / "kernel.so").read_bytes() == b"code"


def test_a_later_record_replaces_the_earlier(tmp_path):
    kept.save("key", {"n": 1})
    kept.save("key", {"n": 2})
    assert kept.load("key") == {"n": 2}


def test_what_is_not_there_is_none(tmp_path):
    assert kept.load("key", tmp_path / "copy") is None
    assert not (tmp_path / "copy").exists()


def test_a_damaged_file_is_not_used(files, home, tmp_path):
    kept.save("key", {}, files)
    (home / "key" / "files" / "deep" / "kernel.so").write_bytes(b"evil")
    assert kept.load("key", tmp_path / "copy") is None
    assert not (tmp_path / "copy").exists()


def test_a_file_that_was_added_is_not_used(files, home, tmp_path):
    kept.save("key", {}, files)
    (home / "key" / "files" / "more.so").write_bytes(b"evil")
    assert kept.load("key", tmp_path / "copy") is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"time_unix_s": "late"}'])
def test_a_record_that_makes_no_sense_is_not_used(home, text):
    kept.save("key", {})
    (home / "key" / "record.json").write_text(text)
    assert kept.load("key") is None


def test_what_others_may_write_in_is_not_used(home):
    kept.save("key", {})
    (home / "key").chmod(0o777)
    assert kept.load("key") is None


def test_what_is_too_old_is_not_used():
    kept.save("key", {})
    assert kept.load("key", at_most_s=-1) is None


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path, monkeypatch):
    (tmp_path / "a-file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a-file"))
    kept.save("key", {"n": 1})
    assert kept.load("key") is None


def test_the_folder_is_the_users_own(home):
    kept.save("key", {})
    assert home.stat().st_mode & 0o077 == 0
    assert home.stat().st_uid == os.getuid()


def test_another_purpose_has_another_key():
    here = environment.detect()
    assert kept.machine_key(here, "probe") == kept.machine_key(here, "probe")
    assert kept.machine_key(here, "probe") != kept.machine_key(here, "rates")
