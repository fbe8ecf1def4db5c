"""A replay of shapes, made of calls that were never made: advice, table, picture, and what may be asked for."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree as ET

import pytest
import torch

import optkit
from optkit import replay_items, replayed
from optkit.errors import UsageError, VariantError
from optkit.replay import Replay, replay_shapes
from optkit.replayed import Graph, ReplayedCall

TRUE, FALSE, MARK = "compile:dynamic=true", "compile:dynamic=false", "mark_dynamic"
FIRST = Graph("forward", None, "its first graph")
GROWN = Graph("forward", None, "x: 4 → 8 in dimension 0", "tensor 'x' size mismatch at index 0. expected 4, actual 8")
ONE = Graph("forward", None, "x: 1 in dimension 0", "2 <= x.size()[0]", of_one=True)
REST = Graph("forward", 7, "y: 4 → 8 in dimension 0", "tensor 'y' size mismatch at index 0. expected 4, actual 8")
LINEAR = torch.nn.Linear(8, 4)
X = torch.zeros(4, 8)


def row(variant, sizes, graphs, durations=None, **more) -> list[ReplayedCall]:
    """Return the calls of a variant: 2 s where something was compiled, else 1 ms."""
    took = durations or [2.0 if made else 0.001 for made in graphs]
    return [
        ReplayedCall(variant, number, str(size), {"x": (size, 8)}, seconds, tuple(made), **more)
        for number, (size, made, seconds) in enumerate(zip(sizes, graphs, took, strict=True), 1)
    ]


def replay(*rows, **more) -> Replay:
    return Replay("Net", "cpu", [call for calls in rows for call in calls], **more)


SIZES = (4, 8, 9, 1)
EAGER = row("eager", SIZES, [()] * 4)


def usual() -> Replay:
    """Return what torch does with 4, 8, 9 and 1."""
    return replay(
        EAGER,
        row("compile", SIZES, [[FIRST], [GROWN], [], [ONE]]),
        row(TRUE, SIZES, [[FIRST], [], [], [ONE]]),
        row(FALSE, SIZES, [[FIRST], [GROWN], [GROWN], [GROWN]]),
    )


def advice_with(told: Replay, word: str) -> str:
    (found,) = [one for one in told.advice if word in one]
    return found


def test_the_advice_says_in_which_calls_each_way_compiled():
    assert usual().advice[0] == (
        "compile compiled in 3 of 4 calls (4, 8 and 1); compile:dynamic=true compiled in 2 (4 and 1); "
        "compile:dynamic=false compiled in 4 (4, 8, 9 and 1)."
    )


def test_the_advice_names_the_least_total_and_what_it_is_against():
    assert advice_with(usual(), "least") == (
        "compile:dynamic=true took the least time for all 4 calls, 4.00 s, against 6.00 s with compile and 8.00 s with "
        "compile:dynamic=false."
    )
    assert advice_with(usual(), "eager took") == (
        "eager took 4.00 ms for the same calls: compiling pays off only if many more calls follow."
    )


def test_eager_that_took_longer_is_told_too():
    slow = row("eager", SIZES, [()] * 4, [3.0] * 4)
    assert "compiling paid off within them" in advice_with(
        replay(slow, row(TRUE, SIZES, [[FIRST], [], [], []])), "eager"
    )


def test_totals_that_lie_near_each_other_are_called_about_the_same():
    told = replay(
        EAGER, row("compile", (4, 8), [[FIRST], []], [2.0, 0.1]), row(TRUE, (4, 8), [[FIRST], []], [2.05, 0.1])
    )
    assert "compile and compile:dynamic=true took about the same for all 2 calls, 2.10 s and 2.15 s." in told.advice


def test_a_difference_between_ways_that_compiled_as_much_is_called_little():
    told = replay(
        EAGER, row("compile", (4, 8), [[FIRST], []], [2.0, 0.1]), row(TRUE, (4, 8), [[FIRST], []], [4.0, 0.1])
    )
    assert "compile:dynamic=true compiled as many graphs as compile (1)" in advice_with(told, "says little")


def test_a_batch_of_one_with_a_graph_of_its_own_is_to_be_padded():
    assert advice_with(usual(), "Pad") == (
        "Pad the batch of 1 to 2: it has a graph of its own also with compile:dynamic=true "
        "(call 4 compiled again because of it, which took 2.00 s)."
    )


def test_no_padding_is_advised_where_no_symbolic_graph_was_refused():
    told = replay(EAGER, row("compile", SIZES, [[FIRST], [GROWN], [], [ONE]]), row(TRUE, SIZES, [[FIRST], [], [], []]))
    assert not [one for one in told.advice if "Pad" in one]


def test_the_shapes_to_warm_up_are_those_at_which_the_best_way_compiled():
    assert advice_with(usual(), "warm up") == (
        "Before you serve with compile:dynamic=true, warm up 4 and 1, in this order: "
        "the calls that compiled took 4.00 s of its 4.00 s."
    )


def test_a_graph_that_holds_for_some_sizes_only_is_told_with_its_bound():
    bounded = Graph("forward", None, "x: 16 in dimension 0", "2 <= x.size()[0] <= 15")
    told = replay(EAGER, row(TRUE, (4, 16), [[FIRST], [bounded]]), row("compile", (4, 16), [[FIRST], [bounded]]))
    assert (
        "compile:dynamic=true and compile compiled again for 16, as the graph before holds for 2 <= x.size()[0] <= 15 "
        "only." in told.advice
    )


def test_where_nothing_compiles_again_the_advice_says_so():
    told = replay(EAGER, *(row(name, SIZES, [[FIRST], [], [], []]) for name in ("compile", TRUE)))
    assert told.advice[0] == (
        "Nothing was compiled again: compile and compile:dynamic=true compiled in the first call only, and the 3 after "
        "it ran on the same graphs."
    )


def test_a_way_that_compiles_nothing_is_told():
    assert replay(EAGER, row("compile", SIZES, [()] * 4)).advice[0] == "compile compiled nothing in 4 calls."


def test_a_mark_that_was_not_made_is_told():
    calls = [*row(MARK, (4,), [[FIRST]]), ReplayedCall(MARK, 2, "1", {"x": (1, 8)}, 2.0, (ONE,), unmarked=("x",))]
    told = advice_with(replay(EAGER, calls), "was not called")
    assert told == "mark_dynamic was not called for x in call 2 (1): torch takes a size of 1 for a constant."


def test_a_mark_that_the_model_refuses_is_told_with_torchs_words():
    calls = [ReplayedCall(MARK, 1, "4", {"x": (4, 8)}, None, (), error="Constraints violated (x.size()[0])")]
    told = advice_with(replay(EAGER, calls), "mark_dynamic failed")
    assert "call 1 (4)" in told
    assert "Constraints violated" in told


def test_a_mark_that_ends_at_a_graph_break_is_told():
    told = replay(EAGER, row(MARK, (4, 8), [[FIRST, FIRST], [REST]]))
    assert "forward from line 7 on again in call 2 (8): a mark ends at a graph break" in advice_with(told, "mend")


def test_a_way_that_gave_up_compiling_is_told():
    calls = row(FALSE, (4,), [[FIRST]])
    calls.append(ReplayedCall(FALSE, 2, "8", {"x": (8, 8)}, 0.1, (), left_to_eager=(replayed.GAVE_UP,)))
    assert "compile:dynamic=false left call 2 (8) to eager: torch had compiled it so often" in advice_with(
        replay(EAGER, calls), "gave up"
    )


def test_a_shape_that_the_model_does_not_take_is_no_fault_of_a_variant():
    wrong = {"duration_s": None, "error": "mat1 and mat2"}
    told = replay(*([ReplayedCall(name, 1, "4×3", {"x": (4, 3)}, **wrong)] for name in ("eager", "compile")))
    assert told.advice[0] == "The model itself does not take 4×3; eager raised: mat1 and mat2."
    assert len(told.advice) <= 2


def test_a_total_is_missing_where_a_call_raised_and_a_count_where_torch_does_not_tell():
    calls = [*row("onnxruntime", (4,), [()]), ReplayedCall("onnxruntime", 2, "8", {}, None, None, error="no")]
    told = replay(EAGER, calls)
    assert told.total_s("onnxruntime") is None
    assert told.compiles("onnxruntime") is None
    assert told.total_s("eager") == pytest.approx(0.004)
    assert told.compiles("eager") == 0


def test_what_made_no_calls_is_told_with_the_reason():
    assert replay(EAGER, failed={"onnxruntime": "It cannot."}).advice[-1] == "onnxruntime made no calls: It cannot."


def test_the_frame_has_one_row_a_call_in_seconds():
    frame = usual().to_frame()
    assert list(frame.columns) == ["variant", "call", "asked", "shape", "duration_s", "compiles", "reasons", "error"]
    assert len(frame) == 16
    assert frame.loc[4].to_dict() | {"error": None} == {
        "variant": "compile", "call": 1, "asked": "4", "shape": (4, 8), "duration_s": 2.0, "compiles": 1,
        "reasons": ("forward: its first graph",), "error": None,
    }  # fmt: skip


def test_shapes_of_several_inputs_have_their_names():
    both = {"tokens": (4, 16), "mask": (4, 16)}
    assert ReplayedCall("eager", 1, "4", both, 1.0).shape == both


def test_json_holds_calls_totals_and_advice():
    told = json.loads(usual().to_json())
    assert told["schema"] == 1
    assert told["totals_s"][TRUE] == pytest.approx(4.002)
    assert told["advice"] == usual().advice
    assert [call["compiles"] for call in told["calls"]] == [0, 0, 0, 0, 1, 1, 0, 1, 1, 0, 0, 1, 1, 1, 1, 1]


def hostile() -> Replay:
    """Return a replay in which every text would break HTML if it were not escaped."""
    bad = "<script>&\"'\x00"
    graph = Graph(bad, None, bad, bad)
    calls = [ReplayedCall(bad, 1, bad, {bad: (4,)}, 1.0, (graph, graph), (bad,), (bad,), None)]
    calls.append(ReplayedCall(bad, 2, bad, {bad: (4,)}, None, None, (), (), bad))
    return Replay(bad, bad, calls, {bad: bad})


@pytest.mark.parametrize("story", [usual, hostile])
@pytest.mark.parametrize("standalone", [True, False])
def test_the_picture_is_well_formed_and_says_its_advice_in_words(story, standalone):
    root = ET.fromstring(story().svg(standalone=standalone))
    assert root.tag.endswith("svg")
    described = next(element.text for element in root if element.tag.endswith("desc"))
    assert described == " ".join(story().advice).replace("\x00", "�")


def test_nothing_of_the_users_is_markup():
    shown = hostile()._repr_mimebundle_()
    for kind in ("text/html", "image/svg+xml"):
        assert "<script" not in shown[kind]
    assert shown["text/plain"] == str(hostile())


def groups(told: Replay) -> dict[str, ET.Element]:
    root = ET.fromstring(told.svg(standalone=False))
    return {group.findtext("title", ""): group for group in root.iter("g") if "call" in group.findtext("title", "")}


def test_a_cell_has_the_latency_and_a_mark_that_is_no_colour_where_torch_compiled():
    for said, group in groups(usual()).items():
        is_compiled = "forward: " in said
        assert len(list(group.iter("polygon"))) == is_compiled
        assert next(group.iter("text")).text == ("2.00 s" if is_compiled else "1.00 ms")


def test_the_reason_is_under_the_pointer():
    assert any("compile, call 2, 8: 2.00 s\nforward: x: 4 → 8 in dimension 0" in said for said in groups(usual()))


def test_two_graphs_in_a_call_are_counted_in_the_cell():
    told = replay(row("compile", (4,), [[FIRST, REST]]))
    (group,) = groups(told).values()
    assert [element.text for element in group.iter("text")] == ["2.00 s", "×2"]
    assert "◆2" in str(told)


@pytest.mark.parametrize("count", [1, 4, 15, 200])
@pytest.mark.parametrize("width", [360, 680, 1200])
def test_cells_lie_in_the_picture_however_many_calls_there_are(count, width):
    sizes = range(1, count + 1)
    told = replay(
        row("eager", sizes, [()] * count), row("compile:mode=max-autotune,dynamic=true", sizes, [[FIRST]] * count)
    )
    root = ET.fromstring(told.svg(width=width, standalone=False))
    places = []
    for box in root.iter("rect"):
        x, y, wide, tall = (float(box.get(key)) for key in ("x", "y", "width", "height"))
        assert x >= 0
        assert x + wide <= width
        assert y + tall <= float(root.get("height"))
        places.append((x, y))
    assert len(set(places)) == 2 * min(count, 120)


def test_the_text_fits_a_terminal():
    sizes = range(1, 41)
    told = replay(row("eager", sizes, [()] * 40), row("compile:mode=max-autotune,dynamic=true", sizes, [[FIRST]] * 40))
    table = str(told).partition("◆ torch")[0]
    assert max(map(len, table.splitlines())) <= 110
    assert re.findall(r"eager +1\.00 ms", table)


def test_a_replay_without_calls_can_be_shown():
    empty = Replay("Net", "cpu", [])
    assert empty.advice == []
    assert ET.fromstring(empty.svg()) is not None
    assert "Net" in str(empty)
    assert "Net" in empty._repr_mimebundle_()["text/html"]


def test_items_are_batch_sizes_shapes_or_dicts_of_shapes():
    items = replay_items.read([8, (4, 3), {"tokens": (2, 16), 1: [2, 16]}])
    assert items == [
        {"batch_size": 8}, {"shapes": {"": [4, 3]}}, {"shapes": {"tokens": [2, 16], "1": [2, 16]}},
    ]  # fmt: skip
    assert [replay_items.words(item) for item in items] == ["8", "4×3", "tokens 2×16 + 1 2×16"]


@pytest.mark.parametrize(
    ("shapes", "said"),
    [
        ([], "shapes must be a list"),
        (4, "shapes must be a list"),
        ("4", "shapes must be a list"),
        ({"x": (4, 8)}, "shapes must be a list"),
        ([0], "0 is no size"),
        ([True], "True is no size"),
        ([4.5], "4.5 is no size"),
        (["4"], "'4' is no size"),
        ([(4, -1)], r"\(4, -1\) holds -1, which is no size"),
        ([()], "which is no shape"),
        ([{}], "must name inputs"),
        ([{"x": 4}], "holds 4, which is no shape"),
        ([{"y": (4, 8)}], "There is no tensor 'y' among the inputs; name one of these: 0"),
        ([{1: (4, 8)}], "There is no tensor '1'"),
    ],
)
def test_what_cannot_be_called_is_told_in_a_sentence_before_any_worker_is_started(shapes, said, monkeypatch):
    monkeypatch.setattr("optkit.replay.Investigation", None)
    with pytest.raises(UsageError, match=said) as error:
        replay_shapes(LINEAR, shapes, inputs=X)
    assert str(error.value).count("\n") == 0


@pytest.mark.parametrize("name", ["input", "0", 0])
def test_an_input_by_position_is_named_by_number_or_parameter(name):
    replay_items.check_names(replay_items.read([{name: (8, 8)}]), optkit.Workload(LINEAR, X))


@pytest.mark.parametrize(
    ("shapes", "said"),
    [
        ([4], "A batch of 4 is made from inputs; pass inputs="),
        ([(4, 8), {"x": (4, 8)}], "name the same ones in each"),
        ([{1: (4, 8)}], "positions count from 0 on"),
    ],
)
def test_a_model_without_inputs_needs_full_shapes(shapes, said, monkeypatch):
    monkeypatch.setattr("optkit.replay.Investigation", None)
    with pytest.raises(UsageError, match=said):
        replay_shapes(LINEAR, shapes)


@pytest.mark.parametrize(
    ("variants", "said"),
    [
        (["compile:dynamo=true"], "no setting 'dynamo'"),
        ([3], "3 is no variant"),
        ("compile+compiled_in=no_grad", "leave compiled_in and fallback out"),
        (["compile+fallback=eager"], "leave compiled_in and fallback out"),
    ],
)
def test_variants_that_cannot_be_replayed_are_told_before_any_worker_is_started(variants, said):
    with pytest.raises((UsageError, VariantError), match=said):
        replay_shapes(LINEAR, [4], variants, X)


def test_what_is_exported_needs_inputs():
    with pytest.raises(UsageError, match="exported with example inputs; pass these as inputs="):
        replay_shapes(LINEAR, [(4, 8)], "torchscript")


def answer(reason, shape, **more) -> dict:
    record = {"path": "net.py", "function": "forward", "resumed_at": None, "reason": reason, "failed": ""} | more
    call = {"inputs": [["0", shape, "float32"]], "compiles": [record], "error": None, "duration_ns": 5}
    return {"told": True, "parameters": ["x"], "calls": [call]}


@pytest.mark.parametrize(
    ("reason", "shape", "said", "of_one"),
    [
        ("", [4, 8], "its first graph", False),
        ("0/0: tensor 'x' size mismatch at index 0. expected 4, actual 8", [8, 8], "x: 4 → 8 in dimension 0", False),
        ("0/0: tensor 'x' size mismatch at index 0. expected 1, actual 8", [8, 8], "x: 1 → 8 in dimension 0", True),
        ("0/1: 2 <= x.size()[0]  # return f(x)", [1, 8], "x: 1 in dimension 0, and the graph before holds for", True),
        ("0/1: 2 <= x.size()[0] <= 15  # conv", [16, 8], "x: 16 in dimension 0, and the graph before holds for", False),
        ("1/1: 2 <= y.size()[0]  # in a resumed function", [1, 8], "the size of y in dimension 0 is another", True),
        ("0/0: tensor 'args[0]' size mismatch at index 0. expected 4, actual 8", [8, 8], "x: 4 → 8", False),
    ],
)
def test_a_guard_of_torchs_becomes_a_reason_in_plain_words(reason, shape, said, of_one):
    (call,) = replayed.calls("compile", ["8"], answer(reason, shape), is_told=True)
    assert call.reasons[0].startswith(f"forward: {said}")
    assert call.graphs[0].of_one is of_one
    assert call.shapes == {"x": tuple(shape)}


def test_the_function_that_torch_wraps_a_model_in_is_called_the_model():
    path = "/lib/torch/_dynamo/external_utils.py"
    (call,) = replayed.calls("compile", ["8"], answer("", [8, 8], path=path, function="inner"), is_told=True)
    assert call.reasons == ("the model: its first graph",)


def test_what_torch_gave_up_is_no_compile():
    given_up = answer("", [8, 8], failed="Unsupported", fail_reason="Dynamo recompile limit exceeded\n  Explanation")
    (call,) = replayed.calls("compile", ["8"], given_up, is_told=True)
    assert (call.compiles, call.left_to_eager) == (0, (replayed.GAVE_UP,))


def test_where_torch_keeps_no_record_counts_are_missing():
    (call,) = replayed.calls("compile", ["8"], answer("", [8, 8]) | {"told": False}, is_told=True)
    assert call.compiles is None
