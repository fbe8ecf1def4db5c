"""A diagnosis as text for a terminal and as HTML for a notebook. Pure."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from optkit import source_place
from optkit.html_table import literal

if TYPE_CHECKING:
    from optkit.diagnosis import Diagnosis
    from optkit.finding import Finding

KINDS = {
    "not_compiled": "Not compiled",
    "graph_break": "Graph break",
    "recompile": "Compiled again",
    "skipped": "Left to eager",
    "limit": "Compiled no more",
    "cudagraphs": "CUDA graphs skipped",
    "failed": "Call failed",
}
BREAKING = ("graph_break", "skipped", "not_compiled")
"""Kinds of finding that torch tells of as breaks."""
WRAPPED = "white-space:pre-wrap"
NOTHING = "Nothing found"
MOST_CHANGES = 8
"""So many changes are shown; `Finding.changed` has all."""


def headline(diagnosis: Diagnosis) -> str:
    """Return what was found in one line; things that happen again and again are counted each time."""
    about = f"{diagnosis.variant} of {diagnosis.model}"
    if not diagnosis.findings:
        unknown = "" if diagnosis.is_clean else ", and torch does not say whether it made a graph"
        return f"{NOTHING} in {about}{unknown}."
    counted: dict[str, list[int]] = {}
    for one in diagnosis.findings:
        counted.setdefault(one.kind, []).append(one.count)
    return f"{about}: {', '.join(_tally(kind, counts) for kind, counts in counted.items())}."


def _tally(kind: str, counts: list[int]) -> str:
    """Return how often something happened, and, where that is another number, at how many places."""
    many, places = sum(counts), len(counts)
    causes = "" if many == places else f" for {_count(places, 'cause')}"
    return f"{KINDS[kind].lower()} ({many}{causes})" if kind != "not_compiled" else KINDS[kind].lower()


def evidence(diagnosis: Diagnosis) -> str:
    """Return what was counted, in one sentence; what there is none of is left out."""
    told = diagnosis.evidence
    sides = {
        "torch's log": told.get("breaks_logged"),
        "its counter": told["breaks_counted"],
        "its explanation": told["breaks_explained"],
        "the functions it resumed": told["functions_resumed"],
    }
    breaks = ", ".join(f"{'?' if count is None else count} by {side}" for side, count in sides.items())
    made = f"{told['calls']} calls made {_count(told['compiles'], 'compile')} and {_count(told['graphs'], 'graph')}"
    places = sum(one.kind in BREAKING for one in diagnosis.findings)
    is_repeated = max(count or 0 for count in sides.values()) > places
    more = " (a break is told once more in each function that leads to it)" if is_repeated else ""
    failed = f" and {lost} that failed" if (lost := told.get("recompiles_failed")) else ""
    parts = [
        made,
        f"graph breaks: {breaks}{more}" * (set(sides.values()) != {0}),
        f"recompiles: {_known(told['recompiles'])}{failed}" * (told["recompiles"] != 0 or bool(failed)),
        f"functions left to eager: {_known(told['skipped_functions'])}" * (told["skipped_functions"] != 0),
    ]
    return f"{'; '.join(filter(None, parts))}."


def lines(diagnosis: Diagnosis) -> list[str]:
    """Return it as lines of text."""
    told = [headline(diagnosis)]
    for one in diagnosis.findings:
        told += ["", f"{KINDS[one.kind]}{_where(one)}{_in_calls(one)}"]
        told += [f"    {one.source}"] if one.source else []
        told += [f"  {_changes(one)}"] if one.changed else []
        told += [f"  {one.reason}", f"  Fix: {one.fix}", *(f"  {also}" for also in _also(one))]
    return [*told, "", evidence(diagnosis), *diagnosis.details]


def _where(finding: Finding) -> str:
    return f" at {words(finding)}" if finding.place else f" in {finding.function}" if finding.function else ""


def _changes(finding: Finding) -> str:
    """Return what changed, of very much the first."""
    changes = finding.changed.split("; ")
    more = len(changes) - MOST_CHANGES
    return "; ".join(changes if more <= 1 else [*changes[:MOST_CHANGES], f"and {more} more"])


def html(diagnosis: Diagnosis) -> str:
    """Return it as HTML that is readable on light and dark pages."""
    parts = [f"<b>{escape(headline(diagnosis))}</b>"]
    for one in diagnosis.findings:
        where = f" <code>{escape(words(one))}</code>" if one.place else escape(_where(one))
        source = f"<pre style='margin:4px 0 4px 12px;{WRAPPED}'>{escape(one.source)}</pre>" if one.source else ""
        changed = f"<div>{escape(_changes(one))}</div>" if one.changed else ""
        words_of_torch = f"<summary>torch's words</summary><pre style='{WRAPPED}'>{escape(one.said)}</pre>"
        said = f"<details>{words_of_torch}</details>" if one.said else ""
        also = "".join(f"<div style='opacity:.7'>{escape(line)}</div>" for line in _also(one))
        parts.append(
            f"<div style='border-left:3px solid currentColor;padding:2px 0 2px 10px;margin:10px 0'>"
            f"<b>{escape(KINDS[one.kind])}</b>{where}{escape(_in_calls(one))}{source}{changed}"
            f"<div>{escape(one.reason)}</div><div><b>Fix:</b> {escape(one.fix)}</div>{also}{said}</div>"
        )
    parts += [f"<div style='opacity:.8'>{escape(one)}</div>" for one in (evidence(diagnosis), *diagnosis.details)]
    return literal(f"<div style='max-width:60em;line-height:1.45;overflow-wrap:anywhere'>{''.join(parts)}</div>")


def _also(finding: Finding) -> list[str]:
    """Return what is said below a finding: from where it is reached, and who told of it."""
    told = [f"Reached from {'; '.join(map(source_place.read, finding.callers))}."] if finding.callers else []
    return [*told, f"Seen by {', '.join(finding.seen_by)}."] if finding.seen_by else told


def words(finding: Finding) -> str:
    """Return where a finding is: ``path:line``, or the cell of this notebook with its line."""
    return source_place.words(finding.path, finding.line) if finding.path else ""


def _in_calls(finding: Finding) -> str:
    if not finding.calls:
        return ""
    numbers = ", ".join(map(str, finding.calls))
    return f", in call{'s' * (len(finding.calls) > 1)} {numbers}"


def _count(count: int | None, noun: str) -> str:
    return f"an unknown number of {noun}s" if count is None else f"{count} {noun}{'s' * (count != 1)}"


def _known(count: int | None) -> str:
    return "not told" if count is None else str(count)
