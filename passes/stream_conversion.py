"""`Conversion`: the tensors of a function as streams, while its operations become units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from xdsl.dialects.builtin import TensorType
from xdsl.ir import Attribute, Block, Operation, SSAValue
from xdsl.utils.exceptions import PassFailedException

from qdialect import qflow
from qdialect.constants import constant, constant_array, is_constant
from qdialect.data import Array
from qdialect.location import where
from qdialect.streams import StreamType, stream_of, stream_type
from qdialect.types import element_of, is_level, shape_of


def refusal(op: Operation, problem: str) -> PassFailedException:
    """What to raise where `op` cannot become a unit."""
    return PassFailedException(f"convert-to-qflow: {where(op)}: {problem}")


@dataclass
class Conversion:
    """The state of one function's conversion.

    A stream carries the elements of its tensor in their order, maybe in another shape:
    a reshape changes nothing until a unit needs vectors of another length.

    Attributes:
        block: the body of the function.
        streams: of each tensor value, its stream.
    """

    block: Block
    streams: dict[SSAValue, SSAValue]

    def insert(self, source: Operation, *ops: Operation) -> None:
        """Put ops in front of the op that they are made from."""
        for op in ops:
            op.location = source.location
        self.block.insert_ops_before(ops, source)

    def unit(self, source: Operation, unit: Operation) -> SSAValue:
        """Put a unit in front of the op that it is made from; its stream."""
        self.insert(source, unit)
        return unit.results[0]

    def parameter(
        self, source: Operation, array: Array, element: Attribute | None = None
    ) -> SSAValue:
        """A constant that a unit made from `source` reads; see `constant`."""
        new = constant(array, element)
        self.insert(source, new)
        return new.out

    def stream(self, op: Operation, value: SSAValue) -> SSAValue:
        """The stream of an operand of `op`, of any shape.

        Raises:
            PassFailedException: it is a constant.
        """
        if value not in self.streams:
            raise refusal(
                op, "it reads a constant as a stream; accepted are computed values"
            )
        return self.streams[value]

    def vectors(self, op: Operation, value: SSAValue, axis: int = -1) -> SSAValue:
        """The stream of an operand, whose vectors are along an axis.

        The axis is the last, or those behind it have extent 1.
        """
        stream = self.stream(op, value)
        shape = shape_of(value)
        if stream_type(stream).elements == shape[axis]:
            return stream
        return self.reshaped(op, stream, shape[: axis % len(shape) + 1])

    def tensor(self, op: Operation, value: SSAValue) -> SSAValue:
        """The stream of an operand, in the operand's own shape."""
        return self.shaped(op, value, shape_of(value))

    def shaped(self, op: Operation, value: SSAValue, shape: Sequence[int]) -> SSAValue:
        """The stream of an operand of `op` in a shape of as many elements."""
        return self.reshaped(op, self.stream(op, value), shape)

    def reshaped(
        self, op: Operation, stream: SSAValue, shape: Sequence[int]
    ) -> SSAValue:
        """A stream in a shape of as many elements."""
        if isinstance(stream.owner, qflow.ReshapeOp):
            stream = stream.owner.input
        if stream_type(stream).tensor.get_shape() == tuple(shape):
            return stream
        element = stream_type(stream).tensor.element_type
        return self.unit(op, qflow.ReshapeOp(stream, stream_in(element, shape)))

    def along_vectors(
        self, op: Operation, value: SSAValue, axis: int, rows: Array
    ) -> tuple[SSAValue, Array]:
        """The stream of `value`, and parameters of the channels along `axis` for it.

        Args:
            op: reads both.
            value: a tensor.
            axis: of its channels.
            rows: parameters [C, ..].

        Returns:
            A stream, and a row of parameters for each place of its vectors, which are
            made longer where the place would not tell the channel.
        """
        stream = self.stream(op, value)
        shape = shape_of(value)
        length = stream_type(stream).elements
        channel = np.arange(prod(shape)) // prod(shape[axis + 1 :]) % shape[axis]
        by_vector: Array = rows[channel].reshape(-1, length, *rows.shape[1:])
        if bool((by_vector == by_vector[0]).all()):
            return stream, by_vector[0]
        inner = prod(shape[axis:])
        return self.shaped(op, value, (*shape[:axis], inner)), rows[channel[:inner]]


def stream_in(element: Attribute, shape: Sequence[int]) -> StreamType:
    """The stream of a tensor, a lane wide."""
    return stream_of(TensorType(element, shape))


def like(stream: SSAValue, element: Attribute, length: int | None = None) -> StreamType:
    """The type of a stream with other elements, and with vectors of another length."""
    shape = stream_type(stream).tensor.get_shape()
    return stream_in(element, (*shape[:-1], shape[-1] if length is None else length))


def expect_integer(op: Operation, value: SSAValue, before: str) -> None:
    """`value` holds levels.

    Raises:
        PassFailedException: it is real; `before` is the pass to run first.
    """
    if not is_level(element_of(value)):
        raise refusal(op, f"it works on real numbers; run {before} first")


def expect_constant(op: Operation, name: str, value: SSAValue) -> Array:
    """The elements of an operand that must be constant.

    Raises:
        PassFailedException: it is computed.
    """
    array = constant_array(value)
    if not is_constant(value) or array is None:
        raise refusal(op, f"its {name} are computed; accepted are constant {name}")
    return array
