"""A plug-in: a dialect with one operation, its meaning, and a pass that removes it."""

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Dialect, Operation
from xdsl.irdl import (
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    result_def,
    traits_def,
)
from xdsl.passes import ModulePass
from xdsl.traits import Pure

from lowering.interpreter.values import Value, as_array


@irdl_op_definition
class FlipOp(IRDLOperation):
    """out = -input."""

    name = "mine.flip"
    input = operand_def()
    out = result_def()
    traits = traits_def(Pure())
    assembly_format = "$input attr-dict `:` type($input) `->` type($out)"


def run_flip(op: Operation, operands: Sequence[Value]) -> list[Value] | None:
    """What `mine.flip` computes."""
    return [-as_array(operands[0])] if isinstance(op, FlipOp) else None


@dataclass(frozen=True)
class DropFlipsPass(ModulePass):
    """Take out two flips in a row. Nothing else."""

    name = "drop-flips"

    single: bool = False
    """Take out single ones too, which is wrong."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for flip in [inner for inner in op.walk() if isinstance(inner, FlipOp)]:
            source = flip.input.owner
            if isinstance(source, FlipOp):
                flip.out.replace_all_uses_with(source.input)
            elif self.single:
                flip.out.replace_all_uses_with(flip.input)


DIALECTS = (Dialect("mine", [FlipOp]),)
PASSES = (DropFlipsPass,)
INTERPRETER = (run_flip,)
