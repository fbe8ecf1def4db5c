"""Scripts that stand alone, and the programs of recipes: text that is Python, whatever the variant."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given

from optkit import recipe_extras, recipe_run, script
from optkit.recipe_run import Contents
from optkit.script import Subject
from optkit.variant import Variant
from test_variant import VARIANTS

SUBJECT = Subject("net", ["model = torch.nn.Linear(3, 2)", "inputs = (torch.ones(5, 3),)"], "forward", "*inputs", "cpu")
SIGNATURE = {
    "signature": {"names": ["x"], "arguments": 2, "keywords": [], "constants": ["2.0"], "outputs": "outputs[0]"}
}


def contents(variant, **fields):
    engine = variant.engine
    given = {
        "variant": variant, "title": "net", "method": "forward", "device": "cpu", "artifact": engine.artifact_name,
        "facts": SIGNATURE, "zoo": (), "by_torch": True, "has_cache": engine.compiles, "has_code": True,
        "is_plain": True, "has_keywords": False, "has_torchvision": True, "compares": True,
    }  # fmt: skip
    return Contents(**given | fields)


@given(VARIANTS)
def test_the_script_of_every_variant_is_python(variant):
    compile(script.write(variant, SUBJECT), "script", "exec")
    compile(script.write(variant, SUBJECT._replace(method="generate", inputs="**inputs")), "script", "exec")


@given(VARIANTS)
def test_the_program_of_every_recipe_is_python_and_imports_no_optkit(variant):
    has_path = getattr(variant.engine, "path", None) is not None
    program = recipe_run.run(contents(variant, facts={} if has_path else SIGNATURE))
    compile(program, "run.py", "exec")
    assert "import optkit" not in program
    assert "from optkit" not in program


def test_a_script_moves_model_and_inputs_to_the_device_and_waits_for_it():
    code = script.write(Variant.parse("compile"), SUBJECT._replace(device="cuda:1"))
    assert 'model = model.to("cuda:1")' in code
    assert 'inputs = tuple(value.to("cuda:1") if torch.is_tensor(value) else value for value in inputs)' in code
    assert 'torch.cuda.synchronize("cuda:1")' in code


@pytest.mark.parametrize("variant", ["eager+bfloat16", "compile+channels_last", "compile+int8"])
def test_eager_is_kept_as_it_was_where_the_model_is_changed(variant):
    assert "copy.deepcopy(model)" in script.write(Variant.parse(variant), SUBJECT)
    assert "copy.deepcopy(model)" not in script.write(Variant.parse("compile"), SUBJECT)


@pytest.mark.parametrize(
    ("variant", "tolerance"),
    [("compile", 1e-3), ("eager+float16", 0.02), ("eager+autocast", 0.1), ("compile+bfloat16+int8", 0.2)],
)
def test_outputs_may_be_as_far_from_eagers_as_the_precision_makes_them(variant, tolerance):
    assert script.tolerance(Variant.parse(variant)) == tolerance


def test_a_model_that_trains_is_not_compared():
    assert "distance(output, expected)" not in script.write(Variant.parse("eager+train"), SUBJECT)


@pytest.mark.parametrize("name", ["run.py", "serve.py"])
def test_the_programs_import_only_what_they_use(name):
    program = recipe_run.run(contents(Variant.parse("onnxruntime"))) if name == "run.py" else recipe_extras.SERVE
    imported = [line.split()[1] for line in program.splitlines() if line.startswith("import ")]
    for module in set(imported) - {"run"}:
        assert program.count(f"{module}.") >= 1, module


def test_the_server_is_short():
    assert len(recipe_extras.SERVE.splitlines()) < 30


def test_what_cannot_be_compared_is_not(environment):
    del environment
    told = contents(Variant.parse("compile"), compares=False)
    assert "not compared" in recipe_run.run(told)
    assert "worst <=" not in recipe_run.run(told)
    assert "worst <= 0.001" in recipe_run.run(dataclasses.replace(told, compares=True))


def test_a_fallback_is_called_in_autocast_as_well():
    variant = Variant.parse("compile:backend=eager+autocast+fallback=eager")
    for code in (script.write(variant, SUBJECT), recipe_run.run(contents(variant))):
        assert code.count("optimized = fast") == 2


def test_eager_has_its_own_threads():
    code = script.write(Variant.parse("eager+threads=1"), SUBJECT)
    assert code.index("threads = torch.get_num_threads()") < code.index("torch.set_num_threads(1)")
    program = recipe_run.run(contents(Variant.parse("eager+threads=1")))
    assert program.index("THREADS = torch.get_num_threads()") < program.index("torch.set_num_threads(1)")
    assert "timer(eager, THREADS)" in program


def test_what_is_exported_is_written_to_a_folder_that_goes():
    assert "tempfile.TemporaryDirectory()" in script.write(Variant.parse("torchscript"), SUBJECT)
    assert "chdir" not in script.write(Variant.parse("compile"), SUBJECT)
    assert "chdir" not in script.write(Variant.parse("onnxruntime:path=mine.onnx"), SUBJECT)
