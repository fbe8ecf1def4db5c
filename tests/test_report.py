"""The report: read as a browser would, measured against a megabyte, and given what nobody should put in a page."""

from __future__ import annotations

import base64
import csv
import gzip
import io
import itertools
import json
import random
import re
import stat
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest

from optkit import cli, downloads, report, text
from optkit.charts import CHARTS
from optkit.comparison import Comparison
from optkit.errors import UsageError
from optkit.events import VariantSkipped
from optkit.report import SECTIONS, pictures
from optkit.report.parts import LONGEST_NAME
from optkit.report.words import LONGEST_CODE
from optkit.rows import COLUMNS
from optkit.sweeps.leaderboard import COLUMNS as LEADERBOARD_COLUMNS
from optkit.sweeps.leaderboard import FRONT_COLUMNS
from optkit.sweeps.result import COLUMNS as SWEEP_COLUMNS
from stories import (
    WORKLOAD,
    bring_up,
    checked,
    ended,
    failed,
    finished,
    one_of_each,
    rounds,
    skipped,
    started,
    turn,
    warm_start,
)

VOID = {"meta", "br", "rect", "path", "line", "circle", "polygon", "polyline"}
HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "</style></title></pre></bdi><h1>owned",
    r"$\frac{1}{2}$ & &amp; \"quoted\" 'single'",
    "\x1b[31mred\x1b[0m \x1b]8;;http://example.com\x07link\x07 \x00\x9b",
    "\u202egnp.exe\u2066 \u200f\u05e9\u05dc\u05d5\u05dd",
    "half a pair \ud83d",
    "x" * 10_000,
    "a b " * 5_000,
]
DOCUMENTED = Path(__file__).parents[1] / "docs" / "columns.md"


class Page(HTMLParser):
    """Reads a page, and complains about what a browser would have to repair."""

    def __init__(self, content: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(content)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        assert len(attrs) == len(dict(attrs)), f"an attribute twice in <{tag}>"
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append((self.open[-1] if self.open else "", data))

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]

    def words(self, *tags):
        return "".join(data for tag, data in self.texts if tag != "style" and (not tags or tag in tags))

    def files(self):
        """Return the files that can be saved, by name."""
        links = [one for one in self.all("a") if "download" in one]
        return {one["download"]: base64.b64decode(one["href"].partition(";base64,")[2]) for one in links}

    def table(self, ending):
        """Return the rows of a CSV file by how its name ends, compressed or not."""
        name, content = next((name, found) for name, found in self.files().items() if ending in name)
        raw = gzip.decompress(content) if name.endswith(".gz") else content
        return list(csv.DictReader(io.StringIO(raw.decode())))


def study(*events, count=20, calls=4, **medians_ms):
    medians_ms = medians_ms or {"eager": 10.0, "compile": 5.0}
    others = [name for name in medians_ms if name != "eager"]
    told = [started(*others), *bring_up("eager", twin=True)]
    for name in medians_ms:
        told += bring_up(name, graphs=1)
    return Comparison([*told, *rounds(count, calls=calls, **medians_ms), *finished(*medians_ms), *events])


@cache
def whole():
    return study(warm_start("compile", 0.4), warm_start("eager", 0.4), checked("compile", "close"), ended())


def hostile(bad):
    """Return a study in which everything that others have a say in says something bad."""
    about = WORKLOAD | {"model": bad, "device": bad, "call": bad, "code": bad}
    first = started(bad, "compile", "torchscript", workload=about)
    machine = {"cpu": bad, "versions": {bad: bad}, "variables": {"CXX": bad}, bad: [bad]}
    told = [type(first)(**{name: getattr(first, name) for name in first.__slots__} | {
        "at_s": 0.0, "run_id": bad, "environment": machine, "plan": first.plan | {bad: bad}, "time_unix_s": 1e300,
    })]  # fmt: skip
    told += [*bring_up("eager"), *bring_up("eager", twin=True), *bring_up(bad, graphs=1)]
    told += rounds(20, **{"eager": 10.0, bad: 5.0})
    told += [failed("compile", details=bad), VariantSkipped(at_s=1.0, variant="torchscript", reason=bad)]
    return Comparison([*told, checked(bad, bad, why=bad), *finished("eager", bad), ended()])


