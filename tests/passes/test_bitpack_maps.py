"""`bitpack`: popcounts of packed pixels give the sums that `qnn.conv` defines."""

from itertools import product

import numpy as np
import pytest
from convolution_cores import ConvShape, MapBuilder, conv_shapes
from hypothesis import given, settings
from hypothesis import strategies as st
from integer_cores import ELEMENTS, random_frames
from pass_agreement import apply
from xdsl.dialects.builtin import IntAttr, ModuleOp, TensorType
from xdsl.ir import Attribute
from xdsl.utils.exceptions import VerifyException

from lowering.interpreter.engine import Interpreter
from passes.bitpack import BitpackPass
from qdialect.convolution import ConvOp
from qdialect.packed import (
    WORD_BITS,
    PackedMatMulOp,
    PackedType,
    PackOp,
    UnpackOp,
    packed_type,
)
from qdialect.packed_maps import (
    PackedConvOp,
    PackedMaxPoolOp,
    PackedReshapeOp,
    keeps_words,
    sums_under_padding,
)
from qdialect.pooling import MaxPoolOp
from qdialect.shaping import ReshapeOp
from qdialect.types import (
    AnyTensor,
    BipolarType,
    TernaryType,
    shape_of,
    signed,
    tensor_type,
    unsigned,
)
from qdialect.windows import make_window

PACK_ALL = BitpackPass(max_popcounts=10_000)


def assert_same_core(before: ModuleOp, after: ModuleOp, frames: int = 5) -> None:
    inputs = random_frames(before, frames)
    expected = Interpreter(before).run(inputs, "core")
    found = Interpreter(after).run(inputs, "core")
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == b.dtype


def count(module: ModuleOp, kind: type) -> int:
    return sum(isinstance(op, kind) for op in module.walk())


@pytest.mark.parametrize(("x", "w"), list(product(ELEMENTS, ELEMENTS)), ids=str)
def test_every_pair_of_types_with_padding(x: Attribute, w: Attribute) -> None:
    builder = MapBuilder(1)
    map = builder.argument(x, 1, 4, 5, 70)
    sums = builder.conv(map, 5, w, (3, 2), pads=(1, 0, 2, 1))
    module = builder.module(sums)
    after = apply(module, PACK_ALL)
    assert count(after, PackedConvOp) == 1
    assert count(after, ConvOp) == 0
    assert_same_core(module, after)


@settings(max_examples=150, deadline=None)
@given(
    shape=conv_shapes(max_groups=1, max_depth=80),
    x=st.sampled_from(ELEMENTS),
    w=st.sampled_from(ELEMENTS),
    word_bits=st.sampled_from(WORD_BITS),
    panel=st.integers(1, 9),
    seed=st.integers(0, 1000),
)
def test_any_window_in_any_layout(
    shape: ConvShape,
    x: Attribute,
    w: Attribute,
    word_bits: int,
    panel: int,
    seed: int,
) -> None:
    builder = MapBuilder(seed)
    module = builder.module(builder.random_conv(shape, x, w))
    after = apply(module, BitpackPass(word_bits, panel, max_popcounts=10_000))
    assert count(after, PackedConvOp) == 1
    assert_same_core(module, after, 3)


@settings(max_examples=80, deadline=None)
@given(shape=conv_shapes(max_groups=1), seed=st.integers(0, 1000))
def test_sums_under_padding(shape: ConvShape, seed: int) -> None:
    """What is missing of a map of ones is what stands on no element."""
    builder = MapBuilder(seed)
    module = builder.module(builder.random_conv(shape, unsigned(1), signed(4)))
    ones = np.ones(shape.input, np.int8)
    (sums,) = Interpreter(module).run([ones], "core")
    (conv,) = [op for op in module.walk() if isinstance(op, ConvOp)]
    weights = builder.weights[0].value.to_numpy().astype(np.int64)
    missing, classes = sums_under_padding(
        conv.window, conv.extents, weights.sum(axis=-1)
    )
    found = missing[np.ix_(*classes, np.arange(len(weights)))]
    total = weights.reshape(len(weights), -1).sum(axis=1)
    np.testing.assert_array_equal(sums[0] + found, np.broadcast_to(total, found.shape))


