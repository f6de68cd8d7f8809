"""`#qnn.coded`: a constant tensor held as a stream of code words."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import prod
from typing import cast

import numpy as np
from xdsl.dialects.builtin import IntAttr, TensorType
from xdsl.ir import Attribute, ParametrizedAttribute
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException

from qdialect.data import Array, RawBytes, TensorDataAttr
from qdialect.prefix_codes import (
    Lengths,
    fixed_lengths,
    fixed_width,
    is_prefix_code,
)
from qdialect.symbol_streams import (
    Coding,
    SymbolStream,
    decode_symbols,
    encode_symbols,
)
from qdialect.types import AnyTensor, is_level, width_bits

# Elements up to this width are symbols themselves; of others each byte is one.
MOST_SYMBOL_BITS = 8

# Hex digits of a malformed code that a message shows.
_MOST_SHOWN = 64


@irdl_attr_definition
class CodedDataAttr(ParametrizedAttribute):
    """A constant tensor: its type, and its elements as a stream of code words.

    The elements in row-major order, as the bits that `#qnn.data` stores, are the
    symbols; of elements wider than 8 bits each byte of `#qnn.data` is one. Printed with
    the lengths of the words of symbol 0, 1, .. as hex, a byte each, which say the
    canonical Huffman code, or with the one width of all words:

        #qnn.coded<tensor<2x4xui4>, values huffman "01020303", "2e5a">
        #qnn.coded<tensor<64xui4>, gaps 3 over 0, values 4, "90a2c1">

    With `gaps` (relative index) a stream has an entry only for symbols other than the
    one behind `over`, and a gap, the number of those, before each. See `SymbolStream`.

    Raises:
        VerifyException: an element type without levels, code lengths of no prefix code,
            or a stream that does not decode to as many elements.

    Source: Han et al. 2016, Deep Compression, arXiv:1510.00149, sections 2 and 4.
    """

    name = "qnn.coded"

    type: AnyTensor
    values: RawBytes
    gaps: RawBytes
    skipped: IntAttr
    raw: RawBytes

    @classmethod
    def encode(cls, data: TensorDataAttr, coding: Coding) -> CodedDataAttr:
        """The same constant, coded."""
        stream = encode_symbols(symbols_of(data), symbol_bits(data.type), coding)
        return cls(
            data.type,
            RawBytes(stream.values),
            RawBytes(stream.gaps),
            IntAttr(stream.skipped),
            RawBytes(stream.raw),
        )

    @property
    def stream(self) -> SymbolStream:
        """The stream and its codes."""
        return SymbolStream(
            self.values.data, self.gaps.data, self.skipped.data, self.raw.data
        )

    @property
    def coding(self) -> Coding:
        """How the symbols are written, with gaps as wide as those that occur."""
        codes = [self.values.data, *([self.gaps.data] if self.gaps.data else [])]
        huffman = any(fixed_width(code) is None for code in codes)
        if not self.gaps.data:
            return Coding(huffman)
        return Coding(huffman, max(1, (len(self.gaps.data) - 1).bit_length()))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the tensor."""
        return self.type.get_shape()

    @property
    def size(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    def data(self) -> TensorDataAttr:
        """The constant as plain bytes.

        Raises:
            ValueError: the stream does not decode to as many elements.
        """
        return _decoded(self)

    def to_numpy(self) -> Array:
        """The values, as `TensorDataAttr.to_numpy` gives them."""
        return self.data().to_numpy()

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        with parser.in_angle_brackets():
            position = parser.pos
            type_ = parser.parse_type()
            if not isinstance(type_, TensorType):
                parser.raise_error("expected a tensor type", position)
            parser.parse_punctuation(",")
            gaps, skipped = b"", 0
            if parser.parse_optional_keyword("gaps") is not None:
                gaps = _parse_code(parser)
                parser.parse_keyword("over")
                skipped = parser.parse_integer(allow_boolean=False)
                parser.parse_punctuation(",")
            parser.parse_keyword("values")
            values = _parse_code(parser)
            parser.parse_punctuation(",")
            raw = _parse_hex(parser)
        return (
            cast(AnyTensor, type_),
            RawBytes(values),
            RawBytes(gaps),
            IntAttr(skipped),
            RawBytes(raw),
        )

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_attribute(self.type)
            if self.gaps.data:
                code = _code_text(self.gaps.data)
                printer.print_string(f", gaps {code} over {self.skipped.data}")
            printer.print_string(f", values {_code_text(self.values.data)}")
            printer.print_string(f', "{self.raw.data.hex()}"')

    def verify(self) -> None:
        if any(extent < 0 for extent in self.type.get_shape()):
            raise VerifyException(f"constant of type {self.type} has an unknown extent")
        if not is_level(self.type.element_type):
            raise VerifyException(
                f"coded constant of type {self.type}: the element type must be "
                "!qnn.bipolar, !qnn.ternary, siN or uiN"
            )
        for code in (self.values.data, *([self.gaps.data] if self.gaps.data else [])):
            if not is_prefix_code(code):
                text = code.hex()
                shown = text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}.."
                raise VerifyException(
                    f'coded constant: no prefix code has words of lengths "{shown}"'
                )
        bits = symbol_bits(self.type)
        greatest = max(len(self.values.data) - 1, self.skipped.data)
        if greatest >= 1 << bits or self.skipped.data < 0:
            raise VerifyException(
                f"coded constant of type {self.type}: symbol {greatest} has more than "
                f"{bits} bits"
            )
        try:
            self.data()
        except ValueError as error:
            raise VerifyException(
                f"coded constant of type {self.type}: {error}"
            ) from error


