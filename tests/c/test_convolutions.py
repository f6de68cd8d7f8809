"""Convolutions in C, plain and packed, give what the interpreter gives."""

import numpy as np
import pytest
from c_programs import SANITIZED, assert_c_agrees
from convolution_cores import ConvShape, MapBuilder, conv_shapes, drawn_element
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from integer_cores import ELEMENTS, random_frames
from pass_agreement import apply
from xdsl.dialects.builtin import IntAttr, ModuleOp, TensorType
from xdsl.ir import Attribute, SSAValue

from lowering.c.engine import CEngine
from lowering.c.errors import CError
from lowering.c.planner import integer_function, make_plan
from lowering.c.source import COptions, build_library
from lowering.interpreter.engine import Interpreter
from passes.bitpack import BitpackPass
from qdialect.convolution import ConvOp
from qdialect.packed import WORD_BITS, PackedType, PackOp, UnpackOp
from qdialect.packed_maps import PackedConvOp, PackedMaxPoolOp, PackedReshapeOp
from qdialect.types import (
    BipolarType,
    TernaryType,
    element_of,
    shape_of,
    signed,
    tensor_type,
    unsigned,
)

SLOW = [HealthCheck.too_slow]
# Every example is a run of a compiler: a failing one is shown as it is.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)


def random_layers(shapes: list[ConvShape], seed: int) -> ModuleOp:
    """A convolution of each shape; most end in thresholds or a table."""
    builder = MapBuilder(seed)
    rng = builder.rng
    results: list[SSAValue] = []
    for shape in shapes:
        sums = builder.random_conv(shape, drawn_element(rng), drawn_element(rng))
        axis = len(shape_of(sums)) - 1
        if rng.random() < 0.4:
            sums = builder.threshold(sums, drawn_element(rng), axis=axis)
        elif rng.random() < 0.2:
            sums = builder.threshold(sums, unsigned(4), axis=1)
        results.append(sums)
    return builder.module(*results)


@settings(max_examples=12, deadline=None, suppress_health_check=SLOW, phases=PHASES)
@given(
    shapes=st.lists(conv_shapes(), min_size=6, max_size=6), seed=st.integers(0, 1000)
)
def test_any_window(shapes: list[ConvShape], seed: int) -> None:
    module = random_layers(shapes, seed)
    assert_c_agrees(module, random_frames(module, 4), SANITIZED)


@settings(max_examples=12, deadline=None, suppress_health_check=SLOW, phases=PHASES)
@given(
    shapes=st.lists(conv_shapes(max_groups=1, max_depth=70), min_size=6, max_size=6),
    word_bits=st.sampled_from(WORD_BITS),
    panel=st.integers(1, 7),
    seed=st.integers(0, 1000),
)
def test_any_window_of_packed_pixels(
    shapes: list[ConvShape], word_bits: int, panel: int, seed: int
) -> None:
    module = random_layers(shapes, seed)
    options = BitpackPass(word_bits, panel, max_popcounts=10_000)
    assert_c_agrees(apply(module, options), random_frames(module, 4), SANITIZED)


