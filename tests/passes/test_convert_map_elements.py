"""`convert-to-qflow`: what moves, adds or multiplies elements; names; refusals."""

from __future__ import annotations

import numpy as np
import pytest
from integer_cores import core_of
from map_cores import SAME, MapCore
from stream_agreement import checked, converted, kinds
from xdsl.dialects.builtin import NameLoc, NoneAttr, StringAttr, TensorType
from xdsl.ir import Operation, SSAValue
from xdsl.utils.exceptions import PassFailedException

from qdialect import qflow
from qdialect.activation import ThresholdOp
from qdialect.constants import constant_array
from qdialect.convolution import ConvOp
from qdialect.elementwise import AddOp, MulOp, SubOp
from qdialect.pooling import SumPoolOp
from qdialect.rearranging import BlockOrder, ConcatOp, DepthToSpaceOp, PadOp
from qdialect.shaping import TransposeOp
from qdialect.streams import stream_type
from qdialect.types import (
    BipolarType,
    shape_of,
    signed,
    unsigned,
)
from qdialect.units import unit_names
from qdialect.windows import Axis

# What moves elements.


@pytest.mark.parametrize("axis", [1, 2, 3])
def test_pads_and_enlargements_along_any_axis(axis: int) -> None:
    builder = MapCore(11 + axis)
    x = builder.argument(signed(4), 1, 3, 2, 4)
    low, high, factors = [0] * 4, [0] * 4, [1] * 4
    low[axis], high[axis], factors[axis] = 2, 4, 3
    ends = [builder.pad(x, low, high), builder.upsample(x, factors)]
    units = checked(builder.module(*ends))
    assert {"pad", "upsample"} <= {*kinds(units)}
    pads = [op for op in units if isinstance(op, qflow.PadOp)]
    if axis == 3:
        # Two channels at a time make a pixel.
        assert stream_type(pads[0].input).elements == 2


@pytest.mark.parametrize("order", list(BlockOrder))
def test_depth_to_space(order: BlockOrder) -> None:
    builder = MapCore(12)
    x = builder.argument(unsigned(3), 1, 2, 3, 8)
    assert kinds(checked(builder.module(builder.depth_to_space(x, 2, order)))) == [
        "depth_to_space"
    ]


def test_concatenation_widens_and_takes_a_map_twice() -> None:
    builder = MapCore(13)
    x = builder.argument(BipolarType(), 1, 2, 3, 2)
    y = builder.argument(unsigned(3), 1, 2, 3, 5)
    units = checked(builder.module(builder.concat([x, y, x], 3)))
    assert kinds(units) == ["fork", "concat"]


def test_thresholds_after_a_flatten_are_those_of_the_channels() -> None:
    builder = MapCore(14)
    x = builder.argument(signed(3), 1, 2, 3, 4)
    sums = builder.conv(x, 5, signed(3), (Axis(1), Axis(1)))
    channels = builder.threshold(sums, unsigned(2))
    again = builder.threshold(builder.flatten(channels), signed(3))
    units = checked(builder.module(builder.linear(again, 2, signed(2))))
    assert kinds(units) == ["mvu", "reshape", "threshold", "mvu"]


@pytest.mark.parametrize("varies", [False, True])
def test_thresholds_of_flattened_sums(varies: bool) -> None:
    """They go into the product where all its vectors have the same."""
    builder = MapCore(16)
    x = builder.argument(signed(3), 1, 2, 3, 4)
    flat = builder.flatten(builder.conv(x, 5, signed(3), (Axis(1), Axis(1))))
    rows = np.tile(builder.rng.integers(-9, 9, (5, 1)), (6, 1))
    rows[7] += varies
    thresholds, type_ = builder.constant(rows), TensorType(unsigned(1), (1, 30))
    levels = builder.add(ThresholdOp(flat, thresholds, type_, axis=1))
    end = builder.linear(levels, 2, signed(2))
    between = ["reshape", "threshold"] if varies else ["reshape"]
    assert kinds(checked(builder.module(end))) == ["mvu", *between, "mvu"]


