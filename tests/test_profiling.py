"""Where a call spends its time: what is read of a profiler's account, and how it is shown."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import pytest

from optkit import profile_page
from optkit.errors import UsageError
from optkit.profiling import Profile, Side, profile

FUSED = "graph_0_cpp_fused__native_batch_norm_legit_no_training_convolution_relu_"
GUARDS = "TorchDynamo Cache Lookup"


def row(name, calls, self_s, *, is_operator=True):
    return {"name": name, "calls": calls, "self_s": self_s, "is_operator": is_operator}


EAGER = {
    "calls": 10,
    "call_s": 0.060,
    "profiled_s": 0.065,
    "rows": [
        *(row(f"aten::small_{i}", 3, 1e-5 * i) for i in range(1, 13)),
        row("aten::convolution", 20, 0.046),
        row("aten::native_batch_norm", 20, 0.008),
    ],
}
COMPILED = {
    "calls": 10,
    "call_s": 0.050,
    "profiled_s": 0.052,
    "rows": [row("mkldnn::_convolution_pointwise", 20, 0.040), row(f"{FUSED}<0>&", 1, 0.004),
             row(GUARDS, 1, 0.00052, is_operator=False)],
}  # fmt: skip


def told(eager=EAGER, compiled=COMPILED, name="compile", details=()) -> Profile:
    return Profile("Net", "cpu", 10, (Side.read("eager", eager), Side.read(name, compiled)), tuple(details))


def test_operators_come_with_the_most_time_first_and_a_share_of_the_call_under_the_profiler():
    eager, compiled = told().sides
    assert [one.name for one in eager.operators[:2]] == ["aten::convolution", "aten::native_batch_norm"]
    assert eager.operators[0].share == pytest.approx(0.046 / 0.065)
    assert {one.side for one in compiled.operators} == {"compile"}
    assert told().operators == [*eager.operators, *compiled.operators]


def test_shares_with_what_is_outside_operators_are_1():
    for side in told().sides:
        assert sum(one.share for one in side.operators) + side.outside_share == pytest.approx(1)
        for most, least in ((0, 0.0), (2, 0.0), (7, 0.01), (100, 0.5)):
            shown = profile_page.parts(side, most, least)
            assert sum(part.share for part in shown) == pytest.approx(1)
            assert sum(part.self_s for part in shown) == pytest.approx(side.profiled_s)


def test_what_torch_records_of_itself_is_outside_operators_and_told_by_name():
    side = told().sides[1]
    assert side.framework == {GUARDS: 0.00052}
    assert GUARDS not in {one.name for one in side.operators}
    assert side.outside_s == pytest.approx(0.052 - 0.044)


def test_operators_that_ran_at_the_same_time_have_shares_of_their_sum():
    side = Side.read("eager", EAGER | {"profiled_s": 0.01})
    assert side.is_parallel
    assert side.outside_share == 0
    assert sum(one.share for one in side.operators) == pytest.approx(1)


def test_a_side_without_operators_is_all_outside():
    empty = told(compiled=COMPILED | {"rows": []})
    assert empty.sides[1].outside_share == 1
    assert "compile runs no operator that the profiler sees" in empty.reading()
    ET.fromstring(empty.svg())


def test_the_frame_has_a_row_for_all_else_so_that_each_side_adds_up():
    frame = told().to_frame()
    assert list(frame.columns) == ["side", "operator", "calls", "self_s", "share"]
    assert frame.groupby("side").share.sum().tolist() == pytest.approx([1, 1])
    outside = frame[frame.operator == "outside operators"]
    assert list(outside.side) == ["eager", "compile"]
    assert outside.calls.isna().all()


def test_the_json_holds_everything():
    read = json.loads(told(details=["Noted."]).to_json())
    assert (read["schema"], read["model"], read["calls"], read["details"]) == (1, "Net", 10, ["Noted."])
    assert read["sides"][1]["operators"][0]["name"] == "mkldnn::_convolution_pointwise"
    assert read["sides"][1]["framework"] == {GUARDS: 0.00052}


def test_the_reading_says_where_most_time_goes_and_how_much_is_outside():
    assert told().reading() == (
        "eager spends 71% of a call in aten::convolution; compile spends 77% of a call in "
        "mkldnn::_convolution_pointwise. Outside operators: 16% of eager's time and 15% of compile's time "
        "(Dynamo's guards: 1%)."
    )


def test_the_sides_of_a_profile_under_load_are_not_set_beside_each_other():
    """Each side alone looks calm: its calls take as long with the profiler as without."""
    busy = told(compiled=COMPILED | {"load": {"others_cpus": 1.4, "visible_cpus": 2}})
    assert busy.is_disturbed
    assert busy.reading().startswith(
        "Meanwhile other processes used up to 1.4 of 2 CPUs, so these times are no measure"
    )
    for shown in (str(busy), busy._repr_mimebundle_()["text/html"]):
        assert "1.4 of 2 CPUs" in shown
        assert "spends 77%" not in shown
    assert json.loads(busy.to_json())["sides"][1]["load"] == {"others_cpus": 1.4, "visible_cpus": 2}


@pytest.mark.parametrize(
    "load", [{}, {"others_cpus": None, "visible_cpus": 2}, {"others_cpus": 0.3, "visible_cpus": 2}]
)
def test_a_profile_on_a_quiet_machine_is_read(load):
    assert not told(compiled=COMPILED | {"load": load}).is_disturbed
    assert "spends 77%" in told(compiled=COMPILED | {"load": load}).reading()


def test_the_text_shows_both_sides_with_and_without_the_profiler():
    said = str(told(details=["Noted."]))
    assert "eager: 60.0 ms a call; 65.0 ms under the profiler" in said
    assert "  71%   46.0 ms     20 ×  aten::convolution" in said
    assert "everything else (12 operators)" in said
    assert said.endswith("Noted.")


def test_the_smallest_share_is_not_written_as_nothing():
    assert [profile_page.percent(share) for share in (0, 0.004, 0.006, 1)] == ["0%", "<1%", "1%", "100%"]


def test_bars_are_as_long_as_their_times_on_one_scale():
    picture = ET.fromstring(told().svg())
    bars = {}
    for one in picture.iter("g"):
        title, rect = one.find("title"), one.find("rect")
        if title is not None and rect is not None:
            bars[title.text.partition(":  ")[0].split(": ")[0]] = float(rect.get("width"))
    assert bars["mkldnn::_convolution_pointwise"] / bars["aten::convolution"] == pytest.approx(40 / 46, rel=0.01)
    assert bars[f"{FUSED}<0>&"] / bars["aten::convolution"] == pytest.approx(4 / 46, rel=0.02)


def test_nothing_in_the_picture_is_outside_of_it():
    long = "compile:mode=max-autotune,dynamic=true+channels_last+bfloat16"
    for width in (100, 640, 1200):
        picture = ET.fromstring(told(name=long).svg(width=width))
        _, _, wide, high = map(float, picture.get("viewBox").split())
        for rect in picture.iter("rect"):
            assert 0 <= float(rect.get("x")) <= float(rect.get("x")) + float(rect.get("width")) <= wide
            assert float(rect.get("y")) + float(rect.get("height")) <= high


def test_a_standalone_picture_brings_colours_for_light_and_dark_and_others_take_those_of_the_page():
    assert "prefers-color-scheme:dark" in told().svg(standalone=True)
    assert "<style" not in told().svg()
    assert 'fill="currentColor"' in told().svg()


def test_html_escapes_names_and_has_no_script_or_style_sheet():
    html = told(details=["<script>"])._repr_mimebundle_()["text/html"]
    assert f"{FUSED}&lt;0&gt;&amp;" in html
    assert "<script" not in html
    assert "<style" not in html
    assert re.search(r"<summary>Operators as a table</summary>", html)


@pytest.mark.parametrize("calls", [0, -1, 2.5, True, "3"])
def test_a_number_of_calls_that_makes_no_sense_is_refused(calls):
    with pytest.raises(UsageError, match="calls must be a whole number of at least 1"):
        profile("tiny_cnn", calls=calls)


def test_a_trace_that_cannot_be_saved_is_refused_before_anything_runs(tmp_path):
    for path in (tmp_path, tmp_path / "missing" / "trace.json"):
        with pytest.raises(UsageError, match="give the path of a file in a folder that exists"):
            profile("tiny_cnn", trace=path)


def event(name, *, device="CPU", spent=0.0, kernels=(), scope=0, is_user_annotation=False):
    """Return an event as torch's profiler has it; `kernels` are pairs of name and duration."""
    return SimpleNamespace(
        name=name,
        device_type=SimpleNamespace(name=device),
        scope=scope,
        self_cpu_time_total=spent,
        self_device_time_total=spent,
        kernels=[SimpleNamespace(name=one, duration=duration) for one, duration in kernels],
        is_user_annotation=is_user_annotation,
    )


