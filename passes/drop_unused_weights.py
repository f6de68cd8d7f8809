"""`drop-unused-weights`: erase constants of the module that nothing reads."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from qdialect.constants import DecodeOp, LoadOp, WeightOp


@dataclass(frozen=True)
class DropUnusedWeightsPass(ModulePass):
    """Erase every `qnn.weight` that no `qnn.load` names, and loads that nothing reads.

    Not for the circuit level, whose memories are read by name from hardware.
    """

    name = "drop-unused-weights"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for decode in list(op.walk()):
            if isinstance(decode, DecodeOp) and not decode.out.uses:
                decode.detach()
                decode.erase()
        loads = [inner for inner in op.walk() if isinstance(inner, LoadOp)]
        for load in loads:
            if not load.out.uses:
                load.detach()
                load.erase()
        read = {load.weight.string_value() for load in loads if load.parent is not None}
        for weight in list(op.body.block.ops):
            if isinstance(weight, WeightOp) and weight.sym_name.data not in read:
                weight.detach()
                weight.erase()
