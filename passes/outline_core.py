"""`outline-core`: move the integer part of a network into a function of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import FunctionType, ModuleOp, TensorType
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint, Rewriter
from xdsl.utils.exceptions import PassFailedException

from qdialect.activation import ThresholdOp
from qdialect.calls import CallOp
from qdialect.chains import data_operand, is_elementwise
from qdialect.constants import DecodeOp, is_constant
from qdialect.elementwise import AddOp, BatchNormOp, BinaryOp, MulOp, SubOp
from qdialect.location import where
from qdialect.qnn import Qnn
from qdialect.shaping import ReshapeOp, TransposeOp
from qdialect.types import element_of, is_level

_MOVES = (ReshapeOp, TransposeOp)


def _is_integer(op: Operation) -> bool:
    """Whether an op of the dialect reads and gives integer tensors only."""
    values = [*op.operands, *op.results]
    return (
        type(op) in set(Qnn.operations)
        and not isinstance(op, CallOp | DecodeOp)
        and bool(op.operands)
        and all(
            isinstance(value.type, TensorType) and is_level(element_of(value))
            for value in values
        )
    )


def _core_ops(block: Block) -> list[Operation]:
    """Integer ops in order, without the reshapes at their edges.

    Elements that only change shape on the way in or out are moved by whoever calls the
    core, at no cost.
    """
    core = {op: None for op in block.ops if _is_integer(op)}

    def at_an_edge(op: Operation) -> bool:
        if not isinstance(op, ReshapeOp | TransposeOp):
            return False
        return op.input.owner not in core or all(
            use.operation not in core for use in op.out.uses
        )

    while edge := [op for op in core if at_an_edge(op)]:
        for op in edge:
            del core[op]
    return list(core)


def _refuse_real_between(core: list[Operation]) -> None:
    """Refuse a path that leaves the core and comes back."""
    inside = set(core)
    no_return: set[Operation] = set()

    def comes_back(op: Operation) -> bool:
        if op in inside:
            return True
        if op in no_return:
            return False
        if any(comes_back(use.operation) for r in op.results for use in r.uses):
            return True
        no_return.add(op)
        return False

    for op in core:
        for use in (use for result in op.results for use in result.uses):
            if use.operation not in inside and comes_back(use.operation):
                culprit = _first_that_is_no_step(use.operation, inside, comes_back)
                raise PassFailedException(
                    f"outline-core: {where(culprit)} stands between integer layers and "
                    f"{_reason(culprit)}"
                )


def _first_that_is_no_step(
    first: Operation, inside: set[Operation], comes_back: Callable[[Operation], bool]
) -> Operation:
    """The op on the way from `first` into the core that is to blame.

    That is the first which no activation could take in, since it works on more than one
    element; else the first that does anything. Neither is the transpose that a pass put
    where the core ends.
    """
    way = [first]
    for op in way:
        if not _is_step(op):
            return op
        for use in (use for result in op.results for use in result.uses):
            reader = use.operation
            if reader not in inside and reader not in way and comes_back(reader):
                way.append(reader)
    return next((op for op in way if not isinstance(op, _MOVES)), first)


def _is_step(op: Operation) -> bool:
    """Whether `op` moves elements, or is a function of each one."""
    if isinstance(op, _MOVES):
        return True
    alone = is_elementwise(op) or isinstance(op, BatchNormOp | ThresholdOp)
    return alone and data_operand(op) is not None


def _reason(op: Operation) -> str:
    """What is wrong with a real op between integer layers, and what to do."""
    if isinstance(op, BinaryOp) and data_operand(op) is None:
        if not isinstance(op, AddOp | SubOp | MulOp):
            return (
                "takes two computed tensors; accepted are sums, differences and "
                "products of them, and quotients by constants"
            )
        return (
            "takes two tensors of real numbers; put a quantiser on each of them and one "
            "behind it"
        )
    what = "works on real numbers; put a quantiser"
    return f"{what} behind it" if _is_step(op) else f"{what} before it"


def _interface(
    core: list[Operation],
) -> tuple[list[SSAValue], list[Operation], list[SSAValue]]:
    """What the core reads from outside, its constants, and what is read of it."""
    inside = set(core)
    arguments: dict[SSAValue, None] = {}
    constants: dict[Operation, None] = {}
    for op in core:
        for operand in op.operands:
            if is_constant(operand):
                assert isinstance(operand.owner, Operation)
                # What is decoded is read from constants too.
                for part in (*operand.owner.operands, operand):
                    assert isinstance(part.owner, Operation)
                    constants[part.owner] = None
            elif operand.owner not in inside:
                arguments[operand] = None
    results: list[SSAValue] = [
        result
        for op in core
        for result in op.results
        if any(use.operation not in inside for use in result.uses)
    ]
    return list(arguments), list(constants), results


def _outline(function: FuncOp, name: str) -> FuncOp:
    block = function.body.block
    core = _core_ops(block)
    if not core:
        raise PassFailedException(
            f"outline-core: @{function.sym_name.data} has no integer layer; run "
            "lower-to-integer and floor-thresholds first"
        )
    _refuse_real_between(core)
    arguments, constants, results = _interface(core)
    body = Block(arg_types=[value.type for value in arguments])
    mapping: dict[SSAValue, SSAValue] = dict(zip(arguments, body.args, strict=True))
    for op in (*constants, *core):
        body.add_op(op.clone(mapping))
    for argument, value in zip(body.args, arguments, strict=True):
        argument.name_hint = value.name_hint
    body.add_op(ReturnOp(*(mapping[result] for result in results)))
    _call(core[-1], name, arguments, results)
    for op in reversed(core):
        op.detach()
        op.erase()
    for op in reversed(constants):
        if not op.results[0].uses:
            op.detach()
            op.erase()
    type_ = FunctionType.from_lists(
        [value.type for value in body.args], [mapping[r].type for r in results]
    )
    return FuncOp(name, type_, Region(body))


def _call(
    last: Operation,
    name: str,
    arguments: Sequence[SSAValue],
    results: Sequence[SSAValue],
) -> None:
    """Put the call behind the last op of the core, where all it needs is known."""
    call = CallOp(name, arguments, [result.type for result in results])
    call.location = last.location
    Rewriter.insert_op(call, InsertPoint.after(last))
    for old, new in zip(results, call.outs, strict=True):
        new.name_hint = old.name_hint
        old.replace_all_uses_with(new)


def _sort_block(block: Block) -> None:
    """Bring the ops into an order in which every operand comes first."""
    placed: set[Operation] = set()
    order: list[Operation] = []

    def place(op: Operation) -> None:
        if op in placed:
            return
        placed.add(op)
        for operand in op.operands:
            if isinstance(operand.owner, Operation) and operand.owner.parent is block:
                place(operand.owner)
        order.append(op)

    for op in block.ops:
        place(op)
    for op in order:
        op.detach()
    for op in order:
        block.add_op(op)


@dataclass(frozen=True)
class OutlineCorePass(ModulePass):
    """Move all integer layers of @main into @core and call it.

    What stays in @main works on real numbers and is run by the host: the quantisers of
    the inputs and the scaling of the outputs. @core takes and gives levels only; it is
    what becomes C or hardware. A real-valued operation between integer layers is
    refused. Exact: operations only move.
    """

    name = "outline-core"

    entry: str = "main"
    """The function to cut."""
    core: str = "core"
    """Name of the new function."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        functions = {
            f.sym_name.data: f for f in op.body.block.ops if isinstance(f, FuncOp)
        }
        if self.entry not in functions:
            raise PassFailedException(f"outline-core: no function @{self.entry}")
        if self.core in functions:
            raise PassFailedException(
                f"outline-core: the module has a function @{self.core} already"
            )
        function = functions[self.entry]
        core = _outline(function, self.core)
        _sort_block(function.body.block)
        core.location = function.location
        Rewriter.insert_op(core, InsertPoint.after(function))
