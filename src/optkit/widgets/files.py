"""Files that a comparison can be taken away as, made when they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from optkit import downloads

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optkit.comparison import Comparison
    from optkit.workload import Workload

KINDS = {
    "html": ("HTML report", "One file that opens anywhere, with charts, doubts, code and the raw samples"),
    "csv": ("CSV", "The table, one row a variant, in SI units"),
    "json": ("JSON", "Everything but the raw samples"),
    "ipynb": ("Notebook", "Measures the same again, by hand or with papermill"),
}
"""What can be had, by the ending of its name: what it is called, and what it is."""
_MIME = {"html": "text/html", "csv": "text/csv", "json": "application/json", "ipynb": "application/x-ipynb+json"}


class File(NamedTuple):
    """A file to be saved by the browser."""

    name: str
    mime: str
    content: bytes


def make(kind: str, comparison: Comparison, settings: Mapping[str, Any], workload: Workload | None) -> File:
    """Return a file of one of `KINDS`.

    Parameters
    ----------
    kind
        Ending of its name.
    comparison
        What was measured.
    settings, workload
        Of a notebook: what `optkit.compare` needs to measure it again.
    """
    if kind == "ipynb":
        from optkit import study_notebook  # only who saves one needs it

        written = study_notebook.notebook(settings, workload, comparison)
    else:
        written = {"html": comparison.to_html, "csv": comparison.to_csv, "json": comparison.to_json}[kind]()
    name = f"{downloads.stem(comparison.run_id)}.{kind}"
    return File(name, _MIME[kind], written.encode("utf-8", "backslashreplace"))
