"""Adding unit: the weighted sum of several streams, element by element."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from xdsl.ir import Attribute

from lowering.hw.builder import Signal, all_of, pack
from lowering.hw.memories import rom
from lowering.hw.stream import BuiltUnit, PipelineBuilder, counter
from lowering.hw.units.adder_tree import Term, number_bits
from lowering.hw.units.element_number import (
    difference,
    fitted,
    number,
    product,
    total,
)
from qdialect.map_timing import (
    ADDER_LEVELS_A_STAGE,
    by_beats,
    signed_powers,
    sum_stages,
)
from qdialect.types import width_bits

Ints = npt.NDArray[np.int64]

# Factors that are sums of more powers of two are left to a multiplier.
_MAX_POWERS = 5


def take_together(m: PipelineBuilder) -> tuple[Signal, list[Signal]]:
    """Whether every operand offers a beat, and when each is to be taken with the others.

    An operand's ready does not depend on its own valid.
    """
    valids = [operand.valid for operand in m.operands]
    readies = [
        all_of(m.advance, *(v for i, v in enumerate(valids) if i != own))
        for own in range(len(valids))
    ]
    return all_of(*valids).named("available"), readies


class _Signed(NamedTuple):
    """A number that is added, or subtracted where it is `negative`."""

    term: Term
    negative: bool


@dataclass(frozen=True, eq=False)
class Add:
    """Adds up vectors of several streams, a beat of each a cycle.

        out[c] = sum over i of in_i[c] * factors[i, c] + bias[c]

    Constants that are the same for every beat of a lane stand in the logic, as sums of
    powers of two, which are shifts; the others are read from a memory.

    Attributes:
        input_types: element types of the operands.
        output_type: element type of the result.
        factors: [I, C].
        bias: [C].
        lanes: elements a beat, at most C.
    """

    input_types: tuple[Attribute, ...]
    output_type: Attribute
    factors: Ints
    bias: Ints
    lanes: int

    @cached_property
    def _constants(self) -> Ints:
        """Factors and bias, [I + 1, beats, lanes]."""
        rows = np.concatenate([self.factors, self.bias[None]])
        return by_beats(rows, self.lanes)

    @cached_property
    def _stages(self) -> tuple[bool, bool, int]:
        return sum_stages(self.factors, self.bias, self.lanes)

    @property
    def _sum_bits(self) -> int:
        return width_bits(self.output_type)

    def build(self, name: str) -> BuiltUnit:
        """The unit as module `name`."""
        widths = [width_bits(element) for element in self.input_types]
        ports = [self.lanes * width for width in widths]
        m = PipelineBuilder(
            name,
            ports[0],
            f"Adds up {len(widths)} streams of {len(self.bias)} channels, "
            f"{self.lanes} a cycle.",
            others=ports[1:],
        )
        reads, multiplies, cuts = self._stages
        available, readies = take_together(m)
        read = self._read(m, m.advance & available)
        columns = [
            operand.data.lanes(width)
            for operand, width in zip(m.operands, widths, strict=True)
        ]
        if reads:
            columns = [
                [m.stage(x, f"in{i}_{lane}") for lane, x in enumerate(column)]
                for i, column in enumerate(columns)
            ]
        results: list[Signal] = []
        for lane in range(self.lanes):
            numbers = [
                number(column[lane], element)
                for column, element in zip(columns, self.input_types, strict=True)
            ]
            terms = [
                self._product(m, x, i, lane, read.get((i, lane)))
                for i, x in enumerate(numbers)
            ]
            terms += self._bias(m, lane, read)
            if multiplies:
                terms = [_staged(m, t, f"product{lane}") for t in terms]
            sum_ = self._tree(m, terms, cuts, f"sum{lane}")
            results.append(fitted(sum_, self._sum_bits))
        for stage in range(reads + multiplies + cuts):
            available = m.flag_stage(available, f"valid{stage}")
        out_data = m.stage(pack(results), "out_data")
        module = m.finish_pipeline(readies[0], out_data, available, *readies[1:])
        return BuiltUnit([module], m.images)

    def _read(self, m: PipelineBuilder, step: Signal) -> dict[tuple[int, int], Term]:
        """The constants from memory, by row and lane; they belong to the beat before."""
        rows, beats, _ = self._constants.shape
        varying: dict[tuple[int, int], list[int]] = {}
        for row in range(rows):
            for lane in range(self.lanes):
                values: list[int] = self._constants[row, :, lane].tolist()
                if len(set(values)) > 1:
                    varying[row, lane] = values
        if not varying:
            return {}
        ranges = {key: (min(v), max(v)) for key, v in varying.items()}
        words = [0] * beats
        low_bit = 0
        for key, values in varying.items():
            width = number_bits(*ranges[key])
            for beat, value in enumerate(values):
                words[beat] |= (value & ((1 << width) - 1)) << low_bit
            low_bit += width
        beat_counter = counter(m, "beat", beats, step)
        word = m.stage(
            rom(m, "constants", words, low_bit, beat_counter.value), "constant"
        )
        read: dict[tuple[int, int], Term] = {}
        low_bit = 0
        for key, (low, high) in ranges.items():
            width = number_bits(low, high)
            read[key] = Term(word.bits(low_bit, width), low, high)
            low_bit += width
        return read

    def _product(
        self, m: PipelineBuilder, x: Term, row: int, lane: int, read: Term | None
    ) -> _Signed:
        """An element times its factor."""
        if read is not None:
            return _Signed(product(x, read, self._sum_bits), False)
        factor = int(self._constants[row, 0, lane])
        if factor == 0:
            return _Signed(Term(x.signal & m.constant(0, x.signal.width), 0, 0), False)
        if len(powers := signed_powers(factor)) <= _MAX_POWERS:
            parts = [_Signed(x.shifted(k), negative) for k, negative in powers]
            return self._added(parts, f"scaled{row}_{lane}")
        return _Signed(product(x, _constant(m, factor), self._sum_bits), False)

    def _bias(
        self, m: PipelineBuilder, lane: int, read: dict[tuple[int, int], Term]
    ) -> list[_Signed]:
        row = len(self.factors)
        if (row, lane) in read:
            return [_Signed(read[row, lane], False)]
        bias = int(self._constants[row, 0, lane])
        return [_Signed(_constant(m, bias), False)] if bias else []

    def _tree(
        self, m: PipelineBuilder, terms: Sequence[_Signed], cuts: int, name: str
    ) -> Term:
        """The sum, `cuts` registers behind the terms."""
        row = list(terms)
        level = 0
        while len(row) > 1 or level < cuts * ADDER_LEVELS_A_STAGE:
            level += 1
            pairs = zip(row[::2], row[1::2], strict=False)
            sums = [
                self._add(a, b, f"{name}_{level}_{i}") for i, (a, b) in enumerate(pairs)
            ]
            row = [*sums, *row[2 * len(sums) :]]
            if (
                level % ADDER_LEVELS_A_STAGE == 0
                and level // ADDER_LEVELS_A_STAGE <= cuts
            ):
                row = [_staged(m, term, f"{name}_{level}") for term in row]
        if row[0].negative:
            zero = Term(m.constant(0, 1), 0, 0)
            return difference(zero, row[0].term, f"{name}_negated", self._sum_bits)
        return row[0].term

    def _added(self, terms: Sequence[_Signed], name: str) -> _Signed:
        """The sum of a few terms, between two registers."""
        if len(terms) == 1:
            return terms[0]
        half = len(terms) // 2
        parts = (terms[:half], terms[half:])
        left, right = (self._added(part, f"{name}_{i}") for i, part in enumerate(parts))
        return self._add(left, right, name)

    def _add(self, left: _Signed, right: _Signed, name: str) -> _Signed:
        bits = self._sum_bits
        if left.negative == right.negative:
            return _Signed(total(left.term, right.term, name, bits), left.negative)
        if left.negative:
            left, right = right, left
        return _Signed(difference(left.term, right.term, name, bits), False)


def _constant(m: PipelineBuilder, value: int) -> Term:
    return Term(m.constant(value, number_bits(value, value)), value, value)


def _staged(m: PipelineBuilder, signed: _Signed, name: str) -> _Signed:
    if signed.term.signal.constant_value is not None:
        return signed
    return _Signed(signed.term.registered(m.advance, name), signed.negative)
