"""The packed level: bit planes in machine words, and popcount dot products."""

from __future__ import annotations

from typing import cast

from xdsl.dialects.builtin import IntAttr, TensorType
from xdsl.ir import (
    Attribute,
    Operation,
    ParametrizedAttribute,
    SSAValue,
    TypeAttribute,
)
from xdsl.irdl import (
    IRDLOperation,
    irdl_attr_definition,
    irdl_op_definition,
    operand_def,
    result_def,
    traits_def,
)
from xdsl.parser import AttrParser
from xdsl.printer import Printer
from xdsl.traits import Pure
from xdsl.utils.exceptions import VerifyException

from qdialect.checks import expect_level, expect_shape
from qdialect.types import AnyTensor, is_level, tensor_type, unsigned, width_bits

WORD_BITS = (8, 16, 32, 64)


@irdl_attr_definition
class OddType(ParametrizedAttribute, TypeAttribute):
    """`!qnn.odd<N>`: the odd numbers from -(2^N - 1) to 2^N - 1, as N signs.

        value = sum over j < N of 2^j * (1 if bit j is set, else -1)

    Packed weights only: N planes where siM has M = N + 1. `!qnn.bipolar` is its N = 1.

    Source: Zhou et al. 2016, arXiv:1606.06160, eq. 9: weights of N bits.
    """

    name = "qnn.odd"

    bits: IntAttr

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> list[Attribute]:
        return _parse_bits(parser)

    def print_parameters(self, printer: Printer) -> None:
        _print_bits(printer, self.bits)

    def verify(self) -> None:
        _expect_bits(self.name, self.bits)


@irdl_attr_definition
class SignMagnitudeType(ParametrizedAttribute, TypeAttribute):
    """`!qnn.sign_magnitude<N>`: numbers from -(2^N - 1) to 2^N - 1, magnitude and sign.

        value = (1 if the last bit is set, else -1) * sum over j < N of 2^j * bit j

    Packed weights only, where inputs have signs only: N popcounts take the place of
    N + 1. The five levels {-2, .., 2} are among N = 2; `!qnn.ternary` is its N = 1.

    Source: Zhou et al. 2016, arXiv:1606.06160, eq. 3: a popcount for each plane; the
    sign of a weight flips that of the input.
    """

    name = "qnn.sign_magnitude"

    bits: IntAttr

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> list[Attribute]:
        return _parse_bits(parser)

    def print_parameters(self, printer: Printer) -> None:
        _print_bits(printer, self.bits)

    def verify(self) -> None:
        _expect_bits(self.name, self.bits)


def _parse_bits(parser: AttrParser) -> list[Attribute]:
    with parser.in_angle_brackets():
        return [IntAttr(parser.parse_integer(False, False))]


def _print_bits(printer: Printer, bits: IntAttr) -> None:
    with printer.in_angle_brackets():
        printer.print_string(str(bits.data))


def _expect_bits(name: str, bits: IntAttr) -> None:
    if not 2 <= bits.data <= 32:
        raise VerifyException(f"!{name} must have 2 to 32 bits, got {bits.data}")


def packed_planes(element: Attribute) -> int:
    """Planes of a packed element."""
    match element:
        case OddType():
            return element.bits.data
        case SignMagnitudeType():
            return element.bits.data + 1
        case _:
            return width_bits(element)


