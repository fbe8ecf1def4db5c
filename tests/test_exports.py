"""The public names, and that they cost nothing until they are used."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

import optkit

HEAVY = ["torch", "torchvision", "pandas", "plotly", "numpy", "ipywidgets", "anywidget", "IPython", "typer", "rich"]


def test_all_is_what_can_be_had_and_what_dir_offers():
    assert list(optkit.__all__) == sorted(optkit._HOMES)
    assert dir(optkit) == sorted([*optkit.__all__, "__version__"])


def test_type_checkers_see_the_same_names():
    tree = ast.parse(Path(optkit.__file__).read_text(encoding="utf-8"))
    guarded = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.name: node.module for node in guarded.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert seen == {name: f"optkit.{home}" for name, home in optkit._HOMES.items()}


@pytest.mark.parametrize("name", optkit.__all__)
def test_every_name_resolves(name):
    assert getattr(optkit, name).__name__ == name


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'optkit' has no attribute 'optimise'"):
        optkit.optimise  # noqa: B018


def test_the_version_is_that_of_the_project():
    project = Path(optkit.__file__).parents[2] / "pyproject.toml"
    if not project.exists():
        pytest.skip("installed without its checkout")
    assert f'\nversion = "{optkit.__version__}"\n' in project.read_text(encoding="utf-8")


def loaded_after(run_python, code):
    return json.loads(
        run_python(f"import json, sys\n{code}\nprint(json.dumps(sorted(set({HEAVY}) & set(sys.modules))))")
    )


def test_importing_optkit_loads_nothing_heavy(run_python):
    assert loaded_after(run_python, "import optkit") == []


def test_choosing_what_to_measure_loads_no_torch_and_no_widgets(run_python):
    code = (
        "import optkit\n"
        "optkit.Study(optkit.Workload('tiny_cnn'), ['recommended', 'eager+no_grad'], budget_s=5)\n"
        "optkit.Variant.parse('compile').problems(optkit.Study('tiny_cnn', 'compile').environment)"
    )
    assert set(loaded_after(run_python, code)) <= {"numpy"}


@pytest.mark.worker
def test_comparing_a_zoo_model_never_imports_torch_in_this_process(run_python):
    code = (
        "import optkit\n"
        "c = optkit.compare('tiny_cnn', variants=['compile:backend=eager'], budget_s=5, rounds=(1, 1))\n"
        "assert [row['status'] for row in c.rows()] == ['ok', 'ok'], c.rows()"
    )
    assert set(loaded_after(run_python, code)) <= {"numpy"}
