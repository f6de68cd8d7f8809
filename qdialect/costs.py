"""LUTs and block RAMs that a unit takes, estimated from its shape and folding.

The figures are those of a 6-input-LUT device (Xilinx 7 series), fitted to what Yosys
makes of our units; they serve to choose between foldings, and as a first idea of a
network's size.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import NamedTuple

import numpy as np
from xdsl.ir import Operation

from qdialect import qflow
from qdialect.constants import constant_array
from qdialect.map_costs import map_cost
from qdialect.memory_costs import (
    LUT_DEPTH_WORDS,
    Cost,
    fits_luts,
    ram_cost,
    rom_cost,
)
from qdialect.pipelines import Store, executed_steps, sliding_store, stages_of
from qdialect.products import product_form
from qdialect.raster import Raster
from qdialect.streams import StreamType, stream_type
from qdialect.types import (
    element_of,
    shape_of,
    value_range,
    width_bits,
)

_CONTROL_LUTS = 20.0
_STORE_LUTS = 50.0
_SKIP_LUTS = 30.0


class ZeroSkip(NamedTuple):
    """How a matrix-vector unit skips zeros.

    Attributes:
        together: lanes that come from the same slice.
        steps: slices that are made for a pixel.
    """

    together: int
    steps: int


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
        dsps: multipliers of a product.
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
    dsps: int
    groups: int
    places: int

    @staticmethod
    def of(op: qflow.MvuOp) -> MvuCosts:
        """The costs of `op`, by the values that its weights take."""
        input_bits = stream_type(op.input).element_bits
        weights = constant_array(op.weights)
        if weights is None or not weights.size:
            weights = np.array(value_range(element_of(op.weights)))
        form = product_form(input_bits, weights)
        return MvuCosts(
            columns=stream_type(op.input).elements,
            rows=stream_type(op.out).elements,
            input_bits=input_bits,
            sum_bits=width_bits(op.accumulator),
            steps=0 if op.thresholds is None else shape_of(op.thresholds)[1],
            product_luts=form.luts,
            weight_bits=form.weight_bits,
            dsps=form.dsps,
            groups=op.group_count,
            places=_place_count(op),
        )

    def at(self, pe: int, simd: int, skip: ZeroSkip | None = None) -> Cost:
        """The cost of the unit with PE rows and SIMD columns at once.

        Args:
            pe: PE.
            simd: SIMD.
            skip: how zeros are skipped, if they are.
        """
        synapse_fold, neuron_fold = -(-self.columns // simd), -(-self.rows // pe)
        luts = _CONTROL_LUTS + pe * (simd * self.product_luts + self.sum_bits)
        cost = Cost(luts, dsps=pe * simd * self.dsps)
        word_bits = pe * simd * self.weight_bits
        beats = self.groups * neuron_fold
        if skip is not None:
            cost += rom_cost(skip.steps, word_bits, counted=True)
            cost += _skip_cost(skip, self.groups * synapse_fold, simd, self.input_bits)
        else:
            cost += rom_cost(synapse_fold * beats, word_bits, counted=True)
            if neuron_fold > 1:
                cost += ram_cost(synapse_fold, simd * self.input_bits)
        cost += _places_cost(self.places, beats, pe * self.sum_bits)
        if self.steps == 0:
            return cost
        return cost + _activation_cost(self.steps, self.sum_bits, pe, beats)


def _skip_cost(skip: ZeroSkip, in_beats: int, simd: int, input_bits: int) -> Cost:
    """Two pixels in memories, and another one of what to read."""
    place_bits = (in_beats - 1).bit_length()
    words, whole = (1 << place_bits) + in_beats, simd // skip.together
    share = _narrow_ram_cost(words, skip.together * input_bits)
    rest = _narrow_ram_cost(words, simd % skip.together * input_bits)
    memory = Cost(whole * share.luts, whole * share.block_rams) + rest
    shares = -(-simd // skip.together)
    reads = rom_cost(skip.steps, shares * place_bits + 1, counted=True)
    return Cost(_SKIP_LUTS) + memory + reads


def _narrow_ram_cost(depth_words: int, word_bits: int) -> Cost:
    """A memory that is written and read, of few bits: a RAM64M has three of them."""
    if not fits_luts(depth_words, word_bits):
        return ram_cost(depth_words, word_bits)
    luts = min(2 * word_bits, 4 * -(-word_bits // 3))
    return Cost(luts * float(-(-depth_words // LUT_DEPTH_WORDS)))


def _vvu_cost(op: qflow.VvuOp) -> Cost:
    """An element for each lane, and the line buffer in front of them."""
    source = stream_type(op.input)
    weights = constant_array(op.weights)
    if weights is None:
        weights = np.array(value_range(element_of(op.weights)))
    form = product_form(source.element_bits, weights)
    taps, sum_bits = shape_of(op.weights)[1], width_bits(op.accumulator)
    lanes, beats = source.lanes, source.beats
    store = sliding_store(op.window, source, taps)
    luts = 2 * _CONTROL_LUTS + lanes * (form.luts + sum_bits)
    cost = Cost(luts, dsps=lanes * form.dsps)
    cost += ram_cost(store.capacity * store.in_beats, source.beat_bits)
    cost += rom_cost(taps * beats, lanes * form.weight_bits, counted=True)
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
            thresholds = constant_array(op.thresholds)
            if thresholds is not None and bool((thresholds == thresholds[:1]).all()):
                beats = 1  # channels that are alike share a memory
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
            skip = None
            if op.skips_zeros:
                skip = ZeroSkip(op.skip_lanes, sum(executed_steps(op)))
            return MvuCosts.of(op).at(op.pe, op.simd, skip)
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
