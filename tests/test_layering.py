"""Dependencies point down only: the imports of every module, read from its source."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

import optkit

ROOT = Path(optkit.__file__).parent
LEAVES = {
    "presets",
    "variant_code",
    "errors",
    "decoding",
    "private",
    "machine_lock",
    "events",
    "variant",
    "workload",
    "kept_workload",
    "inputs",
    "stats",
    "verdicts",
    "environment",
    "source_place",
    "text",
    "zoo",
    "engines",
    "phases",
    "cgroup",
    "machine",
    "cost",
    "kept",
    "by_value",
    "html_table",
    "marks",
    "advice",
    "processor",
    "accelerators",
    "building",
    "script",
    "patterns",
    "own_code",
    "lock",
    "recipe_run",
    "recipe_extras",
    "causes",
    "guards",
    "finding",
    "compile_record",
    "recompiled",
    "signatures",
    "disturbance",
    "sightings",
    "diagnosis_page",
    "replayed",
    "replay_items",
    "replay_advice",
    "symptoms",
    "troubleshooting",
    "startup_advice",
}
FOLD = {"doubts", "bill", "timings", "measurement", "rows", "answers", "cells", "takeaway", "comparison", "downloads"}
PICTURES = {
    "charts",
    "chart_parts",
    "chart_spread",
    "chart_compiling",
    "svg",
    "svg_parts",
    "drawn_spread",
    "drawn_compiling",
    "figures",
    "still_figure",
    "figure_parts",
    "page",
    "report",
    "profile_page",
    "replay_page",
    "startup_table",
    "startup_advice",
}
PARENT_SIDE = {"worker.host", "worker.endings", "worker.frames"}
CHILD_SIDE = {
    "worker.zygote",
    "worker.session",
    "worker.start",
    "worker.loading",
    "worker.making",
    "worker.applied",
    "worker.keeping",
    "worker.outputs",
    "worker.calls",
    "worker.batches",
    "worker.breaks",
    "worker.profile",
    "worker.timing",
    "worker.checks",
    "worker.fresh",
    "worker.state",
    "worker.yardstick",
    "worker.conversion",
    "worker.agreement",
    "worker.leaves",
    "worker.compile_trace",
    "worker.memory",
    "worker.work",
    "worker.rates",
}
KEPT = {"store", "recorder", "summary", "run_diff", "runs"}
AWAY = {
    "resuming",
    "gating",
    "recipes",
    "verification",
    "investigation",
    "diagnosis",
    "replay",
    "startups",
    "fresh_process",
    "profiling",
    "study_notebook",
    "study_notebook_head",
    "study_notebook_model",
    "study_notebook_parts",
}
RUN = {"crew", "member", "abba", "passes", "probe", "estimate", "scheduler"}
NOTEBOOKS = {"tutorials", "cli_notebooks"}
TOP = {
    "widgets",
    "cli",
    "cli_runs",
    "cli_sweep",
    "sweep_terminal",
    "live_table",
    "lab",
    "__main__",
    "doctor",
    "findings",
    "installed",
    "seen",
}
MAY_IMPORT = {
    **dict.fromkeys(LEAVES, LEAVES),
    **dict.fromkeys(FOLD, LEAVES | FOLD | PICTURES),
    # The doors by which an answer is taken away; what they open is imported when they are used.
    "measurement": LEAVES | FOLD | PICTURES | {"worker.applied"},
    "comparison": LEAVES | FOLD | PICTURES | {"recipes"},
    **dict.fromkeys(PICTURES, LEAVES | FOLD | PICTURES),
    **dict.fromkeys(PARENT_SIDE, LEAVES | PARENT_SIDE),
    **dict.fromkeys(CHILD_SIDE, LEAVES | CHILD_SIDE | {"worker.frames", "tiny_models"}),
    "tiny_models": set(),
    "worker": set(),
    **dict.fromkeys(RUN, LEAVES | FOLD | PARENT_SIDE | RUN),
    **dict.fromkeys(KEPT, LEAVES | FOLD | KEPT),
    "study": LEAVES | FOLD | {"scheduler", "estimate", "recorder", "summary"},
    **dict.fromkeys(AWAY, LEAVES | FOLD | PICTURES | PARENT_SIDE | RUN | AWAY | KEPT | {"study"}),
    "sweeps": LEAVES | FOLD | PICTURES | KEPT | {"study"},
    **dict.fromkeys(NOTEBOOKS, LEAVES | PICTURES | NOTEBOOKS | {"lab", "cli_runs"}),
    **dict.fromkeys(TOP, LEAVES | FOLD | PICTURES | TOP | AWAY | KEPT | NOTEBOOKS | {"study", "sweeps"}),
}
TORCH_AT_TOP_LEVEL = {
    "worker.calls",
    "worker.batches",
    "worker.breaks",
    "worker.profile",
    "worker.making",
    "worker.applied",
    "worker.keeping",
    "worker.outputs",
    "worker.session",
    "worker.loading",
    "worker.checks",
    "worker.fresh",
    "worker.state",
    "worker.yardstick",
    "worker.conversion",
    "worker.agreement",
    "worker.leaves",
    "worker.memory",
    "worker.work",
    "worker.rates",
    "tiny_models",
}
TORCH_IN_FUNCTIONS = {"engines", "zoo", "worker.compile_trace", "worker.start", "worker.zygote"}


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_name(path): path for path in sorted(ROOT.rglob("*.py"))}
NAMES = [name for name in MODULES if name != "__init__"]


def part(name: str) -> str:
    """Return what the rules call a module: a package is one part, but for the worker's two sides."""
    return name if name.startswith("worker.") else name.partition(".")[0]