def allowed(page):
    """Complain about whatever could run, load, or lead away."""
    forbidden = {"script", "link", "iframe", "object", "embed", "img", "image", "use", "form", "base", "video", "audio"}
    assert not forbidden & {tag for tag, _ in page.tags}
    for tag, attributes in page.tags:
        assert not any(name.startswith("on") or name in ("src", "srcset", "action") for name in attributes)
        href = attributes.get("href", "#")
        assert href.startswith("#") or (tag == "a" and href.startswith("data:") and "download" in attributes)
    styles = "".join(data for tag, data in page.texts if tag == "style")
    styles += "".join(attributes.get("style") or "" for _, attributes in page.tags)
    assert not re.search(r"url\(|@import|expression", styles)
    policy = next(one["content"] for one in page.all("meta") if one.get("http-equiv") == "Content-Security-Policy")
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def test_a_report_is_one_page_that_asks_for_nothing():
    page = Page(whole().to_html())
    allowed(page)
    assert page.all("html") == [{"lang": "en"}]
    assert "Net: optkit report" in page.words("title")
    assert len(page.all("h1")) == 1
    assert whole().answer() in page.words()


def test_headings_are_in_order_and_every_link_within_the_page_leads_somewhere():
    page = Page(study(failed("compile"), skipped("torchscript"), ended()).to_html())
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))
    places = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    assert places == {one["href"][1:] for one in page.all("a") if one["href"].startswith("#")}
    assert [one["id"] for one in page.all("section")] == [name for name in SECTIONS if name in places]
    assert {"answer", "measured", "results", "failed", "charts", "code", "environment", "settings", "files"} <= places


def test_tables_have_captions_and_scopes_and_charts_have_words():
    page = Page(whole().to_html())
    assert len(page.all("table")) == len(page.all("caption"))
    assert all("scope" in one for one in page.all("th"))
    charts = [one for one in page.all("svg") if one.get("role") == "img"]
    assert len(charts) == len(page.all("desc")) == 2 * (len(CHARTS) + 1)  # wide and narrow; break-even warm as well
    assert all(one["aria-label"] for one in charts)


def test_the_table_is_ranked_and_says_what_the_one_in_a_cell_says():
    content = study(failed("compile"), ended(), eager=10.0, torchscript=5.0, compile=1.0).to_html()
    page = Page(content)
    assert len([one for one in page.all("th") if one.get("role") == "rowheader"]) == 3
    table = content[content.index('<table class="results"') :].partition("</table>")[0]
    assert table.index("torchscript") < table.rindex("eager") < table.rindex(">compile<")
    for said in ("2.00×", "5.00 ms", "▲ faster", "20 rounds"):
        assert said in table
    assert "It broke." in page.words()


def test_a_break_even_that_may_never_come_is_said_in_full():
    told = [started("compile"), *bring_up("eager"), *bring_up("eager", twin=True), *bring_up("compile", first_ms=9e6)]
    chance = random.Random(0)
    for number in range(1, 21):
        told += [turn("eager", number, 10.0), turn("eager", number, 10.0, twin=True)]
        told.append(turn("compile", number, 9.99 + chance.random() / 50))
    comparison = Comparison([*told, *finished("eager", "compile"), ended()])
    said = comparison.measurements["compile"].break_even().said
    assert said.endswith("calls at the earliest, perhaps never")
    assert said in Page(comparison.to_html()).words("span")


