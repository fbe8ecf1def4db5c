"""The SVG charts: parsed, and their coordinates compared with the numbers they stand for."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass
from functools import cache
from xml.etree import ElementTree as ET

import pytest

from optkit import charts, svg, text
from optkit.chart_compiling import PARTS
from optkit.comparison import Comparison
from optkit.errors import UsageError
from optkit.events import PhaseEnded, WarmStarted
from optkit.marks import Series
from optkit.svg_parts import (
    MONOSPACE,
    Scale,
    fitted,
    mark,
    number,
    shortened,
    simplified,
    tick_calls,
    tick_s,
    ticks,
    width_of,
)
from stories import bring_up, compiled, ended, failed, finished, rounds, started, turn

LONG = "compile:mode=max-autotune,dynamic=true+channels_last+bfloat16"
NUMBERS = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?|nan|inf", re.IGNORECASE)
PLACES = ("x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "width", "height", "points", "d", "viewBox", "transform")


def study(count=20, first_ms=None, **medians_ms) -> Comparison:
    """Return a comparison that is over."""
    medians = medians_ms or {"eager": 2.0, "compile": 1.0}
    others = [name for name in medians if name != "eager"]
    told = [started(*others), *bring_up("eager", twin=True)]
    for name in medians:
        told += bring_up(name, graphs=1, first_ms=(first_ms or {}).get(name, 500))
    return Comparison([*told, *rounds(count, **medians), *finished(*medians), ended()])


@cache
def crowd() -> Comparison:
    """Return twelve variants with long names, whose numbers lie six orders of magnitude apart."""
    medians = {"eager": 1.0} | {f"{LONG}+threads={i}": 10 ** (i / 2 - 3) for i in range(10)} | {"compile": 0.9}
    first_ms = {name: 10**i for i, name in enumerate(itertools.islice(medians, 7))}
    return study(first_ms=first_ms, **medians)


def parsed(comparison, name, **options) -> ET.Element:
    return ET.fromstring(svg.render(comparison, name, **options))


def texts(root) -> list[str]:
    return [element.text for element in root.iter("text")]


def row(root, name) -> ET.Element:
    """Return the group of a variant: it says the variant's numbers under the pointer."""
    return next(g for g in root.iter("g") if g.findtext("title", "").startswith(f"{name}: "))


def marks_at(group) -> list[float]:
    """Return where a row's marks stand, without the one beside the name."""
    found = [float(circle.get("cx")) for circle in group.iter("circle")]
    for polygon in group.iter("polygon"):
        xs = [float(pair.split(",")[0]) for pair in polygon.get("points").split()]
        found.append((min(xs) + max(xs)) / 2)
    return found[1:]


def whisker(group) -> tuple[float, float]:
    """Return the ends of a row's interval."""
    across = next(line for line in group.iter("line") if line.get("y1") == line.get("y2"))
    return float(across.get("x1")), float(across.get("x2"))


def crossings(root) -> list[ET.Element]:
    """Return the groups that mark a break-even."""
    return [g for g in root.iter("g") if g.find("title") is None and g.find("text") is None]


def line_at_one(root) -> float:
    return next(float(line.get("x1")) for line in root.iter("line") if line.get("stroke-width") == "1.5")


@pytest.mark.parametrize("name", charts.CHARTS)
@pytest.mark.parametrize("story", [study, crowd])
def test_a_chart_says_its_title_and_all_its_numbers_in_words(name, story):
    comparison = story()
    root = parsed(comparison, name)
    assert (root.get("role"), root.get("aria-label")) == ("img", charts.CHARTS[name])
    assert root.findtext("title") == charts.CHARTS[name]
    assert root.findtext("desc") == charts.describe(charts.read(comparison, name))


@pytest.mark.parametrize("name", charts.CHARTS)
@pytest.mark.parametrize("width", [320, 640, 1000])
def test_all_coordinates_are_finite_and_within_the_picture(name, width):
    root = parsed(crowd(), name, width=width)
    height = float(root.get("height"))
    for element in root.iter():
        for key in PLACES:
            found = [float(value) for value in NUMBERS.findall(element.get(key, ""))]
            assert all(math.isfinite(value) for value in found)
        for key in ("x", "x1", "x2", "cx"):
            assert -1 <= float(element.get(key, 0)) <= width
        for key in ("y", "y1", "y2", "cy"):
            assert -1 <= float(element.get(key, 0)) <= height


