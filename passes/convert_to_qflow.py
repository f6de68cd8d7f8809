"""`convert-to-qflow`: turn the integer core of a network into units joined by streams."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import FunctionType, ModuleOp
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import GreedyRewritePatternApplier, PatternRewriteWalker
from xdsl.rewriter import InsertPoint, Rewriter
from xdsl.transforms.dead_code_elimination import region_dce
from xdsl.utils.exceptions import PassFailedException

from passes.arithmetic_into_activations import (
    ArithmeticIntoLookup,
    ArithmeticIntoThreshold,
)
from passes.arranging_to_qflow import convert_arranging_op
from passes.drop_unused_weights import DropUnusedWeightsPass
from passes.fuse_products import FuseBias, FuseThreshold
from passes.stream_conversion import Conversion, refusal, stream_in
from passes.sums_to_qflow import convert_sum_op
from passes.vectors_to_qflow import convert_vector_op
from passes.windows_to_qflow import convert_window_op
from qdialect import qflow
from qdialect.constants import ConstantOp, DecodeOp, LoadOp
from qdialect.streams import StreamType
from qdialect.types import element_of, is_level, shape_of

_ACCEPTED = (
    "products and convolutions by constant weights, pools, activations, qnn.topk, sums "
    "and products of tensors, and what pads, cuts, joins, enlarges or reshapes them"
)

_FAMILIES = (
    convert_vector_op,
    convert_window_op,
    convert_arranging_op,
    convert_sum_op,
)


def _convert(conversion: Conversion, op: Operation) -> None:
    """Put the units that compute `op` in front of it.

    Raises:
        PassFailedException: no units compute it.
    """
    if isinstance(op, ConstantOp | LoadOp | DecodeOp | ReturnOp):
        return
    if not any(family(conversion, op) for family in _FAMILIES):
        raise refusal(op, f"no unit computes it; accepted are {_ACCEPTED}")


def _convert_body(function: FuncOp) -> None:
    """Replace the tensors of `function` by streams."""
    block = function.body.block
    tensors = tuple(block.args)
    conversion = Conversion(block, {})
    for argument in tensors:
        element = element_of(argument)
        shape = shape_of(argument)
        if not is_level(element) or not shape:
            raise PassFailedException(
                f"convert-to-qflow: @{function.sym_name.data} takes {argument.type}; "
                "accepted are integer levels, frames first: run outline-core first"
            )
        type_ = stream_in(element, shape)
        new = block.insert_arg(type_, len(block.args))
        new.name_hint = argument.name_hint
        conversion.streams[argument] = new
    old = tuple(block.ops)
    for op in old:
        _convert(conversion, op)
        for result in op.results:
            # What a reshape leaves as it is keeps its own name.
            stream = conversion.streams.get(result)
            if stream is not None and stream.name_hint is None:
                stream.name_hint = result.name_hint
    end = block.last_op
    assert isinstance(end, ReturnOp)
    results = [_result(conversion, end, value) for value in end.operands]
    _replace_return(end, results)
    for op in reversed(old[:-1]):
        if all(not result.uses for result in op.results):
            Rewriter.erase_op(op)
    for argument in tensors:
        block.erase_arg(argument)


def _result(conversion: Conversion, end: ReturnOp, value: SSAValue) -> SSAValue:
    """The stream that carries a returned tensor, in its shape."""
    if value not in conversion.streams:
        raise PassFailedException(
            "convert-to-qflow: a constant is returned; accepted are computed values"
        )
    return conversion.tensor(end, value)


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
    2. Every operation becomes one unit or a few: a convolution a sliding-window unit and
       a matrix-vector unit, or a vector-vector unit where it is depthwise. What is affine
       in two tensors is one unit. Maps are channels-last, their pixels vectors; a reshape
       is left only where a unit needs vectors of another length.
    3. What is added to the sums of a product, and the threshold that alone reads them,
       go into its unit.
    4. A stream with several readers gets a fork.

    Exact: every unit computes what its operation does, and the thresholds of (1) are
    the exact integer ones. Padding of bipolar maps comes in as -1; a constant of the place
    takes it back out of the sums. What no unit computes is refused.
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
        # Sums that went into their readers are left over.
        region_dce(function.body)
        PatternRewriteWalker(
            GreedyRewritePatternApplier([FuseThreshold(), FuseBias()])
        ).rewrite_region(function.body)
        # The weights of convolutions have become rows.
        DropUnusedWeightsPass().apply(ctx, op)
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
