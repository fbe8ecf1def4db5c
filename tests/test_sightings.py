"""What torch's sources tell, put together: one finding a place, whoever saw it."""

from __future__ import annotations

import linecache
import sys
import sysconfig
from types import SimpleNamespace

import pytest

from optkit import compile_record, diagnosis_page
from optkit.diagnosis import Diagnosis
from optkit.finding import is_own, own_frame
from optkit.recompiled import switch_of_grad
from optkit.sightings import evidence, findings

PRINT = (
    "Failed to trace builtin operator\n  Explanation: Dynamo does not know how to trace builtin operator `print` with"
)
BRANCH = "Data-dependent branching\n  Explanation: Detected data-dependent branching"
DISABLED = "Skip inlining `torch.compiler.disable()`d function\n  Explanation: Skip"
AT = ["/mine/m.py", 11, "forward"]
CALLER = ["/mine/m.py", 4, "outer"]
TORCH = ["/venv/lib/site-packages/torch/nn/modules/container.py", 253, "forward"]
WRAPPED = [f"/venv/lib/site-packages/{compile_record.WRAPPER}", 69, "inner"]


def record(number, *, function="forward", line=9, path="/mine/m.py", **told):
    base = {
        "id": number, "function": function, "path": path, "line": line, "resumed_at": None, "reason": "", "failed": "",
        "fail_reason": "", "fail_path": "", "fail_line": None, "breaks": [], "seconds": 0.1,
    }  # fmt: skip
    return base | told


def explained(*breaks, parameters=("x", "k"), **more):
    told = [{"reason": said, "stack": list(stack)} for said, *stack in breaks]
    return {"breaks": told, "graphs": 1, "failed": None, "parameters": list(parameters), "scripted": False} | more


def called(*calls, log=(), counted=None, inputs=(), error=None, logged=True, **facts):
    """Return what calls told; `log` is what torch's log said in the first of them, each the reason and the stack."""
    told = [
        {"duration_ns": 1, "inputs": list(inputs), "compiles": list(one), "breaks": [], "error": error} for one in calls
    ]
    if log:
        told[0]["breaks"] = [{"reason": said, "stack": list(stack)} for said, *stack in log]
    return {"calls": told, "logged": logged, "facts": {"graphs": 2, "recompiles": 0} | facts, "breaks": counted or {}}


def test_a_break_that_all_sources_saw_is_one_finding():
    compiles = [record("0/0"), record("1/0", resumed_at=11)]
    (one,) = findings(explained((PRINT, AT)), called(compiles, log=[(PRINT, AT)], counted={PRINT: 1}))
    assert (one.kind, one.cause, one.place) == ("graph_break", "print", "/mine/m.py:11")
    assert set(one.seen_by) == {"log", "explain", "resumed function", "counter"}


def test_the_place_is_the_innermost_line_of_the_users_own():
    (one,) = findings(explained(), called([record("0/0")], log=[(PRINT, AT, TORCH)]))
    assert one.place == "/mine/m.py:11"
    assert own_frame([tuple(TORCH)]) == tuple(TORCH)


def test_two_breaks_with_the_same_words_are_two_findings():
    inner = ["/mine/m.py", 21, "forward"]
    log = [(PRINT, AT), (PRINT, CALLER, inner), (PRINT, inner)]
    compiles = [record("0/0"), record("1/0", resumed_at=11), record("2/0", resumed_at=21)]
    one, other = findings(explained((PRINT, AT)), called(compiles, log=log, counted={PRINT: 3}))
    assert (one.place, one.callers) == ("/mine/m.py:11", ())
    assert (other.place, other.callers) == ("/mine/m.py:21", ("/mine/m.py:4",))


def test_a_caller_of_a_broken_function_is_no_finding_of_its_own_where_the_log_shows_that_it_is_one():
    compiles = [record("0/0", line=3, function="outer"), record("1/0"), record("2/0", resumed_at=11)]
    compiles.append(record("3/0", function="outer", resumed_at=4))
    (one,) = findings(explained(), called(compiles, log=[(PRINT, CALLER, AT), (PRINT, AT)], counted={PRINT: 2}))
    assert one.callers == ("/mine/m.py:4",)


def test_a_line_that_a_function_is_resumed_at_is_a_finding_where_nothing_shows_why():
    """A message that is counted once more may be of a caller, or of another break: it is not said which."""
    compiles = [record("0/0"), record("1/0", resumed_at=11), record("2/0", resumed_at=21)]
    one, other = findings(explained((PRINT, AT)), called(compiles, counted={PRINT: 2}, logged=False))
    assert (one.cause, one.place, one.callers) == ("print", "/mine/m.py:11", ())
    assert (other.cause, other.place, other.seen_by) == ("unexplained", "/mine/m.py:21", ("resumed function",))


