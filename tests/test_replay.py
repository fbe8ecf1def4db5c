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
from optkit.replayed import Compilation, ReplayedCall

TRUE, FALSE, MARK = "compile:dynamic=true", "compile:dynamic=false", "mark_dynamic"
FIRST = Compilation("forward", None, "its first compile")
GROWN = Compilation(
    "forward", None, "x: 4 → 8 in dimension 0", "tensor 'x' size mismatch at index 0. expected 4, actual 8"
)
ONE = Compilation("forward", None, "x: 1 in dimension 0", "2 <= x.size()[0]", of_one=True)
REST = Compilation("forward", 7, "y: 4 → 8 in dimension 0", "tensor 'y' size mismatch at index 0. expected 4, actual 8")
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
        "eager took 4.00 ms for the same calls, and a call in which compile:dynamic=true compiles nothing is not "
        "clearly faster (1.00 ms against 1.00 ms, medians): compiling shows no gain here."
    )


def paid(eager, compiled, later, compiles=1):
    """Return what is said of eager: the seconds of its four calls, of a first call that compiles, and of later ones."""
    first = [FIRST] * compiles
    told = replay(row("eager", SIZES, [()] * 4, eager), row(TRUE, SIZES, [first, [], [], []], [compiled, *later]))
    return advice_with(told, "eager took")


def test_compiling_pays_off_later_only_where_the_other_calls_are_clearly_faster_than_eagers():
    assert paid([1e-3] * 4, 2.0, [5e-4] * 3).endswith(
        "and a call in which compile:dynamic=true compiles nothing is faster (500 µs against 1.00 ms, medians): "
        "compiling pays off if enough more follow."
    )
    assert "slower (2.00 ms against 1.00 ms, medians): compiling never pays off" in paid([1e-3] * 4, 2.0, [2e-3] * 3)
    assert "not clearly faster (950 µs against 1.00 ms, medians)" in paid([1e-3] * 4, 2.0, [9.5e-4] * 3)


def test_the_other_calls_are_held_against_eagers_calls_with_the_same_shapes():
    """A first call that warms eager up is in no comparison with calls that compile nothing."""
    assert "never pays off" in paid([1.0, 1e-3, 1e-3, 1e-3], 2.0, [5e-3] * 3)


def test_nothing_is_said_to_pay_off_where_nothing_was_compiled_or_too_few_calls_tell():
    assert paid([1e-3] * 4, 2.0, [5e-4] * 3, compiles=0) == "eager took 4.00 ms for the same calls."
    few = replay(row("eager", (4, 8), [()] * 2), row(TRUE, (4, 8), [[FIRST], []]))
    assert advice_with(few, "eager took") == "eager took 2.00 ms for the same calls."


def test_eager_that_took_longer_is_told_too_unless_it_is_about_the_same():
    assert "compiling paid off within them" in paid([3.0] * 4, 2.0, [1e-3] * 3)
    assert paid([0.52] * 4, 2.0, [1e-3] * 3).endswith("about the same.")


def test_times_of_a_busy_machine_are_not_compared_and_that_is_told():
    busy = usual()
    busy.loads["compile"] = {"others_cpus": 1.4, "visible_cpus": 2}
    assert not [one for one in busy.advice if "least time" in one or "eager took" in one]
    assert "other processes used up to 1.4 of 2 CPUs" in str(busy)
    assert "1.4 of 2 CPUs" in busy._repr_mimebundle_()["text/html"]
    assert json.loads(busy.to_json())["loads"]["compile"]["others_cpus"] == 1.4
    assert busy.advice[0] == usual().advice[0]  # in which calls it compiled is not touched
    quiet = usual()
    quiet.loads["compile"] = {"others_cpus": 0.2, "visible_cpus": 2}
    assert quiet.advice == usual().advice
    assert "other processes" not in str(quiet)


def test_what_is_left_to_eager_is_told_in_plain_words_with_its_line():
    said = "Failed to trace builtin operator\n  Explanation: Dynamo does not know how to trace builtin operator `print`"
    given_up = answer("", [8, 8], failed="Unsupported", fail_reason=said, fail_path="/a/net.py", fail_line=7)
    (call,) = replayed.calls("compile", ["8"], given_up, is_told=True)
    assert call.left_to_eager == ("net.py:7: print() is Python and no operation on tensors.",)


