"""From units of the stream level to the specifications of hardware units."""

from __future__ import annotations

from math import prod
from typing import Protocol

import numpy as np
import numpy.typing as npt
from xdsl.ir import Attribute, Operation, SSAValue

from lowering.hw.map_specs import constant_operand, map_unit_spec
from lowering.hw.stream import BuiltUnit
from lowering.hw.units.activation import Activation
from lowering.hw.units.depth_to_space import DepthToSpace
from lowering.hw.units.dwc import Dwc
from lowering.hw.units.fifo import Fifo
from lowering.hw.units.fork import Fork
from lowering.hw.units.lookup import Lookup
from lowering.hw.units.mvu import Mvu
from lowering.hw.units.places import Places
from lowering.hw.units.swu import ParallelSwu, Swu
from lowering.hw.units.threshold import Threshold
from lowering.hw.units.topk import TopK
from lowering.hw.units.upsample import Upsample
from lowering.hw.units.vvu import TapProducts, Vvu
from lowering.hw.units.zero_skip_mvu import ZeroSkipMvu
from qdialect import qflow
from qdialect.pipelines import repeating_store, sliding_store
from qdialect.raster import Raster
from qdialect.streams import StreamType, stream_type
from qdialect.windows import numbers

Ints = npt.NDArray[np.int64]


class UnitSpec(Protocol):
    """A hardware unit that can be built."""

    def build(self, name: str) -> BuiltUnit:
        """The unit as module `name`; the names of all its parts start with it."""
        ...


def unit_spec(op: Operation) -> UnitSpec:
    """The hardware unit that computes `op`.

    Raises:
        PassFailedException: there is none, or one of its constants is computed.
    """
    match op:
        case qflow.MvuOp():
            mvu = Mvu(
                weights=constant_operand(op, op.weights, "weights"),
                input_type=_element(op.input),
                pe=op.pe,
                simd=op.simd,
                accumulator_type=op.accumulator,
                activation=_activation(op),
                groups=op.group_count,
                bias=_bias(op),
                places=Places(*op.places),
            )
            return ZeroSkipMvu(mvu, op.skip_lanes) if op.skips_zeros else mvu
        case qflow.VvuOp():
            stream = stream_type(op.input)
            products = TapProducts(
                weights=constant_operand(op, op.weights, "weights"),
                input_type=_element(op.input),
                lanes=stream.lanes,
                accumulator_type=op.accumulator,
                activation=_activation(op),
                bias=_bias(op),
                places=Places(*op.places),
            )
            return Vvu(_sliding_windows(op, stream.beats), products)
        case qflow.ThresholdOp():
            activation = _activation(op)
            assert activation is not None
            return Threshold(
                input_type=_element(op.input),
                activation=activation,
                lanes=stream_type(op.input).lanes,
            )
        case qflow.LookupOp():
            return Lookup(
                input_type=_element(op.input),
                output_type=_element(op.out),
                table=constant_operand(op, op.table, "table"),
                low=op.low.value.data,
                lanes=stream_type(op.input).lanes,
            )
        case qflow.TopKOp():
            stream = stream_type(op.input)
            return TopK(
                input_type=_element(op.input),
                elements=stream.elements,
                lanes=stream.lanes,
                index_bits=stream_type(op.out).element_bits,
                k=stream_type(op.out).elements,
                smallest=op.smallest is not None,
            )
        case qflow.FifoOp():
            return Fifo(stream_type(op.input).beat_bits, op.depth.value.data)
        case qflow.DwcOp():
            source = stream_type(op.input)
            return Dwc(
                element_bits=source.element_bits,
                elements=source.elements,
                in_lanes=source.lanes,
                out_lanes=stream_type(op.out).lanes,
            )
        case qflow.UpsampleOp():
            stream, factors = stream_type(op.input), numbers(op.factors)
            times, columns = (1, *factors)[-2:]
            return Upsample(
                store=repeating_store(stream, times, columns * stream.beats),
                extents=_map_extents(stream),
                factors=(times, columns),
                word_bits=stream.beat_bits,
            )
        case qflow.DepthToSpaceOp():
            stream, block = stream_type(op.input), op.block.value.data
            return DepthToSpace(
                store=repeating_store(stream, block, stream.beats // block),
                extents=_map_extents(stream),
                block=block,
                order=op.order.data,
                word_bits=stream.beat_bits,
            )
        case qflow.SwuOp() if op.is_parallel:
            return ParallelSwu(_raster(op), stream_type(op.input).beat_bits)
        case qflow.SwuOp():
            return _sliding_windows(op, op.group_count)
        case qflow.ForkOp():
            return Fork(stream_type(op.input).beat_bits, len(op.outs))
        case _:
            return map_unit_spec(op)


def _raster(op: qflow.SwuOp | qflow.VvuOp) -> Raster:
    return Raster(op.window, tuple(stream_type(op.input).tensor.get_shape()[1:-1]))


def _sliding_windows(op: qflow.SwuOp | qflow.VvuOp, groups: int) -> Swu:
    """Gives a tap a beat, of each group of channels in turn."""
    stream = stream_type(op.input)
    store = sliding_store(op.window, stream, prod(numbers(op.kernel)))
    return Swu(store, _raster(op), groups, stream.beat_bits)


def _map_extents(stream: StreamType) -> tuple[int, int]:
    """Rows and columns of a map; a 1-D map is one row."""
    height, width = (1, *stream.tensor.get_shape()[1:-1])[-2:]
    return height, width


def _element(value: SSAValue) -> Attribute:
    return stream_type(value).tensor.element_type


def _bias(op: qflow.MvuOp | qflow.VvuOp) -> Ints | None:
    return None if op.bias is None else constant_operand(op, op.bias, "biases")


def _activation(
    op: qflow.MvuOp | qflow.VvuOp | qflow.ThresholdOp,
) -> Activation | None:
    if op.thresholds is None:
        return None
    falling = None
    if op.falling is not None:
        falling = constant_operand(op, op.falling, "falling channels")
    return Activation(
        thresholds=constant_operand(op, op.thresholds, "thresholds"),
        output_type=_element(op.out),
        offset=op.offset.value.data,
        falling=falling,
    )