@dataclass
class Box:
    left: float
    right: float
    top: float
    bottom: float
    words: str

    def touches(self, other) -> bool:
        across = self.left < other.right and other.left < self.right
        return across and self.top < other.bottom and other.top < self.bottom


def boxes(element, dx=0.0, dy=0.0):
    """Return where each text is, as wide as the widest common font makes it."""
    is_name = "monospace" in element.get("style", "")
    for child in element:
        moved = [float(value) for value in NUMBERS.findall(child.get("transform", "0 0"))]
        x, y = dx + moved[0], dy + moved[1]
        if child.tag == "text":
            words = child.text
            wide = len(words) * MONOSPACE if is_name else width_of(words)
            left = x + float(child.get("x")) - wide * {"middle": 0.5, "end": 1.0}.get(child.get("text-anchor"), 0.0)
            base = y + float(child.get("y"))
            yield Box(left, left + wide, base - 9, base + 2, words)
        yield from boxes(child, x, y)


@pytest.mark.parametrize("name", charts.CHARTS)
@pytest.mark.parametrize("width", [420, 640])
def test_no_text_lies_on_another_or_outside_the_picture(name, width):
    found = list(boxes(parsed(crowd(), name, width=width)))
    assert [(a.words, b.words) for a, b in itertools.combinations(found, 2) if a.touches(b)] == []
    assert [box.words for box in found if box.left < 0 or box.right > width + 1] == []


@pytest.mark.parametrize("name", charts.CHARTS)
def test_twelve_variants_with_long_names_take_less_than_15_kilobytes(name):
    assert len(svg.render(crowd(), name).encode()) < 15_000


@pytest.mark.parametrize("name", charts.CHARTS)
def test_names_are_escaped_and_read_as_they_are(name):
    hostile = "compile:options=\"<b>&'\x1b"
    source = svg.render(study(**{"eager": 2.0, hostile: 1.0}), name, width=1000)
    assert "<b>" not in source
    shown = "".join(texts(ET.fromstring(source)))
    assert hostile.replace("\x1b", "�") in shown


@pytest.mark.parametrize("name", charts.CHARTS)
def test_a_name_that_is_too_long_is_shortened_in_the_middle_and_whole_under_the_pointer(name):
    endless = "compile:options=" + "abcdefghij" * 30
    root = parsed(study(**{"eager": 2.0, endless: 1.0}), name, width=400)
    assert any("…" in words for words in texts(root))
    assert any(endless in title.text for title in root.iter("title"))


@pytest.mark.parametrize("name", charts.CHARTS)
def test_where_nothing_was_measured_a_small_text_says_so(name):
    root = parsed(Comparison([started("compile")]), name)
    assert texts(root) == [charts.read(Comparison(), name).missing]
    assert float(root.get("height")) < 100


def test_an_unknown_chart_is_refused():
    with pytest.raises(UsageError, match="latency, speedup, break_even, startup"):
        svg.render(study(), "pie")


@pytest.mark.parametrize("name", charts.CHARTS)
def test_texts_have_the_colour_of_the_page(name):
    root = parsed(study(), name)
    assert root.get("fill") == "currentColor"
    assert {element.get("fill") for element in root.iter("text")} == {None}
    assert root.find("style") is None


def test_a_standalone_chart_is_a_file_of_its_own_with_colours_for_light_and_dark():
    source = svg.render(study(), "speedup", standalone=True)
    assert source.startswith('<svg xmlns="http://www.w3.org/2000/svg"')
    assert "prefers-color-scheme:dark" in source
    assert "xmlns" not in svg.render(study(), "speedup")


def test_steady_calls_stand_in_the_order_of_their_medians():
    comparison = study(**{"eager": 2.0, "compile": 1.0, "compile:freezing=true": 4.0})
    root = parsed(comparison, "latency")
    steady = {name: min(marks_at(row(root, name))) for name in comparison.measurements}
    assert sorted(steady, key=steady.__getitem__) == ["compile", "eager", "compile:freezing=true"]


def test_equal_ratios_are_equally_far_apart_on_the_logarithmic_axis():
    root = parsed(study(first_ms={"eager": 20, "compile": 10}), "latency")
    (eager, eager_first), (compiled, compiled_first) = (marks_at(row(root, name)) for name in ("eager", "compile"))
    assert eager_first - eager == pytest.approx(compiled_first - compiled, abs=0.2)
    assert eager_first > eager