def test_a_break_that_only_the_counter_saw_has_no_place():
    (one,) = findings(explained(), called([record("0/0")], counted={PRINT: 1}, logged=False))
    assert (one.cause, one.place, one.seen_by) == ("print", "", ("counter",))


def test_a_break_that_is_explained_of_another_call_is_none_of_the_calls_that_were_asked_about():
    told = called([record("0/0")], counted={})
    assert findings(explained((PRINT, AT)), told) == []
    assert evidence(explained((PRINT, AT)), told)["graph_breaks"] == 0
    (one,) = findings(explained((PRINT, AT)), told | {"logged": False})
    assert one.place == "/mine/m.py:11"


def test_a_break_in_a_loop_is_one_finding_at_its_own_line_with_the_place_that_leads_there():
    log = [(BRANCH, CALLER, AT), (BRANCH, AT)]
    failed = record("1/0", failed="Unsupported", fail_reason=BRANCH, fail_path=AT[0], fail_line=AT[1])
    told = called([record("0/0"), failed, record("2/0", resumed_at=4)], log=log, counted={BRANCH: 1})
    (one,) = findings(explained(), told)
    assert (one.kind, one.place, one.callers) == ("skipped", "/mine/m.py:11", ("/mine/m.py:4",))
    assert "all of forward() is left to eager" in one.reason


def test_recompiles_of_the_same_kind_at_the_same_place_are_one_finding_with_all_that_changed():
    guard = "0/{}: tensor 'x' size mismatch at index 0. expected {}, actual {}"
    told = called(
        [record("0/0")],
        [record("0/1", reason=guard.format(0, 4, 2))],
        [record("0/2", reason=guard.format(1, 2, 3))],
        recompiles=2,
    )
    (one,) = findings(explained(), told)
    assert (one.kind, one.cause, one.calls, one.count) == ("recompile", "batch_size", (2, 3), 2)
    assert one.changed == "x: 4 → 2 in dimension 0; x: 2 → 3 in dimension 0"
    shown = Diagnosis("net", "compile", [one], evidence(explained(), told))
    assert "compiled again (2 for 1 cause)" in str(shown).splitlines()[0]
    assert "recompiles: 2" in str(shown).splitlines()[-1]


def test_two_inputs_that_change_are_two_findings_because_the_fix_names_the_input():
    guard = "0/0: tensor '{}' size mismatch at index 0. expected 4, actual 2"
    told = findings(explained(), called([], *([record("0/1", reason=guard.format(name))] for name in "xy")))
    assert [("mark_dynamic(x, 0)" in one.fix, "mark_dynamic(y, 0)" in one.fix) for one in told] == [
        (True, False), (False, True),
    ]  # fmt: skip


def test_of_very_many_changes_the_first_are_shown_and_all_are_kept():
    guard = "tensor 'x' size mismatch at index 0. expected {}, actual {}"
    told = called([], *([record("0/1", reason=guard.format(n, n + 1))] for n in range(2, 22)))
    (one,) = findings(explained(), told)
    assert one.changed.count("→") == 20
    assert "and 12 more" in str(Diagnosis("net", "compile", [one], evidence(explained(), told)))


def test_a_model_of_torchs_own_is_named_so_and_not_after_torchs_wrapper():
    again = record("0/1", path=WRAPPED[0], line=67, function="inner",
                   reason="0/0: tensor 'args[0]' size mismatch at index 0. expected 4, actual 3")  # fmt: skip
    told = called([record("0/0", path=WRAPPED[0])], [again])
    (one,) = findings(explained(parameters=["input"]), told)
    assert (one.place, one.function, one.source, one.changed) == ("", "the model", "", "input: 4 → 3 in dimension 0")
    assert "mark_dynamic(input, 0)" in one.fix
    assert "Compiled again in the model, in call 2" in str(
        Diagnosis("net", "compile", [one], evidence({"breaks": []}, told))
    )


def test_an_argument_that_varies_is_told_with_what_it_is_now():
    again = record("0/1", reason="0/0: k == 1")
    (one,) = findings(
        explained(), called([record("0/0")], [again], inputs=[["0", [4, 8], "float32"], ["1", None, "7"]])
    )
    assert one.changed == "k: 1 → 7"


def test_a_function_that_is_left_to_eager_is_a_finding():
    told = record("0/0", failed="Unsupported", fail_reason=PRINT, fail_path="/mine/m.py", fail_line=40)
    (one,) = findings(explained(), called([told]))
    assert (one.kind, one.place, one.calls) == ("skipped", "/mine/m.py:40", (1,))
    assert "another begins" not in one.reason


