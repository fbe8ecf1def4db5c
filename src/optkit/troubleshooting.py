"""What to do when compiled inference goes wrong, by symptom: as text, HTML and Markdown. Pure."""

from __future__ import annotations

import difflib
import json
from dataclasses import asdict, dataclass, fields
from html import escape
from typing import TYPE_CHECKING, Any

from optkit.errors import UsageError
from optkit.symptoms import SYMPTOMS, Symptom

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SYMPTOMS", "Symptom", "Troubleshooting", "troubleshoot"]

FEWEST_LETTERS, MOST_MEANT = 4, 3
"""Shorter words than these mean nothing here; so many symptoms are suggested."""
CAUSES, PROOF, FIX, GUIDES = "Likely causes", "What proves it", "What to do", "What guides say, and what is true"


@dataclass(frozen=True)
class Troubleshooting:
    """Some symptoms, to be shown: a terminal shows one whole, and of several the names."""

    symptoms: tuple[Symptom, ...]

    def __str__(self) -> str:
        if len(self.symptoms) == 1:
            return "\n".join(_lines(self.symptoms[0]))
        wide = max(len(one.name) for one in self.symptoms)
        listed = [f"  {one.name:<{wide}}  {one.title}" for one in self.symptoms]
        return "\n".join(["Symptoms:", *listed, f'optkit.troubleshoot("{self.symptoms[0].name}") shows one of them.'])

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        opened = " open" if len(self.symptoms) == 1 else ""
        shown = [f"<details{opened}><summary>{_head(one)}</summary>{_html(one)}</details>" for one in self.symptoms]
        html = f"<div style='max-width:60em;line-height:1.45'>{''.join(shown)}</div>"
        return {"text/plain": str(self), "text/html": html}

    def to_frame(self) -> pd.DataFrame:
        """Return one row a symptom: ``name title causes proves remedies corrections``."""
        import pandas as pd

        return pd.DataFrame(self._records(), columns=[one.name for one in fields(Symptom)])

    def to_json(self) -> str:
        """Return it as one JSON document."""
        return json.dumps({"schema": 1, "symptoms": self._records()}, indent=2)

    def _records(self) -> list[dict[str, Any]]:
        return [
            asdict(one)
            | {
                "proves": [proof._asdict() for proof in one.proves],
                "corrections": [c._asdict() for c in one.corrections],
            }
            for one in self.symptoms
        ]

    def to_markdown(self) -> str:
        """Return all of it as Markdown."""
        return "\n".join(line for one in self.symptoms for line in _markdown(one))


def troubleshoot(symptom: str | None = None) -> Troubleshooting:
    """Return what to do about a symptom; without one, all that are known.

    Raises
    ------
    UsageError
        If there is no such symptom; the message suggests one.
    """
    if symptom is None:
        return Troubleshooting(tuple(SYMPTOMS.values()))
    name = str(symptom).strip().lower().replace(" ", "_").replace("-", "_")
    if name not in SYMPTOMS:
        close = _close(name)
        hint = f"did you mean {' or '.join(map(repr, close))}? Known" if close else "known"
        raise UsageError(f"There is no symptom {symptom!r}; {hint} are: {', '.join(SYMPTOMS)}.")
    return Troubleshooting((SYMPTOMS[name],))


def _close(name: str) -> list[str]:
    """Return the symptoms that were perhaps meant: by spelling, and by words that they share."""
    words = [word for word in name.split("_") if len(word) >= FEWEST_LETTERS]
    sharing = [
        one.name for one in SYMPTOMS.values() if any(word in f"{one.name} {one.title}".lower() for word in words)
    ]
    return list(dict.fromkeys([*difflib.get_close_matches(name, SYMPTOMS, n=1, cutoff=0.5), *sharing]))[:MOST_MEANT]


def _lines(one: Symptom) -> list[str]:
    told = [f"{one.title} ({one.name})", "", CAUSES, *(f"  - {cause}" for cause in one.causes), "", PROOF]
    for proof in one.proves:
        told += [*(f"  >>> {line}" for line in proof.code.splitlines()), f"  {proof.read}", ""]
    told += [FIX, *(f"  - {remedy}" for remedy in one.remedies)]
    if one.corrections:
        told += ["", GUIDES]
    for said, true in one.corrections:
        told += [f"  “{said}”", f"  {true}"]
    return told


def _head(one: Symptom) -> str:
    return f"<b>{escape(one.title)}</b> <code>{escape(one.name)}</code>"


def _html(one: Symptom) -> str:
    """Return the body of a symptom as HTML that is readable on light and dark pages."""
    proofs = "".join(
        f"<pre style='margin:8px 0 2px;white-space:pre-wrap'>{escape(proof.code)}</pre><div>{_said(proof.read)}</div>"
        for proof in one.proves
    )
    parts = [_section(CAUSES, _list(one.causes)), _section(PROOF, proofs), _section(FIX, _list(one.remedies))]
    for said, true in one.corrections:
        parts.append(_section(GUIDES, f"<div>“{_said(said)}”</div><div>{_said(true)}</div>"))
    body = "".join(parts)
    return f"<div style='border-left:3px solid currentColor;padding:2px 0 2px 12px;margin:6px 0 14px'>{body}</div>"


def _section(title: str, body: str) -> str:
    return f"<div style='margin-top:8px;opacity:.7'>{title}</div>{body}"


def _list(sentences: tuple[str, ...]) -> str:
    return f"<ul style='margin:0'>{''.join(f'<li>{_said(one)}</li>' for one in sentences)}</ul>"


def _said(sentence: str) -> str:
    """Escape a sentence; what stands between backticks is code."""
    pieces = escape(sentence).split("`")
    return "".join(f"<code>{piece}</code>" if place % 2 else piece for place, piece in enumerate(pieces))


def _markdown(one: Symptom) -> list[str]:
    told = [f"## {one.title}", "", f'`optkit.troubleshoot("{one.name}")`', "", f"**{CAUSES}**", ""]
    told += [*(f"- {_marked(cause)}" for cause in one.causes), "", f"**{PROOF}**", ""]
    for proof in one.proves:
        told += ["```python", proof.code, "```", "", _marked(proof.read), ""]
    told += [f"**{FIX}**", "", *(f"- {_marked(remedy)}" for remedy in one.remedies), ""]
    if one.corrections:
        told += [f"**{GUIDES}**", ""]
    for said, true in one.corrections:
        told += [f"> {_marked(said)}", "", _marked(true), ""]
    return told


def _marked(sentence: str) -> str:
    """Keep Markdown from taking underscores in names, such as ``torch._dynamo``, for emphasis."""
    pieces = sentence.split("`")
    return "`".join(piece if place % 2 else piece.replace("_", "\\_") for place, piece in enumerate(pieces))
