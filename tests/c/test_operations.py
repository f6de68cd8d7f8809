"""Every operation in C gives what the interpreter gives, on all or extreme values."""

import numpy as np
import pytest
from c_programs import SANITIZED, assert_c_agrees, run_in_c
from integer_cores import ELEMENTS, CoreBuilder, random_frames
from pass_agreement import apply
from xdsl.dialects.builtin import IntAttr, TensorType
from xdsl.ir import Attribute, SSAValue

from lowering.c.source import emit
from lowering.interpreter.engine import Interpreter
from passes.bitpack import BitpackPass
from qdialect.activation import LookupOp, ThresholdOp
from qdialect.data import Array
from qdialect.elementwise import AbsOp, AddOp, MulOp, SubOp
from qdialect.packed import WORD_BITS, PackedType, PackOp, UnpackOp
from qdialect.selection import TopKOp
from qdialect.shaping import ReshapeOp, TransposeOp
from qdialect.types import (
    AnyTensor,
    BipolarType,
    TernaryType,
    element_of,
    integer_type_for,
    shape_of,
    signed,
    tensor_type,
    unsigned,
    value_range,
)


def all_values(element: Attribute, channels: int) -> Array:
    """Frames in which every channel takes every value of a type."""
    low, high = value_range(element)
    return np.repeat(np.arange(low, high + 1)[:, np.newaxis], channels, axis=1)


def packed(value: SSAValue, word_bits: int = 64) -> PackedType:
    return PackedType(tensor_type(value), IntAttr(word_bits), IntAttr(1))


SMALL = (BipolarType(), TernaryType(), unsigned(1), unsigned(2), signed(2), signed(3))


