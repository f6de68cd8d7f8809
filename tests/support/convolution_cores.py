"""Integer cores of convolutions, drawn at random, for agreement tests."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st
from integer_cores import ELEMENTS, CoreBuilder, random_levels
from xdsl.dialects.builtin import TensorType
from xdsl.ir import Attribute, SSAValue

from qdialect.convolution import ConvOp
from qdialect.pooling import MaxPoolOp
from qdialect.ranges import exact_bounds
from qdialect.shaping import ReshapeOp
from qdialect.types import element_of, integer_type_for, shape_of, signed
from qdialect.windows import make_window


@dataclass(frozen=True)
class ConvShape:
    """A convolution by its numbers; sequences are one an axis.

    Attributes:
        extents: of the input.
        depth: channels of a group.
        multiplier: rows of a group.
        groups: number of groups.
        kernel: taps.
        strides: distances of windows.
        dilations: distances of taps.
        stretch: distances of elements.
        pads: before each axis, then behind each.
    """

    extents: tuple[int, ...]
    depth: int
    multiplier: int
    groups: int
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    stretch: tuple[int, ...]
    pads: tuple[int, ...]

    @property
    def input(self) -> tuple[int, ...]:
        """Shape of the input."""
        return (1, *self.extents, self.depth * self.groups)


@st.composite
def conv_shapes(
    draw: st.DrawFn, *, max_groups: int = 4, max_depth: int = 5
) -> ConvShape:
    """Legal ones, small; windows may stand on padding alone."""
    rank = draw(st.integers(1, 2))

    def numbers(low: int, high: int) -> tuple[int, ...]:
        return tuple(draw(st.integers(low, high)) for _ in range(rank))

    kernel, dilations, strides = numbers(1, 4), numbers(1, 3), numbers(1, 3)
    stretch = draw(st.sampled_from([(1,) * rank, (1,) * rank, numbers(1, 3)]))
    before, behind = ((0,) * rank,) * 2
    if draw(st.booleans()):
        before, behind = numbers(0, 4), numbers(0, 4)
    least = [
        -(-max(0, (k - 1) * d - a - b) // s) + 1
        for k, d, a, b, s in zip(
            kernel, dilations, before, behind, stretch, strict=True
        )
    ]
    return ConvShape(
        extents=tuple(draw(st.integers(n, n + 4)) for n in least),
        depth=draw(st.integers(1, max_depth)),
        multiplier=draw(st.integers(1, 7)),
        groups=draw(st.integers(1, max_groups)),
        kernel=kernel,
        strides=strides,
        dilations=dilations,
        stretch=stretch,
        pads=(*before, *behind),
    )


class MapBuilder(CoreBuilder):
    """Builds one function `@core` on maps with channels last."""

    def random_conv(self, shape: ConvShape, x: Attribute, w: Attribute) -> SSAValue:
        """A convolution of an argument."""
        return self.shaped_conv(self.argument(x, *shape.input), shape, w)

    def shaped_conv(self, x: SSAValue, shape: ConvShape, w: Attribute) -> SSAValue:
        """A convolution of a map of the shape's input."""
        return self.conv(
            x,
            shape.multiplier * shape.groups,
            w,
            shape.kernel,
            strides=shape.strides,
            pads=shape.pads,
            dilations=shape.dilations,
            stretch=shape.stretch,
            groups=shape.groups,
        )

    def conv(
        self,
        x: SSAValue,
        rows: int,
        w: Attribute,
        kernel: tuple[int, ...],
        *,
        strides: tuple[int, ...] = (),
        pads: tuple[int, ...] = (),
        dilations: tuple[int, ...] = (),
        stretch: tuple[int, ...] = (),
        groups: int = 1,
    ) -> SSAValue:
        """A convolution with random weights, into an accumulator that just holds it."""
        ones = (1,) * len(kernel)
        strides, dilations = strides or ones, dilations or ones
        pads = pads or (0,) * (2 * len(kernel))
        window = make_window(kernel, strides, pads, dilations, stretch)
        shape = shape_of(x)
        counts = [axis.windows(n) for axis, n in zip(window, shape[1:-1], strict=True)]
        size = (rows, *kernel, shape[-1] // groups)
        weights = self.weight(random_levels(self.rng, w, size), w)

        def made(element: Attribute) -> ConvOp:
            return ConvOp(
                x,
                weights,
                TensorType(element, (1, *counts, rows)),
                strides=strides,
                pads=pads,
                dilations=dilations,
                stretch=stretch,
                groups=groups,
                channels_last=True,
            )

        probe = made(signed(64))
        low, high = exact_bounds(probe.out)
        probe.erase()
        return self.add(made(integer_type_for(min(low, -1), high)))

    def max_pool(
        self, x: SSAValue, kernel: tuple[int, ...], pads: tuple[int, ...] = ()
    ) -> SSAValue:
        """A pool with a stride of its kernel."""
        pads = pads or (0,) * (2 * len(kernel))
        window = make_window(kernel, kernel, pads, (1,) * len(kernel))
        shape = shape_of(x)
        counts = [axis.windows(n) for axis, n in zip(window, shape[1:-1], strict=True)]
        return self.add(
            MaxPoolOp(
                x,
                TensorType(element_of(x), (1, *counts, shape[-1])),
                kernel=kernel,
                strides=kernel,
                pads=pads,
                dilations=(1,) * len(kernel),
                channels_last=True,
            )
        )

    def flat(self, x: SSAValue) -> SSAValue:
        """All elements as one vector."""
        count = int(np.prod(shape_of(x)))
        return self.add(ReshapeOp(x, TensorType(element_of(x), (1, count))))


def drawn_element(rng: np.random.Generator) -> Attribute:
    """Any element type, narrow ones more often."""
    narrow = ELEMENTS[:5] if rng.random() < 0.5 else ELEMENTS
    return narrow[rng.integers(len(narrow))]