def test_the_limit_of_recompiles_has_the_place_of_the_function_that_was_compiled_so_often():
    """Which function torch refuses to compile it does not say; its number is that of earlier compiles."""
    refused = record("0/8", path="", line=None, function="", failed="Unsupported",
                     fail_reason="Dynamo recompile limit exceeded\n  Explanation: x")  # fmt: skip
    told = called([record("1/0", line=50), record("0/0", line=9)], [refused])
    (one,) = findings(explained(), told)
    assert (one.kind, one.cause, one.place, one.calls) == ("limit", "recompile_limit", "/mine/m.py:9", (2,))


def test_calls_that_raise_and_cuda_graphs_that_are_skipped_are_told():
    told = findings(explained(), called([record("0/0")], error="no", cudagraph_skips=2))
    assert [(one.kind, one.count) for one in told] == [("cudagraphs", 2), ("failed", 1)]


def test_a_call_that_raises_itself_is_left_to_eager_and_no_break_and_has_its_line():
    said = "Observed exception\n  Explanation: x\n  Developer debug context: raised exception ValueError('no')\n"
    left = record("0/1", failed="Unsupported", fail_reason=said, fail_path="/mine/m.py", fail_line=11, reason="0/0: x")
    told = called([left], log=[(said, AT)], error="ValueError: no")
    told["calls"][0]["raised_at"] = [AT, TORCH]
    one, other = findings(explained(), told)
    assert (one.kind, one.cause, one.place) == ("skipped", "exception", "/mine/m.py:11")
    assert "all of forward() is left to eager" in one.reason
    assert "tensor" not in one.fix
    assert (other.kind, other.place) == ("failed", "/mine/m.py:11")
    assert other.reason == "The call raised ValueError: no."
    assert evidence(explained(), told)["recompiles_failed"] == 1


@pytest.mark.parametrize("fullgraph", [True, None])
def test_fullgraph_is_named_where_it_is_set(fullgraph):
    refused = record("0/0", failed="Unsupported", fail_reason=PRINT, fail_path="/mine/m.py", fail_line=40)
    (one,) = findings(explained(), called([refused], error="Unsupported: no", graphs=0), fullgraph=fullgraph)
    assert ("leave out fullgraph=True" in one.fix) is bool(fullgraph)


def test_what_is_in_the_library_that_logs_is_told_at_the_users_line_alone():
    inside = ["/usr/lib/python3.11/logging/__init__.py", 340, "_log"]
    log = [("logging.Logger method", AT), ("trace the builtin `_thread.get_ident.`", inside)]
    again = record("3/1", path=inside[0], line=297, reason="3/0: ___stack1 == 2")
    (one,) = findings(explained(), called([record("0/0"), again], log=log))
    assert (one.cause, one.place) == ("logging", "/mine/m.py:11")


def test_what_compiles_again_within_one_call_goes_with_the_break():
    again = record("1/1", reason="1/0: tensor 'x' dispatch key set mismatch. expected 1, actual 2")
    first, second = (findings(explained(), called(*calls))[0] for calls in ([[again]], [[], [again]]))
    assert "within one call" in first.reason
    assert first.fix.startswith("Mend the graph breaks")
    assert second.fix.startswith("Give it tensors")


def test_a_value_of_another_type_is_told_by_the_types():
    given = {"inputs": [["0", [4, 8], "float32"], ["1", None, "1.0"]]}
    (one,) = findings(explained(), called([], [record("0/1", reason="0/0: k == 1")], **given))
    assert (one.cause, one.changed) == ("type", "k: 1 → 1.0")
    assert "int in one call and float in another" in one.reason
    (one,) = findings(explained(), called([], [record("0/1", reason="0/0: ___check_type_id(k, 1), type=<class 'int'>")],
                                          **given))  # fmt: skip
    assert (one.cause, one.changed) == ("type", "k: int → float")


@pytest.mark.parametrize(("line", "own"), [("C['a'] += 1", True), ("y = C['a']", False)])
def test_a_global_that_the_model_itself_changes_is_told_so(line, own):
    linecache.cache["/mine/g.py"] = (1, None, ["C = {'a': 1}\n", "def forward(x):\n", f"    {line}\n"], "/mine/g.py")
    told = record("0/1", path="/mine/g.py", line=2, reason="0/0: G['C']['a'] == 1")
    (one,) = findings(explained(), called([], [told]))
    assert ("The model itself changes the global C['a']" in one.reason) is own
    assert one.changed == "the global C['a']"


def test_findings_are_rows_of_a_table():
    told = called([record("0/0")], log=[(PRINT, AT)])
    frame = Diagnosis("net", "compile", findings(explained(), told), evidence(explained(), told)).to_frame()
    assert list(frame["place"]) == ["/mine/m.py:11"]
    assert list(frame["cause"]) == ["print"]
    assert list(Diagnosis("net", "compile").to_frame().columns) == list(frame.columns)


