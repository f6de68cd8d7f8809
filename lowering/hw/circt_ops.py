"""The CIRCT operations that xDSL's hw and seq dialects lack, and the sv dialect.

The circuit level consists of xDSL's ``hw``, ``comb`` and ``seq`` operations plus
those defined here, all under CIRCT's names and in CIRCT's own syntax, so that
CIRCT parses the printed module as it stands.

Names a reader of the SystemVerilog sees are kept in two places: registers, memories
and wires carry a ``name`` attribute, all other operations an ``sv.namehint``
attribute. Tool attributes such as ``(* rom_style = "block" *)`` are the list
``sv.attributes`` of `SvAttribute`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from xdsl.context import Context
from xdsl.dialects.builtin import (
    I32,
    ArrayAttr,
    IntegerAttr,
    IntegerType,
    StringAttr,
    i1,
    i32,
)
from xdsl.dialects.comb import Comb
from xdsl.dialects.hw import HW, InnerSymAttr
from xdsl.dialects.seq import Seq, clock
from xdsl.ir import (
    Attribute,
    Block,
    Dialect,
    Operation,
    Region,
    SSAValue,
)
from xdsl.irdl import (
    AnyAttr,
    AttrSizedOperandSegments,
    IRDLOperation,
    ParamAttrConstraint,
    ParsePropInAttrDict,
    VarConstraint,
    irdl_op_definition,
    operand_def,
    opt_operand_def,
    opt_prop_def,
    prop_def,
    region_def,
    result_def,
    traits_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import NoTerminator
from xdsl.utils.exceptions import VerifyException
from xdsl.utils.hints import isa

from lowering.hw.circt_types import InOutType, SvAttribute, UnpackedArrayType

NAME_HINT = "sv.namehint"
SV_ATTRIBUTES = "sv.attributes"
MEM_BASE_HEX = 1
EVENT_POSEDGE = 0


def sv_attributes(op: Operation) -> tuple[SvAttribute, ...]:
    """The tool attributes of `op`, in the order in which they are printed."""
    attributes = op.attributes.get(SV_ATTRIBUTES)
    return attributes.data if isa(attributes, ArrayAttr[SvAttribute]) else ()


def name_of(op: Operation) -> str | None:
    """The name a reader should see for the result of `op`, if one was given."""
    for source in (op.properties, op.attributes):
        for key in ("name", NAME_HINT):
            if isinstance(hint := source.get(key), StringAttr):
                return hint.data
    return None


@irdl_op_definition
class WireOp(IRDLOperation):
    """A named wire that holds its input and survives as a wire in the output.

    It is the place for tool attributes: `(* keep *)` on it keeps the adder before it
    apart from the adder after it.
    """

    name = "hw.wire"

    T: ClassVar = VarConstraint("T", AnyAttr())

    input = operand_def(T)
    inner_sym = opt_prop_def(InnerSymAttr)
    wire_name = opt_prop_def(StringAttr, prop_name="name")
    result = result_def(T)

    assembly_format = (
        "$input (`sym` $inner_sym^)? (`name` $name^)? attr-dict `:` type($input)"
    )

    def __init__(self, input: SSAValue, wire_name: str | None = None):
        super().__init__(
            operands=[input],
            properties={} if wire_name is None else {"name": StringAttr(wire_name)},
            result_types=[input.type],
        )


@irdl_op_definition
class CompRegClockEnabledOp(IRDLOperation):
    """A register that loads its input at a rising clock edge where `enable` is set.

    The reset is synchronous and does not wait for `enable`.
    """

    name = "seq.compreg.ce"

    T: ClassVar = VarConstraint("T", AnyAttr())

    inner_sym = opt_prop_def(InnerSymAttr)
    input = operand_def(T)
    clk = operand_def(clock)
    clock_enable = operand_def(i1)
    reset = opt_operand_def(i1)
    reset_value = opt_operand_def(T)
    data = result_def(T)

    irdl_options = (AttrSizedOperandSegments(),)

    assembly_format = (
        "(`sym` $inner_sym^)? $input `,` $clk `,` $clock_enable "
        "(`reset` $reset^ `,` $reset_value)? attr-dict `:` type($input)"
    )

    def __init__(
        self,
        input: SSAValue,
        clk: SSAValue,
        clock_enable: SSAValue,
        reset: tuple[SSAValue, SSAValue] | None = None,
    ):
        super().__init__(
            operands=[input, clk, clock_enable, *(reset or (None, None))],
            result_types=[input.type],
        )

    def verify_(self) -> None:
        if (self.reset is None) != (self.reset_value is None):
            raise VerifyException("reset and reset value must be given together")


@irdl_op_definition
class FromClockOp(IRDLOperation):
    """A clock as a plain bit, as `sv.always` wants it."""

    name = "seq.from_clock"

    input = operand_def(clock)
    output = result_def(i1)

    assembly_format = "$input attr-dict"

    def __init__(self, input: SSAValue):
        super().__init__(operands=[input], result_types=[i1])


@irdl_op_definition
class RegOp(IRDLOperation):
    """A memory, or a variable written by procedural code: `reg [w-1:0] name [0:d-1]`."""

    name = "sv.reg"

    reg_name = prop_def(StringAttr, prop_name="name")
    result = result_def(InOutType)

    irdl_options = (ParsePropInAttrDict(),)

    assembly_format = "attr-dict `:` type($result)"

    def __init__(self, reg_name: str, element_type: Attribute):
        super().__init__(
            properties={"name": StringAttr(reg_name)},
            result_types=[InOutType(element_type)],
        )


@irdl_op_definition
class InitialOp(IRDLOperation):
    """Statements executed once before the first clock edge."""

    name = "sv.initial"

    body = region_def("single_block")

    traits = traits_def(NoTerminator())

    assembly_format = "$body attr-dict"

    def __init__(self, body: Sequence[Operation] | Region):
        super().__init__(regions=[_region(body)])


@irdl_op_definition
class ReadMemOp(IRDLOperation):
    """Fill a memory from a file of hexadecimal words, `$readmemh(filename, dest)`."""

    name = "sv.readmem"

    dest = operand_def(InOutType)
    filename = prop_def(StringAttr)
    base = prop_def(IntegerAttr[I32])

    def __init__(self, dest: SSAValue, filename: str | StringAttr):
        filename = StringAttr(filename) if isinstance(filename, str) else filename
        super().__init__(
            operands=[dest],
            properties={"filename": filename, "base": IntegerAttr(MEM_BASE_HEX, i32)},
        )

    def verify_(self) -> None:
        if self.base.value.data != MEM_BASE_HEX:
            raise VerifyException(
                "only hexadecimal memory files (MemBaseHex) are known"
            )

    @classmethod
    def parse(cls, parser: Parser) -> ReadMemOp:
        dest = parser.parse_unresolved_operand()
        parser.parse_punctuation(",")
        filename = parser.parse_str_literal()
        parser.parse_punctuation(",")
        parser.parse_keyword("MemBaseHex")
        attributes = parser.parse_optional_attr_dict()
        parser.parse_punctuation(":")
        op = cls(parser.resolve_operand(dest, parser.parse_type()), filename)
        op.attributes.update(attributes)
        return op

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_operand(self.dest)
        printer.print_string(", ")
        printer.print_attribute(self.filename)
        printer.print_string(", MemBaseHex")
        printer.print_op_attributes(self.attributes)
        printer.print_string(" : ")
        printer.print_attribute(self.dest.type)


@irdl_op_definition
class ArrayIndexInOutOp(IRDLOperation):
    """The word of a memory at an address: `input[index]`."""

    name = "sv.array_index_inout"

    T: ClassVar = VarConstraint("T", AnyAttr())

    input = operand_def(
        ParamAttrConstraint(
            InOutType, (ParamAttrConstraint(UnpackedArrayType, (T, AnyAttr())),)
        )
    )
    index = operand_def(IntegerType)
    result = result_def(ParamAttrConstraint(InOutType, (T,)))

    assembly_format = (
        "$input `[` $index `]` attr-dict `:` type($input) `,` type($index)"
    )

    def __init__(self, input: SSAValue, index: SSAValue):
        assert isinstance(input.type, InOutType)
        array = input.type.element_type
        assert isinstance(array, UnpackedArrayType)
        super().__init__(
            operands=[input, index], result_types=[InOutType(array.element_type)]
        )

    def verify_(self) -> None:
        assert isinstance(self.input.type, InOutType)
        array = self.input.type.element_type
        assert isinstance(array, UnpackedArrayType)
        assert isa(self.index.type, IntegerType)
        found, expected = self.index.type.width.data, array.index_width_bits
        if found != expected:
            raise VerifyException(
                f"address of a memory of {len(array)} words must be i{expected}, "
                f"found i{found}"
            )


@irdl_op_definition
class ReadInOutOp(IRDLOperation):
    """The value now standing in a place (combinational read)."""

    name = "sv.read_inout"

    T: ClassVar = VarConstraint("T", AnyAttr())

    input = operand_def(ParamAttrConstraint(InOutType, (T,)))
    result = result_def(T)

    assembly_format = "$input attr-dict `:` type($input)"

    def __init__(self, input: SSAValue):
        assert isinstance(input.type, InOutType)
        super().__init__(operands=[input], result_types=[input.type.element_type])


@irdl_op_definition
class AlwaysOp(IRDLOperation):
    """Statements executed at each rising edge: `always @(posedge clk) ...`."""

    name = "sv.always"

    clk = operand_def(i1)
    events = prop_def(ArrayAttr[IntegerAttr[I32]])
    body = region_def("single_block")

    traits = traits_def(NoTerminator())

    def __init__(self, clk: SSAValue, body: Sequence[Operation] | Region):
        events = ArrayAttr([IntegerAttr(EVENT_POSEDGE, i32)])
        super().__init__(
            operands=[clk], properties={"events": events}, regions=[_region(body)]
        )

    def verify_(self) -> None:
        if [event.value.data for event in self.events.data] != [EVENT_POSEDGE]:
            raise VerifyException("only one event, the rising edge, is known")

    @classmethod
    def parse(cls, parser: Parser) -> AlwaysOp:
        parser.parse_keyword("posedge")
        clk = parser.resolve_operand(parser.parse_unresolved_operand(), i1)
        return cls(clk, parser.parse_region())

    def print(self, printer: Printer) -> None:
        printer.print_string(" posedge ")
        printer.print_operand(self.clk)
        printer.print_string(" ")
        printer.print_region(self.body)


@irdl_op_definition
class IfOp(IRDLOperation):
    """Statements executed where `cond` holds; there is no else branch."""

    name = "sv.if"

    cond = operand_def(i1)
    body = region_def("single_block")

    traits = traits_def(NoTerminator())

    assembly_format = "$cond attr-dict-with-keyword $body"

    def __init__(self, cond: SSAValue, body: Sequence[Operation] | Region):
        super().__init__(operands=[cond], regions=[_region(body)])


@irdl_op_definition
class PAssignOp(IRDLOperation):
    """Non-blocking assignment, `dest <= src`."""

    name = "sv.passign"

    T: ClassVar = VarConstraint("T", AnyAttr())

    dest = operand_def(ParamAttrConstraint(InOutType, (T,)))
    src = operand_def(T)

    assembly_format = "$dest `,` $src attr-dict `:` type($src)"

    def __init__(self, dest: SSAValue, src: SSAValue):
        super().__init__(operands=[dest, src])


def _region(body: Sequence[Operation] | Region) -> Region:
    return body if isinstance(body, Region) else Region(Block(body))


_HW_OPS = (WireOp,)
_HW_TYPES = (UnpackedArrayType, InOutType)
_SEQ_OPS = (CompRegClockEnabledOp, FromClockOp)

Sv = Dialect(
    "sv",
    [
        RegOp,
        InitialOp,
        ReadMemOp,
        ArrayIndexInOutOp,
        ReadInOutOp,
        AlwaysOp,
        IfOp,
        PAssignOp,
    ],
    [SvAttribute],
)

HwExtended = Dialect("hw", [*HW.operations, *_HW_OPS], [*HW.attributes, *_HW_TYPES])
"""xDSL's hw with what it lacks; to be registered in place of xDSL's own."""

SeqExtended = Dialect("seq", [*Seq.operations, *_SEQ_OPS], list(Seq.attributes))
"""xDSL's seq with what it lacks; to be registered in place of xDSL's own."""


def load_circuit_dialects(ctx: Context) -> None:
    """Load everything the circuit level consists of into a context without it."""
    for dialect in (HwExtended, Comb, SeqExtended, Sv):
        ctx.load_dialect(dialect)
