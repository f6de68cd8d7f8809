"""`#qnn.data`: a constant tensor held as raw bytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import gcd, prod
from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt
from xdsl.dialects.builtin import Float32Type, Float64Type, TensorType
from xdsl.ir import Attribute, Data, ParametrizedAttribute
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException

from qdialect.posit import PositType, posit_codes, posit_values
from qdialect.types import (
    AnyTensor,
    BipolarType,
    integer_type_for,
    is_level,
    is_real,
    is_signed,
    unsigned,
    value_range,
    width_bits,
)

# Tensors up to this many elements are printed as decimals; larger ones as hex, since
# a decimal list costs about 30 us an element to parse.
MAX_PRINTED_ELEMENTS = 32

# An array of any dtype: what it holds is said where it is used. NumPy's stubs cannot
# follow a dtype through arithmetic.
Array: TypeAlias = npt.NDArray[Any]


@irdl_attr_definition
class RawBytes(Data[bytes]):
    """Bytes, printed as a string of hex digits."""

    name = "qnn.raw"

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> bytes:
        with parser.in_angle_brackets():
            return _parse_hex(parser)

    def print_parameter(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_string(f'"{self.data.hex()}"')


@irdl_attr_definition
class TensorDataAttr(ParametrizedAttribute):
    """A constant tensor: its type and its elements, bit-packed.

    Element `i` in row-major order takes the bits `[i * w, (i + 1) * w)` of the bytes,
    little-endian, where `w` is the width of the element type: a bipolar tensor takes a
    bit an element, and one of posits their codes. Printed as
    `#qnn.data<tensor<2xsi8>, [1, -1]>`, or with the bytes as a hex string where there
    are many elements.

    Raises:
        VerifyException: the bytes are not as many as the type needs, the type has an
            unknown dimension or an element type that `qnn` lacks, or a posit is NaR.
    """

    name = "qnn.data"

    type: AnyTensor
    raw: RawBytes

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        with parser.in_angle_brackets():
            position = parser.pos
            type_ = parser.parse_type()
            if not isinstance(type_, TensorType):
                parser.raise_error("expected a tensor type", position)
            type_ = cast(AnyTensor, type_)
            parser.parse_punctuation(",")
            position = parser.pos
            values = parser.parse_optional_comma_separated_list(
                parser.Delimiter.SQUARE,
                lambda: parser.parse_number(allow_boolean=False),
            )
            if values is None:
                return (type_, RawBytes(_parse_hex(parser)))
            try:
                return (type_, RawBytes(encode(type_, _from_list(type_, values))))
            except (ValueError, TypeError, OverflowError) as error:
                parser.raise_error(str(error), position)

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_attribute(self.type)
            printer.print_string(", ")
            if self.size <= MAX_PRINTED_ELEMENTS and self._prints_as_decimals():
                is_double = isinstance(self.type.element_type, PositType)
                texts = [_text(value, is_double=is_double) for value in self.flat()]
                printer.print_string(f"[{', '.join(texts)}]")
            else:
                printer.print_string(f'"{self.raw.data.hex()}"')

    def _prints_as_decimals(self) -> bool:
        if not is_real(self.type.element_type):
            return width_bits(self.type.element_type) <= 64
        return bool(np.isfinite(self.to_numpy().astype(np.float64)).all())

    @classmethod
    def from_numpy(
        cls, array: Array, element: Attribute | None = None
    ) -> TensorDataAttr:
        """The constant with the values of `array`.

        Args:
            array: any shape; floating-point or integer values.
            element: element type; f32 for floating-point arrays and the narrowest
                integer type that holds every value where it is not given.

        Raises:
            ValueError: a value does not fit the element type.
        """
        if element is None:
            if np.issubdtype(array.dtype, np.floating):
                element = Float32Type()
            else:
                low, high = (
                    (int(array.min()), int(array.max())) if array.size else (0, 0)
                )
                element = integer_type_for(low, high)
        type_: AnyTensor = TensorType(element, array.shape)
        return cls(type_, RawBytes(encode(type_, array)))

    @classmethod
    def from_words(cls, words: Iterable[int], word_bits: int) -> TensorDataAttr:
        """A memory image: one unsigned word of any width an element."""
        held = list(words)
        for word in held:
            if word < 0 or word.bit_length() > word_bits:
                raise ValueError(f"{word} does not fit ui{word_bits}")
        step = _words_a_chunk(word_bits)
        chunks: list[bytes] = []
        for start in range(0, len(held), step):
            chunk = held[start : start + step]
            bits = 0
            for word in reversed(chunk):
                bits = bits << word_bits | word
            chunks.append(bits.to_bytes((len(chunk) * word_bits + 7) // 8, "little"))
        type_: AnyTensor = TensorType(unsigned(word_bits), (len(held),))
        return cls(type_, RawBytes(b"".join(chunks)))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the tensor."""
        return self.type.get_shape()

    @property
    def size(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    def to_numpy(self) -> Array:
        """The values, in the shape of the type, in the narrowest dtype that fits.

        Those of posits are float64 numbers, exactly; `words` are their codes. Elements
        wider than 64 bits have no dtype: use `words`.
        """
        return decode(self.type, self.raw.data)

    def flat(self) -> list[int] | list[float]:
        """The values in row-major order, as Python numbers."""
        return cast("list[int] | list[float]", self.to_numpy().ravel().tolist())

    def words(self) -> list[int]:
        """The stored bits of each element, as unsigned integers of any width."""
        width = width_bits(self.type.element_type)
        step = _words_a_chunk(width)
        chunk_bytes = step * width // 8
        raw, mask = self.raw.data, (1 << width) - 1
        found: list[int] = []
        for start in range(0, len(raw), chunk_bytes):
            bits = int.from_bytes(raw[start : start + chunk_bytes], "little")
            found += [(bits >> (i * width)) & mask for i in range(step)]
        return found[: self.size]

    def verify(self) -> None:
        if any(extent < 0 for extent in self.type.get_shape()):
            raise VerifyException(f"constant of type {self.type} has an unknown extent")
        element = self.type.element_type
        if not (
            is_level(element) or is_real(element) or isinstance(element, PositType)
        ):
            raise VerifyException(
                f"constant of type {self.type}: the element type must be "
                "!qnn.bipolar, !qnn.ternary, siN, uiN, f32, f64 or !qnn.posit<n,es>"
            )
        needed = (self.size * width_bits(element) + 7) // 8
        if len(self.raw.data) != needed:
            raise VerifyException(
                f"constant of type {self.type} needs {needed} bytes, "
                f"got {len(self.raw.data)}"
            )
        if isinstance(element, PositType) and bool(np.isnan(self.to_numpy()).any()):
            raise VerifyException(
                f"constant of type {self.type}: code {element.not_a_real:#x} is NaR, "
                "not a real number"
            )


def _words_a_chunk(word_bits: int) -> int:
    """Words that together fill whole bytes: numbers of all bits at once cost squares."""
    return 8 // gcd(word_bits, 8)


def _parse_hex(parser: AttrParser) -> bytes:
    position = parser.pos
    text = parser.parse_str_literal("a list of numbers or a string of hex digits")
    try:
        return bytes.fromhex(text)
    except ValueError:
        parser.raise_error("expected an even number of hex digits", position)


def _text(value: int | float, *, is_double: bool) -> str:
    """Shortest decimal that reads back as the same number."""
    if isinstance(value, int):
        return str(value)
    shortens = _is_f32(value) and not is_double
    text = repr(float(str(np.float32(value)))) if shortens else repr(value)
    mantissa, exponent, power = text.partition("e")
    # MLIR's float literals need a decimal point.
    return (mantissa if "." in mantissa else mantissa + ".0") + exponent + power


def _is_f32(value: float) -> bool:
    return float(np.float32(value)) == value


def _from_list(type_: AnyTensor, values: Sequence[int | float]) -> Array:
    count = prod(type_.get_shape())
    if len(values) != count:
        raise ValueError(f"{type_} has {count} elements, got {len(values)}")
    if is_real(type_.element_type) or isinstance(type_.element_type, PositType):
        return np.array(values, np.float64).reshape(type_.get_shape())
    for value in values:
        if not isinstance(value, int):
            raise ValueError(f"{value} is not a value of {type_.element_type}")
    return np.array(values, object).reshape(type_.get_shape())


def encode(type_: AnyTensor, array: Array) -> bytes:
    """Raw bytes of `array` as the elements of `type_`.

    Raises:
        ValueError: a value does not fit the element type.
    """
    element = type_.element_type
    match element:
        case Float32Type():
            return array.astype("<f4").tobytes()
        case Float64Type():
            return array.astype("<f8").tobytes()
        case PositType():
            codes: AnyTensor = TensorType(unsigned(element.n), array.shape)
            return encode(codes, _codes_of(array, element))
        case _:
            pass
    low, high = value_range(element)
    if array.size:
        least, greatest = int(array.min()), int(array.max())
        if least < low or greatest > high:
            bad = least if least < low else greatest
            raise ValueError(f"{bad} does not fit {element}, which is [{low}, {high}]")
    width = width_bits(element)
    if isinstance(element, BipolarType):
        if array.size and not bool((array != 0).all()):
            raise ValueError("0 is not a value of !qnn.bipolar")
        return np.packbits(array.ravel() > 0, bitorder="little").tobytes()
    if width > 64:
        return TensorDataAttr.from_words(map(int, array.ravel()), width).raw.data
    if not is_signed(element) and width == 64:
        return array.astype("<u8").tobytes()
    values = array.astype("<i8").ravel()
    if width in (8, 16, 32, 64):
        return values.astype(f"<i{width // 8}").tobytes()
    as_bytes = values.view(np.uint8).reshape(-1, 8)[:, : (width + 7) // 8]
    bits = np.unpackbits(as_bytes, axis=1, bitorder="little", count=width)
    return np.packbits(bits.ravel(), bitorder="little").tobytes()


def _codes_of(array: Array, element: PositType) -> Array:
    """The codes of numbers that are posits."""
    codes = posit_codes(array, element)
    wrong = posit_values(codes, element) != array.astype(np.float64)
    if bool(wrong.any()):
        raise ValueError(f"{float(array[wrong].flat[0])!r} is not a value of {element}")
    return codes


def decode(type_: AnyTensor, raw: bytes) -> Array:
    """The array whose raw bytes as `type_` are `raw`."""
    element = type_.element_type
    shape = type_.get_shape()
    match element:
        case Float32Type():
            return np.frombuffer(raw, "<f4").reshape(shape)
        case Float64Type():
            return np.frombuffer(raw, "<f8").reshape(shape)
        case PositType():
            codes = decode(TensorType(unsigned(element.n), shape), raw)
            return posit_values(codes, element)
        case _:
            pass
    width = width_bits(element)
    sign = is_signed(element)
    count = prod(shape)
    if isinstance(element, BipolarType):
        bits = np.unpackbits(
            np.frombuffer(raw, np.uint8), count=count, bitorder="little"
        )
        return (bits.astype(np.int8) * 2 - 1).reshape(shape)
    if width in (8, 16, 32, 64):
        kind = "i" if sign else "u"
        return np.frombuffer(raw, f"<{kind}{width // 8}").reshape(shape)
    if width > 64:
        raise TypeError(f"{element} has no NumPy dtype: use words()")
    bits = np.unpackbits(
        np.frombuffer(raw, np.uint8), count=count * width, bitorder="little"
    ).reshape(count, width)
    storage_bits = next(w for w in (8, 16, 32, 64) if w >= width)
    padded = np.zeros((count, storage_bits), np.uint8)
    padded[:, :width] = bits
    if sign:
        padded[:, width:] = bits[:, -1:]
    packed = np.packbits(padded, axis=1, bitorder="little")
    kind = "i" if sign else "u"
    return packed.reshape(-1).view(f"<{kind}{storage_bits // 8}").reshape(shape)
