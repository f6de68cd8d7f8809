"""LUTs and block RAMs that a unit takes, estimated from its shape and folding.

The figures are those of a 6-input-LUT device (Xilinx 7 series), fitted to what Yosys
makes of our units; they serve to choose between foldings, and as a first idea of a
network's size.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.ir import Operation

from qdialect import qflow
from qdialect.constants import constant_array
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


def memory_cost(depth_words: int, word_bits: int) -> Cost:
    """A memory of `depth_words` words; one word is a constant and costs nothing."""
    if depth_words <= 1 or word_bits == 0:
        return Cost()
    bits = depth_words * word_bits
    if depth_words <= _LUT_DEPTH_WORDS or bits <= _MIN_BLOCK_BITS:
        return Cost(word_bits * float(-(-depth_words // _LUT_DEPTH_WORDS)))
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
        op: the unit; its present folding does not matter.
        product_luts: LUTs of a product with its share of the adder tree.
        weight_bits: stored bits of a weight.
    """

    op: qflow.MvuOp
    product_luts: float
    weight_bits: int

    @staticmethod
    def of(op: qflow.MvuOp) -> MvuCosts:
        """The costs of `op`, by the values that its weights take."""
        input_bits = stream_type(op.input).element_bits
        weights = constant_array(op.weights)
        low, high = value_range(element_of(op.weights))
        if weights is not None and weights.size:
            low, high = int(weights.min()), int(weights.max())
        if low == -1 and high <= 1:
            zeros = weights is None or bool((weights == 0).any())
            each = _LUTS_PER_GATED_PRODUCT if zeros else _LUTS_PER_BIT_PRODUCT
            return MvuCosts(op, input_bits * each, 2 if zeros else 1)
        bits = width_bits(integer_type_for(low, high))
        return MvuCosts(op, input_bits * bits * _LUTS_PER_BIT_PRODUCT, bits)

    def at(self, pe: int, simd: int) -> Cost:
        """The cost of the unit with PE rows and SIMD columns at once."""
        columns = stream_type(self.op.input).elements
        rows = stream_type(self.op.out).elements
        synapse_fold, neuron_fold = -(-columns // simd), -(-rows // pe)
        sum_bits = width_bits(self.op.accumulator)
        cost = Cost(_CONTROL_LUTS + pe * (simd * self.product_luts + sum_bits))
        cost += memory_cost(synapse_fold * neuron_fold, pe * simd * self.weight_bits)
        if neuron_fold > 1:
            input_bits = stream_type(self.op.input).element_bits
            cost += memory_cost(synapse_fold, simd * input_bits)
        if self.op.thresholds is None:
            return cost
        steps = shape_of(self.op.thresholds)[1]
        return cost + _activation_cost(steps, sum_bits, pe, neuron_fold)


def _activation_cost(steps: int, value_bits: int, lanes: int, beats: int) -> Cost:
    """A binary search among `steps` thresholds a channel, `beats` channels a lane."""
    comparisons = steps.bit_length()
    compare = Cost(lanes * comparisons * value_bits * 0.5)
    words = sum(
        (memory_cost(beats << k, lanes * value_bits) for k in range(comparisons)),
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
            return memory_cost(beats * rows, bits)
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
    return Cost(_CONTROL_LUTS / 2) + memory_cost(depth, stream.beat_bits)


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
