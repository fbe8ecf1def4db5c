"""Start-ups of fresh processes as they are shown, and what follows from them; no process is started."""

from __future__ import annotations

import itertools
import json
import math
import os
import signal
import subprocess
import sys
import uuid
from xml.etree import ElementTree as ET

import pytest

from optkit import fresh_process, startup_advice
from optkit.errors import UsageError
from optkit.startup_advice import COLD, FILE, MODEL, NO_TORCH, PORTABLE, WARM, WARM_HEADER
from optkit.startup_table import COLUMNS, PHASE_COLORS, FreshStart, StartupMatrix
from optkit.startups import agreement, startup_matrix, ways_of
from optkit.variant import Variant
from optkit.worker.endings import WorkerFailedError
from optkit.workload import Workload
from processes import MARK, wait_until_gone


def row(variant, way, total_s, *, agreement="close", artifact_bytes=None, facts=None, **seconds) -> FreshStart:
    known = {"interpreter": 0.01, "import": 0.02} | seconds
    phases = known | {"other": total_s - sum(known.values())}
    return FreshStart(way, variant, "ok", None, phases, total_s, 1e-7, agreement, artifact_bytes, facts or {})


def every_way() -> list[FreshStart]:
    return [
        row("eager", MODEL, 2.5, agreement="equal", build=0.3, first_call=0.1),
        row("compile", COLD, 20.0, probe=12.0, first_call=5.0, facts={"probe_s": {"look": 7.0, "header": 5.0}}),
        row("compile", WARM, 9.0, probe=6.0, artifact_bytes=2_000_000, facts={"probe_s": {"look": 1.0, "header": 5.0}}),
        row("compile", WARM_HEADER, 4.0, probe=1.0, artifact_bytes=158_000_000),
        row("compile", PORTABLE, 16.0, probe=12.0, load=0.1, facts={"cache_hits": 1, "libraries": 3}),
        row("aotinductor", FILE, 9.0, probe=7.0, load=0.1, facts={"probe_s": {"look": 7.0}}),
        FreshStart(FILE, "torchscript", "failed", "It holds <a branch>."),
        row("onnxruntime", FILE, 1.5, load=0.1),
        row("onnxruntime", NO_TORCH, 0.3, load=0.1),
    ]


@pytest.fixture
def matrix() -> StartupMatrix:
    return StartupMatrix("Net", "cpu", every_way())


def test_the_table_has_a_row_for_each_way_and_its_phases_add_up(matrix):
    frame = matrix.to_frame()
    assert list(frame.columns) == list(COLUMNS)
    assert list(frame["way"]) == [MODEL, COLD, WARM, WARM_HEADER, PORTABLE, FILE, FILE, FILE, NO_TORCH]
    measured = frame[frame["status"] == "ok"]
    phases = measured[[f"{phase}_s" for phase in PHASE_COLORS]].sum(axis=1)
    assert all(math.isclose(*pair) for pair in zip(phases, measured["total_s"], strict=True))
    assert frame.loc[6, "reason"] == "It holds <a branch>."
    assert frame["total_s"].isna().tolist() == [False] * 6 + [True] + [False] * 2


def test_the_json_document_holds_rows_and_advice(matrix):
    document = json.loads(matrix.to_json())
    assert document["schema"] == 1
    assert document["rows"][1]["facts"]["probe_s"]["header"] == 5.0
    assert document["rows"][6] | {"reason": ""} == {
        "way": FILE, "variant": "torchscript", "status": "failed", "reason": "", "seconds": {}, "total_s": None,
        "distance": None, "agreement": None, "artifact_bytes": None, "facts": {},
    }  # fmt: skip
    assert document["advice"] == matrix.advice


def test_a_terminal_is_told_every_row_with_the_reason_where_there_are_no_numbers(matrix):
    lines = str(matrix).splitlines()
    assert [line.split("  ")[0] for line in lines[3:12]] == [one.name for one in matrix.rows]
    assert "torchscript: file: failed. It holds <a branch>." in lines
    assert not [line for line in lines if line != line.rstrip()]
    assert [line[2:] for line in lines if line.startswith("- ")] == matrix.advice


