"""Upsampling and depth to space, in Verilated SystemVerilog."""

from __future__ import annotations

import numpy as np
import pytest
from integer_cores import ELEMENTS
from stream_functions import StreamFunction, check_simulation, stream
from xdsl.ir import Attribute

from qdialect import qflow
from qdialect.rearranging import BlockOrder
from qdialect.types import BipolarType, signed, unsigned

FRAMES = 5


def add_upsample(
    function: StreamFunction,
    element: Attribute,
    extents: tuple[int, ...],
    channels: int,
    lanes: int,
    factors: tuple[int, ...],
) -> None:
    """A unit with an argument and a result of its own."""
    source = function.argument(element, (1, *extents, channels), lanes)
    enlarged = [n * factor for n, factor in zip(extents, factors, strict=True)]
    out = stream(element, (1, *enlarged, channels), lanes)
    function.result(function.add(qflow.UpsampleOp(source, out, factors=factors)))


def add_depth_to_space(
    function: StreamFunction,
    element: Attribute,
    extents: tuple[int, int],
    depth: int,
    lanes: int,
    block: int,
    order: BlockOrder,
) -> None:
    """A unit with an argument and a result of its own."""
    shape = (1, *extents, block * block * depth)
    source = function.argument(element, shape, lanes)
    out = stream(element, (1, *(n * block for n in extents), depth), lanes)
    op = qflow.DepthToSpaceOp(source, out, block=block, order=order)
    function.result(function.add(op))


def test_upsample() -> None:
    function = StreamFunction()
    add_upsample(function, BipolarType(), (4, 4), 3, 3, (2, 2))
    add_upsample(function, signed(3), (3, 5), 5, 2, (3, 1))
    add_upsample(function, signed(3), (3, 5), 4, 2, (1, 3))
    add_upsample(function, unsigned(8), (7,), 3, 1, (2,))
    add_upsample(function, unsigned(8), (1, 1), 2, 2, (4, 4))
    add_upsample(function, unsigned(8), (5, 1), 2, 1, (2, 2))
    check_simulation(function.module(), FRAMES)


def test_depth_to_space() -> None:
    function = StreamFunction()
    dcr, crd = BlockOrder.DCR, BlockOrder.CRD
    add_depth_to_space(function, BipolarType(), (4, 4), 2, 2, 2, dcr)
    add_depth_to_space(function, signed(3), (3, 5), 4, 2, 2, dcr)
    add_depth_to_space(function, signed(3), (3, 5), 1, 1, 3, dcr)
    add_depth_to_space(function, signed(5), (4, 3), 3, 1, 2, crd)
    add_depth_to_space(function, signed(5), (2, 2), 1, 1, 3, crd)
    add_depth_to_space(function, signed(5), (1, 1), 2, 1, 1, crd)
    check_simulation(function.module(), FRAMES)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_random(seed: int) -> None:
    rng = np.random.default_rng(seed)
    function = StreamFunction()
    for _ in range(10):
        element = ELEMENTS[int(rng.integers(len(ELEMENTS)))]
        rank = int(rng.integers(1, 3))
        extents = tuple(int(n) for n in rng.integers(1, 7, rank))
        channels = int(rng.integers(1, 6))
        lanes = int(rng.integers(1, channels + 1))
        factors = tuple(int(n) for n in rng.integers(1, 4, rank))
        add_upsample(function, element, extents, channels, lanes, factors)
        height, width, block, depth = (int(n) for n in rng.integers(1, 5, 4))
        order = BlockOrder.CRD if rng.random() < 0.5 else BlockOrder.DCR
        divisors = [n for n in range(1, depth + 1) if depth % n == 0]
        lanes = 1 if order is BlockOrder.CRD else int(rng.choice(divisors))
        add_depth_to_space(
            function, element, (height, width), depth, lanes, block, order
        )
    check_simulation(function.module(), FRAMES)