@pytest.mark.parametrize(
    ("x", "weights", "word_bits"),
    [
        *((x, ELEMENTS, 64) for x in ELEMENTS),
        *((x, SMALL, word_bits) for x in SMALL for word_bits in (8, 16, 32)),
    ],
    ids=lambda value: str(value) if isinstance(value, int | Attribute) else "",
)
def test_packed_products_of_every_type(
    x: Attribute, weights: tuple[Attribute, ...], word_bits: int
) -> None:
    builder = CoreBuilder(word_bits)
    columns = 1 + word_bits * 2
    argument = builder.argument(x, 1, columns)
    sums = [builder.linear(argument, 5, w) for w in weights]
    module = builder.module(*sums)
    options = BitpackPass(word_bits, panel=word_bits // 16 + 1, max_popcounts=1000)
    assert_c_agrees(apply(module, options), random_frames(module, 20), SANITIZED)


@pytest.mark.parametrize("machine", [("-O2",), ("-O2", "-march=native")], ids=str)
def test_more_words_than_a_block_holds(machine: tuple[str, ...]) -> None:
    """All bits are ones, so that the counts in bytes come to their greatest."""
    for element in (BipolarType(), unsigned(1)):
        builder = CoreBuilder()
        argument = builder.argument(element, 1, 64 * 70 + 3)
        weights = builder.weight(np.ones((6, 64 * 70 + 3), np.int8), element)
        module = builder.module(builder.matmul(argument, weights))
        ones = np.ones((1, 64 * 70 + 3), np.int8)
        for options in (BitpackPass(max_popcounts=8), BitpackPass(word_bits=32)):
            assert_c_agrees(apply(module, options), [ones], machine)


@pytest.mark.parametrize("x", ELEMENTS, ids=str)
def test_plain_products_with_every_type_of_weights(x: Attribute) -> None:
    builder = CoreBuilder(7)
    argument = builder.argument(x, 1, 35)
    module = builder.module(*(builder.linear(argument, 3, w) for w in ELEMENTS))
    assert_c_agrees(module, random_frames(module, 20), SANITIZED)


def test_products_of_wide_inputs() -> None:
    builder = CoreBuilder(3)
    results: list[SSAValue] = []
    for element in (signed(32), unsigned(32), signed(40)):
        argument = builder.argument(element, 1, 21)
        results += [builder.linear(argument, 4, w) for w in (signed(8), signed(16))]
        results.append(builder.threshold(results[-1], unsigned(4)))
    module = builder.module(*results)
    assert_c_agrees(module, random_frames(module, 30), SANITIZED)


def test_weights_that_are_an_argument() -> None:
    builder = CoreBuilder(3)
    x, w = builder.argument(signed(4), 1, 9), builder.argument(signed(3), 5, 9)
    module = builder.module(builder.matmul(x, w))
    frames = [np.arange(-4, 5)[np.newaxis], np.arange(45).reshape(5, 9) % 8 - 4]
    assert_c_agrees(module, frames)


@pytest.mark.parametrize("source", [signed(8), unsigned(8), signed(5)], ids=str)
@pytest.mark.parametrize("steps", [1, 2, 3, 15, 16, 40])
def test_thresholds_on_every_value(source: Attribute, steps: int) -> None:
    builder = CoreBuilder(steps)
    argument = builder.argument(source, 1, 24)
    results: list[SSAValue] = []
    for element in (BipolarType(), unsigned(1), unsigned(6), signed(7), signed(16)):
        low, high = value_range(element)
        for _ in range(3):
            level = builder.threshold(argument, element, steps=min(steps, high - low))
            repacked = builder.add(PackOp(level, packed(level)))
            results.append(builder.add(UnpackOp(repacked, level.type)))
    module = builder.module(*results)
    assert_c_agrees(module, [all_values(source, 24)])


@pytest.mark.parametrize(
    "falling", [None, [0, 0, 0, 0], [1, 1, 1, 1], [0, 1, 1, 0]], ids=str
)
@pytest.mark.parametrize("weights", [BipolarType(), TernaryType(), signed(2)], ids=str)
@pytest.mark.parametrize("steps", [1, 3, 17])
def test_thresholds_that_take_in_a_product(
    falling: list[int] | None, weights: Attribute, steps: int
) -> None:
    """Slope and offset of a popcount move into the thresholds, at every sum."""
    columns = 12
    for source in (BipolarType(), TernaryType(), unsigned(2)):
        builder = CoreBuilder(steps)
        argument = builder.argument(source, 1, columns)
        sums = builder.linear(argument, 4, weights)
        low, high = -columns * 2, columns * 2
        values = np.sort(builder.rng.integers(low, high, (4, steps)), axis=1)
        down = None
        if falling is not None:
            down = builder.constant(np.array(falling), unsigned(1))
        element = BipolarType() if steps == 1 else unsigned(8)
        level = builder.add(
            ThresholdOp(
                sums,
                builder.constant(values),
                TensorType(element, (1, 4)),
                falling=down,
                axis=1,
            )
        )
        module = builder.module(level)
        frames = random_frames(module, 300)
        assert_c_agrees(apply(module, BitpackPass(max_popcounts=8)), frames)


def test_thresholds_at_and_beyond_the_ends_of_a_type() -> None:
    for element, ends in (
        (signed(8), (-129, 128)),
        (unsigned(8), (-1, 256)),
        (signed(32), (-(2**31), 2**31)),
    ):
        builder = CoreBuilder()
        argument = builder.argument(element, 1, 4)
        low, high = value_range(element)
        rows = [[low], [low + 1], [high], [high + 1]]
        results = [
            builder.add(
                ThresholdOp(
                    argument,
                    builder.constant(np.array(values)),
                    TensorType(BipolarType(), (1, 4)),
                    falling=builder.constant(np.array(down), unsigned(1)),
                    axis=1,
                )
            )
            for down in ([0, 0, 0, 0], [1, 1, 1, 1], [0, 1, 0, 1], [1, 0, 1, 0])
            for values in (rows, [[min(ends)]] * 4, [[max(ends)]] * 4)
        ]
        module = builder.module(*results)
        frames = np.array([[v] * 4 for v in (low, low + 1, 0, high - 1, high)])
        assert_c_agrees(module, [frames], SANITIZED)


def test_thresholds_and_tables_along_any_axis() -> None:
    builder = CoreBuilder(5)
    x = builder.argument(signed(4), 1, 3, 4, 5)
    results = [builder.threshold(x, unsigned(2), axis=axis) for axis in (1, 2, 3)]
    results += [builder.lookup(x, signed(6), axis=axis) for axis in (1, 2, 3)]
    wide = builder.argument(signed(3), 1, 6, 9)
    sums = builder.linear(wide, 7, signed(2))
    results.append(builder.threshold(sums, signed(3), axis=1))
    bits = builder.linear(builder.argument(BipolarType(), 1, 6, 9), 7, signed(2))
    results.append(builder.threshold(bits, signed(3), axis=1))
    results.append(builder.linear(results[-1], 4, BipolarType()))
    module = builder.module(*results)
    frames = random_frames(module, 50)
    assert_c_agrees(module, frames, SANITIZED)
    assert_c_agrees(apply(module, BitpackPass(panel=3)), frames, SANITIZED)


def test_one_table_for_all_channels() -> None:
    builder = CoreBuilder()
    x = builder.argument(unsigned(4), 1, 5)
    table = builder.constant(np.tile(np.arange(16)[::-1] - 3, (5, 1)), signed(5))
    out = TensorType(signed(5), (1, 5))
    module = builder.module(builder.add(LookupOp(x, table, out, low=0, axis=1)))
    assert_c_agrees(module, [all_values(unsigned(4), 5)])


def test_sums_differences_and_products() -> None:
    builder = CoreBuilder(9)
    a = builder.argument(signed(8), 1, 4, 3)
    b = builder.argument(unsigned(16), 1, 4, 3)
    c = builder.argument(signed(32), 1, 1, 3)
    row = builder.constant(np.array([[-7], [3], [0], [90000]]))
    one = builder.constant(np.array(-5))
    results: list[SSAValue] = []
    for kind in (AddOp, SubOp, MulOp):
        results += [
            builder.binary(kind, x, y)
            for x, y in ((a, b), (b, a), (a, c), (c, b), (a, row), (row, b), (one, c))
        ]
        results.append(builder.binary(kind, a, a))
    module = builder.module(*results)
    assert_c_agrees(module, random_frames(module, 60), SANITIZED)


def test_magnitudes() -> None:
    builder = CoreBuilder(10)
    results: list[SSAValue] = []
    for element in (BipolarType(), signed(8), unsigned(5), signed(16), signed(32)):
        x = builder.argument(element, 1, 2, 3)
        most = max(map(abs, value_range(element)))
        type_ = TensorType(integer_type_for(0, most), (1, 2, 3))
        magnitude = builder.add(AbsOp(x, type_))
        results += [magnitude, builder.binary(MulOp, magnitude, x)]
    module = builder.module(*results)
    assert_c_agrees(module, random_frames(module, 60), SANITIZED)


POWERS = [2, -2, 8, 1 << 30, 1 << 31, -(1 << 31), 1 << 40, -(1 << 40)]


@pytest.mark.parametrize("power", POWERS)
def test_products_with_powers_of_two_are_shifts(power: int) -> None:
    builder = CoreBuilder(11)
    factor = builder.constant(np.array(power), signed(42))
    a, b = (builder.argument(element, 1, 7) for element in (signed(8), unsigned(16)))
    products = [builder.binary(MulOp, a, factor), builder.binary(MulOp, factor, b)]
    module = builder.module(*products)
    assert_c_agrees(module, random_frames(module, 60), SANITIZED)
    shift = f"<< {abs(power).bit_length() - 1})"
    assert emit(module)["model.c"].count(shift) == 2


def test_sums_of_two_products_and_a_residual() -> None:
    builder = CoreBuilder(2)
    x = builder.argument(BipolarType(), 1, 40)
    y = builder.argument(unsigned(2), 1, 70)
    sums = builder.binary(
        AddOp, builder.linear(x, 33, BipolarType()), builder.linear(y, 33, signed(2))
    )
    level = builder.threshold(sums, unsigned(3))
    again = builder.binary(SubOp, builder.linear(level, 33, TernaryType()), level)
    module = builder.module(builder.threshold(again, signed(4)), level)
    frames = random_frames(module, 50)
    assert_c_agrees(module, frames, SANITIZED)
    assert_c_agrees(apply(module, BitpackPass(max_popcounts=8)), frames, SANITIZED)


def test_shapes_and_orders() -> None:
    builder = CoreBuilder(4)
    x = builder.argument(signed(5), 1, 2, 3, 4)

    def reshaped(value: SSAValue, *shape: int) -> SSAValue:
        return builder.add(ReshapeOp(value, TensorType(element_of(value), shape)))

    def transposed(value: SSAValue, *axes: int) -> SSAValue:
        shape = [shape_of(value)[axis] for axis in axes]
        type_: AnyTensor = TensorType(element_of(value), shape)
        return builder.add(TransposeOp(value, axes, type_))

    results = [
        transposed(x, 0, 3, 1, 2),
        builder.threshold(transposed(x, 0, 2, 3, 1), unsigned(2)),
        transposed(reshaped(x, 1, 6, 4), 0, 2, 1),
        builder.linear(reshaped(x, 1, 24), 5, signed(3)),
        builder.linear(transposed(x, 0, 3, 2, 1), 3, BipolarType()),
        reshaped(builder.threshold(reshaped(x, 1, 24), signed(2)), 1, 4, 6),
    ]
    module = builder.module(*results)
    frames = random_frames(module, 20)
    assert_c_agrees(module, frames, SANITIZED)
    assert_c_agrees(apply(module, BitpackPass(max_popcounts=8)), frames, SANITIZED)


@pytest.mark.parametrize("element", ELEMENTS, ids=str)
def test_packing_and_unpacking(element: Attribute) -> None:
    builder = CoreBuilder(4)
    results: list[SSAValue] = []
    for columns in (1, 8, 9, 63, 64, 65, 136):
        x = builder.argument(element, 1, 2, columns)
        for word_bits in WORD_BITS:
            words = builder.add(PackOp(x, packed(x, word_bits)))
            results.append(builder.add(UnpackOp(words, x.type)))
    module = builder.module(*results)
    assert_c_agrees(module, random_frames(module, 10), SANITIZED)


@pytest.mark.parametrize("k", [1, 2, 5])
@pytest.mark.parametrize("smallest", [False, True])
def test_selection(k: int, smallest: bool) -> None:
    builder = CoreBuilder(4)
    results: list[SSAValue] = []
    for element in (signed(2), unsigned(9), BipolarType()):
        x = builder.argument(element, 1, 5, 3, 6)
        for axis in (1, 3):
            shape = list(shape_of(x))
            shape[axis] = k
            op = TopKOp(
                x,
                TensorType(element, shape),
                TensorType(unsigned(3), shape),
                axis=axis,
                smallest=smallest,
            )
            builder.add(op)
            results += [op.indices, op.values] if axis == 1 else [op.indices]
    module = builder.module(*results)
    assert_c_agrees(module, random_frames(module, 60), SANITIZED)


def test_results_that_no_step_computes() -> None:
    """Arguments, constants and values returned twice are copied; one is not read."""
    builder = CoreBuilder()
    x = builder.argument(unsigned(12), 1, 3)
    builder.argument(signed(4), 1, 2)
    known = builder.constant(np.array([[1, -2, 3]]), signed(16))
    total = builder.binary(AddOp, x, known)
    flat = builder.add(ReshapeOp(total, TensorType(element_of(total), (1, 3, 1))))
    module = builder.module(x, known, total, flat, x, total)
    assert_c_agrees(module, random_frames(module, 9), SANITIZED)


def test_frames_of_several_rows() -> None:
    builder = CoreBuilder()
    x = builder.argument(BipolarType(), 4, 30)
    module = builder.module(builder.linear(x, 3, BipolarType()))
    after = apply(module, BitpackPass(max_popcounts=8))
    frame = random_frames(module, 4)
    (expected,) = Interpreter(module).run(frame, "core")
    (found,) = run_in_c(after, frame)
    np.testing.assert_array_equal(found, expected)