@lru_cache(maxsize=64)
def _decoded(coded: CodedDataAttr) -> TensorDataAttr:
    """The plain constant; passes and engines ask for it many times."""
    count = symbol_count(coded.type)
    symbols = decode_symbols(coded.stream, count)
    width = symbol_bits(coded.type)
    if width_bits(coded.type.element_type) > MOST_SYMBOL_BITS or width == 8:
        return TensorDataAttr(coded.type, RawBytes(symbols.tobytes()))
    bits = np.unpackbits(symbols[:, np.newaxis], axis=1, bitorder="little", count=width)
    raw = np.packbits(bits.ravel(), bitorder="little").tobytes()
    return TensorDataAttr(coded.type, RawBytes(raw))


def symbol_bits(type_: AnyTensor) -> int:
    """Width of a symbol of a tensor of this type."""
    return min(width_bits(type_.element_type), MOST_SYMBOL_BITS)


def symbol_count(type_: AnyTensor) -> int:
    """Number of symbols of a tensor of this type."""
    count = prod(type_.get_shape())
    width = width_bits(type_.element_type)
    return count if width <= MOST_SYMBOL_BITS else (count * width + 7) // 8


def symbols_of(data: TensorDataAttr) -> Array:
    """The symbols of a constant, uint8 in one dimension."""
    width = width_bits(data.type.element_type)
    raw = np.frombuffer(data.raw.data, np.uint8)
    if width >= MOST_SYMBOL_BITS:
        return raw
    bits = np.unpackbits(raw, bitorder="little", count=data.size * width)
    padded = np.zeros((data.size, 8), np.uint8)
    padded[:, :width] = bits.reshape(-1, width)
    return np.packbits(padded, axis=1, bitorder="little").ravel()


def _parse_code(parser: AttrParser) -> Lengths:
    position = parser.pos
    if parser.parse_optional_keyword("huffman") is not None:
        return _parse_hex(parser)
    width = parser.parse_integer(allow_boolean=False, allow_negative=False)
    if not 1 <= width <= MOST_SYMBOL_BITS:
        parser.raise_error(
            f"expected words of 1 to {MOST_SYMBOL_BITS} bits, got {width}", position
        )
    return fixed_lengths(width)


def _parse_hex(parser: AttrParser) -> bytes:
    position = parser.pos
    text = parser.parse_str_literal("a string of hex digits")
    try:
        return bytes.fromhex(text)
    except ValueError:
        parser.raise_error("expected an even number of hex digits", position)


def _code_text(code: Lengths) -> str:
    width = fixed_width(code)
    return f'huffman "{code.hex()}"' if width is None else str(width)
