"""The gallery of executed notebooks: everything is seen without JavaScript, and nothing is asked for elsewhere."""

from __future__ import annotations

import base64
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

import hostile
from optkit.errors import UsageError
from optkit.tutorials import executed, finding, gallery, gallery_documents, gallery_page
from optkit.tutorials.executed import Failure, Outcome, Result

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()
SVG = '<svg xmlns="http://www.w3.org/2000/svg"><title>Bars</title><rect width="3" height="3"/></svg>'
WIDGET, PLOTLY = gallery_page.WIDGET, gallery_page.PLOTLY
CDN = '<div id="x"></div><script src="https://cdn.plot.ly/plotly.js"></script><script>Plotly.newPlot("x")</script>'


class Parsed(HTMLParser):
    """Collects elements with their attributes, and the words of a page."""

    def __init__(self, html):
        super().__init__()
        self.found, self.words = [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(data)


def check_still(html: str) -> Parsed:
    """Fail where a page runs something or asks for something; return it parsed."""
    page = Parsed(html)
    for tag, attributes in page.found:
        assert tag not in {"script", "link", "iframe", "object", "embed", "base", "audio", "video"}, tag
        assert not [name for name in attributes if name.startswith("on")], attributes
        for name in ("src", "srcset", "data", "background", "poster"):
            assert attributes.get(name, "data:image/").startswith("data:image/"), attributes
        if tag != "a":
            assert "href" not in attributes or attributes["href"].startswith("#"), attributes
        assert "javascript:" not in str(attributes.get("href"))
    policies = [a["content"] for tag, a in page.found if tag == "meta" and a.get("http-equiv")]
    assert policies == [gallery_page.POLICY]
    return page


def shown(data: dict, tmp_path) -> Parsed:
    """Return a page with one output."""
    cell = new_code_cell("x", outputs=[new_output("display_data", data=data)], execution_count=1)
    notebook = new_notebook(cells=[cell])
    return check_still(gallery_page.document("t", gallery_page.body(notebook, tmp_path)))


def sources(page: Parsed) -> list[str]:
    return [attributes["src"].partition(",")[0] for tag, attributes in page.found if tag == "img"]


def test_a_result_of_optkit_is_shown_as_it_is_in_a_notebook(tmp_path):
    page = shown({"text/html": f"<p>fast</p>{SVG}", "image/svg+xml": SVG, "text/plain": "fast"}, tmp_path)
    assert "rect" in [tag for tag, _ in page.found]
    assert "fast" in page.words


@pytest.mark.parametrize(
    ("kinds", "kind"),
    [
        ({"image/png": PNG}, "data:image/png;base64"),
        ({"image/svg+xml": SVG, "image/png": PNG}, "data:image/svg+xml;base64"),
        ({"image/png": PNG, "text/html": CDN}, "data:image/png;base64"),
    ],
)
def test_a_plotly_figure_is_shown_by_its_picture(tmp_path, kinds, kind):
    assert sources(shown({PLOTLY: {"data": []}, **kinds}, tmp_path)) == [kind]


@pytest.mark.parametrize("more", [{}, {"text/html": CDN}, {"text/plain": "Figure()"}])
def test_a_plotly_figure_without_a_picture_is_a_sentence(tmp_path, more):
    assert gallery_page.FIGURE in shown({PLOTLY: {"data": []}, **more}, tmp_path).words


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, [gallery_page.INTERACTIVE]),
        ({"text/plain": "VBox(children=(IntSlider(), HTML()))"}, [gallery_page.INTERACTIVE]),
        ({"text/html": "<p>as far as known</p>"}, ["as far as known", gallery_page.INTERACTIVE]),
    ],
)
def test_a_widget_is_shown_by_what_it_has_for_pages_without_widgets_or_by_a_sentence(tmp_path, more, words):
    page = shown({WIDGET: {"model_id": "1"}, **more}, tmp_path)
    assert [one for one in page.words if one in words] == words
    assert "VBox" not in "".join(page.words)


