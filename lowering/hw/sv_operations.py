"""What the printer asks of operations: which they are, what they read, who needs them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from xdsl.dialects import comb, hw, seq
from xdsl.ir import Operation, SSAValue

from lowering.hw.circt_ops import (
    AlwaysOp,
    ArrayIndexInOutOp,
    CompRegClockEnabledOp,
    FromClockOp,
    InitialOp,
    ReadInOutOp,
    ReadMemOp,
    RegOp,
    WireOp,
    name_of,
    sv_attributes,
)
from lowering.hw.circt_types import InOutType
from lowering.hw.hierarchy import constant_value, width_bits

COMBINATIONAL = (
    comb.AddOp,
    comb.AndOp,
    comb.ConcatOp,
    comb.DivSOp,
    comb.DivUOp,
    comb.ExtractOp,
    comb.ICmpOp,
    comb.ModSOp,
    comb.ModUOp,
    comb.MulOp,
    comb.MuxOp,
    comb.OrOp,
    comb.ReplicateOp,
    comb.ShlOp,
    comb.ShrSOp,
    comb.ShrUOp,
    comb.SubOp,
    comb.XorOp,
    hw.ArrayCreateOp,
    hw.ArrayGetOp,
    hw.ConstantOp,
    FromClockOp,
    ReadInOutOp,
    WireOp,
)
"""Operations whose result follows from their operands at once."""

STRUCTURAL = (
    hw.InstanceOp,
    hw.OutputOp,
    AlwaysOp,
    ArrayIndexInOutOp,
    InitialOp,
    RegOp,
    seq.CompRegOp,
    CompRegClockEnabledOp,
)


def is_all_ones(value: SSAValue) -> bool:
    """Whether `value` is a constant with every bit set."""
    constant = constant_value(value)
    if constant is None:
        return False
    return constant == (1 << width_bits(value.type, "constant")) - 1


def width_bits_or_zero(value: SSAValue) -> int:
    """Width of a signal; 0 for a place or an array, which has no bits of its own."""
    if isinstance(value.type, InOutType | hw.ArrayType):
        return 0
    return width_bits(value.type, "signal")


def hint_of(op: Operation) -> str | None:
    """The name given to the result of `op`, or the one it has in the text of the IR."""
    return name_of(op) or op.results[0].name_hint


def trailing_bits(bits: int, bit: int) -> int:
    """Number of lowest bits of `bits` that are equal to `bit`."""
    flipped = bits if bit == 0 else ~bits
    return (flipped & -flipped).bit_length() - 1


def is_root(op: Operation) -> bool:
    """Whether `op` is printed though nothing reads it."""
    match op:
        case hw.OutputOp() | hw.InstanceOp():
            return True
        case WireOp():
            return op.inner_sym is not None or bool(sv_attributes(op))
        case _:
            return False


def sources_of(op: Operation) -> Iterator[Operation]:
    """Operations without which `op` cannot be written."""
    for inner in op.walk():
        for operand in inner.operands:
            owner = operand.owner
            if isinstance(owner, Operation) and owner.parent is op.parent:
                yield owner
    if isinstance(op, RegOp):
        for use in op.result.uses:
            if (writer := _procedure_of(use.operation, op)) is not None:
                yield writer


def _procedure_of(op: Operation, memory: RegOp) -> Operation | None:
    """The `sv.always` or `sv.initial` in which `op` uses `memory`, if it does."""
    while (parent := op.parent_op()) is not None and parent is not memory.parent_op():
        op = parent
    return op if isinstance(op, AlwaysOp | InitialOp) else None


def combinational_sources(op: Operation) -> Iterator[Operation]:
    """The operations whose text may stand in the expression of `op`."""
    for operand in expression_operands(op):
        if isinstance(operand.owner, COMBINATIONAL):
            yield operand.owner


def expression_operands(op: Operation) -> Sequence[SSAValue]:
    """The values whose text stands in the expression of `op`."""
    if isinstance(op, ReadInOutOp):
        place = op.input.owner
        return (place.index,) if isinstance(place, ArrayIndexInOutOp) else ()
    return op.operands


def is_always_in_place(op: Operation) -> bool:
    """Whether `op` is written where it is used, however often."""
    return (
        isinstance(op, hw.ConstantOp | FromClockOp | hw.ArrayCreateOp)
        or constant_value(op.results[0]) is not None
    )


def memory_files(op: InitialOp) -> Iterator[ReadMemOp]:
    """The memory files that `op` reads."""
    return (inner for inner in op.walk() if isinstance(inner, ReadMemOp))
