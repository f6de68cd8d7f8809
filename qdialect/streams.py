"""`!qflow.stream`: the frames of a tensor as beats of a few elements."""

from __future__ import annotations

from math import prod

from xdsl.dialects.builtin import IntAttr, TensorType
from xdsl.ir import (
    Attribute,
    Operation,
    ParametrizedAttribute,
    SSAValue,
    TypeAttribute,
)
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException

from qdialect.types import AnyTensor, is_level, width_bits


@irdl_attr_definition
class StreamType(ParametrizedAttribute, TypeAttribute):
    """`!qflow.stream<tensor<1x784x!qnn.bipolar> by 8>`: a frame as a stream of beats.

    The last axis of the tensor is a vector; a beat carries `lanes` of its elements,
    lane 0 in the low bits. A vector takes ceil(n / lanes) beats, in whose last the
    surplus lanes are padding. Vectors follow in row-major order of the other axes.
    """

    name = "qflow.stream"

    tensor: AnyTensor
    lane_count: IntAttr

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> list[Attribute]:
        with parser.in_angle_brackets():
            position = parser.pos
            tensor = parser.parse_type()
            if not isinstance(tensor, TensorType):
                parser.raise_error("expected a tensor type", position)
            parser.parse_keyword("by")
            lanes = parser.parse_integer(allow_boolean=False, allow_negative=False)
            return [tensor, IntAttr(lanes)]

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_attribute(self.tensor)
            printer.print_string(f" by {self.lane_count.data}")

    def verify(self) -> None:
        if not is_level(self.tensor.element_type) or not self.tensor.get_shape():
            raise VerifyException(
                "a stream needs an axis and elements !qnn.bipolar, !qnn.ternary, siN "
                f"or uiN, got {self.tensor}"
            )
        if not 1 <= self.lanes <= self.elements:
            raise VerifyException(
                f"lanes must be in [1, {self.elements}], got {self.lanes}"
            )

    @property
    def lanes(self) -> int:
        """Elements a beat."""
        return self.lane_count.data

    @property
    def elements(self) -> int:
        """Elements a vector."""
        return self.tensor.get_shape()[-1]

    @property
    def vectors(self) -> int:
        """Vectors a frame."""
        return prod(self.tensor.get_shape()[:-1])

    @property
    def beats(self) -> int:
        """Beats a vector."""
        return -(-self.elements // self.lanes)

    @property
    def element_bits(self) -> int:
        """Bits an element."""
        return width_bits(self.tensor.element_type)

    @property
    def beat_bits(self) -> int:
        """Bits a beat."""
        return self.element_bits * self.lanes

    @property
    def beats_per_frame(self) -> int:
        """Beats a frame."""
        return self.vectors * self.beats


def stream_type(value: SSAValue) -> StreamType:
    """The type of `value`, which must be a stream.

    Raises:
        VerifyException: it is not.
    """
    if not isinstance(value.type, StreamType):
        raise VerifyException(f"expected a !qflow.stream, got {value.type}")
    return value.type


def stream_operands(op: Operation) -> list[SSAValue]:
    """The streams that a unit reads, in order; not its constants."""
    return [value for value in op.operands if isinstance(value.type, StreamType)]


def with_lanes(type_: StreamType, lanes: int) -> StreamType:
    """The same frame with other lanes."""
    return StreamType(type_.tensor, IntAttr(lanes))


def stream_of(tensor: AnyTensor, lanes: int = 1) -> StreamType:
    """The stream of a tensor's frames."""
    return StreamType(tensor, IntAttr(lanes))
