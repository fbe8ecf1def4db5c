"""torch's words about graph breaks, in plain words. The words are torch 2.13's own."""

from __future__ import annotations

import pytest

from optkit import causes
from optkit.causes import of_break

SKIPPED = "Attempted to call function marked as skipped\n  Explanation: Dynamo does not know how to trace the builtin "
PRINT = (
    "Failed to trace builtin operator\n  Explanation: Dynamo does not know how to trace builtin operator `print` with "
    "argument types ['str'] (has_kwargs False)\n  Hint: Avoid calling builtin `print`"
)
ITEM = "Unsupported Tensor.item() call with capture_scalar_outputs=False\n  Explanation: Dynamo does not support"
SCALAR = "Data dependent operator\n  Explanation: Operator `aten._local_scalar_dense.default` has a non-Tensor output"
BRANCH = "Data-dependent branching\n  Explanation: Detected data-dependent branching (e.g. `if my_tensor.sum() > 0:`)."
OBSERVED = (
    "Observed exception\n  Explanation: Dynamo found no exception handler.\n  Hint: Look.\n\n"
    "  Developer debug context: raised exception TypeError('no')\n\n For more"
)
LOGGER = "logging.Logger method not supported for non-export cases\n  Explanation: logging.Logger methods are not"


@pytest.mark.parametrize(
    ("said", "source", "name"),
    [
        (PRINT, "print(1)", "print"),
        (PRINT.replace("print", "open"), "open()", "unsupported_builtin"),
        (ITEM, "s = y.sum().item()", "item"),
        (ITEM, "k = y.sum().item() * np.pi", "item"),
        (ITEM, "k = y.sum().item() * np.sqrt(2)", "item"),
        (SCALAR, "s = float(y.sum()) * np.pi", "item"),
        (SCALAR, "s = float(y.sum())", "item"),
        (SCALAR, "s = float(np.linalg.norm(y.numpy()))", "numpy"),
        ("generic_jump TensorVariable()", "if y.sum() > 0:", "data_dependent_branch"),
        (BRANCH, "if y.sum() > 0:", "data_dependent_branch"),
        (BRANCH, 'assert y.sum() > 0, f"{y}"', "assertion"),
        ("Dynamic shape operator\n  Explanation: Operator `aten.nonzero.default`'s output", "", "data_dependent_shape"),
        ("Tensor.tolist() with non-integer tensor\n  Explanation: no", "", "tolist"),
        (f"{SKIPPED}`time.time.` This function is", "t = time.time()", "unsupported_function"),
        (LOGGER, 'LOG.warning("x")', "logging"),
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
    assert cause.fix.endswith(".")
    assert "{" not in cause.reason + cause.fix


def test_what_is_not_known_keeps_torchs_explanation_and_hint():
    cause = of_break("New\n  Explanation: It is\n new.\n  Hint: Please report an issue.\n  Hint: Do it otherwise.")
    assert (cause.reason, cause.fix) == ("It is new.", "Do it otherwise.")


@pytest.mark.parametrize(
    "hint", ["Please report an issue.", "Rules may be possible. Please report an issue to PyTorch.", "File an issue."]
)
def test_to_report_an_issue_is_no_fix(hint):
    assert "issue" not in of_break(f"New\n  Explanation: It is new.\n  Hint: {hint}").fix


def test_what_cannot_be_traced_is_named():
    assert "time.time()" in of_break(f"{SKIPPED}`time.time.` This").reason
    assert "open()" in of_break(PRINT.replace("print", "open")).reason
    assert "TypeError('no')" in of_break(OBSERVED).reason


def test_a_function_is_called_as_the_users_line_calls_it():
    said = f"{SKIPPED}`<unknown module>.Random.random.` This"
    assert "into random.random()," in of_break(said, "x = x + random.random()").reason
    assert "into Random.random()," in of_break(said, "x = x + draw()").reason


def test_a_fix_that_names_a_setting_of_torchs_says_where_to_set_it():
    assert of_break(PRINT, "print(1)").fix.endswith(causes.WHERE_TO_SET)
    assert causes.WHERE_TO_SET not in of_break(BRANCH, "if y.sum() > 0:").fix


def test_only_what_may_compute_on_tensors_is_to_become_an_operator():
    for what in ("time.time", "<unknown module>.Random.random"):
        said = of_break(f"{SKIPPED}`{what}.` This")
        assert "custom_op" not in said.fix
        assert "unknown" not in said.reason
    assert "custom_op" in of_break(f"{SKIPPED}`extension.fast_sum.` This").fix


def test_a_break_is_not_said_to_begin_another_graph():
    """Where a whole function is left to eager there is none; what comes of a break is said by its kind."""
    for said in (PRINT, PRINT.replace("print", "open"), OBSERVED):
        assert "graph" not in of_break(said).reason
        assert "eager" not in of_break(said).reason


@pytest.mark.parametrize(
    ("source", "fix"),
    [
        ('LOG.info("x")', "ignore_logger_methods.add(logging.Logger.info)"),
        ('logging.error("x")', "reorderable_logging_functions.add(logging.error)"),
    ],
)
def test_of_a_message_that_is_logged_torchs_own_setting_is_named(source, fix):
    assert fix in of_break("Unsupported python_type() call", source, "/usr/lib/python3/logging/__init__.py").fix
