"""Pruned, shared and coded weights: what the passes do, and that all else is exact."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from integer_cores import random_core, random_frames
from pass_agreement import TO_INTEGER, apply, assert_same
from real_weight_networks import dense_network, frames_of, map_network
from xdsl.dialects.builtin import FunctionType, ModuleOp, TensorType
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Attribute, Block, Region
from xdsl.passes import ModulePass
from xdsl.utils.exceptions import PassFailedException

from lowering.c.engine import CEngine
from lowering.interpreter.engine import Interpreter
from passes.bitpack import BitpackPass
from passes.compress_weights import CompressWeightsPass
from passes.constant_weights import constant_weights
from passes.convert_to_qflow import ConvertToQflowPass
from passes.fold import FoldPass
from passes.insert_fifos import InsertFifosPass
from passes.k_means import centroids, nearest
from passes.prune_weights import PruneWeightsPass
from passes.share_weights import ShareWeightsPass
from passes.weights_record import records
from qdialect.coded_data import CodedDataAttr
from qdialect.constants import ConstantOp, DecodeOp, LoadOp, WeightOp, constant
from qdialect.convolution import ConvOp
from qdialect.data import Array
from qdialect.linear import MatMulOp
from qdialect.quantisers import DequantizeOp
from qdialect.storage import stored_weights
from qdialect.types import (
    F32,
    BipolarType,
    TernaryType,
    element_of,
    signed,
    unsigned,
)

NETWORKS = {"vectors": dense_network, "maps": map_network}
each_network = pytest.mark.parametrize("kind", NETWORKS)


def weights_of(module: ModuleOp) -> list[Array]:
    return [w.real.array for w in constant_weights(PruneWeightsPass(), module)]


def count(module: ModuleOp, kind: type[object]) -> int:
    return sum(isinstance(op, kind) for op in module.walk())


def levels_network(levels: Array, element: Attribute, zero: float = 0) -> ModuleOp:
    """One product with dequantised levels [O, I] as weights."""
    rows, columns = levels.shape
    block = Block(arg_types=[TensorType(F32, (1, columns))])
    source = constant(levels, element)
    scale = constant(np.array(0.5, np.float32))
    zeros = constant(np.array(zero, np.float32))
    weights = DequantizeOp(source, scale, zeros, TensorType(F32, (rows, columns)))
    product = MatMulOp(block.args[0], weights, TensorType(F32, (1, rows)))
    block.add_ops([source, scale, zeros, weights, product, ReturnOp(product)])
    type_ = FunctionType.from_lists([block.args[0].type], [product.out.type])
    module = ModuleOp([FuncOp("main", type_, Region(block))])
    module.verify()
    return module


@each_network
def test_pruning_keeps_the_greatest(kind: str) -> None:
    module = NETWORKS[kind](0)
    pruned = apply(module, PruneWeightsPass(density=0.4))
    for before, after in zip(weights_of(module), weights_of(pruned), strict=True):
        kept = after != 0
        assert int(kept.sum()) == round(0.4 * before.size)
        np.testing.assert_array_equal(after[kept], before[kept])
        assert np.abs(before[kept]).min() > np.abs(before[~kept]).max()


def test_the_threshold_is_in_standard_deviations() -> None:
    module = dense_network(1)
    pruned = apply(module, PruneWeightsPass(threshold=0.5, layers=("fc2",)))
    before, after = weights_of(module), weights_of(pruned)
    expected = np.where(np.abs(before[1]) < before[1].std() / 2, 0, before[1])
    np.testing.assert_array_equal(after[1], expected)
    np.testing.assert_array_equal(after[0], before[0])
    (record,) = records(pruned)
    assert record.layer == "fc2"


def test_bipolar_weights_that_are_pruned_are_ternary() -> None:
    signs = np.array([[1, -1, 1], [-1, -1, 1]])
    module = levels_network(signs, BipolarType())
    same = apply(module, PruneWeightsPass(threshold=0.5, absolute=True))
    (weights,) = constant_weights(PruneWeightsPass(), same)
    assert weights.quantised is not None
    assert element_of(weights.quantised.value) == BipolarType()
    gone = apply(module, PruneWeightsPass(threshold=0.6, absolute=True))
    (weights,) = constant_weights(PruneWeightsPass(), gone)
    assert weights.quantised is not None
    assert element_of(weights.quantised.value) == TernaryType()
    assert not weights.real.array.any()


def test_a_zero_point_is_what_counts_as_zero() -> None:
    module = levels_network(np.array([[3, 4, 7], [0, 3, 9]]), unsigned(4), zero=3)
    pruned = apply(module, PruneWeightsPass(threshold=0.6, absolute=True))
    (weights,) = weights_of(pruned)
    np.testing.assert_array_equal(weights, [[0, 0, 2], [-1.5, 0, 3]])
    with pytest.raises(PassFailedException, match="the zero point of ui4 is no level"):
        apply(
            levels_network(np.array([[3, 4]]), unsigned(4), zero=16),
            PruneWeightsPass(),
        )


@each_network
@pytest.mark.parametrize("clusters", [2, 5, 16])
def test_shared_weights_are_few_and_near(kind: str, clusters: int) -> None:
    module = apply(NETWORKS[kind](2), PruneWeightsPass(density=0.5))
    shared = apply(module, ShareWeightsPass(clusters, bits=12))
    for before, after in zip(weights_of(module), weights_of(shared), strict=True):
        assert len(np.unique(after)) <= clusters
        if clusters > 2:
            np.testing.assert_array_equal(after == 0, before == 0)
        spread = before.max() - before.min()
        assert np.abs(after - before).max() <= spread
    assert count(shared, DecodeOp) == len(weights_of(module))


def test_few_levels_are_shared_as_they_are() -> None:
    levels = np.array([[3, -7, 0, 3], [0, -7, 5, 5]])
    module = levels_network(levels, signed(4))
    shared = apply(module, ShareWeightsPass(4))
    np.testing.assert_array_equal(weights_of(shared), weights_of(module))
    assert count(shared, DecodeOp) == 1


@given(
    st.lists(st.integers(-1000, 1000), min_size=1, max_size=200),
    st.integers(2, 20),
)
def test_centroids_are_means_of_what_is_nearest(
    numbers: list[int], clusters: int
) -> None:
    values = np.array(numbers) / 8
    table = centroids(values, clusters)
    assert len(table) == min(clusters, len(np.unique(values)))
    assert (np.diff(table) > 0).all()
    groups = nearest(values, table)
    distances = np.abs(values[:, None] - table)
    np.testing.assert_allclose(
        distances[np.arange(len(values)), groups], distances.min(axis=1)
    )
    for index, centroid in enumerate(table):
        assert np.isclose(values[groups == index].mean(), centroid)


@each_network
@pytest.mark.parametrize(
    "passes",
    [
        (PruneWeightsPass(density=0.3), ShareWeightsPass(16)),
        (ShareWeightsPass(3, bits=2),),
        (ShareWeightsPass(100, bits=10),),
    ],
    ids=str,
)
def test_every_target_agrees(kind: str, passes: tuple[ModulePass, ...]) -> None:
    trained = apply(NETWORKS[kind](3), *passes)
    frames = [frames_of(trained, 20)]
    integer = apply(trained, *TO_INTEGER)
    assert_same(trained, integer, frames)
    # No pass on the way has stored codes plainly.
    assert count(integer, DecodeOp) == count(trained, DecodeOp)
    expected = Interpreter(integer).run(frames)
    for packing in ((), (BitpackPass(),)):
        coded = apply(integer, *packing, CompressWeightsPass())
        assert_same(trained, coded, frames)
        found = Interpreter(coded, core=CEngine(coded)).run(frames)
        for a, b in zip(expected, found, strict=True):
            np.testing.assert_array_equal(a, b)
    streams = (ConvertToQflowPass(), FoldPass(), InsertFifosPass())
    assert_same(trained, apply(integer, *streams), frames)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("coding", ["smallest", "huffman", "relative"])
def test_coded_constants_are_the_same(seed: int, coding: str) -> None:
    module = random_core(seed)
    frames = random_frames(module, 5)
    expected = Interpreter(module).run(frames, "core")
    coded = apply(module, CompressWeightsPass(coding))
    found = Interpreter(coded).run(frames, "core")
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_array_equal(a, b)
    if coding == "smallest":
        before, after = stored_weights(module), stored_weights(coded)
        total = sum(weights.stored_bits for weights in before)
        assert sum(weights.stored_bits for weights in after) <= total
        assert str(apply(coded, CompressWeightsPass(coding))) == str(coded)


def test_weights_in_place_and_shared_symbols() -> None:
    """Weights in place become symbols; two loads of one symbol stay one."""
    rng = np.random.default_rng(0)
    levels = np.where(rng.random((8, 64)) < 0.9, 0, rng.integers(-9, 10, (8, 64)))
    block = Block(arg_types=[TensorType(unsigned(2), (1, 64))])
    weights = constant(levels, signed(8))
    loads = [LoadOp("w", weights.out.type) for _ in range(2)]
    out = TensorType(signed(16), (1, 8))
    products = [MatMulOp(block.args[0], op, out) for op in (weights, *loads)]
    block.add_ops([weights, *loads, *products, ReturnOp(*products)])
    type_ = FunctionType.from_lists([block.args[0].type], [out] * 3)
    module = ModuleOp(
        [WeightOp("w", weights.value), FuncOp("core", type_, Region(block))]
    )
    module.verify()
    coded = apply(module, CompressWeightsPass("huffman", codebook=False))
    symbols = [op for op in coded.walk() if isinstance(op, WeightOp)]
    assert len(symbols) == 2
    assert all(isinstance(op.value, CodedDataAttr) for op in symbols)
    assert not count(coded, ConstantOp)
    frames = [rng.integers(0, 4, (3, 64))]
    for a, b in zip(
        Interpreter(module).run(frames, "core"),
        Interpreter(coded).run(frames, "core"),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)


def test_layers_are_convolutions_too() -> None:
    found = constant_weights(PruneWeightsPass(), map_network(0), ("conv?",))
    assert [type(weights.real.op) for weights in found] == [ConvOp, ConvOp]


@pytest.mark.parametrize(
    "pass_", [PruneWeightsPass(), ShareWeightsPass(), CompressWeightsPass()]
)
def test_memories_of_a_circuit_stay(pass_: ModulePass) -> None:
    """Hardware reads them by name, without `qnn.load`."""
    data = constant(np.array([[1, 0], [-1, 1]])).value
    module = ModuleOp([WeightOp("memory", data)])
    assert str(apply(module, pass_)) == str(module)
