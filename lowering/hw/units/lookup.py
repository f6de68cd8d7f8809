"""Lookup unit: a table of levels for each channel, on a stream."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from xdsl.ir import Attribute

from lowering.hw.builder import Signal, mux, pack
from lowering.hw.memories import address_bits, rom
from lowering.hw.stream import BuiltUnit, PipelineBuilder, counter
from qdialect.types import BipolarType, is_signed, width_bits

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Lookup:
    """Replaces the elements of vectors by entries of tables, a beat a cycle.

        out[c] = table[c, in[c] - low]

    Attributes:
        input_type: element type of the inputs.
        output_type: element type of the results.
        table: [C, R]; the C channels are the elements of a vector.
        low: the input that stands for entry 0.
        lanes: elements a beat, at most C.
    """

    input_type: Attribute
    output_type: Attribute
    table: Ints
    low: int
    lanes: int

    def __post_init__(self) -> None:
        if not 1 <= self.lanes <= self.table.shape[0]:
            raise ValueError(
                f"lookup unit of {self.table.shape[0]} channels: lanes must be in "
                f"[1, {self.table.shape[0]}], got {self.lanes}"
            )

    @property
    def cycles_per_vector(self) -> int:
        """Cycles between two vectors when the unit is never starved or blocked."""
        return -(-self.table.shape[0] // self.lanes)

    @property
    def latency_cycles(self) -> int:
        """Cycles from taking a beat to giving its result: address, then entry."""
        return 2

    def build(self, name: str) -> BuiltUnit:
        """The unit as module `name`; the names of all its parts start with it."""
        width = width_bits(self.input_type)
        m = PipelineBuilder(
            name,
            self.lanes * width,
            f"Lookup unit: {self.table.shape[0]} channels, {self.lanes} a cycle, "
            f"tables of {self.table.shape[1]} entries.",
        )
        # Channels with one and the same table share a ROM without the row's address.
        rows = (
            1 if bool((self.table == self.table[0]).all()) else self.cycles_per_vector
        )
        bits = address_bits(rows * self.table.shape[1])
        base = self._base(m, rows, bits)
        signed = is_signed(self.input_type)
        entries: list[Signal] = []
        for lane, value in enumerate(m.in_data.lanes(width)):
            address = value.resize(bits, signed=signed) + base
            address = m.stage(address, f"address{lane}")
            out_bits = width_bits(self.output_type)
            entry = rom(m, f"table{lane}", self._words(rows, lane), out_bits, address)
            entries.append(m.stage(entry, f"entry{lane}"))
        arriving = m.flag_stage(m.in_valid, "valid")
        module = m.finish_pipeline(m.advance, pack(entries), arriving)
        return BuiltUnit([module], m.images)

    def _base(self, m: PipelineBuilder, rows: int, bits: int) -> Signal:
        """What to add to an input to get its address: the row's first minus `low`."""
        if rows == 1:
            return m.constant(-self.low, bits)
        step = m.advance & m.in_valid
        row = counter(m, "row", rows, step)
        start = -self.low % (1 << bits)
        base = m.register("base", bits, enable=step, reset=(m.rst, start))
        following = base + m.constant(self.table.shape[1], bits)
        base.set_next(mux(row.last, m.constant(start, bits), following))
        return base

    def _words(self, rows: int, lane: int) -> list[int]:
        """The ROM of a lane: the tables of its channels, one after another."""
        mask = (1 << width_bits(self.output_type)) - 1
        channels = [row * self.lanes + lane for row in range(rows)]
        if channels[-1] >= self.table.shape[0]:
            channels[-1] -= self.lanes
        table: list[list[int]] = self.table[channels].tolist()
        if isinstance(self.output_type, BipolarType):
            return [int(entry > 0) for entries in table for entry in entries]
        return [entry & mask for entries in table for entry in entries]
