"""An executed notebook as a page that shows everything without JavaScript and asks for nothing outside itself.

nbconvert makes the HTML; what needs a script, or would be loaded, is replaced before and after. The page's policy
forbids a browser both, so that something that was overlooked can do nothing either.
"""

from __future__ import annotations

import base64
import copy
import mimetypes
import re
import warnings
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from optkit import text
from optkit.report.parts import POLICY, STYLE

if TYPE_CHECKING:
    from pathlib import Path

    from bs4 import BeautifulSoup
    from nbformat import NotebookNode

MARK = '<meta name="generator" content="optkit notebooks">'
WIDGET, PLOTLY, SCRIPT = (
    "application/vnd.jupyter.widget-view+json",
    "application/vnd.plotly.v1+json",
    "application/javascript",
)
PICTURES = ("image/svg+xml", "image/png", "image/jpeg")
LARGEST_PICTURE = 10_000_000
"""Bytes; a larger one stays outside of the page."""
LONGEST_WORDS = 600
"""Of what is said of a picture to those who do not see it."""
INTERACTIVE = "Interactive in JupyterLab."
FIGURE = "A plotly figure, interactive in JupyterLab; it has no picture that could be shown here."
SCRIPTED = "Shown by JavaScript in JupyterLab; there is nothing that could be shown here."
LOADED = "script,link,meta,base,iframe,frame,object,embed,applet,audio,video,source,template,noscript,portal"
"""Elements that run something, or show something that is elsewhere."""
LOADING = ("src", "srcset", "background", "poster", "data", "action", "formaction")

NOTEBOOK_STYLE = """
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(19rem,1fr));gap:1rem;margin-top:1.5rem}
.cards article{border:1px solid var(--line);border-radius:6px;padding:.8rem 1rem;background:var(--soft)}
.cards h2{margin:0 0 .4rem;border:0;padding:0;font-size:1.1rem}
.cell{margin:1rem 0}.prompt{color:var(--dim);font-size:.75rem;font-family:ui-monospace,monospace}
.text_cell .prompt,.output_area>.prompt:empty{display:none}
.rendered_html table{width:auto}.rendered_html img,.output_svg img,.output_png img{max-width:100%;height:auto}
.rendered_html .dataframe,.rendered_html .dataframe :is(th,td){border-width:0 0 1px;border-color:var(--line)}
.output_area{margin:.4rem 0}.output_subarea{overflow-x:auto;overflow-wrap:normal}
@media screen and (max-width:640px){.output_subarea svg,.output_svg img{min-width:34rem}}
.output_subarea pre{background:none;border:0;padding:0;white-space:pre-wrap}
.output_stderr pre,.output_error pre{border-left:4px solid var(--orange);padding-left:.8rem}
.output_svg img,.output_png img,.output_jpeg img{background:#fff}
.highlight .k,.highlight .kn,.highlight .kc,.highlight .kd,.highlight .ow,.highlight .nb,
.highlight .bp{color:var(--blue)}
.highlight .s1,.highlight .s2,.highlight .sa,.highlight .se,.highlight .si,.highlight .sd,.highlight .mi,
.highlight .mf{color:var(--orange)}
.highlight .c1,.highlight .cm,.highlight .ch{color:var(--dim)}
.ansi-bold{font-weight:bold}.ansi-red-fg,.ansi-yellow-fg{color:var(--orange)}
.ansi-blue-fg,.ansi-cyan-fg,.ansi-green-fg{color:var(--blue)}
"""


