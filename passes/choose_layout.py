"""`choose-layout`: the channels of every integer map become its last axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import TypeAlias

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, TensorType, i64
from xdsl.dialects.func import FuncOp
from xdsl.ir import Block, Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint, Rewriter

from passes.new_weights import constant_like
from passes.vector_order import reorder, takes_any_order
from qdialect.activation import LookupOp, ThresholdOp
from qdialect.constants import constant_array, is_constant
from qdialect.convolution import ConvOp
from qdialect.elementwise import AbsOp, BinaryOp
from qdialect.location import source_name
from qdialect.pooling import PoolOp
from qdialect.rearranging import (
    ConcatOp,
    DepthToSpaceOp,
    PadOp,
    SliceOp,
    UpsampleOp,
)
from qdialect.selection import TopKOp
from qdialect.shaping import ReshapeOp, TransposeOp
from qdialect.types import element_of, is_level, shape_of, tensor_type
from qdialect.windows import numbers

# Ops that say which axis the channels are.
_Anchor: TypeAlias = ConvOp | PoolOp | DepthToSpaceOp
# Ops that work alike in both layouts, their axes in another order.
_Follower: TypeAlias = (
    ThresholdOp | LookupOp | BinaryOp | AbsOp | PadOp | ConcatOp | SliceOp | UpsampleOp
)


def _to_last(rank: int) -> tuple[int, ...]:
    """The axes of a channels-first map in the order of a channels-last one."""
    return (0, *range(2, rank), 1)


def _to_first(rank: int) -> tuple[int, ...]:
    return (0, rank - 1, *range(1, rank - 1))


def _permuted(values: Sequence[int], perm: Sequence[int]) -> list[int]:
    return [values[axis] for axis in perm]


def _is_map(value: SSAValue) -> bool:
    return (
        isinstance(value.type, TensorType)
        and is_level(element_of(value))
        and len(shape_of(value)) in (3, 4)
    )


def _is_anchor(op: Operation) -> bool:
    return (
        isinstance(op, _Anchor) and not op.is_channels_last and _is_map(op.results[0])
    )


def _only_units_move(shape: Sequence[int], perm: Sequence[int]) -> bool:
    """Whether the elements stay in their order: only axes of one element move."""
    long = [axis for axis in perm if shape[axis] != 1]
    return long == sorted(long)


@dataclass
class _Conversion:
    """The maps of one block in their new layout, beside the old ones."""

    block: Block
    twins: dict[SSAValue, SSAValue] = field(default_factory=dict[SSAValue, SSAValue])
    converted: list[Operation] = field(default_factory=list[Operation])

    def run(self) -> None:
        """Convert every map of the block."""
        for op in list(self.block.ops):
            if isinstance(op, TransposeOp):
                _join_transposes(op)
        wanted = self._wanted()
        for op in list(self.block.ops):
            follows = isinstance(op, _Follower) and _is_map(op.results[0])
            if _is_anchor(op) or (
                follows
                and (
                    op.results[0] in wanted
                    or any(operand in self.twins for operand in op.operands)
                )
            ):
                self._convert(op)
        for op in reversed(self.converted):
            self._redirect_readers(op.results[0])
            Rewriter.erase_op(op)
        self._drop_unused_moves()
        for op in list(self.block.ops):
            if isinstance(op, ThresholdOp | LookupOp) and _is_map(op.out):
                _put_uniform_on_channels(op)

    def _wanted(self) -> set[SSAValue]:
        """Maps whose readers take them channels-last."""
        wanted: set[SSAValue] = set()
        for op in reversed(list(self.block.ops)):
            if _is_anchor(op):
                wanted.add(op.operands[0])
            elif isinstance(op, _Follower) and op.results[0] in wanted:
                wanted.update(value for value in op.operands if _is_map(value))
        return wanted

    def _convert(self, op: Operation) -> None:
        new = self._converted(op)
        new.location = op.location
        new.results[0].name_hint = op.results[0].name_hint
        Rewriter.insert_op(new, InsertPoint.before(op))
        self.twins[op.results[0]] = new.results[0]
        self.converted.append(op)

    def _converted(self, op: Operation) -> Operation:
        """`op` on channels-last operands."""
        result = tensor_type(op.results[0])
        rank = len(result.get_shape())
        perm = _to_last(rank)
        type_ = TensorType(result.element_type, _permuted(result.get_shape(), perm))
        match op:
            case ConvOp():
                return ConvOp(
                    self._twin(op.input),
                    self._turned_constant(op.weights, perm),
                    type_,
                    strides=numbers(op.strides),
                    pads=numbers(op.pads),
                    dilations=numbers(op.dilations),
                    stretch=() if op.stretch is None else numbers(op.stretch),
                    groups=op.group_count,
                    channels_last=True,
                )
            case PoolOp():
                return type(op)(
                    self._twin(op.input),
                    type_,
                    kernel=numbers(op.kernel),
                    strides=numbers(op.strides),
                    pads=numbers(op.pads),
                    dilations=numbers(op.dilations),
                    channels_last=True,
                )
            case DepthToSpaceOp():
                return DepthToSpaceOp(
                    self._twin(op.input),
                    type_,
                    block=op.block.value.data,
                    order=op.order.data,
                    channels_last=True,
                )
            case ThresholdOp():
                return ThresholdOp(
                    self._twin(op.input),
                    op.thresholds,
                    type_,
                    falling=op.falling,
                    offset=op.offset.value.data,
                    axis=perm.index(op.axis.value.data),
                )
            case LookupOp():
                return LookupOp(
                    self._twin(op.input),
                    op.table,
                    type_,
                    low=op.low.value.data,
                    axis=perm.index(op.axis.value.data),
                )
            case BinaryOp():
                return type(op)(
                    self._operand(op.lhs, rank), self._operand(op.rhs, rank), type_
                )
            case AbsOp():
                return AbsOp(self._twin(op.input), type_)
            case PadOp():
                low, high = numbers(op.low), numbers(op.high)
                return PadOp(
                    self._twin(op.input),
                    op.value,
                    type_,
                    low=_permuted(low, perm),
                    high=_permuted(high, perm),
                )
            case ConcatOp():
                return ConcatOp(
                    [self._twin(value) for value in op.inputs],
                    type_,
                    axis=perm.index(op.axis.value.data),
                )
            case SliceOp():
                return SliceOp(
                    self._twin(op.input),
                    type_,
                    offsets=_permuted(numbers(op.offsets), perm),
                    steps=_permuted(numbers(op.steps), perm),
                )
            case UpsampleOp():
                return UpsampleOp(
                    self._twin(op.input),
                    type_,
                    factors=_permuted(numbers(op.factors), perm),
                )
            case _:
                raise AssertionError(f"{op.name} has no layout")

    def _operand(self, value: SSAValue, rank: int) -> SSAValue:
        """An operand that broadcasts to a map of this rank."""
        if len(shape_of(value)) == rank and not is_constant(value):
            return self._twin(value)
        return self._turned_constant(value, _to_last(rank))

    def _turned_constant(self, value: SSAValue, perm: Sequence[int]) -> SSAValue:
        """A constant with its axes in another order; one number stays as it is."""
        array = constant_array(value)
        if array is None:
            return self._moved(value, perm)
        if array.size == 1 and array.ndim == 0:
            return value
        full = array.reshape((1,) * (len(perm) - array.ndim) + array.shape)
        return constant_like(value, full.transpose(perm))

    def _twin(self, value: SSAValue) -> SSAValue:
        """The channels-last form of a map."""
        if value not in self.twins:
            perm = _to_last(len(shape_of(value)))
            if is_constant(value):
                self.twins[value] = self._turned_constant(value, perm)
                return self.twins[value]
            source = value
            if isinstance(value.owner, TransposeOp):
                source = value.owner.input
                perm = tuple(_permuted(value.owner.axes, perm))
            self.twins[value] = self._moved(source, perm)
        return self.twins[value]

    def _moved(self, source: SSAValue, perm: Sequence[int]) -> SSAValue:
        """`source` with its axes in another order; the op stands right behind it."""
        if list(perm) == sorted(perm):
            return source
        shape = shape_of(source)
        type_ = TensorType(element_of(source), _permuted(shape, perm))
        if not _only_units_move(shape, perm):
            return self._inserted(source, TransposeOp(source, perm, type_))
        inner = source.owner.input if isinstance(source.owner, ReshapeOp) else source
        if inner.type == type_:
            return inner
        return self._inserted(source, ReshapeOp(inner, type_))

    def _inserted(self, source: SSAValue, move: TransposeOp | ReshapeOp) -> SSAValue:
        owner = source.owner
        if isinstance(owner, Operation):
            move.location = owner.location
            Rewriter.insert_op(move, InsertPoint.after(owner))
        else:
            Rewriter.insert_op(move, InsertPoint.at_start(self.block))
        return move.out

    def _redirect_readers(self, value: SSAValue) -> None:
        """Whoever still reads the old form of a map reads the new one."""
        twin = self.twins[value]
        back: SSAValue | None = None
        perm = _to_first(len(shape_of(value)))
        for use in list(value.uses):
            reader = use.operation
            if isinstance(reader, TransposeOp):
                self._replace(reader, self._moved(twin, _permuted(perm, reader.axes)))
            elif isinstance(reader, ReshapeOp) and self._reshape(reader, twin):
                continue
            elif isinstance(reader, TopKOp):
                self._select(reader, twin)
            else:
                if back is None:
                    back = self._moved(twin, perm)
                    if isinstance(back.owner, TransposeOp) and source_name(reader):
                        # Who asks for the old order is who can do without it.
                        back.owner.location = reader.location
                reader.operands[use.index] = back

    def _reshape(self, reader: ReshapeOp, twin: SSAValue) -> bool:
        """Read a flattened map in its new order, where nobody minds the order."""
        shape = shape_of(twin)
        if shape[-1] != 1 and prod(shape[1:-1]) != 1:
            if not takes_any_order(reader.out):
                return False
            old = np.arange(prod(shape)).reshape(1, shape[-1], *shape[1:-1])
            reorder(reader.out, old.transpose(_to_last(len(shape))).ravel())
        new = ReshapeOp(twin, reader.out.type)
        new.location = reader.location
        Rewriter.insert_op(new, InsertPoint.before(reader))
        self._replace(reader, new.out)
        return True

    def _select(self, reader: TopKOp, twin: SSAValue) -> None:
        """Select from a map in its new layout; what is selected goes back to the old."""
        rank = len(shape_of(twin))
        perm = _to_last(rank)
        values, indices = (
            TensorType(element_of(result), _permuted(shape_of(result), perm))
            for result in reader.results
        )
        new = TopKOp(
            twin,
            values,
            indices,
            axis=perm.index(reader.axis.value.data),
            smallest=reader.smallest is not None,
        )
        new.location = reader.location
        Rewriter.insert_op(new, InsertPoint.before(reader))
        for old, result in zip(reader.results, new.results, strict=True):
            if old.uses:
                moved = self._moved(result, _to_first(rank))
                old.replace_all_uses_with(moved)
        Rewriter.erase_op(reader)

    def _replace(self, op: Operation, value: SSAValue) -> None:
        op.results[0].replace_all_uses_with(value)
        Rewriter.erase_op(op)

    def _drop_unused_moves(self) -> None:
        for op in reversed(list(self.block.ops)):
            if isinstance(op, TransposeOp | ReshapeOp) and not op.out.uses:
                Rewriter.erase_op(op)


def _join_transposes(op: TransposeOp) -> None:
    """A transpose of a transpose becomes one of its source, or nothing."""
    before = op.input.owner
    if not isinstance(before, TransposeOp):
        return
    perm = _permuted(before.axes, op.axes)
    if perm == sorted(perm):
        op.out.replace_all_uses_with(before.input)
    else:
        new = TransposeOp(before.input, perm, op.out.type)
        new.location = op.location
        Rewriter.insert_op(new, InsertPoint.before(op))
        op.out.replace_all_uses_with(new.out)
    Rewriter.erase_op(op)


def _put_uniform_on_channels(op: ThresholdOp | LookupOp) -> None:
    """Count thresholds that are alike along another axis by the channel, the last."""
    axis = len(shape_of(op.out)) - 1
    if op.axis.value.data == axis:
        return
    rows = op.thresholds if isinstance(op, ThresholdOp) else op.table
    others = [rows]
    if isinstance(op, ThresholdOp) and op.falling is not None:
        others.append(op.falling)
    arrays = [constant_array(value) for value in others]
    if any(array is None or (array != array[:1]).any() for array in arrays):
        return
    for value, array in zip(others, arrays, strict=True):
        assert array is not None
        shape = (shape_of(op.out)[axis], *array.shape[1:])
        value.replace_uses_with_if(
            constant_like(value, np.broadcast_to(array[:1], shape)),
            lambda use: use.operation is op,
        )
    op.axis = IntegerAttr(axis, i64)


@dataclass(frozen=True)
class ChooseLayoutPass(ModulePass):
    """Turn every integer map into channels-last form, once for all.

    1. Convolutions, pools and depth-to-space, and the element-wise ops, pads, cuts and
       joins between them, take and give [1, H, W, C]; their weights become
       [O, KH, KW, C], in the order in which a window is read.
    2. Transposes of the network cancel against each other and the new order.
    3. A product of a flattened map gets its columns in the new order, and an activation
       of one its rows; also where the map is flattened into a part of a longer vector.
    4. Thresholds and tables that are alike for all rows of a map are counted by channel.
    5. A top-k is taken along the same axis of the new order.

    What is left are transposes where maps enter or leave the integer level, for
    `outline-core` to leave outside. Exact: elements only change their place.
    """

    name = "choose-layout"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for function in op.body.block.ops:
            if isinstance(function, FuncOp) and not function.is_declaration:
                _Conversion(function.body.block).run()
