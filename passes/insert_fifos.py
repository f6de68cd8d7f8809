"""`insert-fifos`: put FIFOs between units, as deep as the frame rate needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, i64
from xdsl.dialects.func import FuncOp
from xdsl.ir import Block, Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint, Rewriter
from xdsl.utils.exceptions import PassFailedException

from qdialect import qflow
from qdialect.beats import DeadlockError
from qdialect.streams import StreamType, stream_type
from qdialect.timing import MIN_FIFO_DEPTH, fifo_depths
from qdialect.units import stream_functions, units


def _wants_fifo(op: Operation, operand: SSAValue, *, behind_taps: bool) -> bool:
    """Whether the stream `operand` of a unit comes through a FIFO.

    Not from outside, nor, unless `behind_taps`, from a sliding window that reads a tap
    when one is wanted. What a narrowing converter cannot pass on yet waits in front of
    it, where beats are wide, and what a widening one does behind it.
    """
    if not isinstance(operand.type, StreamType) or isinstance(operand.owner, Block):
        return False
    source = operand.owner
    if isinstance(source, qflow.SwuOp) and not source.is_parallel and not behind_taps:
        return False
    match op:
        case qflow.FifoOp() | qflow.ForkOp() | qflow.ReshapeOp():
            return False
        case qflow.DwcOp():
            return _narrows(op)
        case _:
            return not (isinstance(source, qflow.DwcOp) and _narrows(source))


def _narrows(op: qflow.DwcOp) -> bool:
    """Whether it gives more beats than it takes."""
    return stream_type(op.input).beats < stream_type(op.out).beats


def _remove_fifos(function: FuncOp) -> None:
    for op in list(units(function)):
        if isinstance(op, qflow.FifoOp):
            op.out.replace_all_uses_with(op.input)
            Rewriter.erase_op(op)


def _insert_fifos(function: FuncOp, *, behind_taps: bool) -> None:
    for op in list(units(function)):
        for index, operand in enumerate(op.operands):
            if _wants_fifo(op, operand, behind_taps=behind_taps):
                fifo = qflow.FifoOp(operand, MIN_FIFO_DEPTH)
                fifo.location = op.location
                Rewriter.insert_op(fifo, InsertPoint.before(op))
                op.operands[index] = fifo.out


@dataclass(frozen=True)
class InsertFifosPass(ModulePass):
    """Put a FIFO in front of every unit that reads another one.

    Where there is a converter between them, it stands on its wider side. A unit that
    reads the taps of a sliding window gets none: they wait in the window's store. Only
    where that is too small for a slower unit behind it, as it can be between frames of
    few windows, the next taps wait in a FIFO too.

    Its depth is computed from the schedule of every beat, see `qdialect/timing.py`: the
    least with which frames follow each other in the cycles of the slowest unit, which
    therefore never waits. FIFOs of an earlier run are dropped first. Exact: a FIFO
    changes when a beat passes, not what it is.
    """

    name = "insert-fifos"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for function in stream_functions(op):
            for fifo, depth in _placed(function).items():
                fifo.properties["depth"] = IntegerAttr(depth, i64)


def _placed(function: FuncOp) -> Mapping[Operation, int]:
    """Insert the FIFOs of a function; the depths that they need.

    Raises:
        PassFailedException: no depths let its frames pass as fast as the slowest unit.
    """
    failure = ""
    for behind_taps in (False, True):
        _remove_fifos(function)
        _insert_fifos(function, behind_taps=behind_taps)
        try:
            return fifo_depths(function)
        except DeadlockError as error:
            failure = str(error)
    raise PassFailedException(f"insert-fifos: @{function.sym_name.data}: {failure}")
