"""The command `optkit notebooks`: runs the tutorials, or notebooks of the user's own, and says how it went.

Exit codes: 0 all have passed, 1 one has not, 2 wrong use, 130 interrupted.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from optkit import text
from optkit.cli_runs import INTERRUPTED, Json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

OUTPUT = Path("optkit-notebooks-out")
"""Not the folder that `optkit lab` copies the notebooks to."""
LIMIT_S = 3600.0
PARAMETER = ("-p", "--parameter")


class NotebooksCommand(TyperCommand):
    """Takes ``-p NAME VALUE`` as papermill does, besides ``-p NAME=VALUE``; typer has no options of two values."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Join both words of each parameter before the options are read."""
        return super().parse_args(ctx, list(_joined(args)))


def _joined(words: Sequence[str]) -> Iterator[str]:
    left = iter(words)
    for word in left:
        yield word
        if word == "--":
            yield from left
        elif word in PARAMETER and (name := next(left, None)) is not None:
            value = None if "=" in name else next(left, None)
            yield name if value is None else f"{name}={value}"


def notebooks(  # noqa: PLR0917 - typer reads options from parameters
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME", help="03, 03_modes, or the path of a notebook. Default: all tutorials."),
    ] = None,
    smoke: Annotated[bool, typer.Option("--smoke", help="Set smoke=True: small models, little time.")] = False,
    parameter: Annotated[
        list[str] | None,
        typer.Option(*PARAMETER, metavar="NAME VALUE", help="Set a parameter of every notebook; repeatable."),
    ] = None,
    output: Annotated[Path, typer.Option(help="Where executed notebooks are written.")] = OUTPUT,
    html: Annotated[Path | None, typer.Option(help="A folder for a gallery of HTML pages: index.html.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Skip those in --output that passed with the same cells and parameters.")
    ] = False,
    limit: Annotated[float, typer.Option(help="Seconds after which a notebook is ended, and has failed.")] = LIMIT_S,
    only_list: Annotated[bool, typer.Option("--list", help="List notebooks and their parameters; run none.")] = False,
    as_json: Json = False,
) -> None:
    """Run the tutorial notebooks, one after the other; exit code 1 where one fails, 130 after Ctrl-C.

    A notebook fails by an error in a cell, and where a cell tagged claims shows nothing. Parameters that one of them
    does not have are refused before any is run. Tutorials work in a temporary folder, other notebooks in their own.
    """
    from optkit import lab
    from optkit.tutorials import finding, settings, table
    from optkit.tutorials.batch import Batch

    chosen = finding.chosen(names or [], lab.notebooks_folder())
    if only_list:
        _list(chosen, as_json=as_json)
        return
    given = settings.settings(parameter or [], smoke=smoke)
    settings.check(chosen, given)
    batch = Batch(chosen, given, output.absolute(), limit, is_resumed=resume)
    if html is not None:
        from optkit.tutorials import gallery

        gallery.check(html)
    table.run(batch, to_stderr=as_json)
    page = None
    if html is not None:
        page = text.one_line(str(gallery.write(batch.results, html.absolute())))
        print(f"Gallery: {page}", file=sys.stderr)  # noqa: T201
    if as_json:
        print(json.dumps(batch.to_json() | {"gallery": page}, indent=2))  # noqa: T201
    raise typer.Exit(INTERRUPTED if batch.is_interrupted else 0 if batch.has_passed else 1)


def _list(chosen: Sequence[Any], *, as_json: bool) -> None:
    from optkit.tutorials import table

    if as_json:
        print(json.dumps({"schema": 1, "notebooks": [one.to_json() for one in chosen]}, indent=2))  # noqa: T201
    else:
        table.print_list(chosen)


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("notebooks", cls=NotebooksCommand)(notebooks)
