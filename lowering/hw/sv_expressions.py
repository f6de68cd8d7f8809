"""SystemVerilog expressions of the combinational operations.

All operands of an operation have one width, so no operand is ever extended by its
context. Signed operators stand inside `$signed(...)` or `$unsigned(...)`, whose
argument takes no signedness from outside.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from xdsl.dialects import comb, hw
from xdsl.ir import Operation, SSAValue

from lowering.hw.circt_ops import (
    ArrayIndexInOutOp,
    FromClockOp,
    ReadInOutOp,
    WireOp,
)
from lowering.hw.hierarchy import CircuitError, constant_value, describe, width_bits
from lowering.hw.sv_operations import is_all_ones
from lowering.hw.sv_plan import selected_bits

MAX_DECIMAL_BITS = 32
"""Wider constants are written in hexadecimal."""


class Binding(IntEnum):
    """How tightly an expression holds together, loosest first."""

    CONDITIONAL = 0
    OR = 1
    XOR = 2
    AND = 3
    EQUALITY = 4
    RELATIONAL = 5
    SHIFT = 6
    SUM = 7
    PRODUCT = 8
    UNARY = 9
    ATOM = 10


_BITWISE = (Binding.OR, Binding.XOR, Binding.AND)

_VARIADIC: dict[type[Operation], tuple[str, Binding]] = {
    comb.AddOp: ("+", Binding.SUM),
    comb.AndOp: ("&", Binding.AND),
    comb.MulOp: ("*", Binding.PRODUCT),
    comb.OrOp: ("|", Binding.OR),
    comb.XorOp: ("^", Binding.XOR),
}

_BINARY: dict[type[Operation], tuple[str, Binding]] = {
    comb.DivUOp: ("/", Binding.PRODUCT),
    comb.ModUOp: ("%", Binding.PRODUCT),
    comb.ShlOp: ("<<", Binding.SHIFT),
    comb.ShrUOp: (">>", Binding.SHIFT),
    comb.SubOp: ("-", Binding.SUM),
}

_SIGNED: dict[type[Operation], str] = {
    comb.DivSOp: "$unsigned($signed({0}) / $signed({1}))",
    comb.ModSOp: "$unsigned($signed({0}) % $signed({1}))",
    comb.ShrSOp: "$unsigned($signed({0}) >>> {1})",
}

_COMPARISONS = {
    "eq": "==",
    "ne": "!=",
    "slt": "<",
    "sle": "<=",
    "sgt": ">",
    "sge": ">=",
    "ult": "<",
    "ule": "<=",
    "ugt": ">",
    "uge": ">=",
}


def literal(value: int, width_bits: int) -> str:
    """The unsigned constant `value`.

    >>> literal(5, 8), literal(1, 1), literal(255, 40)
    ("8'd5", "1'b1", "40'hff")
    """
    if width_bits == 1:
        return f"1'b{value}"
    if width_bits <= MAX_DECIMAL_BITS:
        return f"{width_bits}'d{value}"
    return f"{width_bits}'h{value:x}"


def signed_literal(value: int, width_bits: int) -> str:
    """The constant whose bits are those of `value`, for a signed comparison.

    >>> signed_literal(251, 8), signed_literal(5, 8), signed_literal(128, 8)
    ("-8'sd5", "8'sd5", "8'sh80")
    """
    least = 1 << (width_bits - 1)
    if width_bits > MAX_DECIMAL_BITS or value == least:
        return f"{width_bits}'sh{value:x}"
    if value > least:
        return f"-{width_bits}'sd{(least << 1) - value}"
    return f"{width_bits}'sd{value}"


class Expressions:
    """Writes values of one module, given the names of its signals."""

    def __init__(self, names: dict[SSAValue, str]) -> None:
        self._names = names

    def use(self, value: SSAValue) -> str:
        """`value` where it is read: its name, or its expression in place."""
        return self._use(value)[0]

    def definition(self, value: SSAValue) -> str:
        """The expression that defines the signal `value`."""
        assert isinstance(value.owner, Operation)
        return self._expression(value.owner)[0]

    def place(self, value: SSAValue) -> str:
        """A memory, or a word of it, as the target of an assignment."""
        if isinstance(owner := value.owner, ArrayIndexInOutOp):
            return f"{self._names[owner.input]}[{self.use(owner.index)}]"
        return self._names[value]

    def _use(self, value: SSAValue) -> tuple[str, Binding]:
        if (constant := constant_value(value)) is not None:
            return literal(constant, width_bits(value.type, "constant")), Binding.ATOM
        if (name := self._names.get(value)) is not None:
            return name, Binding.ATOM
        assert isinstance(value.owner, Operation)
        return self._expression(value.owner)

    def _operand(self, value: SSAValue, around: Binding, *, same: bool = False) -> str:
        """`value` as an operand, in parentheses where the reader wants them."""
        text, binding = self._use(value)
        if binding >= Binding.UNARY or (same and binding == around):
            return text
        mixed = around in _BITWISE or binding in _BITWISE or around == Binding.SHIFT
        return f"({text})" if mixed or binding <= around else text

    def _expression(self, op: Operation) -> tuple[str, Binding]:
        if (variadic := _VARIADIC.get(type(op))) is not None:
            return self._variadic(op, *variadic)
        if (binary := _BINARY.get(type(op))) is not None:
            sign, binding = binary
            lhs, rhs = (self._operand(v, binding) for v in op.operands)
            return f"{lhs} {sign} {rhs}", binding
        if (signed := _SIGNED.get(type(op))) is not None:
            return signed.format(*map(self._shielded, op.operands)), Binding.ATOM
        match op:
            case comb.ICmpOp():
                return self._comparison(op)
            case comb.MuxOp():
                return self._conditional(
                    self._operand(op.cond, Binding.CONDITIONAL),
                    self._operand(op.true_value, Binding.CONDITIONAL),
                    self.use(op.false_value),
                )
            case _:
                return self._wiring(op), Binding.ATOM

    def _wiring(self, op: Operation) -> str:
        """Operations that move bits and compute nothing."""
        match op:
            case comb.ExtractOp():
                return self._selection(op)
            case comb.ConcatOp():
                return f"{{{', '.join(map(self.use, op.inputs))}}}"
            case comb.ReplicateOp():
                width = width_bits(op.result.type, describe(op))
                count = width // width_bits(op.input.type, describe(op))
                return f"{{{count}{{{self.use(op.input)}}}}}"
            case hw.ArrayGetOp():
                return f"({self._table(op)})"
            case FromClockOp() | WireOp():
                return self.use(op.input)
            case ReadInOutOp():
                return self.place(op.input)
            case _:
                raise CircuitError(f"{describe(op)} has no SystemVerilog expression")

    def _variadic(
        self, op: Operation, sign: str, binding: Binding
    ) -> tuple[str, Binding]:
        operands = list(op.operands)
        inverted = isinstance(op, comb.XorOp) and is_all_ones(operands[-1])
        if inverted and len(operands) > 1:
            operands.pop()
        texts = [
            self._operand(v, binding, same=type(v.owner) is type(op)) for v in operands
        ]
        if not (inverted and len(op.operands) > 1):
            return f" {sign} ".join(texts), binding if len(texts) > 1 else Binding.ATOM
        if len(texts) == 1:
            return f"~{self._operand(operands[0], Binding.UNARY)}", Binding.UNARY
        return f"~({f' {sign} '.join(texts)})", Binding.UNARY

    def _comparison(self, op: comb.ICmpOp) -> tuple[str, Binding]:
        predicate = comb.ICMP_COMPARISON_OPERATIONS[op.predicate.value.data]
        equality = predicate in ("eq", "ne")
        binding = Binding.EQUALITY if equality else Binding.RELATIONAL
        if predicate.startswith("s"):
            lhs, rhs = (self._signed_operand(v) for v in op.operands)
        else:
            lhs, rhs = (self._operand(v, binding) for v in op.operands)
        return f"{lhs} {_COMPARISONS[predicate]} {rhs}", binding

    def _signed_operand(self, value: SSAValue) -> str:
        if (constant := constant_value(value)) is not None:
            return signed_literal(constant, width_bits(value.type, "constant"))
        return f"$signed({self.use(value)})"

    def _shielded(self, value: SSAValue) -> str:
        text, binding = self._use(value)
        return text if binding == Binding.ATOM else f"({text})"

    def _conditional(self, cond: str, yes: str, no: str) -> tuple[str, Binding]:
        return f"{cond} ? {yes} : {no}", Binding.CONDITIONAL

    def _selection(self, op: comb.ExtractOp) -> str:
        source, low = selected_bits(op, self._names)
        width = width_bits(op.result.type, describe(op))
        whole = width_bits(source.type, describe(op))
        if low + width > whole:
            raise CircuitError(
                f"{describe(op)} takes bits {low} to {low + width - 1} of {whole}"
            )
        name = self._names[source]
        if width == whole:
            return name
        return f"{name}[{low}]" if width == 1 else f"{name}[{low + width - 1}:{low}]"

    def _table(self, op: hw.ArrayGetOp) -> str:
        """A choice between values by the bits of an index, highest bit first.

        An index past the last value chooses the last.
        """
        if not isinstance(create := op.input.owner, hw.ArrayCreateOp):
            raise CircuitError(f"{describe(op)} must read an hw.array_create")
        # The first operand of hw.array_create is the element of highest index.
        elements = [self._operand(v, Binding.CONDITIONAL) for v in create.inputs][::-1]
        index_width = width_bits(op.index.type, describe(op))
        if (index := constant_value(op.index)) is not None:
            bits = [literal(index >> b & 1, 1) for b in range(index_width)]
        elif index_width == 1:
            bits = [self._names[op.index]]
        else:
            bits = [f"{self._names[op.index]}[{b}]" for b in range(index_width)]
        return _choice(elements, bits)


def _choice(elements: Sequence[str], bits: Sequence[str]) -> str:
    """`elements` chosen by `bits`, lowest first."""
    if len(elements) == 1 or not bits:
        return elements[0]
    half = 1 << (len(bits) - 1)
    low = _choice(elements[:half], bits[:-1])
    high = _choice(elements[half:] or elements[-1:], bits[:-1])
    return f"{bits[-1]} ? {_grouped(high)} : {low}"


def _grouped(text: str) -> str:
    return f"({text})" if "?" in text and not text.startswith("(") else text
