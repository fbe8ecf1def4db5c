"""Build the site: tutorials as they were executed, the pages of docs/, and a reference of the API, with Sphinx.

``make site`` runs the tutorials in smoke mode first, but for those that passed since they were last changed, and ends
without a site where one fails. ``--executed FOLDER`` takes what `optkit notebooks --output FOLDER` has written.
"""

from __future__ import annotations

import argparse
import inspect
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat

import optkit
from optkit import lab
from optkit.tutorials import finding, gallery_page
from optkit.tutorials.executed import STAMP

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build"
PAGES = ("architecture", "columns", "coverage", "method", "sweeps", "troubleshooting")
HEADINGS = {"functions": "Functions", "classes": "Classes", "errors": "Errors"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--executed", type=Path, help="executed notebooks; without it they are run")
    parser.add_argument("--output", type=Path, default=BUILD / "site", help="default: build/site")
    chosen = parser.parse_args()
    executed = chosen.executed or BUILD / "notebooks"
    if chosen.executed is None:
        words = [sys.executable, "-m", "optkit", "notebooks", "--smoke", "--resume", "--output", str(executed)]
        if subprocess.run(words, cwd=ROOT, check=False).returncode:
            sys.exit("A tutorial did not pass, so there is no site; what happened stands above.")
    with tempfile.TemporaryDirectory(prefix="optkit-site-") as folder:
        source = Path(folder) / "source"
        gather(executed, source)
        build(source, Path(folder) / "built" / "site")
        if (chosen.output / "objects.inv").exists():  # the site that was built here before
            shutil.rmtree(chosen.output)
        shutil.copytree(Path(folder) / "built" / "site", chosen.output, dirs_exist_ok=True)
    print(f"Site: {chosen.output.absolute() / 'index.html'}")  # noqa: T201


def gather(executed: Path, source: Path) -> None:
    """Put together what Sphinx reads."""
    shutil.copytree(ROOT / "docs" / "site", source)
    for page in PAGES:
        shutil.copy(ROOT / "docs" / f"{page}.md", source)
    shutil.copy(ROOT / "CHANGELOG.md", source / "changelog.md")
    shutil.copytree(ROOT / "docs" / "images", source / "images")
    (source / "api.rst").write_text(api(), encoding="utf-8")
    (source / "notebooks").mkdir()
    for tutorial in finding.chosen([], lab.notebooks_folder()):
        path = executed / tutorial.path.name
        notebook = nbformat.read(path, as_version=4) if path.exists() else None
        if notebook is None or notebook.metadata.get(STAMP, {}).get("status") != "passed":
            sys.exit(f"{tutorial.name} was not executed into {executed}, or has not passed, so there is no site.")
        for cell in notebook.cells:  # the pages of docs lie elsewhere on the site
            cell.source = cell.source.replace("](../docs/", "](../") if cell.cell_type == "markdown" else cell.source
        nbformat.write(gallery_page.shown(notebook), source / "notebooks" / path.name)


def api() -> str:
    """Return the reference as reStructuredText: every name of ``optkit.__all__``, each under its kind."""
    kinds: dict[str, list[str]] = {kind: [] for kind in HEADINGS}
    for name in optkit.__all__:
        value = getattr(optkit, name)
        is_error = inspect.isclass(value) and issubclass(value, Exception)
        kinds["errors" if is_error else "classes" if inspect.isclass(value) else "functions"].append(name)
    lines = [
        "Reference",
        "=========",
        "",
        "All of it is imported from ``optkit``; a name is loaded when it is first used.",
        "",
    ]
    for kind, names in kinds.items():
        lines += [HEADINGS[kind], "-" * len(HEADINGS[kind]), ""]
        directive = "autofunction" if kind == "functions" else "autoclass"
        for name in names:
            lines += [f".. {directive}:: optkit.{name}", ""]
    return "\n".join(lines)


def build(source: Path, output: Path) -> None:
    """Have Sphinx write the pages; a warning, such as a link that leads nowhere, is an error."""
    words = [
        sys.executable,
        "-m",
        "sphinx",
        "-q",
        "-W",
        "--keep-going",
        "-b",
        "html",
        "-d",
        str(output.parent / "read"),
        str(source),
        str(output),
    ]
    if subprocess.run(words, cwd=ROOT, check=False).returncode:
        sys.exit("Sphinx has warned; what it said stands above.")


if __name__ == "__main__":
    main()
