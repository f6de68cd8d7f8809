"""`binarise-weights`: no signs and scale are nearer to the weights."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from pass_agreement import apply, assert_same
from real_weight_networks import dense_network, frames_of, layer
from xdsl.dialects.builtin import ModuleOp, TensorType

from lowering.interpreter.engine import Interpreter
from passes.binarise_weights import BinariseWeightsPass
from passes.lower_to_integer import LowerToIntegerPass
from passes.quantize_inputs import QuantizeInputsPass
from qdialect.data import Array
from qdialect.linear import MatMulOp


def weights_of(module: ModuleOp) -> Array:
    """What the layer gives for unit vectors, [O, I]."""
    columns = next(op for op in module.walk() if isinstance(op, MatMulOp)).input.type
    assert isinstance(columns, TensorType)
    identity = np.eye(columns.get_shape()[1], dtype=np.float32)
    (found,) = Interpreter(module).run([identity])
    return found.T.astype(np.float64)


@pytest.mark.parametrize("seed", range(5))
def test_nothing_of_its_form_is_nearer(seed: int) -> None:
    weights = np.random.default_rng(seed).normal(size=(3, 5)).astype(np.float32)
    found = weights_of(apply(layer(weights), BinariseWeightsPass()))
    for row, got in zip(weights.astype(np.float64), found, strict=True):
        best = min(
            float(np.square(row - (row @ signs) / 5 * signs).sum())
            for signs in map(np.array, product((-1, 1), repeat=5))
        )
        assert np.square(row - got).sum() == pytest.approx(best, rel=1e-6)


def test_zeros_are_positive_and_a_row_of_zeros_counts_for_nothing() -> None:
    weights = np.array([[0.0, -3.0], [0.0, 0.0], [-0.0, 1.0]])
    after = apply(layer(weights), BinariseWeightsPass())
    expected = [[1.5, -1.5], [0, 0], [0.5, 0.5]]
    np.testing.assert_array_equal(weights_of(after), expected)
    real = apply(after, QuantizeInputsPass())
    frames = np.array([[0.5, -2.0], [3.25, 1.0]], np.float32)
    assert_same(real, apply(real, LowerToIntegerPass()), [frames])


def test_one_scale_for_a_layer() -> None:
    weights = np.array([[1.0, -2.0], [3.0, 6.0]])
    after = apply(layer(weights), BinariseWeightsPass(per_tensor=True))
    np.testing.assert_array_equal(weights_of(after), [[3, -3], [3, 3]])
    network = dense_network(3)
    binary = apply(network, BinariseWeightsPass(per_tensor=True))
    (found,) = Interpreter(binary).run([frames_of(network, 5)])
    assert found.shape == (5, 4)
