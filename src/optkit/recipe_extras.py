"""What lies in a recipe's folder beside ``run.py``: a server in a few lines, a notebook, and a README. Pure text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from optkit import text
from optkit.recipe_run import CACHE, CODE, INPUTS, MODEL, RECORD

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optkit.recipe_run import Contents

SERVE = """# Load, warm up, then serve: POST (args, kwargs) as torch.save writes them; outputs come back the same way.
# `python serve.py [PORT]` listens on this machine alone: put what you trust for the outside world in front of it.
import io
import signal
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

import run
import torch

signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # an end like any other: what was unpacked is removed
fast, found = run.ready()  # calls each kept shape once, so that no request waits for a compile

class Handler(BaseHTTPRequestHandler):
    timeout = 10  # seconds that a client may take: one call at a time, so a slow one holds up all
    def do_POST(self):
        try:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            args, kwargs = torch.load(io.BytesIO(body), weights_only=True)
            torch.save(fast(*run.move(args), **run.move(kwargs)), answer := io.BytesIO())
        except Exception as error:
            return self.send_error(400, type(error).__name__, str(error))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(answer.getvalue())

server = HTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 8000), Handler)
print(f"ready on port {server.server_port}; first call: {found['first_call_s']:.3f} s", flush=True)
server.serve_forever()
"""


def notebook(contents: Contents) -> str:
    """Return the notebook, which papermill runs: ``papermill recipe.ipynb out.ipynb -p folder PATH``."""
    cells = [
        _markdown(
            f"# {_title(contents)}\n\n"
            "Is what was saved still what was measured? This notebook loads it, checks its outputs against those that "
            "eager gave, and times both here. `folder` is where the recipe lies."
        ),
        _code('folder = "."\nseconds = 1.0', tags=["parameters"]),
        _code("import sys\n\nsys.path.insert(0, folder)\nimport run"),
        _markdown(
            "The files, torch and the processor are checked first; then each batch that was kept is called once."
        ),
        _code("fast, found = run.prove()\nfound"),
        _markdown("Eager and the recipe in turn."),
        _code("eager_s, fast_s = run.compare(fast, seconds)\nprint(run.told(eager_s, fast_s))"),
    ]
    metadata = {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "language_info": {"name": "python"},
    }
    numbered = [cell | {"id": f"cell-{number}"} for number, cell in enumerate(cells)]
    return json.dumps({"cells": numbered, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}, indent=1) + "\n"


def _title(contents: Contents) -> str:
    return text.code_span(f"{contents.variant} of {contents.title}")


def _markdown(source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def _code(source: str, tags: list[str] | None = None) -> dict[str, Any]:
    metadata = {"tags": tags} if tags else {}
    return {"cell_type": "code", "metadata": metadata, "source": source, "outputs": [], "execution_count": None}


def readme(contents: Contents, record: Mapping[str, Any]) -> str:
    """Return a README of ten lines."""
    measured = record["measured"]
    speedup = "not told" if measured["speedup"] is None else f"{measured['speedup']:.2f}x eager"
    if measured["speedup_low"] is not None:
        speedup += f" (95 %: {measured['speedup_low']:.2f} to {measured['speedup_high']:.2f})"
    speedup += f", verdict {measured['verdict']}"
    if measured["verdict"] == "baseline":
        speedup = "this is eager itself"
    own = f"`{MODEL}`" + (f", `{CODE}/`" if contents.has_code else "")
    model = "the zoo's, built by name" if contents.zoo else f"{own} (a pickle: load it only from whom you trust)"
    kept = f"`{CACHE}`" if contents.has_cache else "nothing: it is made when it is loaded"
    where = f"{record['environment']['cpu']}, torch {record['torch']}"
    return f"""# {_title(contents)}

Saved by optkit {record["optkit"]} on {record["saved_at"]}; {text.code_span(where)}.
Measured before that: {speedup}; outputs {measured["agreement"]}; doubts: {", ".join(measured["doubts"]) or "none"}.
- `python run.py` checks files, versions and outputs, then times eager and this in turn; `--check` leaves out the times.
- `optkit verify FOLDER` measures the speed-up again with its interval, and says what has changed since.
- `python serve.py PORT` warms up and serves; `papermill recipe.ipynb out.ipynb -p folder FOLDER` runs the notebook.
- Exported or compiled: {f"`{contents.artifact}`" if contents.artifact else kept}. Model: {model}.
- Inputs that were measured, and eager's outputs for them: `{INPUTS}`. Versions and checksums: `{RECORD}`.
- `pip install -r requirements.txt` installs the versions it was made with; the folder can be moved as a whole.
"""
