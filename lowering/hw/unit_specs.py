"""From units of the stream level to the specifications of hardware units."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.utils.exceptions import PassFailedException

from lowering.hw.stream import BuiltUnit
from lowering.hw.units.activation import Activation
from lowering.hw.units.dwc import Dwc
from lowering.hw.units.fifo import Fifo
from lowering.hw.units.fork import Fork
from lowering.hw.units.lookup import Lookup
from lowering.hw.units.mvu import Mvu
from lowering.hw.units.threshold import Threshold
from lowering.hw.units.topk import TopK
from qdialect import qflow
from qdialect.constants import constant_array
from qdialect.location import where
from qdialect.streams import stream_type

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
            return Mvu(
                weights=_constant(op, op.weights, "weights"),
                input_type=_element(op.input),
                pe=op.pe,
                simd=op.simd,
                accumulator_type=op.accumulator,
                activation=_activation(op),
            )
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
                table=_constant(op, op.table, "table"),
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
        case qflow.ForkOp():
            return Fork(stream_type(op.input).beat_bits, len(op.outs))
        case _:
            raise PassFailedException(
                f"convert-qflow-to-hw: {where(op)}: no hardware unit computes it"
            )


def _element(value: SSAValue) -> Attribute:
    return stream_type(value).tensor.element_type


def _constant(op: Operation, value: SSAValue, name: str) -> Ints:
    array = constant_array(value)
    if array is None:
        raise PassFailedException(
            f"convert-qflow-to-hw: {where(op)}: its {name} must be constants"
        )
    return array.astype(np.int64)


def _activation(op: qflow.MvuOp | qflow.ThresholdOp) -> Activation | None:
    if op.thresholds is None:
        return None
    falling = None
    if op.falling is not None:
        falling = _constant(op, op.falling, "falling channels")
    return Activation(
        thresholds=_constant(op, op.thresholds, "thresholds"),
        output_type=_element(op.out),
        offset=op.offset.value.data,
        falling=falling,
    )
