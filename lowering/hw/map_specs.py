"""The specifications of hardware units that pad, cut, join and pool maps."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.utils.exceptions import PassFailedException

from lowering.hw.units.add import Add
from lowering.hw.units.block_pool import BlockPool
from lowering.hw.units.concat import Concat
from lowering.hw.units.magnitude import Magnitude
from lowering.hw.units.mul import Mul
from lowering.hw.units.pad import Pad
from lowering.hw.units.reduction import Reduction
from lowering.hw.units.slice import Slice
from lowering.hw.units.sliding_pool import SlidingPool
from qdialect import qflow
from qdialect.constants import constant_array
from qdialect.location import where
from qdialect.map_timing import (
    concat_chunks,
    in_blocks,
    map_extents,
    pad_spans,
    pool_fits,
    pool_window,
    product_stages,
    slice_spans,
)
from qdialect.raster import Raster
from qdialect.streams import stream_type

Ints = npt.NDArray[np.int64]
MapUnit = Add | BlockPool | Concat | Magnitude | Mul | Pad | Slice | SlidingPool


def map_unit_spec(op: Operation) -> MapUnit:
    """The hardware unit that computes `op`.

    Raises:
        PassFailedException: there is none, or one of its constants is computed.
    """
    match op:
        case qflow.PadOp():
            return Pad(
                input_type=_element(op.input),
                output_type=_element(op.out),
                lanes=stream_type(op.out).lanes,
                value=op.value.value.data,
                spans=tuple(pad_spans(op)),
            )
        case qflow.SliceOp():
            return Slice(stream_type(op.input).beat_bits, tuple(slice_spans(op)))
        case qflow.ConcatOp():
            return Concat(
                input_types=tuple(_element(value) for value in op.inputs),
                output_type=_element(op.out),
                lanes=stream_type(op.out).lanes,
                chunks=tuple(concat_chunks(op)),
            )
        case qflow.AddOp():
            return Add(
                input_types=tuple(_element(value) for value in op.inputs),
                output_type=_element(op.out),
                factors=constant_operand(op, op.factors, "factors"),
                bias=constant_operand(op, op.bias, "biases"),
                lanes=stream_type(op.out).lanes,
            )
        case qflow.AbsOp():
            return Magnitude(
                input_type=_element(op.input),
                output_type=_element(op.out),
                lanes=stream_type(op.out).lanes,
            )
        case qflow.MulOp():
            return Mul(
                input_types=(_element(op.lhs), _element(op.rhs)),
                output_type=_element(op.out),
                lanes=stream_type(op.out).lanes,
                stages=product_stages(stream_type(op.lhs), stream_type(op.rhs)),
            )
        case qflow.PoolOp():
            return _pool(op)
        case _:
            raise PassFailedException(
                f"convert-qflow-to-hw: {where(op)}: no hardware unit computes it"
            )


def _pool(op: qflow.PoolOp) -> BlockPool | SlidingPool:
    source = stream_type(op.input)
    if not pool_fits(op.window, source):
        raise PassFailedException(
            f"convert-qflow-to-hw: {where(op)}: too much padding for a pool unit; put a "
            "qflow.pad in front instead"
        )
    window, extents = pool_window(op.window, source), map_extents(source)
    is_sum = op.kind.data is qflow.PoolKind.SUM
    reduction = Reduction(_element(op.input), _element(op.out), is_sum)
    if in_blocks(window):
        return BlockPool(reduction, window, extents, source.beats, source.lanes)
    raster = Raster(window, extents)
    return SlidingPool(reduction, raster, source.beats, source.lanes)


def _element(value: SSAValue) -> Attribute:
    return stream_type(value).tensor.element_type


def constant_operand(op: Operation, value: SSAValue, name: str) -> Ints:
    """The value of an operand, which must be a constant.

    Raises:
        PassFailedException: it is computed.
    """
    array = constant_array(value)
    if array is None:
        raise PassFailedException(
            f"convert-qflow-to-hw: {where(op)}: its {name} must be constants"
        )
    return array.astype(np.int64)
