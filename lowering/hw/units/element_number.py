"""The numbers that the bits of a stream's elements stand for."""

from __future__ import annotations

from xdsl.ir import Attribute

from lowering.hw.builder import Signal, concat, pack
from lowering.hw.circt_ops import WireOp
from lowering.hw.units.adder_tree import Term, number_bits
from qdialect.types import BipolarType, value_range, width_bits


def number(bits: Signal, element: Attribute) -> Term:
    """The number that an element's bits stand for."""
    low, high = value_range(element)
    if isinstance(element, BipolarType):
        # -1 is 11, +1 is 01.
        bits = concat(~bits, bits.builder.constant(1, 1))
    return Term(bits, low, high)


def widened(beat: Signal, source: Attribute, out: Attribute) -> Signal:
    """The elements of a beat, of type `source`, as the same numbers of type `out`."""
    if source == out:
        return beat
    lanes = beat.lanes(width_bits(source))
    return pack([number(lane, source).extended(width_bits(out)) for lane in lanes])


def fitted(term: Term, width_bits: int) -> Signal:
    """The number modulo 2^width_bits."""
    surplus = term.signal.width - width_bits
    if surplus > 0:
        m = term.signal.builder
        # Lint takes a signal of this name for one that is meant not to be read.
        wire = WireOp(term.signal.bits(width_bits, surplus).value)
        m.append(wire)
        m.name_property(wire, "unused")
    return term.extended(width_bits)


def total(left: Term, right: Term, name: str, most_bits: int) -> Term:
    """The sum modulo 2^most_bits, on a wire of its own; see `adder_tree.add`."""
    low, high = left.low + right.low, left.high + right.high
    width = min(number_bits(low, high), most_bits)
    result = fitted(left, width) + fitted(right, width)
    return Term(result.kept(name), low, high)


def difference(left: Term, right: Term, name: str, most_bits: int) -> Term:
    """The difference modulo 2^most_bits, on a wire of its own."""
    low, high = left.low - right.high, left.high - right.low
    width = min(number_bits(low, high), most_bits)
    result = fitted(left, width) - fitted(right, width)
    return Term(result.kept(name), low, high)


def product(left: Term, right: Term, most_bits: int) -> Term:
    """The product modulo 2^most_bits."""
    corners = [a * b for a in (left.low, left.high) for b in (right.low, right.high)]
    low, high = min(corners), max(corners)
    width = min(number_bits(low, high), most_bits)
    return Term(fitted(left, width) * fitted(right, width), low, high)
