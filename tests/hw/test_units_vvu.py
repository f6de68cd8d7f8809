"""Vector-vector units, depthwise convolutions, in Verilated SystemVerilog."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
from random_products import Drawn, random_drawn, random_products, rows_and_columns
from stream_functions import StreamFunction, check_simulation, stream

from qdialect import qflow
from qdialect.types import BipolarType, TernaryType, signed, unsigned
from qdialect.windows import Axis, Window

BIPOLAR, TERNARY = BipolarType(), TernaryType()
FRAMES = 4


def add_vvu(
    function: StreamFunction,
    drawn: Drawn,
    extents: tuple[int, ...],
    window: Window,
    channels: int,
    lanes: int,
) -> None:
    """A unit with an argument and a result of its own."""
    source = function.argument(drawn.inputs, (1, *extents, channels), lanes)
    counts = windows_vector(window, extents)
    shape = (channels, prod(axis.kernel for axis in window))
    products = random_products(function, drawn, shape, rows_and_columns(counts))
    op = qflow.VvuOp(
        source,
        products.weights,
        stream(products.output, (1, *counts, channels), lanes),
        window,
        **products.arguments,
    )
    function.result(function.add(op))


def windows_vector(window: Window, extents: tuple[int, ...]) -> tuple[int, ...]:
    """Windows along each axis."""
    return tuple(axis.windows(n) for axis, n in zip(window, extents, strict=True))


SAME = (Axis(3, 1, 1, 1), Axis(3, 1, 1, 1))

UNITS: tuple[tuple[Drawn, tuple[int, ...], Window, int, int], ...] = (
    # Padded bipolar maps: the border's biases are not the interior's.
    (Drawn(BIPOLAR, BIPOLAR, 1, BIPOLAR, kinds=(3, 3)), (5, 6), SAME, 8, 4),
    (Drawn(BIPOLAR, BIPOLAR, 3, falling=0.5, kinds=(3, 3)), (4, 4), SAME, 5, 5),
    (Drawn(BIPOLAR, TERNARY, 3, kinds=(3, 3), even=True), (5, 3), SAME, 7, 3),
    # Lanes that do not divide the channels, in memories that are read a cycle ahead.
    (Drawn(BIPOLAR, BIPOLAR, 1, BIPOLAR, 0, 0.5, (2, 3)), (3, 4), SAME, 70, 3),
    (Drawn(BIPOLAR, BIPOLAR, 7, kinds=(3, 2)), (3, 4), SAME, 21, 1),
    # Numbers; a stride, a dilation.
    (
        Drawn(signed(4), signed(3), 7, signed(3), -4, 0.5),
        (7, 8),
        (Axis(3, 2, 1, 1), Axis(3, 2, 1, 1)),
        6,
        2,
    ),
    (
        Drawn(unsigned(2), BIPOLAR, 3, falling=0.5, kinds=(1, 1)),
        (6, 7),
        (Axis(2, 1, 0, 1, 2), Axis(3, 1, 2, 2, 2)),
        4,
        3,
    ),
    (Drawn(signed(5), signed(9)), (4, 5), (Axis(2), Axis(2)), 3, 3),
    (Drawn(TERNARY, TERNARY, 2, TERNARY, -1), (9,), (Axis(5, 1, 2, 2),), 4, 2),
    (Drawn(BIPOLAR, BIPOLAR, kinds=(1, 3)), (9,), (Axis(3, 1, 1, 1),), 4, 2),
    # One tap.
    (Drawn(unsigned(4), signed(4), 3), (3, 3), (Axis(1), Axis(1)), 6, 4),
    (
        Drawn(BIPOLAR, BIPOLAR, 1, BIPOLAR, kinds=(2, 2)),
        (4, 4),
        (Axis(1, 2), Axis(1, 2)),
        6,
        6,
    ),
)


def test_units() -> None:
    function = StreamFunction()
    for case in UNITS:
        add_vvu(function, *case)
    check_simulation(function.module(), FRAMES)


def random_axis(rng: np.random.Generator, extent: int) -> Axis:
    """An axis whose window fits."""
    while True:
        kernel, dilation = int(rng.integers(1, 5)), int(rng.choice([1, 1, 2]))
        reach = (kernel - 1) * dilation + 1
        before, after = (int(n) for n in rng.integers(0, reach, 2))
        axis = Axis(kernel, int(rng.integers(1, 3)), before, after, dilation)
        if axis.windows(extent) > 0:
            return axis


def check_random(seed: int, count: int) -> None:
    function = StreamFunction(seed)
    rng = function.rng
    for _ in range(count):
        rank = int(rng.choice([1, 2, 2]))
        extents = tuple(int(n) for n in rng.integers(1, 8, rank))
        window = tuple(random_axis(rng, n) for n in extents)
        counts = windows_vector(window, extents)
        channels = int(rng.integers(1, 12))
        lanes = int(rng.integers(1, channels + 1))
        drawn = random_drawn(rng, rows_and_columns(counts))
        add_vvu(function, drawn, extents, window, channels, lanes)
    check_simulation(function.module(), FRAMES)


def test_random() -> None:
    check_random(0, 10)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 7))
def test_more_random(seed: int) -> None:
    check_random(seed, 20)
