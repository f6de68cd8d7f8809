"""The processing element of a matrix-vector unit: one row at a time."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.dialects.hw import HWModuleOp

from lowering.hw.builder import ModuleBuilder, Signal, concat, mux
from lowering.hw.units.adder_tree import Term, add, subtract
from lowering.hw.units.encoding import DotProduct, Plane
from lowering.hw.units.multiplier import MultiplierTree
from lowering.hw.units.popcount import Popcount
from lowering.hw.units.shifter import ShiftTree
from qdialect.pipelines import MAX_UNREGISTERED_POPCOUNTS
from qdialect.products import Product


@dataclass(frozen=True, eq=False)
class ProcessingElement:
    """A module that accumulates the dot product of a row with an input vector.

        sum = start + 2^shift * (raw sum over all beats of the vector)

    modulo 2^sum_bits; see `encoding` for the raw sum.

    Attributes:
        dot: coding of inputs and weights.
        lanes: columns a beat (SIMD).
        beats: beats of an input vector (SF).
        sum_bits: width of the accumulator.
        shift: a raw sum of 1 is 2^shift in the accumulator.
    """

    dot: DotProduct
    lanes: int
    beats: int
    sum_bits: int
    shift: int

    @property
    def _popcount(self) -> Popcount:
        return Popcount(self.lanes, self.dot.product)

    @property
    def _numbers(self) -> MultiplierTree | ShiftTree:
        """The products of numbers."""
        if self.dot.product is Product.SHIFT:
            return ShiftTree(self.lanes, self.dot.input_bits, self.dot.exponents)
        return MultiplierTree(
            self.lanes,
            self.dot.input_bits,
            self.dot.weight_bits,
            self.dot.weights_signed,
        )

    @property
    def _registers_total(self) -> bool:
        return len(self.dot.planes) > MAX_UNREGISTERED_POPCOUNTS

    @property
    def latency_cycles(self) -> int:
        """Clock edges from activations and weights to the number that is added."""
        if self.dot.product.takes_numbers:
            return self._numbers.latency_cycles
        return self._popcount.latency_cycles + self._registers_total

    def build(self, name: str) -> list[HWModuleOp]:
        """The modules, the element itself last.

        Its inputs are `activations` and `weights`, enabled by `advance`; `latency_cycles`
        later `accumulate` adds their product and `restart` begins a sum at `start`.
        """
        m = ModuleBuilder(
            name,
            "Processing element: multiplies a slice of a row with a slice of the input\n"
            "and accumulates. `restart` marks the first slice of a row.",
        )
        advance = m.input("advance", 1)
        accumulate = m.input("accumulate", 1)
        restart = m.input("restart", 1) if self.beats > 1 else None
        activations = m.input("activations", self.lanes * self.dot.input_bits)
        weights = m.input("weights", self.lanes * self.dot.weight_bits)
        start = m.input("start", self.sum_bits)
        if self.dot.product.takes_numbers:
            part = self._numbers.build(f"{name}_products")
            total = self._product_total(m, part, advance, activations, weights)
        else:
            part = self._popcount.build(f"{name}_popcount")
            total = self._count_total(m, part, advance, activations, weights)
        addend = total.shifted(self.shift).extended(self.sum_bits)
        accumulator = m.register("accumulator", self.sum_bits, enable=accumulate)
        base = start if restart is None else mux(restart, start, accumulator)
        accumulator.set_next(addend + base)
        m.output("sum", accumulator)
        return [part, m.finish()]

    def _product_total(
        self,
        m: ModuleBuilder,
        part: HWModuleOp,
        advance: Signal,
        activations: Signal,
        weights: Signal,
    ) -> Term:
        ports = {"advance": advance, "activations": activations, "weights": weights}
        total = m.instance("products", part, ports)["total"]
        return Term(total, *self._numbers.total_range)

    def _count_total(
        self,
        m: ModuleBuilder,
        part: HWModuleOp,
        advance: Signal,
        activations: Signal,
        weights: Signal,
    ) -> Term:
        inputs = activations.lanes(self.lanes)
        stored = weights.lanes(self.lanes * self._popcount.weight_planes)
        planes = self.dot.planes
        counts: dict[Plane, Term] = {}
        for plane in planes:
            ports = {
                "advance": advance,
                "activations": inputs[plane.input_bit],
                "weights": stored[plane.weight_bit],
            }
            label = "popcount"
            if self.dot.input_bits > 1:
                label += f"_x{plane.input_bit}"
            if len(stored) > 1:
                label += f"_w{plane.weight_bit}"
            count = m.instance(label, part, ports)["count"]
            counts[plane] = Term(count, 0, self.lanes)
        total = _weighted_sum([(p, t) for p, t in counts.items() if not p.negative])
        negative = [(p, t) for p, t in counts.items() if p.negative]
        if negative:
            taken = _weighted_sum(negative)
            total = subtract(total, taken, "total")
        if self._registers_total:
            total = total.registered(advance, "total")
        return total


def _weighted_sum(counts: list[tuple[Plane, Term]]) -> Term:
    """The sum of counts times 2^shift, by a tree over neighbouring shifts."""
    row = sorted(((p.shift, t) for p, t in counts), key=lambda pair: pair[0])
    level = 0
    while len(row) > 1:
        level += 1
        pairs = zip(row[::2], row[1::2], strict=False)
        following = [
            (shift, _add_above(low, high, above - shift, f"weighted{level}_{i}"))
            for i, ((shift, low), (above, high)) in enumerate(pairs)
        ]
        row = following + row[len(row) // 2 * 2 :]
    shift, total = row[0]
    return total.shifted(shift)


def _add_above(low: Term, high: Term, distance: int, name: str) -> Term:
    """Low + high * 2^distance; the lowest bits need no adder."""
    if distance == 0:
        return add(low, high, name)
    greatest = low.high + (high.high << distance)
    width = low.signal.width
    if width <= distance:
        joined = concat(high.signal, low.signal.zero_extend(distance))
        return Term(joined, 0, greatest)
    upper = Term(low.signal.bits(distance, width - distance), 0, low.high >> distance)
    total = add(upper, high, name)
    return Term(concat(total.signal, low.signal.bits(0, distance)), 0, greatest)