def test_a_row_of_latencies_says_both_durations():
    root = parsed(study(), "latency")
    assert {text.duration(0.001), text.duration(0.5)} <= set(texts(row(root, "compile")))


def test_a_speedup_above_one_stands_right_of_the_line_and_one_below_left_of_it():
    root = parsed(study(**{"eager": 2.0, "compile": 1.0, "compile:freezing=true": 4.0}), "speedup")
    one = line_at_one(root)
    assert whisker(row(root, "compile"))[0] > one
    assert whisker(row(root, "compile:freezing=true"))[1] < one


def test_an_interval_that_includes_one_straddles_the_line_and_a_mark_lies_within_its_interval():
    told = [started("compile"), *bring_up("eager"), *bring_up("eager", twin=True), *bring_up("compile", graphs=1)]
    for i in range(20):
        told += [
            event for event in rounds(i + 1, eager=2.0, compile=2.0 + (-1) ** i * 0.1) if event.round_number == i + 1
        ]
    root = parsed(Comparison([*told, *finished("compile"), ended()]), "speedup")
    (low, high), (at,) = whisker(row(root, "compile")), marks_at(row(root, "compile"))
    assert low < line_at_one(root) < high
    assert low <= at <= high


def test_the_noise_of_the_machine_is_a_band_around_the_line_at_one():
    comparison = study()
    root = parsed(comparison, "speedup")
    band = next(rect for rect in root.findall("rect") if rect.get("opacity") == "0.13")
    left, width = float(band.get("x")), float(band.get("width"))
    assert left + width / 2 == pytest.approx(line_at_one(root), abs=0.2)
    assert any(f"±{comparison.noise:.1%}" in words for words in texts(root))


def test_without_an_interval_the_mark_is_hollow_and_has_no_whiskers():
    group = row(parsed(study(count=2), "speedup"), "compile")
    beside_name, at_value = group.iter("circle")
    assert (beside_name.get("fill"), at_value.get("fill")) != ("none", "none")
    assert at_value.get("fill") == "none"
    assert list(group.iter("line")) == []
    assert "no interval yet" in texts(group)


def test_a_crossing_is_marked_on_the_line_of_its_variant():
    comparison = study(first_ms={"eager": 10, "compile": 4000})
    chart, root = charts.break_even(comparison), parsed(comparison, "break_even")
    crossing = chart.rows[1].crossing
    ends = [float(value) for value in root.findall(".//polyline")[1].get("points").replace(",", " ").split()]
    scale = Scale(1, chart.end, ends[0], ends[-2])
    (marked,) = crossings(root)
    assert float(marked.find("circle").get("cx")) == pytest.approx(scale(crossing.calls), abs=0.2)
    assert f"H{number(scale(crossing.low))}" in marked.find("path").get("d").replace(".0m", "m")
    assert crossing.said in texts(root)


def test_what_never_catches_up_has_no_mark_on_its_line_and_says_never():
    root = parsed(study(first_ms={"compile": 4000}, eager=1.0, compile=2.0), "break_even")
    assert "never" in texts(root)
    assert crossings(root) == []


def test_bars_are_as_long_as_their_times_and_say_their_total():
    comparison = study(first_ms={"eager": 1000, "compile": 4000})
    chart, root = charts.startup(comparison), parsed(comparison, "startup")
    color = charts.PART_COLORS["first call"]
    path = next(path for path in root.iter("path") if path.get("fill") == color)
    eager, compiled = (float(length) for length in re.findall(r"h([\d.]+)", path.get("d")))
    assert compiled / eager == pytest.approx(4, rel=0.03)
    assert {text.duration(charts.length_s(one.cold)) for one in chart.rows} <= set(texts(root))


def test_a_warm_start_is_a_thinner_bar_with_a_total_of_its_own():
    comparison = study()
    calls = (20_000_000, 2_000_000, 1_000_000)
    comparison.fold(WarmStarted(at_s=99.0, variant="compile", build_s=0.2, prepare_s=0.01, durations_ns=calls))
    root = parsed(comparison, "startup")
    heights = {float(tall) for path in root.iter("path") for tall in re.findall(r"v([\d.]+)", path.get("d"))}
    assert heights == {6, 14}
    assert text.duration(0.233) in texts(root)
    assert "thin: with filled caches" in texts(root)


