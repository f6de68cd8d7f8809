"""FIFO: storage between two units, which cuts every path between their handshakes."""

from __future__ import annotations

from dataclasses import dataclass

from lowering.hw.builder import concat, mux
from lowering.hw.memories import Ram
from lowering.hw.stream import BuiltUnit, StreamBuilder, counter
from qdialect.pipelines import fifo_capacity, fifo_latency


@dataclass(frozen=True)
class Fifo:
    """Holds up to `capacity_beats` beats; takes and gives one a cycle.

    `in_ready` depends on registers only, so two registers are the least that can hold a
    full rate: a depth of 1 gets 2. Deeper FIFOs are a memory, in look-up tables or block
    RAM by size, behind an output register.

    Attributes:
        width_bits: width of a beat.
        depth_beats: beats that it must be able to hold, at least 1.
    """

    width_bits: int
    depth_beats: int

    def __post_init__(self) -> None:
        if self.depth_beats < 1:
            raise ValueError(f"FIFO depth must be at least 1, got {self.depth_beats}")

    @property
    def capacity_beats(self) -> int:
        """Beats that it holds when full."""
        return fifo_capacity(self.depth_beats)

    @property
    def latency_cycles(self) -> int:
        """Cycles from taking a beat to giving it, when the FIFO was empty."""
        return fifo_latency(self.depth_beats)

    def build(self, name: str) -> BuiltUnit:
        """The unit as module `name`."""
        m = StreamBuilder(
            name,
            self.width_bits,
            f"FIFO of {self.capacity_beats} beats.",
        )
        if self.capacity_beats == 2:
            return _two_registers(m)
        return _memory(m, self.capacity_beats)


def _two_registers(m: StreamBuilder) -> BuiltUnit:
    """A register for the output and one for the beat that comes while it is blocked."""
    reset = (m.rst, 0)
    out_valid = m.register("out_valid", 1, reset=reset)
    spare_valid = m.register("spare_valid", 1, reset=reset)
    in_ready = ~spare_valid
    free = (~out_valid | m.out_ready).named("free")
    spare = m.registered(m.in_data, "spare", enable=in_ready)
    out_data = m.registered(mux(spare_valid, spare, m.in_data), "out_data", enable=free)
    out_valid.set_next(spare_valid | m.in_valid | ~free)
    # A beat goes to the spare register if the output is blocked, and stays as long.
    spare_valid.set_next((spare_valid | m.in_valid) & ~free)
    return BuiltUnit([m.finish_stream(in_ready, out_data, out_valid)], m.images)


def _memory(m: StreamBuilder, capacity_beats: int) -> BuiltUnit:
    """A ring of all but one of the beats, read into the output register."""
    depth = capacity_beats - 1
    reset = (m.rst, 0)
    count_bits = depth.bit_length()
    count = m.register("count", count_bits, reset=reset)
    out_valid = m.register("out_valid", 1, reset=reset)
    in_ready = (~count.equals(depth)).named("has_room")
    filled = (~count.equals(0)).named("filled")
    free = ~out_valid | m.out_ready
    write = (m.in_valid & in_ready).named("write")
    read = (filled & free).named("read")
    ring = Ram.create(m, "ring", depth, m.in_data.width)
    ring.write(write, counter(m, "write_address", depth, write).value, m.in_data)
    head = ring.read(counter(m, "read_address", depth, read).value)
    out_data = m.registered(head, "out_data", enable=read)
    out_valid.set_next(filled | ~free)
    # One adder: +1, 0 or -1.
    down = read & ~write
    change = concat(down.replicate(count_bits - 1), write ^ read)
    count.set_next(count + change)
    return BuiltUnit([m.finish_stream(in_ready, out_data, out_valid)], m.images)