def test_a_call_that_raises_where_torch_may_not_break_the_graph_has_the_line_and_its_cause():
    refused = record("0/0", failed="Unsupported", fail_reason=PRINT, fail_path="/mine/m.py", fail_line=40)
    told = called([refused], error="Unsupported: no", graphs=0)
    (one,) = findings(explained(), told)
    assert (one.kind, one.cause, one.place) == ("failed", "print", "/mine/m.py:40")
    assert evidence(explained(), told)["skipped_functions"] == 0


@pytest.mark.parametrize(
    ("compiles", "log", "more", "cause", "kinds"),
    [
        ([], [], {"scripted": True}, "torchscript", []),
        ([], [], {}, "not_tried", []),
        ([record("0/0")], [], {}, "no_operation", []),
        ([record("0/0", path=WRAPPED[0])], [(DISABLED, WRAPPED)], {}, "disabled", []),
        ([record("0/0")], [(DISABLED, AT)], {}, "broken", ["graph_break"]),
        ([record("0/0", failed="Unsupported", fail_reason=PRINT)], [], {}, "left_to_eager", ["skipped"]),
    ],
)
def test_where_torch_made_no_graph_that_is_said_first_with_the_reason(compiles, log, more, cause, kinds):
    told = called(compiles, log=log, graphs=0)
    first, *rest = findings(explained(**more), told)
    assert (first.kind, first.cause) == ("not_compiled", cause)
    assert [one.kind for one in rest] == kinds
    shown = Diagnosis("net", "compile", [first, *rest], evidence(explained(**more), told))
    assert not shown.is_clean
    assert "not compiled" in str(shown).splitlines()[0]


def test_without_a_count_of_graphs_nothing_is_called_clean():
    told = called([record("0/0")], graphs=None)
    shown = Diagnosis("net", "compile", findings(explained(), told), evidence(explained(), told))
    assert (shown.findings, shown.is_clean) == ([], False)
    assert "torch does not say whether it made a graph" in str(shown)


def test_the_evidence_says_what_each_source_counted():
    compiles = [record("0/0"), record("1/0", resumed_at=11)]
    told = evidence(explained((PRINT, AT)), called(compiles, [], log=[(PRINT, AT)] * 2, counted={}))
    assert (told["calls"], told["compiles"], told["graph_breaks"], told["breaks_logged"]) == (2, 2, 2, 2)
    assert (told["breaks_counted"], told["breaks_explained"], told["functions_resumed"]) == (0, 1, 1)


SWITCHES = """
class Net:
    def forward(self, x):
        # no_grad is not used here
        with torch.no_grad():
            y = x + 1
        with torch.set_grad_enabled(True):
            y = y + 1
        {}
        return y
"""


@pytest.mark.parametrize(
    ("line", "switches"),
    [
        ("torch.set_grad_enabled(not torch.is_grad_enabled())", True),
        ("set_grad_enabled(False)", True),
        ("flip()  # set_grad_enabled", False),
        ("def inner(): torch.set_grad_enabled(False)", False),
        ("torch.set_grad_enabled(True); torch.set_grad_enabled(False)", False),
    ],
)
def test_the_line_that_switches_the_grad_mode_is_a_statement_that_leaves_it_switched(line, switches, tmp_path):
    path = tmp_path / "net.py"
    path.write_text(SWITCHES.format(line))
    assert switch_of_grad((str(path), 3, "forward")) == ((str(path), 9, "forward") if switches else None)
    assert switch_of_grad((str(tmp_path / "gone.py"), 3, "forward")) is None


@pytest.mark.parametrize(
    ("path", "own"),
    [
        ("/home/me/m.py", True),
        ("<stdin>", True),
        (TORCH[0], False),
        (f"{sysconfig.get_path('stdlib')}/random.py", False),
        ("<frozen x>", False),
        ("<eval_with_key>.7", False),
    ],
)
def test_files_of_packages_and_of_the_standard_library_are_not_the_users(path, own):
    assert is_own(path) is own


CELL = "class Mine:\n    def forward(self, x):\n        y = x * 2\n        z = y + 1\n        print('x')\n"


def test_a_line_of_a_notebook_is_named_by_its_cell(monkeypatch):
    path = "/tmp/ipykernel_7/2263.py"
    shell = SimpleNamespace(user_ns={"In": ["", "first = 1", CELL, "optkit.diagnose(Mine(), x)"]})
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setitem(linecache.cache, path, (len(CELL), None, CELL.splitlines(keepends=True), path))
    told = called([record("0/0")], log=[(PRINT, [path, 5, "forward"])])
    (one,) = findings(explained(), told)
    assert one.source == "print('x')"
    shown = Diagnosis("net", "compile", [one], evidence(explained(), told))
    assert "Graph break at cell [2], line 5" in str(shown)
    assert "cell [2], line 5" in shown._repr_mimebundle_()["text/html"]


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
