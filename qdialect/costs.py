"""LUTs and block RAMs that a unit takes, estimated from its shape and folding.

The figures are those of a 6-input-LUT device (Xilinx 7 series), fitted to what Yosys
makes of our units; they serve to choose between foldings, and as a first idea of a
network's size.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
from xdsl.ir import Operation

from qdialect import qflow
from qdialect.constants import constant_array
from qdialect.data import Array
from qdialect.map_costs import map_cost
from qdialect.memory_costs import (
    LUT_DEPTH_WORDS,
    Cost,
    fits_luts,
    ram_cost,
    rom_cost,
)
from qdialect.pipelines import Store, sliding_store, stages_of
from qdialect.raster import Raster
from qdialect.streams import StreamType, stream_type
from qdialect.types import (
    element_of,
    integer_type_for,
    shape_of,
    value_range,
    width_bits,
)

_LUTS_PER_BIT_PRODUCT = 1.5
_LUTS_PER_GATED_PRODUCT = 2.0
_CONTROL_LUTS = 20.0
_STORE_LUTS = 50.0


@dataclass(frozen=True)
class MvuCosts:
    """The cost of one matrix-vector unit at every folding.

    Attributes:
        columns: inputs per output.
        rows: outputs.
        input_bits: bits of an input.
        sum_bits: bits of an accumulator.
        steps: thresholds of a row, 0 where there are none.
        product_luts: LUTs of a product with its share of the adder tree.
        weight_bits: stored bits of a weight.
        groups: vectors of a pixel.
        places: sets of biases.
    """

    columns: int
    rows: int
    input_bits: int
    sum_bits: int
    steps: int
    product_luts: float
    weight_bits: int
    groups: int
    places: int

    @staticmethod
    def of(op: qflow.MvuOp) -> MvuCosts:
        """The costs of `op`, by the values that its weights take."""
        input_bits = stream_type(op.input).element_bits
        weights = constant_array(op.weights)
        if weights is None or not weights.size:
            weights = np.array(value_range(element_of(op.weights)))
        product_luts, weight_bits = product_cost(input_bits, weights)
        return MvuCosts(
            columns=stream_type(op.input).elements,
            rows=stream_type(op.out).elements,
            input_bits=input_bits,
            sum_bits=width_bits(op.accumulator),
            steps=0 if op.thresholds is None else shape_of(op.thresholds)[1],
            product_luts=product_luts,
            weight_bits=weight_bits,
            groups=op.group_count,
            places=_place_count(op),
        )

    def at(self, pe: int, simd: int) -> Cost:
        """The cost of the unit with PE rows and SIMD columns at once."""
        synapse_fold, neuron_fold = -(-self.columns // simd), -(-self.rows // pe)
        cost = Cost(_CONTROL_LUTS + pe * (simd * self.product_luts + self.sum_bits))
        word_bits = pe * simd * self.weight_bits
        beats = self.groups * neuron_fold
        cost += rom_cost(synapse_fold * beats, word_bits, counted=True)
        if neuron_fold > 1:
            cost += ram_cost(synapse_fold, simd * self.input_bits)
        cost += _places_cost(self.places, beats, pe * self.sum_bits)
        if self.steps == 0:
            return cost
        return cost + _activation_cost(self.steps, self.sum_bits, pe, beats)


def _vvu_cost(op: qflow.VvuOp) -> Cost:
    """An element for each lane, and the line buffer in front of them."""
    source = stream_type(op.input)
    weights = constant_array(op.weights)
    if weights is None:
        weights = np.array(value_range(element_of(op.weights)))
    product_luts, weight_bits = product_cost(source.element_bits, weights)
    taps, sum_bits = shape_of(op.weights)[1], width_bits(op.accumulator)
    lanes, beats = source.lanes, source.beats
    store = sliding_store(op.window, source, taps)
    cost = Cost(2 * _CONTROL_LUTS + lanes * (product_luts + sum_bits))
    cost += ram_cost(store.capacity * store.in_beats, source.beat_bits)
    cost += rom_cost(taps * beats, lanes * weight_bits, counted=True)
    cost += _places_cost(_place_count(op), beats, lanes * sum_bits)
    if op.thresholds is None:
        return cost
    steps = shape_of(op.thresholds)[1]
    return cost + _activation_cost(steps, sum_bits, lanes, beats)


def _place_count(op: qflow.MvuOp | qflow.VvuOp) -> int:
    return 1 if op.bias is None else prod(shape_of(op.bias)[:2])


def _places_cost(places: int, beats: int, word_bits: int) -> Cost:
    """Where sums start at each place of a map, and the counters of its pixels."""
    if places == 1:
        return Cost()
    return Cost(1.5 * _CONTROL_LUTS) + rom_cost(
        places * beats, word_bits, counted=False
    )


def product_cost(input_bits: int, weights: Array) -> tuple[float, int]:
    """LUTs of a product with its share of the adder tree, and bits of a weight."""
    low, high = int(weights.min()), int(weights.max())
    if low == -1 and high <= 1:
        zeros = bool((weights == 0).any())
        each = _LUTS_PER_GATED_PRODUCT if zeros else _LUTS_PER_BIT_PRODUCT
        return input_bits * each, 2 if zeros else 1
    bits = width_bits(integer_type_for(low, high))
    return input_bits * bits * _LUTS_PER_BIT_PRODUCT, bits


def _activation_cost(steps: int, value_bits: int, lanes: int, beats: int) -> Cost:
    """A binary search among `steps` thresholds a channel, `beats` channels a lane."""
    comparisons = steps.bit_length()
    compare = Cost(lanes * comparisons * value_bits * 0.5)
    words = sum(
        (
            rom_cost(beats << k, lanes * value_bits, counted=k == 0)
            for k in range(comparisons)
        ),
        Cost(),
    )
    return compare + words


def lanes_cost(op: Operation, lanes: int) -> Cost:
    """A unit other than an MVU with `lanes` input lanes.

    Raises:
        TypeError: `op` is no such unit.
    """
    match op:
        case qflow.ThresholdOp():
            beats = -(-stream_type(op.input).elements // lanes)
            steps = shape_of(op.thresholds)[1]
            bits = stream_type(op.input).element_bits
            return _activation_cost(steps, bits, lanes, beats)
        case qflow.LookupOp():
            beats = -(-stream_type(op.input).elements // lanes)
            rows = shape_of(op.table)[1]
            bits = lanes * stream_type(op.out).element_bits
            return rom_cost(beats * rows, bits, counted=False)
        case qflow.TopKOp():
            index_bits = stream_type(op.out).element_bits
            element = stream_type(op.input).element_bits + index_bits
            return Cost(1.5 * element * lanes * stream_type(op.out).elements)
        case _:
            return map_cost(op, lanes)


def dwc_cost(source: StreamType, lanes: int) -> Cost:
    """A converter of `source` to `lanes` lanes; nothing where it has them already."""
    if source.lanes == lanes:
        return Cost()
    wide, narrow = max(source.lanes, lanes), min(source.lanes, lanes)
    bits = source.element_bits
    if wide % narrow == 0:
        return Cost(_CONTROL_LUTS / 2 + bits * wide * (1.0 if lanes == narrow else 0.2))
    # A gearbox: every element can come from, or go to, several places.
    shift_levels = (wide // narrow).bit_length() + 1
    return Cost(_CONTROL_LUTS + bits * (wide + narrow) * 0.5 * (1 + shift_levels))


def fifo_cost(stream: StreamType, depth: int) -> Cost:
    """A FIFO of `depth` beats."""
    if depth <= 2:
        return Cost(4 + stream.beat_bits * float(depth - 1))
    return Cost(_CONTROL_LUTS / 2) + ram_cost(depth, stream.beat_bits)


def store_cost(store: Store, word_bits: int) -> Cost:
    """A memory of pixels, with the counters of what is written and read.

    Args:
        store: its size.
        word_bits: width of a beat.
    """
    words = store.capacity * store.in_beats
    cost = Cost(_STORE_LUTS) + ram_cost(words, word_bits)
    if fits_luts(words, word_bits):
        # Deep memories in LUTs are several, of which one is chosen.
        cost += Cost(word_bits * float((words - 1) // LUT_DEPTH_WORDS))
    return cost


def _raster_cost(op: qflow.SwuOp) -> Cost:
    """Row memories in front of whole windows, whose padding is masked."""
    source, window = stream_type(op.input), op.window
    raster = Raster(window, tuple(source.tensor.get_shape()[1:-1]))
    axes = ((raster.rows, raster.height), (raster.columns, raster.width))
    whole = prod(int(axis.masks(n).all(axis=0).sum()) for axis, n in axes)
    masked = raster.rows.kernel * raster.columns.kernel - whole
    cost = Cost(_CONTROL_LUTS + masked * source.beat_bits)
    above = (raster.rows.kernel - 1) * source.beat_bits
    if above == 0:
        return cost
    return cost + ram_cost(raster.rows.dilation * raster.width, above)


def unit_cost(op: Operation) -> Cost:
    """The cost of a unit as it is folded now."""
    match op:
        case qflow.MvuOp():
            return MvuCosts.of(op).at(op.pe, op.simd)
        case qflow.VvuOp():
            return _vvu_cost(op)
        case qflow.SwuOp() if op.is_parallel:
            return _raster_cost(op)
        case qflow.SwuOp() | qflow.UpsampleOp() | qflow.DepthToSpaceOp():
            (store,) = stages_of(op)
            assert isinstance(store, Store)
            return store_cost(store, stream_type(op.input).beat_bits)
        case qflow.DwcOp():
            return dwc_cost(stream_type(op.input), stream_type(op.out).lanes)
        case qflow.FifoOp():
            return fifo_cost(stream_type(op.input), op.depth.value.data)
        case qflow.ForkOp():
            return Cost(2.0 * len(op.outs))
        case qflow.ReshapeOp():
            return Cost()
        case _:
            return lanes_cost(op, stream_type(op.operands[0]).lanes)