def test_totals_that_lie_near_each_other_are_called_about_the_same():
    told = replay(
        EAGER, row("compile", (4, 8), [[FIRST], []], [2.0, 0.1]), row(TRUE, (4, 8), [[FIRST], []], [2.05, 0.1])
    )
    assert "compile and compile:dynamic=true took about the same for all 2 calls, 2.10 s and 2.15 s." in told.advice


def test_a_difference_between_ways_that_compiled_as_much_is_called_little():
    told = replay(
        EAGER, row("compile", (4, 8), [[FIRST], []], [2.0, 0.1]), row(TRUE, (4, 8), [[FIRST], []], [4.0, 0.1])
    )
    assert "compile:dynamic=true compiled as often as compile (1)" in advice_with(told, "says little")


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
    bounded = Compilation("forward", None, "x: 16 in dimension 0", "2 <= x.size()[0] <= 15")
    told = replay(EAGER, row(TRUE, (4, 16), [[FIRST], [bounded]]), row("compile", (4, 16), [[FIRST], [bounded]]))
    assert (
        "compile:dynamic=true and compile compiled again for 16, as the graph before holds for 2 <= x.size()[0] <= 15 "
        "only." in told.advice
    )


def test_where_nothing_compiles_again_the_advice_says_so():
    told = replay(EAGER, *(row(name, SIZES, [[FIRST], [], [], []]) for name in ("compile", TRUE)))
    assert told.advice[0] == (
        "Nothing was compiled again: compile and compile:dynamic=true compiled in the first call only, and the 3 after "
        "it ran on what that had compiled."
    )


@pytest.mark.parametrize("later", [{"error": "ValueError: no"}, {"left_to_eager": ("net.py:3: no",)}])
def test_of_calls_that_raised_or_ran_in_eager_it_is_not_said_that_they_ran_on_a_graph(later):
    rows = [*row("compile", (4,), [[FIRST]]), ReplayedCall("compile", 2, "8", {"x": (8, 8)}, 0.1, (), **later)]
    said = " ".join(replay(EAGER[:2], rows).advice)
    assert "Nothing was compiled again: compile compiled in the first call only." in said
    assert "ran on what" not in said


STEPPED = [Compilation("forward", None, "the global STEP", f"G['STEP'] == {n}", of_shape=False) for n in range(3)]


def test_where_no_shape_is_why_it_says_what_is_and_advises_no_warm_up():
    told = replay(row("eager", (4,) * 4, [()] * 4), row("compile", (4,) * 4, [[FIRST], *([one] for one in STEPPED)]))
    assert advice_with(told, "because of what") == (
        "compile compiled again in calls 2, 3 and 4 because of what is no shape: the global STEP."
    )
    assert advice_with(told, "optkit.diagnose") == "optkit.diagnose names the line of what is no shape, with a fix."
    assert not any("warm up" in one for one in told.advice)
    assert "calls 2, 3, 4 (4), compile: forward: the global STEP" in str(told).splitlines()


def test_the_text_says_why_later_calls_compiled_for_all_ways_at_once_and_of_very_many_the_first():
    assert "call 4 (1), compile, compile:dynamic=true: forward: x: 1 in dimension 0" in str(usual())
    grown = [[Compilation("forward", None, f"x: {size} → {size + 1} in dimension 0")] for size in range(2, 31)]
    rows = row("compile", range(2, 32), [[FIRST], *grown])
    assert "and 17 more; to_frame() has all" in str(replay(row("eager", range(2, 32), [()] * 30), rows)).splitlines()


def test_eager_alone_is_one_way_with_no_empty_block_of_advice():
    told = replay(EAGER)
    assert str(told).splitlines()[0] == "Net on cpu, 4 calls"
    assert str(told).splitlines()[-1].startswith("eager")
    assert "<ul" not in told._repr_mimebundle_()["text/html"]


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
        "reasons": ("forward: its first compile",), "error": None,
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
    made = Compilation(bad, None, bad, bad)
    calls = [ReplayedCall(bad, 1, bad, {bad: (4,)}, 1.0, (made, made), (bad,), (bad,), None)]
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


