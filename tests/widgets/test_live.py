"""The live plot: what it keeps, what it sends, that no point is lost or sent twice, and how a browser draws them."""

from __future__ import annotations

import base64
import threading
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest
from playwright.sync_api import expect, sync_playwright

from browser.jupyter import CHROMIUM_ARGUMENTS
from optkit.events import Samples
from optkit.marks import Series
from optkit.widgets import live
from optkit.widgets.live import LatencyPlot
from stories import ended, started

EAGER, COMPILE = Series("eager", "#767676", "cross"), Series("compile", "#0072B2")


class Browser:
    """A view's memory: applies messages as latency_plot.js does."""

    def __init__(self, plot: LatencyPlot, monkeypatch: pytest.MonkeyPatch):
        self.messages: list[dict[str, Any]] = []
        self.series: list[str] = []
        self.points: dict[tuple[str, str, int], list[tuple[float, float]]] = {}
        monkeypatch.setattr(plot, "send", self.receive)

    def receive(self, message, buffers):
        self.messages.append(message)
        if message["op"] == "snapshot":
            self.series = [one["name"] for one in message["series"]]
            self.points = {}
        for chunk, buffer in zip(message["chunks"], buffers, strict=True):
            calls, seconds = np.frombuffer(buffer).reshape(2, -1)
            key = (self.series[chunk["series"]], chunk["kind"], chunk["stride"])
            self.points.setdefault(key, []).extend(zip(calls.tolist(), seconds.tolist(), strict=True))

    @property
    def ops(self):
        return [message["op"] for message in self.messages]


@pytest.fixture
def plot():
    return LatencyPlot()


@pytest.fixture
def browser(plot, monkeypatch):
    browser = Browser(plot, monkeypatch)
    plot.reset([EAGER, COMPILE])
    return browser


def say_ready(plot):
    plot._handle_custom_msg({"op": "ready"}, [])


def test_an_unknown_keyword_argument_is_refused():
    with pytest.raises(TypeError, match="captoin"):
        LatencyPlot(captoin="a slip")


def test_the_caption_is_synced_to_the_browser():
    plot = LatencyPlot(caption="Round 1 of 20")
    assert plot.get_state()["caption"] == "Round 1 of 20"


def test_an_unknown_shape_is_refused_with_the_shapes_there_are():
    with pytest.raises(ValueError, match="circle, triangle"):
        Series("eager", "red", "blob")


def test_two_series_of_one_name_are_refused(plot):
    with pytest.raises(ValueError, match="same name"):
        plot.reset([EAGER, EAGER])


def test_reset_shows_the_series_in_their_order_and_forgets_the_points(plot, browser):
    plot.append("eager", "first", 1, [0.3])
    plot.reset([COMPILE, EAGER])
    plot.flush()
    assert (browser.series, browser.points) == (["compile", "eager"], {})


def test_it_is_over_at_the_end_of_a_study_until_the_next(plot):
    plot.apply(ended("baseline_failed"))
    assert plot.over
    plot.apply(started("compile"))
    assert not plot.over


def test_append_sends_nothing_before_the_flush(plot, browser):
    plot.append("eager", "first", 1, [0.3])
    assert browser.ops == ["snapshot"]


def test_flush_sends_all_that_was_appended_in_one_message(plot, browser):
    plot.append("eager", "steady", 4, [0.08, 0.09])
    plot.append("eager", "steady", 6, np.array([0.1]))
    plot.append("compile", "settle", 4, [0.06])
    plot.flush()
    assert browser.ops == ["snapshot", "append"]
    assert browser.points == {
        ("eager", "steady", 1): [(4, 0.08), (5, 0.09), (6, 0.1)],
        ("compile", "settle", 1): [(4, 0.06)],
    }


def test_flush_with_nothing_new_sends_nothing(plot, browser):
    plot.append("eager", "steady", 4, [])
    plot.flush()
    assert browser.ops == ["snapshot"]


def test_blocks_of_calls_are_numbered_by_their_first_call(plot, browser):
    plot.append("eager", "steady", 4, [1e-5, 2e-5], stride=100)
    plot.flush()
    assert browser.points == {("eager", "steady", 100): [(4, 1e-5), (104, 2e-5)]}


