"""Real values as the levels that they are made from, with scale and zero point."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from xdsl.ir import Operation, SSAValue

from qdialect.constants import constant, constant_array
from qdialect.data import Array
from qdialect.elementwise import MulOp, SubOp
from qdialect.quantisers import DequantizeOp
from qdialect.scaling import Integers, Scaling, scaling, shifting
from qdialect.types import (
    element_of,
    integer_type_for,
    tensor_type,
    value_range,
    with_element,
)


@dataclass(frozen=True)
class ScaledLevels:
    """A real value as `(levels - zero_point) * factors * scale`.

    Attributes:
        levels: a tensor of levels.
        scale: float32, broadcasts against the levels; None where it is computed.
        zero_point: float32, likewise.
        factors: whole numbers that do, or None for ones.
    """

    levels: SSAValue
    scale: Array | None
    zero_point: Array | None
    factors: Integers | None = None

    def without_factors(self, new: list[Operation]) -> ScaledLevels:
        """The same value without factors; ops that multiply are appended to `new`.

        Its zero point is 0 then, unless it had no factors or no one zero point.
        """
        zero = whole_number(self.zero_point)
        if self.factors is None or zero is None:
            return self
        levels = multiplied(self.levels, zero, self.factors, new)
        return ScaledLevels(levels, self.scale, np.zeros((), np.float32))


def centred(levels: SSAValue, zero: int | Integers, new: list[Operation]) -> SSAValue:
    """`levels - zero`; ops are appended to `new`."""
    if not np.any(zero):
        return levels
    low, high = value_range(element_of(levels))
    low, high = low - int(np.max(zero)), high - int(np.min(zero))
    other = constant(np.array(zero, np.int64))
    type_ = with_element(tensor_type(levels), integer_type_for(low, high))
    difference = SubOp(levels, other, type_)
    new += [other, difference]
    return difference.out


def multiplied(
    levels: SSAValue, zero: int, factors: Integers, new: list[Operation]
) -> SSAValue:
    """`(levels - zero) * factors`; ops are appended to `new`."""
    levels = centred(levels, zero, new)
    low, high = value_range(element_of(levels))
    corners = [
        end * int(f) for end in (low, high) for f in (factors.min(), factors.max())
    ]
    element = integer_type_for(min(*corners, 0), max(*corners, 0))
    constants = constant(factors)
    product = MulOp(levels, constants, with_element(tensor_type(levels), element))
    new += [constants, product]
    return product.out


def scaled_levels(value: SSAValue) -> ScaledLevels | None:
    """What a value counts as where it is summed, or None where it is no levels.

    Between the dequantiser and the sum products and quotients with one constant number
    may stand, such as the division of an average; they scale the scale (`Scaling`).
    """
    steps: list[Scaling] = []
    while (step := scaling(value.owner)) is not None:
        steps.append(step)
        value = step.data
    op = value.owner
    if not isinstance(op, DequantizeOp):
        return None
    scale, zero = constant_array(op.scale), constant_array(op.zero_point)
    factors: Integers | None = None
    for step in reversed(steps):
        scale = None if scale is None else step.rescaled(scale)
        if scale is None:
            return None
        if step.factors is not None:
            factors = step.factors if factors is None else factors * step.factors
    if factors is not None and whole_number(zero) is None:
        return None
    return ScaledLevels(op.input, scale, zero, factors)


@dataclass(frozen=True)
class Summand:
    """An operand of a sum as `(levels - zero_point) * scale + constant`.

    Attributes:
        levels: a tensor of levels.
        scale: float32, of either sign; broadcasts against the levels.
        zero_point: whole numbers that do.
        constant: float32, likewise: a bias.
        factors: whole numbers of the levels, or None for ones.
    """

    levels: SSAValue
    scale: Array
    zero_point: Integers
    constant: Array
    factors: Integers | None = None

    def without_factors(self, new: list[Operation]) -> Summand:
        """The same value without factors; ops that multiply are appended to `new`."""
        if self.factors is None:
            return self
        zero = int(self.zero_point.item())
        levels = multiplied(self.levels, zero, self.factors, new)
        return Summand(levels, self.scale, np.zeros((), np.int64), self.constant)


def summand(value: SSAValue) -> Summand | None:
    """As `scaled_levels`, of constant scale, where a constant may have been added."""
    constant = np.zeros((), np.float32)
    if (step := shifting(value.owner)) is not None:
        value, constant = step.data, step.number
    found = scaled_levels(value)
    if found is None or found.scale is None:
        return None
    zero = whole_numbers(found.zero_point)
    if zero is None:
        return None
    return Summand(found.levels, found.scale, zero, constant, found.factors)


def whole_number(array: Array | None) -> int | None:
    """A zero point as one integer, or None where it is none."""
    if array is None or array.size != 1 or not np.isfinite(array.item()):
        return None
    return int(array.item()) if array.item() == round(array.item()) else None


def whole_numbers(array: Array | None) -> Integers | None:
    """Zero points as integers, one or one a channel, or None where they are none."""
    if array is None or not np.isfinite(array).all():
        return None
    whole = array.astype(np.int64)
    return whole if bool((whole == array).all()) else None


@dataclass(frozen=True)
class UniformLevels:
    """As `ScaledLevels`, one positive scale and one zero point for all."""

    levels: SSAValue
    scale: float
    zero_point: int
    factors: Integers | None = None

    @property
    def range(self) -> tuple[int, int]:
        """Least and greatest level of the type."""
        return value_range(element_of(self.levels))

    def without_factors(self, new: list[Operation]) -> UniformLevels:
        """The same value without factors; ops that multiply are appended to `new`."""
        if self.factors is None:
            return self
        levels = multiplied(self.levels, self.zero_point, self.factors, new)
        return UniformLevels(levels, self.scale, 0)


def uniform_levels(value: SSAValue) -> UniformLevels | None:
    """As `scaled_levels`, where the scale is one positive constant number."""
    found = scaled_levels(value)
    if found is None or found.scale is None or found.scale.size != 1:
        return None
    scale, zero = float(found.scale.item()), whole_number(found.zero_point)
    if not scale > 0 or zero is None:
        return None
    return UniformLevels(found.levels, scale, zero, found.factors)
