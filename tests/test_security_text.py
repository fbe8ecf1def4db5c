"""Text is text, wherever it is shown: what somebody has named a model, or a message says, is never obeyed."""

from __future__ import annotations

import ast
import io
import json
from collections import defaultdict
from functools import cache
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from hostile import HARMFUL, TEXTS, elements, is_plain, words
from optkit import cells, live_table, recipe_extras, recipe_run, script, svg, text
from optkit.charts import CHARTS
from optkit.comparison import Comparison
from optkit.diagnosis import Diagnosis
from optkit.engines import Compile, OnnxRuntime, TorchScript
from optkit.errors import OptkitError, UsageError
from optkit.events import Event
from optkit.figures import figure
from optkit.html_table import html_table
from optkit.marks import Marks
from optkit.profiling import Profile, Side
from optkit.recipe_run import Contents
from optkit.replay import Replay
from optkit.replayed import ReplayedCall
from optkit.sightings import Finding
from optkit.startup_table import FreshStart, StartupMatrix
from optkit.variant import Variant
from optkit.verification import Verification
from optkit.widgets import past, table, view
from optkit.worker.endings import Tail, WorkerFailedError
from optkit.workload import Workload
from stories import bring_up, checked, ended, failed, finished, rounds, skipped, started

CLOSED = ("details", "class", "data-key")
"""A fold that is closed: which are open depends on which variant is the best."""
HARMLESS = "harmless"
hostile = pytest.mark.parametrize("said", TEXTS.values(), ids=TEXTS)


def test_the_texts_used_here_do_harm_where_nothing_is_done_against_it():
    assert {name for name, said in TEXTS.items() if HARMFUL.search(said)} == {
        "colour", "link", "c1", "direction", "surrogate", "nul",
    }  # fmt: skip
    assert len(elements("".join(TEXTS.values()))) > 3


@hostile
def test_plain_text_can_be_printed_written_and_shown(said):
    for made in (text.plain(said), text.one_line(said), text.plain(said, limit=20)):
        assert is_plain(made)
        assert text.plain(made) == made
    assert text.plain(said).count("\n") == said.count("\n")
    assert "\n" not in text.one_line(said)
    assert len(text.plain("x" * 50, limit=20)) == 20


def test_plain_text_keeps_lines_and_tabs_and_every_language():
    said = "a\tb\n  naïve 日本語 עברית 👩‍👩‍👧 −×µ"
    assert text.plain(said) == said
    assert text.plain("a\x1b[1m\r\x9d\u202e\ud800") == r"a\x1b[1m\x0d\x9d\u202e\ud800"


@hostile
def test_a_value_is_written_without_what_a_terminal_obeys_and_reads_back(said):
    assert is_plain(text.dump(said))
    assert "\n" not in text.dump(said)
    assert text.load(text.dump(said)) == said


@cache
def told(said: str) -> Comparison:
    """Return a comparison as it is read from somebody's record, which has a text wherever there is one."""
    workload = {"model": said, "code": said, "call": said, "inputs_code": said}
    story = [
        started(said, "compile", workload=workload), *bring_up("eager"), *bring_up(said, graphs=1),
        *bring_up("compile", graphs=0), *rounds(5, eager=2.0, compile=1.9, **{said: 1.0}),
        failed("compile", details=said), checked("eager", "equal"), checked(said, "different", why=said),
        skipped("compile"), *finished("eager", said), ended(),
    ]  # fmt: skip
    records = [one.to_json() for one in story]
    for record in records:
        if record["event"] in ("VariantFailed", "VariantSkipped"):
            record["reason"] = said
    return Comparison(map(Event.from_json, json.loads(json.dumps(records))))


@cache
def pages(said: str) -> dict[str, str]:
    """Return every piece of HTML that shows a comparison."""
    c = told(said)
    title = c.started.workload["model"]
    shown = {
        "comparison": c._repr_mimebundle_()["text/html"],
        "head": view.head(title, [title], c),
        "answer": view.answer(c.answer(), code=title),
        "table": table.render(c),
        "progress": view.progress(c, phase_s=1, elapsed_s=1, left_s=9, running=True, ready=title),
        "compare": view.compare_page(c, Marks()),
        "cost": view.cost_page(c, Marks()),
        "timeline": view.timeline(c, Marks()),
        "code": view.code_page(c, (title, title), None),
        "notice": view.notice(title),
        "past": past.page(None),
        "html_table": html_table((title,), [(title,)]),
    }
    return shown | {str(m): m._repr_mimebundle_()["text/html"] for m in c.measurements.values()}


@hostile
def test_no_page_has_an_element_that_a_harmless_name_would_not_give_it(said):
    expected = pages(HARMLESS)
    for (place, html), harmless in zip(pages(said).items(), expected.values(), strict=True):
        assert elements(html) <= elements(harmless) | {("br",), ("wbr",), ("code", "title"), CLOSED}, place
        assert is_plain(html), place