@pytest.mark.parametrize("x", ELEMENTS, ids=str)
def test_every_pair_of_types_with_padding(x: Attribute) -> None:
    builder = MapBuilder(5)
    map = builder.argument(x, 1, 4, 5, 9)
    sums = [
        builder.conv(map, 5, w, (3, 2), pads=(1, 0, 2, 1), groups=1) for w in ELEMENTS
    ]
    module = builder.module(*sums)
    frames = random_frames(module, 10)
    assert_c_agrees(module, frames, SANITIZED)
    for word_bits in (8, 64):
        # All but products of wide levels, which take long to compile.
        options = BitpackPass(word_bits, max_popcounts=20 * word_bits // 8)
        assert_c_agrees(apply(module, options), frames, SANITIZED)


@pytest.mark.parametrize("falling", [None, [0, 0, 0], [1, 1, 1], [0, 1, 0]], ids=str)
def test_thresholds_of_a_padded_bipolar_convolution(
    falling: list[int] | None,
) -> None:
    """Every window adds what the weights under its padding sum to, before them."""
    for weights in (BipolarType(), TernaryType(), signed(3)):
        builder = MapBuilder(3)
        map = builder.argument(BipolarType(), 1, 3, 4, 5)
        sums = builder.conv(map, 3, weights, (3, 3), pads=(2, 1, 1, 2))
        levels = [
            builder.threshold(sums, element, axis=3)
            for element in (BipolarType(), unsigned(3))
        ]
        module = builder.module(*levels)
        frames = random_frames(module, 100)
        assert_c_agrees(apply(module, BitpackPass(8)), frames, SANITIZED)


def binary_network(channels: int, element: Attribute) -> ModuleOp:
    """Convolutions, pools and products, packed wherever words allow it."""
    builder = MapBuilder(channels)
    x = builder.argument(unsigned(8), 1, 9, 8, 3)
    sums = builder.conv(x, channels, BipolarType(), (3, 3), pads=(1, 1, 1, 1))
    x = builder.threshold(sums, element)
    sums = builder.conv(x, channels, BipolarType(), (3, 3), dilations=(1, 2))
    x = builder.max_pool(builder.threshold(sums, element), (2, 2), (0, 0, 1, 0))
    sums = builder.conv(x, channels, BipolarType(), (2, 2), pads=(1, 1, 0, 0))
    x = builder.max_pool(builder.threshold(sums, element), (2, 2))
    return builder.module(builder.linear(builder.flat(x), 5, BipolarType()))


@pytest.mark.parametrize("channels", [32, 72, 128])
@pytest.mark.parametrize("element", [BipolarType(), unsigned(1)], ids=str)
@pytest.mark.parametrize("word_bits", WORD_BITS)
def test_networks_that_stay_packed(
    channels: int, element: Attribute, word_bits: int
) -> None:
    module = binary_network(channels, element)
    after = apply(module, BitpackPass(word_bits))
    frames = random_frames(module, 20)
    assert_c_agrees(after, frames, SANITIZED)
    (expected,) = Interpreter(module).run(frames, "core")
    np.testing.assert_array_equal(CEngine(after)(frames)[0], expected)


def test_no_element_of_a_packed_network_takes_a_byte() -> None:
    """Between two packed layers there are words, and a window where one is made."""
    plan = make_plan(
        integer_function(
            apply(binary_network(64, BipolarType()), BitpackPass(max_popcounts=8))
        )
    )
    words = [b for b in plan.arena() if b.ctype.width_bits == 64]
    (window,) = [b for b in plan.arena() if b not in words]
    assert window.count == 27  # of the first layer, which is not packed
    assert [b.count for b in words][:2] == [72, 28 * 1]


def test_a_window_that_stands_in_the_map_is_not_copied() -> None:
    builder = MapBuilder(1)
    x = builder.argument(BipolarType(), 1, 6, 5, 16)
    y = builder.argument(unsigned(4), 1, 20, 6)
    results = [
        builder.conv(x, 3, BipolarType(), (1, 1), strides=(2, 3)),
        builder.conv(x, 3, BipolarType(), (1, 3)),
        builder.conv(x, 3, BipolarType(), (2, 5)),
        builder.conv(x, 3, BipolarType(), (6, 5)),
        builder.conv(y, 3, signed(3), (4,), strides=(3,)),
    ]
    module = builder.module(*results)
    frames = random_frames(module, 10)
    for variant in (module, apply(module, BitpackPass(max_popcounts=8))):
        assert make_plan(integer_function(variant)).arena()[2:] == []
        assert_c_agrees(variant, frames, SANITIZED)


def test_reshaped_words() -> None:
    builder = MapBuilder()
    x = builder.argument(BipolarType(), 1, 2, 3, 32)
    word = IntAttr(16)
    words = builder.add(PackOp(x, PackedType(tensor_type(x), word, IntAttr(1))))
    flat = TensorType(BipolarType(), (1, 192))
    vector = PackedReshapeOp(words, PackedType(flat, word, IntAttr(1)))
    module = builder.module(builder.add(UnpackOp(builder.add(vector), flat)))
    assert_c_agrees(module, random_frames(module, 9), SANITIZED)


@settings(max_examples=10, deadline=None, suppress_health_check=SLOW, phases=PHASES)
@given(
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    strides=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    dilations=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    padded=st.booleans(),
    channels=st.integers(1, 70),
    word_bits=st.sampled_from(WORD_BITS),
)
def test_packed_pools(
    kernel: tuple[int, int],
    strides: tuple[int, int],
    dilations: tuple[int, int],
    padded: bool,
    channels: int,
    word_bits: int,
) -> None:
    builder = MapBuilder()
    pads = tuple((k - 1) * d * padded for k, d in zip(kernel, dilations, strict=True))
    x = builder.argument(unsigned(1), 1, 5, 7, channels)
    word = IntAttr(word_bits)
    words = builder.add(PackOp(x, PackedType(tensor_type(x), word, IntAttr(1))))
    spans = [(k - 1) * d for k, d in zip(kernel, dilations, strict=True)]
    counts = [
        (n + 2 * p - span - 1) // s + 1
        for n, p, span, s in zip((5, 7), pads, spans, strides, strict=True)
    ]
    out: TensorType[Attribute] = TensorType(element_of(x), (1, *counts, channels))
    pool = PackedMaxPoolOp(
        words,
        PackedType(out, word, IntAttr(1)),
        kernel=kernel,
        strides=strides,
        pads=(*pads, *pads),
        dilations=dilations,
    )
    module = builder.module(builder.add(UnpackOp(builder.add(pool), out)))
    assert_c_agrees(module, random_frames(module, 9), SANITIZED)


def test_channels_that_come_first_are_refused() -> None:
    builder = MapBuilder()
    x = builder.argument(BipolarType(), 1, 4, 9)
    weights = builder.weight(np.ones((2, 4, 3), np.int8), BipolarType())
    out = TensorType(signed(6), (1, 2, 7))
    conv = ConvOp(x, weights, out, strides=[1], pads=[0, 0], dilations=[1])
    module = builder.module(builder.add(conv))
    with pytest.raises(CError, match="channels come first, expected channels_last"):
        build_library(module, COptions())


def test_packed_weights_of_other_words_are_refused() -> None:
    builder = MapBuilder()
    x = builder.argument(BipolarType(), 1, 4, 4, 64)
    module = builder.module(builder.conv(x, 5, BipolarType(), (3, 3)))
    after = apply(module, BitpackPass(max_popcounts=8))
    (op,) = [op for op in after.walk() if isinstance(op, PackedConvOp)]
    name = next(w for w in after.body.block.ops if w.name == "qnn.weight")
    name.detach()
    with pytest.raises(CError, match=r"no qnn.weight @w0_packed"):
        build_library(after, COptions())
    assert op.window[0].kernel == 3


@pytest.mark.slow
@settings(max_examples=120, deadline=None, suppress_health_check=SLOW, phases=PHASES)
@given(
    shapes=st.lists(conv_shapes(max_depth=40), min_size=8, max_size=8),
    word_bits=st.sampled_from(WORD_BITS),
    panel=st.integers(1, 9),
    seed=st.integers(0, 100_000),
)
def test_many_windows(
    shapes: list[ConvShape], word_bits: int, panel: int, seed: int
) -> None:
    module = random_layers(shapes, seed)
    frames = random_frames(module, 4)
    options = BitpackPass(word_bits, panel, max_popcounts=10_000)
    assert_c_agrees(module, frames, SANITIZED)
    assert_c_agrees(apply(module, options), frames, SANITIZED)
    assert_c_agrees(apply(module, options), frames, ("-O3", "-march=native"))