@pytest.mark.parametrize(
    ("x", "channels", "packed"),
    [
        (BipolarType(), 64, True),
        (BipolarType(), 8, True),
        (BipolarType(), 7, False),
        (unsigned(2), 64, True),
        (unsigned(2), 15, False),
        (unsigned(2), 16, True),
        (signed(8), 64, True),
        (signed(8), 63, False),
        (unsigned(16), 64, False),
    ],
    ids=str,
)
def test_a_convolution_is_packed_where_it_pays(
    x: Attribute, channels: int, packed: bool
) -> None:
    """A word that is partly filled costs what a full one does."""
    builder = MapBuilder()
    map = builder.argument(x, 1, 4, 4, channels)
    module = builder.module(builder.conv(map, 5, BipolarType(), (3, 3)))
    after = apply(module, BitpackPass(max_popcounts=8))
    assert count(after, PackedConvOp) == packed
    assert count(after, ConvOp) == (not packed)
    if not packed:
        assert str(after) == str(module)


def test_groups_and_channels_first_are_left() -> None:
    builder = MapBuilder()
    x = builder.argument(BipolarType(), 1, 4, 4, 128)
    grouped = builder.conv(x, 4, BipolarType(), (3, 3), groups=2)
    y = builder.argument(BipolarType(), 1, 64, 9)
    weights = builder.weight(np.ones((2, 64, 3), np.int8), BipolarType())
    first = builder.add(
        ConvOp(
            y,
            weights,
            TensorType(signed(10), (1, 2, 7)),
            strides=[1],
            pads=[0, 0],
            dilations=[1],
        )
    )
    module = builder.module(grouped, first)
    assert str(apply(module, PACK_ALL)) == str(module)


def binary_network(channels: int, element: Attribute) -> MapBuilder:
    """Two convolutions, a pool between them, and a product behind a flattening."""
    builder = MapBuilder(channels)
    x = builder.argument(element, 1, 8, 8, channels)
    for _ in range(2):
        sums = builder.conv(x, channels, BipolarType(), (3, 3), pads=(1, 1, 1, 1))
        x = builder.max_pool(builder.threshold(sums, element), (2, 2))
    builder.linear(builder.flat(x), 5, BipolarType())
    return builder


@pytest.mark.parametrize("element", [BipolarType(), unsigned(1)], ids=str)
def test_a_network_stays_packed(element: Attribute) -> None:
    builder = binary_network(128, element)
    assert builder.block.last_op is not None
    module = builder.module(builder.block.last_op.results[0])
    after = apply(module, BitpackPass())
    assert count(after, PackedConvOp) == 2
    assert count(after, PackedMaxPoolOp) == 2
    assert count(after, PackedReshapeOp) == 1
    assert count(after, PackedMatMulOp) == 1
    assert count(after, PackOp) == 3  # the argument and two thresholds
    assert count(after, MaxPoolOp) == count(after, ReshapeOp) == 0
    assert_same_core(module, after)


def test_a_flattening_that_tears_words_apart() -> None:
    """The pool before it needs bytes then, and the vector is packed behind both."""
    builder = binary_network(72, BipolarType())
    assert builder.block.last_op is not None
    module = builder.module(builder.block.last_op.results[0])
    after = apply(module, BitpackPass())
    assert count(after, PackedReshapeOp) == 0
    assert count(after, PackedMaxPoolOp) == 1
    assert count(after, MaxPoolOp) == count(after, ReshapeOp) == 1
    assert_same_core(module, after)


@pytest.mark.parametrize("element", [TernaryType(), unsigned(2), signed(1)], ids=str)
def test_a_pool_of_other_elements_is_left(element: Attribute) -> None:
    builder = MapBuilder()
    pooled = builder.max_pool(builder.argument(element, 1, 4, 4, 64), (2, 2))
    module = builder.module(builder.conv(pooled, 3, BipolarType(), (2, 2)))
    after = apply(module, PACK_ALL)
    assert count(after, PackedConvOp) == count(after, MaxPoolOp) == 1
    assert_same_core(module, after)


def test_a_pool_that_others_read_is_left() -> None:
    builder = MapBuilder()
    pooled = builder.max_pool(builder.argument(BipolarType(), 1, 4, 4, 64), (2, 2))
    flat = builder.flat(pooled)
    sums = builder.conv(pooled, 3, BipolarType(), (2, 2))
    module = builder.module(sums, builder.linear(flat, 3, BipolarType()), flat)
    after = apply(module, BitpackPass())
    assert count(after, MaxPoolOp) == count(after, ReshapeOp) == 1
    assert count(after, PackedMaxPoolOp) == count(after, PackedReshapeOp) == 0
    assert_same_core(module, after)