def test_the_chart_stacks_the_phases_to_the_total(matrix):
    root = ET.fromstring(matrix.svg())
    rows = [group for group in root.iter("g") if group.findtext("title")]
    assert [group.findtext("title").partition(" s (")[0] for group in rows][:2] == [
        "eager: model: 2.50",
        "compile: cold: 20.0",
    ]
    ends = {}
    for group in rows:
        bars = [box for box in group.iter("rect") if box.get("fill", "").startswith("#")]
        places = [(float(box.get("x")), float(box.get("x")) + float(box.get("width"))) for box in bars]
        assert all(start >= end - 0.05 for (_, end), (start, _) in itertools.pairwise(places))
        ends[group.findtext("title").rpartition(": ")[0]] = places[-1][1] - places[0][0] if places else 0.0
    lengths = list(ends.values())
    assert lengths[1] / lengths[2] == pytest.approx(20 / 9, rel=0.02)
    assert lengths[6] == 0.0


def test_a_matrix_shows_itself_in_a_cell_with_everything_escaped(matrix):
    bundle = matrix._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html", "image/svg+xml"}
    assert "&lt;a branch&gt;" in bundle["text/html"]
    assert "<a branch>" not in bundle["text/html"]
    assert "prefers-color-scheme:dark" in bundle["image/svg+xml"]
    ET.fromstring(bundle["image/svg+xml"])


def test_an_empty_matrix_shows_itself_too():
    empty = StartupMatrix("Net", "cpu")
    assert empty.advice == []
    assert "Nothing was started." in empty.svg()
    assert json.loads(empty.to_json())["rows"] == []


def test_a_matrix_of_failures_has_a_chart_and_no_advice():
    failed = StartupMatrix("Net", "cpu", [FreshStart(COLD, "compile", "failed", "It broke.")])
    assert failed.advice == []
    assert ">failed<" in failed.svg()


def test_advice_says_what_each_way_saves(matrix):
    first, disk, header, portable, probe, bare = matrix.advice
    assert "onnxruntime (file without torch): after 300 ms, and from eager (model) 2.50 s" in first
    assert "With a warm disk cache the first result comes after 9.00 s with compile (20.0 s cold): ship" in disk
    assert "making it anew takes 5.00 s of 9.00 s with compile, and 4.00 s where it is found (156 MB more)" in header
    assert "16.0 s with compile (20.0 s cold)" in portable
    assert portable.endswith(": graphs were found in them, and 3 native libraries were compiled anew.")
    assert (
        "12.0 s of 20.0 s from compile (cold) (with the header of its C++) and 7.00 s of 9.00 s from aotinductor"
        in probe
    )
    assert "after 300 ms with onnxruntime (1.50 s with it)" in bare


def several() -> StartupMatrix:
    """Return a matrix in which five compiled variants start alike, and one of them gives other outputs."""
    rows = [row("eager", MODEL, 2.5)]
    for name in ("compile", "compile:a", "compile:b", "compile:c", "compile:d"):
        rows += [
            row(name, COLD, 20.0, probe=12.0, facts={"probe_s": {"look": 7.0, "header": 5.0}}),
            row(name, WARM, 9.0), row(name, WARM_HEADER, 4.0), row(name, PORTABLE, 16.0),
        ]  # fmt: skip
    return StartupMatrix("Net", "cpu", [*rows, row("onnxruntime", FILE, 0.3, agreement="different")])


def test_what_several_variants_have_in_common_is_said_once():
    kinds = ("warm disk cache the first", "does not have the header", "Portable cache", "look at this CPU")
    for kind in kinds:
        (said,) = [one for one in several().advice if kind in one]
        assert all(name in said for name in ("compile", "compile:a", "compile:b", "compile:c", "compile:d"))


def test_a_cell_shows_the_picture_first_then_three_sentences_and_folds_the_others():
    html = several()._repr_mimebundle_()["text/html"]
    shown, _, folded = html[html.index("</svg>") :].partition("<details>")
    assert "<li>" not in html[: html.index("</svg>")]
    assert shown.count("<li>") == 3
    assert "do not start this way" in shown
    assert folded.partition("</details>")[0].count("<li>") == len(several().advice) - 3
    assert str(several()).count("\n- ") == len(several().advice)


def test_what_gives_other_outputs_is_never_the_advice():
    wrong = row("onnxruntime", NO_TORCH, 0.3, agreement="different")
    told = startup_advice.of([row("eager", MODEL, 2.5), row("onnxruntime", FILE, 1.5), wrong])
    assert told[0].startswith("The first result comes soonest from onnxruntime (file):")
    assert told[1:] == ["onnxruntime (file without torch) gives other outputs than eager, so do not start this way."]


