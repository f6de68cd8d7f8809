"""Operations on maps in C give what the interpreter gives, alone and fused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from c_programs import SANITIZED, assert_c_agrees
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from integer_cores import ELEMENTS, CoreBuilder, core_of, random_frames, random_levels
from random_maps import Shape, shapes
from xdsl.dialects.builtin import (
    IntAttr,
    ModuleOp,
    NameLoc,
    StringAttr,
    TensorType,
    UnknownLoc,
)
from xdsl.ir import Attribute, Operation, SSAValue

from lowering.c.errors import CError
from lowering.c.source import build_library, emit
from qdialect.elementwise import AddOp, MulOp, SubOp
from qdialect.packed import PackedType, PackOp, UnpackOp
from qdialect.pooling import MaxPoolOp, SumPoolOp
from qdialect.ranges import bounds, exact_bounds
from qdialect.rearranging import (
    BlockOrder,
    ConcatOp,
    DepthToSpaceOp,
    PadOp,
    SliceOp,
    UpsampleOp,
)
from qdialect.selection import TopKOp
from qdialect.shaping import ReshapeOp
from qdialect.types import (
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
from qdialect.windows import image_shape, make_window

generated = settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
elements = st.sampled_from(ELEMENTS)
extents = st.lists(st.integers(1, 5), min_size=2, max_size=3).map(tuple)


def alone_and_fused(
    builder: CoreBuilder, make: Callable[[], SSAValue]
) -> list[SSAValue]:
    """What `make` appends: stored, packed, and behind it activations and a sum."""

    def packed(value: SSAValue, word_bits: int) -> SSAValue:
        type_ = PackedType(tensor_type(value), IntAttr(word_bits), IntAttr(1))
        words = builder.add(PackOp(value, type_))
        return builder.add(UnpackOp(words, value.type))

    stored = make()
    shape = shape_of(stored)
    channels = random_levels(builder.rng, signed(8), shape[-1:])
    results = [
        stored,
        packed(make(), 8),
        builder.threshold(make(), unsigned(4)),
        builder.threshold(make(), signed(3), axis=1),
        packed(builder.threshold(make(), BipolarType()), 32),
        builder.binary(AddOp, make(), builder.constant(channels)),
    ]
    low, high = bounds(stored)
    if high - low < 300:
        results.append(builder.lookup(make(), TernaryType()))
    return results


def check(builder: CoreBuilder, results: Sequence[SSAValue]) -> None:
    module = builder.module(*results)
    assert_c_agrees(module, random_frames(module, 6, builder.seed), SANITIZED)


def pooled(
    builder: CoreBuilder,
    kind: type[MaxPoolOp | SumPoolOp],
    x: SSAValue,
    shape: Shape,
) -> SSAValue:
    """A pool in the type that just holds it."""
    numbers = (shape.kernel, shape.strides, shape.pads, shape.dilations)
    counts = [
        axis.windows(n)
        for axis, n in zip(make_window(*numbers), shape.extents, strict=True)
    ]
    out = (1, *counts, shape.channels)

    def of(element: Attribute) -> MaxPoolOp | SumPoolOp:
        kernel, strides, pads, dilations = numbers
        return kind(
            x,
            TensorType(element, out),
            kernel=kernel,
            strides=strides,
            pads=pads,
            dilations=dilations,
            channels_last=True,
        )

    if kind is MaxPoolOp:
        return builder.add(of(element_of(x)))
    probe = of(signed(64))
    low, high = exact_bounds(probe.out)
    probe.erase()
    return builder.add(of(integer_type_for(low, high)))


def has_empty_windows(shape: Shape) -> bool:
    """Whether a window stands on padding alone, which no pool may."""
    window = make_window(shape.kernel, shape.strides, shape.pads, shape.dilations)
    return not all(
        axis.masks(extent).any(axis=1).all()
        for axis, extent in zip(window, shape.extents, strict=True)
    )


@generated
@given(
    shape=shapes(),
    channels=st.sampled_from([1, 3, 64, 130]),
    element=elements,
    kind=st.sampled_from([MaxPoolOp, SumPoolOp]),
)
def test_pools(
    shape: Shape,
    channels: int,
    element: Attribute,
    kind: type[MaxPoolOp | SumPoolOp],
) -> None:
    assume(not has_empty_windows(shape))
    shape = replace(shape, channels=channels)
    builder = CoreBuilder(shape.seed)
    image = (1, *shape.extents, channels)
    known = builder.constant(random_levels(builder.rng, element, image), element)
    results = [builder.threshold(pooled(builder, kind, known, shape), signed(3))]
    x = builder.argument(element, *image)
    results += alone_and_fused(builder, lambda: pooled(builder, kind, x, shape))
    check(builder, results)


@pytest.mark.parametrize("kind", [MaxPoolOp, SumPoolOp])
def test_pools_over_the_whole_map(kind: type[MaxPoolOp | SumPoolOp]) -> None:
    """Also of the widest elements, and of a window that one padded element enlarges."""
    builder = CoreBuilder(3)
    results: list[SSAValue] = []
    for element in (signed(40), unsigned(32), signed(32), BipolarType()):
        x = builder.argument(element, 1, 4, 5, 3)
        for pads in ((0, 0, 0, 0), (1, 0, 0, 2)):
            kernel = (4 + pads[0] + pads[2], 5 + pads[1] + pads[3])
            shape = Shape((4, 5), 3, 3, 1, kernel, (1, 1), (1, 1), pads, 0)
            results.append(pooled(builder, kind, x, shape))
            results.append(builder.threshold(results[-1], unsigned(3)))
    check(builder, results)


@generated
@given(data=st.data(), element=elements, shape=extents)
def test_padding(
    data: st.DataObject, element: Attribute, shape: tuple[int, ...]
) -> None:
    amounts = (
        [data.draw(st.integers(0, 2)) for _ in shape],
        [data.draw(st.integers(0, 2)) for _ in shape],
    )
    low, high = [(0, *amount) for amount in amounts]
    builder = CoreBuilder(len(shape))
    x = builder.argument(element, 1, *shape)
    padded = [a + n + b for a, n, b in zip(low, (1, *shape), high, strict=True)]
    values = (
        (builder.constant(1, element), element),
        (builder.constant(-300), signed(20)),
    )
    results: list[SSAValue] = []
    for value, out in values:

        def make(value: SSAValue = value, out: Attribute = out) -> SSAValue:
            type_ = TensorType(out, padded)
            return builder.add(PadOp(x, value, type_, low=low, high=high))

        results += alone_and_fused(builder, make)
    check(builder, results)


@generated
@given(data=st.data(), shape=extents, last=st.booleans())
def test_concatenation(data: st.DataObject, shape: tuple[int, ...], last: bool) -> None:
    """Of operands of several types, a constant, and one that is there twice."""
    axis = len(shape) if last else data.draw(st.integers(1, len(shape)))
    builder = CoreBuilder(len(shape))
    parts: list[SSAValue] = []
    for _ in range(data.draw(st.integers(1, 4))):
        element = data.draw(elements)
        part = [1, *shape]
        part[axis] = data.draw(st.integers(1, 20))
        if not parts or data.draw(st.booleans()):
            parts.append(builder.argument(element, *part))
        else:
            parts.append(
                builder.constant(random_levels(builder.rng, element, part), element)
            )
    parts.append(parts[0])
    out = [1, *shape]
    out[axis] = sum(shape_of(part)[axis] for part in parts)
    low, high = zip(*(value_range(element_of(part)) for part in parts), strict=True)

    def make() -> SSAValue:
        type_ = integer_type_for(min(low), max(high))
        return builder.add(ConcatOp(parts, TensorType(type_, out), axis=axis))

    check(builder, alone_and_fused(builder, make))


@generated
@given(data=st.data(), element=elements, shape=extents)
def test_slices(
    data: st.DataObject, element: Attribute, shape: tuple[int, ...]
) -> None:
    builder = CoreBuilder(len(shape))
    offsets, steps, counts = [0], [1], [1]
    for extent in shape:
        offsets.append(data.draw(st.integers(0, extent - 1)))
        steps.append(data.draw(st.integers(1, 3)))
        most = (extent - 1 - offsets[-1]) // steps[-1] + 1
        counts.append(data.draw(st.integers(1, most)))
    x = builder.argument(element, 1, *shape)
    out = TensorType(element, counts)
    cut = alone_and_fused(
        builder, lambda: builder.add(SliceOp(x, out, offsets=offsets, steps=steps))
    )
    check(builder, cut)


@generated
@given(data=st.data(), element=elements, shape=extents)
def test_upsampling(
    data: st.DataObject, element: Attribute, shape: tuple[int, ...]
) -> None:
    builder = CoreBuilder(len(shape))
    factors = [1, *(data.draw(st.integers(1, 3)) for _ in shape)]
    x = builder.argument(element, 1, *shape)
    enlarged = [n * factor for n, factor in zip((1, *shape), factors, strict=True)]
    out = TensorType(element, enlarged)
    check(
        builder,
        alone_and_fused(
            builder, lambda: builder.add(UpsampleOp(x, out, factors=factors))
        ),
    )


@pytest.mark.parametrize("block", [1, 2, 3])
@pytest.mark.parametrize("order", list(BlockOrder))
@pytest.mark.parametrize("last", [True, False], ids=["channels_last", "channels_first"])
def test_depth_to_space(block: int, order: BlockOrder, last: bool) -> None:
    builder = CoreBuilder(block)
    results: list[SSAValue] = []
    for element, extents, depth in ((signed(8), (3, 2), 5), (BipolarType(), (1, 4), 1)):
        image = image_shape(depth * block**2, extents, channels_last=last)
        x = builder.argument(element, *image)
        enlarged = [n * block for n in extents]
        out = TensorType(element, image_shape(depth, enlarged, channels_last=last))

        def make(x: SSAValue = x, out: TensorType[Attribute] = out) -> SSAValue:
            op = DepthToSpaceOp(x, out, block=block, order=order, channels_last=last)
            return builder.add(op)

        results += alone_and_fused(builder, make)
    check(builder, results)


@generated
@given(data=st.data(), shape=extents, a=elements, b=elements)
def test_arithmetic_of_maps(
    data: st.DataObject, shape: tuple[int, ...], a: Attribute, b: Attribute
) -> None:
    """Two maps, a constant a channel or for all, and a map of one element an axis."""
    builder = CoreBuilder(len(shape))
    x, y = builder.argument(a, 1, *shape), builder.argument(b, 1, *shape)
    small = [1, *(data.draw(st.sampled_from([1, n])) for n in shape)]
    others = (
        y,
        builder.argument(b, *small),
        builder.constant(random_levels(builder.rng, b, shape[-1:]), b),
        builder.constant(random_levels(builder.rng, b, ()), b),
    )
    results = [
        builder.binary(kind, *pair)
        for kind in (AddOp, SubOp, MulOp)
        for other in others
        for pair in ((x, other), (other, x))
    ]
    results.append(builder.threshold(results[0], unsigned(5)))
    check(builder, results)


def test_a_residual_block_and_its_neighbours() -> None:
    """What two branches read lives until the later one has read it."""
    builder = CoreBuilder(4)
    x = builder.argument(signed(8), 1, 6, 6, 8)
    y = builder.argument(unsigned(4), 1, 3, 3, 8)

    def window(kernel: int, stride: int, pad: int) -> Shape:
        pairs = ((kernel,) * 2, (stride,) * 2, (1, 1), (pad,) * 4)
        return Shape((6, 6), 8, 8, 1, *pairs, 0)

    trunk = builder.threshold(x, signed(4))
    branch = pooled(builder, MaxPoolOp, trunk, window(3, 1, 1))
    branch = builder.linear(branch, 8, signed(3))
    branch = builder.threshold(branch, signed(4))
    total = builder.threshold(builder.binary(AddOp, branch, trunk), signed(4))
    halved = pooled(builder, SumPoolOp, total, window(2, 2, 0))
    wide = builder.add(
        UpsampleOp(y, TensorType(unsigned(4), (1, 6, 6, 8)), factors=(1, 2, 2, 1))
    )
    type_ = TensorType(signed(5), (1, 6, 6, 24))
    joined = builder.add(ConcatOp([total, trunk, wide], type_, axis=3))
    level = builder.threshold(builder.linear(joined, 5, TernaryType()), unsigned(8))
    flat = builder.add(ReshapeOp(level, TensorType(unsigned(8), (1, 180))))
    out = TensorType(unsigned(8), (1, 3)), TensorType(unsigned(8), (1, 3))
    best = TopKOp(flat, *out, axis=1)
    builder.add(best)
    check(builder, [halved, level, best.values, best.indices, total])


def test_dead_maps_give_their_memory_back() -> None:
    builder = CoreBuilder()
    x = builder.argument(signed(8), 1, 4, 4, 16)
    shape = Shape((4, 4), 16, 16, 1, (3, 3), (1, 1), (1, 1), (1, 1, 1, 1), 0)

    def block(value: SSAValue) -> SSAValue:
        pool = pooled(builder, MaxPoolOp, value, shape)
        level = builder.threshold(builder.linear(pool, 16, signed(2)), signed(8))
        return builder.threshold(builder.binary(AddOp, level, value), signed(8))

    value = x
    for _ in range(6):
        value = block(value)
    module = builder.module(value)
    # The pool's, the level's and the trunk's at most, of 256 bytes each.
    assert build_library(module).interface.arena_bytes == 3 * 256
    assert_c_agrees(module, random_frames(module, 5), SANITIZED)


def refused(module: ModuleOp, kind: type[Operation], message: str) -> None:
    (op,) = [op for op in core_of(module).walk() if isinstance(op, kind)]
    op.location = NameLoc(StringAttr("Node_7"), UnknownLoc())
    with pytest.raises(CError, match=message):
        emit(module)


def sum_pool(builder: CoreBuilder, x: SSAValue, *, channels_last: bool) -> SSAValue:
    """A pool over a whole map of 4 x 4 elements."""
    shape = image_shape(2, (1, 1), channels_last=channels_last)
    op = SumPoolOp(
        x,
        TensorType(signed(64), shape),
        kernel=(4, 4),
        strides=(1, 1),
        pads=(0, 0, 0, 0),
        dilations=(1, 1),
        channels_last=channels_last,
    )
    return builder.add(op)


def test_what_has_no_c_form_is_named() -> None:
    builder = CoreBuilder()
    x = builder.argument(signed(62), 1, 4, 4, 2)
    module = builder.module(sum_pool(builder, x, channels_last=True))
    refused(
        module, SumPoolOp, r"qnn.sum_pool \(node 'Node_7'\): values in .* need more"
    )
    builder = CoreBuilder()
    x = builder.argument(signed(8), 1, 2, 4, 4)
    module = builder.module(sum_pool(builder, x, channels_last=False))
    refused(module, SumPoolOp, r"'Node_7'\): channels come first, expected channels_la")
    builder = CoreBuilder()
    x = builder.argument(signed(8), 1, 4, 4, 2)
    type_ = TensorType(signed(65), (1, 4, 4, 4))
    joined = builder.add(ConcatOp([x, x], type_, axis=3))
    levels = [builder.threshold(joined, unsigned(2)) for _ in range(2)]
    module = builder.module(*levels)
    refused(module, ConcatOp, r"qnn.concat \(node 'Node_7'\): elements are si65, exp")
