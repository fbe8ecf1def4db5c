"""The command `optkit sweep`: many workloads, here or on the nodes of a dask cluster.

Exit codes: 0 done, 1 a study or a variant has failed, 2 wrong use, 130 interrupted.
"""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads annotations
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from optkit.cli_runs import INTERRUPTED, Json, check_report
from optkit.errors import UsageError

if TYPE_CHECKING:
    from optkit.sweeps import SweepResult

FAILED = 1
CONNECT_S = 10
EXAMPLE = """
    variants = ["compile", "onnxruntime"]
    budget_s = 60                      # of each study; and other fields of optkit.Plan

    [[workloads]]
    model = ["resnet18", "mobilenet_v2"]
    batch_size = [1, 8]                # lists are multiplied: four workloads

    [[workloads]]
    model = "package.module:build"     # a model of your own: a function that builds it,
    inputs = "package.module:inputs"   # and one that returns its inputs
"""


def sweep(  # noqa: PLR0917 - typer reads options from parameters
    file: Annotated[Path, typer.Argument(help="A TOML file that says what to measure; see below.")],
    scheduler: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="A dask scheduler, e.g. tcp://10.0.0.1:8786; default: this machine."),
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Measure anew what was measured before.")] = False,
    report: Annotated[Path | None, typer.Option(help="An HTML file to write everything to.")] = None,
    csv: Annotated[Path | None, typer.Option(help="A CSV file for the table of all variants.")] = None,
    as_json: Json = False,
) -> None:
    """Measure many workloads, one study each. Run it again after an interruption: it measures only the rest."""
    from optkit.sweep_terminal import show
    from optkit.sweeps import file as files
    from optkit.sweeps.sweeping import Sweep

    asked = files.read(file)
    for one in (report, csv):
        if one is not None:
            check_report(one)
    client = None if scheduler is None else connected(scheduler)
    try:
        result = show(Sweep(asked.workloads, asked.variants, client, asked.plan, again=again), to_stderr=as_json)
    finally:
        if client is not None:
            client.close()
    if as_json:
        print(result.to_json())  # noqa: T201 - the one thing that goes to stdout
    if report is not None:
        result.to_html(report)
    if csv is not None:
        result.to_csv(csv)
    raise typer.Exit(_exit_code(result))


def connected(address: str) -> Any:
    """Return a client of a scheduler.

    Raises
    ------
    UsageError
        If distributed is not installed, or nothing answers at the address.
    """
    try:
        import distributed
    except ModuleNotFoundError as error:
        raise UsageError('A sweep on a cluster needs dask.distributed; run: pip install "optkit[dask]".') from error
    try:
        return cast("Any", distributed).Client(address, timeout=CONNECT_S)
    except (OSError, ValueError, TimeoutError) as error:
        raise UsageError(f"No dask scheduler answers at {address}; give the address that it printed.") from error


def _exit_code(result: SweepResult) -> int:
    states = [result.state(number) for number in range(len(result.items))]
    if "stopped" in states or "waiting" in states:
        return INTERRUPTED
    failed = bool(result.refused) or any(row["status"] == "failed" for row in result.rows())
    return FAILED if failed else 0


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    paragraphs = EXAMPLE.strip("\n").split("\n\n")
    app.command("sweep", epilog="\n\n".join(["A file:", *(f"\b\n{one}" for one in paragraphs)]))(sweep)
