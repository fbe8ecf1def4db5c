"""The command line: `optkit lab`, `compare`, `diagnose`, `verify`, `code` and more. Also ``python -m optkit``.

Exit codes: 0 done, 1 a variant failed (doctor: nothing can be measured; verify: it does not hold; gate: slower),
2 wrong use, 3 verify or gate cannot tell, 130 interrupted.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path  # noqa: TC003 - typer reads annotations
from typing import Annotated

import typer

import optkit
from optkit import cli_notebooks, cli_sweep
from optkit.cli_runs import COMMANDS, INTERRUPTED, check_report, exit_code
from optkit.errors import OptkitError, UsageError

BUDGET = (
    "Seconds of wall time after which no further round begins. Every variant gets three rounds even past it, and "
    "compiling is not cut short; a variant whose turn comes after twice the budget is skipped."
)
FAILED, WRONG_USE, UNDECIDED = 1, 2, 3

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: importing rich would take longer than all the rest
)


def _print_version(asked: bool) -> None:
    if asked:
        print(f"optkit {optkit.__version__}")  # noqa: T201
        raise typer.Exit


@app.callback()
def about(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Find out which PyTorch inference settings to use for your model on your machine."""


@app.command()
def lab(
    port: Annotated[int | None, typer.Option(help="Port to listen on; default: the first free one from 8888.")] = None,
    browser: Annotated[bool, typer.Option(help="Open a browser, where there is one.")] = True,
) -> None:
    """Open JupyterLab on the Explorer notebook."""
    from optkit import lab as jupyter

    jupyter.serve(port, browser=browser)


@app.command()
def compare(  # noqa: PLR0917 - typer reads options from parameters
    model: Annotated[str, typer.Argument(help="A model's name: torchvision's, tiny_cnn or tiny_transformer.")],
    variant: Annotated[
        list[str] | None, typer.Option("--variant", "-v", help="A variant or preset; repeatable. Default: recommended.")
    ] = None,
    batch_size: Annotated[int, typer.Option(help="Inputs in a batch.")] = 1,
    device: Annotated[str | None, typer.Option(help="cpu, cuda or cuda:N; default: the accelerator if any.")] = None,
    budget: Annotated[float, typer.Option(help=BUDGET)] = 120.0,
    weights: Annotated[str | None, typer.Option(help="torchvision weights to download, e.g. DEFAULT.")] = None,
    recipe: Annotated[
        Path | None, typer.Option(help="A new folder for the recipe of the best variant: scripts, files, lock.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="An HTML file to write everything to: answer, charts, raw samples.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document to stdout, all else to stderr.")
    ] = False,
) -> None:
    """Measure variants of a model against eager, live, and print the answer."""
    from optkit import takeaway
    from optkit.live_table import show
    from optkit.study import Study
    from optkit.workload import Workload

    workload = Workload(model, batch_size=batch_size, device=device, weights=weights)
    if recipe is not None:
        takeaway.check_empty(recipe)
    if report is not None:
        check_report(report)
    study = Study(workload, variant or "recommended", budget_s=budget)
    comparison = show(study, to_stderr=as_json)
    if as_json:
        print(comparison.to_json())  # noqa: T201 - the one thing that goes to stdout
    if report is not None:
        comparison.to_html(report)
        print(f"Report: {report}", file=sys.stderr)  # noqa: T201
    if recipe is not None and comparison.has_answer:
        print(f"Recipe of {comparison.best()}: {comparison.save_recipe(recipe)}", file=sys.stderr)  # noqa: T201
    raise typer.Exit(exit_code(comparison))


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(help="What save_recipe, or compare --recipe, wrote. It is a program.")],
    budget: Annotated[float, typer.Option(help="Seconds for measuring the speed-up again.")] = 60.0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document to stdout, all else to stderr.")
    ] = False,
) -> None:
    """Check a recipe in fresh processes and measure it again; exit code 1: it does not hold, 3: that cannot be told.

    This runs the recipe's run.py and loads its model: verify only recipes of people whose programs you would run.
    """
    from optkit import verification
    from optkit.live_table import show

    found = verification.verify(folder, budget_s=budget, measure=lambda study: show(study, to_stderr=True))
    print(json.dumps(found.to_json(), indent=2) if as_json else found)  # noqa: T201
    raise typer.Exit({True: 0, False: FAILED, None: UNDECIDED}[found.holds])


