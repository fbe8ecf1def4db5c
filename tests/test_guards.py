"""Guards that failed, in plain words, with what removes them under the settings at hand. The words are torch 2.13's."""

from __future__ import annotations

import pytest

from optkit import compile_record
from optkit.guards import frames_of_guard, of_guard

COMMENT = "                                              # y = x.shape[0]  # mp/m.py:29 in forward\nUser stack trace:\n"
SIZE = "0/0: tensor 'x' size mismatch at index {}. expected {}, actual {}"
GUARDS = {
    SIZE.format(0, 4, 2): ("batch_size", "x: 4 → 2 in dimension 0"),
    SIZE.format(2, 4, 2): ("shape", "x: 4 → 2 in dimension 2"),
    SIZE.format(0, 4, 1): ("size_of_one", "x: 4 → 1 in dimension 0"),
    SIZE.format(0, 1, 4): ("size_of_one", "x: 1 → 4 in dimension 0"),
    "0/2: tensor 'x' rank mismatch. expected 2, actual 3": ("rank", "x: 2 dimensions → 3"),
    "0/3: tensor 'x' dtype mismatch. expected Float, actual Double": ("dtype", "x: Float → Double"),
    "0/0: tensor 'x' dispatch key set mismatch. expected a, actual b": ("tensor_kind", "x: another dispatch key set"),
    "0/0: GLOBAL_STATE changed: grad_mode": ("grad_mode", "the grad mode"),
    "0/0: GLOBAL_STATE changed: num_threads ": ("global_state", "torch's num_threads"),
    f"0/0: G['FLAG'] == True{COMMENT}": ("global", "the global FLAG"),
    f"0/0: k == 1{COMMENT}": ("python_number", "k: not 1 any more"),
    f"0/0: L['k'] == 0.5{COMMENT}": ("python_number", "k: not 0.5 any more"),
    f"0/0: flag == True{COMMENT}": ("python_choice", "flag: not True any more"),
    f"0/0: mode == 'a'{COMMENT}": ("python_choice", "mode: not 'a' any more"),
    f"0/0: not self.seen{COMMENT}": ("mutated_state", "self.seen"),
    f"0/1: len(self.seen) == 1{COMMENT}": ("mutated_state", "self.seen"),
    f"0/1: self.n == 1{COMMENT}": ("mutated_state", "self.n"),
    f"0/1: self._modules['c'].n == 0{COMMENT}": ("mutated_state", "self.c.n"),
    f"0/1: self._modules['layers']._modules['0'].n == 0{COMMENT}": ("mutated_state", "self.layers[0].n"),
    f"0/0: self._modules['d'].training == False{COMMENT}": ("training_mode", "self.d.training"),
    f"0/0: o.v == 1{COMMENT}": ("python_value", "o.v: not 1 any more"),
    f"0/0: not s.d{COMMENT}": ("length", "the length of s.d"),
    f"0/0: len(xs) == 2{COMMENT}": ("length", "the length of xs"),
    f"1/0: ___stack0 == 17.5{COMMENT}": ("python_value", "a Python value"),
    f"0/1: 2 <= x.size()[0]{COMMENT}": ("size_of_one", "the size of x in dimension 0"),
    f"0/1: 2 <= x.size()[0] <= 15{COMMENT}": ("size_bound", "the size of x in dimension 0"),
    f"0/1: x.size()[0] % 2 == 0{COMMENT}": ("size_bound", "the size of x in dimension 0"),
    "1/1: Cache line invalidated because L['___stack0'] got deallocated": (
        "deallocated",
        "an object that lives for one call",
    ),
    "1/1: Cache line invalidated because L['self'].helper got deallocated": ("deallocated", "self.helper is gone"),
    f"0/0: G['CONFIG']['step'] == 0{COMMENT}": ("global", "the global CONFIG['step']"),
    f"0/0: ___check_type_id(t, 1398), type=<class 'int'>{COMMENT}": ("type", "t: not int any more"),
    f"0/0: expected type of 'm' to be a tensor type, ' but found <class 'NoneType'>{COMMENT}": (
        "type",
        "m: tensor → None",
    ),
    f"0/0: m is None{COMMENT}": ("type", "m: not None any more"),
    f"0/0: a is b{COMMENT}": ("same_object", "whether a and b are one object"),
    f"0/0: not ___dict_contains('rows', self.__dict__){COMMENT}": ("mutated_state", "self.rows"),
    f"0/0: self.cache is None{COMMENT}": ("mutated_state", "self.cache: not None any more"),
    f"0/1: something_else(x){COMMENT}": ("guard", "something_else(x)"),
}