@pytest.mark.parametrize("axis", [1, 2])
def test_parameters_along_another_axis_lengthen_the_vectors(axis: int) -> None:
    builder = MapCore(15)
    x = builder.argument(signed(4), 1, 2, 3, 4)
    y = builder.threshold(x, signed(2), axis=axis)
    units = checked(builder.module(builder.lookup(y, signed(3), axis=axis)))
    assert kinds(units) == ["reshape", "threshold", "lookup", "reshape"]
    threshold = units[1]
    assert isinstance(threshold, qflow.ThresholdOp)
    assert shape_of(threshold.thresholds)[0] == (24 if axis == 1 else 12)


# Sums.


def residual(builder: MapCore) -> tuple[SSAValue, SSAValue]:
    return (
        builder.argument(signed(3), 1, 3, 2, 4),
        builder.argument(unsigned(4), 1, 3, 2, 4),
    )


def test_a_weighted_sum_with_constants_is_one_unit() -> None:
    builder = MapCore(16)
    a, b = residual(builder)
    left = builder.binary(MulOp, a, builder.constant(3))
    left = builder.binary(SubOp, left, builder.per_channel(a, signed(4)))
    right = builder.binary(MulOp, builder.per_channel(b, signed(3)), b)
    total = builder.binary(SubOp, left, right)
    scaled = builder.binary(MulOp, builder.constant(-2), total)
    units = checked(builder.module(scaled))
    assert kinds(units) == ["add"]
    (unit,) = units
    assert isinstance(unit, qflow.AddOp)
    factors = constant_array(unit.factors)
    assert factors is not None
    assert (factors[0] == -6).all()


def test_a_map_added_to_itself_is_read_once() -> None:
    builder = MapCore(17)
    a, _ = residual(builder)
    total = builder.binary(AddOp, a, builder.binary(MulOp, a, builder.constant(5)))
    builder.block.erase_arg(builder.block.args[1])
    units = checked(builder.module(total))
    assert kinds(units) == ["add"]


def test_a_sum_that_others_read_is_a_unit_of_its_own() -> None:
    builder = MapCore(18)
    a, b = residual(builder)
    total = builder.binary(AddOp, a, b)
    ends = [builder.binary(AddOp, total, builder.constant(1)), total]
    units = checked(builder.module(*ends))
    assert kinds(units) == ["add", "fork", "add"]


def test_a_constant_for_each_pixel_lengthens_the_vectors() -> None:
    builder = MapCore(19)
    x = builder.argument(signed(3), 1, 3, 2, 4)
    constants = builder.constant(builder.rng.integers(-9, 9, (1, 1, 2, 1)))
    units = checked(builder.module(builder.binary(AddOp, x, constants)))
    assert kinds(units) == ["reshape", "add", "reshape"]


@pytest.mark.parametrize("small", [(1, 1, 1, 4), (1, 3, 2, 1), (1, 1, 2, 1), (1,) * 4])
@pytest.mark.parametrize("kind", [AddOp, SubOp, MulOp])
def test_operands_that_broadcast(
    small: tuple[int, ...], kind: type[AddOp | SubOp | MulOp]
) -> None:
    builder = MapCore(20)
    x = builder.argument(signed(3), 1, 3, 2, 4)
    y = builder.argument(signed(4), *small)
    units = checked(builder.module(builder.binary(kind, y, x)))
    assert "upsample" in kinds(units)


def test_constants_added_to_sums_become_a_bias() -> None:
    builder = MapCore(21)
    x = builder.argument(BipolarType(), 1, 3, 4, 2)
    for groups, product in ((1, "mvu"), (2, "vvu")):
        sums = builder.conv(x, 2, signed(3), SAME, groups=groups)
        row = builder.per_channel(sums, signed(5))
        total = builder.binary(SubOp, builder.binary(AddOp, sums, row), row)
        end = builder.binary(AddOp, total, builder.constant(-7))
        units = checked(builder.module(end))
        assert kinds(units)[-1] == product
        assert "add" not in kinds(units)
        builder = MapCore(21)
        x = builder.argument(BipolarType(), 1, 3, 4, 2)


