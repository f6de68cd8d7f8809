"""Integer cores of maps, channels-last, built op by op or drawn at random."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from integer_cores import ELEMENTS, CoreBuilder, random_levels
from xdsl.dialects.builtin import ModuleOp, TensorType
from xdsl.ir import Attribute, Operation, SSAValue

from qdialect.constants import constant
from qdialect.convolution import ConvOp
from qdialect.elementwise import AddOp, MulOp, SubOp
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
from qdialect.shaping import ReshapeOp
from qdialect.types import (
    BipolarType,
    TernaryType,
    element_of,
    integer_type_for,
    shape_of,
    signed,
    unsigned,
    value_range,
)
from qdialect.windows import Axis, Window, make_window

SMALL: tuple[Attribute, ...] = (
    BipolarType(),
    BipolarType(),
    TernaryType(),
    unsigned(2),
    unsigned(5),
    signed(2),
    signed(6),
)
"""Elements of maps; bipolar ones, whose padding is special, more often."""

SAME: Window = (Axis(3, 1, 1, 1), Axis(3, 1, 1, 1))
"""3 x 3 taps, and padding that keeps the extents."""


class MapCore(CoreBuilder):
    """Builds one function `@core` on maps [1, H, W, C] or [1, W, C]."""

    def conv(
        self,
        x: SSAValue,
        rows: int,
        element: Attribute,
        window: Window,
        *,
        groups: int = 1,
    ) -> SSAValue:
        """A convolution with random weights, into an accumulator that just holds it."""
        shape = shape_of(x)
        size = (rows, *(axis.kernel for axis in window), shape[-1] // groups)
        weights = self.weight(random_levels(self.rng, element, size), element)
        counts = [a.windows(n) for a, n in zip(window, shape[1:-1], strict=True)]

        def make(out: Attribute) -> Operation:
            return ConvOp(
                x,
                weights,
                TensorType(out, (1, *counts, rows)),
                strides=[axis.stride for axis in window],
                pads=pads_of(window),
                dilations=[axis.dilation for axis in window],
                stretch=[axis.stretch for axis in window],
                groups=groups,
                channels_last=True,
            )

        return self.add(make(self._signed_result(make)))

    def pool(
        self, kind: type[MaxPoolOp | SumPoolOp], x: SSAValue, window: Window
    ) -> SSAValue:
        """A pool; sums go into an accumulator that just holds them."""
        shape = shape_of(x)
        counts = [a.windows(n) for a, n in zip(window, shape[1:-1], strict=True)]

        def make(out: Attribute) -> Operation:
            return kind(
                x,
                TensorType(out, (1, *counts, shape[-1])),
                kernel=[axis.kernel for axis in window],
                strides=[axis.stride for axis in window],
                pads=pads_of(window),
                dilations=[axis.dilation for axis in window],
                channels_last=True,
            )

        is_max = kind is MaxPoolOp
        return self.add(make(element_of(x) if is_max else self._signed_result(make)))

    def pad(self, x: SSAValue, low: Sequence[int], high: Sequence[int]) -> SSAValue:
        """Padding with a random number, into the type that holds it."""
        element = element_of(x)
        value = random_levels(self.rng, element, ())
        if self.rng.random() < 0.3:
            least, greatest = value_range(element)
            value = np.array(self.rng.integers(min(least, 0) - 3, greatest + 4))
            element = integer_type_for(
                min(least, int(value)), max(greatest, int(value))
            )
        shape = [a + n + b for a, n, b in zip(low, shape_of(x), high, strict=True)]
        fill = self.constant(value, element)
        return self.add(PadOp(x, fill, TensorType(element, shape), low=low, high=high))

    def cut(self, x: SSAValue, *axes: int) -> SSAValue:
        """A random slice along some axes."""
        shape = shape_of(x)
        offsets, steps, counts = [0] * len(shape), [1] * len(shape), [*shape]
        for axis in axes:
            offsets[axis] = int(self.rng.integers(0, shape[axis]))
            steps[axis] = int(self.rng.integers(1, 4))
            most = (shape[axis] - 1 - offsets[axis]) // steps[axis] + 1
            counts[axis] = int(self.rng.integers(1, most + 1))
        out = TensorType(element_of(x), counts)
        return self.add(SliceOp(x, out, offsets=offsets, steps=steps))

    def concat(self, parts: Sequence[SSAValue], axis: int) -> SSAValue:
        """Maps one behind the other, in the type that holds all."""
        lows, highs = zip(*(value_range(element_of(p)) for p in parts), strict=True)
        elements = {element_of(part) for part in parts}
        element = integer_type_for(min(lows), max(highs))
        shape = [*shape_of(parts[0])]
        shape[axis] = sum(shape_of(part)[axis] for part in parts)
        out = TensorType(elements.pop() if len(elements) == 1 else element, shape)
        return self.add(ConcatOp(parts, out, axis=axis))

    def upsample(self, x: SSAValue, factors: Sequence[int]) -> SSAValue:
        """Every element repeated."""
        shape = [n * f for n, f in zip(shape_of(x), factors, strict=True)]
        return self.add(
            UpsampleOp(x, TensorType(element_of(x), shape), factors=factors)
        )

    def depth_to_space(self, x: SSAValue, block: int, order: BlockOrder) -> SSAValue:
        """Channels laid out as blocks."""
        frame, height, width, channels = shape_of(x)
        shape = (frame, height * block, width * block, channels // block**2)
        out = TensorType(element_of(x), shape)
        return self.add(
            DepthToSpaceOp(x, out, block=block, order=order, channels_last=True)
        )

    def reshape(self, x: SSAValue, *shape: int) -> SSAValue:
        """The same elements in another shape."""
        return self.add(ReshapeOp(x, TensorType(element_of(x), shape)))

    def flatten(self, x: SSAValue) -> SSAValue:
        """All elements as one vector."""
        return self.reshape(x, 1, int(np.prod(shape_of(x))))

    def levels(self, x: SSAValue, element: Attribute) -> SSAValue:
        """An activation, by channel most often: a table now and then, or thresholds."""
        low, high = bounds(x)
        axis = len(shape_of(x)) - 1
        if self.rng.random() < 0.15:
            axis = int(self.rng.integers(1, axis + 1))
        if high - low < 200 and self.rng.random() < 0.2:
            return self.lookup(x, element, axis=axis)
        return self.threshold(x, element, axis=axis)

    def per_channel(self, x: SSAValue, element: Attribute) -> SSAValue:
        """A random constant for each channel."""
        return self.constant(
            random_levels(self.rng, element, shape_of(x)[-1:]), element
        )

    def _signed_result(self, make: Callable[[Attribute], Operation]) -> Attribute:
        probe = make(signed(64))
        low, high = exact_bounds(probe.results[0])
        probe.erase()
        return integer_type_for(min(low, -1), high)


def pads_of(window: Window) -> list[int]:
    """Paddings before each axis, then behind each."""
    return [*(axis.before for axis in window), *(axis.after for axis in window)]


def random_window(
    rng: np.random.Generator,
    extents: Sequence[int],
    *,
    stretches: bool = False,
    has_empty: bool = True,
) -> Window:
    """A window that fits a map of these extents.

    Args:
        rng: draws it.
        extents: of the map.
        stretches: whether it may stretch the map.
        has_empty: whether one may stand on padding alone.
    """
    while True:
        rank = len(extents)
        kernel = rng.integers(1, 4, rank)
        pads = np.where(
            rng.random(2 * rank) < 0.5, 0, rng.integers(0, np.tile(kernel, 2) + 1)
        )
        stretch = rng.integers(1, 4, rank) if stretches and rng.random() < 0.3 else ()
        window = make_window(
            [int(n) for n in kernel],
            [int(n) for n in rng.integers(1, 4, rank)],
            [int(n) for n in pads],
            [int(n) for n in rng.integers(1, 3, rank)],
            [int(n) for n in stretch],
        )
        if all(
            axis.windows(n) > 0 and (has_empty or axis.masks(n).any(axis=1).all())
            for axis, n in zip(window, extents, strict=True)
        ):
            return window


def random_map_core(seed: int, *, layers: int = 4) -> ModuleOp:
    """A core of layers on maps, whose kinds, sizes and types come from a seed."""
    builder = MapCore(seed)
    rng = builder.rng

    def drawn(elements: Sequence[Attribute] = SMALL) -> Attribute:
        return elements[int(rng.integers(len(elements)))]

    rank = 2 if rng.random() < 0.75 else 1
    extents = [int(n) for n in rng.integers(1, 8, rank)]
    channels = int(rng.integers(1, 7))
    x = builder.argument(drawn(), 1, *extents, channels)
    results: list[SSAValue] = []
    for _ in range(layers):
        x = _random_layer(builder, x, drawn)
        low, high = bounds(x)
        if rng.random() < 0.2:
            results.append(x)
        if high - low > 64 or rng.random() < 0.3:
            x = builder.levels(x, drawn())
    if rng.random() < 0.5:
        x = builder.flatten(x)
        if rng.random() < 0.3:
            x = builder.levels(x, drawn())
        x = builder.linear(x, 3, drawn(ELEMENTS))
    return builder.module(*results, x)


def _random_layer(
    builder: MapCore, x: SSAValue, drawn: Callable[[], Attribute]
) -> SSAValue:
    rng = builder.rng
    shape = shape_of(x)
    extents, channels = shape[1:-1], shape[-1]
    spatial = int(rng.integers(1, len(shape) - 1))
    match int(rng.integers(12)):
        case 0 | 1 | 2:
            window = random_window(rng, extents, stretches=True)
            groups = int(rng.choice([g for g in (1, 1, 2, 3, 6) if channels % g == 0]))
            rows = groups * int(rng.integers(1, 4))
            return builder.conv(x, rows, drawn(), window, groups=groups)
        case 3:
            window = random_window(rng, extents, stretches=True)
            return builder.conv(x, channels, drawn(), window, groups=channels)
        case 4 | 5:
            window = random_window(rng, extents, has_empty=False)
            return builder.pool((MaxPoolOp, SumPoolOp)[rng.integers(2)], x, window)
        case 6:
            amounts = rng.integers(0, 3, (2, len(shape)))
            amounts[:, 0] = 0
            return builder.pad(x, *([int(n) for n in row] for row in amounts))
        case 7:
            return builder.cut(x, spatial, len(shape) - 1)
        case 8:
            factors = [1, *(int(n) for n in rng.integers(1, 3, len(shape) - 1))]
            return builder.upsample(x, factors)
        case 9 if len(shape) == 4 and channels % 4 == 0:
            order = list(BlockOrder)[rng.integers(2)]
            return builder.depth_to_space(x, 2, order)
        case 9 | 10:
            other = builder.cut(x, spatial)
            return builder.concat([x, other, x], spatial)
        case _:
            return _random_arithmetic(builder, x, drawn)


def _random_arithmetic(
    builder: MapCore, x: SSAValue, drawn: Callable[[], Attribute]
) -> SSAValue:
    """A residual sum, or a product, with constants for each channel or for all."""
    rng = builder.rng
    kinds = (AddOp, SubOp, MulOp)
    shape = shape_of(x)
    window = (Axis(1),) * (len(shape) - 2)
    branch = builder.levels(builder.conv(x, shape[-1], drawn(), window), drawn())
    factor = builder.constant(int(rng.integers(-3, 4)), signed(3))
    left = builder.binary(MulOp, x, factor)
    right = builder.binary(
        kinds[rng.integers(3)], branch, builder.per_channel(x, signed(3))
    )
    total = builder.binary(kinds[rng.integers(3)], left, right)
    number = builder.add(constant(np.array(rng.integers(-4, 5)), signed(4)))
    return builder.binary(kinds[rng.integers(2)], total, number)
