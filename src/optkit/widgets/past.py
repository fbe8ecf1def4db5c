"""Past runs: those of the history, to be shown and measured again."""

from __future__ import annotations

import json
import time
from html import escape
from typing import TYPE_CHECKING, Any

from optkit import runs, text
from optkit.answers import ENDINGS
from optkit.errors import OptkitError
from optkit.runs import load
from optkit.store import Store

if TYPE_CHECKING:
    from optkit.comparison import Comparison
    from optkit.events import Event
    from optkit.workload import Workload

__all__ = ["events", "load", "page", "when"]

MOST = 25


def events(run_id: str) -> list[Event]:
    """Return the events of a run that is kept.

    Raises
    ------
    UsageError
        If no run, or more than one, is meant.
    """
    with Store() as store:
        return runs.events_of(store, store.find(run_id))


def page(own: Workload | None) -> str:
    """Return the latest runs as HTML, each with what can be done with it.

    Parameters
    ----------
    own
        The user's own model, where there is one: other models can only be looked at then.
    """
    try:
        rows = runs.latest(MOST)
    except OptkitError as error:
        return f'<p class="optkit-placeholder">{escape(str(error))}</p>'
    if not rows:
        return '<p class="optkit-placeholder">Every run is kept, and listed here when it is over.</p>'
    here = None if own is None else own.name
    heads = "".join(f'<th scope="col">{name}</th>' for name in ("when", "model", "answer", "ended"))
    body = "".join(_row(row, here) for row in rows)
    return (
        '<div class="optkit-scroll" tabindex="0" role="region" aria-label="Past runs"><table class="optkit-past">'
        f"<thead><tr>{heads}<td></td></tr></thead><tbody>{body}</tbody></table></div>"
    )


def when(run: Comparison) -> str:
    """Return when a run began, in this machine's time."""
    return _time(0.0 if run.started is None else run.started.time_unix_s)


def _time(unix_s: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(unix_s))


def _row(row: dict[str, Any], here: str | None) -> str:
    run_id = str(row["run_id"])
    began = _time(row["started"])
    model, batch = text.plain(str(row.get("model") or "–")), row.get("batch_size")
    size = f" <small>batch {batch}</small>" if batch is not None and batch != 1 else ""
    ended = dict[Any, str](ENDINGS).get(row.get("ended_because"), "it goes on")
    buttons = [_button("show", "Show", run_id, f"Show the run of {began}")]
    if (here is None and batch is not None) or (here is not None and here == row.get("model")):
        buttons.append(_button("rerun", "Run again", run_id, f"Measure the run of {began} again"))
    return (
        f'<tr><td>{began}</td><td class="wrap"><code>{escape(model)}</code>{size}</td>'
        f'<td class="wrap">{escape(str(row.get("answer") or "–"))}</td><td class="wrap">{escape(ended)}</td>'
        f'<td class="optkit-row-buttons">{"".join(buttons)}</td></tr>'
    )


def _button(name: str, label: str, run_id: str, said: str) -> str:
    sent = escape(json.dumps({"op": "past", "name": name, "run": run_id}), quote=True)
    key = escape(f"{name} {run_id}", quote=True)
    return (
        f'<button type="button" data-send="{sent}" data-key="{key}" aria-label="{escape(said, quote=True)}" '
        f'title="{escape(said, quote=True)}">{label}</button>'
    )
