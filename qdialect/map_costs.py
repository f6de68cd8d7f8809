"""LUTs and block RAMs of the units that pad, cut, join and pool maps."""

from __future__ import annotations

from math import prod

import numpy as np
from xdsl.ir import Operation

from qdialect import qflow
from qdialect.constants import constant_array
from qdialect.map_timing import (
    by_beats,
    concat_chunks,
    in_blocks,
    map_extents,
    pool_window,
    signed_powers,
)
from qdialect.memory_costs import Cost, ram_cost, rom_cost
from qdialect.streams import stream_type
from qdialect.windows import Axis

_CONTROL_LUTS = 10.0
_LUTS_PER_COUNTED_AXIS = 5.0
_LUTS_PER_MAXIMUM_BIT = 2.0
_LUTS_PER_OR_BIT = 0.5
_LUTS_PER_ADDED_BIT = 1.2
_LUTS_PER_PRODUCT_BIT = 1.35
_LUTS_PER_SCALED_BIT = 1.2
_LUTS_PER_SIGN_BIT = 1.0


def map_cost(op: Operation, lanes: int) -> Cost:
    """A unit that pads, cuts, joins or pools, with so many lanes.

    Raises:
        TypeError: `op` is no such unit.
    """
    match op:
        case qflow.PoolOp():
            return _pool_cost(op, lanes)
        case qflow.PadOp() | qflow.SliceOp():
            axes = len(stream_type(op.input).tensor.get_shape()) - 1
            return Cost(_CONTROL_LUTS / 2 + axes * _LUTS_PER_COUNTED_AXIS)
        case qflow.ConcatOp():
            bits = lanes * stream_type(op.out).element_bits
            operands = len(concat_chunks(op))
            return Cost(_CONTROL_LUTS + 0.5 * bits * (operands - 1))
        case qflow.AddOp():
            return _sum_cost(op, lanes)
        case qflow.AbsOp():
            return Cost(lanes * stream_type(op.input).element_bits * _LUTS_PER_SIGN_BIT)
        case qflow.MulOp():
            operands = stream_type(op.lhs), stream_type(op.rhs)
            bits = prod(stream.element_bits for stream in operands)
            return Cost(lanes * bits * _LUTS_PER_PRODUCT_BIT)
        case _:
            raise TypeError(f"{op.name} has no cost by lanes")


def _sum_cost(op: qflow.AddOp, lanes: int) -> Cost:
    factors, bias = constant_array(op.factors), constant_array(op.bias)
    if factors is None or bias is None:
        return Cost()
    rows = np.concatenate([factors.astype(np.int64), bias.astype(np.int64)[None]])
    constants = by_beats(rows, lanes)
    varies = (constants != constants[:, :1]).any(axis=1)
    most = [int(row.max()).bit_length() + 1 for row in np.abs(rows)]
    read_bits = sum(
        int(lane_count) * bits
        for lane_count, bits in zip(varies.sum(axis=1), most, strict=True)
    )
    cost = rom_cost(constants.shape[1], read_bits, counted=True)
    out_bits = stream_type(op.out).element_bits
    luts = lanes * out_bits * (len(factors) - 1 + bool(bias.any())) * 1.0
    for i, value in enumerate(op.inputs):
        bits = stream_type(value).element_bits
        if varies[i].any():
            luts += lanes * bits * most[i] * _LUTS_PER_PRODUCT_BIT
        else:
            adders = max(len(signed_powers(int(f))) for f in factors[i].flat) - 1
            luts += lanes * bits * _LUTS_PER_SCALED_BIT * max(adders, 0)
    return cost + Cost(_CONTROL_LUTS / 2 + luts)


def _pool_cost(op: qflow.PoolOp, lanes: int) -> Cost:
    """The combination of taps, what leaves padding out, memories, counters."""
    source, out = stream_type(op.input), stream_type(op.out)
    beats = -(-source.elements // lanes)
    is_sum = op.kind.data is qflow.PoolKind.SUM
    bits = lanes * out.element_bits
    per_bit = _LUTS_PER_MAXIMUM_BIT
    if is_sum:
        per_bit = _LUTS_PER_ADDED_BIT
    elif out.element_bits == 1:
        per_bit = _LUTS_PER_OR_BIT
    rows, columns = pool_window(op.window, source)
    height, width = map_extents(source)
    control = Cost(_CONTROL_LUTS + 2 * _LUTS_PER_COUNTED_AXIS)
    if in_blocks((rows, columns)):
        blocks = 1 if min(rows.kernel, height) == 1 else columns.windows(width)
        return control + Cost(bits * per_bit) + ram_cost(blocks * beats, bits)
    combined = rows.kernel + columns.kernel - 2
    cut = _taps_cut(rows, height) + _taps_cut(columns, width)
    masks = 0 if is_sum or out.element_bits == 1 else cut
    past = (columns.reach - 1) * lanes * source.element_bits
    # Sums grow from the inputs' width to their own.
    mean_bits = lanes * (source.element_bits + out.element_bits) / 2
    words = columns.windows(width) * beats
    return (
        control
        + Cost(2 * _CONTROL_LUTS + mean_bits * (combined * per_bit + masks))
        + ram_cost(beats, past)
        + ram_cost(words, (rows.reach - 1) * bits)
    )


def _taps_cut(axis: Axis, extent: int) -> int:
    """Taps that stand on the map in some windows, on padding in others."""
    masks = axis.masks(extent)
    return int((masks.any(axis=0) & ~masks.all(axis=0)).sum())
