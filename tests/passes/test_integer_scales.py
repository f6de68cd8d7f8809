"""Averages and scales of channels before products: the scale takes the division."""

from __future__ import annotations

import numpy as np
import pytest
from c_programs import assert_c_agrees
from hypothesis import given, settings
from hypothesis import strategies as st
from integer_cores import random_frames
from lowered_maps import core_of, integer_level, lowered
from pass_agreement import TO_INTEGER, apply
from random_maps import MapNetwork
from stream_agreement import checked
from xdsl.utils.exceptions import PassFailedException

from passes.bitpack import BitpackPass
from qdialect.activation import ThresholdOp
from qdialect.constants import constant_array
from qdialect.convolution import ConvOp
from qdialect.elementwise import MulOp
from qdialect.linear import MatMulOp
from qdialect.pooling import SumPoolOp
from qdialect.types import element_of, signed
from tools.onnx_import.frontend import import_onnx


def agrees_everywhere(network: MapNetwork, frames: int = 50) -> None:
    """The integer level gives what the network gives; C and streams what it gives."""
    module = integer_level(network, frames)
    assert_c_agrees(apply(module, BitpackPass()), random_frames(module, 10))
    checked(module, 5)


def product(network: MapNetwork, columns: int, rows: int = 5) -> None:
    """A flattened map times quantised weights."""
    network.op("Flatten")
    weights = network.graph.constant(network.rng.normal(0, 1, (columns, rows)))
    quantised = network.graph.quant(weights, 0.4, 0, 3, narrow=1)
    network.op("MatMul", quantised)


@pytest.mark.parametrize("scale", [0.25, 0.3])
@pytest.mark.parametrize("size", [3, 6, 7])
def test_global_average_into_a_product(size: int, scale: float) -> None:
    network = MapNetwork(size, (3, size + 2, size + 2))
    network.quantise(3)
    network.conv(4, 3)
    network.quantise(4, scale, signed=0)
    network.op("GlobalAveragePool")
    product(network, 4)
    ops = lowered(network, 100)
    (pool,) = [op for op in ops if isinstance(op, SumPoolOp)]
    assert isinstance(ops[-2], MatMulOp)
    assert not any(isinstance(op, MulOp) for op in ops)
    assert pool.window[0].kernel == size
    agrees_everywhere(network)


def test_average_pool_into_a_convolution() -> None:
    network = MapNetwork(1, (3, 9, 9))
    network.quantise(4, 0.3)
    network.op("AveragePool", kernel_shape=[3, 3], strides=[2, 2])
    network.conv(4, 2)
    network.batch_norm()
    network.quantise(2)
    network.conv(2, 2)
    agrees_everywhere(network)


@pytest.mark.parametrize("zero", [0, 3])
@pytest.mark.parametrize("scale", [0.25, 0.3])
def test_an_average_over_windows_of_unequal_counts(scale: float, zero: int) -> None:
    """Windows at the border hold fewer elements: 4, 6 and 9 of them make 36ths."""
    network = MapNetwork(12, (3, 6, 7))
    network.quantise(4, scale, zero)
    pads = [1] * 4
    network.op("AveragePool", kernel_shape=[3, 3], strides=[2, 2], pads=pads)
    network.conv(4, 2)
    network.quantise(2)
    network.conv(2, 1)
    (factors,) = [
        constant_array(op.rhs) for op in lowered(network, 100) if isinstance(op, MulOp)
    ]
    assert factors is not None
    assert set(factors.ravel()) == {4, 6, 9}
    agrees_everywhere(network)


