"""torch's words about breaks and guards, in plain words. The words are torch 2.13's own."""

from __future__ import annotations

import pytest

from optkit.causes import of_break, of_guard, place_of_guard

SKIPPED = "Attempted to call function marked as skipped\n  Explanation: Dynamo does not know how to trace the builtin "
PRINT = (
    "Failed to trace builtin operator\n  Explanation: Dynamo does not know how to trace builtin operator `print` with "
    "argument types ['str'] (has_kwargs False)\n  Hint: Avoid calling builtin `print`"
)
ITEM = "Unsupported Tensor.item() call with capture_scalar_outputs=False\n  Explanation: Dynamo does not support"
SCALAR = "Data dependent operator\n  Explanation: Operator `aten._local_scalar_dense.default` has a non-Tensor output"
OBSERVED = (
    "Observed exception\n  Explanation: Dynamo found no exception handler.\n  Hint: Look.\n\n"
    "  Developer debug context: raised exception TypeError('no')\n\n For more"
)


@pytest.mark.parametrize(
    ("said", "source", "name"),
    [
        (PRINT, "print(1)", "print"),
        (PRINT.replace("print", "open"), "open()", "unsupported_builtin"),
        (ITEM, "s = y.sum().item()", "item"),
        (SCALAR, "s = float(y.sum())", "item"),
        (SCALAR, "s = float(np.linalg.norm(y.numpy()))", "numpy"),
        ("generic_jump TensorVariable()", "if y.sum() > 0:", "data_dependent_branch"),
        ("Dynamic shape operator\n  Explanation: Operator `aten.nonzero.default`'s output", "", "data_dependent_shape"),
        ("Tensor.tolist() with non-integer tensor\n  Explanation: no", "", "tolist"),
        (f"{SKIPPED}`time.time.` This function is", "t = time.time()", "unsupported_function"),
        ("Skip inlining `torch.compiler.disable()`d function\n  Explanation: x", "", "disabled"),
        ("Unsupported context manager\n  Explanation: Dynamo", "with open():", "context_manager"),
        (OBSERVED, "", "exception"),
        ("Something new\n  Explanation: It is new.\n  Hint: Do it otherwise.", "", "unsupported"),
    ],
)
def test_a_break_has_a_cause_a_reason_and_a_fix(said, source, name):
    cause = of_break(said, source)
    assert cause.name == name
    assert cause.reason.endswith(".")
    assert cause.fix.endswith((".", "."))
    assert "{" not in cause.reason + cause.fix


def test_what_is_not_known_keeps_torchs_explanation_and_hint():
    cause = of_break("New\n  Explanation: It is\n new.\n  Hint: Please report an issue.\n  Hint: Do it otherwise.")
    assert (cause.reason, cause.fix) == ("It is new.", "Do it otherwise.")


def test_what_cannot_be_traced_is_named():
    assert "time.time()" in of_break(f"{SKIPPED}`time.time.` This").reason
    assert "open()" in of_break(PRINT.replace("print", "open")).reason
    assert "TypeError('no')" in of_break(OBSERVED).reason


COMMENT = "                                              # y = x.shape[0]  # mp/m.py:29 in forward\nUser stack trace:\n"
GUARDS = {
    "0/0: tensor 'x' size mismatch at index 0. expected 4, actual 2": ("batch_size", "x: 4 → 2 in dimension 0"),
    "0/0: tensor 'x' size mismatch at index 2. expected 4, actual 2": ("shape", "x: 4 → 2 in dimension 2"),
    "0/2: tensor 'x' rank mismatch. expected 2, actual 3": ("rank", "x: 2 dimensions → 3"),
    "0/3: tensor 'x' dtype mismatch. expected Float, actual Double": ("dtype", "x: Float → Double"),
    "0/0: tensor 'x' dispatch key set mismatch. expected a, actual b": ("tensor_kind", "x: another dispatch key set"),
    "0/0: GLOBAL_STATE changed: grad_mode": ("grad_mode", "the grad mode"),
    "0/0: GLOBAL_STATE changed: num_threads ": ("global_state", "torch's num_threads"),
    f"0/0: G['FLAG'] == True{COMMENT}": ("global", "the global FLAG"),
    f"0/0: k == 1{COMMENT}": ("python_argument", "k: not 1 any more"),
    f"0/0: L['k'] == 1{COMMENT}": ("python_argument", "k: not 1 any more"),
    f"0/0: not self.seen{COMMENT}": ("mutated_state", "self.seen"),
    f"0/1: len(self.seen) == 1{COMMENT}": ("mutated_state", "self.seen"),
    f"0/1: self.n == 1{COMMENT}": ("mutated_state", "self.n"),
    f"1/0: ___stack0 == 17.5{COMMENT}": ("python_value", "a Python value"),
    f"0/1: 2 <= x.size()[0]{COMMENT}": ("shape", "the size of x in dimension 0"),
    "1/1: Cache line invalidated because L['___stack0'] got deallocated": (
        "deallocated",
        "an object that lives for one call",
    ),
    "1/1: Cache line invalidated because L['self'].helper got deallocated": ("deallocated", "self.helper is gone"),
    f"0/1: something_else(x){COMMENT}": ("guard", "something_else(x)"),
}


@pytest.mark.parametrize("said", GUARDS)
def test_a_guard_has_a_cause_and_says_what_changed(said):
    cause = of_guard(said)
    assert (cause.name, cause.changed) == GUARDS[said]
    assert "{" not in cause.reason + cause.fix
    assert cause.fix.endswith(".")


def test_a_guard_is_placed_at_the_users_line_where_torch_tells():
    said = f'0/0: G["F"] == 1{COMMENT}  File "/a/outer.py", line 3, in f\n  File "/a/m.py", line 29, in forward\n'
    assert place_of_guard(said) == ("/a/m.py", 29)
    assert place_of_guard("0/0: GLOBAL_STATE changed: grad_mode") is None
