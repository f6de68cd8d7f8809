"""Finding the level of a value by a pipelined binary search over its thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from xdsl.dialects.hw import HWModuleOp

from lowering.hw.builder import ModuleBuilder, Signal, concat, pack
from lowering.hw.memories import address_bits, rom
from lowering.hw.stream import BuiltUnit
from lowering.hw.units.activation import Activation, SearchTables
from lowering.hw.units.channel_order import ChannelOrder
from qdialect.pipelines import MAX_DIRECT_WORDS


@dataclass(frozen=True)
class LevelSearch:
    """A module that turns a beat of biased values a cycle into levels.

    Each step of the search is one stage of a pipeline: it compares the value with the
    threshold that the levels' bits known so far select. The thresholds of a step stand
    in one ROM a lane, addressed by row group and those bits.

    Attributes:
        activation: what is computed.
        tables: its search tables.
        order: the channels of the values; a beat of them a cycle.
        known_steps: 1 where the top bit of the value is step 0 (`SearchTables.centred`).
    """

    activation: Activation
    tables: SearchTables
    order: ChannelOrder
    known_steps: int

    @property
    def rows(self) -> int:
        """Beats of a pixel, each with thresholds of its own."""
        return self.order.beats

    @property
    def _steps(self) -> range:
        return range(self.known_steps, self.tables.steps)

    def _reads_late(self, step: int) -> bool:
        """Whether the ROMs of a step may be so deep that a register must follow them."""
        return self.rows << step > MAX_DIRECT_WORDS

    @property
    def latency_cycles(self) -> int:
        """Clock edges from the values to their levels."""
        return sum(1 + self._reads_late(step) for step in self._steps)

    @property
    def is_sign_only(self) -> bool:
        """Whether every level is the top bit of its value."""
        return not self._steps and not any(s.falling for s in self.tables.searches)

    @property
    def value_bits(self) -> int:
        """Bits of a value that the search reads: without a step, the top one."""
        return self.tables.number_bits if self._steps else 1

    def build(self, name: str) -> BuiltUnit:
        """The modules, with inputs `advance`, `row`, `values` and output `levels`.

        `row` goes with `values` and has `address_bits(rows)` bits.
        """
        m = ModuleBuilder(name, "Finds the level of each value by binary search.")
        advance = m.input("advance", 1)
        row = m.input("row", address_bits(self.rows))
        values = m.input("values", self.order.lanes * self.value_bits)
        values = self._complemented(m, values, row)
        states: list[_State] = []
        for value in values.lanes(self.value_bits):
            known = value.bit(-1) if self.known_steps else None
            states.append(_State(value.zero_extend(self.tables.word_bits), known))
        modules: list[HWModuleOp] = []
        if self._steps:
            modules.append(self._comparator(f"{name}_compare"))
        for step in self._steps:
            states = self._search(m, step, modules[0], advance, row, states)
            if step != self._steps[-1]:
                for _ in range(1 + self._reads_late(step)):
                    row = m.registered(row, f"row{step + 1}", enable=advance)
        levels = [self.coded(state.known) for state in states if state.known]
        m.output("levels", pack(levels))
        return BuiltUnit([*modules, m.finish()], m.images)

    def _complemented(self, m: ModuleBuilder, values: Signal, row: Signal) -> Signal:
        """The values, complemented where their channel falls."""
        words = [
            sum(
                self.tables.searches[self.order.channel(r, lane)].falling << lane
                for lane in range(self.order.lanes)
            )
            for r in range(self.rows)
        ]
        if not any(words):
            return values
        falling = rom(m, "falling", words, self.order.lanes, row)
        mask = [bit.replicate(self.value_bits) for bit in falling.lanes(1)]
        return values ^ pack(mask)

    def _comparator(self, name: str) -> HWModuleOp:
        m = ModuleBuilder(name, "One step of the search; hands on the value.")
        advance = m.input("advance", 1)
        value = m.input("value", self.tables.word_bits)
        threshold = m.input("threshold", self.tables.word_bits)
        reached = value.compare("uge", threshold)
        m.output("reached", m.registered(reached, "reached", enable=advance))
        m.output("value_out", m.registered(value, "value", enable=advance))
        return m.finish()

    def _search(
        self,
        m: ModuleBuilder,
        step: int,
        comparator: HWModuleOp,
        advance: Signal,
        row: Signal,
        states: Sequence[_State],
    ) -> list[_State]:
        """The states of all lanes after one more step."""
        following: list[_State] = []
        for lane, (value, prefix) in enumerate(states):
            threshold = self._threshold(m, step, lane, row, prefix)
            if self._reads_late(step):
                label = f"step{step}_lane{lane}"
                threshold = m.registered(
                    threshold, f"threshold_{label}", enable=advance
                )
                value = m.registered(value, f"value_{label}", enable=advance)
                if prefix is not None:
                    prefix = m.registered(prefix, f"prefix_{label}", enable=advance)
            ports = {"advance": advance, "value": value, "threshold": threshold}
            outputs = m.instance(f"compare{step}_lane{lane}", comparator, ports)
            known = outputs["reached"]
            if prefix is not None:
                label = f"prefix{step + 1}_lane{lane}"
                known = concat(m.registered(prefix, label, enable=advance), known)
            following.append(_State(outputs["value_out"], known))
        return following

    def _threshold(
        self, m: ModuleBuilder, step: int, lane: int, row: Signal, prefix: Signal | None
    ) -> Signal:
        by_row = [
            self.tables.words(self.order.channel(r, lane), step)
            for r in range(self.rows)
        ]
        if prefix is None:
            words, address = [word for (word,) in by_row], row
        elif all(words == by_row[0] for words in by_row):
            words, address = by_row[0], prefix
        else:
            words = [word for row_words in by_row for word in row_words]
            address = concat(row, prefix)
        name = f"thresholds{step}_lane{lane}"
        return rom(m, name, words, self.tables.word_bits, address)

    def coded(self, level: Signal) -> Signal:
        """A level as an element of the output type."""
        width = self.activation.output_bits
        value = level.resize(width, signed=False)
        offset = self.activation.offset % (1 << width)
        if offset == 0:
            return value
        constant = value.builder.constant(offset, width)
        return value ^ constant if offset == 1 << (width - 1) else value + constant


class _State(NamedTuple):
    """A lane between two steps."""

    value: Signal
    known: Signal | None
    """The top bits of the level, as far as they are known."""