@hostile
def test_a_notebook_takes_nothing_in_a_page_for_mathematics(said):
    c = told(said)
    for shown in (c, *c.measurements.values()):
        assert shown._repr_mimebundle_()["text/html"].startswith('<div class="mathjax_ignore tex2jax_ignore">')


@hostile
@pytest.mark.parametrize("name", CHARTS)
@pytest.mark.parametrize("standalone", [True, False])
def test_every_chart_is_well_formed_and_has_only_its_own_elements(name, standalone, said):
    drawn, harmless = (svg.render(told(one), name, standalone=standalone) for one in (said, HARMLESS))
    ET.fromstring(drawn)
    assert elements(drawn) <= elements(harmless)
    assert is_plain(drawn)


def shown_by(value, key=""):
    """Yield the texts of a figure that plotly shows."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from shown_by(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from shown_by(inner, key)
    elif isinstance(value, str) and key not in ("legendgroup", "meta"):  # these are told to nobody
        yield value


@hostile
@pytest.mark.parametrize("name", CHARTS)
def test_plotly_is_given_nothing_that_it_takes_for_markup_or_mathematics(name, said):
    drawn = json.loads(figure(told(said), name).to_json())
    drawn["layout"].pop("template")
    for words_ in shown_by(drawn):
        assert is_plain(words_)
        assert "$" not in words_
        assert {one[0] for one in elements(words_)} <= {"b", "br", "extra"}, words_
        assert not any(len(one) > 1 for one in elements(words_))


@hostile
@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_terminal_obeys_nothing_of_it_and_shows_markup_as_it_is(said, is_terminal, monkeypatch):
    out = io.StringIO()
    fixed = {"file": out, "width": 20_000, "force_terminal": is_terminal, "color_system": None}
    monkeypatch.setattr(live_table, "Console", lambda **given: Console(**given | fixed))
    console = live_table._console()
    console.print(live_table.table(told(said)))
    live_table._print_answer(told(said), console)
    assert is_plain(out.getvalue())
    if "[bold" in said:
        assert out.getvalue().count(said) > 3  # in its row, the answer, a reason and a doubt


@hostile
def test_the_answer_and_all_its_cells_are_plain(said):
    comparison = told(said)
    assert is_plain(comparison.answer())
    assert is_plain(comparison.summary())
    json.loads(comparison.to_json()).values()
    for m in comparison.measurements.values():
        assert is_plain(f"{m} {m.reason} {cells.verdict(m)} {cells.outputs(m)}")


@hostile
def test_what_is_printed_of_a_record_to_copy_is_one_comment_or_the_records_own_code(said):
    variant = Variant(Compile(backend=_backend(said)))
    assert is_plain(str(variant))
    assert len(script.comment(said).splitlines()) == 1
    ast.parse(variant.code())


def _backend(name):
    def backend(graph, inputs):
        del inputs
        return graph

    backend.__name__ = name
    return backend


@hostile
def test_the_text_of_a_variant_is_one_plain_line_that_reads_back(said):
    given = [TorchScript(path=said, trust=True), OnnxRuntime(path=said), Compile("aot_eager", options={"x": said})]
    for variant in map(Variant, given):
        shown = str(variant)
        assert is_plain(shown)
        assert "\n" not in shown
        assert Variant.parse(shown) == variant
        ast.parse(variant.code().replace("\ud800", ""))
        html = variant._repr_mimebundle_()["text/html"]
        assert elements(html) <= {("div", "class"), ("div", "style"), ("table", "style"), ("tr",), ("td", "style"),
                                  ("b",), ("code",), ("pre",)}  # fmt: skip


@hostile
def test_errors_are_plain_whatever_they_quote(said):
    assert is_plain(str(OptkitError(f"There is no {said}.")))
    assert is_plain(str(UsageError(said)))
    error = WorkerFailedError(said, said)
    assert is_plain(f"{error.reason}{error.details}{error}")
    assert len(error.reason) <= 2000 * 6


@hostile
def test_what_a_worker_prints_is_plain(said):
    tail = Tail()
    tail.add(said.encode(errors="surrogatepass"))
    tail.add(b"\xff\r\n10 %\r20 %\r")
    assert is_plain(str(tail))
    assert "\n10 %\n20 %" in str(tail)


@hostile
def test_the_name_of_a_model_is_one_plain_line(said):
    def build():
        return None

    build.__name__ = said
    workload = Workload(build, (1,))
    assert is_plain(workload.name)
    assert "\n" not in workload.name
    assert len(workload.name) <= 300
    assert Workload(build, (1,), evaluate=build).describe(_here())["evaluate"] == workload.name


def _here():
    return SimpleNamespace(device="cpu", cuda=False)


@pytest.mark.parametrize("call", ["a b", "x; import os", "__call__()", "forward\n", "a.b"])
def test_a_method_has_a_name_that_can_stand_in_code(call):
    with pytest.raises(UsageError, match="call must be the name of a method"):
        Workload(len, (1,), call=call)


@cache
def answers_of(said):
    """Return what an investigation shows, made of a worker's words as `optkit.worker.host` hands them on."""
    said = text.plain_json({"said": said})["said"]
    row = {"name": said, "calls": 1, "self_s": 0.1, "is_operator": True}
    side = {"calls": 1, "call_s": 0.2, "profiled_s": 0.2, "rows": [row]}
    calls = [
        *(ReplayedCall("eager", number, said, {"x": (4,)}, 1.0, ()) for number in (1, 2)),
        ReplayedCall(said, 1, said, {"x": (4,)}, 1.0, (), (said,), (said,)),
        ReplayedCall(said, 2, said, {"x": (4,)}, None, None, (), (), said),
    ]
    finding = Finding(
        "graph_break", said, said, said, path=said, line=1, function=said, source=said, changed=said, said=said,
        seen_by=(said,), callers=(said,),
    )  # fmt: skip
    counted = ("breaks_counted", "breaks_explained", "functions_resumed", "calls", "compiles", "graphs", "recompiles")
    told_ = defaultdict(int, dict.fromkeys((*counted, "skipped_functions"), 1))
    return [
        Profile(said, "cpu", 1, (Side.read("eager", side), Side.read(said, side)), (said,)),
        Replay(said, "cpu", calls, {said: said}),
        StartupMatrix(said, "cpu", [FreshStart("from the model", said, "ok", None, {"build": 1.0}, 1.0),
                                    FreshStart("from a file", said, "failed", said)], said),
        Diagnosis(said, said, [finding], told_, [said]),
    ]  # fmt: skip


