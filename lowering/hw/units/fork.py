"""Fork: one stream to several."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.dialects.hw import HWModuleOp

from lowering.hw.builder import ModuleBuilder, all_of
from lowering.hw.stream import BuiltUnit


@dataclass(frozen=True)
class Fork:
    """Gives every beat to each of `outputs` streams, as soon as each takes it.

    The output ports are `out0_data`, `out0_valid`, `out0_ready`, `out1_data` and so on.

    Attributes:
        width_bits: width of a beat.
        outputs: number of output streams.
    """

    width_bits: int
    outputs: int

    def __post_init__(self) -> None:
        if self.outputs < 1:
            raise ValueError(f"fork: needs at least 1 output, got {self.outputs}")

    @property
    def latency_cycles(self) -> int:
        """Cycles from a beat being offered to its being offered further on: none."""
        return 0

    def build(self, name: str) -> BuiltUnit:
        """The unit as module `name`."""
        m = _ForkBuilder(name, self.width_bits, self.outputs)
        return BuiltUnit([m.write()], m.images)


class _ForkBuilder(ModuleBuilder):
    """A module with one input stream and several output streams."""

    def __init__(self, name: str, width_bits: int, outputs: int) -> None:
        super().__init__(name, f"Gives every beat to {outputs} streams.")
        self._rst = self.input("rst", 1)
        self._data = self.input("in_data", width_bits)
        self._valid = self.input("in_valid", 1)
        self._readies = [self.input(f"out{i}_ready", 1) for i in range(outputs)]

    def write(self) -> HWModuleOp:
        reset = (self._rst, 0)
        served = [
            self.register(f"served{i}", 1, reset=reset)
            for i in range(len(self._readies))
        ]
        # An output is done with the beat once it took it, now or before.
        done = [s | ready for s, ready in zip(served, self._readies, strict=True)]
        all_done = all_of(*done).named("all_done")
        waits = (self._valid & ~all_done).named("waits")
        for register, one in zip(served, done, strict=True):
            register.set_next(waits & one)
        self.output("in_ready", all_done)
        for i, register in enumerate(served):
            self.output(f"out{i}_data", self._data)
            self.output(f"out{i}_valid", self._valid & ~register)
        return self.finish()