def document(title: str, content: str) -> str:
    """Return a whole page around HTML."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n{MARK}\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}{NOTEBOOK_STYLE}</style>\n</head>\n<body>\n{content}</body>\n</html>\n"
    )


def body(notebook: NotebookNode, folder: Path) -> str:
    """Return the cells of a notebook as HTML; pictures in its text are looked for in `folder`."""
    from nbconvert.exporters import HTMLExporter

    exporter = HTMLExporter(template_name="basic", exclude_anchor_links=True)  # type: ignore[no-untyped-call]
    try:
        with warnings.catch_warnings():  # what cannot be shown is replaced here
            warnings.simplefilter("ignore")
            html, _ = exporter.from_notebook_node(shown(notebook))
            html = still(html, folder)
    except Exception as error:  # noqa: BLE001 - one notebook that nbconvert refuses must not cost the others their pages
        said = text.one_line(f"{type(error).__name__}: {error}", limit=text.LONGEST_NAME)
        return f"<main><p>This notebook cannot be shown as a page; open it in JupyterLab. {escape(said)}</p></main>"
    return f"<main>{html}</main>"


def shown(notebook: NotebookNode) -> NotebookNode:
    """Return a copy whose outputs can all be shown without JavaScript."""
    notebook = copy.deepcopy(notebook)
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if "data" in output:
                words = text.one_line(_readable(output["data"].get("text/plain", "")), limit=LONGEST_WORDS)
                output["data"] = _without_script(dict(output["data"]))
                output["metadata"].update(
                    {kind: {"alt": words} for kind in PICTURES if kind in output["data"] and words}
                )
                output["metadata"].get("text/html", {}).pop("isolated", None)  # a frame, which the policy forbids
            elif output.output_type == "stream":
                output["text"] = _readable(output["text"])
    return notebook


def _without_script(data: dict[str, Any]) -> dict[str, Any]:
    """Return of one output what a page can show, or a sentence in its place."""
    if WIDGET not in data and PLOTLY not in data and SCRIPT not in data and _can_be_read(data.get("text/html", "-")):
        return {kind: _readable(value) if kind == "text/plain" else value for kind, value in data.items()}
    for kind in PICTURES:
        if kind in data:
            return {kind: data[kind]}
    html = data.get("text/html", "")
    if PLOTLY not in data and _can_be_read(html):
        return {"text/html": f"{html}{_sentence(INTERACTIVE)}" if WIDGET in data else html}
    said = INTERACTIVE if WIDGET in data else FIGURE if PLOTLY in data else SCRIPTED
    return {"text/html": _sentence(said)}  # the plain text of a widget is how Python writes it down


def _sentence(words: str) -> str:
    return f'<p class="dim small">{words}</p>'


def _readable(said: str) -> str:
    """Return what was printed without what would turn or hide what stands around it; colours stay.

    Of a line that was written over, as by a progress bar, its last state is left.
    """
    parts = re.split(f"({text.COLOURS.pattern})", re.sub(r"[^\n]*\r(?!\n)", "", said.replace("\r\n", "\n")))
    return "".join(part if place % 2 else text.plain(part) for place, part in enumerate(parts))


def _can_be_read(html: str) -> bool:
    """Whether something of an HTML output is left once its scripts are gone."""
    if not html:
        return False
    soup = _soup(html)
    for element in soup.select(f"{LOADED},style"):
        element.decompose()
    return bool(soup.get_text(strip=True)) or soup.select_one("img,svg,table,hr,progress,meter") is not None


def still(html: str, folder: Path) -> str:
    """Return HTML without what runs or is loaded; a picture that lies in `folder` is put in, another becomes its words.

    nbconvert would put pictures in as well, and by doing so close every element that Markdown has between them.
    """
    soup = _soup(html)
    for element in soup.find_all("img"):
        element.attrs["src"] = _embedded(str(element.attrs.get("src", "")), folder)
    for element in soup.select(LOADED):
        element.decompose()
    for element in soup.find_all(True):
        for name in list(element.attrs):
            value = str(element.attrs[name]).strip()
            is_picture = name == "src" and value.startswith("data:image/")
            is_script = name.startswith("on") or re.match(r"(?i)\s*(javascript|vbscript|data):", value)
            is_loaded = (name in LOADING and element.name != "img") or (
                name.endswith("href") and element.name != "a" and not value.startswith("#")
            )
            if not is_picture and (is_script or is_loaded):
                del element.attrs[name]
    for element in soup.find_all("img"):
        if not str(element.attrs.get("src", "")).startswith("data:image/"):
            element.replace_with(f"[{element.attrs.get('alt') or 'picture'}, which is not in this page]")
    return str(soup)


def _embedded(source: str, folder: Path) -> str:
    """Return a picture's file as a ``data:`` address; any other address as it is."""
    kind, _ = mimetypes.guess_type(source)
    if source.startswith("data:") or not (kind or "").startswith("image/"):
        return source
    try:  # an address can be anything
        path = (folder / unquote(source)).resolve()
        if path.is_relative_to(folder.resolve()) and path.is_file() and path.stat().st_size <= LARGEST_PICTURE:
            return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"
    except (OSError, ValueError, RuntimeError):
        pass
    return source


def _soup(html: str) -> BeautifulSoup:
    from bs4 import BeautifulSoup

    return BeautifulSoup(html, features="html.parser")
