"""The plotly figures: the same numbers as in the SVG charts, with room for everything."""

from __future__ import annotations

import json
import math
from xml.etree import ElementTree as ET

import pytest
from IPython.core.interactiveshell import InteractiveShell

from optkit import charts, figures, svg, text
from optkit.comparison import Comparison
from optkit.errors import UsageError
from optkit.events import WarmStarted
from optkit.marks import SHAPES
from stories import bring_up, compiled, ended, finished, rounds, started, turn


def study(count=20, first_ms=None, warm=(), compiles=(), **medians_ms) -> Comparison:
    """Return a comparison that is over."""
    medians = medians_ms or {"eager": 2.0, "compile": 1.0}
    others = [name for name in medians if name != "eager"]
    told = [started(*others), *bring_up("eager", twin=True)]
    for name in medians:
        told += bring_up(
            name, graphs=1, first_ms=(first_ms or {}).get(name, 500), compiles=compiles if name != "eager" else ()
        )
    calls = (20_000_000, 2_000_000, 1_000_000)
    told += [WarmStarted(at_s=82.0, variant=v, build_s=0.2, prepare_s=0.01, durations_ns=calls) for v in warm]
    return Comparison([*told, *rounds(count, **medians), *finished(*medians), ended()])


def many(count: int) -> Comparison:
    return study(**{"eager": 2.0} | {f"compile:options={i}": 1.0 for i in range(count)})


def said(figure) -> str:
    """Return everything that is written in a figure or appears under the pointer."""
    kept = [trace.customdata for trace in figure.data if trace.customdata is not None]
    kept += [[note.text for note in figure.layout.annotations]]
    kept += [trace.text for trace in figure.data if trace.text is not None]
    return "\n".join([*(str(words) for some in kept for words in some), *(trace.name or "" for trace in figure.data)])


@pytest.mark.parametrize("name", charts.CHARTS)
@pytest.mark.parametrize("dark", [False, True])
def test_a_figure_has_its_title_on_a_transparent_ground(name, dark):
    layout = figures.figure(study(), name, dark=dark).layout
    assert layout.title.text == charts.CHARTS[name]
    assert layout.paper_bgcolor == layout.plot_bgcolor == "rgba(0,0,0,0)"
    ink = layout.template.layout.font.color
    assert (ink == "#f2f5fa") is dark


@pytest.mark.parametrize("name", charts.CHARTS)
def test_where_nothing_was_measured_a_figure_says_so(name):
    figure = figures.figure(Comparison([started("compile")]), name)
    assert len(figure.data) == 0
    assert figure.layout.annotations[0].text == charts.read(Comparison(), name).missing


def test_an_unknown_chart_is_refused():
    with pytest.raises(UsageError, match="latency, speedup, break_even, startup"):
        figures.figure(study(), "pie")


@pytest.mark.parametrize("name", charts.CHARTS)
def test_names_are_escaped_because_plotly_reads_markup(name):
    written = said(figures.figure(study(**{"eager": 2.0, "<b>&": 1.0}), name))
    ticks = figures.figure(study(**{"eager": 2.0, "<b>&": 1.0}), name).layout.yaxis.ticktext or ()
    assert "<b>&amp;" not in written
    assert "&lt;b&gt;&amp;" in written + "".join(ticks)


@pytest.mark.parametrize("name", charts.CHARTS)
def test_a_figure_grows_with_its_rows(name):
    few, more = (figures.figure(many(count), name).layout.height for count in (1, 9))
    assert more >= few + 8 * 18


@pytest.mark.parametrize("name", charts.CHARTS)
def test_a_figure_has_the_numbers_of_the_svg_chart(name):
    comparison = study(warm=["compile"], first_ms={"eager": 10, "compile": 4000})
    written = [element.text for element in ET.fromstring(svg.render(comparison, name)).iter("text")]
    for row in charts.read(comparison, name).rows:
        numbers = {
            "latency": lambda row: [text.duration(row.first_call_s), text.duration(row.median_s)],
            "speedup": lambda row: [f"{charts.ratio(row.speedup)}×", row.shown_interval, row.shown_verdict],
            "break_even": lambda row: [row.shown],
            "startup": lambda row: [text.duration(charts.length_s(start)) for start in row.starts.values()],
            "spread": lambda row: [text.duration(row.median_s), row.count],
            "compiling": lambda row: [row.shown_total],
        }[name](row)
        assert all(any(value in words for words in written) for value in numbers)
        assert all(value in said(figures.figure(comparison, name)) for value in numbers)


def test_latencies_stand_at_their_seconds_with_a_line_between_them():
    line, *_, steady, first = figures.figure(study(), "latency").data
    assert steady.x == pytest.approx((0.002, 0.001))
    assert first.x == (0.5, 0.5)
    assert line.x == pytest.approx((0.002, 0.5))
    assert all(symbol.endswith("-open") for symbol in first.marker.symbol)


def test_hovering_over_a_speedup_tells_value_interval_and_verdict():
    trace = figures.figure(study(), "speedup").data[0]
    (hover,) = trace.customdata
    assert hover.startswith("<b>compile</b><br>2.00×<br>95 %: ")
    assert "<br>faster" in hover


def test_the_ends_of_an_error_bar_are_those_of_the_interval():
    comparison = study()
    low, high = comparison.measurements["compile"].interval()
    trace = figures.figure(comparison, "speedup").data[0]
    assert trace.x[0] - trace.error_x.arrayminus[0] == pytest.approx(low)
    assert trace.x[0] + trace.error_x.array[0] == pytest.approx(high)


def test_without_an_interval_there_is_a_hollow_mark_and_no_error_bar():
    trace = figures.figure(study(count=2), "speedup").data[0]
    assert trace.error_x.visible is False
    assert trace.marker.symbol == "circle-open"