def test_the_files_in_a_report_are_the_data():
    page = Page(whole().to_html())
    samples = page.table("samples.csv")
    for variant, m in whole().measurements.items():
        mine = [row for row in samples if row["variant"] == variant and row["twin"] == "false"]
        of = {kind: [float(row["seconds_per_call"]) for row in mine if row["kind"] == kind] for kind in
              ("round", "settle", "early", "first_call", "warm_start")}  # fmt: skip
        assert of["round"] == m.samples_s
        assert of["settle"] == m.settle_s
        assert of["early"] == m.early_s
        assert of["first_call"] == [m.first_call_s]
        assert of["warm_start"] == [ns / 1e9 for ns in m.warm.durations_ns]
    assert {row["kind"] for row in samples if row["twin"] == "true"} == {"first_call", "early", "settle", "round"}
    assert tuple(samples[0]) == downloads.SAMPLE_COLUMNS
    assert {row["round"] for row in samples if row["kind"] == "round"} == {str(n) for n in range(1, 21)}
    files = page.files()
    assert files["run.csv"].decode() == whole().to_csv()
    assert json.loads(files["run.json"]) == json.loads(whole().to_json())


def test_twenty_variants_with_many_samples_stay_under_a_megabyte_and_say_what_is_left_out():
    names = ["eager", *(f"compile:mode=max-autotune+threads={i}" for i in range(1, 20))]
    told = [started(*names[1:]), *(event for name in names for event in bring_up(name, graphs=1))]
    chance, pool = random.Random(0), [5 + i / 1e6 for i in range(200_000)]
    told += [turn(name, number, *chance.choices(pool, k=700)) for number in range(1, 31) for name in names]
    comparison = Comparison([*told, *bring_up("eager", twin=True), *finished(*names), ended()])
    content = comparison.to_html()
    page = Page(content)
    allowed(page)
    assert len(content.encode()) < 1_000_000
    assert "the median of each round stands in" in page.words()
    assert "optkit export run" in page.words()
    medians = page.table("rounds.csv")
    assert tuple(medians[0]) == downloads.MEDIAN_COLUMNS
    of = [float(row["median_s"]) for row in medians if row["variant"] == names[3] and row["kind"] == "round"]
    assert len(of) == 30
    assert text.duration(sorted(of)[15]) in page.words()


def test_samples_that_fit_when_compressed_are_compressed():
    assert "run-samples.csv.gz" in Page(study(ended(), calls=100).to_html()).files()


@pytest.mark.parametrize("bad", HOSTILE)
def test_texts_of_others_stay_texts_and_keep_the_page_small(bad):
    content = hostile(bad).to_html()
    page = Page(content)
    allowed(page)
    assert len(content.encode()) < 1_000_000
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", content)
    assert [tag for tag, _ in page.tags].count("h1") == 1
    if len(bad) < LONGEST_NAME and bad.isprintable():
        assert bad in page.words("bdi")
    elif len(bad) >= LONGEST_NAME:
        assert "…" in page.words("bdi")
        assert max(len(data) for tag, data in page.texts if tag not in ("style", "desc")) <= LONGEST_CODE


def test_hundreds_of_variants_that_failed_loudly_stay_under_a_megabyte():
    names = [f"compile:options.x{i}={'&' * 200}" for i in range(400)]
    told = [started(*names), *bring_up("eager"), *(failed(name, details="<&>\n" * 2000) for name in names)]
    content = Comparison([*told, ended()]).to_html()
    allowed(Page(content))
    assert len(content.encode()) < 1_000_000
    assert "more, in the raw data" in content


def test_of_many_variants_the_fastest_are_drawn():
    names = {f"compile+threads={i}": 5.0 + i / 10 for i in range(1, 41)}
    page = Page(study(ended(), eager=10.0, **names).to_html())
    assert f"The {pictures.DRAWN} fastest variants; the other 11 are in the raw data." in page.words()
    assert "+threads=29" in page.words("desc")
    assert "+threads=30" not in page.words("desc")


