"""What a report is made of: page and style, texts that can do no harm, tables, and lists that end in time. Pure.

A report is opened in a browser, sent by mail and printed. It runs no script and asks for nothing outside itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from optkit import text
from optkit.svg_parts import clean, shortened

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LONGEST_NAME, LONGEST_TEXT = 120, 1500
"""Characters that are shown of a name, and of any other text; the middle of a longer one is left out."""
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""Forbids a browser all that a report has no need for, so that even a text that was not escaped could do nothing."""

STYLE = """
:root{color-scheme:light dark;--page:#fff;--ink:#1c2127;--dim:#59636e;--line:#d5dae0;--soft:#f5f7f9;--blue:#005a8f;
--orange:#a34700}
@media screen and (prefers-color-scheme:dark){:root{--page:#11151a;--ink:#e4e8ec;--dim:#9ba6b1;--line:#343c45;
--soft:#1a2027;--blue:#6bbdf0;--orange:#f0a860}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.55 system-ui,sans-serif;overflow-wrap:anywhere}
main,header,footer{max-width:74rem;margin:0 auto;padding:0 1.25rem}
header{padding-top:2rem}
h1{font-size:1.7rem;line-height:1.25;margin:0 0 .25rem}
h2{font-size:1.25rem;margin:2.75rem 0 .75rem;padding-bottom:.3rem;border-bottom:1px solid var(--line)}
h3{font-size:1rem;margin:1.5rem 0 .5rem}
p{margin:.5rem 0;max-width:48rem}
a{color:var(--blue)}
nav ul{display:flex;flex-wrap:wrap;gap:.25rem 1.1rem;list-style:none;margin:1rem 0 0;padding:0;font-size:.9rem}
code,pre{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:.875em}
pre{background:var(--soft);border:1px solid var(--line);border-radius:6px;padding:.9rem 1rem;margin:.5rem 0;
white-space:pre-wrap}
.dim{color:var(--dim)}.small{font-size:.875rem}
.answer{font-size:1.12rem;max-width:52rem}
.notice{border-left:4px solid var(--orange);background:var(--soft);padding:.6rem 1rem}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:.75rem;margin:1.25rem 0}
.tiles div{background:var(--soft);border:1px solid var(--line);border-radius:6px;padding:.7rem .9rem}
.tiles dt{font-size:.8rem;color:var(--dim)}
.tiles dd{margin:.1rem 0 0;font-size:1.25rem;font-weight:600;line-height:1.3}
.tiles dd code{font-size:1rem}.tiles dd small{display:block;font-size:.8rem;font-weight:400;color:var(--dim)}
table{border-collapse:collapse;width:100%;font-size:.9rem;font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--dim);font-size:.875rem;padding-bottom:.5rem}
th,td{text-align:left;vertical-align:top;padding:.45rem .6rem;border-bottom:1px solid var(--line)}
thead th{font-weight:600;color:var(--dim);vertical-align:bottom;line-height:1.25}
tbody th{font-weight:400}
small{color:var(--dim);font-size:.85em}
thead th,.results td,.stacked td code{overflow-wrap:normal}.stacked td{min-width:9rem}
.results th,.results td{padding:.5rem}
.results td,.results thead th{text-align:right}
.results td:nth-child(2),.results th:nth-child(-n+2){text-align:left}
.results tbody th{position:relative;padding-left:1.9rem;min-width:11rem}
.results .optkit-mark{position:absolute;left:.6rem;top:.85rem}
.results .number{white-space:nowrap}.results .words{min-width:6rem;overflow-wrap:anywhere}
.results td small{display:block}
.results .best{background:var(--soft);box-shadow:inset 4px 0 var(--blue)}
.results .best th code{font-weight:700}
.faster{color:var(--blue);font-weight:600}.slower,.failed{color:var(--orange);font-weight:600}
.pairs caption{color:var(--ink);font-weight:600}
.pairs th,.pairs td{padding:.3rem .6rem}.pairs th{color:var(--dim);padding-left:0;width:12.5rem}
.sizes{width:auto}.sizes td{white-space:nowrap}.sizes td,.sizes thead th+th{text-align:right;padding-left:1.5rem}
.columns{columns:26rem 2;column-gap:3rem}.columns>div{break-inside:avoid;margin-bottom:1.5rem}
figure{margin:0 0 1.5rem}
figure>.narrow{display:none}.optkit-chart{overflow:visible}
details{margin:.5rem 0}summary{cursor:pointer;color:var(--blue)}
dl.terms{display:grid;grid-template-columns:max-content 1fr;gap:.3rem 1.25rem;font-size:.9rem;margin:.75rem 0}
dl.terms dt{font-weight:600}dl.terms dd{margin:0;max-width:44rem}
ul.files{padding-left:1.2rem}ul.files li{margin:.4rem 0}
footer{margin-top:3rem;padding-bottom:2rem;color:var(--dim);font-size:.875rem}
@media screen and (max-width:1080px){
header{padding-top:1.25rem}
.results,.results tbody,.results th,.results td,.results caption{display:block;width:auto}
.results thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.results tr{display:grid;grid-template-columns:repeat(auto-fit,minmax(14rem,1fr));column-gap:3rem;
border:1px solid var(--line);border-radius:6px;margin:0 0 .9rem;padding:.4rem .8rem}
.results th,.results td{border:0;padding:.2rem 0}
.results tbody th{grid-column:1/-1;padding:.2rem 0 .35rem 1.4rem}.results .optkit-mark{left:0;top:.5rem}
.results td,.results td:nth-child(2){display:flex;justify-content:space-between;gap:1rem;text-align:right}
.results td::before{content:attr(data-label);color:var(--dim);text-align:left;flex:none}
.results .none{display:none}
}
@media screen and (max-width:640px){
figure>.wide{display:none}figure>.narrow{display:block}
dl.terms{display:block}dl.terms dd{margin-bottom:.5rem}
table.stacked,.stacked tbody,.stacked tr,.stacked th,.stacked td,.stacked caption{display:block;width:auto}
.stacked thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.stacked tr{border-bottom:1px solid var(--line);padding:.5rem 0}.stacked th,.stacked td{border:0;padding:.1rem 0}
}
@media print{
body{font-size:10pt}nav,summary{display:none}main,header,footer{max-width:none;padding:0}
details::details-content{content-visibility:visible;display:block;block-size:auto}
h2,h3{break-after:avoid}tr,figure,.tiles,pre{break-inside:avoid}
table{font-size:8pt}th,td{padding:.25rem .35rem}
.results{font-size:7pt}.results th,.results td{padding:.25rem .2rem}
.results tbody th{padding-left:1.6rem;min-width:6rem}.results .optkit-mark{left:.3rem;top:.3rem}
.columns{columns:16rem 2}.pairs th{width:9.5rem}.tiles{grid-template-columns:repeat(auto-fit,minmax(7.8rem,1fr))}
}
"""


