"""Layers with constant weights, real or quantised already, and new values for these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Attribute, SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint, Rewriter
from xdsl.utils.exceptions import PassFailedException

from passes.new_weights import constant_like
from passes.real_weights import RealWeights, real_weights
from qdialect.constants import constant_array, is_constant
from qdialect.convolution import ConvOp
from qdialect.data import Array
from qdialect.linear import MatMulOp
from qdialect.quantisers import DequantizeOp
from qdialect.semantics import dequantize_values
from qdialect.types import element_of, is_level


@dataclass(frozen=True)
class LevelWeights:
    """Constant levels that a layer has as its weights, as they are or dequantised.

    Attributes:
        value: the constant.
        levels: its elements.
        scale: float32, as it broadcasts against the levels.
        zero: the level that counts as 0, likewise.
        reader: what dequantises them; None where the layer works on integers.
    """

    value: SSAValue
    levels: Array
    scale: Array
    zero: Array
    reader: DequantizeOp | None

    def real(self, levels: Array) -> Array:
        """What levels of this shape count as."""
        return dequantize_values(levels, self.scale, self.zero)

    def constant(
        self, array: Array, suffix: str, element: Attribute | None = None
    ) -> SSAValue:
        """A constant beside the levels, of their element type if of none other."""
        return constant_like(
            self.value, array, suffix, element or element_of(self.value)
        )

    def replace(self, weights: RealWeights, value: SSAValue) -> None:
        """Let the layer have the levels `value` in the place of these."""
        if self.reader is None:
            weights.op.operands[1] = value
            return
        old = self.reader
        new = DequantizeOp(value, old.scale, old.zero_point, old.out.type)
        new.location = old.location
        Rewriter.insert_op(new, InsertPoint.before(weights.op))
        weights.op.operands[1] = new.out
        if not old.out.uses:
            Rewriter.erase_op(old)


@dataclass(frozen=True)
class ConstantWeights:
    """The weights of one layer.

    Attributes:
        real: the layer, and its weights as the real numbers that they count as.
        quantised: the levels that they are; None where they are real.
    """

    real: RealWeights
    quantised: LevelWeights | None


def constant_weights(
    pass_: ModulePass, module: ModuleOp, layers: Sequence[str] = ()
) -> list[ConstantWeights]:
    """The layers of a module whose weights are constant, in order.

    Args:
        pass_: who asks, for messages.
        module: at the level as trained, or at integer level.
        layers: names of layers, with `*` and `?` as in file names; without any, all.

    Raises:
        PassFailedException: a name fits no such layer, or a weight is not finite.
    """
    real = {weights.op: weights for weights in real_weights(pass_, module)}
    found: list[ConstantWeights] = []
    for op in module.walk():
        if not isinstance(op, MatMulOp | ConvOp):
            continue
        if op in real:
            found.append(ConstantWeights(real[op], None))
        elif (quantised := _levels(op)) is not None:
            array = quantised.real(quantised.levels)
            found.append(ConstantWeights(RealWeights(op, array), quantised))
    names = [weights.real.layer for weights in found]
    for pattern in layers:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise PassFailedException(
                f"{pass_.name}: no layer '{pattern}' has constant weights; those that "
                f"have: {', '.join(sorted(set(names))) or 'none'}"
            )
    return [
        weights
        for weights, name in zip(found, names, strict=True)
        if weights.real.array.size
        and (not layers or any(fnmatchcase(name, pattern) for pattern in layers))
    ]


def _levels(op: MatMulOp | ConvOp) -> LevelWeights | None:
    """The constant levels of a layer; None where it has others."""
    value, reader = op.weights, None
    scale, zero = np.ones((), np.float32), np.zeros((), np.float32)
    if isinstance(value.owner, DequantizeOp):
        reader = value.owner
        value = reader.input
        scale = constant_array(reader.scale)
        zero = constant_array(reader.zero_point)
    if not is_constant(value) or not is_level(element_of(value)):
        return None
    levels = constant_array(value)
    if levels is None or scale is None or zero is None:
        return None
    return LevelWeights(value, levels, scale, zero, reader)