@pytest.mark.parametrize("data", [{"text/html": "<script>1</script>"}, {"application/javascript": "alert(1)"}])
def test_an_output_that_is_only_a_script_is_a_sentence(tmp_path, data):
    assert gallery_page.SCRIPTED in shown(data, tmp_path).words


@pytest.mark.parametrize(
    "html",
    [
        '<img src="https://x/y.png" alt="badge">',
        '<img src=x onerror="alert(1)">',
        '<iframe src="https://x"></iframe>words',
        '<a href="javascript:alert(1)">words</a>',
        '<a href=" jAvaScript:alert(1)">words</a>',
        '<link rel="stylesheet" href="https://x/y.css"><style>@import "https://x"</style>words',
        '<svg onload="alert(1)"><image href="https://x/y.png"/><script href="https://x"></script></svg>',
        '<meta http-equiv="refresh" content="0;url=https://x">words',
        '<form action="https://x"><button formaction="https://x">words</button></form>',
    ],
)
@pytest.mark.parametrize("where", ["output", "markdown"])
def test_what_runs_or_is_loaded_is_taken_out(tmp_path, html, where):
    if where == "output":
        shown({"text/html": html}, tmp_path)
    else:
        notebook = new_notebook(cells=[new_markdown_cell(f"Words.\n\n{html}\n\n![badge](https://x/y.svg)")])
        page = check_still(gallery_page.document("t", gallery_page.body(notebook, tmp_path)))
        assert "[badge, which is not in this page]" in "".join(page.words)


def test_a_picture_beside_the_notebook_travels_with_the_page(tmp_path):
    (tmp_path / "picture.png").write_bytes(base64.b64decode(PNG))
    (tmp_path / "loop.png").symlink_to("loop.png")
    (tmp_path.parent / "x.png").write_bytes(base64.b64decode(PNG))
    words = "![words](picture.png) ![away](../x.png) ![none](none.png) ![odd](%00.png) ![loop](loop.png)"
    words += "\n\n<img src='picture.png'>"
    notebook = new_notebook(cells=[new_markdown_cell(words)])
    assert sources(check_still(gallery_page.document("t", gallery_page.body(notebook, tmp_path)))) == [
        "data:image/png;base64",
        "data:image/png;base64",
    ]


def test_an_answer_stays_folded_away(tmp_path):
    words = "1. Why?\n   <details><summary>Answer</summary>\n\n   Because `x`.\n   </details>\n2. How?"
    soup = BeautifulSoup(gallery_page.body(new_notebook(cells=[new_markdown_cell(words)]), tmp_path), "html.parser")
    assert soup.select_one("details").get_text(" ", strip=True) == "Answer Because x ."


def test_of_a_progress_bar_its_last_state_is_left_and_colours_stay(tmp_path):
    output = new_output("stream", text="10 %\r50 %\r100 %\n\x1b[31mred\x1b[0m \x1b]8;;http://x\x07link")
    html = gallery_page.body(new_notebook(cells=[new_code_cell("x", outputs=[output])]), tmp_path)
    said = "".join(Parsed(html).words)
    assert "100 %" in said
    assert "50 %" not in said
    assert 'class="ansi-red-fg"' in html
    assert r"\x1b]8;;http://x\x07link" in said


def test_a_notebook_that_cannot_be_made_a_page_is_a_page_that_says_so(tmp_path):
    notebook = new_notebook(cells=[new_markdown_cell("![x](attachment:missing.png)")])
    assert "cannot be shown as a page" in gallery_page.body(notebook, tmp_path)


def made_gallery(results, folder):
    gallery.check(folder)
    return gallery.write(results, folder)


def made(folder, title, outcome, name="x"):
    """Return the result of an executed notebook whose title and paragraph are given."""
    path, output = folder / f"{name}.ipynb", folder / "out" / f"{name}.ipynb"
    output.parent.mkdir(exist_ok=True)
    cell = new_code_cell("1", outputs=[new_output("stream", text="said")], execution_count=1)
    notebook = new_notebook(cells=[new_markdown_cell(f"# {title}\n\n{title}"), cell])
    nbformat.write(notebook, path)
    executed.keep(notebook, output, outcome, "digest")
    return Result(finding.read(path), outcome, output)


