"""The CIRCT types that xDSL's hw dialect lacks, and SystemVerilog attributes."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import IntAttr, NoneAttr, StringAttr
from xdsl.ir import Attribute, ParametrizedAttribute, TypeAttribute
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException


@irdl_attr_definition
class UnpackedArrayType(ParametrizedAttribute, TypeAttribute):
    """An unpacked array of equal words, `!hw.uarray<256xi64>`: a memory."""

    name = "hw.uarray"

    element_type: Attribute
    size_attr: IntAttr

    def __init__(self, element_type: Attribute, size: int | IntAttr):
        size = IntAttr(size) if isinstance(size, int) else size
        super().__init__(element_type, size)

    def __len__(self) -> int:
        return self.size_attr.data

    @property
    def index_width_bits(self) -> int:
        """Width of an address; CIRCT asks for at least one bit."""
        return max(1, (len(self) - 1).bit_length())

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        with parser.in_angle_brackets():
            shape, element = parser.parse_ranked_shape()
        if len(shape) != 1:
            parser.raise_error("expected one size in hw.uarray")
        return (element, IntAttr(shape[0]))

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_string(f"{len(self)}x")
            printer.print_attribute(self.element_type)

    def verify(self) -> None:
        if len(self) < 1:
            raise VerifyException("hw.uarray must have at least one element")


@irdl_attr_definition
class InOutType(ParametrizedAttribute, TypeAttribute):
    """A place that can be read and written, `!hw.inout<!hw.uarray<256xi64>>`."""

    name = "hw.inout"

    element_type: Attribute

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        with parser.in_angle_brackets():
            # CIRCT prints a type of its own within another without the prefix.
            if parser.parse_optional_keyword("uarray") is not None:
                parameters = UnpackedArrayType.parse_parameters(parser)
                return (UnpackedArrayType.new(parameters),)
            return (parser.parse_type(),)

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_attribute(self.element_type)


@irdl_attr_definition
class SvAttribute(ParametrizedAttribute):
    """A SystemVerilog attribute, as in `#sv.attribute<"keep">`.

    The value is SystemVerilog text: a string value carries its own quotes.
    """

    name = "sv.attribute"

    key: StringAttr
    value: StringAttr | NoneAttr

    def __init__(self, key: str | StringAttr, value: str | Attribute | None = None):
        key = StringAttr(key) if isinstance(key, str) else key
        if value is None:
            value = NoneAttr()
        elif isinstance(value, str):
            value = StringAttr(value)
        super().__init__(key, value)

    @property
    def text(self) -> str:
        """The attribute as it stands between `(*` and `*)`."""
        if isinstance(self.value, NoneAttr):
            return self.key.data
        return f"{self.key.data} = {self.value.data}"

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        with parser.in_angle_brackets():
            key = StringAttr(parser.parse_str_literal())
            value: Attribute = NoneAttr()
            if parser.parse_optional_punctuation("=") is not None:
                value = StringAttr(parser.parse_str_literal())
        return (key, value)

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_attribute(self.key)
            if isinstance(self.value, StringAttr):
                printer.print_string(" = ")
                printer.print_attribute(self.value)