@app.command()
def diagnose(
    model: Annotated[str, typer.Argument(help="A model's name: torchvision's, tiny_cnn or tiny_transformer.")],
    variant: Annotated[str, typer.Option("--variant", "-v", help="Settings of torch.compile to look at.")] = "compile",
    batch_size: Annotated[int, typer.Option(help="Inputs in a batch.")] = 1,
    device: Annotated[str | None, typer.Option(help="cpu, cuda or cuda:N; default: the accelerator if any.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Find graph breaks and recompiles, each with its line, its reason and a fix."""
    from optkit.diagnosis import diagnose as look
    from optkit.live_table import progress

    with progress() as tell:
        diagnosis = look(model, variant=variant, batch_size=batch_size, device=device, tell=tell)
    print(diagnosis.to_json() if as_json else diagnosis)  # noqa: T201


@app.command()
def replay(
    model: Annotated[str, typer.Argument(help="A model's name: torchvision's, tiny_cnn or tiny_transformer.")],
    batch_sizes: Annotated[list[int], typer.Argument(help="Batch sizes, in the order in which they come.")],
    variant: Annotated[
        list[str] | None, typer.Option("--variant", "-v", help="Repeatable; default: four ways to treat shapes.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda or cuda:N; default: the accelerator if any.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Call a model with a sequence of batch sizes: what compiles when, and why."""
    from optkit.live_table import progress
    from optkit.replay import replay_shapes

    with progress() as tell:
        told = replay_shapes(model, batch_sizes, variant or None, device=device, tell=tell)
    print(told.to_json() if as_json else told)  # noqa: T201
    raise typer.Exit(INTERRUPTED if told.stopped else 0)


@app.command()
def startup(
    model: Annotated[str, typer.Argument(help="A model's name: torchvision's, tiny_cnn or tiny_transformer.")],
    variant: Annotated[
        list[str] | None, typer.Option("--variant", "-v", help="Repeatable; default: every way to start.")
    ] = None,
    batch_size: Annotated[int, typer.Option(help="Inputs in a batch.")] = 1,
    device: Annotated[str | None, typer.Option(help="cpu, cuda or cuda:N; default: the accelerator if any.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Start a model in fresh processes, each another way, and say how long the first result takes, phase by phase."""
    from optkit.live_table import progress
    from optkit.startups import startup_matrix

    with progress() as tell:
        matrix = startup_matrix(model, variants=variant or None, batch_size=batch_size, device=device, tell=tell)
    print(matrix.to_json() if as_json else matrix)  # noqa: T201
    raise typer.Exit(INTERRUPTED if matrix.stopped else 0)


@app.command()
def profile(  # noqa: PLR0917 - typer reads options from parameters
    model: Annotated[str, typer.Argument(help="A model's name: torchvision's, tiny_cnn or tiny_transformer.")],
    variant: Annotated[str, typer.Option("--variant", "-v", help="What to hold beside eager.")] = "compile",
    batch_size: Annotated[int, typer.Option(help="Inputs in a batch.")] = 1,
    device: Annotated[str | None, typer.Option(help="cpu, cuda or cuda:N; default: the accelerator if any.")] = None,
    trace: Annotated[str | None, typer.Option(help="Where to save the variant's Chrome trace.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Say which operators a call of eager and of a variant spends its time in."""
    from optkit.live_table import progress
    from optkit.profiling import profile as look

    with progress() as tell:
        told = look(model, variant=variant, batch_size=batch_size, device=device, trace=trace, tell=tell)
    print(told.to_json() if as_json else told)  # noqa: T201


@app.command()
def troubleshoot(
    symptom: Annotated[str | None, typer.Argument(help="A symptom; without one, all are listed.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Go from a symptom to its causes, what helps, and the call that proves it."""
    from optkit.troubleshooting import troubleshoot as look

    found = look(symptom)
    print(found.to_json() if as_json else found)  # noqa: T201


@app.command()
def code(
    model: Annotated[str, typer.Argument(help="A model's name: torchvision's, tiny_cnn or tiny_transformer.")],
    variant: Annotated[str, typer.Option("--variant", "-v", help="A variant, or a pattern's name.")] = "compile",
    batch_size: Annotated[int, typer.Option(help="Inputs in a batch.")] = 1,
) -> None:
    """Print a script that runs a variant of a model, checks it and times it; nothing is measured here."""
    from optkit.patterns import PATTERNS
    from optkit.variant import Variant
    from optkit.workload import Workload

    chosen = PATTERNS[variant] if variant in PATTERNS else Variant.parse(variant)
    print(chosen.code(Workload(model, batch_size=batch_size)), end="")  # noqa: T201


@app.command()
def variants() -> None:
    """List engines with their settings, modifiers, presets, and what cannot or should not run here."""
    from optkit.live_table import print_variants

    print_variants()


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show what can run here and why not, and what is worth measuring; exit code 1 where nothing can be measured."""
    from optkit import doctor as examiner

    examination = examiner.examine()
    if as_json:
        print(examination.to_json())  # noqa: T201
    else:
        examiner.show(examination)
    raise typer.Exit(0 if examination.can_measure else FAILED)


for _name, _command in COMMANDS.items():
    app.command(_name)(_command)
cli_notebooks.register(app)
cli_sweep.register(app)


def main() -> None:
    """Run the command line; errors of use end in one sentence and exit code 2."""
    try:
        app()
    except OptkitError as error:
        print(f"optkit: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(WRONG_USE if isinstance(error, UsageError) else FAILED)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
