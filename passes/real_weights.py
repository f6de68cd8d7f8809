"""Layers whose weights are real constants, and what takes the place of these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TypeAlias

import numpy as np
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint, Rewriter
from xdsl.utils.exceptions import PassFailedException

from passes.new_weights import constant_like
from passes.weights_record import WeightsRecord, add_record, relative_errors
from qdialect.constants import (
    ConstantOp,
    LoadOp,
    WeightOp,
    constant,
    constant_array,
    containing_module,
    is_constant,
    weight_of,
)
from qdialect.convolution import ConvOp
from qdialect.data import Array
from qdialect.elementwise import DivOp, MulOp
from qdialect.linear import MatMulOp
from qdialect.location import source_name, where
from qdialect.quantisers import DequantizeOp
from qdialect.semantics import dequantize_values, evaluate
from qdialect.shaping import ReshapeOp, TransposeOp
from qdialect.types import element_of, is_real, shape_of, width_bits

Layer: TypeAlias = MatMulOp | ConvOp

# Bits of one scale, which is float32.
_SCALE_BITS = 32


@dataclass(frozen=True)
class RealWeights:
    """The weights of one layer.

    Attributes:
        op: the layer.
        array: its weights, finite, float32, [O, ..]: a row for each output channel.
    """

    op: Layer
    array: Array

    @property
    def layer(self) -> str:
        """Name of the node of the source model, else of the symbol, else of the op."""
        return _layer_name(self.op)

    @property
    def rows(self) -> Array:
        """The weights as [O, I], in float64."""
        return self.array.reshape(len(self.array), -1).astype(np.float64)

    def along_rows(self, numbers: Array) -> Array:
        """A number for each row, [O], as it broadcasts against the weights."""
        return numbers.reshape(-1, *(1 for _ in self.array.shape[1:]))

    def constant(self, array: Array, element: Attribute, suffix: str) -> SSAValue:
        """A constant beside the weights: a symbol where they are one.

        Args:
            array: any shape.
            element: its element type.
            suffix: put behind the name of the symbol.
        """
        return constant_like(_root(self.op.weights), array, suffix, element)

    def replace(self, value: SSAValue) -> None:
        """Let the layer read `value`; weights that nothing reads any more go.

        Other layers that read the same weights keep them until they are replaced too.
        """
        old = self.op.weights
        self.op.operands[1] = value
        _erase_unread(old)


def real_weights(
    pass_: ModulePass, module: ModuleOp, layers: Sequence[str] = ()
) -> list[RealWeights]:
    """The layers of a module whose weights are real constants, in order.

    Between a constant and its layer may stand what moves its elements, and products
    with constants.

    Args:
        pass_: who asks, for messages.
        module: at the level as trained.
        layers: names of layers, with `*` and `?` as in file names; without any, all.

    Raises:
        PassFailedException: a name fits no such layer, or a weight is not finite.
    """
    found = [
        RealWeights(op, array.astype(np.float32))
        for op in module.walk()
        if isinstance(op, MatMulOp | ConvOp)
        and is_real(element_of(op.weights))
        and (array := _constant_value(op.weights)) is not None
    ]
    for pattern in layers:
        if not any(fnmatchcase(weights.layer, pattern) for weights in found):
            names = ", ".join(sorted({weights.layer for weights in found}))
            raise PassFailedException(
                f"{pass_.name}: no layer '{pattern}' has real weights; those that "
                f"have: {names or 'none'}"
            )
    chosen = [
        weights
        for weights in found
        if not layers or any(fnmatchcase(weights.layer, p) for p in layers)
    ]
    for weights in chosen:
        if not np.isfinite(weights.array).all():
            raise PassFailedException(
                f"{pass_.name}: {where(weights.op)}: a weight is not finite"
            )
    return chosen


def replace_by_levels(
    pass_: ModulePass,
    module: ModuleOp,
    weights: RealWeights,
    levels: Array,
    element: Attribute,
    scale: Array,
) -> None:
    """Write weights as `dequantize(levels, scale)`, as a quantiser gives them.

    Args:
        pass_: whose work it is, for the record.
        module: that the layer is in; it gets a record of the error.
        weights: to replace.
        levels: integers of their shape.
        element: the type of the levels.
        scale: float32, [O], or of one element.
    """
    scale = weights.along_rows(scale) if scale.size > 1 else scale.reshape(())
    zero = np.zeros((), np.float32)
    after = dequantize_values(levels, scale, zero)
    source = weights.constant(levels, element, str(element).removeprefix("!qnn."))
    scales, zeros = constant(scale.astype(np.float32)), constant(zero)
    value = DequantizeOp(source, scales, zeros, weights.op.weights.type)
    new: list[Operation] = [scales, zeros, value]
    for op in new:
        op.location = weights.op.location
    Rewriter.insert_op(new, InsertPoint.before(weights.op))
    bits = width_bits(element) * levels.size + _SCALE_BITS * scale.size
    record_weights(pass_, module, weights, str(element), after, bits)
    weights.replace(value.out)


def record_weights(
    pass_: ModulePass,
    module: ModuleOp,
    weights: RealWeights,
    scheme: str,
    after: Array,
    stored_bits: int,
) -> None:
    """Record what became of the weights of a layer.

    Args:
        pass_: whose work it is.
        module: that the layer is in.
        weights: as they were.
        scheme: what they are now.
        after: real numbers that they count as now, in their shape.
        stored_bits: that they take together, with scales or tables.
    """
    errors = relative_errors(weights.array, after)
    count = weights.array.size
    add_record(
        module,
        WeightsRecord(weights.layer, str(pass_), scheme, count, stored_bits, *errors),
    )


def _layer_name(op: Layer) -> str:
    name = source_name(op)
    if name is not None:
        return name
    root = _root(op.weights).owner
    return root.weight.string_value() if isinstance(root, LoadOp) else op.name


def _root(value: SSAValue) -> SSAValue:
    """The constant that weights are made from; that of the most elements."""
    if is_constant(value):
        return value
    assert isinstance(value.owner, Operation)
    roots = [_root(operand) for operand in value.owner.operands]
    return max(roots, key=lambda root: np.prod(shape_of(root)))


def _constant_value(value: SSAValue) -> Array | None:
    """The real numbers that `value` has in every frame, or None where it is computed."""
    if is_constant(value):
        return constant_array(value) if is_real(element_of(value)) else None
    op = value.owner
    if not isinstance(op, ReshapeOp | TransposeOp | MulOp | DivOp):
        return None
    operands = [_constant_value(operand) for operand in op.operands]
    known = [operand for operand in operands if operand is not None]
    if len(known) != len(operands):
        return None
    match op:
        case TransposeOp():
            return known[0].transpose(op.axes)
        case ReshapeOp():
            return known[0].reshape(shape_of(op.out))
        case _:
            return evaluate(op, known)


def _erase_unread(value: SSAValue) -> None:
    """Erase what nothing reads, the operations that only it read, and their symbols."""
    op = value.owner
    if not isinstance(op, Operation) or any(result.uses for result in op.results):
        return
    operands = list(op.operands)
    symbol = weight_of(op) if isinstance(op, LoadOp) else None
    if not isinstance(
        op, ConstantOp | LoadOp | ReshapeOp | TransposeOp | MulOp | DivOp
    ):
        return
    Rewriter.erase_op(op)
    for operand in operands:
        _erase_unread(operand)
    if symbol is not None and not _is_read(symbol):
        Rewriter.erase_op(symbol)


def _is_read(symbol: WeightOp) -> bool:
    return any(
        isinstance(op, LoadOp) and op.weight.string_value() == symbol.sym_name.data
        for op in containing_module(symbol).walk()
    )