class Imports(ast.NodeVisitor):
    """Collects (module, whether at the top level); what only type checkers read is left out."""

    def __init__(self) -> None:
        self.found: set[tuple[str, bool]] = set()
        self.depth = 0

    def visit_FunctionDef(self, node) -> None:
        self.depth += 1
        self.generic_visit(node)
        self.depth -= 1

    visit_AsyncFunctionDef = visit_Lambda = visit_FunctionDef  # noqa: N815

    def visit_If(self, node) -> None:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            for other in node.orelse:
                self.visit(other)
        else:
            self.generic_visit(node)

    def visit_Import(self, node) -> None:
        self.found |= {(alias.name, self.depth == 0) for alias in node.names}

    def visit_ImportFrom(self, node) -> None:
        assert node.level == 0, "imports are absolute here"
        for alias in node.names:
            inner = f"{node.module}.{alias.name}"
            is_module = inner.removeprefix("optkit.") in MODULES
            self.found.add((inner if is_module else node.module, self.depth == 0))

    def visit_Call(self, node) -> None:
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if name in ("import_module", "__import__") and node.args and isinstance(node.args[0], ast.Constant):
            self.found.add((node.args[0].value, self.depth == 0))
        self.generic_visit(node)


@cache
def imports(name: str) -> frozenset[tuple[str, bool]]:
    visitor = Imports()
    visitor.visit(ast.parse(MODULES[name].read_text(encoding="utf-8")))
    return frozenset(visitor.found)


def own(name: str) -> set[str]:
    """Return the modules of optkit that a module imports, anywhere in it."""
    return {module.removeprefix("optkit.") for module, _ in imports(name) if module.startswith("optkit.")}


def outside(name: str, *, top_level: bool) -> set[str]:
    return {module.partition(".")[0] for module, top in imports(name) if top or not top_level}


def test_every_part_of_the_package_has_its_place():
    assert {part(name) for name in NAMES} <= set(MAY_IMPORT)


@pytest.mark.parametrize("name", NAMES)
def test_a_module_imports_only_what_lies_below_it(name):
    allowed = MAY_IMPORT[part(name)] | {part(name)}
    assert {module for module in own(name) if part(module) not in allowed} == set()


def test_the_package_itself_imports_nothing_of_its_own():
    assert own("__init__") == set()
    assert outside("__init__", top_level=True) <= {"importlib", "typing"}


def test_the_parents_side_never_imports_the_workers():
    below, waiting = set(), ["worker.host"]
    while waiting:
        for module in own(waiting.pop()) - below:
            below.add(module)
            waiting.append(module if module in MODULES else module.rpartition(".")[0])
    assert "worker.frames" in below
    assert below & (CHILD_SIDE | {"tiny_models"}) == set()


def test_modules_do_not_import_each_other_in_circles():
    def reach(name, path):
        assert name not in path, f"{' → '.join([*path, name])}"
        for module, top in imports(name):
            inner = module.removeprefix("optkit.")
            if top and module.startswith("optkit.") and inner in MODULES:
                reach(inner, (*path, name))

    for name in NAMES:
        reach(name, ())


@pytest.mark.parametrize("name", NAMES)
def test_torch_is_imported_only_where_a_worker_runs(name):
    heavy = {"torch", "torchvision"}
    if part(name) not in TORCH_AT_TOP_LEVEL:
        assert outside(name, top_level=True) & heavy == set()
    if part(name) not in TORCH_AT_TOP_LEVEL | TORCH_IN_FUNCTIONS:
        assert outside(name, top_level=False) & heavy == set()


@pytest.mark.parametrize("name", NAMES)
def test_only_widgets_import_widgets_and_nothing_imports_pandas_or_plotly_at_once(name):
    if part(name) != "widgets":
        cells = set() if name == "sweeps.live" else {"IPython"}  # an output that is replaced, where a notebook runs it
        assert outside(name, top_level=False) & {"ipywidgets", "anywidget", *cells} == set()
    plotly = (
        set() if part(name) == "still_figure" else {"plotly"}
    )  # a class of plotly's; imported with the first figure
    assert outside(name, top_level=True) & {"pandas", *plotly} == set()


@pytest.mark.parametrize("name", NAMES)
def test_dask_is_imported_only_by_a_sweep_that_was_given_a_cluster(name):
    dask = {"dask", "distributed"}
    assert outside(name, top_level=True) & dask == set()
    if name not in ("sweeps.node", "sweeps.cluster", "cli_sweep"):
        assert outside(name, top_level=False) & dask == set()


def test_the_rules_see_imports_wherever_they_hide():
    visitor = Imports()
    visitor.visit(
        ast.parse(
            "import a.b\n"
            "if TYPE_CHECKING:\n    import hidden\nelse:\n    import c\n"
            "def f():\n    from d import e\n    import_module('g')\n"
            "class K:\n    import h\n"
        )
    )
    assert visitor.found == {("a.b", True), ("c", True), ("d", False), ("g", False), ("h", True)}
