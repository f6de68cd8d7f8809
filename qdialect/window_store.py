"""The line buffer of a sliding window: what windows need and free, and its size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, product
from math import gcd, prod

from qdialect.windows import Window


@dataclass(frozen=True, eq=False)
class WindowReads:
    """What the windows of a map read, in the order in which they leave.

    Counted in pixels of a frame. Other units that store pixels read windows of one pixel.

    Attributes:
        pixels: of the map.
        needs: per window, the pixels that must have been written before it is read.
        frees: per window, the pixels that no window behind it reads, nor it again.
    """

    pixels: int
    needs: Sequence[int]
    frees: Sequence[int]


@lru_cache(maxsize=256)
def window_reads(window: Window, extents: tuple[int, ...]) -> WindowReads:
    """The reads of a window that slides over a map of these extents.

    Padding before the map shortens what the first windows read, that behind it what the
    last ones do.
    """
    firsts: list[list[int]] = []
    lasts: list[list[int]] = []
    for axis, extent in zip(window, extents, strict=True):
        starts = [n * axis.stride - axis.before for n in range(axis.windows(extent))]
        # A tap on padding stands for the nearest one that is not, if there is any.
        firsts.append([min(extent - 1, _inside(s, axis.dilation)) for s in starts])
        lasts.append([max(0, min(extent - 1, s + axis.reach - 1)) for s in starts])
    width = extents[-1] if len(extents) > 1 else 0
    needs = [_place(place, width) + 1 for place in product(*lasts)]
    first = [_place(place, width) for place in product(*firsts)]
    pixels = prod(extents)
    later = list(accumulate(reversed([*first[1:], pixels]), min))
    return WindowReads(pixels, list(accumulate(needs, max)), later[::-1])


@lru_cache(maxsize=256)
def repeated_rows(extents: tuple[int, ...], times: int) -> WindowReads:
    """The reads of windows of one pixel that go along each row of a map several times.

    A 1-D map is one row.
    """
    *_, width = extents
    pixels = prod(extents)
    order = [
        row + column
        for row in range(0, pixels, width)
        for _ in range(times)
        for column in range(width)
    ]
    needs = list(accumulate((pixel + 1 for pixel in order), max))
    later = list(accumulate(reversed([*order[1:], pixels]), min))
    return WindowReads(pixels, needs, later[::-1])


@lru_cache(maxsize=256)
def each_once(pixels: int) -> WindowReads:
    """The reads of windows of one pixel that are read once each, in order."""
    ends = range(1, pixels + 1)
    return WindowReads(pixels, ends, ends)


def _inside(start: int, dilation: int) -> int:
    """The first tap from `start` on that is not before the map."""
    return start if start >= 0 else start % dilation


def _place(place: tuple[int, ...], width: int) -> int:
    return place[0] if len(place) == 1 else place[0] * width + place[1]


def sliding_pixels(
    window: Window, extents: tuple[int, ...], in_beats: int, out_beats: int
) -> int:
    """`store_pixels` of a window that slides over a map of these extents."""
    axis = window[0]
    surplus = axis.windows(extents[0]) - (
        2 * axis.reach // axis.stride + _MIDDLE_WINDOWS
    )
    guess = None
    if surplus > 0:
        # What is enough between the borders of a lower map most often is for this one.
        lower = (extents[0] - surplus * axis.stride, *extents[1:])
        guess = store_pixels(window_reads(window, lower), in_beats, out_beats)
    return store_pixels(window_reads(window, extents), in_beats, out_beats, guess)


_MIDDLE_WINDOWS = 8


def store_pixels(
    reads: WindowReads, in_beats: int, out_beats: int, guess: int | None = None
) -> int:
    """The least pixels of a line buffer with which neither side waits for the other.

    Args:
        reads: of the windows.
        in_beats: cycles that writing a pixel takes.
        out_beats: cycles that reading a window takes.
        guess: what it may be; a good one saves most of the search.

    Returns:
        The least with which frames follow each other in as many cycles as the greater of
        writing and reading a frame takes, or as an unlimited buffer allows.
    """
    common = gcd(in_beats, out_beats)
    return _store_pixels(reads, in_beats // common, out_beats // common, guess)


@lru_cache(maxsize=1024)
def _store_pixels(
    reads: WindowReads, in_beats: int, out_beats: int, guess: int | None
) -> int:
    def interval(pixels: int) -> int:
        return store_interval(reads, pixels, in_beats, out_beats)

    least = max(
        need - freed
        for need, freed in zip(reads.needs, [0, *reads.frees[:-1]], strict=True)
    )
    most = 2 * reads.pixels
    aim = max(reads.pixels * in_beats, len(reads.needs) * out_beats)
    if guess is not None and least <= guess < most and interval(guess) == aim:
        most = guess
        if guess == least or interval(guess - 1) > aim:
            return guess
    else:
        aim = interval(most)
    while least < most:
        middle = (least + most) // 2
        if interval(middle) <= aim:
            most = middle
        else:
            least = middle + 1
    return most


_SETTLING_FRAMES = 3
_MEASURED_FRAMES = 2


def store_interval(
    reads: WindowReads, capacity: int, in_beats: int, out_beats: int
) -> int:
    """Cycles a frame of a line buffer that is always fed and never blocked.

    Args:
        reads: of the windows.
        capacity: pixels that it holds.
        in_beats: cycles that writing a pixel takes.
        out_beats: cycles that reading a window takes.
    """
    common = gcd(in_beats, out_beats)
    scaled = in_beats // common, out_beats // common
    return common * _store_interval(reads, capacity, *scaled)


@lru_cache(maxsize=1024)
def _store_interval(
    reads: WindowReads, capacity: int, in_beats: int, out_beats: int
) -> int:
    ends: list[int] = []
    written = [0] * reads.pixels
    read_end = write_end = 0
    frees: list[tuple[int, int]] = []
    """Pixels freed in all, and the cycle from which on."""
    freeing = next_pixel = 0
    frames = _SETTLING_FRAMES + _MEASURED_FRAMES
    total = frames * reads.pixels
    for frame in range(frames):
        base = frame * reads.pixels
        for need, freed in zip(reads.needs, reads.frees, strict=True):
            # Write what this window needs, and as the buffer allows.
            goal = min(base + need, total)
            while next_pixel < goal:
                start = write_end
                while (
                    freeing < len(frees) and frees[freeing][0] + capacity <= next_pixel
                ):
                    freeing += 1
                if next_pixel >= capacity:
                    start = max(start, frees[freeing][1])
                write_end = start + in_beats
                written[next_pixel % reads.pixels] = write_end
                next_pixel += 1
            ready = written[(base + need - 1) % reads.pixels] if need else 0
            read_end = max(read_end, ready) + out_beats
            frees.append((base + freed, read_end))
        ends.append(read_end)
    spans = ends[-1] - ends[-1 - _MEASURED_FRAMES]
    return -(-spans // _MEASURED_FRAMES)