@pytest.mark.parametrize("bits", [1, 3])
@pytest.mark.parametrize("zero", [0, 3])
@pytest.mark.parametrize("norm", [False, True])
def test_a_quantised_average_over_windows_of_unequal_counts(
    bits: int, zero: int, norm: bool
) -> None:
    network = MapNetwork(13, (3, 6, 7))
    network.quantise(4, 0.25, zero)
    network.op("AveragePool", kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    if norm:
        network.batch_norm()
    network.quantise(bits)
    network.conv(4, 2)
    lowered(network, 200)
    agrees_everywhere(network)


def test_unequal_counts_that_float32_rounds_apart_are_refused() -> None:
    """Averages halfway between two levels, which are not float32 numbers."""
    network = MapNetwork(14, (3, 6, 7))
    network.quantise(8, 0.3)
    network.op("AveragePool", kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    network.quantise(10, 0.2)
    network.conv(4, 2)
    module = import_onnx(network.bytes(), name="maps")
    with pytest.raises(PassFailedException, match="no thresholds hold for all"):
        apply(module, *TO_INTEGER)


def test_a_pool_of_accumulators_with_a_scale_for_each_channel() -> None:
    network = MapNetwork(15, (3, 8, 8))
    network.quantise(3, 0.3)
    network.conv(4, 3)
    network.op("AveragePool", kernel_shape=[3, 3], strides=[3, 3])
    network.batch_norm()
    network.quantise(2)
    network.conv(2, 2)
    agrees_everywhere(network)


def test_padding_of_scaled_channels_is_part_of_the_convolution() -> None:
    network = MapNetwork(16, (3, 5, 5))
    channel_quantise(network, 3, RATIOS)
    network.op("Pad", network.graph.constant([0, 0, 1, 2, 0, 0, 1, 0], np.int64))
    network.conv(4, 3)
    lowered(network, 50)


def test_averages_are_summed_and_concatenated() -> None:
    network = MapNetwork(2, (3, 7, 7))
    network.quantise(3, 0.3)
    before = network.value
    parts = [
        network.op("AveragePool", kernel_shape=[3, 3], strides=[2, 2]),
        network.graph.op("MaxPool", before, kernel_shape=[3, 3], strides=[2, 2]),
    ]
    network.value = network.graph.op("Concat", *parts, axis=1)
    network.shape = (6, 3, 3)
    network.quantise(4, 0.1)
    network.conv(2, 2)
    lowered(network, 100)


def test_a_quantiser_still_reads_the_average_in_float() -> None:
    """Only what is summed takes the scale of an average; a step is float32's."""
    network = MapNetwork(3, (3, 5, 5))
    network.quantise(4, 0.3)
    network.op("AveragePool", kernel_shape=[3, 3])
    mean = network.value
    network.quantise(3, 0.1)
    left = network.conv(4, 1)
    network.value, network.shape = mean, (3, 3, 3)
    right = network.conv(4, 1)
    network.value = network.graph.op("Concat", left, right, axis=1)
    integer_level(network, 500)


def test_a_product_with_one_number_scales() -> None:
    network = MapNetwork(4, (3, 5, 5))
    network.quantise(3, 0.3)
    network.op("Mul", network.graph.constant(0.7))
    network.op("Div", network.graph.constant([[[[1.1]]]]))
    network.conv(4, 3)
    ops = lowered(network, 100)
    assert not any(isinstance(op, MulOp) for op in ops)


POWERS = [0.5, 0.125, 0.25]
RATIOS = [float(np.float32(0.3) * n) for n in (2, 1, 3)]


def channel_quantise(
    network: MapNetwork, bits: int, scales: list[float], zero: int = 0
) -> None:
    """A quantiser with a scale for each channel."""
    shape = (1, len(scales), *(1 for _ in network.shape[1:]))
    network.value = network.graph.quant(
        network.value, np.reshape(scales, shape), zero, bits
    )


@pytest.mark.parametrize("zero", [0, 2])
@pytest.mark.parametrize("scales", [POWERS, RATIOS])
def test_scales_of_channels_go_into_the_weights(scales: list[float], zero: int) -> None:
    network = MapNetwork(5, (3, 6, 6))
    channel_quantise(network, 3, scales, zero)
    network.conv(4, 3, bits=1, pads=[1] * 4)
    network.quantise(2)
    network.conv(2, 1)
    (first, _) = [op for op in lowered(network, 100) if isinstance(op, ConvOp)]
    if scales is POWERS:
        assert element_of(first.weights) == signed(4)
    agrees_everywhere(network)


@pytest.mark.parametrize("scales", [[0.3, 0.77, 0.01], POWERS])
def test_scales_of_channels_go_into_the_rows_of_a_depthwise_convolution(
    scales: list[float],
) -> None:
    network = MapNetwork(6, (3, 6, 6))
    channel_quantise(network, 3, scales)
    network.conv(6, 3, bits=3, group=3)
    network.quantise(2)
    network.conv(2, 1)
    (first, _) = [op for op in lowered(network, 100) if isinstance(op, ConvOp)]
    assert element_of(first.weights) == signed(3)
    agrees_everywhere(network)


def test_scales_of_the_channels_of_groups() -> None:
    network = MapNetwork(7, (4, 6, 6))
    channel_quantise(network, 3, [0.5, 0.25, 0.3, 0.3])
    network.conv(6, 3, bits=3, group=2)
    network.quantise(2)
    network.conv(2, 1)
    lowered(network, 100)


def test_scales_of_channels_reach_a_product_through_pool_and_flatten() -> None:
    network = MapNetwork(8, (3, 6, 6))
    channel_quantise(network, 3, POWERS)
    network.op("AveragePool", kernel_shape=[3, 3], strides=[3, 3])
    product(network, 12)
    lowered(network, 100)


@pytest.mark.parametrize("bits", [1, 3])
def test_a_batch_norm_behind_a_flatten(bits: int) -> None:
    """Every element has thresholds of its own, in the order of the turned map."""
    network = MapNetwork(10, (3, 6, 5))
    network.quantise(3)
    network.conv(4, 3)
    network.op("Flatten")
    network.shape = (48,)
    network.batch_norm()
    network.op("Relu")
    network.quantise(bits, 0.5)
    product(network, 48)
    (steps,) = [op for op in lowered(network, 100) if isinstance(op, ThresholdOp)]
    thresholds = constant_array(steps.thresholds)
    assert thresholds is not None
    assert len(thresholds) == 48
    agrees_everywhere(network)


def test_a_quantiser_of_elements_behind_a_flatten() -> None:
    network = MapNetwork(11, (3, 6, 6))
    network.quantise(1)
    network.conv(3, 3, pads=[1] * 4)
    network.op("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    network.op("Mul", network.graph.constant([[[[1.5]]]]))
    network.op("Flatten")
    scales = network.rng.uniform(0.2, 2, (1, 27))
    network.value = network.graph.quant(network.value, scales, 0, 3)
    network.op("Mul", network.graph.constant(1 / scales))
    network.quantise(4, 0.5)
    product(network, 27)
    agrees_everywhere(network)


def test_unrelated_scales_of_channels_are_refused() -> None:
    network = MapNetwork(9, (3, 6, 6))
    channel_quantise(network, 3, [0.3, 0.77, 0.01])
    network.conv(4, 3)
    module = import_onnx(network.bytes(), name="maps")
    with pytest.raises(PassFailedException, match=r"Conv_\d.*small whole ratios"):
        apply(module, *TO_INTEGER)


numbers = st.floats(0.0625, 3, width=32)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 1 << 16),
    numbers,
    numbers,
    st.lists(st.integers(-3, 3), min_size=3, max_size=3),
    st.sampled_from([0, 1, -3]),
)
def test_random_scales(
    seed: int, scale: float, factor: float, powers: list[int], zero: int
) -> None:
    network = MapNetwork(seed, (3, 7, 7))
    channel_quantise(network, 4, [scale * 2.0**power for power in powers], zero)
    network.op("Mul", network.graph.constant(factor))
    network.op("AveragePool", kernel_shape=[3, 3], strides=[2, 2])
    network.conv(4, 2, pads=[1] * 4)
    network.quantise(3, 0.5)
    network.op("GlobalAveragePool")
    product(network, 4)
    core_of(integer_level(network, 20))