@pytest.mark.parametrize("length", range(0, len(one_of_each()) + 1, 3))
def test_a_study_cut_off_anywhere_has_a_report(length):
    comparison = Comparison(one_of_each()[:length])
    page = Page(comparison.to_html())
    allowed(page)
    assert comparison.answer() in page.words()
    assert bool(page.files()) == (length > 0)
    if 0 < length < len(one_of_each()):
        assert "This study had not ended" in page.words()


def test_a_baseline_that_failed_and_a_study_that_was_stopped_are_told():
    broken = Comparison([started("compile"), failed("eager"), ended("baseline_failed")])
    assert "There is no answer: It broke." in Page(broken.to_html()).words()
    stopped = Page(study(ended("stopped"), count=3).to_html())
    assert "This study was ended early" in stopped.words()


def test_a_report_written_to_a_file_is_the_owners_alone_and_replaces_what_was_there(tmp_path):
    path = tmp_path / "report.html"
    content = whole().to_html(path)
    assert path.read_text(encoding="utf-8") == content
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Comparison().to_html(str(path)) == path.read_text(encoding="utf-8")


def test_a_report_leaves_the_comparison_as_it_was():
    comparison = study(count=3)
    before = comparison.measurements["compile"].median_s
    comparison.to_html()
    for event in rounds(20, eager=10.0, compile=2.0):
        comparison.fold(event)
    assert comparison.measurements["compile"].median_s < before
    assert comparison.measurements["compile"].baseline is comparison.baseline


def test_texts_in_csv_are_no_formulas_and_numbers_stay_numbers():
    reasons = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "fine = fine"]
    names = [f"compile+threads={i}" for i in range(1, 8)]
    told = [VariantSkipped(at_s=1.0, variant=name, reason=why) for name, why in zip(names, reasons, strict=True)]
    comparison = Comparison([started(*names), *told, ended()])
    rows = list(csv.DictReader(io.StringIO(comparison.to_csv(), newline="")))
    assert [row["reason"] for row in rows[1:]] == [f"'{why}" for why in (*reasons[:5], "\nx")] + reasons[-1:]
    assert json.loads(comparison.to_json())["rows"][1]["reason"] == "=1+1"
    assert downloads.harmless(-1.5) == -1.5
    bad = Comparison([started("=cmd()"), *bring_up("=cmd()"), ended()])
    assert all(not row["variant"].startswith("=") for row in Page(bad.to_html()).table("samples.csv"))


def documented(title):
    """Return what a section of docs/columns.md has rows for."""
    part = DOCUMENTED.read_text(encoding="utf-8").partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    return tuple(re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE))


def test_every_column_and_every_key_is_documented():
    if not DOCUMENTED.exists():
        pytest.skip("installed without its documentation")
    assert documented("The table") == COLUMNS
    assert documented("The JSON document") == tuple(json.loads(whole().to_json()))
    assert documented("Raw samples") == downloads.SAMPLE_COLUMNS
    assert documented("Medians of rounds") == downloads.MEDIAN_COLUMNS
    beside = tuple(column for column in SWEEP_COLUMNS if column not in COLUMNS)
    assert documented("A sweep's table") == beside
    assert documented("A sweep's leaderboard") == LEADERBOARD_COLUMNS
    assert documented("What speed costs") == FRONT_COLUMNS


def test_a_report_that_cannot_be_written_is_refused_before_anything_is_measured(tmp_path):
    for path in (tmp_path, tmp_path / "none" / "report.html"):
        with pytest.raises(UsageError, match="give the name of a file in a folder that exists"):
            cli.compare("tiny_cnn", report=path)


def test_the_command_line_writes_a_report(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("optkit.live_table.show", lambda study, **_: whole())
    with pytest.raises(cli.typer.Exit):
        cli.compare("tiny_cnn", report=tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == report.render(whole())
    assert "Report: " in capsys.readouterr().err