def plain(words: object, most: int = LONGEST_TEXT) -> str:
    """Return a text without colours and without what a browser would obey, its middle left out where it is too long."""
    return shortened(text.plain(text.COLOURS.sub("", str(words)).replace("\r\n", "\n")), most)


def said(words: object, most: int = LONGEST_TEXT) -> str:
    """Return a text of somebody else's as HTML; whatever its direction, it turns nothing around it."""
    return f"<bdi>{clean(plain(words, most))}</bdi>"


def code(words: object, most: int = LONGEST_NAME) -> str:
    """Return the name of a variant, a file or a setting."""
    return f"<code>{said(words, most)}</code>"


def section(identity: str, title: str, *parts: str) -> str:
    """Return a section with a heading that can be linked to; nothing where it holds nothing."""
    body = "".join(parts)
    return f'<section id="{identity}"><h2>{title}</h2>{body}</section>\n' if body else ""


def pairs(caption: str, values: Iterable[tuple[str, str]]) -> str:
    """Return a table of names, which are plain text, and values, which are HTML; nothing where there are none."""
    rows = [f'<tr><th scope="row">{said(name, LONGEST_NAME)}</th><td>{value}</td></tr>' for name, value in values]
    if not rows:
        return ""
    body = within(rows, 40_000, lambda left: f'<tr><td colspan="2">… and {left} more.</td></tr>')
    return f'<table class="pairs"><caption>{caption}</caption><tbody>{body}</tbody></table>'


def within(items: Sequence[str], most_bytes: int, more: Any) -> str:
    """Return those items, from the first, that take no more than so many bytes; `more` says how many are left out."""
    taken = 0
    for place, item in enumerate(items):
        taken += len(item.encode())
        if taken > most_bytes:
            return "".join(items[:place]) + str(more(len(items) - place))
    return "".join(items)


def value(anything: Any) -> str:
    """Return a value of a record as HTML: lists and dicts in one line, an en dash for nothing."""
    return said(_flat(anything))


def _flat(anything: Any) -> str:
    if anything is None or anything in ("", (), [], {}):
        return "–"
    if isinstance(anything, bool):
        return "yes" if anything else "no"
    if isinstance(anything, float):
        return f"{anything:.4g}"
    if isinstance(anything, dict):
        return ", ".join(f"{name} {_flat(one)}" for name, one in anything.items())
    return ", ".join(map(_flat, anything)) if isinstance(anything, list | tuple) else str(anything)


def page(title: str, body: str) -> str:
    """Return the whole document."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{clean(plain(title, LONGEST_NAME))}</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n{body}</body>\n</html>\n"
    )
