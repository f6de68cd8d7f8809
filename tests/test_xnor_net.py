"""XNOR-Net: alpha in the thresholds, the map K exactly, in the paper's order of layers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from c_programs import assert_c_agrees
from hypothesis import given, settings
from hypothesis import strategies as st
from integer_cores import random_frames
from lowered_maps import core_of, integer_level
from onnx_graphs import QONNX, OnnxGraph
from pass_agreement import TO_INTEGER, apply, assert_same
from random_maps import MapNetwork
from simulators import needs_simulator
from stream_agreement import checked, kinds
from stream_functions import check_simulation
from xdsl.dialects.builtin import ModuleOp
from xdsl.utils.exceptions import PassFailedException
from xnor_networks import AlphaAs, Filter, average_pool, max_pool, xnor_block

from passes.bitpack import BitpackPass
from passes.convert_to_qflow import ConvertToQflowPass
from passes.fold import FoldPass
from passes.insert_fifos import InsertFifosPass
from qdialect.elementwise import AbsOp, MulOp
from qdialect.linear import MatMulOp
from tools.onnx_import.frontend import import_onnx

MODELS = Path(__file__).parent.parent / "models"

Pool = Callable[[MapNetwork], Callable[[], str]]


def network_of(seed: int, channels: int = 3, size: int = 6) -> MapNetwork:
    """A network that begins with a quantised input and a convolution of 3 bits."""
    network = MapNetwork(seed, (2, size, size))
    network.quantise(4)
    network.conv(channels, 3, pads=[1] * 4)
    return network


def finished(network: MapNetwork) -> ModuleOp:
    """The integer level of a network with a layer behind the last block."""
    network.batch_norm()
    network.quantise(2)
    network.conv(2, 1)
    return integer_level(network, 30)


def agrees(module: ModuleOp) -> list[str]:
    """C and streams give what the integer level gives; the kinds of the units."""
    assert_c_agrees(apply(module, BitpackPass()), random_frames(module, 8))
    return kinds(checked(module, 4))


@pytest.mark.parametrize("any_sign", [False, True])
@pytest.mark.parametrize("alpha_as", ["weights", "folded", "behind"])
def test_alpha_goes_into_thresholds(alpha_as: AlphaAs, any_sign: bool) -> None:
    network = network_of(1)
    xnor_block(network, 4, alpha_as=alpha_as, any_sign=any_sign, with_map=False)
    module = finished(network)
    assert not any(isinstance(op, MulOp) for op in core_of(module))
    units = agrees(module)
    assert "add" not in units
    assert "mul" not in units


@pytest.mark.parametrize("alpha_as", ["weights", "behind"])
@pytest.mark.parametrize("pool", [max_pool, average_pool])
def test_pools_of_accumulators(pool: Pool, alpha_as: AlphaAs) -> None:
    """Batch norm, sign, convolution, pool: the pool reads alpha times accumulators."""
    network = network_of(2)
    xnor_block(
        network,
        4,
        alpha_as=alpha_as,
        any_sign=True,
        with_map=False,
        pool=pool(network),
    )
    agrees(finished(network))


@pytest.mark.parametrize(
    ("form", "pool"),
    [
        ("average", None),
        ("average", max_pool),
        ("conv", max_pool),
        ("whole", average_pool),
    ],
)
def test_the_map_of_magnitudes(form: Filter, pool: Pool | None) -> None:
    network = network_of(3)
    xnor_block(
        network,
        4,
        form=form,
        alpha_as="behind" if form == "conv" else "weights",
        any_sign=pool is not None,
        pool=None if pool is None else pool(network),
    )
    module = finished(network)
    ops = core_of(module)
    assert sum(isinstance(op, AbsOp) for op in ops) == 1
    assert any(isinstance(op, MulOp) and op.lhs.type != op.rhs.type for op in ops)
    units = agrees(module)
    assert units.count("abs") == units.count("mul") == 1


def test_blocks_behind_one_another_with_8_bits() -> None:
    """Ranges of products that are bisected, not tabulated."""
    network = network_of(4, channels=8, size=8)
    xnor_block(network, 6, bits=8, pool=max_pool(network))
    xnor_block(network, 5, bits=8, alpha_as="behind", any_sign=True)
    network.batch_norm()
    network.quantise(1)
    network.conv(2, 1)
    agrees(integer_level(network, 20))


@pytest.mark.parametrize("bits", [None, 4])
def test_the_first_block_takes_the_real_input(bits: int | None) -> None:
    """Batch norm and sign of what no layer quantised before: of 32-bit fixed point."""
    network = MapNetwork(5, (3, 6, 6))
    xnor_block(network, 4, bits=bits, with_map=bits is not None)
    network.batch_norm()
    network.quantise(1)
    network.conv(2, 1)
    module = import_onnx(network.bytes(), name="first")
    integer = apply(module, *TO_INTEGER)
    frames = np.round(network.frames(30) * 256) / 256
    assert_same(module, integer, [frames.astype(np.float32)])
    agrees(integer)


def test_a_quantised_input_is_its_own_map() -> None:
    """The magnitudes of levels with a zero point."""
    network = MapNetwork(6, (3, 5, 5))
    network.quantise(4, 0.25, 3)
    source = network.value
    network.conv(4, 3, bits=1, pads=[1] * 4)
    graph = network.graph
    mean = graph.op("ReduceL1", source, axes=[1])
    box = graph.op(
        "AveragePool", mean, kernel_shape=[3, 3], pads=[1] * 4, count_include_pad=1
    )
    network.value = graph.op("Mul", box, network.value)
    agrees(finished(network))


def test_a_fully_connected_layer() -> None:
    """K of a vector is one number: the mean of its magnitudes."""
    rng = np.random.default_rng(7)
    graph = OnnxGraph()
    source = graph.quant(graph.input((1, 9)), 0.25, 0, 4)
    weights = graph.op(
        "BipolarQuant",
        graph.constant(rng.normal(0, 1, (9, 5))),
        graph.constant(rng.uniform(0.1, 1, (1, 5))),
        domain=QONNX,
    )
    one = graph.constant(1.0)
    signs = graph.op("BipolarQuant", source, one, domain=QONNX)
    product = graph.op("MatMul", signs, weights)
    mean = graph.op("ReduceMean", graph.op("Abs", source), axes=[1], keepdims=1)
    scaled = graph.op("Mul", product, mean)
    result = graph.quant(scaled, 0.1, 0, 3)
    module = import_onnx(graph.bytes(result), name="linear")
    integer = apply(module, *TO_INTEGER)
    frames = rng.normal(0, 1, (50, 9)).astype(np.float32)
    assert_same(module, integer, [frames])
    units = agrees(integer)
    assert "mul" in units
    assert sum(isinstance(op, MatMulOp) for op in integer.walk()) == 2


@pytest.mark.parametrize("form", ["average", "whole"])
def test_a_map_of_real_numbers_is_refused(form: Filter) -> None:
    network = network_of(8)
    xnor_block(network, 4, bits=None, form=form)
    network.batch_norm()
    network.quantise(1)
    network.conv(2, 1)
    module = import_onnx(network.bytes(), name="real")
    with pytest.raises(PassFailedException) as error:
        apply(module, *TO_INTEGER)
    message = str(error.value)
    assert "absolute values of real numbers, qnn.abs (node 'Abs_" in message
    assert "put a Quant before that, such as one of 8 bits behind the batch" in message
    assert ("ReduceMean_" if form == "average" else "Conv_") in message


@settings(max_examples=5, deadline=None)
@given(
    seed=st.integers(0, 1 << 16),
    bits=st.integers(2, 6),
    kernel=st.sampled_from([1, 3]),
    form=st.sampled_from(["average", "conv", "whole"]),
    alpha_as=st.sampled_from(["weights", "folded", "behind"]),
    any_sign=st.booleans(),
    pool=st.sampled_from([None, max_pool, average_pool]),
)
def test_random_blocks(
    seed: int,
    bits: int,
    kernel: int,
    form: Filter,
    alpha_as: AlphaAs,
    any_sign: bool,
    pool: Pool | None,
) -> None:
    network = network_of(seed)
    xnor_block(
        network,
        3,
        kernel=kernel,
        bits=bits,
        form=form,
        alpha_as=alpha_as,
        any_sign=any_sign,
        pool=None if pool is None else pool(network),
    )
    checked(finished(network), 3)


def on_streams(module: ModuleOp) -> ModuleOp:
    """Folded, with FIFOs."""
    return apply(module, ConvertToQflowPass(), FoldPass(), InsertFifosPass())


@needs_simulator
def test_a_simulated_block() -> None:
    """Values with and without pauses, and the cycle of every frame."""
    network = MapNetwork(9, (2, 4, 4))
    network.quantise(4)
    xnor_block(network, 3, any_sign=True, alpha_as="behind", pool=max_pool(network))
    network.batch_norm()
    network.quantise(2)
    check_simulation(on_streams(integer_level(network)), frames=4)


@needs_simulator
@pytest.mark.slow
def test_the_trained_network_simulated() -> None:
    module = apply(import_onnx(MODELS / "digits_xnornet.onnx"), *TO_INTEGER)
    check_simulation(on_streams(module), frames=20)


def test_the_trained_network_in_c() -> None:
    module = apply(import_onnx(MODELS / "digits_xnornet.onnx"), *TO_INTEGER)
    assert sum(isinstance(op, AbsOp) for op in core_of(module)) == 2
    assert_c_agrees(apply(module, BitpackPass()), random_frames(module, 100))