def scattered(count=20, **seconds) -> Comparison:
    """Return variants with 140 calls each, some of them slow, that were exported or compiled, also in later calls."""
    names = {"eager": 1.0} | (seconds or {f"{LONG}+threads={i}": 1 + i for i in range(count - 1)})
    told = [started(*list(names)[1:])]
    for place, (name, ms) in enumerate(names.items()):
        told += [PhaseEnded(at_s=1.0, variant=name, phase="export", seconds=2.0 + place)] if place % 2 else []
        told += bring_up(name, compiles=[compiled(name, 0.4, 0.35, 0.3, 0.2, at_s=1.9)] if place else [])
        for i in range(10):
            slow = 1.2 + (i - 6) ** 3 if i >= 6 else 1.13
            told.append(turn(name, i + 1, *(ms * (1 + j / 100) for j in range(13)), ms * slow))
        told += [compiled(name, 3.0, at_s=50.0)] if place % 3 == 1 else []
    return Comparison(told)


def box_of(group) -> list[float]:
    """Return the ends of whiskers and box of a row: low, high, left, right."""
    found = next(path.get("d") for path in group.iter("path") if path.get("fill-opacity") or "V" in path.get("d"))
    low, high, _, left, right, _ = (float(x) for x in re.findall(r"[MH](-?[\d.]+)", found)[:6])
    return [low, high, left, right]


@pytest.mark.parametrize("name", ["spread", "compiling"])
@pytest.mark.parametrize("width", [320, 420, 640, 860])
def test_twenty_variants_with_much_to_say_have_room_and_finite_coordinates(name, width):
    root = parsed(scattered(), name, width=width)
    found = list(boxes(root))
    assert [(a.words, b.words) for a, b in itertools.combinations(found, 2) if a.touches(b)] == []
    assert [box.words for box in found if box.left < 0 or box.right > width + 1] == []
    assert not re.search("nan|inf", "".join(path.get("d") for path in root.iter("path")))
    assert [row(root, one) for one in scattered().measurements if one != "eager"]


def test_whiskers_and_box_stand_where_the_percentiles_are():
    comparison = scattered(eager=1.0, compile=2.0)
    chart, root = charts.read(comparison, "spread"), parsed(comparison, "spread")
    assert not chart.is_logarithmic
    (slow, fast) = ((one, box_of(row(root, one.series.name))) for one in reversed(chart.rows))
    per_s = (slow[1][1] - fast[1][0]) / (slow[0].high_s - fast[0].low_s)
    for one, (low, high, left, right) in (slow, fast):
        assert low <= left <= right <= high
        assert high - low == pytest.approx(per_s * (one.high_s - one.low_s), abs=0.3)
        assert right - left == pytest.approx(per_s * (one.box_s[1] - one.box_s[0]), abs=0.3)


def test_slow_calls_that_are_off_the_scale_have_an_arrow_and_words():
    comparison = scattered(eager=1.0, compile=2.0)
    chart, root = charts.read(comparison, "spread"), parsed(comparison, "spread")
    for one in chart.rows:
        assert chart.said_off_scale(one)[0] in texts(row(root, one.series.name))
        dots = [path for path in row(root, one.series.name).iter("path") if path.get("stroke-linecap")]
        assert sum(path.get("d").count("M") for path in dots) == len(chart.dots_s(one)) > 0


def test_a_row_of_few_calls_says_its_own_whiskers_and_one_that_failed_is_hollow():
    few = [turn("compile", 1, 1.0, 1.1, 1.2), failed("compile", "rounds")]
    root = parsed(Comparison([started("compile"), *(turn("eager", i, *[1.0] * 20) for i in range(9)), *few]), "spread")
    assert {"3 calls", "min–max", "failed"} <= set(texts(row(root, "compile")))
    assert {"180 calls", "p5–p95"} <= set(texts(row(root, "eager")))
    assert "whiskers: as each row says" in texts(root)
    filled = [any(path.get("fill-opacity") for path in row(root, one).iter("path")) for one in ("eager", "compile")]
    assert filled == [True, False]


