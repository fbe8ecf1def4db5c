"""Runs notebooks one after the other: a failure does not end it, an interrupt does, and what is done is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import optkit
from optkit import text
from optkit.errors import OptkitError, UsageError
from optkit.tutorials import executed, process
from optkit.tutorials.executed import Outcome, Result

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from optkit.tutorials.finding import Tutorial
    from optkit.tutorials.process import Progress

SCHEMA = 1


class Batch:
    """Notebooks with the parameters that each is given, and what came of those that have been run.

    Parameters
    ----------
    tutorials
        What to run.
    settings
        Parameters, which every one of them must have.
    folder
        Where executed notebooks are written; it is made where it is not there.
    limit_s
        Seconds after which one is ended, and has failed.
    is_resumed
        Whether those are not run again that are in `folder`, passed, and would run alike.

    Attributes
    ----------
    results
        In the order of the notebooks, as far as it is known.
    is_interrupted
        Whether it was ended before its time.

    Raises
    ------
    UsageError
        If `folder` cannot be used, or `limit_s` is not above 0.
    """

    def __init__(
        self,
        tutorials: Sequence[Tutorial],
        settings: dict[str, Any],
        folder: Path,
        limit_s: float,
        is_resumed: bool = False,
    ) -> None:
        if not limit_s > 0:
            raise UsageError(f"--limit must be a number of seconds above 0, not {limit_s:g}.")
        executed.check_folder(folder, tutorials)
        self.tutorials = tuple(tutorials)
        self.settings, self.folder, self.limit_s, self.is_resumed = settings, folder, limit_s, is_resumed
        self.results: list[Result] = []
        self.is_interrupted = False

    @property
    def has_passed(self) -> bool:
        """Whether every notebook has."""
        return len(self.results) == len(self.tutorials) and all(r.outcome.status == "passed" for r in self.results)

    def place(self, tutorial: Tutorial) -> str:
        """Return which of how many a notebook is, for people."""
        return f"{self.tutorials.index(tutorial) + 1} of {len(self.tutorials)}"

    def run(self, tell: Callable[[Tutorial, Progress | None], None]) -> None:
        """Run them all; `tell` is called when one begins, with None, and about twice a second while it runs."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"{self.folder} cannot be made: {error.strerror}; give --output another folder."
            ) from error
        try:
            for tutorial in self.tutorials:
                self.results.append(self._result(tutorial, tell))
                if self.results[-1].outcome.status == "stopped":
                    self.is_interrupted = True
                    break
        except KeyboardInterrupt:
            self.is_interrupted = True
        left = self.tutorials[len(self.results) :]
        self.results += [Result(tutorial, Outcome("not run"), settings=self.settings) for tutorial in left]

    def _result(self, tutorial: Tutorial, tell: Callable[[Tutorial, Progress | None], None]) -> Result:
        path = self.folder / tutorial.path.name
        digest = executed.digest(tutorial, self.settings)
        known = executed.kept(path, digest) if self.is_resumed else None
        if known is not None:
            return Result(tutorial, known, path, self.settings)
        tell(tutorial, None)
        outcome, notebook = process.execute(
            tutorial, self.settings, self.limit_s, lambda progress: tell(tutorial, progress)
        )
        if notebook is not None:
            try:
                executed.keep(notebook, path, outcome, digest)
            except OSError as error:
                raise OptkitError(f"{path} cannot be written: {error.strerror}; --resume goes on from here.") from error
        return Result(tutorial, outcome, None if notebook is None else path, self.settings)

    def to_json(self) -> dict[str, Any]:
        """Return what `optkit notebooks --json` prints."""
        return {
            "schema": SCHEMA,
            "optkit": optkit.__version__,
            "settings": self.settings,
            "output": text.one_line(str(self.folder)),
            "is_interrupted": self.is_interrupted,
            "has_passed": self.has_passed,
            "notebooks": [result.to_json() for result in self.results],
        }
