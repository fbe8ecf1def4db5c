"""The doctor: what can run here, why not, and what is worth measuring."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from dataclasses import replace

import pytest
from rich.console import Console

from optkit import cli, doctor
from optkit.advice import ONNX
from optkit.doctor import NO_TORCH, examine, show
from optkit.engines import ENGINES
from optkit.seen import Seen
from optkit.variant import Variant

SEEN = Seen(memory_available_bytes=6 * 10**9, machine_cpus=8, temp_free_bytes=50 * 10**9, ipykernel="7.1.0")


@pytest.fixture
def environment(environment):
    """Return a machine without extras, and without units for half precision."""
    versions = {name: environment.versions[name] for name in ("python", "torch")}
    return replace(environment, versions=versions, cpu_flags=())


@pytest.fixture
def without_compiler(environment):
    return examine(replace(environment, cxx_compiler=""), SEEN)


@pytest.fixture
def without_torch(environment):
    return examine(replace(environment, versions={"python": "3.12.1"}), SEEN)


def printed(examination, *, terminal=False, width=100) -> str:
    out = io.StringIO()
    show(examination, Console(file=out, force_terminal=terminal, width=width, color_system=None))
    return out.getvalue()


def test_every_engine_and_every_variant_of_a_preset_is_asked_whether_it_can_run(environment):
    found = examine(environment, SEEN)
    assert list(found.engines) == list(ENGINES)
    assert found.engines["compile"] is None
    assert found.variants["compile:mode=max-autotune"].can_run
    assert found.variants["compile:mode=reduce-overhead"].problems != ()


def test_an_engine_that_cannot_run_says_why(without_compiler):
    assert without_compiler.engines["eager"] is None
    assert "install g++" in without_compiler.engines["compile"]
    assert not without_compiler.variants["compile:mode=max-autotune"].can_run


def test_without_torch_nothing_can_run_and_nothing_is_recommended(without_torch):
    assert set(without_torch.engines.values()) == {NO_TORCH}
    assert without_torch.recommended == ()
    assert not without_torch.can_measure
    assert "Nothing can be measured here; missing: torch" in printed(without_torch)


def test_the_document_holds_the_machine_the_findings_the_advice_and_the_engines(without_compiler, environment):
    document = json.loads(without_compiler.to_json())
    assert document["schema"] == 1
    assert document["environment"] == json.loads(json.dumps(replace(environment, cxx_compiler="").to_json()))
    assert {"name", "status", "said", "remedy"} == set(document["findings"][0])
    assert {"variant", "reason"} == set(document["recommended"][0])
    assert document["engines"]["eager"] == {"can_run": True, "reason": None}
    assert document["engines"]["compile"]["can_run"] is False
    assert {"variant", "can_run", "problems"} == set(document["variants"][0])


CARD = {"name": "A Card", "driver": "570.1", "memory_bytes": 80 * 10**9}
UNUSUAL = [
    {"cpu_flags": ("amx_bf16",), "versions": {"python": "3.12.1", "torch": "2.13.0"} | dict.fromkeys(ONNX, "1.24")},
    {"cxx_compiler": ""},
    *({"cuda": True, "accelerators": (CARD | {"compute_capability": c},)} for c in ("6.1", "7.5", "9.0")),
]


@pytest.mark.parametrize("here", UNUSUAL)
def test_what_is_recommended_is_written_as_a_variant_writes_itself_and_can_run(here, environment):
    found = examine(replace(environment, **here), SEEN)
    assert [str(Variant.parse(advice.variant)) for advice in found.recommended] == [
        advice.variant for advice in found.recommended
    ]
    assert all(found.variants[advice.variant].problems == () for advice in found.recommended)


@pytest.mark.parametrize("terminal", [True, False])
def test_people_read_the_findings_with_remedies_the_advice_and_what_cannot_run(terminal, without_compiler):
    said = " ".join(printed(without_compiler, terminal=terminal).split())
    assert "missing C++ compiler" in said
    assert "→ Install g++" in said
    assert 'pip install "optkit[onnx]"' in said
    assert without_compiler.recommended[0].variant in said
    assert said.count("Inductor needs a C++ compiler on a CPU") == 1
    assert "compile:mode=reduce-overhead mode=reduce-overhead is CUDA graphs" in said
    assert "Studies can run here; missing: torchvision, C++ compiler" in said
    assert said.endswith("warning: CPU quota.")


def test_without_a_terminal_there_is_no_control_sequence(environment):
    assert "\x1b" not in printed(examine(environment, SEEN))


def test_what_is_said_is_not_read_as_markup(environment):
    strange = replace(environment, cpu="a [bold]processor[/bold]")
    assert "a [bold]processor[/bold]" in printed(examine(strange, SEEN))


def test_the_examination_imports_neither_torch_nor_anything_else_that_is_slow(run_python):
    said = run_python(
        "import sys\nfrom optkit import doctor\ndoctor.examine().to_json()\n"
        "print({'torch', 'numpy', 'pandas', 'rich', 'IPython'} & set(sys.modules))"
    )
    assert said == "set()\n"


def test_the_command_prints_one_document_and_nothing_else():
    command = [sys.executable, "-m", "optkit", "doctor", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert list(json.loads(done.stdout)) == [
        "schema", "environment", "findings", "recommended", "engines", "variants",
    ]  # fmt: skip


@pytest.mark.parametrize(("torch", "code"), [(True, 0), (False, 1)])
def test_the_exit_code_is_1_only_where_nothing_can_be_measured(torch, code, environment, without_torch, monkeypatch):
    found = examine(replace(environment, cxx_compiler=""), SEEN) if torch else without_torch
    monkeypatch.setattr(doctor, "examine", lambda: found)
    monkeypatch.setattr(sys, "argv", ["optkit", "doctor"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == code