def test_the_machines_noise_is_a_band_with_a_key_and_one_is_a_line():
    comparison = study()
    figure = figures.figure(comparison, "speedup")
    band, one = figure.layout.shapes
    assert (band.x0, band.x1) == charts.speedup(comparison).band
    assert (one.x0, one.x1) == (1, 1)
    assert f"±{comparison.noise:.1%}" in figure.data[-1].name


def test_break_even_says_beside_each_line_after_how_many_calls():
    comparison = study(
        first_ms={"eager": 10, "compile": 4000}, **{"eager": 2.0, "compile": 1.0, "compile:dynamic=true": 4.0}
    )
    figure = figures.figure(comparison, "break_even")
    shown = [row.shown for row in charts.break_even(comparison).rows]
    legend = [trace.name for trace in figure.data if trace.showlegend is not False]
    assert [entry.partition(": ")[2] for entry in legend[:2]] == shown[:2]
    assert legend[2] == "compile:dynamic=true: never"
    marks = [trace for trace in figure.data if trace.mode == "markers"]
    assert [trace.x[0] for trace in marks] == [comparison.measurements["compile"].break_even().calls]


def test_the_legend_of_break_even_has_room_below_the_plot():
    figure = figures.figure(many(11), "break_even")
    assert figure.layout.margin.b > 12 * 18
    assert (figure.layout.legend.yref, figure.layout.legend.y) == ("container", 0)
    assert figure.layout.height - figure.layout.margin.b - figure.layout.margin.t > 250


def test_bars_are_stacked_part_by_part_with_a_thinner_one_for_the_warm_start():
    comparison = study(warm=["compile"])
    figure = figures.figure(comparison, "startup")
    bars = [trace for trace in figure.data if trace.type == "bar"]
    assert figure.layout.barmode == "stack"
    assert [trace.name for trace in bars] == charts.startup(comparison).parts
    eager, cold, warm = bars[0].width
    assert eager == cold > warm
    totals = [sum(trace.x[i] for trace in bars) for i in range(3)]
    assert totals == pytest.approx(figure.data[-1].x)
    assert figure.data[-1].text[1].strip() == text.duration(totals[1])


def test_a_spread_has_its_box_its_whiskers_and_its_slowest_calls_where_they_are():
    comparison = study()
    comparison.fold(turn("compile", 21, *[1.0] * 60, 1.015, 900.0))
    chart = charts.read(comparison, "spread")
    figure, row = figures.figure(comparison, "spread"), chart.rows[1]
    whiskers, box, points = figure.data[3:6]
    assert whiskers.x == (row.low_s, row.high_s)
    assert box.x == row.box_s
    assert points.x == (*chart.dots_s(row), row.low_s, row.high_s, row.median_s)
    assert chart.said_off_scale(row)[0] == "1 off scale: 900 ms"
    assert "1 off scale: 900 ms" in said(figure)
    assert figure.layout.xaxis.type == "linear"


def test_the_axis_of_a_spread_is_logarithmic_where_variants_lie_far_apart():
    figure = figures.figure(study(eager=1.0, compile=90.0), "spread")
    assert figure.layout.xaxis.type == "log"
    assert figure.layout.xaxis.range[1] > math.log10(0.09)


def test_parts_of_a_first_call_are_stacked_up_to_its_total_and_later_compiles_are_thinner():
    comparison = study(first_ms={"compile": 9000}, compiles=[compiled("compile", 8.0, 7.0, 5.0, 3.0, at_s=10.0)])
    comparison.fold(compiled("compile", 2.0, 1.0, at_s=99.0))
    figure = figures.figure(comparison, "compiling")
    *parts, later = [trace for trace in figure.data if trace.type == "bar"]
    row = charts.read(comparison, "compiling").rows[1]
    assert [trace.name for trace in parts] == list(row.parts)
    assert sum(trace.x[1] for trace in parts) == pytest.approx(9.25)
    assert (later.x[1], later.width) == (2.0, 0.16)
    assert later.width < parts[0].width
    assert figure.data[-1].text[1].split("<br>") == [" 9.25 s", " + 2.00 s later"]


@pytest.mark.parametrize("name", ["latency", "speedup", "break_even"])
def test_all_numbers_lie_within_the_logarithmic_axis(name):
    comparison = study(**{"eager": 2.0, "compile": 1e-3, "compile:dynamic=true": 900.0})
    figure = figures.figure(comparison, name)
    low, high = figure.layout.xaxis.range
    shown = [math.log10(x) for trace in figure.data for x in trace.x if x is not None]
    assert low <= min(shown)
    assert max(shown) <= high
    assert all(low <= math.log10(tick) <= high for tick in figure.layout.xaxis.tickvals)


def test_every_shape_has_its_symbol():
    assert set(figures.SYMBOLS) == set(SHAPES)


def test_plotly_is_imported_with_the_first_figure(run_python):
    program = "import sys, optkit.figures, optkit.svg; print('plotly' in sys.modules, 'torch' in sys.modules)"
    assert run_python(program).split() == ["False", "False"]


@pytest.mark.parametrize("name", charts.CHARTS)
def test_a_cell_that_ends_with_a_figure_shows_plotly_or_the_picture_and_never_a_script(name):
    format_it = InteractiveShell.instance().display_formatter.format
    shown, _ = format_it(figures.figure(study(), name))
    assert set(shown) == {"application/vnd.plotly.v1+json", "image/svg+xml", "text/plain"}
    assert shown["image/svg+xml"].startswith("<svg")
    assert charts.CHARTS[name] in shown["text/plain"]
    json.dumps(shown)
