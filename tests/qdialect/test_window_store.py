"""The line buffer: what windows need of it, its size and its rate."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest
from integer_cores import core_of
from stream_functions import StreamFunction, frame_ends, stream

from qdialect import qflow
from qdialect.beats import beat_times
from qdialect.pipelines import Store
from qdialect.raster import Raster
from qdialect.types import unsigned
from qdialect.window_store import (
    WindowReads,
    repeated_rows,
    sliding_pixels,
    store_interval,
    store_pixels,
    window_reads,
)
from qdialect.windows import Axis, Window


def random_window(rng: np.random.Generator) -> tuple[tuple[int, ...], Window]:
    """Extents of a map and a window that fits it."""
    extents = tuple(int(n) for n in rng.integers(1, 10, int(rng.integers(1, 3))))
    window: list[Axis] = []
    while len(window) < len(extents):
        kernel, stride, dilation = (int(n) for n in rng.integers(1, 5, 3))
        before, after = (int(n) for n in rng.integers(0, 5, 2))
        axis = Axis(kernel, stride, before, after, dilation)
        if axis.windows(extents[len(window)]) > 0:
            window.append(axis)
    return extents, tuple(window)


def tapped(window: Window, extents: tuple[int, ...]) -> Iterator[list[int]]:
    """The pixels under each window, one by one."""
    counts = [range(axis.windows(n)) for axis, n in zip(window, extents, strict=True)]
    taps = list(product(*(range(axis.kernel) for axis in window)))
    for place in product(*counts):
        pixels: list[int] = []
        for tap in taps:
            at = [
                n * axis.stride - axis.before + t * axis.dilation
                for n, t, axis in zip(place, tap, window, strict=True)
            ]
            if all(0 <= i < extent for i, extent in zip(at, extents, strict=True)):
                pixels.append(int(np.ravel_multi_index(at, extents)))
        yield pixels


def check_reads(reads: WindowReads, pixels: list[list[int]]) -> None:
    """What a window reads is there, and stays until no window reads it any more."""
    assert len(reads.needs) == len(reads.frees) == len(pixels)
    assert reads.frees[-1] == reads.pixels
    assert list(reads.needs) == sorted(reads.needs)
    assert list(reads.frees) == sorted(reads.frees)
    for number, under in enumerate(pixels):
        gone = reads.frees[number - 1] if number else 0
        assert all(gone <= pixel < reads.needs[number] for pixel in under)


@pytest.mark.parametrize("seed", range(100))
def test_random_windows(seed: int) -> None:
    extents, window = random_window(np.random.default_rng(seed))
    check_reads(window_reads(window, extents), list(tapped(window, extents)))


@pytest.mark.parametrize("extents", [(5,), (3, 4), (4, 1), (1, 1)])
@pytest.mark.parametrize("times", [1, 2, 3])
def test_repeated_rows(extents: tuple[int, ...], times: int) -> None:
    rows = np.arange(np.prod(extents)).reshape(-1, extents[-1])
    order = np.repeat(rows, times, axis=0).reshape(-1, 1)
    check_reads(repeated_rows(extents, times), order.tolist())


SAME = Axis(3, 1, 1, 1)
VALID = Axis(3)
USUAL: tuple[tuple[Window, tuple[int, ...], int], ...] = (
    ((SAME, SAME), (32, 32), 68),
    ((VALID, VALID), (32, 32), 134),
    ((Axis(3, 2, 1, 1), Axis(3, 2, 1, 1)), (32, 32), 101),
    ((Axis(5, 1, 2, 2), Axis(5, 1, 2, 2)), (28, 28), 118),
    ((Axis(3, 1, 2, 2, 2), Axis(3, 1, 2, 2, 2)), (32, 32), 134),
    ((Axis(2, 2), Axis(2, 2)), (16, 16), 36),
    ((Axis(3, 1, 1, 1),), (100,), 4),
    ((Axis(3, 1, 2, 0),), (100,), 4),
    ((Axis(1, 2), Axis(1, 2)), (32, 32), 2),
)


@pytest.mark.parametrize(("window", "extents", "pixels"), USUAL)
def test_usual_windows_keep_the_rate(
    window: Window, extents: tuple[int, ...], pixels: int
) -> None:
    reads = window_reads(window, extents)
    taps = int(np.prod([axis.kernel for axis in window]))
    for in_beats in (1, 4):
        out_beats = taps * in_beats
        assert store_pixels(reads, in_beats, out_beats) == pixels
        found = store_interval(reads, pixels, in_beats, out_beats)
        assert found == max(reads.pixels * in_beats, len(reads.needs) * out_beats)
        if pixels > 2:
            slower = store_interval(reads, pixels - 1, in_beats, out_beats)
            assert slower > found


@pytest.mark.parametrize("seed", range(30))
def test_a_guess_does_not_change_the_size(seed: int) -> None:
    rng = np.random.default_rng(seed)
    extents, window = random_window(rng)
    extents = (extents[0] + int(rng.integers(20, 60)), *extents[1:])
    reads = window_reads(window, extents)
    beats = int(rng.integers(1, 30))
    pixels = store_pixels(reads, 1, beats)
    assert sliding_pixels(window, extents, 1, beats) == pixels
    for guess in (pixels - 1, pixels + 1, 1, 10**6):
        assert store_pixels(reads, 1, beats, guess) == pixels


@pytest.mark.parametrize("seed", range(40))
def test_a_schedule_beat_by_beat_has_the_same_interval(seed: int) -> None:
    rng = np.random.default_rng(seed)
    extents, window = random_window(rng)
    beats = int(rng.integers(1, 4))
    function = StreamFunction()
    source = function.argument(unsigned(2), (1, *extents, beats), 1)
    counts = [axis.windows(n) for axis, n in zip(window, extents, strict=True)]
    length = int(np.prod([axis.kernel for axis in window])) * beats
    out = stream(unsigned(2), (1, *counts, length), 1)
    op = qflow.SwuOp(source, out, window)
    function.result(function.add(op))
    frames = 8
    schedule = beat_times(core_of(function.module()), frames)
    ends = frame_ends(schedule.outputs[0], frames)
    reads = window_reads(window, extents)
    capacity = store_pixels(reads, beats, length)
    store = Store(reads, capacity, beats, length)
    assert -(-(ends[-1] - ends[-3]) // 2) == store.cycles


@pytest.mark.parametrize("seed", range(100))
def test_raster(seed: int) -> None:
    extents, window = random_window(np.random.default_rng(seed))
    raster = Raster(window, extents)
    pixels = list(tapped(window, extents))
    complete = all(
        under[-1] <= end
        for under, end in zip(pixels, raster.ends, strict=True)
        if under
    )
    assert complete
    in_order = list(raster.ends) == sorted(set(raster.ends)) and raster.ends[0] >= 0
    assert raster.fits == (in_order and any(pixels))
    assert raster.slots == max(raster.pixels, raster.ends[-1] + 1)