def test_that_calls_were_timed_in_blocks_stands_in_the_row_and_in_the_key():
    told = [turn("eager", i, *[10.0, 11.0] * 10, calls_per_sample=1000) for i in range(9)]
    assert {"180 block means", charts.read(Comparison([started(), *told]), "spread").caveat} <= set(
        texts(parsed(Comparison([started(), *told]), "spread"))
    )


def test_parts_of_a_first_call_are_as_long_as_their_exclusive_seconds():
    comparison = scattered(eager=1.0, compile=2.0)
    chart, root = charts.read(comparison, "compiling"), parsed(comparison, "compiling", width=1000)
    shown = next(one for one in chart.rows if one.series.name == "compile")
    ends = {
        color: [float(x) for x in re.findall(r"[MH]([\d.]+)", path.get("d"))[-3:]]
        for path in root.iter("path")
        for color in PARTS.values()
        if path.get("fill") == color
    }
    export = ends[PARTS["export"]]
    per_s = (export[1] + 0.8 - export[0]) / shown.parts["export"]
    for part, seconds in shown.parts.items():
        x, end, _ = ends[PARTS[part]]
        assert end - x == pytest.approx(per_s * seconds, abs=1)
    assert "export 3.00 s" in texts(root)
    assert {text.duration(shown.total_s), "+ 3.00 s later"} <= set(texts(row(root, "compile")))


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        (Scale(0, 87, 0, 300, logarithmic=False), list(range(0, 90, 10))),
        (Scale(0, 0.87, 0, 200, logarithmic=False), [0, 0.2, 0.4, 0.6, 0.8]),
        (Scale(0.012, 80, 0, 400), [0.1, 1, 10]),
        (Scale(0.5, 30, 0, 500), [0.5, 1, 2, 5, 10, 20]),
        (Scale(0.94, 1.06, 0, 400), [0.94, 0.96, 0.98, 1.0, 1.02, 1.04, 1.06]),
        (Scale(1e-6, 1e6, 0, 500), [1e-6, 1e-4, 1e-2, 1, 1e2, 1e4, 1e6]),
    ],
)
def test_ticks_are_round_numbers_with_room_for_their_labels(scale, expected):
    assert [value for value, _ in ticks(scale, lambda value: f"{value:g}")] == pytest.approx(expected)


def test_ticks_are_written_without_needless_digits():
    assert [tick_s(value) for value in (0, 2e-9, 5e-6, 0.02, 1, 1000)] == [
        "0",
        "2 ns",
        "5 µs",
        "20 ms",
        "1 s",
        "1,000 s",
    ]
    assert [tick_calls(value) for value in (1, 500, 20_000, 10_000_000)] == ["1", "500", "20k", "10M"]


def test_what_lies_outside_a_scale_is_drawn_at_its_edge():
    scale = Scale(1, 100, 50, 250)
    assert [scale(value) for value in (0, 1, 10, 100, math.inf)] == [50, 50, 150, 250, 250]


def test_a_name_is_broken_where_its_settings_are_before_it_is_shortened():
    assert fitted("compile", 200) == ["compile"]
    assert fitted(LONG, 40 * MONOSPACE) == ["compile:mode=max-autotune,dynamic=true", "+channels_last+bfloat16"]
    lines = fitted(LONG * 3, 30 * MONOSPACE)
    assert len(lines) == 3
    assert max(map(len, lines)) <= 30
    assert "…" in lines[-1]


def test_a_shortened_text_keeps_both_ends():
    assert shortened("abcdefghij", 5) == "ab…ij"
    assert shortened("abcde", 5) == "abcde"


def test_points_on_a_straight_line_are_left_out_and_corners_stay():
    assert simplified([(0, 0), (1, 0.1), (5, 0), (10, 0), (10, 9)]) == [(0, 0), (10, 0), (10, 9)]


def test_coordinates_have_one_decimal_at_most():
    assert [number(value) for value in (1.0, 1.26, -0.01, 100.04)] == ["1", "1.3", "0", "100"]


@pytest.mark.parametrize("shape", ["circle", "square", "diamond", "triangle", "triangle-down", "star", "plus", "cross"])
def test_every_shape_can_be_filled_and_hollow(shape):
    filled, hollow = (mark(Series("a", "#123456", shape), 9, 9, hollow=hollow) for hollow in (False, True))
    assert 'fill="#123456"' in filled
    assert 'fill="none" stroke="#123456"' in hollow
