"""`ternarise-weights`: the threshold of the paper, and the best of five levels."""

from __future__ import annotations

from itertools import product
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pass_agreement import apply
from real_weight_networks import map_network
from xdsl.utils.exceptions import PassFailedException

from passes.real_weights import real_weights
from passes.ternarise_weights import TernariseWeightsPass, five_levels, ternary
from qdialect.constants import constant_array
from qdialect.convolution import ConvOp
from qdialect.data import Array
from qdialect.linear import MatMulOp
from qdialect.quantisers import DequantizeOp

ROWS = st.lists(
    st.floats(-4, 4, width=32).filter(lambda x: x == 0 or abs(x) > 1e-6),
    min_size=1,
    max_size=5,
)


@pytest.mark.parametrize("delta", [0, 0.7, 1.5])
@pytest.mark.parametrize("seed", range(5))
def test_threshold_and_scale_of_the_paper(delta: float, seed: int) -> None:
    rows = np.random.default_rng(seed).normal(size=(6, 50))
    levels, scale = ternary(rows, delta)
    for row, found, alpha in zip(rows, levels, scale, strict=True):
        threshold = delta * np.mean(np.abs(row))
        expected = [0 if abs(w) <= threshold else 1 if w > 0 else -1 for w in row]
        assert found.tolist() == expected
        kept = [abs(w) for w, level in zip(row, expected, strict=True) if level]
        assert alpha == np.float32(np.mean(kept))


def squared_error(row: Array, levels: Array, scale: Array) -> float:
    return float(np.square(row - levels * scale.astype(np.float64)).sum())


@given(ROWS)
def test_no_five_levels_are_nearer(values: list[float]) -> None:
    row = np.array(values, np.float64)
    levels, scale = five_levels(row[None])
    found = squared_error(row, levels[0], scale)
    total = float(np.square(row).sum())
    best = total
    for tried in product(range(-2, 3), repeat=len(row)):
        steps = np.array(tried)
        if steps.any():
            best = min(best, total - float(row @ steps) ** 2 / float(steps @ steps))
    assert found <= best + 1e-6 * total


@given(ROWS)
def test_five_levels_err_less_than_three(values: list[float]) -> None:
    rows = np.array([values], np.float64)
    three, five = ternary(rows, 0.7), five_levels(rows)
    error = squared_error(rows[0], five[0][0], five[1])
    bound = squared_error(rows[0], three[0][0], three[1])
    assert error <= bound + 1e-6 * float(np.square(rows).sum())


@pytest.mark.parametrize("levels", [3, 5])
def test_one_scale_for_a_layer_is_that_of_all_weights_as_one_row(
    levels: Literal[3, 5],
) -> None:
    module = map_network(1)
    pass_ = TernariseWeightsPass(levels=levels, per_tensor=True)
    before, after = real_weights(pass_, module), apply(module, pass_)
    found = [
        op.weights.owner for op in after.walk() if isinstance(op, MatMulOp | ConvOp)
    ]
    for weights, source in zip(before, found, strict=True):
        assert isinstance(source, DequantizeOp)
        row = weights.rows.reshape(1, -1)
        expected = ternary(row, 0.7) if levels == 3 else five_levels(row)
        for value, wanted in zip((source.input, source.scale), expected, strict=True):
            array = constant_array(value)
            assert array is not None
            np.testing.assert_array_equal(array.ravel(), wanted.ravel())


def test_a_row_of_zeros_has_levels_of_zero() -> None:
    for levels, scale in (
        ternary(np.zeros((1, 3)), 0.7),
        five_levels(np.zeros((1, 3))),
    ):
        assert levels.tolist() == [[0, 0, 0]]
        assert scale.tolist() == [1]


@pytest.mark.parametrize("delta", [-0.1, float("inf"), float("nan")])
def test_a_threshold_that_is_none_is_refused(delta: float) -> None:
    with pytest.raises(PassFailedException, match="delta must"):
        apply(map_network(0), TernariseWeightsPass(delta))