def test_on_a_cpu_frames_annotations_and_torchs_own_events_are_no_operators():
    from optkit.worker.profile import of_cpu

    events = [
        event("aten::addmm", spent=30), event("aten::addmm", spent=10), event("Torch-Compiled Region: 0/0", spent=4),
        event("## Call CompiledFxGraph None ##", spent=3), event("forward", spent=2, scope=2),
        event("a user's", spent=1, scope=7), event("kernel", device="CUDA", spent=50),
    ]  # fmt: skip
    found = {one["name"]: (one["calls"], one["self_s"], one["is_operator"]) for one in of_cpu(events).told(2)}
    assert found["aten::addmm"] == (1, pytest.approx(20e-6), True)
    assert {name for name, (_, _, is_operator) in found.items() if not is_operator} == {
        "Torch-Compiled Region: 0/0", "## Call CompiledFxGraph None ##", "forward", "a user's",
    }  # fmt: skip
    assert "kernel" not in found


def test_on_an_accelerator_each_kernel_counts_once_for_its_operator_or_else_by_its_own_name():
    from optkit.worker.profile import of_device

    events = [
        event("aten::addmm", spent=9, kernels=[("gemm", 30.0), ("splitk", 5.0)]),
        event("## Call CompiledFxGraph x ##", kernels=[("triton_poi_fused_relu_0", 8.0)]),
        event("gemm", device="CUDA", spent=30.0), event("splitk", device="CUDA", spent=5.0),
        event("triton_poi_fused_relu_0", device="CUDA", spent=8.0), event("gemm", device="CUDA", spent=20.0),
        event("range", device="CUDA", spent=99.0, is_user_annotation=True),
    ]  # fmt: skip
    found = {one["name"]: round(one["self_s"] * 1e6) for one in of_device(events).told(1)}
    assert found == {"aten::addmm": 35, "gemm": 20, "triton_poi_fused_relu_0": 8}


def test_of_onnx_runtime_the_last_runs_count_without_the_operators_that_contain_others():
    from optkit.worker.profile import of_onnxruntime

    def run(begin, spent):
        node = {"cat": "Node", "name": "conv_kernel_time", "ts": begin + 1, "dur": spent, "args": {"op_name": "Conv"}}
        return [
            node,
            node | {"args": {"op_name": "If"}},
            {"cat": "Session", "name": "model_run", "ts": begin, "dur": 9},
        ]

    (only,) = of_onnxruntime([*run(0, 500), *run(100, 4), *run(200, 6)], 2).told(2)
    assert only == {"name": "Conv", "calls": 1, "self_s": pytest.approx(5e-6), "is_operator": True}


@pytest.mark.parametrize("trace", [3, "", "/nowhere/trace.json"])
def test_what_is_no_path_for_a_trace_is_told_in_a_sentence_before_any_worker_is_started(trace, monkeypatch):
    monkeypatch.setattr("optkit.profiling.Investigation.__enter__", None)
    with pytest.raises(UsageError, match=f"cannot be saved as '?{trace}'?; give the path of a file"):
        profile("tiny_cnn", trace=trace)
