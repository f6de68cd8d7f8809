"""LUTs and block RAMs that a unit takes, estimated from its shape and folding.

The figures are those of a 6-input-LUT device (Xilinx 7 series), fitted to what Yosys
makes of our units; they serve to choose between foldings, and as a first idea of a
network's size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from xdsl.ir import Operation

from qdialect import qflow
from qdialect.constants import constant_array
from qdialect.data import Array
from qdialect.streams import StreamType, stream_type
from qdialect.types import (
    element_of,
    integer_type_for,
    shape_of,
    value_range,
    width_bits,
)

LUTS_PER_BLOCK_RAM = 30
"""What a block RAM of 18 kbit counts for when foldings are compared: little, since the
weights are the same however they are folded, but not nothing."""

_LUT_DEPTH_WORDS = 64
_BLOCKS = ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1))
_MIN_BLOCK_BITS = 8192
# Yosys makes logic of a small ROM: close to 64 bits a LUT, unless the address is a
# counter, with which it mixes them.
_ROM_BITS_PER_LUT = 48
_COUNTED_ROM_BITS_PER_LUT = 15
_LUTS_PER_RAM_BIT = 4 / 3  # a RAM64M: 4 LUTs, 3 bits wide, 64 deep
_LUTS_PER_BIT_PRODUCT = 1.5
_LUTS_PER_GATED_PRODUCT = 2.0
_CONTROL_LUTS = 20.0


@dataclass(frozen=True)
class Cost:
    """An estimate.

    Attributes:
        luts: 6-input look-up tables, memories in LUTs included.
        block_rams: block RAMs of 18 kbit.
    """

    luts: float = 0.0
    block_rams: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.luts + other.luts, self.block_rams + other.block_rams)

    @property
    def weight(self) -> float:
        """One number to compare foldings by."""
        return self.luts + LUTS_PER_BLOCK_RAM * self.block_rams


def _fits_luts(depth_words: int, word_bits: int) -> bool:
    bits = depth_words * word_bits
    return depth_words <= _LUT_DEPTH_WORDS or bits <= _MIN_BLOCK_BITS


def rom_cost(depth_words: int, word_bits: int, *, counted: bool) -> Cost:
    """A memory of constants; one word costs nothing.

    Args:
        depth_words: words.
        word_bits: width of a word.
        counted: whether the words are read one after another.
    """
    if depth_words <= 1:
        return Cost()
    if not _fits_luts(depth_words, word_bits):
        return _block_cost(depth_words, word_bits)
    bits_per_lut = _COUNTED_ROM_BITS_PER_LUT if counted else _ROM_BITS_PER_LUT
    return Cost(word_bits * max(0.5, depth_words / bits_per_lut))


def ram_cost(depth_words: int, word_bits: int) -> Cost:
    """A memory that is written and read; one word is a register, no LUT."""
    if depth_words <= 1:
        return Cost()
    if not _fits_luts(depth_words, word_bits):
        return _block_cost(depth_words, word_bits)
    return Cost(word_bits * _LUTS_PER_RAM_BIT * -(-depth_words // _LUT_DEPTH_WORDS))


def _block_cost(depth_words: int, word_bits: int) -> Cost:
    return Cost(
        0.0,
        min(
            -(-depth_words // depth) * -(-word_bits // width)
            for depth, width in _BLOCKS
        ),
    )


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
    """

    columns: int
    rows: int
    input_bits: int
    sum_bits: int
    steps: int
    product_luts: float
    weight_bits: int

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
        )

    def at(self, pe: int, simd: int) -> Cost:
        """The cost of the unit with PE rows and SIMD columns at once."""
        synapse_fold, neuron_fold = -(-self.columns // simd), -(-self.rows // pe)
        cost = Cost(_CONTROL_LUTS + pe * (simd * self.product_luts + self.sum_bits))
        word_bits = pe * simd * self.weight_bits
        cost += rom_cost(synapse_fold * neuron_fold, word_bits, counted=True)
        if neuron_fold > 1:
            cost += ram_cost(synapse_fold, simd * self.input_bits)
        if self.steps == 0:
            return cost
        return cost + _activation_cost(self.steps, self.sum_bits, pe, neuron_fold)


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
            raise TypeError(f"{op.name} has no cost by lanes")


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


def unit_cost(op: Operation) -> Cost:
    """The cost of a unit as it is folded now."""
    match op:
        case qflow.MvuOp():
            return MvuCosts.of(op).at(op.pe, op.simd)
        case qflow.DwcOp():
            return dwc_cost(stream_type(op.input), stream_type(op.out).lanes)
        case qflow.FifoOp():
            return fifo_cost(stream_type(op.input), op.depth.value.data)
        case qflow.ForkOp():
            return Cost(2.0 * len(op.outs))
        case _:
            return lanes_cost(op, stream_type(op.operands[0]).lanes)