@irdl_attr_definition
class PackedType(ParametrizedAttribute, TypeAttribute):
    """`!qnn.packed<tensor<[.., K] x T>, word B, panel R>`: bit planes of a tensor.

    The last axis is cut into words of B bits, a plane for every bit of T:

    - bipolar: one plane, bit 1 is +1;
    - ternary: two planes, first the non-zero mask, then the positive bit;
    - uiN, siN: N planes, least significant first (the last of siN counts negative);
    - odd<N>, of weights only: N planes of signs, least significant first;
    - sign_magnitude<N>, of weights only: N planes of the magnitude, least significant
      first, then the positive bit.

    The bits of the last word above K are 0. With panel R the rows of a matrix [MH, MW],
    or those of a convolution's weights [O, .., C], are interleaved: words of R
    successive rows stand side by side, so that a kernel which computes R outputs at
    once reads its weights in order. Rows are padded with zero words to a multiple of R.
    R = 1 is plain row-major order.
    """

    name = "qnn.packed"

    tensor: AnyTensor
    word: IntAttr
    panel: IntAttr

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> list[Attribute]:
        with parser.in_angle_brackets():
            position = parser.pos
            tensor = parser.parse_type()
            if not isinstance(tensor, TensorType):
                parser.raise_error("expected a tensor type", position)
            parser.parse_punctuation(",")
            parser.parse_keyword("word")
            word = parser.parse_integer(allow_boolean=False, allow_negative=False)
            panel = 1
            if parser.parse_optional_punctuation(",") is not None:
                parser.parse_keyword("panel")
                panel = parser.parse_integer(allow_boolean=False, allow_negative=False)
            return [tensor, IntAttr(word), IntAttr(panel)]

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_attribute(self.tensor)
            printer.print_string(f", word {self.word.data}")
            if self.panel.data != 1:
                printer.print_string(f", panel {self.panel.data}")

    def verify(self) -> None:
        if self.word.data not in WORD_BITS:
            raise VerifyException(
                f"packed words must have 8, 16, 32 or 64 bits, got {self.word.data}"
            )
        if self.panel.data < 1:
            raise VerifyException(f"panel must be positive, got {self.panel.data}")
        element = self.tensor.element_type
        is_known = is_level(element) or isinstance(element, OddType | SignMagnitudeType)
        if not is_known or not self.tensor.get_shape():
            raise VerifyException(
                "a packed tensor needs an axis and elements !qnn.bipolar, "
                "!qnn.ternary, siN, uiN, !qnn.odd or !qnn.sign_magnitude, got "
                f"{self.tensor}"
            )
        if self.panel.data != 1 and len(self.tensor.get_shape()) < 2:
            raise VerifyException(
                f"panels need rows, [MH, MW] or [O, .., C], got {self.tensor}"
            )

    @property
    def planes(self) -> int:
        """Bit planes an element takes."""
        return packed_planes(self.tensor.element_type)

    @property
    def words(self) -> int:
        """Words that a plane of the last axis takes."""
        return -(-self.tensor.get_shape()[-1] // self.word.data)

    @property
    def storage(self) -> AnyTensor:
        """The tensor of words that holds the planes.

        Shape [.., planes, words]; with panels [rows / R, .., planes, words, R].
        """
        leading = self.tensor.get_shape()[:-1]
        word = unsigned(self.word.data)
        if self.panel.data == 1:
            return TensorType(word, (*leading, self.planes, self.words))
        panels = -(-leading[0] // self.panel.data)
        inner = (*leading[1:], self.planes, self.words)
        return TensorType(word, (panels, *inner, self.panel.data))


def packed_type(value: SSAValue) -> PackedType:
    """The type of `value`, which must be packed.

    Raises:
        VerifyException: it is not.
    """
    if not isinstance(value.type, PackedType):
        raise VerifyException(f"expected a !qnn.packed value, got {value.type}")
    return value.type


@irdl_op_definition
class PackOp(IRDLOperation):
    """Cut a tensor into bit planes of machine words.

    | name    | kind    | shape   | unit             |
    | ------- | ------- | ------- | ---------------- |
    | `input` | operand | [.., K] | level            |
    | `out`   | result  | [.., K] | level, as planes |

    Source: bit-plane storage as in Umuroglu et al. 2018 (BISMO), arXiv:1806.08862.
    """

    name = "qnn.pack"

    input = operand_def()
    out = result_def(PackedType)

    traits = traits_def(Pure())
    assembly_format = "$input attr-dict `:` type($input) `->` type($out)"

    def __init__(self, input: SSAValue | Operation, out: PackedType):
        super().__init__(operands=[input], result_types=[out])

    def verify_(self) -> None:
        expect_level(self, "input", self.input)
        if tensor_type(self.input) != packed_type(self.out).tensor:
            raise VerifyException(
                f"qnn.pack: `out` must pack {self.input.type}, got {self.out.type}"
            )


@irdl_op_definition
class UnpackOp(IRDLOperation):
    """The tensor that bit planes stand for: the inverse of `qnn.pack`."""

    name = "qnn.unpack"

    input = operand_def(PackedType)
    out = result_def()

    traits = traits_def(Pure())
    assembly_format = "$input attr-dict `:` type($input) `->` type($out)"

    def __init__(self, input: SSAValue | Operation, out: Attribute):
        super().__init__(operands=[input], result_types=[out])

    def verify_(self) -> None:
        expect_level(self, "out", self.out)
        if tensor_type(self.out) != packed_type(self.input).tensor:
            raise VerifyException(
                f"qnn.unpack: `out` must be {packed_type(self.input).tensor}, "
                f"got {self.out.type}"
            )


@irdl_op_definition
class PackedMatMulOp(IRDLOperation):
    """A matrix of packed weights times packed vectors, by popcounts.

        out[.., h] = sum over w of input[.., w] * weights[h, w]

    computed plane by plane, K = MW, popcounts over the words of a row. With c_i, d_j
    the factors of the planes x_i, w_j (the last of siN negative, a ternary's -1 for the
    mask and 2 for the positive bit; see `qdialect.popcount`):

    - integer or ternary x integer or ternary: sum of c_i * d_j * popcount(x_i & w_j);
    - bipolar b x integer w: 2 * sum of d_j * popcount(b & w_j) - sum of d_j *
      popcount(w_j); likewise integer x bipolar;
    - bipolar x bipolar: K - 2 * popcount(x ^ w); bipolar x odd: that for each plane
      of signs, times 2^j; bipolar or ternary x sign and magnitude: that of a ternary
      with each plane of the magnitude as its mask, times 2^j;
    - ternary (mask m, positive p) x bipolar b: popcount(m) - 2 * popcount(m & (p ^ b));
      likewise bipolar x ternary;
    - ternary x ternary, in fewer popcounts: n - 2 * popcount(m & (p ^ q)), m the common
      mask, n its popcount.

    | name      | kind    | shape    | unit                    |
    | --------- | ------- | -------- | ----------------------- |
    | `input`   | operand | [.., MW] | activation, as planes   |
    | `weights` | operand | [MH, MW] | weight, as planes       |
    | `out`     | result  | [.., MH] | accumulator             |

    Raises:
        VerifyException: shapes or word sizes do not agree.

    Source: Rastegari et al. 2016, arXiv:1603.05279 (XNOR-popcount); Zhou et al. 2016,
    arXiv:1606.06160, eq. 3 (bit planes).
    """

    name = "qnn.packed_matmul"

    input = operand_def(PackedType)
    weights = operand_def(PackedType)
    out = result_def()

    traits = traits_def(Pure())
    assembly_format = (
        "$input `,` $weights attr-dict `:` type($input) `,` type($weights) `->` "
        "type($out)"
    )

    def __init__(
        self,
        input: SSAValue | Operation,
        weights: SSAValue | Operation,
        out: Attribute,
    ):
        super().__init__(operands=[input, weights], result_types=[out])

    def verify_(self) -> None:
        input, weights = packed_type(self.input), packed_type(self.weights)
        expect_level(self, "out", self.out)
        rows = weights.tensor.get_shape()
        vector = input.tensor.get_shape()
        if len(rows) != 2 or rows[1] != vector[-1]:
            raise VerifyException(
                f"qnn.packed_matmul: `weights` must pack a matrix [MH, {vector[-1]}], "
                f"got {cast(Attribute, weights.tensor)}"
            )
        if input.word != weights.word or input.panel.data != 1:
            raise VerifyException(
                "qnn.packed_matmul: `input` must have the words of `weights`, "
                f"{weights.word.data} bits, and no panels, got {input}"
            )
        expect_shape(self, "out", self.out, (*vector[:-1], rows[0]))
