"""Constants: small ones in place, large ones as symbols, codes with a table."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from xdsl.dialects.builtin import (
    StringAttr,
    SymbolNameConstraint,
    SymbolRefAttr,
    TensorType,
)
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.irdl import (
    AnyAttr,
    IRDLOperation,
    ParamAttrConstraint,
    VarConstraint,
    base,
    irdl_op_definition,
    operand_def,
    prop_def,
    result_def,
    traits_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import ConstantLike, Pure, SymbolOpInterface, SymbolTable
from xdsl.utils.exceptions import VerifyException

from qdialect.checks import expect_level
from qdialect.coded_data import CodedDataAttr
from qdialect.data import Array, RawBytes, TensorDataAttr, encode
from qdialect.types import (
    BipolarType,
    element_of,
    is_signed,
    shape_of,
    tensor_type,
    width_bits,
)


@irdl_op_definition
class ConstantOp(IRDLOperation):
    """A constant tensor.

        out = value

    | name    | kind     | shape | unit |
    | ------- | -------- | ----- | ---- |
    | `value` | property | any   | any  |
    | `out`   | result   | same  | same |
    """

    name = "qnn.constant"

    T: ClassVar = VarConstraint("T", AnyAttr())
    value = prop_def(ParamAttrConstraint(TensorDataAttr, (T, AnyAttr())))
    out = result_def(T)

    traits = traits_def(Pure(), ConstantLike())
    assembly_format = "$value attr-dict"

    def __init__(self, value: TensorDataAttr):
        super().__init__(properties={"value": value}, result_types=[value.type])


@irdl_op_definition
class WeightOp(IRDLOperation):
    """A constant tensor with a name, at module level: weights, tables, memories.

    | name       | kind     | shape | unit                         |
    | ---------- | -------- | ----- | ---------------------------- |
    | `sym_name` | property | -     | -                            |
    | `value`    | property | any   | any; plain or `#qnn.coded<>` |
    """

    name = "qnn.weight"

    sym_name = prop_def(SymbolNameConstraint())
    value = prop_def(base(TensorDataAttr) | base(CodedDataAttr))

    traits = traits_def(SymbolOpInterface())

    def __init__(self, sym_name: str, value: TensorDataAttr | CodedDataAttr):
        super().__init__(properties={"sym_name": StringAttr(sym_name), "value": value})

    @classmethod
    def parse(cls, parser: Parser) -> WeightOp:
        """`@name = <tensor<..>, ..>`, or `@name = #qnn.coded<..>`."""
        sym_name = parser.parse_symbol_name()
        parser.parse_punctuation("=")
        position = parser.pos
        value = parser.parse_optional_attribute()
        if value is None:
            value = TensorDataAttr.new(TensorDataAttr.parse_parameters(parser))
        if not isinstance(value, TensorDataAttr | CodedDataAttr):
            parser.raise_error("expected #qnn.data or #qnn.coded", position)
        op = WeightOp(sym_name.data, value)
        op.attributes.update(parser.parse_optional_attr_dict())
        return op

    def print(self, printer: Printer) -> None:
        """As `parse` reads it."""
        printer.print_string(" ")
        printer.print_symbol_name(self.sym_name.data)
        printer.print_string(" = ")
        if isinstance(self.value, TensorDataAttr):
            self.value.print_parameters(printer)
        else:
            printer.print_attribute(self.value)
        printer.print_op_attributes(self.attributes)

    @property
    def data(self) -> TensorDataAttr:
        """The constant as plain bytes, however it is stored."""
        return (
            self.value if isinstance(self.value, TensorDataAttr) else self.value.data()
        )


@irdl_op_definition
class LoadOp(IRDLOperation):
    """The value of a named constant.

        out = value of @weight

    | name     | kind     | shape             | unit              |
    | -------- | -------- | ----------------- | ----------------- |
    | `weight` | property | -                 | a `qnn.weight`    |
    | `out`    | result   | as the constant's | as the constant's |

    Where `out` is a `!qnn.packed` the constant holds its storage words.
    """

    name = "qnn.load"

    weight = prop_def(SymbolRefAttr)
    out = result_def()

    traits = traits_def(Pure(), ConstantLike())
    assembly_format = "$weight attr-dict `:` type($out)"

    def __init__(self, weight: str, type_: Attribute):
        super().__init__(
            properties={"weight": SymbolRefAttr(weight)}, result_types=[type_]
        )


@irdl_op_definition
class DecodeOp(IRDLOperation):
    """A constant tensor held as a code for each element and a table of its values.

        out[..] = table[codes[..]]

    | name    | kind    | shape | unit                            |
    | ------- | ------- | ----- | ------------------------------- |
    | `codes` | operand | any   | index of an entry, a constant   |
    | `table` | operand | [R]   | level, a constant               |
    | `out`   | result  | same  | level                           |

    It is a constant to whatever reads `out`: see `constant_data`. The codes are `uiN`,
    and the table has at most 2^N entries, of which each code names one.

    Raises:
        VerifyException: an operand is computed, a shape or an element type differs, or
            a code names no entry.

    Source: Han et al. 2016, Deep Compression, arXiv:1510.00149, section 3: codebooks.
    """

    name = "qnn.decode"

    codes = operand_def()
    table = operand_def()
    out = result_def()

    traits = traits_def(Pure(), ConstantLike())
    assembly_format = (
        "$codes `,` $table attr-dict `:` type($codes) `,` type($table) `->` type($out)"
    )

    def __init__(self, codes: SSAValue | Operation, table: SSAValue | Operation):
        codes, table = SSAValue.get(codes), SSAValue.get(table)
        out = TensorType(element_of(table), shape_of(codes))
        super().__init__(operands=[codes, table], result_types=[out])

    def verify_(self) -> None:
        for name in ("codes", "table", "out"):
            expect_level(self, name, getattr(self, name))
        for name, value in (("codes", self.codes), ("table", self.table)):
            if not isinstance(value.owner, ConstantOp | LoadOp):
                raise VerifyException(
                    f"qnn.decode: `{name}` must be a qnn.constant or a qnn.load"
                )
        code, shape = element_of(self.codes), shape_of(self.table)
        if isinstance(code, BipolarType) or is_signed(code):
            raise VerifyException(f"qnn.decode: `codes` must be uiN, got {code}")
        most = 1 << width_bits(code)
        if len(shape) != 1 or not 1 <= shape[0] <= most:
            raise VerifyException(
                f"qnn.decode: `table` of codes {code} must have shape [R] with R from "
                f"1 to {most}, got {list(shape)}"
            )
        expected = TensorType(element_of(self.table), shape_of(self.codes))
        if self.out.type != expected:
            raise VerifyException(
                f"qnn.decode: `out` must be {expected}, got {self.out.type}"
            )
        if shape[0] < most:
            self._expect_entries(shape[0])

    def _expect_entries(self, count: int) -> None:
        codes = constant_array(self.codes)
        if codes is not None and codes.size and int(codes.max()) >= count:
            raise VerifyException(
                f"qnn.decode: code {int(codes.max())} names none of {count} entries"
            )

    def decoded(self) -> TensorDataAttr | None:
        """The value of `out`, or None where the module lacks an operand's symbol."""
        codes, table = constant_array(self.codes), constant_data(self.table)
        if codes is None or table is None:
            return None
        type_ = tensor_type(self.out)
        if width_bits(type_.element_type) <= 64:
            values = table.to_numpy()[codes.astype(np.intp)]
            return TensorDataAttr(type_, RawBytes(encode(type_, values)))
        words, width = table.words(), width_bits(type_.element_type)
        chosen = [words[int(code)] for code in codes.ravel()]
        return TensorDataAttr(type_, TensorDataAttr.from_words(chosen, width).raw)