def test_values_without_a_place_on_a_logarithmic_axis_are_left_out_and_the_others_keep_their_numbers(plot, browser):
    plot.append("eager", "steady", 4, [0.0, 0.08, float("nan"), float("inf"), -1.0, 0.09])
    plot.flush()
    assert browser.points == {("eager", "steady", 1): [(5, 0.08), (9, 0.09)]}


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("nobody", {}, "unknown series 'nobody'"),
        ("eager", {"kind": "warm"}, "unknown kind 'warm'"),
        ("eager", {"stride": 0}, "stride is 0"),
    ],
)
def test_points_that_cannot_be_shown_are_refused(plot, browser, name, options, message):
    with pytest.raises(ValueError, match=message):
        plot.append(name, **({"kind": "steady", "first_call_number": 4, "seconds": [0.1]} | options))


def test_every_kind_of_samples_is_known_and_those_of_confirming_workers_are_not_drawn(plot, browser):
    assert set(live.DRAWN_AS) == set(get_args(get_type_hints(Samples)["kind"]))
    plot.apply(started())
    common = {"at_s": 1.0, "variant": "eager", "first_call": 3, "calls_per_sample": 1, "durations_ns": (10**9,)}
    plot.apply(Samples(kind="confirm", round_number=1, **common))
    plot.apply(Samples(kind="round", round_number=1, **common))
    plot.flush()
    assert {kind for _, kind, _ in browser.points} == {"steady"}


def test_a_view_that_starts_late_is_sent_everything(plot, browser):
    plot.append("eager", "first", 1, [0.3, 0.1])
    plot.flush()
    browser.points = {}
    say_ready(plot)
    assert browser.points == {("eager", "first", 1): [(1, 0.3), (2, 0.1)]}


def test_a_view_that_starts_between_append_and_flush_loses_nothing_and_sees_nothing_twice(plot, browser):
    plot.append("eager", "steady", 4, [0.08])
    say_ready(plot)
    plot.flush()
    plot.append("eager", "steady", 5, [0.09])
    plot.flush()
    assert browser.points == {("eager", "steady", 1): [(4, 0.08), (5, 0.09)]}


def test_other_messages_from_the_browser_are_ignored(plot, browser):
    plot._handle_custom_msg({"op": "dance"}, [])
    assert browser.ops == ["snapshot"]


def test_views_that_start_while_a_thread_appends_end_up_with_every_point_once(plot, browser):
    def measure():
        for call in range(4, 204):
            plot.append("eager", "steady", call, [0.1])
            plot.flush()

    thread = threading.Thread(target=measure)
    thread.start()
    while thread.is_alive():
        say_ready(plot)
    thread.join()
    assert [call for call, _ in browser.points["eager", "steady", 1]] == list(range(4, 204))


def test_above_the_limit_a_view_gets_fewer_points_with_the_extremes_and_all_first_calls(plot, browser, monkeypatch):
    monkeypatch.setattr(live, "MAX_POINTS", 100)
    seconds = np.random.default_rng(0).uniform(0.05, 0.06, 1000)
    seconds[[400, 700]] = 0.5, 0.01
    plot.append("eager", "first", 1, [3.0, 0.1, 0.1])
    for start in range(0, 1000, 10):
        plot.append("eager", "steady", 4 + start, seconds[start : start + 10])
        plot.flush()
        assert sum(map(len, browser.points.values())) <= 100
    steady = browser.points["eager", "steady", 1]
    assert {(404, 0.5), (704, 0.01)} <= set(steady)
    assert [call for call, _ in steady] == sorted({call for call, _ in steady})
    assert len(browser.points["eager", "first", 1]) == 3
    assert {message["thinned"] for message in browser.messages if message["op"] == "snapshot"} == {0, 100}


def test_the_kernel_keeps_every_point_when_views_are_thinned(plot, browser, monkeypatch):
    monkeypatch.setattr(live, "MAX_POINTS", 100)
    plot.append("eager", "steady", 4, np.full(1000, 0.1))
    plot.flush()
    monkeypatch.setattr(live, "MAX_POINTS", 10_000)
    say_ready(plot)
    assert len(browser.points["eager", "steady", 1]) == 1000