def test_the_index_has_a_card_for_each_with_its_outcome_and_a_link_to_its_page(tmp_path):
    passed = made(tmp_path, "Modes", Outcome("passed", seconds=12.0, peak_bytes=5_000_000, cpu_s=3.0), "03 modes#")
    failed = made(tmp_path, "Shapes", Outcome("failed", Failure("ValueError: x < y", 5), seconds=1.0), "10_shapes")
    never = Result(failed.tutorial, Outcome("not run"))
    index = made_gallery([passed, failed, never], tmp_path / "gallery")
    page = check_still(index.read_text())
    said = " ".join(" ".join(page.words).split())
    assert "1 of 3 passed." in said
    assert "12.0 s · 5.0 MB of memory · 3.00 s of CPU time" in said
    assert "Cell [5]: ValueError: x < y" in said
    links = [attributes["href"] for tag, attributes in page.found if tag == "a"]
    assert links == ["notebooks/03%20modes%23.html", "notebooks/10_shapes.html"]
    for name in ("03 modes#", "10_shapes"):
        inner = check_still((tmp_path / "gallery" / "notebooks" / f"{name}.html").read_text())
        assert ("a", {"href": "../index.html"}) in inner.found


@pytest.mark.parametrize("said", hostile.TEXTS.values(), ids=hostile.TEXTS)
def test_a_hostile_title_or_error_is_only_a_text(tmp_path, said):
    written = said.replace("\ud800", "")
    plain = made(tmp_path, "A title", Outcome("failed", Failure("reason")), "plain")
    bad = made(tmp_path, written, Outcome("failed", Failure(finding.text.one_line(said, limit=300))), "bad")
    usual = made_gallery([plain], tmp_path / "usual").read_text()
    index = made_gallery([bad], tmp_path / "hostile").read_text()
    check_still(index)
    check_still((tmp_path / "hostile" / "notebooks" / "bad.html").read_text())
    assert hostile.elements(index) == hostile.elements(usual)
    assert hostile.is_plain(index.replace("\n", ""))


def test_what_could_not_be_written_is_refused_before_anything_runs(tmp_path, monkeypatch):
    gallery.check(tmp_path / "new" / "folder")
    (tmp_path / "index.html").write_text("<p>mine</p>")
    with pytest.raises(UsageError, match="was not written by optkit"):
        gallery.check(tmp_path)
    with pytest.raises(UsageError, match="cannot be made"):
        gallery.check(Path("/proc/nowhere"))
    with pytest.raises(UsageError, match="is no folder"):
        gallery.check(tmp_path / "index.html")
    made_gallery([], tmp_path / "again")
    gallery.check(tmp_path / "again")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(UsageError, match="pip install nbconvert"):
        gallery.check(tmp_path / "again")


def test_links_to_the_documentation_lead_to_pages_in_the_gallery(tmp_path):
    docs, made = tmp_path / "docs", tmp_path / "gallery"
    for folder in (docs, made):
        folder.mkdir()
    (docs / "a.md").write_text("# A\n\nSee [b](b.md#part) and [none](none.md).\n")
    (docs / "b.md").write_text("# B\n\nBack to [a](a.md).\n")
    page = gallery_documents.linked('<a href="../docs/a.md">a</a> <a href="../docs/none.md">n</a>', made, docs)
    assert page == '<a href="../docs/a.html">a</a> <a href="../docs/none.md">n</a>'
    assert 'href="b.html#part"' in (made / "docs" / "a.html").read_text()
    assert 'href="none.md"' in (made / "docs" / "a.html").read_text()
    check_still((made / "docs" / "b.html").read_text())


def test_pages_of_an_earlier_run_stay_in_the_index(tmp_path):
    (tmp_path / gallery.PAGES).mkdir()
    (tmp_path / gallery.PAGES / "03_modes.html").write_text(gallery_page.document("Which <mode>?", ""))
    index = Parsed(gallery.write([], tmp_path).read_text())
    assert ("a", {"href": "notebooks/03_modes.html"}) in index.found
    assert "Which <mode>?" in index.words
    assert "from an earlier run" in index.words
