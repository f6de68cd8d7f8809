"""`insert-fifos`: put FIFOs between units, as deep as the frame rate needs."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, i64
from xdsl.dialects.func import FuncOp
from xdsl.ir import Operation
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint, Rewriter
from xdsl.utils.exceptions import PassFailedException

from qdialect import qflow
from qdialect.beats import DeadlockError
from qdialect.timing import MIN_FIFO_DEPTH, fifo_depths
from qdialect.units import stream_functions, units


def _wants_fifo(op: Operation) -> bool:
    """Whether the unit's input comes from a unit, and it is not itself a connection.

    A converter passes beats on at once: what it cannot, waits behind it. The first unit
    takes its beats from outside.
    """
    return not isinstance(op, qflow.FifoOp | qflow.DwcOp | qflow.ForkOp) and isinstance(
        op.operands[0].owner, Operation
    )


def _remove_fifos(function: FuncOp) -> None:
    for op in list(units(function)):
        if isinstance(op, qflow.FifoOp):
            op.out.replace_all_uses_with(op.input)
            Rewriter.erase_op(op)


def _insert_fifos(function: FuncOp) -> None:
    for op in list(units(function)):
        if _wants_fifo(op):
            fifo = qflow.FifoOp(op.operands[0], MIN_FIFO_DEPTH)
            fifo.location = op.location
            Rewriter.insert_op(fifo, InsertPoint.before(op))
            op.operands[0] = fifo.out


@dataclass(frozen=True)
class InsertFifosPass(ModulePass):
    """Put a FIFO in front of every unit that reads another one, behind any converter.

    Its depth is computed from the schedule of every beat, see `qdialect/timing.py`: the
    least with which frames follow each other in the cycles of the slowest unit, which
    therefore never waits. FIFOs of an earlier run are dropped first. Exact: a FIFO
    changes when a beat passes, not what it is.
    """

    name = "insert-fifos"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for function in stream_functions(op):
            _remove_fifos(function)
            _insert_fifos(function)
            try:
                depths = fifo_depths(function)
            except DeadlockError as error:
                raise PassFailedException(
                    f"insert-fifos: @{function.sym_name.data}: {error}"
                ) from None
            for fifo, depth in depths.items():
                fifo.properties["depth"] = IntegerAttr(depth, i64)
