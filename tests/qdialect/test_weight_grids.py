"""Real weights as levels of a grid: what exporters fold into constants, and what not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qdialect.weight_grids import weight_grid


def restored(weights: np.ndarray) -> np.ndarray:
    """What the levels of a grid stand for; there must be one."""
    grid = weight_grid(weights)
    assert grid is not None
    return grid.levels * grid.scale.astype(np.float64)


@settings(max_examples=100, deadline=None)
@given(bits=st.integers(1, 8), seed=st.integers(0, 1 << 32), scaled=st.booleans())
def test_dorefa_weights(bits: int, seed: int, scaled: bool) -> None:
    """2 q / (2^k - 1) - 1 in float32, and that times a real number."""
    rng = np.random.default_rng(seed)
    most = (1 << bits) - 1
    codes = rng.integers(0, most + 1, (6, 30))
    codes[0, :2] = 0, most
    weights = np.float32(2) * (codes.astype(np.float32) / np.float32(most))
    weights -= np.float32(1)
    if scaled:
        weights *= np.float32(rng.random() + 0.01)
    weights[1:, :2] = weights[0, :2]
    codes[1:, :2] = codes[0, :2]
    grid = weight_grid(weights)
    assert grid is not None
    common = np.gcd.reduce(2 * codes - most, axis=1 if grid.scale.ndim else None)
    common = common.reshape(-1, 1) if grid.scale.ndim else common
    np.testing.assert_array_equal(grid.levels, (2 * codes - most) // common)


def test_a_scale_for_each_row() -> None:
    rng = np.random.default_rng(1)
    alpha = rng.random((5, 1, 1, 1)).astype(np.float32)
    signs = rng.choice([-1, 1], (5, 3, 2, 2))
    grid = weight_grid((alpha * signs).astype(np.float32))
    assert grid is not None
    assert grid.scale.shape == (5, 1, 1, 1)
    np.testing.assert_array_equal(grid.levels, signs)
    np.testing.assert_array_equal(grid.scale, alpha)


def test_fixed_point_of_many_bits_is_exact() -> None:
    rng = np.random.default_rng(2)
    levels = rng.integers(-(1 << 13), 1 << 13, (20, 40)) | 1
    weights = (levels / 4096).astype(np.float32)
    grid = weight_grid(weights)
    assert grid is not None
    np.testing.assert_array_equal(grid.levels, levels)
    assert grid.scale == np.float32(1 / 4096)
    np.testing.assert_array_equal(restored(weights), weights)


@pytest.mark.parametrize("weights", [np.zeros((2, 3)), np.zeros((2, 3)) + 0.3])
def test_one_value(weights: np.ndarray) -> None:
    np.testing.assert_array_equal(
        restored(weights.astype(np.float32)).astype(np.float32),
        weights.astype(np.float32),
    )


def test_a_row_of_zeros_among_others() -> None:
    weights = np.array([[0.3, -0.3], [0, 0], [0.7, 0.7]], np.float32)
    grid = weight_grid(weights)
    assert grid is not None
    np.testing.assert_array_equal(grid.levels, [[1, -1], [0, 0], [1, 1]])


@pytest.mark.parametrize("scale", [1e-30, 1e-3, 1.0, 1e30])
def test_real_weights_have_none(scale: float) -> None:
    weights = np.random.default_rng(3).normal(0, scale, (8, 16)).astype(np.float32)
    assert weight_grid(weights) is None


def test_one_real_row_is_enough() -> None:
    weights = np.tile(np.array([0.5, -0.25], np.float32), (4, 8))
    weights[3] = np.random.default_rng(4).normal(0, 1, 16)
    assert weight_grid(weights) is None


def test_weights_that_are_near_a_grid_are_not_on_it() -> None:
    weights = np.array([[1, -1, 1 / 3, -1 / 3]] * 2, np.float32)
    weights[1, 2] += np.float32(1e-5)
    assert weight_grid(weights) is None


def test_no_weights() -> None:
    assert weight_grid(np.zeros((0, 3), np.float32)) is None