class Drawn:
    """The plot in a real browser, on a page with nothing else; it counts how often a canvas is cleared."""

    START = """async (source) => {
        window.cleared = 0;
        const { clearRect } = CanvasRenderingContext2D.prototype;
        CanvasRenderingContext2D.prototype.clearRect = function (...a) { cleared += 1; clearRect.apply(this, a); };
        const { default: widget } = await import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
        const on = (name, handler) => { if (name === "msg:custom") window.handle = handler; };
        widget.render({ model: { get: () => "", on, off() {}, send() {} }, el: document.body });
    }"""
    GIVE = """([message, buffers]) => handle(message, buffers.map((text) =>
        new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer)))"""
    UP_TO_DATE = """n => { const { points, drawn } = document.querySelector(".optkit-latency-plot").dataset;
        return points === String(n) && drawn === points; }"""
    CHANGED = """() => {
        const canvas = document.querySelectorAll("canvas")[1];
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        const most = data.reduce((most, v, i) => Math.max(most, Math.abs(v - (window.before?.[i] ?? 0))), 0);
        window.before = data;
        return most;
    }"""

    def __init__(self, page, plot: LatencyPlot, monkeypatch: pytest.MonkeyPatch):
        self.page = page
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.set_content(f"<style>{LatencyPlot._css}</style><body>")
        page.evaluate(self.START, LatencyPlot._esm)
        monkeypatch.setattr(plot, "send", self.send)

    def send(self, message, buffers):
        self.page.evaluate(self.GIVE, [message, [base64.b64encode(one).decode() for one in buffers]])

    def wait_for(self, points: int) -> None:
        self.page.wait_for_function(self.UP_TO_DATE, arg=points)

    def draw_anew(self) -> None:
        before = self.cleared
        self.page.evaluate("() => document.body.classList.toggle('another-theme')")
        self.page.wait_for_function("n => cleared > n", arg=before)

    def changed(self) -> int:
        """Return by how much, of 255, any pixel of the steady calls differs from when this was last asked."""
        return self.page.evaluate(self.CHANGED)

    @property
    def cleared(self) -> int:
        return self.page.evaluate("() => cleared")


@pytest.fixture
def drawn(chromium, plot, monkeypatch):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        drawn = Drawn(browser.new_page(), plot, monkeypatch)
        plot.reset([EAGER, COMPILE])
        yield drawn
        browser.close()
    assert drawn.errors == []


def fill(plot: LatencyPlot) -> None:
    """Add 200 calls of two series; more up to call 250 change no axis."""
    for name, seconds in (("eager", 0.08), ("compile", 0.06)):
        plot.append(name, "first", 1, [1.0, seconds, seconds])
        plot.append(name, "steady", 4, seconds * np.linspace(0.97, 1.03, 250)[np.arange(200) * 7 % 250])
    plot.flush()


@pytest.mark.browser
def test_what_is_appended_is_drawn_onto_what_is_there_and_looks_as_if_all_were_drawn_anew(plot, drawn):
    fill(plot)
    drawn.wait_for(406)
    drawn.page.wait_for_timeout(1100)  # what is told once a second is told
    assert drawn.changed() == 255
    before = drawn.cleared
    for call, seconds in ((212, 0.0801), (222, 0.0805), (232, 0.0795), (242, 0.9)):  # side by side
        plot.append("eager", "steady", call, [seconds])
    plot.flush()
    drawn.wait_for(410)
    drawn.page.wait_for_timeout(1100)
    assert drawn.cleared == before
    assert "1 call off scale, slowest 900 ms" in drawn.page.locator(".optkit-note").inner_text()
    drawn.changed()
    drawn.draw_anew()
    assert drawn.changed() < 32  # a browser smooths a long path a little differently


@pytest.mark.browser
def test_a_further_axis_a_hidden_series_and_a_snapshot_are_drawn_at_once_and_wholly(plot, drawn):
    fill(plot)
    drawn.wait_for(406)
    before = drawn.cleared
    plot.append("eager", "steady", 204, np.full(200, 0.08))
    plot.flush()
    drawn.wait_for(606)
    assert drawn.cleared > before
    before = drawn.cleared
    drawn.page.get_by_role("button", name="compile").click()
    assert drawn.cleared > before
    expect(drawn.page.get_by_role("img", name="Steady calls: eager median 80 ms", exact=True)).to_be_visible()
    plot.reset([COMPILE])
    drawn.wait_for(0)
    expect(drawn.page.get_by_text("Waiting for the first call.")).to_be_visible()


@pytest.mark.browser
def test_when_points_are_left_out_the_plot_says_from_how_many_on(plot, drawn, monkeypatch):
    monkeypatch.setattr(live, "MAX_POINTS", 12_000)
    plot.append("eager", "steady", 4, np.full(12_001, 0.08))
    plot.flush()
    said = "more than 12\N{NARROW NO-BREAK SPACE}000 calls: of neighbouring ones the fastest and the slowest"
    expect(drawn.page.get_by_text(said)).to_be_visible()
