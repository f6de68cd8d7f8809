"""`convert-to-qflow` on maps: the units compute what the operations did."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from map_cores import SAME, MapCore, random_map_core
from pass_agreement import TO_INTEGER, apply, assert_same
from random_maps import MapNetwork
from shared_models import CONVOLUTION, SharedModel
from stream_agreement import checked, converted, kinds
from topologies import TOPOLOGIES, Topology, random_images, topology_model
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Attribute

from qdialect import qflow
from qdialect.constants import constant_array
from qdialect.convolution import ConvOp
from qdialect.pooling import MaxPoolOp, SumPoolOp
from qdialect.streams import stream_type
from qdialect.types import (
    BipolarType,
    TernaryType,
    shape_of,
    signed,
    unsigned,
)
from qdialect.windows import Axis, numbers
from tools.onnx_import.frontend import import_onnx

MODELS = Path(__file__).parents[2] / "models"


@pytest.mark.parametrize("seed", range(80))
def test_random_cores(seed: int) -> None:
    checked(random_map_core(seed))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(80, 2000))
def test_many_random_cores(seed: int) -> None:
    checked(random_map_core(seed), 4)


# Convolutions.


@pytest.mark.parametrize("element", [signed(4), unsigned(2), TernaryType()])
def test_padding_of_maps_with_0_needs_no_bias(element: Attribute) -> None:
    builder = MapCore(1)
    x = builder.argument(element, 1, 5, 4, 3)
    sums = builder.conv(x, 4, signed(3), SAME)
    units = checked(builder.module(builder.threshold(sums, unsigned(2))))
    assert kinds(units) == ["swu", "mvu"]
    product = units[1]
    assert isinstance(product, qflow.MvuOp)
    assert product.bias is None
    assert product.thresholds is not None


def test_padding_of_bipolar_maps_is_a_bias_of_the_place() -> None:
    builder = MapCore(2)
    x = builder.argument(BipolarType(), 1, 5, 4, 3)
    sums = builder.conv(x, 4, BipolarType(), (SAME[0], Axis(2, 1, 0, 1)))
    swu, product = checked(builder.module(sums))
    assert isinstance(swu, qflow.SwuOp)
    assert isinstance(product, qflow.MvuOp)
    assert product.bias is not None
    # Rows: above, inside, below. Columns: inside, behind.
    assert shape_of(product.bias) == (3, 2, 4)
    rows, columns = product.places
    assert (len(set(rows[1:4])), len({*rows}), columns[:3]) == (1, 3, (columns[0],) * 3)
    bias = constant_array(product.bias)
    assert bias is not None
    assert not bias[rows[1], columns[0]].any()
    assert bias[rows[0], columns[3]].any()


def test_a_convolution_of_one_pixel_is_a_product() -> None:
    builder = MapCore(3)
    x = builder.argument(signed(3), 1, 4, 5, 6)
    pixel = (Axis(1), Axis(1))
    out = builder.conv(x, 4, signed(3), pixel)
    assert kinds(checked(builder.module(out))) == ["mvu"]

    builder = MapCore(3)
    x = builder.argument(BipolarType(), 1, 4, 5, 6)
    out = builder.conv(x, 4, signed(3), (Axis(1, stride=2), Axis(1, stride=3)))
    assert kinds(checked(builder.module(out))) == ["slice", "mvu"]

    builder = MapCore(3)
    x = builder.argument(BipolarType(), 1, 4, 5, 6)
    out = builder.conv(x, 4, signed(3), (Axis(1, before=1), Axis(1)))
    assert kinds(checked(builder.module(out))) == ["swu", "mvu"]


def test_windows_that_cut_the_map_into_parts_need_no_line_buffer() -> None:
    whole = (Axis(4), Axis(5))
    bands = (Axis(2, stride=2), Axis(5))
    for window in (whole, bands):
        builder = MapCore(4)
        x = builder.argument(signed(3), 1, 4, 5, 2)
        sums = builder.conv(x, 3, signed(2), window)
        assert kinds(checked(builder.module(sums))) == ["reshape", "mvu"]
    for window in ((Axis(2, stride=2), Axis(2, stride=2)), (Axis(4), Axis(4))):
        builder = MapCore(4)
        x = builder.argument(signed(3), 1, 4, 5, 2)
        sums = builder.conv(x, 3, signed(2), window)
        assert kinds(checked(builder.module(sums))) == ["swu", "mvu"]
    builder = MapCore(4)
    x = builder.argument(signed(3), 1, 6, 2)
    sums = builder.conv(x, 3, signed(2), (Axis(3, stride=3),))
    assert kinds(checked(builder.module(sums))) == ["reshape", "mvu"]


@pytest.mark.parametrize("element", [signed(3), BipolarType()])
@pytest.mark.parametrize("rank", [1, 2])
def test_groups_and_their_thresholds(element: Attribute, rank: int) -> None:
    builder = MapCore(5)
    x = builder.argument(element, 1, *(5, 4)[:rank], 6)
    sums = builder.conv(x, 6, signed(2), SAME[:rank], groups=3)
    units = checked(builder.module(builder.threshold(sums, unsigned(2))))
    assert kinds(units) == ["swu", "mvu", "reshape"]
    product = units[1]
    assert isinstance(product, qflow.MvuOp)
    assert product.group_count == 3
    assert product.thresholds is not None
    assert shape_of(product.thresholds)[0] == 6


@pytest.mark.parametrize("element", [signed(3), BipolarType()])
def test_depthwise(element: Attribute) -> None:
    builder = MapCore(6)
    x = builder.argument(element, 1, 5, 4, 6)
    sums = builder.conv(x, 6, signed(2), SAME, groups=6)
    units = checked(builder.module(builder.threshold(sums, BipolarType())))
    assert kinds(units) == ["vvu"]
    builder = MapCore(6)
    x = builder.argument(element, 1, 5, 4, 3)
    sums = builder.conv(x, 6, signed(2), SAME, groups=3)
    assert kinds(checked(builder.module(sums))) == ["swu", "mvu", "reshape"]


@pytest.mark.parametrize("element", [unsigned(3), BipolarType()])
@pytest.mark.parametrize("groups", [1, 2])
def test_stretched_maps_are_padded_first(element: Attribute, groups: int) -> None:
    builder = MapCore(7)
    x = builder.argument(element, 1, 3, 4, 2)
    window = (Axis(3, 1, 2, 1, stretch=2), Axis(4, 1, 3, 2, stretch=3))
    sums = builder.conv(x, 2, signed(2), window, groups=groups)
    pad, *rest = checked(builder.module(sums))
    assert kinds(rest) == (["swu", "mvu"] if groups == 1 else ["vvu"])
    assert isinstance(pad, qflow.PadOp)
    assert pad.value.value.data == (-1 if element == BipolarType() else 0)


def test_shared_weights_are_stored_once() -> None:
    builder = MapCore(8)
    x = builder.argument(signed(3), 1, 4, 4, 2)
    sums = builder.conv(x, 3, signed(3), SAME)
    first = sums.owner
    assert isinstance(first, ConvOp)
    second = first.clone()
    builder.add(second)
    after = converted(builder.module(sums, second.out))
    weights = [op for op in after.body.block.ops if op.name == "qnn.weight"]
    assert len(weights) == 1


# Pools.


def test_pools() -> None:
    builder = MapCore(9)
    x = builder.argument(signed(3), 1, 6, 6, 2)
    halves = (Axis(2, stride=2), Axis(2, stride=2))
    ends = [builder.pool(kind, x, halves) for kind in (MaxPoolOp, SumPoolOp)]
    units = checked(builder.module(*ends))
    assert kinds(units) == ["fork", "pool", "pool"]
    found = [op.kind.data for op in units if isinstance(op, qflow.PoolOp)]
    assert found == [qflow.PoolKind.MAX, qflow.PoolKind.SUM]


@pytest.mark.parametrize("kind", [MaxPoolOp, SumPoolOp])
@pytest.mark.parametrize("element", [BipolarType(), signed(4), unsigned(3)])
def test_wide_padding_of_overlapping_pools_comes_first(
    kind: type[MaxPoolOp | SumPoolOp], element: Attribute
) -> None:
    builder = MapCore(10)
    x = builder.argument(element, 1, 6, 5, 2)
    out = builder.pool(kind, x, (Axis(3, 1, 2, 2), Axis(3, 1, 2, 2)))
    pad, pool = checked(builder.module(out))
    assert isinstance(pool, qflow.PoolOp)
    assert not any(numbers(pool.pads))
    assert isinstance(pad, qflow.PadOp)
    is_widened = kind is SumPoolOp and element == BipolarType()
    assert stream_type(pad.out).tensor.element_type == (
        TernaryType() if is_widened else element
    )


# Whole networks.


def network(seed: int) -> MapNetwork:
    """A residual block between padded bipolar maps, then a pool and a classifier."""
    found = MapNetwork(seed, (3, 8, 7))
    found.quantise(4)
    found.conv(4, 3, pads=[1] * 4)
    found.batch_norm()
    trunk = found.quantise(1)
    found.conv(4, 3, bits=1, pads=[1] * 4)
    found.batch_norm()
    found.quantise(3, 0.5)
    found.op("Add", trunk)
    found.op("Relu")
    found.quantise(2, 0.5, signed=0)
    found.op("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    found.conv(4, 3, group=4, pads=[1] * 4)
    found.quantise(2, 0.5)
    found.op("Flatten")
    weights = found.graph.constant(found.rng.normal(0, 1, (48, 5)))
    found.op("MatMul", found.graph.quant(weights, 0.4, 0, 3, narrow=1))
    return found


@pytest.mark.parametrize("seed", range(3))
def test_a_network(seed: int) -> None:
    found = network(seed)
    module = apply(import_onnx(found.bytes(), name="maps"), *TO_INTEGER)
    assert_same(module, converted(module), [found.frames(50)])


@pytest.mark.parametrize("topology", TOPOLOGIES, ids=lambda t: t.name)
def test_published_topologies(topology: Topology) -> None:
    model = topology_model(topology, divisor=16).SerializeToString()
    module = apply(import_onnx(model, name=topology.name), *TO_INTEGER)
    assert_same(module, converted(module), [random_images(4)])


@cache
def trained(path: Path) -> ModuleOp:
    return apply(import_onnx(path), *TO_INTEGER)


@pytest.mark.parametrize("model", CONVOLUTION, ids=lambda m: m.name)
def test_trained_networks(model: SharedModel) -> None:
    module = trained(model.path)
    frames = model.golden().inputs[:2]
    assert_same(module, converted(module), [frames])


@pytest.mark.parametrize(
    "name", ["digits_cnn_w1a1", "digits_resnet_w2a2", "digits_xnornet"]
)
def test_networks_of_our_own(name: str) -> None:
    module = trained(MODELS / f"{name}.onnx")
    with np.load(MODELS / "digits_test.npz") as data:
        frames = data["inputs"][:20].reshape(-1, 1, 8, 8)
    assert_same(module, converted(module), [frames])