def test_two_compiles_in_a_call_are_counted_in_the_cell():
    told = replay(row("compile", (4,), [[FIRST, REST]]))
    (group,) = groups(told).values()
    assert [element.text for element in group.iter("text")] == ["2.00 s", "×2"]
    assert "◆2" in str(told)
    assert "torch compiled (◆2: 2 times)" in str(told)
    assert "graph" not in str(told)  # a compile need not make one


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
    monkeypatch.setattr("optkit.replay.Investigation.__enter__", None)
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
        (5, "5 is no variant"),
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
    record = {
        "id": "0/0", "path": "net.py", "function": "forward", "resumed_at": None, "reason": reason, "failed": "",
    } | more  # fmt: skip
    call = {"inputs": [["0", shape, "float32"]], "compiles": [record], "error": None, "duration_ns": 5}
    return {"told": True, "parameters": ["x"], "calls": [call]}


@pytest.mark.parametrize(
    ("reason", "shape", "said", "of_one"),
    [
        ("", [4, 8], "its first compile", False),
        ("0/0: tensor 'x' size mismatch at index 0. expected 4, actual 8", [8, 8], "x: 4 → 8 in dimension 0", False),
        ("0/0: tensor 'x' size mismatch at index 0. expected 1, actual 8", [8, 8], "x: 1 → 8 in dimension 0", True),
        ("0/1: 2 <= x.size()[0]  # return f(x)", [1, 8], "x: 1 in dimension 0, and the graph before holds for", True),
        ("0/1: 2 <= x.size()[0] <= 15  # conv", [16, 8], "x: 16 in dimension 0, and the graph before holds for", False),
        ("1/1: 2 <= y.size()[0]  # in a resumed function", [1, 8], "the size of y in dimension 0 is another", True),
    ],
)
def test_a_guard_of_torchs_becomes_a_reason_in_plain_words(reason, shape, said, of_one):
    (call,) = replayed.calls("compile", ["8"], answer(reason, shape), is_told=True)
    assert call.reasons[0].startswith(f"forward: {said}")
    assert call.compilations[0].of_one is of_one
    assert call.shapes == {"x": tuple(shape)}


def test_the_function_that_torch_wraps_a_model_in_is_called_the_model():
    path = "/lib/torch/_dynamo/external_utils.py"
    (call,) = replayed.calls("compile", ["8"], answer("", [8, 8], path=path, function="inner"), is_told=True)
    assert call.reasons == ("the model: its first compile",)
    guard = "0/0: tensor 'args[0]' size mismatch at index 0. expected 4, actual 8"
    (call,) = replayed.calls("compile", ["8"], answer(guard, [8, 8], path=path, function="inner"), is_told=True)
    assert call.reasons == ("the model: x: 4 → 8 in dimension 0",)


def test_what_torch_gave_up_is_no_compile():
    given_up = answer("", [8, 8], failed="Unsupported", fail_reason="Dynamo recompile limit exceeded\n  Explanation")
    (call,) = replayed.calls("compile", ["8"], given_up, is_told=True)
    assert (call.compiles, call.left_to_eager) == (0, (replayed.GAVE_UP,))


def test_what_was_left_to_eager_is_so_in_later_calls_too_also_where_its_call_raised():
    """Torch 2.13 runs a function in eager once it has left it there, also for sizes that it has a graph for."""
    one, two = answer("", [2, 8])["calls"], answer("0/0: x", [4, 8], id="0/1", failed="Unsupported",
                                                   fail_reason="Observed exception")["calls"]  # fmt: skip
    two[0]["error"], last = "ValueError: batch too large", one[0] | {"compiles": []}
    told = {"told": True, "parameters": ["x"], "calls": [*one, *two, last]}
    calls = replayed.calls("compile", ["2", "4", "2"], told, is_told=True)
    assert [len(call.left_to_eager) for call in calls] == [0, 1, 1]
    two[0]["error"] = "Unsupported: Observed exception"  # fullgraph: then it is tried again in the next call
    calls = replayed.calls("compile", ["2", "4", "2"], told, is_told=True)
    assert [len(call.left_to_eager) for call in calls] == [0, 0, 0]


@pytest.mark.parametrize(
    ("guard", "of_shape"),
    [("0/0: tensor 'x' size mismatch at index 0. expected 4, actual 8", True), ("0/0: G['STEP'] == 1", False)],
)
def test_what_is_of_a_shape_is_known_from_the_guard(guard, of_shape):
    (call,) = replayed.calls("compile", ["8"], answer(guard, [8, 8]), is_told=True)
    assert call.compilations[0].of_shape is of_shape


def test_where_torch_keeps_no_record_counts_are_missing():
    (call,) = replayed.calls("compile", ["8"], answer("", [8, 8]) | {"told": False}, is_told=True)
    assert call.compiles is None
