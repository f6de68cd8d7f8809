"""Inputs for a network where none are given: the values that tell stages apart."""

from __future__ import annotations

import numpy as np
from xdsl.dialects.builtin import TensorType
from xdsl.dialects.func import FuncOp
from xdsl.ir import SSAValue

from qdialect.constants import constant_array
from qdialect.data import Array
from qdialect.quantisers import QuantizeOp
from qdialect.shaping import ReshapeOp, TransposeOp
from qdialect.types import (
    BipolarType,
    element_of,
    is_level,
    is_real,
    shape_of,
    value_range,
)
from tools.mistakes import UserError

# Real inputs of unknown range: multiples of 2**-8 up to 4, exact on every usual grid.
_FREE_RANGE = 4.0
_FREE_STEP = 2.0**-8
# Part of them that is zero, the tie of a sign.
_ZEROS = 0.125
# How far beyond the range of its quantiser an input reaches, as a part of that range.
_OVERSHOOT = 0.25
_INT64_MAX = (1 << 63) - 1


def generate_inputs(function: FuncOp, frames: int, seed: int = 0) -> list[Array]:
    """An array for each argument of a function, frames along the leading axis.

    Where a quantiser reads an input, values lie in its range and a quarter of that
    beyond, half of them on ties of its rounding. Integer inputs take all values of
    their type. The same arguments always give the same arrays.

    Raises:
        UserError: an argument is no tensor.
    """
    random = np.random.default_rng(seed)
    return [_generate(argument, frames, random) for argument in function.args]


def _generate(argument: SSAValue, frames: int, random: np.random.Generator) -> Array:
    refusal = UserError(f"no input can be made up for {argument.type}; give --input")
    if not isinstance(argument.type, TensorType) or not shape_of(argument):
        raise refusal
    shape = (frames, *shape_of(argument)[1:])
    element = element_of(argument)
    if isinstance(element, BipolarType):
        return random.choice(np.array([-1, 1], np.int8), shape)
    if is_level(element):
        low, high = (max(-_INT64_MAX, min(n, _INT64_MAX)) for n in value_range(element))
        return random.integers(low, high, shape, np.int64, endpoint=True)
    if not is_real(element):
        raise refusal
    quantiser = _quantiser_of(argument)
    grid = None if quantiser is None else _grid(quantiser)
    if grid is None:
        steps = round(_FREE_RANGE / _FREE_STEP)
        whole = random.integers(-steps, steps, shape, endpoint=True)
        whole[random.random(shape) < _ZEROS] = 0
        return (whole * _FREE_STEP).astype(np.float32)
    low, high, step = grid
    reach = _OVERSHOOT * (high - low) + step
    free = random.uniform(low - reach, high + reach, shape)
    ties = low + (np.floor((free - low) / step) + 0.5) * step
    return np.where(random.random(shape) < 0.5, ties, free).astype(np.float32)


def _quantiser_of(value: SSAValue) -> QuantizeOp | None:
    """The first quantiser that reads a value, reshaped or not."""
    for use in value.uses:
        match use.operation:
            case QuantizeOp() as op if op.input is value:
                return op
            case ReshapeOp() | TransposeOp() as op:
                if (found := _quantiser_of(op.out)) is not None:
                    return found
            case _:
                pass
    return None


def _grid(op: QuantizeOp) -> tuple[float, float, float] | None:
    """Least and greatest value and step of a quantiser with one constant scale."""
    scale, zero_point = constant_array(op.scale), constant_array(op.zero_point)
    if scale is None or zero_point is None or scale.size == 0:
        return None
    step = float(np.abs(scale).max())
    zero = float(zero_point.astype(np.float64).ravel()[0])
    low, high = op.level_range
    return (low - zero) * step, (high - zero) * step, step