def test_readers_of_one_pool_share_its_words() -> None:
    builder = MapBuilder()
    map = builder.argument(BipolarType(), 1, 5, 4, 64)
    pooled = builder.max_pool(map, (2, 2), pads=(0, 1, 1, 1))
    sums = builder.conv(pooled, 3, BipolarType(), (2, 2))
    module = builder.module(
        sums,
        builder.linear(builder.flat(pooled), 3, BipolarType()),
        builder.linear(builder.flat(pooled), 4, TernaryType()),
    )
    after = apply(module, BitpackPass())
    assert count(after, PackOp) == count(after, PackedMaxPoolOp) == 1
    assert count(after, MaxPoolOp) == count(after, ReshapeOp) == 0
    assert_same_core(module, after)


@settings(max_examples=60, deadline=None)
@given(
    element=st.sampled_from([BipolarType(), unsigned(1)]),
    channels=st.integers(1, 70),
    word_bits=st.sampled_from(WORD_BITS),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    pads=st.sampled_from([(0, 0, 0, 0), (0, 0, 1, 1), (1, 0, 0, 1)]),
)
def test_pools(
    element: Attribute,
    channels: int,
    word_bits: int,
    kernel: tuple[int, int],
    pads: tuple[int, ...],
) -> None:
    kernel = (kernel[0] + 1, kernel[1] + 1)
    builder = MapBuilder()
    map = builder.argument(element, 1, 7, 6, channels)
    expected = builder.max_pool(map, kernel, pads)
    word = IntAttr(word_bits)
    words = builder.add(PackOp(map, PackedType(tensor_type(map), word, IntAttr(1))))
    pool = PackedMaxPoolOp(
        words,
        PackedType(tensor_type(expected), word, IntAttr(1)),
        kernel=kernel,
        strides=kernel,
        pads=pads,
        dilations=[1, 1],
    )
    found = builder.add(UnpackOp(builder.add(pool), expected.type))
    module = builder.module(expected, found)
    first, second = Interpreter(module).run(random_frames(module, 5), "core")
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("element", "old", "new", "kept"),
    [
        (BipolarType(), (1, 2, 2, 64), (1, 256), True),
        (BipolarType(), (1, 256), (1, 4, 64), True),
        (BipolarType(), (1, 2, 2, 72), (1, 288), False),
        (TernaryType(), (1, 2, 2, 64), (1, 256), False),
        (TernaryType(), (1, 1, 1, 70), (1, 70), True),
        (unsigned(2), (1, 2, 3, 70), (1, 6, 70), True),
        (BipolarType(), (1, 2, 64), (1, 64), False),
    ],
    ids=str,
)
def test_what_keeps_words(
    element: Attribute, old: tuple[int, ...], new: tuple[int, ...], kept: bool
) -> None:
    tensor: AnyTensor = TensorType(element, old)
    assert keeps_words(PackedType(tensor, IntAttr(64), IntAttr(1)), new) == kept


def packed_conv() -> PackedConvOp:
    builder = MapBuilder()
    map = builder.argument(BipolarType(), 1, 4, 4, 64)
    module = builder.module(builder.conv(map, 5, BipolarType(), (3, 3)))
    after = apply(module, BitpackPass())
    (op,) = [op for op in after.walk() if isinstance(op, PackedConvOp)]
    return op


def test_windows_of_a_packed_convolution() -> None:
    op = packed_conv()
    assert op.window == make_window((3, 3), (1, 1), (0, 0, 0, 0), (1, 1))
    assert packed_type(op.weights).storage.get_shape() == (2, 3, 3, 1, 1, 4)
    assert shape_of(op.out) == (1, 2, 2, 5)


def test_a_packed_convolution_of_other_words_is_refused() -> None:
    op = packed_conv()
    owner = op.input.owner
    assert isinstance(owner, PackOp)
    other = PackedType(tensor_type(owner.input), IntAttr(32), IntAttr(1))
    op.operands[0] = PackOp(owner.input, other).out
    with pytest.raises(VerifyException, match="words of `weights`, 64 bits"):
        op.verify_()
