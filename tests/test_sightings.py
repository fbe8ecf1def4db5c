"""What torch's sources tell, put together: one finding a place, whoever saw it."""

from __future__ import annotations

import sysconfig

import pytest

from optkit import diagnosis_page
from optkit.diagnosis import Diagnosis
from optkit.sightings import evidence, findings, is_own, own_frame

PRINT = (
    "Failed to trace builtin operator\n  Explanation: Dynamo does not know how to trace builtin operator `print` with"
)
OPEN = PRINT.replace("print", "open")
AT = ["/mine/m.py", 11, "forward"]
TORCH = ["/venv/lib/site-packages/torch/nn/modules/container.py", 253, "forward"]


def record(number, *, function="forward", line=9, path="/mine/m.py", **told):
    base = {
        "id": number, "function": function, "path": path, "line": line, "resumed_at": None, "reason": "", "failed": "",
        "fail_reason": "", "fail_path": "", "fail_line": None, "breaks": [], "seconds": 0.1,
    }  # fmt: skip
    return base | told


def explained(*breaks, parameters=("x", "k")):
    told = [{"reason": said, "stack": list(stack)} for said, *stack in breaks]
    return {"breaks": told, "graphs": 1, "failed": None, "parameters": list(parameters)}


def called(*calls, counted=None, inputs=(), error=None, **facts):
    told = [{"duration_ns": 1, "inputs": list(inputs), "compiles": list(one), "error": error} for one in calls]
    return {"calls": told, "facts": {"graphs": 2, "recompiles": 0} | facts, "breaks": counted or {}}


def test_a_break_that_three_sources_saw_is_one_finding():
    (one,) = findings(explained((PRINT, AT)), called([record("0/0"), record("1/0", resumed_at=11)], counted={PRINT: 1}))
    assert (one.kind, one.cause, one.place) == ("graph_break", "print", "/mine/m.py:11")
    assert one.seen_by == ("explain", "resumed function", "counter")


def test_the_place_is_the_innermost_line_of_the_users_own():
    (one,) = findings(explained((PRINT, AT, TORCH)), called([record("0/0")]))
    assert one.place == "/mine/m.py:11"
    assert own_frame([tuple(TORCH)]) == tuple(TORCH)


def test_a_resumed_function_that_nobody_explains_is_a_finding_too():
    (one,) = findings(explained(), called([record("0/0"), record("1/0", resumed_at=21)]))
    assert (one.cause, one.place, one.seen_by) == ("unexplained", "/mine/m.py:21", ("resumed function",))


def test_what_a_record_says_of_its_function_explains_where_it_was_resumed():
    broken = record("0/0", breaks=[OPEN])
    (one,) = findings(explained(), called([broken, record("1/0", resumed_at=21)], counted={OPEN: 1}))
    assert (one.cause, one.place) == ("unsupported_builtin", "/mine/m.py:21")


def test_a_caller_of_a_broken_function_is_no_finding_of_its_own():
    calls = [record("0/0", line=3, function="outer"), record("1/0"), record("2/0", resumed_at=11)]
    calls.append(record("3/0", function="outer", resumed_at=4))
    (one,) = findings(explained((PRINT, AT)), called(calls, counted={PRINT: 2}))
    assert one.callers == ("/mine/m.py:4",)


def test_a_break_that_only_the_counter_saw_has_no_place():
    (one,) = findings(explained(), called([record("0/0")], counted={PRINT: 1}))
    assert (one.cause, one.place, one.seen_by) == ("print", "", ("counter",))


def test_recompiles_of_the_same_kind_at_the_same_place_are_one_finding_with_their_calls():
    guard = "0/{}: tensor 'x' size mismatch at index 0. expected {}, actual {}"
    calls = [
        [record("0/0")],
        [record("0/1", reason=guard.format(0, 4, 2))],
        [record("0/2", reason=guard.format(1, 2, 3))],
    ]
    (one,) = findings(explained(), called(*calls))
    assert (one.kind, one.cause, one.calls, one.count) == ("recompile", "batch_size", (2, 3), 2)
    assert one.changed == "x: 4 → 2 in dimension 0"


def test_an_argument_that_varies_is_told_with_what_it_is_now():
    again = record("0/1", reason="0/0: k == 1")
    (one,) = findings(
        explained(), called([record("0/0")], [again], inputs=[["0", [4, 8], "float32"], ["1", None, "7"]])
    )
    assert one.changed == "k: 1 → 7"


@pytest.mark.parametrize(("failed", "kind"), [("Unsupported", "skipped"), ("RecompileLimitExceeded", "limit")])
def test_a_function_that_is_left_to_eager_is_a_finding(failed, kind):
    told = record("0/0", failed=failed, fail_reason=PRINT, fail_path="/mine/m.py", fail_line=40)
    (one,) = findings(explained(), called([told]))
    assert (one.kind, one.place, one.calls) == (kind, "/mine/m.py:40", (1,))


def test_calls_that_raise_and_cuda_graphs_that_are_skipped_are_told():
    told = findings(explained(), called([record("0/0")], error="no", cudagraph_skips=2))
    assert [(one.kind, one.count) for one in told] == [("cudagraphs", 2), ("failed", 1)]


def test_the_evidence_says_what_each_source_counted():
    told = evidence(explained((PRINT, AT)), called([record("0/0"), record("1/0", resumed_at=11)], [], counted={}))
    assert (told["calls"], told["compiles"], told["graph_breaks"]) == (2, 2, 1)
    assert (told["breaks_counted"], told["breaks_explained"], told["functions_resumed"]) == (0, 1, 1)


@pytest.mark.parametrize(
    ("path", "own"),
    [
        ("/home/me/m.py", True),
        (TORCH[0], False),
        (f"{sysconfig.get_path('stdlib')}/random.py", False),
        ("<frozen x>", False),
    ],
)
def test_files_of_packages_and_of_the_standard_library_are_not_the_users(path, own):
    assert is_own(path) is own


EVIL = "<script>alert(1)</script>"


def test_text_is_text_in_the_page():
    bad = called(
        [record("0/0", failed="Unsupported", fail_reason=EVIL, fail_path=f"/{EVIL}.py", fail_line=1)], error=EVIL
    )
    html = diagnosis_page.html(Diagnosis(EVIL, EVIL, findings(explained(), bad), evidence(explained(), bad), [EVIL]))
    assert EVIL not in html
    assert "&lt;script&gt;" in html


def test_a_clean_diagnosis_says_so_with_the_evidence():
    told = called([record("0/0")], [])
    lines = diagnosis_page.lines(Diagnosis("net", "compile", [], evidence(explained(), told)))
    assert lines[0] == "Nothing found in compile of net."
    assert "2 calls made 1 compile and 2 graphs" in lines[-1]
