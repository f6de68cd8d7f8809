"""Vector-vector unit: the products of a depthwise convolution, a row a channel."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from xdsl.ir import Attribute

from lowering.hw.stream import BuiltUnit, PipelineBuilder, StreamBuilder, counter
from lowering.hw.units.activation import Activation
from lowering.hw.units.chain import chained
from lowering.hw.units.channel_order import ChannelOrder
from lowering.hw.units.places import ONE_PLACE, Places
from lowering.hw.units.row_sums import RowSums
from lowering.hw.units.sum_pipeline import Slices, Stage, SumPipeline
from lowering.hw.units.swu import Swu
from qdialect.types import width_bits

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class TapProducts:
    """Adds up a tap a cycle for each of `lanes` channels.

        acc[c] = sum over t of input[t, c] * weights[c, t] + bias[place, c]
        out[c] = acc[c], or the activation of it

    Of each pixel come ceil(C / lanes) times T beats: all taps of the first channels, then
    those of the next ones. It gives a beat for every T.

    Attributes:
        weights: [C, T]; stored as their values allow, see `encoding`.
        input_type: element type of the inputs.
        lanes: channels at once, at most C.
        accumulator_type: holds every sum; the output's element type where there is no
            activation.
        activation: what follows the sums, or None.
        bias: [VY, VX, C], one row for each place, or None.
        places: the place of each pixel.
    """

    weights: Ints
    input_type: Attribute
    lanes: int
    accumulator_type: Attribute
    activation: Activation | None = None
    bias: Ints | None = None
    places: Places = ONE_PLACE

    @cached_property
    def _pipeline(self) -> SumPipeline:
        channels = len(self.weights)
        order = ChannelOrder(channels, self.lanes)
        bias = np.zeros((1, channels), np.int64)
        if self.bias is not None:
            bias = self.bias.reshape(self.places.count, channels)
        sums = RowSums.of(
            self.input_type,
            self.weights,
            bias,
            self.accumulator_type,
            self.activation,
            order,
        )
        return SumPipeline(sums, order, 1, self.places)

    def build(self, name: str) -> BuiltUnit:
        """The unit as module `name`; the names of all its parts start with it."""
        channels, taps = self.weights.shape
        bits = width_bits(self.input_type)
        m = PipelineBuilder(
            name,
            self.lanes * bits,
            f"Products of {channels} channels with {taps} weights each, "
            f"{self.lanes} channels at once, a tap a cycle.",
        )
        tap = counter(m, "tap", taps, m.advance & m.in_valid)
        dot = self._pipeline.sums.dot
        top = 1 << (bits - 1) if dot.flips_input_top_bit else 0
        turned = sum(top << (lane * bits) for lane in range(self.lanes))
        values = m.in_data ^ m.constant(turned, m.in_data.width) if top else m.in_data
        slices = m.stage(values, "activations").lanes(bits)
        fetching = Stage(m.in_valid, tap.last)
        return self._pipeline.write(m, Slices(slices, fetching, m.advance))


@dataclass(frozen=True, eq=False)
class Vvu:
    """A depthwise convolution: see `qflow.vvu`.

    Attributes:
        windows: gives the taps of each window in the order of `TapProducts`.
        products: of the taps.
    """

    windows: Swu
    products: TapProducts

    def build(self, name: str) -> BuiltUnit:
        """The unit as module `name`; the names of all its parts start with it."""
        products = self.products
        channels, taps = products.weights.shape
        m = StreamBuilder(
            name,
            products.lanes * width_bits(products.input_type),
            f"Vector-vector unit: windows of {taps} taps of {channels} channels, "
            f"{products.lanes} at once.",
        )
        return chained(
            m,
            ("windows", self.windows.build(f"{name}_windows")),
            ("products", products.build(f"{name}_products")),
        )