def weight_of(load: LoadOp) -> WeightOp | None:
    """The symbol that `load` names, or None where the module lacks it."""
    found = SymbolTable.lookup_symbol(load, load.weight)
    return found if isinstance(found, WeightOp) else None


def constant_data(value: SSAValue) -> TensorDataAttr | None:
    """The constant that `value` is, or None where it is computed."""
    match value.owner:
        case ConstantOp() as op:
            return op.value
        case LoadOp() as op:
            weight = weight_of(op)
            return weight.data if weight is not None else None
        case DecodeOp() as op:
            return op.decoded()
        case _:
            return None


def constant_array(value: SSAValue) -> Array | None:
    """The values of the constant that `value` is, or None where it is computed."""
    data = constant_data(value)
    return None if data is None else data.to_numpy()


def is_constant(value: SSAValue) -> bool:
    """Whether `value` is produced by a constant of this dialect."""
    return isinstance(value.owner, ConstantOp | LoadOp | DecodeOp)


def constant(array: Array, element: Attribute | None = None) -> ConstantOp:
    """An in-place constant with the values of `array`."""
    return ConstantOp(TensorDataAttr.from_numpy(array, element))


def containing_module(op: Operation) -> Operation:
    """The outermost operation around `op`."""
    while (parent := op.parent_op()) is not None:
        op = parent
    return op
