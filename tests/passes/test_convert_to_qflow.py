"""`convert-to-qflow`: the units compute what the operations did; refusals are located."""

import numpy as np
import pytest
from integer_cores import CoreBuilder, core_of, random_core, random_frames
from pass_agreement import TO_INTEGER, apply, assert_same
from random_networks import random_frames as random_real_frames
from random_networks import random_mlp
from xdsl.dialects.builtin import ModuleOp, NameLoc, NoneAttr, StringAttr, TensorType
from xdsl.ir import Operation, SSAValue
from xdsl.utils.exceptions import PassFailedException

from lowering.interpreter.engine import Interpreter
from passes.convert_to_qflow import ConvertToQflowPass
from qdialect import qflow
from qdialect.data import Array
from qdialect.elementwise import AddOp, MulOp, SubOp
from qdialect.quantisers import DequantizeOp
from qdialect.selection import TopKOp
from qdialect.shaping import ReshapeOp
from qdialect.streams import StreamType
from qdialect.types import (
    F32,
    TernaryType,
    element_of,
    shape_of,
    signed,
    unsigned,
    value_range,
)


def converted(module: ModuleOp) -> ModuleOp:
    after = apply(module, ConvertToQflowPass())
    for op in core_of(after).body.block.ops:
        for result in op.results:
            if isinstance(result.type, StreamType):
                assert result.has_one_use()
                assert result.type.lanes == 1
    return after


def assert_same_core(before: ModuleOp, inputs: list[Array] | None = None) -> ModuleOp:
    after = converted(before)
    inputs = inputs or random_frames(before, 50)
    expected = Interpreter(before).run(inputs, "core")
    found = Interpreter(after).run(inputs, "core")
    assert len(expected) == len(found)
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_array_equal(a, b)
    return after


def units(module: ModuleOp) -> list[str]:
    names = [op.name for op in core_of(module).body.block.ops]
    return [n.removeprefix("qflow.") for n in names if n.startswith("qflow.")]


@pytest.mark.parametrize("seed", range(8))
def test_networks(seed: int) -> None:
    module = apply(random_mlp(seed), *TO_INTEGER)
    frames = [random_real_frames(module, 100, seed)]
    assert_same(module, converted(module), frames)


@pytest.mark.parametrize("seed", range(12))
def test_cores_with_several_results(seed: int) -> None:
    assert_same_core(random_core(seed))


def test_a_product_and_its_threshold_are_one_unit() -> None:
    builder = CoreBuilder(1)
    x = builder.argument(signed(3), 1, 7)
    module = builder.module(
        builder.threshold(builder.linear(x, 5, signed(4)), signed(2))
    )
    assert units(assert_same_core(module)) == ["mvu"]


def test_a_product_with_two_readers_is_forked() -> None:
    builder = CoreBuilder(2)
    x = builder.argument(signed(3), 1, 7)
    sums = builder.linear(x, 5, signed(4))
    module = builder.module(builder.threshold(sums, signed(2)), sums)
    assert units(assert_same_core(module)) == ["mvu", "fork", "threshold"]


def test_an_argument_with_two_readers_is_forked() -> None:
    builder = CoreBuilder(3)
    x = builder.argument(signed(3), 1, 7)
    ends = [builder.linear(x, 5, signed(4)), builder.linear(x, 2, TernaryType()), x]
    assert units(assert_same_core(builder.module(*ends)))[0] == "fork"


def every_value(element: object, channels: int) -> list[Array]:
    """Frames in which each channel takes each value of a type."""
    low, high = value_range(element)  # pyright: ignore[reportArgumentType]
    values = np.arange(low, high + 1)
    return [np.stack([np.roll(values, c) for c in range(channels)], axis=1)]


def arithmetic(builder: CoreBuilder, x: SSAValue, case: str) -> SSAValue:
    """Arithmetic of `x` [1, 6] with constants."""
    row = builder.constant([[3, -2, 0, 7, -9, 1]], signed(5))
    factor = builder.constant([2, -3, 1, -1, 5, 0], signed(4))
    number = builder.constant(-3, signed(3))
    match case:
        case "x + c":
            return builder.binary(AddOp, x, row)
        case "c + x":
            return builder.binary(AddOp, number, x)
        case "x - c":
            return builder.binary(SubOp, x, row)
        case "c - x":
            return builder.binary(SubOp, row, x)
        case "x * c":
            return builder.binary(MulOp, x, factor)
        case "c * (c - x * c)":
            inner = builder.binary(SubOp, row, builder.binary(MulOp, x, factor))
            return builder.binary(MulOp, number, inner)
        case _:
            raise AssertionError(case)


