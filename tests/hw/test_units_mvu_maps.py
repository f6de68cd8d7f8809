"""Matrix-vector units on maps: biases by place, and groups, in Verilated SystemVerilog."""

from __future__ import annotations

import pytest
from random_products import Drawn, random_drawn, random_products, rows_and_columns
from stream_functions import StreamFunction, check_simulation, stream

from qdialect import qflow
from qdialect.types import BipolarType, TernaryType, signed, unsigned

BIPOLAR, TERNARY = BipolarType(), TernaryType()
FRAMES = 4


def add_mvu(
    function: StreamFunction,
    drawn: Drawn,
    extents: tuple[int, ...],
    size: tuple[int, int, int, int],
    groups: int = 1,
) -> None:
    """A unit with an argument and a result of its own.

    Args:
        function: gets it.
        drawn: what it is like.
        extents: of the map, none for a vector.
        size: MH, MW, PE, SIMD.
        groups: G.
    """
    rows, columns, pe, simd = size
    inner = (*extents, groups) if groups > 1 else extents
    source = function.argument(drawn.inputs, (1, *inner, columns), simd)
    products = random_products(
        function, drawn, (groups * rows, columns), rows_and_columns(extents)
    )
    op = qflow.MvuOp(
        source,
        products.weights,
        stream(products.output, (1, *inner, rows), pe),
        groups=groups,
        **products.arguments,
    )
    function.result(function.add(op))


PLACED = (
    # One threshold: the start takes it in, with its bias.
    (Drawn(BIPOLAR, BIPOLAR, 1, BIPOLAR, kinds=(3, 3)), (5, 6), (8, 18, 2, 6)),
    (
        Drawn(BIPOLAR, BIPOLAR, 1, BIPOLAR, falling=0.5, kinds=(3, 2)),
        (3, 4),
        (7, 20, 3, 7),
    ),
    (
        Drawn(BIPOLAR, TERNARY, 1, BIPOLAR, falling=0.5, kinds=(2, 3)),
        (2, 3),
        (4, 9, 4, 9),
    ),
    # Several: biases of one parity, and of both.
    (Drawn(BIPOLAR, BIPOLAR, 3, kinds=(3, 3), even=True), (4, 5), (6, 18, 2, 18)),
    (Drawn(BIPOLAR, BIPOLAR, 3, falling=0.5, kinds=(3, 3)), (4, 5), (5, 18, 2, 7)),
    (Drawn(BIPOLAR, signed(3), 7, signed(3), -4, 0.5, (2, 2)), (3, 3), (5, 12, 5, 5)),
    (Drawn(unsigned(2), BIPOLAR, 3, kinds=(1, 3)), (2, 9), (6, 10, 2, 10)),
    # A column of more places than one look-up table tells apart, a wide map.
    (Drawn(BIPOLAR, BIPOLAR, 1, BIPOLAR, kinds=(1, 3)), (1, 150), (2, 6, 1, 3)),
    (Drawn(BIPOLAR, BIPOLAR, 1, BIPOLAR, kinds=(5, 1)), (70, 2), (2, 6, 2, 6)),
    # Starts and thresholds in memories that are read a cycle ahead.
    (Drawn(BIPOLAR, BIPOLAR, 1, BIPOLAR, kinds=(3, 3)), (4, 4), (11, 6, 1, 6)),
    (Drawn(BIPOLAR, BIPOLAR, 7, kinds=(3, 3)), (4, 4), (17, 6, 1, 3)),
    (Drawn(signed(4), signed(3), 15, kinds=(3, 3)), (3, 3), (33, 6, 2, 2)),
    # Sums that leave as they are.
    (Drawn(BIPOLAR, BIPOLAR, kinds=(3, 3)), (4, 5), (6, 9, 4, 4)),
    (Drawn(unsigned(3), signed(4), kinds=(1, 1)), (2, 2), (6, 9, 4, 9)),
    # One place only, on a map of each rank.
    (Drawn(BIPOLAR, BIPOLAR, 3, kinds=(1, 1)), (3, 2), (6, 9, 2, 3)),
    (Drawn(BIPOLAR, BIPOLAR, 3, kinds=(1, 3)), (7,), (6, 9, 2, 3)),
    (Drawn(BIPOLAR, BIPOLAR, 2, TERNARY, -1, 0.5, (1, 1)), (), (6, 9, 6, 9)),
)

GROUPED = (
    (Drawn(BIPOLAR, BIPOLAR, 1, BIPOLAR, falling=0.5), (3, 3), (4, 18, 2, 6), 2),
    (
        Drawn(BIPOLAR, BIPOLAR, 1, BIPOLAR, falling=0.5, kinds=(3, 3)),
        (4, 4),
        (5, 9, 2, 4),
        3,
    ),
    (Drawn(BIPOLAR, BIPOLAR, 3, kinds=(2, 3)), (2, 3), (3, 9, 3, 9), 5),
    (Drawn(signed(4), signed(4), 7, falling=0.5), (2, 2), (2, 5, 1, 5), 20),
    (Drawn(unsigned(2), TERNARY), (2, 3), (3, 7, 2, 3), 4),
    (Drawn(unsigned(2), TERNARY, 3, kinds=(1, 2)), (4,), (3, 7, 1, 1), 2),
)


def test_places() -> None:
    function = StreamFunction()
    for drawn, extents, size in PLACED:
        add_mvu(function, drawn, extents, size)
    check_simulation(function.module(), FRAMES)


def test_groups() -> None:
    function = StreamFunction()
    for drawn, extents, size, groups in GROUPED:
        add_mvu(function, drawn, extents, size, groups)
    check_simulation(function.module(), FRAMES)


def add_random_mvu(function: StreamFunction) -> None:
    """A unit of any kind."""
    rng = function.rng

    def number(most: int) -> int:
        return int(rng.integers(1, most + 1))

    rank = int(rng.choice([0, 1, 2, 2, 2]))
    extents = tuple(number(6) for _ in range(rank))
    groups = 1 if rank == 0 else int(rng.choice([1, 1, 2, 3]))
    rows, columns = number(12), number(24)
    size = (rows, columns, number(rows), number(columns))
    drawn = random_drawn(rng, rows_and_columns(extents))
    add_mvu(function, drawn, extents, size, groups)


def check_random(seed: int, count: int) -> None:
    function = StreamFunction(seed)
    for _ in range(count):
        add_random_mvu(function)
    check_simulation(function.module(), FRAMES)


def test_random() -> None:
    check_random(0, 12)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 7))
def test_more_random(seed: int) -> None:
    check_random(seed, 25)
