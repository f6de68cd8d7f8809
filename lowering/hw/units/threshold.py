"""Threshold unit: a multi-threshold activation on a stream."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from xdsl.ir import Attribute

from lowering.hw.builder import pack
from lowering.hw.stream import BuiltUnit, PipelineBuilder, counter
from lowering.hw.units.activation import Activation, SearchTables
from lowering.hw.units.channel_order import ChannelOrder
from lowering.hw.units.level_search import LevelSearch
from qdialect.types import BipolarType, is_signed, unsigned, width_bits


@dataclass(frozen=True, eq=False)
class Threshold:
    """Turns the elements of vectors into levels, a beat a cycle.

        out[c] = activation of in[c], with the thresholds of channel c

    Attributes:
        input_type: element type of the inputs.
        activation: what is computed; its C channels are the elements of a vector.
        lanes: elements a beat, at most C.
    """

    input_type: Attribute
    activation: Activation
    lanes: int

    def __post_init__(self) -> None:
        if not 1 <= self.lanes <= self.elements:
            raise ValueError(
                f"threshold unit of {self.elements} channels: lanes must be in "
                f"[1, {self.elements}], got {self.lanes}"
            )

    @property
    def elements(self) -> int:
        """Elements of a vector."""
        return self.activation.thresholds.shape[0]

    @property
    def cycles_per_vector(self) -> int:
        """Cycles between two vectors when the unit is never starved or blocked."""
        return -(-self.elements // self.lanes)

    @property
    def latency_cycles(self) -> int:
        """Cycles from taking a beat to giving its result."""
        return self._search.latency_cycles

    @cached_property
    def _search(self) -> LevelSearch:
        activation, value_type = self.activation, self.input_type
        if isinstance(value_type, BipolarType):
            # On the bit: 2 * bit - 1 >= t exactly where bit >= ceil((t + 1) / 2).
            halved = -((-activation.thresholds - 1) // 2)
            activation = replace(activation, thresholds=halved)
            value_type = unsigned(1)
        tables = SearchTables.plain(activation, value_type)
        order = ChannelOrder(self.elements, self.lanes)
        return LevelSearch(activation, tables, order, known_steps=0)

    def build(self, name: str) -> BuiltUnit:
        """The unit as module `name`; the names of all its parts start with it."""
        search = self._search
        width = width_bits(self.input_type)
        m = PipelineBuilder(
            name,
            self.lanes * width,
            f"Threshold unit: {self.elements} channels, {self.lanes} a cycle, "
            f"{self.activation.thresholds.shape[1]} thresholds each.",
        )
        values = m.in_data.lanes(width)
        if is_signed(self.input_type):
            sign = m.constant(1 << (width - 1), width)
            values = [value ^ sign for value in values]
        step = m.advance & m.in_valid
        row = counter(m, "row", self.cycles_per_vector, step)
        part = search.build(f"{name}_search")
        ports = {"advance": m.advance, "row": row.value, "values": pack(values)}
        levels = m.instance("search", part.top, ports)["levels"]
        arriving = m.in_valid
        for i in range(search.latency_cycles - 1):
            arriving = m.flag_stage(arriving, f"valid{i}")
        module = m.finish_pipeline(m.advance, levels, arriving)
        return BuiltUnit([*part.modules, module], [*m.images, *part.images])