CASES = ("x + c", "c + x", "x - c", "c - x", "x * c", "c * (c - x * c)")


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("seed", range(4))
def test_arithmetic_goes_into_thresholds(case: str, seed: int) -> None:
    builder = CoreBuilder(seed)
    x = builder.argument(signed(6), 1, 6)
    module = builder.module(builder.threshold(arithmetic(builder, x, case), signed(3)))
    after = assert_same_core(module, every_value(signed(6), 6))
    assert units(after) == ["threshold"]


@pytest.mark.parametrize("case", CASES)
def test_arithmetic_goes_into_lookups(case: str) -> None:
    builder = CoreBuilder(5)
    x = builder.argument(unsigned(5), 1, 6)
    module = builder.module(builder.lookup(arithmetic(builder, x, case), signed(3)))
    after = assert_same_core(module, every_value(unsigned(5), 6))
    assert units(after) == ["lookup"]


def reshaped(builder: CoreBuilder, x: SSAValue, *shape: int) -> SSAValue:
    return builder.add(ReshapeOp(x, TensorType(element_of(x), shape)))


def test_reshapes_by_axes_of_extent_1_vanish() -> None:
    builder = CoreBuilder(6)
    x = builder.argument(signed(3), 1, 1, 7)
    sums = builder.linear(reshaped(builder, x, 1, 7), 5, signed(4))
    levels = builder.threshold(reshaped(builder, sums, 1, 5, 1), signed(2), axis=1)
    last = builder.linear(reshaped(builder, levels, 1, 5), 3, TernaryType())
    out = reshaped(builder, last, 1, 1, 3)
    assert units(assert_same_core(builder.module(out))) == ["mvu", "mvu"]


def test_channels_along_another_axis_are_spread_over_the_vector() -> None:
    builder = CoreBuilder(7)
    x = builder.argument(signed(5), 1, 6)
    levels = builder.threshold(reshaped(builder, x, 1, 3, 2), signed(2), axis=1)
    out = reshaped(builder, levels, 1, 6)
    after = assert_same_core(builder.module(out))
    (unit,) = (op for op in core_of(after).walk() if isinstance(op, qflow.ThresholdOp))
    assert shape_of(unit.thresholds)[0] == 6


def test_a_flattened_input_of_a_product() -> None:
    builder = CoreBuilder(9)
    x = builder.argument(signed(3), 1, 2, 3)
    out = builder.linear(reshaped(builder, x, 1, 6), 2, signed(2))
    assert units(assert_same_core(builder.module(out))) == ["reshape", "mvu"]


def test_top_k() -> None:
    builder = CoreBuilder(8)
    x = builder.argument(signed(3), 1, 9)
    values, indices = (TensorType(t, (1, 4)) for t in (signed(3), unsigned(4)))
    op = TopKOp(x, values, indices, axis=1)
    builder.add(op)
    after = assert_same_core(builder.module(op.indices))
    assert units(after) == ["topk"]


def refusal(module: ModuleOp) -> str:
    with pytest.raises(PassFailedException) as error:
        converted(module)
    return str(error.value).splitlines()[0]


def named(value: SSAValue, name: str) -> SSAValue:
    assert isinstance(value.owner, Operation)
    value.owner.location = NameLoc(StringAttr(name), NoneAttr())
    return value


def test_refusals() -> None:
    builder = CoreBuilder()
    x = builder.argument(signed(3), 1, 4)
    one, zero = builder.constant(np.float32(1)), builder.constant(np.float32(0))
    real = builder.add(DequantizeOp(x, one, zero, TensorType(F32, (1, 4))))
    assert "qnn.dequantize (node 'out'): no unit computes it" in refusal(
        builder.module(named(real, "out"))
    )

    builder = CoreBuilder()
    x = builder.argument(signed(3), 1, 4)
    values, indices = (TensorType(t, (1, 1)) for t in (signed(3), unsigned(2)))
    op = TopKOp(x, values, indices, axis=1)
    builder.add(op)
    assert "a use of its indices" in refusal(builder.module(op.values))

    builder = CoreBuilder()
    x = builder.argument(signed(3), 1, 4)
    builder.argument(signed(3), 1, 4)
    module = builder.module(builder.linear(x, 2, signed(2)))
    assert "nothing reads argument 1" in refusal(module)

    assert "no function @core" in refusal(ModuleOp([]))
