"""The live plot: every call's latency appears while a study measures.

The kernel keeps all points; a browser view draws what it is sent. There are two messages to a view, both with the
shape ``{"op", "chunks": [{"series", "kind", "stride"}, ...]}`` and one binary buffer for each chunk: the call numbers,
then as many seconds, all float64. ``snapshot`` replaces everything a view holds; it also carries ``series``, and in
``thinned`` the limit beyond which only some points are sent, or 0 if these are all. ``append`` adds to what a view
holds. A view says ``{"op": "ready"}`` when it starts and is answered with a snapshot, so a reloaded page or a second
view shows everything. Messages reach every view of the widget; a snapshot therefore includes what waits for the next
flush, and nothing is lost or shown twice.

A view tells in ``data-points`` how many points it was sent, and in ``data-drawn`` how many of these its picture is of.
"""

from __future__ import annotations

import math
import threading
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, get_args

import anywidget
import numpy as np
import traitlets

from optkit.events import FirstCall, Samples, StudyEnded, StudyStarted, VariantEvent
from optkit.marks import Marks
from optkit.widgets.static_files import module, stylesheet

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from optkit.events import Event
    from optkit.marks import Series

    Points: TypeAlias = NDArray[np.float64]  # shape (2, n): call numbers, seconds

Kind: TypeAlias = Literal["first", "settle", "steady"]

MAX_POINTS = 100_000
"""The most points that a view is given.

Beyond it, views get a snapshot of about half as many: all first calls, and of every few neighbouring calls of a series
the fastest and the slowest, so that no extreme is lost. The kernel keeps every point.
"""


class _Group(NamedTuple):
    """Points that are drawn alike."""

    name: str
    kind: Kind
    stride: int


DRAWN_AS: dict[str, Kind | None] = {
    "early": "first",
    "settle": "settle",
    "preliminary": "settle",
    "round": "steady",
    "confirm": None,
}
"""How samples are drawn: preliminary rounds are not part of the result, and drawn like the warm-up.

Those of the confirming workers are not drawn: their calls are numbered from 1 again and are not part of the medians.
"""


