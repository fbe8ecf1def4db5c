"""Write docs/troubleshooting.md: ``.venv/bin/python scripts/write_troubleshooting.py``."""

from __future__ import annotations

from pathlib import Path

from optkit.troubleshooting import troubleshoot

PATH = Path(__file__).parents[1] / "docs" / "troubleshooting.md"
HEAD = """# Troubleshooting

By symptom: the likely causes, the call that proves which of them it is on your model and your machine, and what to do.
In Python, `optkit.troubleshoot()` shows the same. `model` and `inputs` are your own.

What is said here was run with torch 2.13 on a CPU; what comes from torch's documentation alone says so.
This page is written by `scripts/write_troubleshooting.py`; change `src/optkit/symptoms.py` instead.

"""


def page() -> str:
    return HEAD + troubleshoot().to_markdown().rstrip() + "\n"


if __name__ == "__main__":
    PATH.write_text(page(), encoding="utf-8")
