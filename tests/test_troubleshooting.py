"""Troubleshooting by symptom: what it says names things that are there, and the page is what the script writes."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
from pathlib import Path

import pytest

import optkit
from optkit.comparison import COLUMNS
from optkit.errors import UsageError
from optkit.symptoms import SYMPTOMS
from optkit.troubleshooting import troubleshoot
from optkit.variant import PRESET_NAMES, Variant
from optkit.verdicts import Doubt

ROOT = Path(__file__).parents[1]
FUNCTIONS = {*optkit.__all__, "diagnose", "replay_shapes", "startup_matrix", "profile", "troubleshoot"}
PROOFS = [pytest.param(proof, id=f"{one.name}-{n}") for one in SYMPTOMS.values() for n, proof in enumerate(one.proves)]
SENTENCES = [
    sentence
    for one in SYMPTOMS.values()
    for sentence in (
        *one.causes,
        *one.remedies,
        *(proof.read for proof in one.proves),
        *(words.true for words in one.corrections),
    )
]


def writer():
    path = ROOT / "scripts" / "write_troubleshooting.py"
    module = importlib.util.module_from_spec(spec := importlib.util.spec_from_file_location("writer", path))
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_script_writes():
    assert writer().PATH.read_text(encoding="utf-8") == writer().page()


def test_each_symptom_has_causes_proofs_and_remedies():
    assert {"compile_fails", "out_of_memory", "shapes_change", "slower", "outputs_differ", "slow_start"} <= set(
        SYMPTOMS
    )
    for name, one in SYMPTOMS.items():
        assert one.name == name
        assert len(one.causes) >= 2
        assert len(one.remedies) >= 2
        assert one.proves


@pytest.mark.parametrize("sentence", SENTENCES)
def test_what_is_said_ends_as_a_sentence_on_one_line(sentence):
    assert "\n" not in sentence
    assert "  " not in sentence
    assert sentence.endswith((".", "?"))
    assert sentence.count("`") % 2 == 0


@pytest.mark.parametrize("proof", PROOFS)
def test_each_proof_is_python_about_model_and_inputs_that_calls_what_optkit_has(proof):
    tree = ast.parse(proof.code)
    attributes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    called = {node.attr for node in attributes if isinstance(node.value, ast.Name) and node.value.id == "optkit"}
    assert called
    assert called <= FUNCTIONS
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    made = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    assert names - made - {"print"} == {"optkit", "model", "inputs"}


@pytest.mark.parametrize("proof", PROOFS)
def test_variants_presets_and_columns_in_a_proof_exist(proof):
    for node in ast.walk(ast.parse(proof.code)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
            assert text in COLUMNS or text in PRESET_NAMES or text == "graphs" or str(Variant.parse(text)) == text


def test_doubts_are_named_as_they_are_called():
    named = {word for sentence in SENTENCES for word in re.findall(r"\b[A-Z]+_[A-Z_]+\b", sentence)}
    variables = {"TORCH_COMPILE_DISABLE", "TORCHDYNAMO_DISABLE", "AOTI_RUNTIME_CHECK_INPUTS"}
    assert named - variables <= set(Doubt.__members__)


def test_variants_in_sentences_exist():
    code = [word for sentence in SENTENCES for word in re.findall(r"`([^`]+)`", sentence)]
    variants = [word for word in code if re.match(r"(eager|compile|aotinductor|torchscript|onnxruntime)\b", word)]
    assert variants
    for word in variants:
        assert str(Variant.parse(word)) == word


def test_where_the_guide_is_wrong_it_says_so_and_what_is_true():
    corrected = {name: one.corrections[0] for name, one in SYMPTOMS.items() if one.corrections}
    assert "catches nothing" in corrected["compile_fails"].true
    assert "more memory" in corrected["out_of_memory"].true
    assert "batch of 1" in corrected["shapes_change"].true
    assert "eval()" in corrected["outputs_differ"].true


def test_without_a_symptom_all_are_listed():
    said = str(troubleshoot())
    for name, one in SYMPTOMS.items():
        assert name in said
        assert one.title in said


@pytest.mark.parametrize("name", SYMPTOMS)
def test_one_symptom_is_shown_whole(name):
    said, html = str(troubleshoot(name)), troubleshoot(name)._repr_mimebundle_()["text/html"]
    for proof in SYMPTOMS[name].proves:
        assert f">>> {proof.code.splitlines()[0]}" in said
    for sentence in (*SYMPTOMS[name].causes, *SYMPTOMS[name].remedies):
        assert sentence in said
    assert "<details open>" in html


def test_html_has_all_symptoms_closed_and_is_escaped_without_script_or_style_sheet():
    html = troubleshoot()._repr_mimebundle_()["text/html"]
    assert html.count("<details>") == len(SYMPTOMS)
    assert "<code>compile:backend=eager</code>" in html
    assert "[&quot;compile&quot;" in html
    assert "<script" not in html
    assert "<style" not in html
    assert "`" not in html


@pytest.mark.parametrize(("slip", "meant"), [("slowerr", "slower"), ("out-of-memroy", "out_of_memory")])
def test_a_slip_gets_a_suggestion(slip, meant):
    with pytest.raises(UsageError, match=f"did you mean '{meant}'"):
        troubleshoot(slip)


@pytest.mark.parametrize("said", ["it is too slow", "slow"])
def test_words_that_symptoms_share_suggest_them_all(said):
    with pytest.raises(UsageError, match="did you mean 'slower' or 'slow_start'"):
        troubleshoot(said)


def test_a_symptom_is_told_as_json_and_as_a_table():
    (told,) = json.loads(troubleshoot("stalls").to_json())["symptoms"]
    assert told["name"] == "stalls"
    assert told["proves"][0]["code"] == SYMPTOMS["stalls"].proves[0].code
    frame = troubleshoot().to_frame()
    assert list(frame["name"]) == list(SYMPTOMS)
    assert frame["corrections"][0][0]["said"] == SYMPTOMS["compile_fails"].corrections[0].said


def test_spaces_and_capitals_do_not_matter_and_what_is_unknown_lists_the_known():
    assert troubleshoot("Out of memory") == troubleshoot("out_of_memory")
    with pytest.raises(UsageError, match=r"known are: compile_fails, .*stalls\.$"):
        troubleshoot("xyzzy")
