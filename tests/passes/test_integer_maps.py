"""Networks of maps down to the integer level: every pass keeps every bit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lowered_maps import lowered
from random_maps import MapNetwork

from qdialect.activation import ThresholdOp
from qdialect.convolution import ConvOp
from qdialect.elementwise import AddOp, MulOp
from qdialect.pooling import MaxPoolOp, SumPoolOp
from qdialect.rearranging import ConcatOp, PadOp
from qdialect.selection import TopKOp
from qdialect.types import BipolarType, TernaryType, element_of, is_level, width_bits


def test_padded_bipolar_maps_stay_bipolar() -> None:
    network = MapNetwork(1, (3, 6, 5))
    network.quantise(1)
    network.conv(4, 3, bits=1, pads=[1, 2, 0, 1])
    network.batch_norm()
    network.quantise(1)
    network.conv(2, 3, bits=1, pads=[1] * 4)
    convs = [op for op in lowered(network) if isinstance(op, ConvOp)]
    assert len(convs) == 2
    assert all(isinstance(element_of(op.input), BipolarType) for op in convs)


def test_a_pad_of_zeros_becomes_padding_of_the_convolution() -> None:
    network = MapNetwork(2, (3, 6, 5))
    network.quantise(1)
    network.op("Pad", network.graph.constant([0, 0, 1, 2, 0, 0, 1, 0], np.int64))
    network.conv(4, 3)
    ops = lowered(network)
    assert not any(isinstance(op, PadOp) for op in ops)


def test_bipolar_maps_padded_before_a_pool_become_ternary() -> None:
    network = MapNetwork(3, (3, 6, 5))
    network.quantise(1)
    network.op("Pad", network.graph.constant([0, 0, 1, 1, 0, 0, 1, 1], np.int64))
    network.op("MaxPool", kernel_shape=[2, 2], strides=[2, 1])
    network.conv(4, 2)
    (pad,) = [op for op in lowered(network) if isinstance(op, PadOp)]
    assert isinstance(element_of(pad.out), TernaryType)


@pytest.mark.parametrize("zero", [3, -2])
def test_padding_with_a_zero_point_is_explicit(zero: int) -> None:
    network = MapNetwork(4, (3, 7))
    network.quantise(4, 0.3, zero)
    network.conv(4, 3, pads=[2, 1])
    (pad,) = [op for op in lowered(network) if isinstance(op, PadOp)]
    assert pad.amounts == ((0, 0), (2, 1), (0, 0))


def test_max_pools_move_behind_the_quantiser() -> None:
    network = MapNetwork(5, (3, 8, 8))
    network.quantise(4)
    network.conv(4, 3)
    network.op("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    network.op("Relu")
    network.quantise(2, 0.5, signed=0)
    network.conv(2, 2)
    kinds = [type(op) for op in lowered(network)]
    assert kinds.index(ThresholdOp) < kinds.index(MaxPoolOp)


@pytest.mark.parametrize("bits", [1, 3])
def test_max_pool_before_a_falling_batch_norm(bits: int) -> None:
    """The pool is of counts: behind a falling step it would be a minimum."""
    network = MapNetwork(6, (3, 8, 8))
    network.quantise(4)
    network.conv(4, 3)
    network.op("MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    network.batch_norm()
    network.quantise(bits)
    network.conv(2, 2)
    ops = lowered(network, 100)
    steps = [op for op in ops if isinstance(op, ThresholdOp)]
    (pool,) = [op for op in ops if isinstance(op, MaxPoolOp)]
    assert [op.falling is None for op in steps] == [True, False]
    assert width_bits(element_of(pool.out)) == bits


@pytest.mark.parametrize(("scale", "factors"), [(0.25, 0), (0.75, 2), (0.3, 2)])
def test_residual_adds(scale: float, factors: int) -> None:
    network = MapNetwork(7, (3, 6, 6))
    network.quantise(3)
    network.conv(4, 3, pads=[1] * 4)
    left = network.quantise(3, 0.25)
    network.conv(4, 3, pads=[1] * 4)
    right = network.quantise(3, scale)
    network.value = network.graph.op("Add", left, right)
    network.op("Relu")
    network.quantise(4, 0.2, signed=0)
    network.conv(2, 1)
    ops = lowered(network, 200)
    assert sum(isinstance(op, AddOp) for op in ops) == 1
    assert sum(isinstance(op, MulOp) for op in ops) <= factors


@pytest.mark.parametrize("zero", [0, 2])
@pytest.mark.parametrize("whole", [False, True])
def test_gates(whole: bool, zero: int) -> None:
    """A product of two maps, or of a map and a number for each channel."""
    network = MapNetwork(9, (3, 6, 6))
    network.quantise(3)
    network.conv(4, 3, pads=[1] * 4)
    gated = network.quantise(3, 0.3, zero)
    network.conv(4, 3, pads=[1] * 4)
    if whole:
        network.quantise(4)
        network.op("GlobalAveragePool")
    network.op("Sigmoid")
    network.quantise(4, 0.07, signed=0)
    network.op("Mul", gated)
    network.shape = (4, 6, 6)
    network.quantise(4, 0.2)
    network.conv(2, 1)
    ops = lowered(network, 100)
    assert sum(isinstance(op, MulOp) for op in ops) == 1


@pytest.mark.parametrize("scale", [0.25, 0.5, 0.375])
@pytest.mark.parametrize("zero", [0, 2])
def test_concatenations(scale: float, zero: int) -> None:
    network = MapNetwork(8, (3, 6, 6))
    network.quantise(3)
    network.conv(4, 3)
    parts = network.value
    left = network.quantise(3, 0.25)
    network.value = parts
    right = network.quantise(4, scale, zero, signed=0)
    network.value = network.graph.op("Concat", left, right, axis=1)
    network.shape = (8, 4, 4)
    network.conv(2, 2)
    ops = lowered(network, 100)
    assert sum(isinstance(op, ConcatOp) for op in ops) == 1


def test_flattened_maps_reach_a_product() -> None:
    network = MapNetwork(9, (3, 6, 6))
    network.quantise(3)
    network.conv(4, 3)
    network.quantise(2)
    network.op("Flatten")
    weights = network.graph.constant(network.rng.normal(0, 1, (64, 5)))
    quantised = network.graph.quant(weights, 0.4, 0, 3, narrow=1)
    network.op("MatMul", quantised)
    lowered(network)


def test_maps_of_unlike_shapes_reach_one_product() -> None:
    """Each is flattened into its part of a vector; no map is turned back."""
    network = MapNetwork(14, (3, 6, 6))
    network.quantise(3)
    network.conv(4, 3)
    first = network.quantise(2)
    network.conv(3, 2)
    network.quantise(3)
    second = network.op("Flatten")
    network.value = first
    network.op("Flatten")
    network.op("Concat", second, axis=1)
    weights = network.graph.constant(network.rng.normal(0, 1, (64 + 27, 5)))
    quantised = network.graph.quant(weights, 0.4, 0, 3, narrow=1)
    network.op("MatMul", quantised)
    ops = lowered(network)
    assert sum(isinstance(op, ConcatOp) for op in ops) == 1


@pytest.mark.parametrize("k", [1, 2])
def test_selections_at_each_place(k: int) -> None:
    network = MapNetwork(15, (3, 6, 6))
    network.quantise(3)
    network.conv(4, 3)
    network.quantise(2)
    weights = network.graph.constant(network.rng.integers(-3, 4, (5, 4, 1, 1)))
    network.op("Conv", network.graph.quant(weights, 1.0, 0, 3))
    count = network.graph.constant([k], np.int64)
    network.value = network.op("TopK", count, axis=1, outputs=2) + "_1"
    (selection,) = [op for op in lowered(network) if isinstance(op, TopKOp)]
    assert is_level(element_of(selection.input))
    assert selection.axis.value.data == 3


def test_average_pool_and_trunc() -> None:
    network = MapNetwork(10, (3, 6, 6))
    network.quantise(3)
    network.conv(4, 3)
    network.quantise(4, 0.5, signed=0)
    network.op("GlobalAveragePool")
    network.op("Mul", network.graph.constant(16.0))
    parts = [0.5, 0.0, 8.0, 4.0]
    network.op(
        "Trunc",
        *map(network.graph.constant, parts),
        domain="qonnx.custom_op.general",
        rounding_mode="FLOOR",
    )
    network.conv(2, 1)
    kinds = [type(op) for op in lowered(network)]
    assert kinds.index(SumPoolOp) < kinds.index(ThresholdOp, kinds.index(SumPoolOp))


Step = Callable[[MapNetwork], None]


def _pool(network: MapNetwork) -> None:
    network.op("MaxPool", kernel_shape=[2, 2], strides=[1, 1], pads=[0, 0, 1, 1])


def _depth_to_space(network: MapNetwork) -> None:
    network.op("DepthToSpace", blocksize=2, mode="CRD")
    network.op("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    network.shape = (1, *network.shape[1:])


def _upsample(network: MapNetwork) -> None:
    network.op("Upsample", network.graph.constant([1, 1, 2, 2]))
    network.op("AveragePool", kernel_shape=[2, 2], strides=[2, 2])
    network.quantise(4, 0.2)


def _depthwise(network: MapNetwork) -> None:
    channels = network.shape[0]
    network.conv(channels, 3, pads=[1] * 4, group=channels)
    network.quantise(3, 0.5)


def _transposed(network: MapNetwork) -> None:
    channels = network.shape[0]
    size = (channels, 4, 2, 2)
    weights = network.graph.constant(network.rng.integers(-3, 4, size))
    network.op("ConvTranspose", weights, strides=[2, 2])
    network.op("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    network.shape = (4, *network.shape[1:])
    network.quantise(3, 1.5)


def _residual(network: MapNetwork) -> None:
    before = network.value
    network.conv(network.shape[0], 3, pads=[1] * 4)
    network.quantise(3, 0.5)
    network.op("Add", before)
    network.quantise(3, 0.75)


def _relu(network: MapNetwork) -> None:
    network.op("Relu")
    network.quantise(2, 0.5, signed=0)


def _average(network: MapNetwork) -> None:
    network.op("AveragePool", kernel_shape=[3, 3], pads=[1] * 4, count_include_pad=1)


def _scaled(network: MapNetwork) -> None:
    network.op("Mul", network.graph.constant(0.7))


def _scaled_channels(network: MapNetwork) -> None:
    channels = network.shape[0]
    network.conv(channels, 3, pads=[1] * 4)
    scales = 0.75 * 2.0 ** network.rng.integers(-2, 2, (1, channels, 1, 1))
    network.value = network.graph.quant(network.value, scales, 0, 3)
    network.conv(channels, 1)
    network.quantise(3, 0.5)


STEPS: tuple[Step, ...] = (
    _pool,
    _depth_to_space,
    _upsample,
    _depthwise,
    _transposed,
    _residual,
    _relu,
    _average,
    _scaled,
    _scaled_channels,
)


def check_random_network(seed: int, order: list[int], zero: int) -> None:
    network = MapNetwork(seed, (2, 6, 6))
    network.quantise(4, 0.25, zero)
    network.conv(4, 3, pads=[1] * 4)
    network.batch_norm()
    network.quantise(3, 0.25)
    for index in order:
        if STEPS[index] is _depth_to_space and network.shape[0] != 4:
            continue
        STEPS[index](network)
    network.conv(3, 2)
    lowered(network, 5)


orders = st.lists(st.integers(0, len(STEPS) - 1), max_size=4)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1 << 16), orders, st.sampled_from([0, 0, 1, -3]))
def test_random_networks(seed: int, order: list[int], zero: int) -> None:
    check_random_network(seed, order, zero)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.integers(0, 1 << 16), orders, st.sampled_from([0, 0, 1, -3]))
def test_random_networks_long(seed: int, order: list[int], zero: int) -> None:
    check_random_network(seed, order, zero)
