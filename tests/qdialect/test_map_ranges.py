"""Bounds of sums over windows: attained, near the border too, and never exceeded."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from xdsl.dialects import test
from xdsl.dialects.builtin import TensorType
from xdsl.ir import Attribute, SSAValue

from lowering.interpreter.sliding import integer_conv, sum_pool
from qdialect.constants import constant
from qdialect.convolution import ConvOp
from qdialect.data import Array
from qdialect.pooling import SumPoolOp
from qdialect.ranges import bounds, conv_bounds
from qdialect.types import BipolarType, signed, unsigned

WIDE = signed(20)


def levels(values: list[int], count: int) -> Array:
    """Every assignment of `values` to `count` elements, [frames, count, 1]."""
    frames = list(itertools.product(values, repeat=count))
    return np.array(frames, np.int64)[..., None]


def source(element: Attribute, extent: int) -> SSAValue:
    """A computed map of one channel."""
    type_ = TensorType(element, (1, 1, extent))
    return test.TestOp(result_types=[type_]).results[0]


WINDOWS: list[dict[str, Any]] = [
    {"strides": [1], "pads": [0, 0], "dilations": [1]},
    {"strides": [1], "pads": [2, 1], "dilations": [1]},
    {"strides": [3], "pads": [2, 2], "dilations": [1]},
    {"strides": [2], "pads": [1, 2], "dilations": [2]},
    {"strides": [1], "pads": [2, 2], "dilations": [1], "stretch": [2]},
]


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize(
    ("element", "values"),
    [(BipolarType(), [-1, 1]), (unsigned(1), [0, 1]), (signed(2), [-2, -1, 0, 1])],
)
def test_bounds_of_a_convolution_are_attained(
    window: dict[str, Any], element: Attribute, values: list[int]
) -> None:
    extent = 5
    weights = constant(np.array([[[3, -2, 5]], [[-1, -4, 2]], [[1, 1, 1]]]), signed(4))
    x = source(element, extent)
    probe = ConvOp(x, weights, TensorType(WIDE, (1, 3, 1)), **window)
    (axis,) = probe.window
    type_ = TensorType(WIDE, (1, 3, axis.windows(extent)))
    op = ConvOp(x, weights, type_, **window)
    op.verify()
    lows, highs = conv_bounds(op)
    array = weights.value.to_numpy().transpose(0, 2, 1)
    sums = integer_conv(levels(values, extent), array, op.window, 1)
    np.testing.assert_array_equal(sums.min(axis=(0, 1)), lows)
    np.testing.assert_array_equal(sums.max(axis=(0, 1)), highs)
    assert bounds(op.out) == (lows.min(), highs.max())


@pytest.mark.parametrize("window", WINDOWS[:4])
@pytest.mark.parametrize(
    ("element", "values"), [(unsigned(2), [0, 3]), (signed(3), [-4, 3])]
)
def test_bounds_of_a_sum_pool_are_attained(
    window: dict[str, Any], element: Attribute, values: list[int]
) -> None:
    extent = 5
    x = source(element, extent)
    probe = SumPoolOp(x, TensorType(WIDE, (1, 1, 1)), kernel=[3], **window)
    (axis,) = probe.window
    type_ = TensorType(WIDE, (1, 1, axis.windows(extent)))
    op = SumPoolOp(x, type_, kernel=[3], **window)
    op.verify()
    sums = sum_pool(levels(values, extent), op.window, np.int64)
    assert bounds(op.out) == (sums.min(), sums.max())


def test_positive_levels_at_a_border() -> None:
    """The least sum of levels that are all positive is the one with most padding."""
    frames = levels([1, 3], 4)
    kernel = constant(np.array([[[2, 2, 2]]]), signed(4))
    how: dict[str, Any] = {"strides": [1], "pads": [1, 1], "dilations": [1]}
    lookup = source(unsigned(2), 4)
    op = ConvOp(lookup, kernel, TensorType(WIDE, (1, 1, 4)), **how)
    sums = integer_conv(
        frames, kernel.value.to_numpy().transpose(0, 2, 1), op.window, 1
    )
    low, high = bounds(op.out)
    assert low <= sums.min() == 4
    assert high == sums.max() == 18
