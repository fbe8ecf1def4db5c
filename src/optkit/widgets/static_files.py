"""The browser-side files that travel inside the package, joined to what an anywidget expects."""

from __future__ import annotations

import re
from pathlib import Path

_ASIDE = re.compile(r"^(?:[ \t]*//[^\n]*\n|[ \t]+|\n)", re.MULTILINE)
"""Lines that are comments, indentation, empty lines. No file has a text of several lines, in which they would count."""
_STATIC = Path(__file__).parent / "static"


def module(*names: str) -> str:
    """Join JavaScript files to the text of one ES module.

    Parameters
    ----------
    *names
        File names inside the ``static`` folder, in the order in which they shall run. A file sees the top-level names
        of those before it, and exactly one of them (the last) holds ``export default``.

    Returns
    -------
    str
        The text for ``_esm``: no address to load from, so it works offline and behind a proxy. Comments and indentation
        stay at home, because every widget sends its own copy.
    """
    # A lone ";" ends a file that was minified without one.
    return "\n;\n".join(_ASIDE.sub("", _read(name)) for name in names)


def stylesheet(*names: str) -> str:
    """Join CSS files to one stylesheet, the text for ``_css``.

    Parameters
    ----------
    *names
        File names inside the ``static`` folder; later files override earlier ones.
    """
    return "\n".join(_read(name) for name in names)


def _read(name: str) -> str:
    return (_STATIC / name).read_text(encoding="utf-8")
