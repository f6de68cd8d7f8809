"""Element-wise chains: how a real value is computed from one tensor of levels.

Between an accumulator and the next quantiser stands a chain of float32 operations, each
of one computed operand. On every channel the chain is a function of one integer, which
can be evaluated for any values of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from xdsl.ir import Operation, SSAValue

from qdialect import elementwise as ew
from qdialect.activation import ThresholdOp
from qdialect.constants import constant_array, is_constant
from qdialect.data import Array
from qdialect.quantisers import DequantizeOp, QuantizeOp, SignOp
from qdialect.semantics import Levels, evaluate
from qdialect.shaping import ReshapeOp
from qdialect.smooth import EluOp, PReluOp
from qdialect.types import element_of, is_level, shape_of

_CHAIN_OPS = (
    ew.BinaryOp,
    ew.UnaryOp,
    ew.HardTanhOp,
    ew.LeakyReluOp,
    ew.HardSigmoidOp,
    EluOp,
    ew.BatchNormOp,
    DequantizeOp,
    QuantizeOp,
    SignOp,
    ThresholdOp,
    ReshapeOp,
)

# Rising functions whose float32 results rise too: rounding is monotone.
_RISING = (ew.ReluOp, ew.HardTanhOp, ew.FloorOp, ew.CeilOp, ew.RoundOp, SignOp)

Signs = npt.NDArray[np.int8]


@dataclass(frozen=True)
class Chain:
    """Operations from a tensor of levels to a value, in order.

    Attributes:
        root: the tensor of levels; its leading axis is the frame's.
        ops: the operations; each reads the result of the one before and constants.
    """

    root: SSAValue
    ops: tuple[Operation, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the result."""
        return shape_of(self.ops[-1].results[0]) if self.ops else shape_of(self.root)

    def evaluate(self, levels: Levels) -> Array:
        """Results for frames of `levels`, [R, ..] in the shape of the root.

        Axes that no operation tells apart may have extent 1 instead (`channel_axis`).
        """
        value: Array = levels
        for op in self.ops:
            data = data_operand(op)
            operands = [
                value if operand is data else _constant(operand)
                for operand in op.operands
            ]
            result = evaluate(op, operands)
            assert result is not None, f"{op.name} has no element-wise meaning"
            value = result
        return value

    @property
    def reshapes(self) -> bool:
        """Whether the chain changes the shape on the way."""
        return any(isinstance(op, ReshapeOp) for op in self.ops)

    def varying_axes(self) -> set[int]:
        """Axes of the root along which the function differs; [] where none.

        Only for chains that do not reshape.
        """
        rank = len(shape_of(self.root))
        axes: set[int] = set()
        for op in self.ops:
            if isinstance(op, ew.BatchNormOp | ThresholdOp):
                axes.add(op.axis.value.data)
                continue
            data = data_operand(op)
            for operand in op.operands:
                if operand is data:
                    continue
                shape = shape_of(operand)
                axes.update(
                    rank - len(shape) + i for i, n in enumerate(shape) if n != 1
                )
        return axes

    def directions(self) -> Signs | None:
        """Sign of each channel's slope: +1 rising, -1 falling; proven from the ops.

        A chain is proven monotone where every operation of it is, in float32 as well.

        Returns:
            Signs that broadcast against the root without its leading axis, or None
            where an operation is not known to be monotone.
        """
        sign: Signs = np.ones((), np.int8)
        for op in self.ops:
            step = direction(op)
            if step is None:
                return None
            if isinstance(op, ReshapeOp):
                if sign.size != 1:
                    extents = [n for n in shape_of(op.out)[1:]]
                    sign = np.broadcast_to(sign, shape_of(op.input)[1:])
                    sign = sign.reshape(extents)
                continue
            sign = (sign * step).astype(np.int8)
        return sign


def chain_to(value: SSAValue) -> Chain | None:
    """The chain that computes `value` from levels, or None where there is none."""
    ops: list[Operation] = []
    while not is_level(element_of(value)):
        op = value.owner
        if not isinstance(op, Operation) or not isinstance(op, _CHAIN_OPS):
            return None
        data = data_operand(op)
        if data is None:
            return None
        ops.append(op)
        value = data
    return Chain(value, tuple(reversed(ops)))


def is_elementwise(op: Operation) -> bool:
    """Whether `op` maps each element alone, without a channel of its own."""
    channelled = (ew.BatchNormOp, ThresholdOp, ReshapeOp)
    return isinstance(op, _CHAIN_OPS) and not isinstance(op, channelled)


def data_operand(op: Operation) -> SSAValue | None:
    """The one operand that is not a constant, or None where they are more or none."""
    computed = [operand for operand in op.operands if not is_constant(operand)]
    return computed[0] if len(computed) == 1 else None


def _constant(operand: SSAValue) -> Array:
    array = constant_array(operand)
    assert array is not None
    return array


def _signs(array: Array, rank: int) -> Signs:
    """Signs of a constant, shaped as the data without its leading axis."""
    signs = np.where(array >= 0, 1, -1).astype(np.int8)
    return signs[0] if signs.ndim == rank else signs


def direction(op: Operation) -> Signs | None:
    """Sign of each channel's slope of one operation of a chain, as in `Chain`."""
    rising: Signs = np.ones((), np.int8)
    rank = len(shape_of(op.results[0]))
    match op:
        case ew.MulOp():
            other = op.rhs if is_constant(op.rhs) else op.lhs
            return _signs(_constant(other), rank)
        case ew.DivOp() if is_constant(op.rhs):
            return _signs(_constant(op.rhs), rank)
        case ew.AddOp() | ReshapeOp():
            return rising
        case ew.SubOp():
            return rising if is_constant(op.rhs) else -rising
        case ew.NegOp():
            return -rising
        case ew.LeakyReluOp():
            return rising if op.slope.value.data >= 0 else None
        case PReluOp():
            return rising if (_constant(op.rhs) >= 0).all() else None
        case ew.HardSigmoidOp():
            return rising if op.alpha.value.data >= 0 else -rising
        case ew.BatchNormOp():
            shape = [1] * (rank - 1)
            shape[op.axis.value.data - 1] = -1
            return _signs(_constant(op.gamma), rank).reshape(shape)
        case DequantizeOp() | QuantizeOp():
            return _signs(_constant(op.scale), rank)
        case ThresholdOp() if op.falling is None:
            return rising
        case _:
            return rising if isinstance(op, _RISING) else None
