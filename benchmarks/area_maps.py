"""Units of maps, synthesised by Yosys: LUTs and block RAMs, and what we estimate.

Sliding windows, depthwise products and pools, each of some published network's shape.
The estimates are those by which `fold` chooses.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
from area import synthesised
from xdsl.dialects.builtin import ModuleOp, TensorType
from xdsl.ir import Attribute, Block, Operation, SSAValue

from lowering.hw.unit_specs import unit_spec
from qdialect import qflow
from qdialect.constants import constant
from qdialect.costs import unit_cost
from qdialect.qflow import PoolKind
from qdialect.streams import StreamType, stream_of, stream_type
from qdialect.types import (
    BipolarType,
    integer_type_for,
    signed,
    unsigned,
    value_range,
)
from qdialect.windows import Axis, Window

BIPOLAR = BipolarType()
MAX, SUM = PoolKind.MAX, PoolKind.SUM
VALID: Window = (Axis(3), Axis(3))
SAME: Window = (Axis(3, 1, 1, 1), Axis(3, 1, 1, 1))
HALVED: Window = (Axis(2, 2), Axis(2, 2))


def map_of(
    element: Attribute, extents: Sequence[int], channels: int, lanes: int
) -> StreamType:
    """The stream of a map."""
    return stream_of(TensorType(element, (1, *extents, channels)), lanes)


def windows_of(window: Window, extents: Sequence[int]) -> tuple[int, ...]:
    """Windows along each axis."""
    return tuple(axis.windows(n) for axis, n in zip(window, extents, strict=True))


def swu(source: StreamType, window: Window, *, parallel: bool = False) -> Operation:
    """Windows a tap a cycle, or whole ones."""
    _, *extents, channels = source.tensor.get_shape()
    length = channels * prod(axis.kernel for axis in window)
    shape = (1, *windows_of(window, extents), length)
    lanes = length if parallel else source.lanes
    out = stream_of(TensorType(source.tensor.element_type, shape), lanes)
    return qflow.SwuOp(argument(source), out, window)


def pool(source: StreamType, window: Window, kind: PoolKind) -> Operation:
    """The greatest element of each window, or their sum."""
    _, *extents, channels = source.tensor.get_shape()
    element = source.tensor.element_type
    if kind is PoolKind.SUM:
        taps = prod(axis.kernel for axis in window)
        low, high = value_range(element)
        element = integer_type_for(low * taps, high * taps)
    out = map_of(element, windows_of(window, extents), channels, source.lanes)
    return qflow.PoolOp(kind, argument(source), out, window)


def vvu(source: StreamType, window: Window, weights: Attribute) -> Operation:
    """A depthwise convolution with random weights; its sums are the result."""
    _, *extents, channels = source.tensor.get_shape()
    low, high = value_range(weights)
    rng = np.random.default_rng(0)
    taps = prod(axis.kernel for axis in window)
    drawn = rng.integers(low, high + 1, (channels, taps))
    if isinstance(weights, BipolarType):
        drawn = np.where(drawn > 0, 1, -1)
    bottom, top = value_range(source.tensor.element_type)
    most = int(np.abs(drawn).sum(axis=1).max()) * max(-bottom, top)
    sums = integer_type_for(-most, most)
    out = map_of(sums, windows_of(window, extents), channels, source.lanes)
    held = constant(drawn, weights)
    return qflow.VvuOp(argument(source), held, out, window, accumulator=sums)


def argument(type_: StreamType) -> SSAValue:
    """A stream from outside."""
    return Block(arg_types=[type_]).args[0]


CASES = (
    ("swu 30x30x64 bipolar", swu(map_of(BIPOLAR, (30, 30), 64, 64), VALID)),
    ("swu 32x32x3 ui8", swu(map_of(unsigned(8), (32, 32), 3, 3), VALID)),
    ("swu 56x56x64 ui2 padded", swu(map_of(unsigned(2), (56, 56), 64, 8), SAME)),
    (
        "swu whole 32x32x3 ui8 padded",
        swu(map_of(unsigned(8), (32, 32), 3, 3), SAME, parallel=True),
    ),
    (
        "swu whole 30x30x64 bipolar",
        swu(map_of(BIPOLAR, (30, 30), 64, 64), VALID, parallel=True),
    ),
    (
        "vvu 28x28x64 ui4 si4 padded",
        vvu(map_of(unsigned(4), (28, 28), 64, 8), SAME, signed(4)),
    ),
    (
        "vvu 28x28x64 bipolar",
        vvu(map_of(BIPOLAR, (28, 28), 64, 16), VALID, BIPOLAR),
    ),
    ("max 28x28x64 bipolar", pool(map_of(BIPOLAR, (28, 28), 64, 64), HALVED, MAX)),
    ("max 28x28x64 ui4", pool(map_of(unsigned(4), (28, 28), 64, 8), HALVED, MAX)),
    ("max 28x28x64 ui4 padded", pool(map_of(unsigned(4), (28, 28), 64, 8), SAME, MAX)),
    (
        "sum 7x7x64 ui4",
        pool(map_of(unsigned(4), (7, 7), 64, 8), (Axis(7), Axis(7)), SUM),
    ),
)


def main() -> None:
    """Print a row a unit."""
    print(
        f"{'unit':30s} {'lanes':>5s} {'LUT':>6s} {'LUTRAM':>7s} {'FF':>6s} "
        f"{'RAMB18':>7s} {'DSP':>4s} {'estimate':>9s} {'RAMB18':>7s}"
    )
    for name, op in CASES:
        op.verify()
        built = unit_spec(op).build("unit")
        area = synthesised(ModuleOp([*built.modules, *built.images]), "unit")
        cost = unit_cost(op)
        lanes = stream_type(op.operands[0]).lanes
        print(
            f"{name:30s} {lanes:5d} {area.logic_luts:6d} {area.memory_luts:7d} "
            f"{area.registers:6d} {area.rams:7d} {area.dsps:4d} {cost.luts:9.0f} "
            f"{cost.block_rams:7d}",
            flush=True,
        )


if __name__ == "__main__":
    main()
