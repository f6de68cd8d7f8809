"""Which scalings keep levels levels, so that a sum of them stays one of integers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import lcm

import numpy as np
import numpy.typing as npt
from xdsl.ir import Block, Operation, SSAValue

from qdialect.chains import data_operand
from qdialect.constants import constant_array
from qdialect.data import Array
from qdialect.elementwise import AddOp, BatchNormOp, DivOp, MulOp, SubOp
from qdialect.grids import common_grid
from qdialect.semantics import BINARY, Real, along_axis, batch_norm_affine
from qdialect.types import element_of, is_real, shape_of

# Weights that take up greater factors would be wider than what they are multiplied with.
_MAX_CHANNEL_STEPS = 1 << 12
# Counts of the windows of one average have small common multiples: 36 for 3 x 3.
_MAX_MULTIPLE = 1 << 12

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Scaling:
    """`data * number` or `data / number`, with one positive constant number.

    An average is such a quotient. Where the data is `levels * scale` and the result is
    summed, it counts as the same levels, scaled by what `rescaled` gives. A product may
    have a number of either sign for each channel instead, such as XNOR-Net's alpha.
    Where the windows of an average hold unequal numbers of elements, `data / counts`, it
    counts as `levels * factors`, with the least number that all counts divide.

    Attributes:
        op: the product or quotient.
        data: its computed operand.
        number: float32, of shape [], or one that broadcasts against the data.
        factors: whole numbers that broadcast against the data, or None for ones.
    """

    op: MulOp | DivOp
    data: SSAValue
    number: Real
    factors: Integers | None = None

    def rescaled(self, scale: Real) -> Real | None:
        """The scale of the result, rounded once; None where it leaves float32."""
        with np.errstate(over="ignore", under="ignore"):
            result = BINARY[type(self.op)](scale, self.number).astype(np.float32)
        is_zero = (scale == 0) | (self.number == 0)
        return result if _fits(result, is_zero) else None


def _fits(scale: Real, is_zero: Array) -> bool:
    """Whether a scale is float32 of full precision, or 0 where it is meant to be."""
    large = np.isfinite(scale) & (np.abs(scale) >= np.finfo(np.float32).tiny)
    return bool((large | is_zero).all())


def product_scale(lhs: Real, rhs: Real) -> Real | None:
    """The scale of a product of levels; None where it leaves float32."""
    with np.errstate(over="ignore", under="ignore"):
        result = np.multiply(lhs, rhs).astype(np.float32)
    return result if _fits(result, (lhs == 0) | (rhs == 0)) else None


def scaling(op: Operation | Block) -> Scaling | None:
    """How `op` scales a tensor of real numbers, or None where it does not."""
    if not isinstance(op, MulOp | DivOp) or not is_real(element_of(op.out)):
        return None
    data = data_operand(op)
    if data is None or shape_of(data) != shape_of(op.out):
        return None
    if isinstance(op, DivOp) and data is not op.lhs:
        return None
    array = constant_array(op.rhs if data is op.lhs else op.lhs)
    if array is None or not bool(np.isfinite(array).all()):
        return None
    if isinstance(op, MulOp) and array.size > 1:
        return Scaling(op, data, array.astype(np.float32))
    if not bool((array > 0).all()):
        return None
    if array.size == 1:
        return Scaling(op, data, array.astype(np.float32).reshape(()))
    counts = np.unique(array)
    if bool((counts != np.round(counts)).any()):
        return None
    multiple = lcm(*(int(count) for count in counts))
    if multiple > _MAX_MULTIPLE:
        return None
    factors = multiple // array.astype(np.int64)
    return Scaling(op, data, np.array(multiple, np.float32), factors)


@dataclass(frozen=True)
class Shifting:
    """`data + number` or `data - number`, with one constant number for each channel.

    A bias is such a sum. Where the data is levels and the result is added to others, it
    counts as the same levels and a constant (`sum_grids`).

    Attributes:
        data: the computed operand.
        number: float32, finite; broadcasts against the data.
    """

    data: SSAValue
    number: Real


def shifting(op: Operation | Block) -> Shifting | None:
    """What constant `op` adds to a tensor of real numbers, or None where it does not."""
    if not isinstance(op, AddOp | SubOp) or not is_real(element_of(op.out)):
        return None
    data = data_operand(op)
    if data is None or shape_of(data) != shape_of(op.out):
        return None
    if isinstance(op, SubOp) and data is not op.lhs:
        return None
    array = constant_array(op.rhs if data is op.lhs else op.lhs)
    if array is None or not bool(np.isfinite(array).all()):
        return None
    number = array.astype(np.float32)
    return Shifting(data, -number if isinstance(op, SubOp) else number)


def norm_constants(op: BatchNormOp) -> tuple[Real, Real] | None:
    """Slope and intercept of a batch normalisation as they broadcast against its input.

    None where they are computed, or not finite.
    """
    arrays = [constant_array(v) for v in (op.gamma, op.beta, op.mean, op.variance)]
    known = [array.astype(np.float32) for array in arrays if array is not None]
    if len(known) < len(arrays):
        return None
    gamma, beta, mean, variance = known
    affine = batch_norm_affine(gamma, beta, mean, variance, op.epsilon.value.data)
    if not all(bool(np.isfinite(part).all()) for part in affine):
        return None
    rank, axis = len(shape_of(op.input)), op.axis.value.data
    slope, intercept = (along_axis(part, rank, axis) for part in affine)
    return slope, intercept


def varies_along(scale: Array, rank: int, axes: Sequence[int]) -> bool:
    """Whether a scale has more than one element along some axes of a tensor."""
    shape = (1,) * (rank - scale.ndim) + scale.shape
    return any(shape[axis] != 1 for axis in axes)


@dataclass(frozen=True)
class ChannelGrids:
    """Scales of channels that are summed, as whole multiples of one a group.

    Attributes:
        steps: [C], factors of the levels, or of the weights that meet them.
        scale: [G], float32.
    """

    steps: Integers
    scale: Real

    @property
    def is_unit(self) -> bool:
        """Whether every channel has the scale of its group."""
        return bool((self.steps == 1).all())


def channel_grids(
    scale: Array, shape: tuple[int, ...], axis: int, groups: int = 1
) -> ChannelGrids | None:
    """The grids of a scale that varies along one axis of a tensor, the summed one.

    A scale for each channel goes into the rows of a depthwise convolution; elsewhere
    scales in whole ratios are taken into the weights.

    Args:
        scale: positive; broadcasts against `shape`.
        shape: of the tensor; frames lead.
        axis: the channels.
        groups: of channels that are summed apart from one another.

    Returns:
        The grids, or None where the scale varies along another axis, or a group shares
        no grid of which its scales are less than 2**12 steps.
    """
    full = scale.reshape((1,) * (len(shape) - scale.ndim) + scale.shape)
    if full.size != full.shape[axis]:
        return None
    rows = np.broadcast_to(full.ravel(), (shape[axis],)).reshape(groups, -1)
    steps: list[Integers] = []
    units: list[np.float32] = []
    for row in rows:
        distinct, index = np.unique(row, return_inverse=True)
        grid = common_grid(*(float(number) for number in distinct))
        if grid is None or max(grid.steps) > _MAX_CHANNEL_STEPS:
            return None
        steps.append(np.array(grid.steps, np.int64)[index.ravel()])
        units.append(grid.scale)
    return ChannelGrids(np.concatenate(steps), np.array(units, np.float32))
