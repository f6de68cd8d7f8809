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
from qdialect.elementwise import DivOp, MulOp
from qdialect.grids import common_grid
from qdialect.semantics import BINARY, Real
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
    summed, it counts as the same levels, scaled by what `rescaled` gives. Where the
    windows of the average hold unequal numbers of elements, `data / counts`, it counts
    as `levels * factors`, with the least number that all counts divide.

    Attributes:
        op: the product or quotient.
        data: its computed operand.
        number: float32, of shape [].
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
        fits = np.isfinite(result) & (np.abs(result) >= np.finfo(np.float32).tiny)
        return result if bool(fits.all()) else None


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
    if array is None or not bool(((array > 0) & (array < np.inf)).all()):
        return None
    if array.size == 1:
        return Scaling(op, data, array.astype(np.float32).reshape(()))
    counts = np.unique(array)
    if isinstance(op, MulOp) or bool((counts != np.round(counts)).any()):
        return None
    multiple = lcm(*(int(count) for count in counts))
    if multiple > _MAX_MULTIPLE:
        return None
    factors = multiple // array.astype(np.int64)
    return Scaling(op, data, np.array(multiple, np.float32), factors)


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
