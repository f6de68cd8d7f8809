"""Affine maps of integers, `k * n + h`, exactly and in fixed point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod

import numpy as np
import numpy.typing as npt
from xdsl.ir import Operation
from xdsl.utils.exceptions import PassFailedException

from qdialect import elementwise as ew
from qdialect.chains import data_operand
from qdialect.constants import constant_array
from qdialect.data import Array
from qdialect.location import where
from qdialect.quantisers import DequantizeOp
from qdialect.semantics import along_axis, batch_norm_affine
from qdialect.types import shape_of

Fractions = list[Fraction]

# Sums beyond this are not exact in the float64 of a dequantiser.
MAX_SUM = 1 << 53
# The scale 2**-fraction is a float32 number of full precision.
_MAX_FRACTION = 126


@dataclass(frozen=True)
class Affine:
    """`slope[c] * n + intercept[c]`, real numbers, exactly.

    Attributes:
        slope: one a channel.
        intercept: one a channel.
        is_batch_norm: whether a multiplication and an addition were asked for.
    """

    slope: Fractions
    intercept: Fractions
    is_batch_norm: bool


def affine_start(
    ops: Sequence[Operation], inner: tuple[int, ...]
) -> tuple[Affine, int]:
    """What the operations at the start of a chain compute together, without rounding.

    Args:
        ops: of the chain, the first a dequantiser.
        inner: shape of one frame, of extent 1 but along the channels.

    Returns:
        The map, and how many of the operations it takes in; the next one is not affine.
    """
    channels = prod(inner)
    slope, intercept = [Fraction(1)] * channels, [Fraction(0)] * channels
    multiplies = adds = False
    for count, op in enumerate(ops):
        step = _step(op, inner)
        if step is None:
            return Affine(slope, intercept, multiplies and adds), count
        factor, offset = step
        slope = [a * f for a, f in zip(slope, factor, strict=True)]
        intercept = [
            b * f + o for b, f, o in zip(intercept, factor, offset, strict=True)
        ]
        multiplies |= isinstance(op, ew.MulOp | ew.DivOp | ew.BatchNormOp)
        adds |= isinstance(op, ew.AddOp | ew.SubOp | ew.BatchNormOp)
    return Affine(slope, intercept, multiplies and adds), len(ops)


def _step(op: Operation, inner: tuple[int, ...]) -> tuple[Fractions, Fractions] | None:
    """Factor and offset of one operation, or None where it is not affine."""
    ones, zeros = [Fraction(1)] * prod(inner), [Fraction(0)] * prod(inner)
    match op:
        case DequantizeOp():
            scale = _channels(op, constant_array(op.scale), inner)
            zero = _channels(op, constant_array(op.zero_point), inner)
            return scale, [-z * s for z, s in zip(zero, scale, strict=True)]
        case ew.NegOp():
            return [-one for one in ones], zeros
        case ew.BatchNormOp():
            return _batch_norm(op, inner)
        case ew.BinaryOp():
            data = data_operand(op)
            other = op.rhs if data is op.lhs else op.lhs
            numbers = _channels(op, constant_array(other), inner)
        case _:
            return None
    match op:
        case ew.MulOp():
            return numbers, zeros
        case ew.AddOp():
            return ones, numbers
        case ew.SubOp() if data is op.lhs:
            return ones, [-number for number in numbers]
        case ew.SubOp():
            return [-one for one in ones], numbers
        case ew.DivOp() if data is op.lhs and all(numbers):
            return [1 / number for number in numbers], zeros
        case _:
            return None


def _batch_norm(
    op: ew.BatchNormOp, inner: tuple[int, ...]
) -> tuple[Fractions, Fractions]:
    arrays = [
        constant_array(value) for value in (op.gamma, op.beta, op.mean, op.variance)
    ]
    gamma, beta, mean, variance = (
        np.asarray(array).astype(np.float32) for array in arrays
    )
    parts = batch_norm_affine(gamma, beta, mean, variance, op.epsilon.value.data)
    rank, axis = len(shape_of(op.input)), op.axis.value.data
    slope, intercept = (along_axis(part, rank, axis) for part in parts)
    return _channels(op, slope, inner), _channels(op, intercept, inner)


def _channels(op: Operation, array: Array | None, inner: tuple[int, ...]) -> Fractions:
    """A constant as a number for each channel."""
    assert array is not None, f"{op.name} is in no chain unless this is constant"
    numbers = np.broadcast_to(array, (1, *inner)).ravel()
    if not np.isfinite(numbers).all():
        raise PassFailedException(
            f"fixed-point-batch-norm: {where(op)}: a constant is not finite and has "
            "no fixed-point form"
        )
    return [Fraction(number) for number in numbers.tolist()]


@dataclass(frozen=True)
class FixedPoint:
    """Numbers in words of a fixed point, `levels * 2**-fraction`.

    Attributes:
        levels: one a channel.
        fraction: bits behind the point; negative where even the units are too fine.
    """

    levels: npt.NDArray[np.int64]
    fraction: int

    def aligned(self, fraction: int) -> npt.NDArray[np.int64]:
        """The same numbers with at least as many bits behind the point."""
        return self.levels << (fraction - self.fraction)


def rounded(numbers: Fractions, bits: int, fraction: int) -> FixedPoint | None:
    """Numbers rounded to nearest, ties to even; None where a word cannot hold one."""
    levels = [round(number * Fraction(2) ** fraction) for number in numbers]
    limit = 1 << (bits - 1)
    if not all(-limit <= level < limit for level in levels):
        return None
    return FixedPoint(np.array(levels, np.int64), fraction)


def finest(numbers: Fractions, bits: int, most: int = _MAX_FRACTION) -> FixedPoint:
    """Numbers with as many bits behind the point as words allow, but not above `most`."""
    greatest = max(abs(number) for number in numbers)
    if greatest == 0:
        return FixedPoint(np.zeros(len(numbers), np.int64), min(most, 0))
    whole_bits = greatest.numerator.bit_length() - greatest.denominator.bit_length()
    # With 2 bits more the greatest fits no word.
    fraction = min(most, bits - whole_bits + 1)
    while (found := rounded(numbers, bits, fraction)) is None:
        fraction -= 1
    return found


def fixed_point_affine(
    affine: Affine, bits: int, greatest: int
) -> tuple[FixedPoint, FixedPoint]:
    """Slope and intercept, each as fine as it fits.

    Args:
        affine: the exact map.
        bits: of a word.
        greatest: absolute value of n that the sum must be exact for.
    """
    slope, intercept = finest(affine.slope, bits), finest(affine.intercept, bits)
    while not sum_is_exact(slope, intercept, greatest):
        # The last digits of the finer one are below those of the other.
        most = max(slope.fraction, intercept.fraction) - 1
        slope = finest(affine.slope, bits, most)
        intercept = finest(affine.intercept, bits, most)
    return slope, intercept


def sum_is_exact(slope: FixedPoint, intercept: FixedPoint, greatest: int) -> bool:
    """Whether `slope * n + intercept` is exact in a dequantiser for |n| <= greatest."""
    fraction = max(slope.fraction, intercept.fraction)
    product = _greatest(slope) * greatest << (fraction - slope.fraction)
    offset = _greatest(intercept) << (fraction - intercept.fraction)
    return product + offset <= MAX_SUM


def _greatest(numbers: FixedPoint) -> int:
    return int(np.abs(numbers.levels).max())
