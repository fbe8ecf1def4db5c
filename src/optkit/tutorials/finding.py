"""The notebooks that `optkit notebooks` runs: which there are, what each tells of itself, what parameters it has."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optkit import text
from optkit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nbformat import NotebookNode

PATTERN = "[0-9][0-9]_*.ipynb"
"""Of the tutorials; another notebook that stands in their folder, such as a scratch one, is run by its path."""
PARAMETERS, SMOKE = "parameters", "smoke"
LONGEST_TITLE, LONGEST_SUMMARY = 120, 400

_MARKS = re.compile(r"[*`]+|<[^>]*>|\[(?P<words>[^\]]*)\]\([^)]*\)")
"""What of Markdown is left out of a title or a summary; the words of a link stay."""
_FENCED = re.compile(r"^(```|~~~).*?^\1", flags=re.MULTILINE | re.DOTALL)
_NO_PARAGRAPH = re.compile(r"\s*(#|[-*+]\s|\d+\.\s|\||<|!\[|>|\$\$|---)")


@dataclass(frozen=True)
class Tutorial:
    """A notebook as it was written, not yet run.

    Attributes
    ----------
    path
        Where it is.
    title, summary
        Its first heading and its first paragraph, as plain text in one line.
    parameters
        The parameters that can be set, each with its default as it is written; None without a cell tagged so.
    source
        A digest of its cells, whatever their outputs.
    is_own
        Whether it is the user's own, and none of the tutorials.
    set_by_smoke
        The parameters that it sets itself where ``smoke`` is true.
    """

    path: Path
    title: str
    summary: str
    parameters: dict[str, str] | None
    source: str
    is_own: bool = False
    set_by_smoke: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """What it is called wherever it is shown: the name of its file without the ending."""
        return text.one_line(self.path.stem, limit=text.LONGEST_NAME)

    def to_json(self) -> dict[str, Any]:
        """Return what it tells of itself."""
        return {
            "notebook": self.name,
            "path": text.one_line(str(self.path)),
            "title": self.title,
            "summary": self.summary,
            "parameters": self.parameters,
        }


def chosen(names: Sequence[str], folder: Path) -> list[Tutorial]:
    """Return the notebooks that were asked for, in that order and each once; without names all tutorials.

    Parameters
    ----------
    names
        ``03``, ``03_modes``, ``03_modes.ipynb``, or the path of any notebook.
    folder
        Where the tutorials are.

    Raises
    ------
    UsageError
        If one does not exist or cannot be run, or two would have the same name.
    """
    there = sorted(folder.glob(PATTERN))
    paths = [_path(name, there) for name in names] if names else there
    if not paths:
        raise UsageError(f"There are no notebooks in {folder}; install optkit again, or give the path of one.")
    unique = list(dict.fromkeys(path.resolve() for path in paths))
    tutorials = {path.resolve() for path in there}
    for path in unique:
        same = [str(other) for other in unique if other.name == path.name]
        if len(same) > 1:
            raise UsageError(f"{same[0]} and {same[1]} have the same name; run them one after the other.")
    return [read(path, is_own=path not in tutorials) for path in unique]


def _path(name: str, there: list[Path]) -> Path:
    number = f"{int(name):02d}_" if re.fullmatch("[0-9]{1,2}", name) else None
    for path in there:
        if name in (path.stem, path.name) or (number and path.stem.startswith(number)):
            return path
    if (name.endswith(".ipynb") or os.sep in name) and Path(name).is_file():
        return Path(name)
    known = ", ".join(path.stem for path in there)
    raise UsageError(f"There is no notebook {text.one_line(name)!r}; there are {known}, or give the path of a file.")


def read(path: Path, *, is_own: bool = False) -> Tutorial:
    """Read what a notebook tells of itself.

    Raises
    ------
    UsageError
        If it is no notebook, is not in Python, or its parameters cannot be read.
    """
    notebook = load(path)
    language = notebook.metadata.get("language_info", {}).get("name") or "python"
    if "python" not in str(language).lower():
        raise UsageError(f"{path} is a notebook in {text.one_line(str(language))}; only those in Python can be run.")
    parameters = _parameters(notebook, path)
    words = [_FENCED.sub("", cell.source) for cell in notebook.cells if cell.cell_type == "markdown"]
    headings = re.findall(r"^#{1,6}\s+(.+?)\s*#*\s*$", "\n\n".join(words), flags=re.MULTILINE)
    return Tutorial(
        path=path,
        title=_unmarked(headings[0], LONGEST_TITLE) if headings else text.one_line(path.stem, limit=LONGEST_TITLE),
        summary=_unmarked(next(_paragraphs(words), ""), LONGEST_SUMMARY),
        parameters=parameters,
        source=_digest(notebook),
        is_own=is_own,
        set_by_smoke=frozenset(_set_by_smoke(notebook)) & frozenset(parameters or ()),
    )


def load(path: Path) -> NotebookNode:
    """Read a file that must be a notebook."""
    import nbformat

    try:
        with warnings.catch_warnings():  # cells of older notebooks have no ids, which nothing here needs
            warnings.simplefilter("ignore")
            notebook: NotebookNode = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
            nbformat.validate(notebook)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, LookupError, AttributeError, TypeError, nbformat.ValidationError) as error:
        raise UsageError(f"{path} is not a valid notebook; open it in JupyterLab and save it again.") from error
    return notebook


def _unmarked(markdown: str, limit: int) -> str:
    words = _MARKS.sub(lambda found: found["words"] or "", markdown)
    return text.one_line(" ".join(words.split()), limit=limit)


def _paragraphs(cells: list[str]) -> Iterator[str]:
    for cell in cells:
        for block in re.split(r"\n\s*\n", cell):
            lines = [line for line in block.splitlines() if not re.match(r"#{1,6}\s", line)]
            if "".join(lines).strip() and not _NO_PARAGRAPH.match(lines[0]):
                yield "\n".join(lines)


def _parameters(notebook: NotebookNode, path: Path) -> dict[str, str] | None:
    """Return the names that the cell tagged so gives values to, which are those that papermill can replace."""
    tagged = [cell for cell in notebook.cells if PARAMETERS in cell.metadata.get("tags", [])]
    if not tagged:
        return None
    lines = [line for line in tagged[0].source.splitlines() if not line.lstrip().startswith(("%", "!"))]
    try:
        statements = ast.parse("\n".join(lines)).body
    except (SyntaxError, ValueError) as error:
        raise UsageError(f"The cell of parameters in {path} is not Python; write it as NAME = VALUE lines.") from error
    return dict(_assigned(statements))


def _assigned(statements: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    for statement in statements:
        if isinstance(statement, ast.Assign):
            for target in statement.targets:
                if isinstance(target, ast.Name):
                    yield target.id, text.one_line(ast.unparse(statement.value))
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) and statement.value:
            yield statement.target.id, text.one_line(ast.unparse(statement.value))


def _set_by_smoke(notebook: NotebookNode) -> Iterator[str]:
    """Yield the names that cells give values to below ``if smoke:``."""
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        try:
            statements = ast.parse(cell.source).body
        except (SyntaxError, ValueError):  # a magic, or what fails when it is run
            continue
        for statement in statements:
            if isinstance(statement, ast.If) and isinstance(statement.test, ast.Name) and statement.test.id == SMOKE:
                names = (one for part in statement.body for one in ast.walk(part) if isinstance(one, ast.Name))
                yield from (one.id for one in names if isinstance(one.ctx, ast.Store))


def _digest(notebook: NotebookNode) -> str:
    cells = [(cell.cell_type, cell.source, sorted(cell.metadata.get("tags", []))) for cell in notebook.cells]
    return hashlib.sha256(json.dumps(cells).encode()).hexdigest()
