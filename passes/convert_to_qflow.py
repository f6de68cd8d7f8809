"""`convert-to-qflow`: turn the integer core of a network into units joined by streams."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import FunctionType, FusedLoc, ModuleOp, NoneAttr, TensorType
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Attribute, Block, Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import (
    GreedyRewritePatternApplier,
    PatternRewriter,
    PatternRewriteWalker,
    RewritePattern,
    op_type_rewrite_pattern,
)
from xdsl.rewriter import InsertPoint, Rewriter
from xdsl.utils.exceptions import PassFailedException

from passes.arithmetic_into_activations import (
    ArithmeticIntoLookup,
    ArithmeticIntoThreshold,
)
from qdialect import qflow
from qdialect.activation import LookupOp, ThresholdOp
from qdialect.constants import ConstantOp, LoadOp, constant, constant_array, is_constant
from qdialect.data import Array
from qdialect.linear import MatMulOp
from qdialect.location import where
from qdialect.selection import TopKOp
from qdialect.shaping import ReshapeOp
from qdialect.streams import StreamType, stream_of, stream_type
from qdialect.types import element_of, is_level, shape_of

_ACCEPTED = (
    "qnn.matmul by constant weights, qnn.threshold, qnn.lookup, qnn.topk, qnn.reshape, "
    "and arithmetic with constants before a threshold or a lookup"
)


def _refuse(op: Operation, problem: str) -> PassFailedException:
    return PassFailedException(f"convert-to-qflow: {where(op)}: {problem}")


class FuseThreshold(RewritePattern):
    """A product and its only reader, a threshold, become one unit.

    %a = qflow.mvu %x, %w : -> stream of accumulators
    %y = qflow.threshold %a, %t          -->  %y = qflow.mvu %x, %w thresholds %t
    """

    @op_type_rewrite_pattern
    def match_and_rewrite(
        self, op: qflow.ThresholdOp, rewriter: PatternRewriter, /
    ) -> None:
        product = op.input.owner
        if (
            not isinstance(product, qflow.MvuOp)
            or product.thresholds is not None
            or not product.out.has_one_use()
        ):
            return
        fused = qflow.MvuOp(
            product.input,
            product.weights,
            stream_type(op.out),
            accumulator=product.accumulator,
            thresholds=op.thresholds,
            falling=op.falling,
            offset=op.offset.value.data,
        )
        fused.location = FusedLoc((product.location, op.location), NoneAttr())
        rewriter.replace(op, fused)
        rewriter.erase(product)


@dataclass
class _Converter:
    """Rewrites one function; `streams` holds the stream of each tensor value."""

    block: Block
    streams: dict[SSAValue, SSAValue]

    def convert(self, op: Operation) -> None:
        """Put the unit that computes `op` in front of it.

        Raises:
            PassFailedException: no unit computes it.
        """
        match op:
            case ConstantOp() | LoadOp() | ReturnOp():
                pass
            case MatMulOp():
                self._matmul(op)
            case ThresholdOp():
                self._threshold(op)
            case LookupOp():
                self._lookup(op)
            case TopKOp():
                self._topk(op)
            case ReshapeOp():
                # The elements pass by in the same order; whoever reads them checks
                # that its vectors are those of the stream.
                self.streams[op.out] = self._stream(op, op.input)
            case _:
                raise _refuse(op, f"no unit computes it; accepted are {_ACCEPTED}")

    def _stream(self, op: Operation, value: SSAValue) -> SSAValue:
        if value not in self.streams:
            raise _refuse(op, "its input is a constant; fold it first")
        return self.streams[value]

    def _vectors(self, op: Operation, value: SSAValue, length: int) -> SSAValue:
        """The stream of `value`, whose vectors must have `length` elements."""
        stream = self._stream(op, value)
        found = stream_type(stream)
        if found.elements != length:
            raise _refuse(
                op,
                f"it needs vectors of {length} elements, the stream carries "
                f"{found.vectors} of {found.elements} a frame; accepted are reshapes "
                "that add or drop axes of extent 1",
            )
        return stream

    def _insert(self, source: Operation, *ops: Operation) -> None:
        for op in ops:
            op.location = source.location
        self.block.insert_ops_before(ops, source)

    def _out(self, stream: SSAValue, element: Attribute, length: int) -> StreamType:
        shape = stream_type(stream).tensor.get_shape()
        return stream_of(TensorType(element, (*shape[:-1], length)))

    def _matmul(self, op: MatMulOp) -> None:
        if not is_level(element_of(op.out)):
            raise _refuse(op, "it multiplies real numbers; run lower-to-integer first")
        if not is_constant(op.weights):
            raise _refuse(op, "its weights are computed; accepted are constants")
        rows, columns = shape_of(op.weights)
        stream = self._vectors(op, op.input, columns)
        element = element_of(op.out)
        out = self._out(stream, element, rows)
        unit = qflow.MvuOp(stream, op.weights, out, accumulator=element)
        self._insert(op, unit)
        self.streams[op.out] = unit.out

    def _threshold(self, op: ThresholdOp) -> None:
        if not is_level(element_of(op.input)):
            raise _refuse(op, "its input is real; run floor-thresholds first")
        stream = self._stream(op, op.input)
        axis = op.axis.value.data
        thresholds = self._per_place(op, stream, op.input, axis, op.thresholds)
        falling = None
        if op.falling is not None:
            falling = self._per_place(op, stream, op.input, axis, op.falling)
        unit = qflow.ThresholdOp(
            stream,
            thresholds,
            self._out(stream, element_of(op.out), stream_type(stream).elements),
            falling=falling,
            offset=op.offset.value.data,
        )
        self._insert(op, unit)
        self.streams[op.out] = unit.out

    def _lookup(self, op: LookupOp) -> None:
        stream = self._stream(op, op.input)
        axis = op.axis.value.data
        table = self._per_place(op, stream, op.input, axis, op.table)
        out = self._out(stream, element_of(op.out), stream_type(stream).elements)
        unit = qflow.LookupOp(stream, table, out, low=op.low.value.data)
        self._insert(op, unit)
        self.streams[op.out] = unit.out

    def _per_place(
        self,
        op: Operation,
        stream: SSAValue,
        value: SSAValue,
        axis: int,
        parameter: SSAValue,
    ) -> SSAValue:
        """A parameter [C, ..] of the channels along `axis`, a row a place in a vector.

        Raises:
            PassFailedException: the places of a vector do not tell the channel.
        """
        rows = constant_array(parameter)
        if rows is None:
            raise _refuse(op, "its parameters are computed; accepted are constants")
        shape = shape_of(value)
        length = stream_type(stream).elements
        channels = shape[axis]
        inner = prod(shape[axis + 1 :])
        channel = np.arange(prod(shape)) // inner % channels
        by_vector: Array = rows[channel].reshape(-1, length, *rows.shape[1:])
        if bool((by_vector != by_vector[0]).any()):
            raise _refuse(
                op,
                f"axis {axis} of {list(shape)} is not along the stream's vectors of "
                f"{length} elements; accepted are parameters along the vector",
            )
        if np.array_equal(by_vector[0], rows):
            return parameter
        new = constant(by_vector[0], element_of(parameter))
        self._insert(op, new)
        return new.out

    def _topk(self, op: TopKOp) -> None:
        if op.values.uses:
            raise _refuse(op, "its values are read; accepted is a use of its indices")
        shape = shape_of(op.input)
        axis = op.axis.value.data
        if prod(shape[axis + 1 :]) != 1:
            raise _refuse(
                op,
                f"axis {axis} of {list(shape)} is not the last; accepted is the axis "
                "along the stream's vectors",
            )
        stream = self._vectors(op, op.input, shape[axis])
        out = self._out(stream, element_of(op.indices), shape_of(op.indices)[axis])
        unit = qflow.TopKOp(stream, out, smallest=op.smallest is not None)
        self._insert(op, unit)
        self.streams[op.indices] = unit.out


def _convert_body(function: FuncOp) -> None:
    """Replace the tensors of `function` by streams."""
    block = function.body.block
    tensors = tuple(block.args)
    converter = _Converter(block, {})
    for argument in tensors:
        element = element_of(argument)
        if not is_level(element):
            raise PassFailedException(
                f"convert-to-qflow: @{function.sym_name.data} takes {argument.type}; "
                "accepted are integer levels: run outline-core first"
            )
        type_ = TensorType(element, shape_of(argument))
        new = block.insert_arg(stream_of(type_), len(block.args))
        new.name_hint = argument.name_hint
        converter.streams[argument] = new
    old = tuple(block.ops)
    for op in old:
        converter.convert(op)
        for result in op.results:
            if result in converter.streams:
                converter.streams[result].name_hint = result.name_hint
    end = block.last_op
    assert isinstance(end, ReturnOp)
    results = [_result(converter, end, value) for value in end.operands]
    _replace_return(end, results)
    for op in reversed(old[:-1]):
        if all(not result.uses for result in op.results):
            Rewriter.erase_op(op)
    for argument in tensors:
        block.erase_arg(argument)


def _result(converter: _Converter, end: ReturnOp, value: SSAValue) -> SSAValue:
    """The stream that carries a returned tensor."""
    if value not in converter.streams:
        raise PassFailedException(
            "convert-to-qflow: a constant is returned; accepted are computed values"
        )
    stream = converter.streams[value]
    found = stream_type(stream).tensor.get_shape()
    if tuple(found) != tuple(shape_of(value)):
        raise _refuse(
            end,
            f"a value of shape {list(shape_of(value))} leaves as a stream of "
            f"{list(found)}; reshape it behind the core, as outline-core does",
        )
    return stream


def _replace_return(end: ReturnOp, results: Sequence[SSAValue]) -> None:
    Rewriter.replace_op(end, ReturnOp(*results), [])


def _insert_forks(function: FuncOp) -> None:
    """Give every reader of a stream a stream of its own."""
    block = function.body.block
    streams = [*block.args, *(result for op in block.ops for result in op.results)]
    for stream in streams:
        if not isinstance(stream.type, StreamType):
            continue
        uses = sorted(
            stream.uses, key=lambda use: (_position(use.operation), use.index)
        )
        if len(uses) < 2:
            continue
        fork = qflow.ForkOp(stream, len(uses))
        if isinstance(stream.owner, Operation):
            fork.location = stream.owner.location
            Rewriter.insert_op(fork, InsertPoint.after(stream.owner))
        else:
            Rewriter.insert_op(fork, InsertPoint.at_start(block))
        for use, branch in zip(uses, fork.outs, strict=True):
            use.operation.operands[use.index] = branch


def _position(op: Operation) -> int:
    block = op.parent
    assert block is not None
    return block.get_operation_index(op)


def _refuse_unread_arguments(function: FuncOp) -> None:
    for index, argument in enumerate(function.body.block.args):
        if not argument.uses:
            raise PassFailedException(
                f"convert-to-qflow: nothing reads argument {index} of "
                f"@{function.sym_name.data}; drop it"
            )


@dataclass(frozen=True)
class ConvertToQflowPass(ModulePass):
    """Turn the integer core into hardware units joined by streams, one lane each.

    1. Arithmetic with constants before a threshold or a lookup goes into it.
    2. Every `qnn.matmul`, `qnn.threshold`, `qnn.lookup` and `qnn.topk` becomes a unit;
       reshapes vanish, where each unit's vectors stay the stream's.
    3. A product and the threshold that alone reads it become one unit.
    4. A stream with several readers gets a fork.

    Exact: every unit computes what its operation does, and the thresholds of (1) are
    the exact integer ones. What no unit computes is refused.
    """

    name = "convert-to-qflow"

    core: str = "core"
    """Name of the function to convert."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        function = core_function(op, self.core, self.name)
        PatternRewriteWalker(
            GreedyRewritePatternApplier(
                [ArithmeticIntoThreshold(), ArithmeticIntoLookup()]
            )
        ).rewrite_region(function.body)
        _convert_body(function)
        # The appliers also drop units and constants that nothing reads.
        PatternRewriteWalker(
            GreedyRewritePatternApplier([FuseThreshold()])
        ).rewrite_region(function.body)
        _refuse_unread_arguments(function)
        _insert_forks(function)
        end = function.body.block.last_op
        assert end is not None
        function.function_type = FunctionType.from_lists(
            [argument.type for argument in function.body.block.args],
            [operand.type for operand in end.operands],
        )


def core_function(module: ModuleOp, name: str, pass_name: str) -> FuncOp:
    """The function `name` of `module`.

    Raises:
        PassFailedException: there is none.
    """
    for op in module.body.block.ops:
        if isinstance(op, FuncOp) and op.sym_name.data == name:
            return op
    raise PassFailedException(
        f"{pass_name}: the module has no function @{name}; run outline-core first"
    )
