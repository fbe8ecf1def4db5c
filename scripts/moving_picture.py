"""Moving and still pictures of a page, made small with Pillow: palettes, and of a moving one only what changes."""

from __future__ import annotations

import io
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from PIL import Image, ImageChops

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

COLOURS = 256
LEAST_SHARE = 0.00002
"""Of a frame: where less than this share of its pixels changed, less than a digit of a clock, it can be left out."""
TICK_MS = 10
"""A GIF counts in hundredths of a second."""


class Shot(NamedTuple):
    """What a page looked like, as PNG, and when."""

    at_s: float
    png: bytes

    @property
    def image(self) -> Image.Image:
        """The picture, decoded."""
        return Image.open(io.BytesIO(self.png)).convert("RGB")


def save_still(png: bytes, path: Path) -> None:
    """Write a picture with a palette of the colours that it has, or that come closest."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    image.quantize(COLOURS, palette=_palette([image]), dither=Image.Dither.NONE).save(path, optimize=True)


def save_moving(shots: Sequence[Shot], path: Path, *, per_second: float, hold_s: float) -> None:
    """Write a GIF that repeats.

    Parameters
    ----------
    shots
        In the order and at the times in which they are shown.
    per_second
        How many frames a second it has at most.
    hold_s
        How long the last frame is shown.
    """
    frames = list(_thinned(shots, 1 / per_second))
    palette = _palette([frames[place][1] for place in _spread(len(frames), 6)])
    drawn = [image.quantize(COLOURS, palette=palette, dither=Image.Dither.NONE) for _, image in frames]
    lasts = [_ticks(after - at) for (at, _), (after, _) in pairwise(frames)]
    drawn[0].save(
        path, save_all=True, append_images=drawn[1:], duration=[*lasts, _ticks(hold_s)], loop=0, optimize=False
    )


def _ticks(seconds: float) -> int:
    """Return milliseconds as a GIF can tell them; most programs show what is shorter than two ticks more slowly."""
    return max(2, round(seconds * 1000 / TICK_MS)) * TICK_MS


def _thinned(shots: Sequence[Shot], least_s: float) -> Iterator[tuple[float, Image.Image]]:
    """Yield times and frames, without those that show next to nothing new; the last always."""
    before: Image.Image | None = None
    due_s = shots[0].at_s
    for shot in shots:
        if shot.at_s < due_s and shot is not shots[-1]:
            continue
        image = shot.image
        if before is not None and shot is not shots[-1] and _changed(before, image) < LEAST_SHARE:
            continue
        yield shot.at_s, image
        before, due_s = image, shot.at_s + least_s


def _changed(one: Image.Image, other: Image.Image) -> float:
    """Return the share of pixels that differ."""
    counts = ImageChops.difference(one, other).convert("L").point(lambda value: 255 * (value > 0)).histogram()
    return counts[255] / (one.width * one.height)


def _spread(count: int, wanted: int) -> list[int]:
    """Return up to `wanted` places in a sequence, the first and the last among them."""
    return sorted({round(place * (count - 1) / (wanted - 1)) for place in range(wanted)})


def _palette(images: Sequence[Image.Image]) -> Image.Image:
    """Return a palette for these images: their own colours where these are few enough, else the best that cover them.

    A page is mostly flat: its most frequent colours are taken as they are, so that no surface or text changes its
    colour, and the rest is left for what lies between them at the edges of letters and lines.
    """
    counts: dict[tuple[int, int, int], int] = {}
    for image in images:
        for count, colour in image.getcolors(image.width * image.height):
            counts[colour] = counts.get(colour, 0) + count
    frequent = sorted(counts, key=counts.__getitem__, reverse=True)
    exact, rest = frequent[: COLOURS // 2], frequent[COLOURS // 2 :]
    if len(rest) > COLOURS // 2:
        strip = Image.new("RGB", (len(rest), 1))
        strip.putdata(rest)
        found = strip.quantize(COLOURS // 2, method=Image.Quantize.MAXCOVERAGE)
        flat = found.getpalette()[: 3 * COLOURS // 2]
    else:
        flat = [part for colour in rest for part in colour]
    palette = Image.new("P", (1, 1))
    palette.putpalette([part for colour in exact for part in colour] + flat)
    return palette
