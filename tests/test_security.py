"""What optkit reads from outside cannot make it run, read or write anything else; what it keeps is its user's alone."""

from __future__ import annotations

import ast
import json
import stat
import struct
import zipfile

import onnx
import pytest
from onnx import TensorProto, helper

from hostile import TEXTS
from optkit import takeaway
from optkit.comparison import Comparison
from optkit.engines import AotInductor, OnnxRuntime, TorchScript, artifact, onnx_file
from optkit.errors import UsageError, VariantError
from optkit.recipe_run import CACHE, RECORD
from optkit.recipes import SCHEMA
from optkit.variant import Variant
from optkit.verification import verify
from stories import bring_up, ended, finished, rounds, started
from test_layering import CHILD_SIDE, MODULES, part

RUNS_CODE = {
    "pickle": {"load", "loads", "Unpickler"},
    "cloudpickle": {"load", "loads"},
    "torch": {"load"},
    "jit": {"load"},
    "marshal": {"load", "loads"},
    "shelve": {"open"},
    "dill": {"load", "loads"},
    "joblib": {"load"},
    "np": {"load"},
    "numpy": {"load"},
    "yaml": {"load"},
    "runpy": {"run_path", "run_module"},
    "os": {"system", "popen"},
}
BUILTINS = {"eval", "exec", "compile", "__import__"}
EXCEPTIONS = {
    ("engines.onnxruntime", "cloudpickle.loads"): "prepare runs in a worker, and reads what its own exporter wrote",
    ("engines.torchscript", "jit.load"): "prepare runs in a worker; a file of the user's needs trust=True",
    ("sweeps.job", "cloudpickle.loads"): "on a node of dask, which runs what its clients send whatever optkit does",
    ("building.check", "exec"): "calls the user's own classes in the user's own process, as the user did",
}
"""What modules that the parent imports do with code, and why that is no worker's code in the parent."""


def calls(tree):
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name) and node.func.id in BUILTINS:
            yield node.func.id
        elif isinstance(node.func, ast.Attribute):
            owner = node.func.value
            name = getattr(owner, "id", getattr(owner, "attr", ""))
            if node.func.attr in RUNS_CODE.get(name, ()):
                yield f"{name}.{node.func.attr}"
        if any(word.arg == "shell" for word in node.keywords):
            yield "shell"


def imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{one.name}" for one in node.names if one.name in RUNS_CODE.get(node.module, ()))


def test_the_parent_runs_nothing_that_a_worker_or_a_file_has_written():
    parents = {name: ast.parse(path.read_text()) for name, path in MODULES.items() if part(name) not in CHILD_SIDE}
    found = {(name, call) for name, tree in parents.items() for call in (*calls(tree), *imported(tree))}
    assert found == set(EXCEPTIONS)


def test_the_rule_sees_every_way_in_which_code_is_run():
    tree = ast.parse(
        "pickle.loads(b)\ntorch.load(f)\ntorch.jit.load(f)\nexec(s)\nsubprocess.run(c, shell=True)\n"
        "def f():\n    import cloudpickle\n    return cloudpickle.load(f)\nfrom pickle import loads\njson.loads(b)"
    )
    found = {"pickle.loads", "torch.load", "jit.load", "exec", "shell", "cloudpickle.load"}
    assert set(calls(tree)) == found
    assert set(imported(tree)) == {"pickle.loads"}


