"""What can run on this machine and why not, and what is worth measuring: ``optkit doctor``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from optkit import environment, findings, seen
from optkit.advice import Advice, recommend
from optkit.engines import ENGINES
from optkit.presets import resolve
from optkit.variant import Variant

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console
    from rich.table import Table

    from optkit.environment import Environment
    from optkit.findings import Finding
    from optkit.seen import Seen

SCHEMA = 1
PIPED_WIDTH = 180
STYLES = {"ok": "green", "note": "cyan", "warning": "yellow", "missing": "yellow"}
LOUD = ("missing", "warning")
NO_TORCH = "torch is not installed."


class Prospect(NamedTuple):
    """Whether a variant can run, and the sentences that say why it cannot, or should not."""

    can_run: bool
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Examination:
    """All that the doctor says.

    Attributes
    ----------
    environment
        The machine.
    findings
        What was looked at.
    recommended
        What is worth measuring here, with reasons.
    engines
        By name, why an engine cannot run here; None where it can.
    variants
        By text, whether each variant of a preset can run here.
    """

    environment: Environment
    findings: tuple[Finding, ...]
    recommended: tuple[Advice, ...] = ()
    engines: dict[str, str | None] = field(default_factory=dict)
    variants: dict[str, Prospect] = field(default_factory=dict)

    @property
    def can_measure(self) -> bool:
        """Whether anything can be measured here at all."""
        return "torch" in self.environment.versions

    def to_json(self) -> str:
        """Return one JSON document."""
        document: dict[str, Any] = {
            "schema": SCHEMA,
            "environment": self.environment.to_json(),
            "findings": [asdict(finding) for finding in self.findings],
            "recommended": [advice._asdict() for advice in self.recommended],
            "engines": {name: {"can_run": reason is None, "reason": reason} for name, reason in self.engines.items()},
            "variants": [{"variant": name} | prospect._asdict() for name, prospect in self.variants.items()],
        }
        return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)


def examine(here: Environment | None = None, looked: Seen | None = None) -> Examination:
    """Look at this machine (or take what is given for it), without importing torch."""
    here = here or environment.detect()
    found = findings.find(here, looked or seen.look())
    if "torch" not in here.versions:
        return Examination(here, found, engines=dict.fromkeys(ENGINES, NO_TORCH))
    return Examination(
        here,
        found,
        recommended=recommend(here),
        engines={name: Variant(engine()).blocked(here) for name, engine in ENGINES.items()},
        variants={str(v): Prospect(v.blocked(here) is None, tuple(v.problems(here))) for v in resolve("all", here)},
    )


def show(examination: Examination, console: Console | None = None) -> None:
    """Print everything for people; as plain text where there is no terminal."""
    from rich.console import Console

    console = console or Console(emoji=False)
    if not console.is_terminal:
        console = Console(file=console.file, width=PIPED_WIDTH, emoji=False)
    _print_section(console, "What was found", _findings_table(examination.findings))
    if examination.recommended:
        _print_section(console, 'Worth measuring here: the preset "recommended"', _pairs(examination.recommended))
    engines = [(name, reason or "can run") for name, reason in examination.engines.items()]
    _print_section(console, "Engines", _pairs(engines))
    if against := _against(examination):
        _print_section(console, "What speaks against variants of the presets here", _pairs(against))
    console.print(_summary(examination), style="bold", highlight=False, markup=False)


def _against(examination: Examination) -> list[tuple[str, str]]:
    """Return the problems of variants, but for those that are their engine's, which are said above."""
    above = set(examination.engines.values())
    own = {
        name: [problem for problem in prospect.problems if problem not in above]
        for name, prospect in examination.variants.items()
    }
    return [(name, " ".join(problems)) for name, problems in own.items() if problems]


def _findings_table(found: tuple[Finding, ...]) -> Table:
    from rich.text import Text

    table = _table()
    for finding in found:
        said = Text(finding.said)
        if finding.remedy:
            said.append(f"\n→ {finding.remedy}", style="dim")
        table.add_row(Text(finding.status, style=STYLES[finding.status]), Text(finding.name), said)
    return table


def _pairs(rows: Iterable[tuple[str, str]]) -> Table:
    from rich.text import Text

    table = _table()
    table.add_column(overflow="fold")
    for name, said in rows:
        table.add_row(Text(name), Text(said))
    return table


def _table() -> Table:
    from rich.table import Table

    return Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)


def _print_section(console: Console, title: str, table: Table) -> None:
    from rich.padding import Padding

    console.print(title, style="bold", highlight=False)
    console.print(Padding.indent(table, 2))
    console.print()


def _summary(examination: Examination) -> str:
    """Return the last line: whether it can be measured here, and what is in the way."""
    names = {status: [found.name for found in examination.findings if found.status == status] for status in LOUD}
    parts = [f"{status}: {', '.join(found)}" for status, found in names.items() if found]
    first = "Nothing can be measured here" if not examination.can_measure else "Studies can run here"
    return f"{first}; {'; '.join(parts)}." if parts else f"{first}, and nothing is in their way."
