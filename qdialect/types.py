"""Element types of quantised tensors, and what a type says about its values."""

from typing import TypeAlias

from xdsl.dialects.builtin import (
    Float32Type,
    Float64Type,
    IntegerType,
    Signedness,
    TensorType,
)
from xdsl.ir import Attribute, ParametrizedAttribute, SSAValue, TypeAttribute
from xdsl.irdl import irdl_attr_definition

from qdialect.posit import PositType


@irdl_attr_definition
class BipolarType(ParametrizedAttribute, TypeAttribute):
    """`!qnn.bipolar`: {-1, +1}, stored as one bit; bit 1 is +1.

    Source: QONNX `BipolarQuant`; Courbariaux et al. 2016, arXiv:1602.02830.
    """

    name = "qnn.bipolar"


@irdl_attr_definition
class TernaryType(ParametrizedAttribute, TypeAttribute):
    """`!qnn.ternary`: {-1, 0, +1}, stored as two bits, two's complement.

    Source: Li et al. 2016, Ternary Weight Networks, arXiv:1605.04711.
    """

    name = "qnn.ternary"


AnyTensor: TypeAlias = TensorType[Attribute]


def signed(width_bits: int) -> IntegerType:
    """The type `siN`."""
    return IntegerType(width_bits, Signedness.SIGNED)


def unsigned(width_bits: int) -> IntegerType:
    """The type `uiN`."""
    return IntegerType(width_bits, Signedness.UNSIGNED)


def is_real(element: Attribute) -> bool:
    """Whether values of this element type are floating-point numbers."""
    return isinstance(element, Float32Type | Float64Type)


def is_level(element: Attribute) -> bool:
    """Whether this element type is one of the integer types of `qnn`."""
    match element:
        case BipolarType() | TernaryType():
            return True
        case IntegerType():
            is_signless = element.signedness.data is Signedness.SIGNLESS
            return not is_signless and element.width.data > 0
        case _:
            return False


def width_bits(element: Attribute) -> int:
    """Bits that one stored element takes.

    Raises:
        TypeError: `element` is not an element type of `qnn`.
    """
    match element:
        case BipolarType():
            return 1
        case TernaryType():
            return 2
        case IntegerType():
            return element.width.data
        case Float32Type() | Float64Type():
            return element.bitwidth
        case PositType():
            return element.n
        case _:
            raise TypeError(f"{element} is not an element type of qnn")


def value_range(element: Attribute) -> tuple[int, int]:
    """Least and greatest value of an integer element type.

    >>> value_range(signed(4)), value_range(unsigned(4)), value_range(BipolarType())
    ((-8, 7), (0, 15), (-1, 1))

    Raises:
        TypeError: `element` is not an integer element type of `qnn`.
    """
    match element:
        case BipolarType() | TernaryType():
            return (-1, 1)
        case IntegerType() if element.signedness.data is Signedness.SIGNED:
            half = 1 << (element.width.data - 1)
            return (-half, half - 1)
        case IntegerType() if element.signedness.data is Signedness.UNSIGNED:
            return (0, (1 << element.width.data) - 1)
        case _:
            raise TypeError(f"{element} is not an integer element type of qnn")


def is_signed(element: Attribute) -> bool:
    """Whether the encoding of an integer element type is two's complement.

    False for `uiN` and for `!qnn.bipolar`, whose one bit is not a number.
    """
    match element:
        case TernaryType():
            return True
        case IntegerType():
            return element.signedness.data is Signedness.SIGNED
        case _:
            return False


def integer_type_for(low: int, high: int) -> IntegerType:
    """The narrowest `uiN` or `siN` that holds every value of [low, high].

    >>> str(integer_type_for(0, 4)), str(integer_type_for(-4, 3))
    ('ui3', 'si3')
    """
    if low >= 0:
        return unsigned(max(1, high.bit_length()))
    return signed(1 + max((-low - 1).bit_length(), max(high, 0).bit_length()))


def tensor_type(value: SSAValue) -> AnyTensor:
    """The type of `value`, which must be a ranked tensor.

    Raises:
        TypeError: it is something else.
    """
    if not isinstance(value.type, TensorType):
        raise TypeError(f"expected a ranked tensor, got {value.type}")
    return value.type  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]


def shape_of(value: SSAValue) -> tuple[int, ...]:
    """Shape of a tensor value."""
    return tensor_type(value).get_shape()


def element_of(value: SSAValue) -> Attribute:
    """Element type of a tensor value."""
    return tensor_type(value).element_type


def with_element(type_: AnyTensor, element: Attribute) -> AnyTensor:
    """The tensor type of the same shape with another element type."""
    return TensorType(element, type_.get_shape())


F32 = Float32Type()