@pytest.mark.parametrize("module", ["frames", "host"])
def test_what_crosses_from_a_worker_is_json(module):
    tree = ast.parse(MODULES[f"worker.{module}"].read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert "json" in names
    assert not {"pickle", "cloudpickle", "marshal", "multiprocessing"} & names


@pytest.mark.parametrize("engine", [TorchScript, AotInductor], ids=lambda engine: engine.name)
def test_a_file_that_is_a_program_needs_trust(engine):
    said = "theirs is a program, and loading it can run anything; add trust=true if you trust who made it"
    with pytest.raises(VariantError, match=said):
        engine(path="theirs")
    with pytest.raises(VariantError, match=said):
        Variant.parse(f"{engine.name}:path=theirs")
    for trust in (1, "yes", None):
        with pytest.raises(VariantError):
            engine(path="theirs", trust=trust)
    assert engine(path="theirs", trust=True).path == "theirs"


def test_an_onnx_file_is_a_graph_of_known_operators_and_no_option_brings_others():
    engine = OnnxRuntime(path="theirs", options={"register_custom_ops_library": "evil.so"})
    assert "register_custom_ops_library(" not in "\n".join(engine.code("model", "forward", "*inputs"))
    with pytest.raises(VariantError):
        OnnxRuntime(path="theirs", trust=True) if hasattr(engine, "trust") else Variant.parse("onnxruntime:trust=true")


def test_a_record_does_not_say_for_its_reader_that_a_program_is_trusted():
    name = "torchscript:path=theirs.ts,trust=true"
    story = [started(name), *bring_up("eager"), *bring_up(name), *rounds(9, eager=2.0, **{name: 1.0})]
    comparison = Comparison([*story, *finished("eager", name), ended()])
    with pytest.raises(UsageError, match="runs a program, and this is only a record of it; measure it here"):
        takeaway.usable(comparison.measurements[name])


def archive(path, names, *, link=False):
    with zipfile.ZipFile(path, "w") as packed:
        for name in names:
            told = zipfile.ZipInfo(name)
            told.external_attr = (stat.S_IFLNK | 0o777) << 16 if link else 0o600 << 16
            packed.writestr(told, "/etc/passwd")
    return path


OUTSIDE = ["../x.so", "/etc/x.so", "a/../../x.so", "a\\..\\x.so", "//x.so"]


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize(("engine", "member"), [(AotInductor, ".so"), (TorchScript, "constants.pkl")])
def test_an_archive_that_would_be_unpacked_elsewhere_is_refused(engine, member, name, tmp_path):
    path = archive(tmp_path / "m.zip", [f"m/x{member}", name])
    with pytest.raises(UsageError, match="would be unpacked outside its folder"):
        engine(path=str(path), trust=True).check_file()


def test_an_archive_with_a_link_in_it_is_refused(tmp_path):
    path = archive(tmp_path / "m.pt2", ["m/x.so"], link=True)
    with pytest.raises(UsageError, match="holds a link"):
        AotInductor(path=str(path), trust=True).check_file()


def test_an_archive_that_would_never_end_is_refused_before_any_of_it_is_read(tmp_path):
    path = archive(tmp_path / "m.pt2", ["m/x.so"])
    content = bytearray(path.read_bytes())
    place = content.rindex(b"PK\x01\x02")
    struct.pack_into("<I", content, place + 24, 4_000_000_000)  # the size that the directory tells
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"has \d+ B and claims to hold 4.0 GB; do not use it"):
        AotInductor(path=str(path), trust=True).check_file()


def test_a_real_archive_passes(tmp_path):
    path = archive(tmp_path / "m.pt2", ["m/data/x.so", "m/.data/version", "m/byteorder"])
    AotInductor(path=str(path), trust=True).check_file()


def graph_with(location, *, nested=False):
    """Return an ONNX model whose weights lie in a file, in a graph within its graph if need be."""
    tensor = TensorProto(name="w", data_type=1, dims=[4], data_location=TensorProto.EXTERNAL)
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", location
    given, out = helper.make_tensor_value_info("b", 9, []), helper.make_tensor_value_info("y", 1, [4])
    if not nested:
        node = helper.make_node("Identity", ["w"], ["y"])
        return helper.make_model(helper.make_graph([node], "g", [], [out], [tensor]))
    inner = helper.make_graph([helper.make_node("Constant", [], ["c"], value=tensor)], "i", [], [
        helper.make_tensor_value_info("c", 1, [4])
    ])  # fmt: skip
    node = helper.make_node("If", ["b"], ["y"], then_branch=inner, else_branch=inner)
    return helper.make_model(helper.make_graph([node], "g", [given], [out]))


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("location", [
    "../w.bin", "/etc/passwd", "a/../../w.bin", "..\\w.bin", "w\x00", "", "link", "folder/w.bin", "*/_ORT_MEM_ADDR_/*",
])  # fmt: skip
def test_an_onnx_model_reads_no_weights_from_outside_its_folder(location, nested, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "w.bin").write_bytes(bytes(16))
    (home / "link").symlink_to(tmp_path / "w.bin")
    (home / "folder").symlink_to(tmp_path)
    path = home / "m.onnx"
    path.write_bytes(graph_with(location, nested=nested).SerializeToString())
    with pytest.raises(UsageError, match=r"wants to read its weights from .*, which is not in its folder"):
        OnnxRuntime(path=str(path)).check_file()


def test_weights_beside_an_onnx_model_pass_also_where_both_are_links_into_one_folder(tmp_path):
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshot"  # as the cache of Hugging Face has them
    blobs.mkdir()
    snapshot.mkdir()
    (blobs / "1").write_bytes(graph_with("w.bin").SerializeToString())
    (blobs / "2").write_bytes(bytes(16))
    (snapshot / "m.onnx").symlink_to(blobs / "1")
    (snapshot / "w.bin").symlink_to(blobs / "2")
    OnnxRuntime(path=str(snapshot / "m.onnx")).check_file()
    (tmp_path / "m.onnx").write_bytes(graph_with("sub/w.bin", nested=True).SerializeToString())
    assert set(onnx_file.locations(tmp_path / "m.onnx")) == {"sub/w.bin"}
    OnnxRuntime(path=str(tmp_path / "m.onnx")).check_file()


