"""The command line, mostly as a shell sees it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

import optkit
from optkit import cli
from optkit.comparison import Comparison
from optkit.rows import COLUMNS


def run(*arguments: str, limit_s: float = 300.0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "optkit", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=limit_s, check=False)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["compare", "resnet81"], "Did you mean resnet18"),
        (["compare", "tiny_cnn", "-v", "compil"], "Did you mean 'compile'"),
        (["compare", "tiny_cnn", "-v", "compile:speed=11"], "allowed are: backend"),
        (["compare", "tiny_cnn", "--budget", "0"], "budget_s must be a number above 0"),
        (["compare", "tiny_cnn", "--batch-size", "0"], "batch_size must be a whole number"),
        (["compare", "tiny_cnn", "--device", "gpu"], "device must be 'cpu'"),
        (["compare", "tiny_cnn", "--weights", "DEFAULT"], "no trained weights"),
        (["lab", "--port", "99999"], "--port must be between"),
    ],
)
def test_wrong_use_ends_in_one_sentence_and_exit_code_2(arguments, said):
    done = run(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stdout == ""


def test_an_unknown_option_or_command_is_wrong_use_too():
    assert run("compare", "tiny_cnn", "--speed", "11").returncode == 2
    assert run("fly").returncode == 2


def test_the_version_is_told():
    assert run("--version").stdout == f"optkit {optkit.__version__}\n"


def test_the_help_says_what_the_budget_covers():
    said = " ".join(run("compare", "--help").stdout.split())
    assert "no further round begins" in said
    assert "compiling is not cut short" in said


def test_variants_lists_engines_presets_and_what_cannot_run_here():
    said = run("variants").stdout
    for name in ("compile", "recommended", "compile:mode=max-autotune", "+no_grad"):
        assert name in said


@pytest.mark.parametrize(
    ("statuses", "ended", "code"),
    [
        (["ok", "ok"], "rounds", 0),
        (["ok", "failed"], "rounds", 1),
        (["ok", "skipped"], "budget", 0),
        (["ok"], "stopped", 130),
    ],
)
def test_the_exit_code_says_how_it_went(statuses, ended, code):
    class Measured:
        def __init__(self, status):
            self.status = status

    comparison = Comparison()
    comparison.measurements = {str(i): Measured(status) for i, status in enumerate(statuses)}
    comparison.ended_because = ended
    assert cli.exit_code(comparison) == code


@pytest.mark.worker
def test_compare_prints_one_json_document_to_stdout_and_the_rest_to_stderr():
    done = run("compare", "tiny_cnn", "-v", "compile:backend=aot_eager", "--budget", "15", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["schema"] == 1
    assert [row["variant"] for row in document["rows"]] == ["eager", "compile:backend=aot_eager"]
    for row in document["rows"]:
        assert list(row) == list(COLUMNS)
        assert row["status"] == "ok"
        assert row["first_call_s"] > 0
        assert row["median_s"] > 0
        assert row["speedup"] > 0
    assert "eager" in done.stderr


@pytest.mark.worker
def test_a_variant_that_fails_is_a_row_and_exit_code_1():
    done = run("compare", "tiny_cnn", "-v", "torchscript:path=no_such.ts,trust=true", "--budget", "10", "--json")
    assert done.returncode == 1
    baseline, failed = json.loads(done.stdout)["rows"]
    assert baseline["status"] == "ok"
    assert failed["status"] == "failed"
    assert failed["failed_phase"] == "prepare"
    assert "no_such.ts" in failed["reason"]


def test_an_option_that_inductor_does_not_have_is_wrong_use():
    done = run("compare", "tiny_cnn", "-v", "compile:options.no_such_option=true")
    assert done.returncode == 2
    assert "Inductor has no option 'no_such_option'" in done.stderr


@pytest.mark.worker
@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_ends_it_with_what_was_measured_and_exit_code_130():
    command = [sys.executable, "-m", "optkit", "compare", "tiny_cnn", "-v", "compile:backend=aot_eager", "--json"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    for line in process.stderr:
        if "first call" in line:
            break
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    document = json.loads(stdout)
    assert document["ended_because"] == "stopped"
    assert {row["status"] for row in document["rows"]} == {"stopped"}


@pytest.mark.slow
@pytest.mark.worker
def test_a_recipe_is_saved_after_comparing_and_verified_later(tmp_path):
    folder = str(tmp_path / "recipe")
    done = run("compare", "tiny_cnn", "-v", "torchscript", "--budget", "5", "--recipe", folder)
    assert done.returncode == 0, done.stderr
    assert "Recipe of " in done.stderr
    verified = run("verify", folder, "--budget", "5", "--json")
    assert verified.returncode in (0, 1), verified.stderr
    told = json.loads(verified.stdout)
    assert told["refused"] is None
    assert told["comparison"]["rows"][0]["variant"] == "eager"
    (tmp_path / "recipe" / "inputs.pt").write_bytes(b"altered")
    refused = run("verify", folder)
    assert (refused.returncode, len(refused.stdout.splitlines())) == (1, 1)
    assert "inputs.pt was altered" in refused.stdout


def test_a_folder_without_a_recipe_is_wrong_use(tmp_path):
    done = run("verify", str(tmp_path))
    assert done.returncode == 2
    assert "There is no recipe in" in done.stderr


@pytest.mark.parametrize("variant", ["compile:mode=max-autotune", "combined"])
def test_the_code_of_a_variant_or_pattern_is_printed_and_is_python(variant):
    done = run("code", "tiny_cnn", "-v", variant)
    assert done.returncode == 0, done.stderr
    compile(done.stdout, "code", "exec")


@pytest.mark.worker
def test_a_diagnosis_is_told_in_words_or_as_one_document():
    done = run("diagnose", "tiny_cnn", "-v", "compile:backend=eager", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["model"], told["findings"], told["evidence"]["graphs"]) == ("tiny_cnn", [], 1)
    assert run("diagnose", "tiny_cnn", "-v", "eager").returncode == 2


def test_a_symptom_is_printed_as_one_document():
    (told,) = json.loads(run("troubleshoot", "stalls", "--json").stdout)["symptoms"]
    assert told["name"] == "stalls"


@pytest.mark.parametrize("command", ["startup", "profile"])
def test_startup_and_profile_take_a_device(command):
    done = run(command, "tiny_cnn", "--device", "gpu")
    assert (done.returncode, done.stdout) == (2, "")
    assert "device must be 'cpu'" in done.stderr
