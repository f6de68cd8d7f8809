"""The element-wise semantics against the programs that define them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.dialects.builtin import TensorType
from xdsl.ir import Attribute
from xdsl.utils.test_value import create_ssa_value

from qdialect.data import Array
from qdialect.quantisers import QuantizeOp, Rounding
from qdialect.semantics import (
    along_axis,
    batch_norm_affine,
    dequantize_values,
    quantize_levels,
    threshold_levels,
)
from qdialect.types import F32, BipolarType, signed, unsigned

QONNX_NAMES = {
    Rounding.HALF_EVEN: "ROUND",
    Rounding.CEIL: "CEIL",
    Rounding.FLOOR: "FLOOR",
    Rounding.UP: "UP",
    Rounding.DOWN: "DOWN",
    Rounding.HALF_UP: "HALF_UP",
    Rounding.HALF_DOWN: "HALF_DOWN",
}


def level_range(element: Attribute, narrow: bool) -> tuple[int, int]:
    real = create_ssa_value(TensorType(F32, (1,)))
    op = QuantizeOp(real, real, real, TensorType(element, (1,)), narrow=narrow)
    return op.level_range


def ours(
    x: Array,
    scale: float,
    zero: float,
    bits: int,
    is_signed: bool,
    narrow: bool,
    rounding: Rounding,
) -> Array:
    if bits == 1 and is_signed:
        element: Attribute = BipolarType()
    else:
        element = signed(bits) if is_signed else unsigned(bits)
    s, z = np.array(scale, np.float32), np.array(zero, np.float32)
    levels = quantize_levels(x, s, z, rounding, element, level_range(element, narrow))
    return dequantize_values(levels, s, z)


def theirs(
    x: Array,
    scale: float,
    zero: float,
    bits: int,
    is_signed: bool,
    narrow: bool,
    rounding: Rounding,
) -> Array:
    quant = pytest.importorskip("qonnx.custom_op.general.quant").quant
    return quant(
        x,
        np.array(scale, np.float32),
        np.array(zero, np.float32),
        np.array(bits, np.float32),
        int(is_signed),
        int(narrow),
        QONNX_NAMES[rounding],
    )


@pytest.mark.parametrize("rounding", list(Rounding))
def test_quantiser_on_every_tie(rounding: Rounding) -> None:
    """Quarters from -40 to 40: every tie, every clamp, every width up to 8 bits."""
    x = (np.arange(-160, 161) / 4).astype(np.float32)
    for bits, is_signed, narrow, scale, zero in itertools.product(
        range(1, 9), (False, True), (False, True), (0.5, 1.0, 0.3), (0.0, 2.0, -1.0)
    ):
        case = (x, scale, zero, bits, is_signed, narrow, rounding)
        if bits == 1 and narrow:
            continue
        np.testing.assert_array_equal(ours(*case), theirs(*case), str(case[1:]))


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=30),
    st.floats(2.0**-10, 2.0**10, width=32),
    st.integers(-9, 9),
    st.integers(2, 16),
    st.booleans(),
    st.booleans(),
    st.sampled_from(list(Rounding)),
)
def test_quantiser_on_generated_numbers(
    values: list[float],
    scale: float,
    zero: int,
    bits: int,
    is_signed: bool,
    narrow: bool,
    rounding: Rounding,
) -> None:
    x = np.array(values, np.float32)
    case = (x, scale, float(zero), bits, is_signed, narrow, rounding)
    np.testing.assert_array_equal(ours(*case), theirs(*case))


@pytest.mark.parametrize("channels", [1, 4, 64])
def test_batch_norm_is_that_of_onnx_runtime(channels: int) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(channels)
    gamma, beta, mean = (
        rng.standard_normal(channels).astype(np.float32) for _ in range(3)
    )
    variance = (rng.random(channels) * 100).astype(np.float32)
    epsilon = 1e-5
    names = ["gamma", "beta", "mean", "variance"]
    graph = helper.make_graph(
        [helper.make_node("BatchNormalization", ["x", *names], ["y"], epsilon=epsilon)],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", channels])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", channels])],
        [
            numpy_helper.from_array(array, name)
            for array, name in zip((gamma, beta, mean, variance), names, strict=True)
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 9
    session = onnxruntime.InferenceSession(model.SerializeToString())
    x = rng.integers(-500, 500, (2000, channels)).astype(np.float32)
    (expected,) = session.run(None, {"x": x})
    slope, intercept = batch_norm_affine(gamma, beta, mean, variance, epsilon)
    np.testing.assert_array_equal(x * slope + intercept, expected)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 9))
def test_thresholds_are_those_of_qonnx(seed: int, channels: int, steps: int) -> None:
    multithreshold = pytest.importorskip(
        "qonnx.custom_op.general.multithreshold"
    ).multithreshold
    rng = np.random.default_rng(seed)
    x = rng.integers(-20, 21, (7, channels)).astype(np.float32)
    table = np.sort(rng.integers(-20, 21, (channels, steps)), axis=1)
    found = threshold_levels(x, table, None, 0, 1, unsigned(8))
    expected = multithreshold(x, table.astype(np.float32))
    np.testing.assert_array_equal(found, expected)


def test_falling_channels_count_backwards() -> None:
    x = np.array([[-2, -2], [0, 0], [3, 3]])
    table = np.array([[-1, 2], [-1, 2]])
    levels = threshold_levels(x, table, np.array([0, 1]), 0, 1, unsigned(2))
    np.testing.assert_array_equal(levels, [[0, 2], [1, 1], [2, 0]])


def test_parameters_stand_along_their_axis() -> None:
    assert along_axis(np.arange(3), 4, 1).shape == (1, 3, 1, 1)