class LatencyPlot(anywidget.AnyWidget):
    """Latency against call number, one mark for each call. Its methods may be called from any thread.

    Parameters
    ----------
    caption
        Text under the plot, announced by screen readers when it changes: change it at most once a second.
    marks
        Which mark each variant has, where other parts show the same variants; its own otherwise.

    Attributes
    ----------
    over
        Whether no more points will come, so that an empty plot does not say that it waits.

    Examples
    --------
    A study's events:

    >>> plot = LatencyPlot()
    >>> for event in study:
    ...     plot.apply(event)
    ...     plot.flush()

    Any other times:

    >>> plot.reset([Series("eager", "#767676", "square")])
    >>> plot.append("eager", "first", 1, [0.31, 0.09, 0.08])
    >>> plot.flush()
    """

    _esm = module(
        "uPlot.iife.min.js", "plot_points.js", "plot_axes.js", "plot_marks.js", "plot_panel.js", "latency_plot.js"
    )
    _css = stylesheet("uPlot.min.css", "latency_plot.css")

    caption = traitlets.Unicode("").tag(sync=True)
    over = traitlets.Bool(default_value=False).tag(sync=True)

    def __init__(self, *, caption: str = "", marks: Marks | None = None) -> None:
        self._marks = marks or Marks()
        self._lock = threading.Lock()
        self._series: dict[str, Series] = {}
        self._kept: dict[_Group, list[Points]] = {}
        self._pending: dict[_Group, list[Points]] = {}
        self._in_view = 0
        super().__init__(caption=caption)
        self.on_msg(self._receive)

    def apply(self, event: Event) -> None:
        """Take in an event of a study; shown at the next `flush`. The baseline's twin is left out."""
        if isinstance(event, StudyStarted):
            self.reset(self._marks.assign("study", event.variants, event.baseline))
        elif isinstance(event, StudyEnded):
            self.over = True
        elif isinstance(event, VariantEvent) and event.twin:
            return
        elif isinstance(event, FirstCall):
            self.append(event.variant, "first", 1, [event.duration_ns / 1e9])
        elif isinstance(event, Samples):
            kind = DRAWN_AS[event.kind]
            if kind is not None:
                times, stride = event.seconds_per_call, event.calls_per_sample
                self.append(event.variant, kind, event.first_call, times, stride=stride)

    def reset(self, series: Iterable[Series]) -> None:
        """Forget all points and show these series, in this order; a name given twice is a `ValueError`."""
        series = list(series)
        by_name = {one.name: one for one in series}
        if len(by_name) != len(series):
            raise ValueError("two series have the same name; give each its own")
        self.over = False
        with self._lock:
            self._series = by_name
            self._kept, self._pending = {}, {}
            self._send_snapshot()

    def append(
        self, name: str, kind: Kind, first_call_number: int, seconds: Sequence[float] | Points, *, stride: int = 1
    ) -> None:
        """Add calls of one series; they are shown at the next `flush`.

        Parameters
        ----------
        name
            A series given to `reset`.
        kind
            ``"first"`` for calls 1 to 3, ``"settle"`` for calls that warm up and are left out of the result,
            ``"steady"`` for those it is made of.
        first_call_number
            The number of the first of these calls, counted from 1.
        seconds
            The latency of each call. Values that a logarithmic axis cannot show (zero, NaN, infinite) are left out.
        stride
            Calls per point, for short calls that are timed in blocks: each value is then the mean of one block, and
            point ``i`` starts at call ``first_call_number + i * stride``.
        """
        if kind not in get_args(Kind):
            raise ValueError(f"unknown kind {kind!r}; choose one of {', '.join(get_args(Kind))}")
        if stride < 1:
            raise ValueError(f"stride is {stride}; a point stands for at least 1 call")
        points = _points(first_call_number, seconds, stride)
        with self._lock:
            if name not in self._series:
                raise ValueError(f"unknown series {name!r}; name it in reset() first")
            if points.size:
                self._pending.setdefault(_Group(name, kind, stride), []).append(points)

    def flush(self) -> None:
        """Send what was appended since the last flush, as one message; with nothing to send, do nothing."""
        with self._lock:
            new = self._settle_pending()
            count = _count(new)
            if self._in_view + count > MAX_POINTS:
                self._send_snapshot()
            elif count:
                self._in_view += count
                self._post("append", new)

    def _receive(self, _widget: object, content: Mapping[str, Any], _buffers: object) -> None:
        if content.get("op") == "ready":
            with self._lock:
                self._send_snapshot()

    def _settle_pending(self) -> dict[_Group, Points]:
        """Move the pending points to those kept, and return them."""
        new = {group: np.concatenate(parts, axis=1) for group, parts in self._pending.items()}
        self._pending = {}
        for group, points in new.items():
            self._kept.setdefault(group, []).append(points)
        return new

    def _send_snapshot(self) -> None:
        self._settle_pending()
        for group, parts in self._kept.items():
            self._kept[group] = [np.concatenate(parts, axis=1)]
        every = {group: parts[0] for group, parts in self._kept.items()}
        shown = every if _count(every) <= MAX_POINTS else _thinned(every, MAX_POINTS // 2)
        self._in_view = _count(shown)
        series = [asdict(one) for one in self._series.values()]
        self._post("snapshot", shown, series=series, thinned=0 if shown is every else MAX_POINTS)

    def _post(self, op: str, groups: Mapping[_Group, Points], **more: object) -> None:
        index = {name: i for i, name in enumerate(self._series)}
        chunks = [{"series": index[name], "kind": kind, "stride": stride} for name, kind, stride in groups]
        self.send({"op": op, "chunks": chunks, **more}, [points.tobytes() for points in groups.values()])


def _points(first_call_number: int, seconds: Sequence[float] | Points, stride: int) -> Points:
    values = np.asarray(seconds, dtype=np.float64).ravel()
    calls = first_call_number + stride * np.arange(values.size, dtype=np.float64)
    return np.stack([calls, values])[:, np.isfinite(values) & (values > 0)]


def _count(groups: Mapping[_Group, Points]) -> int:
    return sum(points.shape[1] for points in groups.values())


def _thinned(groups: Mapping[_Group, Points], limit: int) -> dict[_Group, Points]:
    """Thin all but the first calls to about `limit` points, each group in proportion to its size."""
    width = 2 * math.ceil(_count(groups) / limit)
    return {group: points if group.kind == "first" else _extremes(points, width) for group, points in groups.items()}


def _extremes(points: Points, width: int) -> Points:
    """Keep the fastest and the slowest of every `width` neighbouring calls."""
    size = points.shape[1]
    runs = np.pad(points[1], (0, -size % width), mode="edge").reshape(-1, width)
    starts = np.arange(0, size, width)
    keep = np.concatenate([starts + runs.argmin(axis=1), starts + runs.argmax(axis=1)])
    return points[:, np.unique(keep.clip(max=size - 1))]
