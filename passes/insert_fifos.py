"""`insert-fifos`: put FIFOs between units, as deep as the frame rate needs."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, i64
from xdsl.dialects.func import FuncOp
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint, Rewriter
from xdsl.utils.exceptions import PassFailedException

from qdialect import qflow
from qdialect.beats import DeadlockError
from qdialect.streams import StreamType
from qdialect.timing import MIN_FIFO_DEPTH, fifo_depths
from qdialect.units import stream_functions, units


def _wants_fifo(op: Operation, operand: SSAValue) -> bool:
    """Whether the stream `operand` of a unit comes through a FIFO.

    Not from outside, nor from a sliding window, which gives its beats when they are
    wanted. Converters and wires pass beats on at once: what they cannot, waits behind.
    """
    passes_on = qflow.FifoOp | qflow.DwcOp | qflow.ForkOp | qflow.ReshapeOp
    return (
        isinstance(operand.type, StreamType)
        and isinstance(operand.owner, Operation)
        and not isinstance(op, passes_on)
        and not (isinstance(operand.owner, qflow.SwuOp) and _gives_taps(operand.owner))
    )


def _gives_taps(op: qflow.SwuOp) -> bool:
    """Whether it reads a tap when one is wanted; if not, it stalls with its window."""
    return not op.is_parallel


def _remove_fifos(function: FuncOp) -> None:
    for op in list(units(function)):
        if isinstance(op, qflow.FifoOp):
            op.out.replace_all_uses_with(op.input)
            Rewriter.erase_op(op)


def _insert_fifos(function: FuncOp) -> None:
    for op in list(units(function)):
        for index, operand in enumerate(op.operands):
            if _wants_fifo(op, operand):
                fifo = qflow.FifoOp(operand, MIN_FIFO_DEPTH)
                fifo.location = op.location
                Rewriter.insert_op(fifo, InsertPoint.before(op))
                op.operands[index] = fifo.out


@dataclass(frozen=True)
class InsertFifosPass(ModulePass):
    """Put a FIFO in front of every unit that reads another one, behind any converter.

    Only a unit that reads a sliding window gets none: the window waits in its store.

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
