"""A diagnosis as text for a terminal and as HTML for a notebook. Pure."""

from __future__ import annotations

import linecache
import sys
from html import escape
from typing import TYPE_CHECKING

from optkit.html_table import literal

if TYPE_CHECKING:
    from optkit.diagnosis import Diagnosis
    from optkit.sightings import Finding

KINDS = {
    "graph_break": "Graph break",
    "recompile": "Compiled again",
    "skipped": "Left to eager",
    "limit": "Compiled no more",
    "cudagraphs": "CUDA graphs skipped",
    "failed": "Call failed",
}
NOTHING = "Nothing found"


def headline(diagnosis: Diagnosis) -> str:
    """Return what was found in one line."""
    about = f"{diagnosis.variant} of {diagnosis.model}"
    if diagnosis.is_clean:
        return f"{NOTHING} in {about}."
    counted: dict[str, int] = {}
    for one in diagnosis.findings:
        counted[one.kind] = counted.get(one.kind, 0) + 1
    return f"{about}: {', '.join(f'{KINDS[kind].lower()} ({count})' for kind, count in counted.items())}."


def evidence(diagnosis: Diagnosis) -> str:
    """Return what was counted, in one sentence."""
    told = diagnosis.evidence
    sides = {
        "torch's counter": told["breaks_counted"],
        "its explanation": told["breaks_explained"],
        "the functions it resumed": told["functions_resumed"],
    }
    breaks = ", ".join(f"{'?' if count is None else count} by {side}" for side, count in sides.items())
    return (
        f"{told['calls']} calls made {_count(told['compiles'], 'compile')} and {_count(told['graphs'], 'graph')}; "
        f"graph breaks: {breaks}; recompiles: {_known(told['recompiles'])}; "
        f"functions left to eager: {_known(told['skipped_functions'])}."
    )


def lines(diagnosis: Diagnosis) -> list[str]:
    """Return it as lines of text."""
    told = [headline(diagnosis)]
    for one in diagnosis.findings:
        where = f" at {words(one)}" if one.place else ""
        told += ["", f"{KINDS[one.kind]}{where}{_in_calls(one)}"]
        told += [f"    {one.source}"] if one.source else []
        told += [f"  {one.changed}"] if one.changed else []
        told += [f"  {one.reason}", f"  Fix: {one.fix}", *(f"  {also}" for also in _also(one))]
    return [*told, "", evidence(diagnosis), *diagnosis.details]


def html(diagnosis: Diagnosis) -> str:
    """Return it as HTML that is readable on light and dark pages."""
    parts = [f"<b>{escape(headline(diagnosis))}</b>"]
    for one in diagnosis.findings:
        where = f" <code>{escape(words(one))}</code>" if one.place else ""
        source = f"<pre style='margin:4px 0 4px 12px'>{escape(one.source)}</pre>" if one.source else ""
        changed = f"<div>{escape(one.changed)}</div>" if one.changed else ""
        said = f"<details><summary>torch's words</summary><pre>{escape(one.said)}</pre></details>" if one.said else ""
        also = "".join(f"<div style='opacity:.7'>{escape(line)}</div>" for line in _also(one))
        parts.append(
            f"<div style='border-left:3px solid currentColor;padding:2px 0 2px 10px;margin:10px 0'>"
            f"<b>{escape(KINDS[one.kind])}</b>{where}{escape(_in_calls(one))}{source}{changed}"
            f"<div>{escape(one.reason)}</div><div><b>Fix:</b> {escape(one.fix)}</div>{also}{said}</div>"
        )
    parts += [f"<div style='opacity:.8'>{escape(one)}</div>" for one in (evidence(diagnosis), *diagnosis.details)]
    return literal(f"<div style='max-width:60em;line-height:1.45'>{''.join(parts)}</div>")


def _also(finding: Finding) -> list[str]:
    """Return what is said below a finding: from where it is reached, and who told of it."""
    told = [f"Reached from {', '.join(finding.callers)}."] if finding.callers else []
    return [*told, f"Seen by {', '.join(finding.seen_by)}."] if finding.seen_by else told


def words(finding: Finding) -> str:
    """Return where a finding is: ``path:line``, or the cell of this notebook with its line."""
    cell = _cell(finding.path)
    return finding.place if cell is None else f"cell [{cell}], line {finding.line}"


def _cell(path: str) -> int | None:
    """Return the number of the notebook's cell that a file name stands for; None where it is a file."""
    source = "".join(linecache.getlines(path)) if "ipykernel" in path or path.startswith("<") else ""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if not source or shell is None:
        return None
    cells = shell.user_ns.get("In", [])
    same = [number for number, cell in enumerate(cells) if str(cell).strip() == source.strip()]
    return same[-1] if same else None


def _in_calls(finding: Finding) -> str:
    if not finding.calls:
        return ""
    numbers = ", ".join(map(str, finding.calls))
    return f", in call{'s' * (len(finding.calls) > 1)} {numbers}"


def _count(count: int | None, noun: str) -> str:
    return f"an unknown number of {noun}s" if count is None else f"{count} {noun}{'s' * (count != 1)}"


def _known(count: int | None) -> str:
    return "not told" if count is None else str(count)
