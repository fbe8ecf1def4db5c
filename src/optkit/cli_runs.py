"""Commands about runs that are kept: `history`, `show`, `diff`, `export`, `import`, `prune`, `resume` and `gate`."""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003 - typer reads annotations
from typing import TYPE_CHECKING, Annotated

import typer

from optkit.errors import OptkitError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from optkit.comparison import Comparison

RUN = "A run: its id, the beginning of one, or last."
SLOWER, UNDECIDED, INTERRUPTED = 1, 3, 130

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document to stdout, all else to stderr.")]


def history(
    limit: Annotated[int, typer.Option(help="How many runs at most, the latest first.")] = 20, as_json: Json = False
) -> None:
    """List the runs that are kept, the latest first."""
    from optkit import live_table, runs

    if limit < 1:
        raise UsageError(f"--limit must be at least 1, not {limit}.")
    frame = runs.history(limit)
    if as_json:
        print(frame.to_json(orient="records", date_format="iso", indent=2))  # noqa: T201
    else:
        live_table.print_history(frame)


def show(
    run: Annotated[str, typer.Argument(help=RUN)] = "last",
    report: Annotated[Path | None, typer.Option(help="An HTML file to write everything to.")] = None,
    as_json: Json = False,
) -> None:
    """Print a run that is kept as it was printed at its end."""
    from optkit import live_table, runs

    if report is not None:
        check_report(report)
    comparison = runs.load(run)
    if report is not None:
        comparison.to_html(report)
    if as_json:
        print(comparison.to_json())  # noqa: T201
    else:
        live_table.print_comparison(comparison)


def diff(
    before: Annotated[str, typer.Argument(help=RUN)],
    after: Annotated[str, typer.Argument(help=RUN)] = "last",
    as_json: Json = False,
) -> None:
    """Say what changed between two runs of the same workload: other versions, another machine, another day."""
    from optkit import runs

    found = runs.diff(before, after)
    print(found.to_json() if as_json else found)  # noqa: T201


def export(
    file: Annotated[Path, typer.Argument(help="The file to write, of JSON lines.")],
    run: Annotated[list[str] | None, typer.Argument(help=f"{RUN} Repeatable; default: all.")] = None,
) -> None:
    """Write runs to a file, one event a line."""
    from optkit import runs

    count = runs.export_runs(file, run or None)
    print(f"{count} run{'s' * (count != 1)} in {file}")  # noqa: T201


def import_(file: Annotated[Path, typer.Argument(help="A file that optkit export wrote.")]) -> None:
    """Read runs from a file into the history; exit code 1 where some of it was left out."""
    from optkit import runs

    told = runs.import_runs(file)
    for sentence in told.refused:
        print(sentence, file=sys.stderr)  # noqa: T201
    print(f"{len(told.runs)} run{'s' * (len(told.runs) != 1)} with {told.events} new events")  # noqa: T201
    raise typer.Exit(1 if told.refused else 0)


def prune(
    keep: Annotated[int | None, typer.Option(help="How many of the latest runs stay in any case.")] = None,
    older_than: Annotated[float | None, typer.Option(help="Remove only runs older than so many days.")] = None,
) -> None:
    """Remove runs from the history for good."""
    from optkit import runs

    count = runs.prune(keep=keep, older_than_days=older_than)
    print(f"{count} run{'s' * (count != 1)} removed")  # noqa: T201


def resume(
    run: Annotated[str, typer.Argument(help=RUN)] = "last",
    budget: Annotated[float | None, typer.Option(help="Seconds from now on; default: what is left of its own.")] = None,
    as_json: Json = False,
) -> None:
    """Go on with a study of a model by name that was stopped, ran out of budget, or was killed."""
    from optkit import live_table, resuming

    comparison = live_table.show(resuming.study_of(run, budget_s=budget), to_stderr=as_json)
    if as_json:
        print(comparison.to_json())  # noqa: T201
    raise typer.Exit(exit_code(comparison))


def gate(  # noqa: PLR0917 - typer reads options from parameters
    model: Annotated[str, typer.Argument(help="The model's name, as in the earlier run.")],
    baseline: Annotated[str, typer.Option(help=f"{RUN[:-1]}; or a file that optkit export wrote.")],
    max_slowdown: Annotated[str, typer.Option(help="How much longer a call may take: 5% or 0.05.")] = "5%",
    budget: Annotated[float | None, typer.Option(help="Seconds; default: those of the earlier run.")] = None,
    steady: Annotated[
        bool, typer.Option("--steady", help="The machine is as fast as it was: what eager lost too is the model's.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Measure a model again: exit code 0 where nothing is slower, 1 where something is, 3 where that cannot be told."""
    from optkit import gating, live_table

    fields = {} if budget is None else {"budget_s": budget}
    try:
        told = gating.gate(
            model,
            baseline,
            max_slowdown=max_slowdown,
            steady=steady,
            measure=lambda study: live_table.show(study, to_stderr=True),
            **fields,
        )
    except OptkitError as error:  # 1 says that something is slower, and must say nothing else
        raise UsageError(str(error)) from error
    print(told.to_json() if as_json else told)  # noqa: T201
    raise typer.Exit({True: 0, False: SLOWER, None: UNDECIDED}[told.holds])


def check_report(path: Path) -> None:
    """Raise a UsageError where no report can be written, before anything is measured for it."""
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise UsageError(f"No report can be written to {path}; give the name of a file in a folder that exists.")


def exit_code(comparison: Comparison) -> int:
    """Return what the process says to the shell of a study."""
    if comparison.ended_because == "stopped":
        return INTERRUPTED
    return 1 if any(m.status == "failed" for m in comparison.measurements.values()) else 0


COMMANDS: dict[str, Callable[..., None]] = {
    "history": history, "show": show, "diff": diff, "export": export, "import": import_, "prune": prune,
    "resume": resume, "gate": gate,
}  # fmt: skip
