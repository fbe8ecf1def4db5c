"""Which notebooks are run with which parameters, what an executed one tells, and what is said of it."""

from __future__ import annotations

import io
import json

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from rich.console import Console

import hostile
from optkit import cli_notebooks, lab
from optkit.errors import UsageError
from optkit.tutorials import executed, finding, settings, table
from optkit.tutorials.batch import Batch
from optkit.tutorials.executed import Failure, Outcome, Result

SIX = 'model = "resnet18"  # a model\nbatch_size: int = 1\ndevice = None\nbudget_s = 90\nseed = 0\nsmoke = False'


def write(path, *cells, parameters=SIX):
    first = [new_code_cell(parameters, metadata={"tags": ["parameters"]})] if parameters else []
    nbformat.write(new_notebook(cells=[*cells, *first]), path)
    return path


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "notebooks"
    made.mkdir()
    for name in ("00_explorer", "03_modes", "10_shapes", "Untitled"):
        write(made / f"{name}.ipynb", new_markdown_cell(f"# About {name}\n\nIt *tells* [much](http://x)."))
    return made


def names(chosen):
    return [tutorial.name for tutorial in chosen]


def test_without_names_all_tutorials_are_run_and_no_scratch_notebook_beside_them(folder):
    assert names(finding.chosen([], folder)) == ["00_explorer", "03_modes", "10_shapes"]


@pytest.mark.parametrize("name", ["03", "3", "03_modes", "03_modes.ipynb"])
def test_a_tutorial_has_a_number_and_a_name(folder, name):
    (found,) = finding.chosen([name, "03_modes"], folder)
    assert (found.name, found.is_own) == ("03_modes", False)


def test_a_notebook_of_ones_own_is_found_by_its_path_and_a_tutorial_is_none(folder, tmp_path):
    own = write(tmp_path / "mine.ipynb")
    assert [one.is_own for one in finding.chosen([str(own), str(folder / "10_shapes.ipynb")], folder)] == [
        True,
        False,
    ]


def test_an_unknown_name_is_one_sentence_that_lists_those_there_are(folder):
    with pytest.raises(UsageError, match="no notebook '04'; there are 00_explorer, 03_modes, 10_shapes") as told:
        finding.chosen(["04"], folder)
    assert "\n" not in str(told.value)


def test_two_notebooks_of_one_name_would_overwrite_each_other(folder, tmp_path):
    with pytest.raises(UsageError, match="have the same name"):
        finding.chosen(["03", str(write(tmp_path / "03_modes.ipynb"))], folder)


@pytest.mark.parametrize(
    "content", ["", "{}", "[1]", '{"cells": 1, "metadata": [], "nbformat": 4, "nbformat_minor": 5}']
)
def test_what_is_no_notebook_is_refused(tmp_path, content):
    (tmp_path / "no.ipynb").write_text(content)
    with pytest.raises(UsageError, match="is not a valid notebook"):
        finding.read(tmp_path / "no.ipynb")


def test_a_notebook_in_another_language_is_refused(tmp_path):
    notebook = new_notebook(metadata={"language_info": {"name": "R"}})
    nbformat.write(notebook, tmp_path / "r.ipynb")
    with pytest.raises(UsageError, match="a notebook in R"):
        finding.read(tmp_path / "r.ipynb")


def test_title_summary_and_parameters_are_read_from_the_cells(folder):
    found = finding.read(folder / "03_modes.ipynb")
    assert (found.title, found.summary) == ("About 03_modes", "It tells much.")
    assert list(found.parameters) == ["model", "batch_size", "device", "budget_s", "seed", "smoke"]
    assert found.parameters["model"] == "'resnet18'"


def test_without_a_heading_it_is_called_as_its_file(tmp_path):
    found = finding.read(
        write(tmp_path / "mine.ipynb", new_markdown_cell("- a\n- b\n\n```\n# no\n\nno\n```\n\nWords."), parameters="")
    )
    assert (found.title, found.summary, found.parameters) == ("mine", "Words.", None)


def test_the_tutorials_of_the_package_can_all_be_read():
    for tutorial in finding.chosen([], lab.notebooks_folder()):
        assert "smoke" in tutorial.parameters
        assert tutorial.title != tutorial.name
        assert tutorial.summary


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("3", 3),
        ("-1.5", -1.5),
        ("1e-3", 0.001),
        ("true", True),
        ("False", False),
        ("None", None),
        ("tiny_cnn", "tiny_cnn"),
        ("no", "no"),
        ("compile:mode=max-autotune", "compile:mode=max-autotune"),
        ("a: b", "a: b"),
        ('["compile", 3]', ["compile", 3]),
        ("[compile, eager]", ["compile", "eager"]),
        ("{a: 1}", {"a": 1}),
        ('"3"', "3"),
        ("", ""),
    ],
)
def test_values_are_read_as_papermill_reads_them_and_lists_as_yaml(said, value):
    assert settings.settings([f"x={said}"], smoke=False) == {"x": value}