@hostile
@pytest.mark.parametrize("which", range(4), ids=["profile", "replay", "startup", "diagnosis"])
def test_an_investigation_shows_a_workers_words_as_words(which, said):
    answer, harmless = answers_of(said)[which], answers_of(HARMLESS)[which]
    assert is_plain(str(answer))
    shown, expected = answer._repr_mimebundle_(), harmless._repr_mimebundle_()
    assert elements(shown["text/html"]) <= elements(expected["text/html"])
    assert is_plain(shown["text/html"])
    assert shown["text/html"].startswith('<div class="mathjax_ignore')
    if "image/svg+xml" in shown:
        ET.fromstring(shown["image/svg+xml"])
        assert elements(shown["image/svg+xml"]) <= elements(expected["image/svg+xml"])


@hostile
def test_a_verification_says_it_plainly(said):
    said = text.plain_json(said)
    assert is_plain(str(Verification(SimpleNamespace(), [said], refused=said)))


def contents(title):
    return Contents(
        variant=Variant.parse("compile"), title=title, method="forward", device="cpu", artifact=None, facts={}, zoo=(),
        by_torch=True, has_cache=False, has_code=False, is_plain=True, has_keywords=False, has_torchvision=False,
        compares=True,
    )  # fmt: skip


@hostile
def test_a_recipes_program_is_the_same_but_for_a_comment(said):
    program, harmless = (recipe_run.run(contents(title)) for title in (said, HARMLESS))
    assert ast.dump(ast.parse(program)) == ast.dump(ast.parse(harmless))
    assert is_plain(program)


@hostile
def test_a_recipes_readme_and_notebook_show_a_name_as_it_is(said):
    measured = {"speedup": None, "speedup_low": None, "speedup_high": None, "verdict": None, "agreement": "equal",
                "doubts": []}  # fmt: skip
    record = {"measured": measured, "environment": {"cpu": said}, "torch": "2", "optkit": "1", "saved_at": "now"}
    readme = recipe_extras.readme(contents(said), record)
    assert len(readme.splitlines()) == 10
    cell = json.loads(recipe_extras.notebook(contents(said)))["cells"][0]["source"]
    for heading in (readme.splitlines()[0], cell.splitlines()[0]):
        assert is_plain(heading)
        inner = heading.removeprefix("# ")
        fence = inner[: len(inner) - len(inner.lstrip("`"))]
        plain = text.one_line(f"compile of {said}")
        assert inner == plain if not fence else inner.strip("` ") in (plain.strip("` "), plain)
        if fence:
            assert fence not in inner.strip("`")
        else:
            assert not set("<>[]*_`$\\") & set(inner.replace("_", ""))


def test_a_page_says_every_character_of_a_name_that_is_no_harm():
    name = TEXTS["image"]
    assert name in words(pages(name)["table"])
    assert TEXTS["mathematics"] in words(pages(TEXTS["mathematics"])["comparison"])
