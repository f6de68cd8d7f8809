"""Sliding-window units in Verilated SystemVerilog."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
from integer_cores import ELEMENTS
from stream_functions import StreamFunction, check_simulation, stream
from xdsl.ir import Attribute

from qdialect import qflow
from qdialect.raster import Raster
from qdialect.types import BipolarType, signed, unsigned
from qdialect.windows import Axis, Window

FRAMES = 5


def windows_vector(window: Window, extents: tuple[int, ...]) -> list[int]:
    """Windows along each axis."""
    return [axis.windows(n) for axis, n in zip(window, extents, strict=True)]


def add_parallel(
    function: StreamFunction,
    element: Attribute,
    extents: tuple[int, ...],
    channels: int,
    window: Window,
) -> None:
    """A parallel unit with an argument and a result of its own."""
    source = function.argument(element, (1, *extents, channels), channels)
    length = channels * prod(axis.kernel for axis in window)
    counts = windows_vector(window, extents)
    out = stream(element, (1, *counts, length), length)
    op = qflow.SwuOp(source, out, window)
    assert op.is_parallel
    function.result(function.add(op))


def add_lean(
    function: StreamFunction,
    element: Attribute,
    extents: tuple[int, ...],
    lanes: int,
    window: Window,
    beats: int = 1,
    groups: int = 1,
) -> None:
    """A unit of a tap a cycle, of `beats` beats a group, with its own streams."""
    channels = lanes * beats * groups
    source = function.argument(element, (1, *extents, channels), lanes)
    length = channels // groups * prod(axis.kernel for axis in window)
    inner = (length,) if groups == 1 else (groups, length)
    shape = (1, *windows_vector(window, extents), *inner)
    op = qflow.SwuOp(source, stream(element, shape, lanes), window, groups=groups)
    assert not op.is_parallel
    function.result(function.add(op))


def random_axis(rng: np.random.Generator, extent: int) -> Axis:
    """An axis whose window fits."""
    while True:
        kernel, dilation = int(rng.integers(1, 5)), int(rng.choice([1, 1, 2, 3]))
        reach = (kernel - 1) * dilation + 1
        before, after = (int(n) for n in rng.integers(0, reach, 2))
        axis = Axis(kernel, int(rng.integers(1, 4)), before, after, dilation)
        if axis.windows(extent) > 0:
            return axis


def random_map(rng: np.random.Generator) -> tuple[tuple[int, ...], Window]:
    """Extents of a map and a window on it."""
    rank = 1 if rng.random() < 0.2 else 2
    extents = tuple(int(n) for n in rng.integers(1, 9 if rank == 2 else 20, rank))
    return extents, tuple(random_axis(rng, n) for n in extents)


PARALLEL: tuple[tuple[Attribute, tuple[int, ...], int, Window], ...] = (
    (BipolarType(), (8, 8), 3, (Axis(3, 1, 1, 1), Axis(3, 1, 1, 1))),
    (BipolarType(), (6, 9), 2, (Axis(3), Axis(3))),
    (signed(3), (9, 8), 1, (Axis(3, 2, 1, 1), Axis(3, 2, 1, 1))),
    (unsigned(2), (7, 7), 2, (Axis(2, 3), Axis(2, 3))),
    # Larger than the map it stands on.
    (signed(2), (2, 2), 2, (Axis(3, 1, 1, 1), Axis(3, 1, 1, 1))),
    (signed(2), (1, 1), 4, (Axis(3, 1, 1, 1), Axis(3, 1, 1, 1))),
    # Causal, dilated.
    (unsigned(4), (16,), 2, (Axis(3, 1, 8, 0, 4),)),
    (unsigned(4), (5,), 1, (Axis(3, 1, 2, 2),)),
    # A row of windows longer than that of the map.
    (unsigned(3), (6, 4), 1, (Axis(2, 2), Axis(2, 1, 1, 1))),
    (unsigned(3), (9, 5), 2, (Axis(3, 1, 1, 1, 2), Axis(2, 1, 0, 1, 3))),
    (BipolarType(), (3, 70), 5, (Axis(3, 1, 1, 1), Axis(5, 1, 2, 2))),
)


def test_parallel() -> None:
    function = StreamFunction()
    for element, extents, channels, window in PARALLEL:
        add_parallel(function, element, extents, channels, window)
    check_simulation(function.module(), FRAMES)


def check_random_parallel(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    function = StreamFunction()
    while count:
        extents, window = random_map(rng)
        kernel = prod(axis.kernel for axis in window)
        if kernel == 1 or not Raster(window, extents).fits:
            continue
        element = ELEMENTS[int(rng.integers(len(ELEMENTS)))]
        add_parallel(function, element, extents, int(rng.integers(1, 5)), window)
        count -= 1
    check_simulation(function.module(), FRAMES)


def test_random_parallel() -> None:
    check_random_parallel(1, 12)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 12))
def test_more_random_parallel(seed: int) -> None:
    check_random_parallel(seed, 20)


LEAN: tuple[tuple[Attribute, tuple[int, ...], int, Window, int, int], ...] = (
    (BipolarType(), (8, 8), 3, (Axis(3, 1, 1, 1), Axis(3, 1, 1, 1)), 2, 1),
    (BipolarType(), (6, 9), 2, (Axis(3), Axis(3)), 1, 2),
    (unsigned(3), (9, 8), 1, (Axis(3, 2, 1, 1), Axis(3, 2, 1, 1)), 3, 2),
    (signed(3), (8, 8), 2, (Axis(2, 2), Axis(2, 2)), 2, 1),
    # Every second pixel of every second row.
    (signed(4), (9, 8), 2, (Axis(1, 2), Axis(1, 2)), 3, 1),
    (signed(4), (7, 7), 1, (Axis(1, 3), Axis(1, 3)), 1, 2),
    # Larger than the map it stands on.
    (signed(2), (2, 2), 2, (Axis(3, 1, 1, 1), Axis(3, 1, 1, 1)), 2, 1),
    (signed(2), (1, 1), 4, (Axis(3, 1, 1, 1), Axis(3, 1, 1, 1)), 1, 4),
    # Causal, dilated.
    (unsigned(4), (16,), 2, (Axis(3, 1, 8, 0, 4),), 2, 2),
    (unsigned(8), (40,), 2, (Axis(16, 4, 6, 6),), 1, 1),
    (unsigned(3), (9, 5), 2, (Axis(3, 1, 1, 1, 2), Axis(2, 1, 0, 1, 3)), 3, 1),
    # The whole map.
    (signed(4), (5, 4), 2, (Axis(5), Axis(4)), 2, 1),
    # Block RAM.
    (signed(8), (4, 90), 6, (Axis(3, 1, 1, 1), Axis(3, 1, 1, 1)), 1, 1),
)


def test_lean() -> None:
    function = StreamFunction()
    for element, extents, lanes, window, beats, groups in LEAN:
        add_lean(function, element, extents, lanes, window, beats, groups)
    check_simulation(function.module(), FRAMES)


def check_random_lean(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    function = StreamFunction()
    for _ in range(count):
        extents, window = random_map(rng)
        element = ELEMENTS[int(rng.integers(len(ELEMENTS)))]
        lanes, beats, groups = (int(n) for n in rng.choice([1, 1, 2, 3], 3))
        if lanes > 1 and beats * groups == 1:
            # A window of one channel in one beat would be parallel.
            beats = 2
        add_lean(function, element, extents, lanes, window, beats, groups)
    check_simulation(function.module(), FRAMES)


def test_random_lean() -> None:
    check_random_lean(1, 12)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 12))
def test_more_random_lean(seed: int) -> None:
    check_random_lean(seed, 20)