@pytest.mark.parametrize("said", ["nan", "inf", "[.nan]", "[1", "{1: a, b: c}", "[!!python/object:os.x 1]", '"a'])
def test_a_value_that_cannot_be_passed_on_is_refused_with_one_sentence(said):
    with pytest.raises(UsageError, match="The value of x cannot be read"):
        settings.settings([f"x={said}"], smoke=False)


def test_smoke_is_a_parameter_which_one_that_is_given_replaces():
    assert settings.settings([], smoke=True) == {"smoke": True}
    assert settings.settings(["smoke=false"], smoke=True) == {"smoke": False}
    with pytest.raises(UsageError, match="-p takes a parameter's name and its value"):
        settings.settings(["model"], smoke=False)


def test_an_unknown_parameter_is_refused_with_those_there_are(folder, tmp_path):
    chosen = finding.chosen(["03"], folder)
    settings.check(chosen, {"model": "tiny_cnn", "smoke": True})
    with pytest.raises(UsageError, match="03_modes has no parameter modle; it has model, batch_size, device, budget_s"):
        settings.check(chosen, {"modle": "tiny_cnn"})
    bare = finding.read(write(tmp_path / "bare.ipynb", parameters=""))
    with pytest.raises(UsageError, match="bare has no parameter smoke; it has none"):
        settings.check([bare], {"smoke": True})


def test_a_parameter_that_a_smoke_run_would_replace_is_refused(tmp_path):
    cell = new_code_cell('rounds = 20\nif smoke:\n    model, rounds = "tiny_cnn", 3\nprint(seed)')
    tutorial = finding.read(write(tmp_path / "small.ipynb", new_code_cell("%magic"), cell))
    with pytest.raises(UsageError, match="small sets model itself in a smoke run, so what you gave would be lost"):
        settings.check([tutorial], {"model": "resnet50", "smoke": True})
    settings.check([tutorial], {"seed": 3, "smoke": True})
    settings.check([tutorial], {"model": "resnet50"})


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        (["-p", "a", "1", "03"], ["-p", "a=1", "03"]),
        (["-p", "a=1", "03"], ["-p", "a=1", "03"]),
        (["--parameter", "a", "x=y"], ["--parameter", "a=x=y"]),
        (["-p", "a"], ["-p", "a"]),
        (["-p"], ["-p"]),
        (["--", "-p", "a", "1"], ["--", "-p", "a", "1"]),
    ],
)
def test_a_parameter_is_two_words_as_papermill_has_it(typed, read):
    assert list(cli_notebooks._joined(typed)) == read


def ran(source, *outputs, tags=(), count=1):
    return new_code_cell(source, outputs=list(outputs), metadata={"tags": list(tags)}, execution_count=count)


SHOWN = new_output("execute_result", data={"text/plain": "'2 checked'"}, execution_count=1)
ERROR = new_output("error", ename="ValueError", evalue="first line\n\x1b[31mlast\x1b[0m line\n", traceback=[])


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        ([ran("1", SHOWN), ran("2", SHOWN, tags=["claims"])], None),
        ([ran("1"), ran("2", tags=["other"])], None),
        ([ran("1", count=4), ran("2", ERROR, count=5)], Failure("ValueError: last line", 5)),
        ([ran("1", ERROR, tags=["raises-exception"])], Failure("ValueError: last line", 1)),
        ([ran("2", tags=["claims"], count=7)], "may have checked nothing"),
        ([ran("2", new_output("stream", text=" \n"), tags=["claims"])], "may have checked nothing"),
        ([new_code_cell("x", outputs=[new_output("error", ename="E", evalue="")])], Failure("E", 1)),
    ],
)
def test_a_notebook_fails_by_an_error_or_by_claims_that_show_nothing(cells, why):
    found = executed.failure(new_notebook(cells=cells))
    assert (why in found.reason) if isinstance(why, str) else found == why


