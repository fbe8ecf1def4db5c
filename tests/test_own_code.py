"""The user's own source files are found, copied, and enough: a fresh interpreter reads the pickle with them alone."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from optkit import by_value, own_code
from optkit.errors import UsageError


@pytest.fixture
def code(tmp_path, monkeypatch):
    """A folder on sys.path; what is imported from it is forgotten afterwards."""
    before = set(sys.modules)
    folder = tmp_path / "code"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield folder
    for name in set(sys.modules) - before:
        known = vars(sys.modules[name])
        if str(folder) in f"{known.get('__file__')} {known.get('__path__')}":  # not what was imported by the way
            del sys.modules[name]


@pytest.fixture
def write(code):
    """Return a function that writes files of source text by their paths."""

    def written(**files: str) -> None:
        for name, text in files.items():
            path = code / f"{name.replace('__in__', '/').replace('PACKAGE', '__init__')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        importlib.invalidate_caches()

    return written


@pytest.fixture
def elsewhere(tmp_path):
    """Return a function that reads a pickle in a fresh interpreter, with one folder of code, and evaluates `shown`."""

    def read(data: bytes, folder: Path, shown: str) -> str:
        (tmp_path / "value.pickle").write_bytes(data)
        (tmp_path / "nothing").mkdir(exist_ok=True)
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                f"import pickle; value = pickle.load(open('../value.pickle', 'rb')); print({shown})",
            ],
            env=os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
            cwd=tmp_path / "nothing",
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return read


def named(paths) -> list[str]:
    return [path.as_posix() for path in paths]


def from_file(name: str, path: Path):
    """Load a module the way that tutorials show, under a name of its own."""
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def in_main(text: str, **known):
    """Run source text as if it stood in `__main__`, and return what it defined."""
    space = {"__name__": "__main__", **known}
    exec(compile(text, "<cell>", "exec"), space)
    return space


def test_a_class_is_read_elsewhere_with_all_that_its_module_imports(write, tmp_path, elsewhere):
    write(
        mine__in__PACKAGE="from . import base\n",
        mine__in__base="import json\nfrom helpers import double\n\nclass Base:\n    n = double(4)\n",
        mine__in__deep__in__PACKAGE="",
        mine__in__deep__in__net="from ..base import Base\nfrom . import parts\n\nclass Net(Base):\n"
        "    def late(self):\n        from mine.late import WORD\n        return WORD\n",
        mine__in__deep__in__parts="",
        mine__in__late="WORD = 'late'\n",
        mine__in__unused="",
        helpers="def double(n):\n    return 2 * n\n",
    )
    value = importlib.import_module("mine.deep.net").Net()
    names = own_code.modules_of([value])
    assert names == {"mine.deep.net"}
    written = own_code.copy(names, tmp_path / "recipe")
    assert named(written) == [
        "helpers.py",
        "mine/__init__.py",
        "mine/base.py",
        "mine/deep/__init__.py",
        "mine/deep/net.py",
        "mine/deep/parts.py",
        "mine/late.py",
    ]
    assert elsewhere(by_value.dumps(value), tmp_path / "recipe", "(value.n, value.late())") == "(8, 'late')"


def test_what_is_installed_or_optkits_or_of_no_file_is_not_ones_own():
    value = [own_code.copy, statistics.NormalDist(), pytest.approx, json.JSONDecoder, len, print, Path("x")]
    assert own_code.modules_of(value) == set()
    assert own_code.closure(["json", "pytest", "optkit.stats", "__main__", "builtins", "no_such_module"]) == {}


def test_functions_modules_and_cached_functions_are_named(write):
    write(
        functions="def f():\n    pass\n",
        module="X = 1\n",
        cached="import functools\n\n@functools.cache\ndef f():\n    pass\n",
        method="class A:\n    def f(self):\n        pass\n",
        partial="def f(n):\n    pass\n",
        single="class Missing:\n    def __reduce__(self):\n        return 'MISSING'\n\nMISSING = Missing()\n",
        kind="import enum\n\nclass Kind(enum.Enum):\n    A = 1\n",
    )
    load = importlib.import_module
    assert own_code.modules_of(load("functions").f) == {"functions"}
    assert own_code.modules_of(load("cached").f) == {"cached"}
    assert own_code.modules_of({"f": (load("method").A().f,)}) == {"method"}
    assert own_code.modules_of(functools.partial(load("partial").f, 1)) == {"partial"}
    assert own_code.modules_of(load("single").MISSING) == {"single"}
    assert own_code.modules_of(load("kind").Kind.A) == {"kind"}
    load("module")
    assert own_code.modules_of(in_main("import module\ndef f():\n    return module.X\n")["f"]) == {"module"}


def test_what_a_script_sends_by_value_names_the_modules_that_it_uses(write, tmp_path, elsewhere):
    write(
        used="def one():\n    return 1\n",
        pack__in__PACKAGE="",
        pack__in__inner="TWO = 2\n",
        pack__in__unused="",
        lazy="THREE = 3\n",
    )
    space = in_main(
        "from used import one\n"
        "class Net:\n"
        "    def __call__(self):\n"
        "        def inner():\n            import lazy\n            from pack import inner\n"
        "            return lazy, inner\n"
        "        lazy, inner = inner()\n"
        "        return one() + inner.TWO + lazy.THREE\n"
    )
    value = space["Net"]()
    names = own_code.modules_of(value)
    assert names == {"used", "pack", "pack.inner", "lazy"}
    assert not {"lazy", "pack"} & sys.modules.keys(), "they were looked for without importing them"
    written = own_code.copy(names, tmp_path / "recipe")
    assert named(written) == ["lazy.py", "pack/__init__.py", "pack/inner.py", "used.py"]
    assert elsewhere(by_value.dumps(value), tmp_path / "recipe", "value()") == "6"


def test_a_function_sent_by_value_from_a_package_can_import_its_neighbours(write):
    write(
        pack__in__PACKAGE="",
        pack__in__makers="def maker():\n    def build():\n        from . import near\n        from ... import above\n"
        "        return near\n    return build\n",
        pack__in__near="",
    )
    build = importlib.import_module("pack.makers").maker()
    assert own_code.modules_of(build) == {"pack", "pack.near"}


def test_what_was_registered_to_be_sent_by_value_is_not_named(write):
    import cloudpickle

    write(sent="class A:\n    def f(self):\n        pass\n")
    module = importlib.import_module("sent")
    cloudpickle.register_pickle_by_value(module)
    try:
        assert own_code.modules_of([module.A(), module.A().f, module.A]) == set()
    finally:
        cloudpickle.unregister_pickle_by_value(module)


def test_a_module_loaded_from_a_file_is_written_under_its_own_name(write, code, tmp_path, elsewhere):
    write(other="N = 5\n", **{"net-v2": "import other\n\nclass Net:\n    n = other.N\n"})
    value = from_file("my_net", code / "net-v2.py").Net()
    names = own_code.modules_of(value)
    assert names == {"my_net"}
    assert named(own_code.copy(names, tmp_path / "recipe")) == ["my_net.py", "other.py"]
    assert elsewhere(by_value.dumps(value), tmp_path / "recipe", "value.n") == "5"


def test_a_package_loaded_from_a_file_brings_its_modules(write, code, tmp_path, elsewhere):
    write(folder__in__PACKAGE="from .part import Part\n", folder__in__part="class Part:\n    pass\n")
    value = from_file("my_package", code / "folder" / "__init__.py").Part()
    names = own_code.modules_of(value)
    assert names == {"my_package.part"}
    assert named(own_code.copy(names, tmp_path / "recipe")) == ["my_package/__init__.py", "my_package/part.py"]
    assert elsewhere(by_value.dumps(value), tmp_path / "recipe", "type(value).__module__") == "my_package.part"


def test_a_namespace_package_becomes_a_folder(write, code, tmp_path, elsewhere):
    write(space__in__inner__in__net="class Net:\n    n = 7\n")
    value = importlib.import_module("space.inner.net").Net()
    names = own_code.modules_of(value)
    assert own_code.closure(names) == {
        "space": code / "space",
        "space.inner": code / "space" / "inner",
        "space.inner.net": code / "space" / "inner" / "net.py",
    }
    assert named(own_code.copy(names, tmp_path / "recipe")) == ["space/inner/net.py"]
    assert elsewhere(by_value.dumps(value), tmp_path / "recipe", "value.n") == "7"


def test_namespace_packages_are_found_without_being_imported(write):
    write(user="def f():\n    import space.inner.net\n", space__in__inner__in__net="")
    assert list(own_code.closure(["user"])) == ["space", "space.inner", "space.inner.net", "user"]
    assert "space" not in sys.modules


def test_imports_are_read_in_all_their_forms(write):
    write(
        pack__in__PACKAGE="__all__ = ['starred']\nfrom .forms import nothing\n",
        pack__in__forms="import a as b, c.d\n"
        "from . import e, name\n"
        "from .f import g\n"
        "from pack import *\n"
        "from ... import above\n"
        "import numpy, not_installed, pack.not_there\n"
        "def nothing():\n    import importlib\n    importlib.import_module('told')\n    __import__('builtin_told')\n"
        "    importlib.import_module('.relative', __package__)\n    importlib.import_module(name)\n",
        pack__in__starred="",
        pack__in__e="",
        pack__in__f="",
        pack__in__relative="",
        pack__in__unused="",
        a="",
        c__in__PACKAGE="",
        c__in__d="",
        told="import a\nimport told\n",
        builtin_told="print 'this is not Python 3'\n",
    )
    sys.modules["pack"] = importlib.util.module_from_spec(importlib.util.find_spec("pack"))
    sys.modules["pack"].__all__ = ["starred"]
    assert list(own_code.closure(["pack.forms"])) == [
        "a",
        "builtin_told",
        "c",
        "c.d",
        "pack",
        "pack.e",
        "pack.f",
        "pack.forms",
        "pack.relative",
        "pack.starred",
        "told",
    ]


def test_source_that_warns_is_read_in_silence(write):
    write(odd="import a\nX = '\\d'\n", a="")
    assert list(own_code.closure(["odd"])) == ["a", "odd"]


def test_installed_packages_and_links_to_a_store_are_left_out(tmp_path, code, monkeypatch):
    site, store = tmp_path / "lib" / "site-packages", tmp_path / "store"
    site.mkdir(parents=True)
    store.mkdir()
    (store / "linked.py").write_text("class A:\n    pass\n")
    (site / "linked.py").symlink_to(store / "linked.py")
    monkeypatch.syspath_prepend(site)
    assert own_code.modules_of(importlib.import_module("linked").A()) == set()


def test_compiled_modules_cannot_be_copied(write, code, tmp_path):
    write(user="def f():\n    import fast\n")
    compiled = f"fast{importlib.machinery.EXTENSION_SUFFIXES[0]}"
    (code / compiled).write_bytes(b"")
    importlib.invalidate_caches()
    with pytest.raises(UsageError) as raised:
        own_code.closure(["user"])
    assert str(raised.value) == (
        f"fast is compiled ({compiled}) and cannot be copied into a recipe; install it as a package."
    )
    with pytest.raises(UsageError, match="fast is compiled"):
        own_code.copy(["user"], tmp_path / "recipe")
    assert own_code.modules_of(importlib.import_module("user").f) == {"user"}, "naming is not copying"


def test_a_source_that_is_gone_is_told(write, code):
    write(gone="class A:\n    pass\n")
    names = own_code.modules_of(importlib.import_module("gone").A())
    (code / "gone.py").unlink()
    with pytest.raises(UsageError, match=r"The source of gone is not at .*gone\.py"):
        own_code.closure(names)


@pytest.mark.parametrize("name", ["../outside", "..outside", "/outside"])
def test_nothing_is_written_outside_the_folder(write, code, tmp_path, name):
    write(plain="")
    from_file(name, code / "plain.py")
    with pytest.raises(UsageError, match="rename the module"):
        own_code.copy([name], tmp_path / "recipe")


def test_what_cannot_be_pickled_raises_as_before():
    with pytest.raises(TypeError, match="cannot pickle"):
        own_code.modules_of([sys._getframe()])


def test_tensors_are_looked_into_but_what_they_hold_is_not_written(write, code, run_python):
    write(
        nets="import torch\nclass Kind(torch.Tensor):\n    pass\nclass Net(torch.nn.Module):\n"
        "    def __init__(self):\n        super().__init__()\n"
        "        self.layer = torch.nn.Linear(2048, 2048)\n        self.mark = torch.zeros(3)\n",
        marks="class Mark:\n    pass\n",
    )
    told = run_python(
        "import numpy, torch, nets, marks\n"
        "from optkit import own_code\n"
        "sizes = []\n"
        "own_code._Nowhere.write = lambda self, data: sizes.append(len(data)) or len(data)\n"
        "net = nets.Net()\n"
        "net.mark.note = marks.Mark()\n"
        "print(sorted(own_code.modules_of(net)), sorted(own_code.modules_of(torch.zeros(9).as_subclass(nets.Kind))))\n"
        "print(sorted(own_code.modules_of([numpy.zeros(10**6), torch.zeros(10**6), torch.nn.ReLU()])))\n"
        "print(sum(sizes) < 10_000)\n"
    )
    assert told.splitlines() == ["['marks', 'nets'] ['nets']", "[]", "True"]