def test_nothing_is_advised_where_two_starts_could_be_alike():
    assert startup_advice.of([row("eager", MODEL, 2.5), row("torchscript", FILE, 2.3)]) == []
    (told,) = startup_advice.of([row("compile", COLD, 10.0), row("compile", PORTABLE, 9.5)])
    assert told.endswith(
        "after 9.50 s with compile (10.0 s cold), so they did not clearly help: no graph was found in them."
    )


def test_a_busy_machine_is_told():
    quiet = StartupMatrix("Net", "cpu", [row("eager", MODEL, 2.5, facts={"others_cpus": 0.1, "visible_cpus": 2})])
    busy = StartupMatrix("Net", "cpu", [row("eager", MODEL, 2.5, facts={"others_cpus": 1.4, "visible_cpus": 2})])
    assert quiet.notes == []
    assert "other processes used up to 1.4 of 2 CPUs" in busy.notes[0]
    assert busy.notes[0] in str(busy)


def test_why_nothing_was_compared_is_told():
    matrix = StartupMatrix("Net", "cpu", [row("eager", MODEL, 2.5, agreement=None)], uncompared="It draws numbers.")
    assert "It draws numbers." in str(matrix)


@pytest.mark.parametrize(
    ("variant", "device", "ways"),
    [
        ("eager", "cpu", (MODEL,)),
        ("compile", "cpu", (COLD, WARM, WARM_HEADER, PORTABLE)),
        ("compile", "cuda", (COLD, WARM, PORTABLE)),
        ("torchscript", "cpu", (FILE,)),
        ("aotinductor", "cpu", (FILE,)),
        ("onnxruntime", "cpu", (FILE, NO_TORCH)),
    ],
)
def test_each_engine_has_its_ways(variant, device, ways):
    assert ways_of(Variant.parse(variant), device) == ways


def test_agreement_is_equal_close_or_different():
    assert [agreement(far, 1e-3) for far in (0.0, 1e-6, 0.5, None, math.nan)] == [
        "equal", "close", "different", "different", "different",
    ]  # fmt: skip


def test_a_workload_is_taken_but_nothing_beside_it():
    with pytest.raises(UsageError, match="has its inputs"):
        startup_matrix(Workload("tiny_cnn"), batch_size=2)


def test_the_program_of_a_fresh_process_is_imported_without_torch(run_python):
    assert (
        run_python("import sys, optkit.worker.start; print('torch' in sys.modules, 'numpy' in sys.modules)")
        == "False False\n"
    )


def test_a_process_that_takes_too_long_is_ended_with_all_it_started(tmp_path, monkeypatch):
    mark = uuid.uuid4().hex
    monkeypatch.setenv(MARK, mark)
    boot = "import subprocess, time; subprocess.Popen(['sleep', '600']); time.sleep(600)"
    monkeypatch.setattr(fresh_process, "_BOOT", boot)
    with pytest.raises(WorkerFailedError, match="No first result within 2 s"):
        fresh_process.run({}, tmp_path, 2.0)
    monkeypatch.delenv(MARK)
    wait_until_gone(mark)


def test_a_process_that_dies_says_how_and_what_it_last_printed(tmp_path, monkeypatch):
    monkeypatch.setattr(fresh_process, "_BOOT", "import os; print('one\\nlast words', flush=True); os.abort()")
    with pytest.raises(WorkerFailedError, match=r"ended by SIGABRT.*It last printed: last words"):
        fresh_process.run({}, tmp_path, 60.0)


def test_a_process_ends_with_the_one_that_started_it():
    alive_r, alive_w = os.pipe()
    code = "import sys, time; from optkit.worker import start; start.end_with_parent(int(sys.argv[1]))"
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(alive_r)],
        pass_fds=[alive_r],
        start_new_session=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)},
    )
    os.close(alive_r)
    assert process.poll() is None
    os.close(alive_w)
    assert process.wait(60) == -signal.SIGKILL


def test_ways_that_are_skipped_for_one_reason_are_told_in_one_sentence():
    rows = [FreshStart(way, "compile", "skipped", "Nothing to start from.") for way in ("warm", "portable")]
    rows.append(FreshStart("file", "torchscript", "failed", "It cannot be exported."))
    assert StartupMatrix("net", "cpu", rows).notes == [
        "compile: warm, portable: skipped. Nothing to start from.",
        "torchscript: file: failed. It cannot be exported.",
    ]