def test_only_what_would_run_alike_and_has_passed_is_skipped(folder, tmp_path):
    tutorial = finding.read(folder / "03_modes.ipynb")
    digest, path = executed.digest(tutorial, {"seed": 1}), tmp_path / "03_modes.ipynb"
    passed = Outcome("passed", seconds=1.5, peak_bytes=5, cpu_s=1.0)
    executed.keep(finding.load(tutorial.path), path, passed, digest)
    known = executed.kept(path, digest)
    assert (known.status, known.is_kept, known.seconds, known.peak_bytes) == ("passed", True, 1.5, 5)
    assert executed.kept(path, executed.digest(tutorial, {"seed": 2})) is None
    assert finding.read(path).source == tutorial.source
    write(tutorial.path, new_markdown_cell("Other words."))
    assert executed.kept(path, executed.digest(finding.read(tutorial.path), {"seed": 1})) is None
    executed.keep(finding.load(tutorial.path), path, Outcome("failed", Failure("It broke.")), digest)
    assert executed.kept(path, digest) is None


@pytest.mark.parametrize("stamp", [None, 3, {}, {"digest": "d", "status": "passed", "seconds": "<b>"}])
def test_an_outcome_that_somebody_has_altered_counts_for_nothing(tmp_path, stamp):
    (tmp_path / "x.ipynb").write_text(json.dumps({"metadata": {"optkit": stamp}}))
    assert executed.kept(tmp_path / "x.ipynb", "d") is None


def test_another_version_of_optkit_runs_it_again(folder, monkeypatch):
    tutorial = finding.read(folder / "03_modes.ipynb")
    before = executed.digest(tutorial, {})
    monkeypatch.setattr("optkit.__version__", "99.0")
    assert executed.digest(tutorial, {}) != before


def test_nothing_that_optkit_has_not_written_is_overwritten(folder, tmp_path):
    chosen = finding.chosen(["03"], folder)
    with pytest.raises(UsageError, match="would be lost; give --output another one"):
        Batch(chosen, {}, folder, 60.0)
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is no folder"):
        Batch(chosen, {}, tmp_path / "file" / "inner", 60.0)
    with pytest.raises(UsageError, match="--limit must be"):
        Batch(chosen, {}, tmp_path / "new", float("nan"))


def test_half_of_a_character_in_an_output_can_be_written(folder, tmp_path):
    notebook = new_notebook(cells=[ran("1", new_output("stream", text="half \ud800 of it"))])
    executed.keep(notebook, tmp_path / "x.ipynb", Outcome("passed"), "d")
    assert finding.load(tmp_path / "x.ipynb").cells[0].outputs[0].text == "half \ud800 of it"


def result(folder, **fields):
    return Result(finding.read(folder / "03_modes.ipynb"), Outcome(**fields))


def test_a_row_has_result_time_memory_processor_time_and_what_happened(folder):
    passed = result(folder, status="passed", seconds=12.34, peak_bytes=731_000_000, cpu_s=20.0, left=("sleep",))
    assert table.cells(passed) == (
        "03_modes", "passed", "12.3 s", "731 MB", "20.0 s", "It left sleep running, which was ended.",
    )  # fmt: skip
    failed = result(folder, status="failed", failure=Failure("E: x", 5), cpu_s=2.0, is_lower_bound=True)
    assert table.cells(failed) == ("03_modes", "failed", "–", "–", "≥ 2.00 s", "Cell [5]: E: x")
    assert table.cells(result(folder, status="not run"))[1:] == ("not run", "–", "–", "–", "")
    assert table.word(Outcome("passed", is_kept=True)) == "passed earlier"


@pytest.mark.parametrize("said", hostile.TEXTS.values(), ids=hostile.TEXTS)
def test_a_hostile_title_or_error_cannot_reach_the_terminal(tmp_path, said):
    written = said.replace("\ud800", "")  # which no notebook file can hold as it stands
    cell = new_markdown_cell(f"# {written}\n\n{written}")
    tutorial = finding.read(write(tmp_path / "x.ipynb", cell, parameters=f"model = {written!r}"))
    error = new_output("error", ename=said, evalue=said, traceback=[])
    why = executed.failure(new_notebook(cells=[ran("1", error)]))
    told = [tutorial.title, tutorial.summary, tutorial.name, str(why), *tutorial.parameters.values()]
    assert all(map(hostile.is_plain, told))
    assert all(len(one) < 500 and "\n" not in one for one in told[:4])
    out = io.StringIO()
    console = Console(file=out, width=180, color_system=None, markup=False, emoji=False)
    console.print(table.summary([Result(tutorial, Outcome("failed", why))]))
    assert hostile.is_plain(out.getvalue().replace("\n", ""))