def cause_of(said, **settings):
    return of_guard(compile_record.guard({"reason": said, "path": "/mine/m.py"}, ["x"]), **settings)


@pytest.mark.parametrize("dynamic", [None, True, False])
@pytest.mark.parametrize("said", GUARDS)
def test_a_guard_has_a_cause_and_says_what_changed(said, dynamic):
    cause = cause_of(said, dynamic=dynamic)
    assert (cause.name, cause.changed) == GUARDS[said]
    assert "{" not in cause.reason + cause.fix
    assert cause.reason.endswith(".")
    assert cause.fix.endswith(".")


@pytest.mark.parametrize("said", GUARDS)
def test_what_is_set_already_is_no_fix(said):
    fix = cause_of(said, dynamic=True).fix
    assert "dynamic=True" not in fix
    assert "mark_dynamic" not in fix


@pytest.mark.parametrize(
    ("said", "has", "has_not"),
    [
        (f"0/0: k == 1{COMMENT}", "torch.tensor(k)", "same"),
        (f"0/0: flag == True{COMMENT}", "choose outside the model", "torch.tensor"),
        (f"0/0: mode == 'a'{COMMENT}", "choose outside the model", "torch.tensor"),
        (SIZE.format(0, 1, 4), "Pad it to 2 and compile with dynamic=True", "mark_dynamic"),
        (SIZE.format(0, 4, 8), "mark_dynamic(x, 0)", "Pad it to 2"),
        (f"0/1: 2 <= x.size()[0]{COMMENT}", "Pad it to 2", "dynamic=True"),
    ],
)
def test_the_fix_is_for_this_kind_of_value(said, has, has_not):
    fix = cause_of(said).fix
    assert has in fix
    assert has_not not in fix


def test_what_is_no_argument_is_not_to_be_marked():
    said = SIZE.format(0, 4, 8)
    assert "mark_dynamic" in cause_of(said, parameters=["x"]).fix
    assert "mark_dynamic" not in cause_of(said, parameters=["y"]).fix
    kept = cause_of(said.replace("'x'", "'self.cache'"))
    assert (kept.name, "mark_dynamic" in kept.fix, "all sizes" in kept.fix) == ("mutated_state", False, False)


def test_inputs_that_torch_wraps_have_the_names_of_the_models_parameters():
    record = {"path": f"/lib/{compile_record.WRAPPER}", "function": "inner",
              "reason": "0/0: tensor 'args[0]' size mismatch at index 0. expected 4, actual 2"}  # fmt: skip
    assert compile_record.function(record) == "the model"
    assert "'input'" in compile_record.guard(record, ["input"])
    assert "'args[0]'" in compile_record.guard(record | {"path": "/mine/m.py"}, ["input"])  # a variable of the user's
    assert compile_record.guard(record | {"reason": "0/0: 2 <= kwargs['mask'].size()[0]"}, []) == "2 <= mask.size()[0]"


def test_a_guard_is_placed_at_the_users_lines_where_torch_tells():
    said = f'0/0: G["F"] == 1{COMMENT}  File "/a/outer.py", line 3, in f\n  File "/a/m.py", line 29, in forward\n'
    assert frames_of_guard(said) == [("/a/outer.py", 3), ("/a/m.py", 29)]
    assert frames_of_guard("0/0: GLOBAL_STATE changed: grad_mode") == []