def test_every_place_for_a_tensor_that_onnx_knows_is_looked_into():
    kinds = {"model": onnx.ModelProto, "graph": onnx.GraphProto, "training": onnx.TrainingInfoProto,
             "function": onnx.FunctionProto, "node": onnx.NodeProto, "attribute": onnx.AttributeProto,
             "sparse": onnx.SparseTensorProto, "tensor": onnx.TensorProto}  # fmt: skip
    names = {kind.DESCRIPTOR.name: name for name, kind in kinds.items()} | {"StringStringEntryProto": "entry"}
    for name, kind in kinds.items():
        held = {one.number: names.get(one.message_type.name) for one in kind.DESCRIPTOR.fields if one.message_type}
        expected = {number: inner for number, inner in held.items() if inner and (inner != "entry" or number == 13)}
        assert onnx_file.FIELDS[name] == expected, name


@pytest.mark.parametrize("content", [b"no model at all", b"\x0a\xff\xff\xff\xff\x0f", b"\x0b" * 9, b"\xff" * 30])
def test_what_is_no_onnx_model_is_refused_in_a_sentence(content, tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    with pytest.raises(artifact.ArtifactError, match=r"m\.onnx is no ONNX model, or it is damaged"):
        OnnxRuntime(path=str(path)).check_file()


def test_an_onnx_model_that_was_cut_or_changed_anywhere_is_read_or_refused_in_a_sentence(tmp_path):
    whole, path = graph_with("w.bin", nested=True).SerializeToString(), tmp_path / "m.onnx"
    for place in range(len(whole)):
        for content in (whole[:place], whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :]):
            path.write_bytes(content)
            try:
                found = list(onnx_file.locations(path))
            except artifact.ArtifactError:
                continue
            assert set(map(type, found)) <= {str}


def recipe(folder, **changes):
    record = {
        "schema": SCHEMA, "optkit": "1", "variant": "eager", "artifact": None, "by_torch": True, "compares": True,
        "cpu_flags": [], "workload": {"source": "zoo"}, "environment": {"versions": {}}, "versions": {}, "files": {},
        "programs": {}, "measured": {},
    }  # fmt: skip
    (folder / RECORD).write_text(json.dumps(record | changes))
    (folder / "run.py").write_text("import sys; sys.exit('run.py was run')")
    return folder


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x", ""])
@pytest.mark.parametrize("field", ["files", "programs", "artifact"])
def test_a_recipe_names_no_file_outside_its_folder(field, name, tmp_path):
    folder = recipe(tmp_path, **{field: name if field == "artifact" else {name: "digest"}})
    with pytest.raises(UsageError, match="which is not in its folder; do not use this recipe"):
        verify(folder)


@pytest.mark.parametrize("changes", [{"files": []}, {"measured": None}, {"variant": 1}, {"artifact": 3}])
def test_a_record_of_another_form_is_told_as_damaged(changes, tmp_path):
    with pytest.raises(UsageError, match="is no record of a recipe, or it is damaged"):
        verify(recipe(tmp_path, **changes))


def test_an_archive_of_a_recipe_is_looked_at_before_its_program_runs(tmp_path):
    archive(tmp_path / CACHE, ["../x.so"])
    refused = verify(recipe(tmp_path, files={CACHE: "digest"})).refused
    assert "would be unpacked outside its folder" in refused
    archive(tmp_path / CACHE, ["x.so"])
    assert verify(recipe(tmp_path, files={CACHE: "digest"})).refused == "run.py was run"


def test_what_a_recipe_prints_is_plain_and_nothing_but_numbers_is_taken_from_it(tmp_path):
    folder = recipe(tmp_path)
    (folder / "run.py").write_text("import sys; sys.exit('\\x1b]8;;http://x\\x07\\x1b[31mred\\x1b[0m \\u202e')")
    assert verify(folder).refused == r"\x1b]8;;http://x\x07red \u202e"
    for printed in ("nothing", "[]", '{"load_s": "x", "first_call_s": 1, "distance": 0}', "{}", ""):
        (folder / "run.py").write_text(f"print({printed!r})")
        assert "did not end in what it found" in verify(folder).refused


@pytest.mark.parametrize("name", TEXTS.values(), ids=TEXTS)
def test_names_are_inside_or_not_whatever_is_in_them(name):
    assert artifact.is_inside(name) == (name != TEXTS["nul"] and "\\" not in name)