def test_a_constant_added_to_a_product_of_vectors_becomes_its_bias() -> None:
    builder = MapCore(22)
    x = builder.argument(signed(4), 1, 9)
    sums = builder.linear(x, 5, signed(3))
    total = builder.binary(AddOp, sums, builder.per_channel(sums, signed(6)))
    assert kinds(checked(builder.module(total))) == ["mvu"]


def test_an_activation_is_returned_and_read() -> None:
    builder = MapCore(23)
    x = builder.argument(signed(4), 1, 5, 5, 3)
    level = builder.threshold(builder.conv(x, 3, signed(3), SAME), signed(2))
    total = builder.binary(AddOp, x, level)
    units = checked(builder.module(level, total, x))
    assert kinds(units) == ["fork", "swu", "mvu", "fork", "add"]


# Names.


def named(value: SSAValue, name: str) -> SSAValue:
    assert isinstance(value.owner, Operation)
    value.owner.location = NameLoc(StringAttr(name), NoneAttr())
    return value


def test_units_are_called_after_their_node() -> None:
    builder = MapCore(24)
    x = builder.argument(signed(4), 1, 5, 5, 3)
    sums = named(builder.conv(x, 6, signed(3), SAME, groups=3), "conv1")
    levels = named(builder.threshold(sums, unsigned(2)), "relu1")
    pooled = builder.pool(SumPoolOp, levels, (Axis(3, 1, 2, 2), Axis(3, 1, 2, 2)))
    after = converted(builder.module(named(pooled, "pool1")))
    assert list(unit_names(core_of(after)).values()) == [
        "conv1_swu",
        "conv1",
        "conv1_reshape",
        "pool1_pad",
        "pool1",
    ]


# Refusals.


def refusal(builder: MapCore, *results: SSAValue) -> str:
    with pytest.raises(PassFailedException) as error:
        converted(builder.module(*results))
    return str(error.value).splitlines()[0].removeprefix("convert-to-qflow: ")


def test_channels_first_is_refused() -> None:
    advice = "its maps are channels first; run choose-layout first"
    builder = MapCore(25)
    x = builder.argument(signed(3), 1, 4, 3, 3)
    weights = builder.constant(np.ones((2, 4, 1, 1)), signed(2))
    sums = builder.add(
        ConvOp(
            x,
            weights,
            TensorType(signed(8), (1, 2, 3, 3)),
            strides=(1, 1),
            pads=(0,) * 4,
            dilations=(1, 1),
        )
    )
    assert refusal(builder, named(sums, "c")) == f"qnn.conv (node 'c'): {advice}"
    builder = MapCore(25)
    x = builder.argument(signed(3), 1, 4, 3, 3)
    out = TensorType(signed(3), (1, 1, 6, 6))
    wide = builder.add(DepthToSpaceOp(x, out, block=2, order=BlockOrder.DCR))
    assert advice in refusal(builder, wide)


def test_what_has_no_unit_is_refused() -> None:
    builder = MapCore(26)
    x = builder.argument(signed(3), 1, 2, 3)
    type_ = TensorType(signed(3), (1, 3, 2))
    turned = builder.add(TransposeOp(x, (0, 2, 1), type_))
    assert "accepted are transposes that move axes of extent 1" in refusal(
        builder, turned
    )
    builder = MapCore(27)
    x = builder.argument(signed(3), 1, 3)
    type_ = TensorType(signed(3), (1, 6))
    both = builder.add(
        ConcatOp([x, builder.constant([[1, 2, 3]], signed(3))], type_, axis=1)
    )
    assert "reads a constant as a stream" in refusal(builder, both)
    builder = MapCore(28)
    x, y = builder.argument(signed(3), 1, 2, 3), builder.argument(signed(3), 1, 3)
    assert "differ in rank" in refusal(builder, builder.binary(AddOp, x, y))
    builder = MapCore(29)
    x, y = builder.argument(signed(3), 1, 3), builder.argument(signed(3), 1)
    value = builder.reshape(y)
    out = TensorType(signed(3), (1, 4))
    padded = builder.add(PadOp(x, value, out, low=(0, 1), high=(0, 0)))
    assert "its pad values are computed" in refusal(builder, padded)
