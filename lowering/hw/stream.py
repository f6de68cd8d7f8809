"""The module of a stream unit: its ports, and the control that all units share.

Every unit has `clk`, `rst` (synchronous, active high), an input stream `in_data`,
`in_valid`, `in_ready` and an output stream `out_data`, `out_valid`, `out_ready`. A beat
is taken at a clock edge where valid and ready are both 1. A valid beat stays as it is
until it is taken, and valid never waits for ready. Of a unit with several input streams
the ports are `in0_data` and so on; the ready of one may depend on the valid of another.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from xdsl.dialects.hw import HWModuleOp

from lowering.hw.builder import ModuleBuilder, Signal, mux
from lowering.hw.memories import address_bits
from qdialect.constants import WeightOp


class BuiltUnit(NamedTuple):
    """The modules of a unit and the memory images that they read.

    The last module is the unit itself; the others are instantiated by it.
    """

    modules: list[HWModuleOp]
    images: list[WeightOp]

    @property
    def top(self) -> HWModuleOp:
        """The module with the streams."""
        return self.modules[-1]


def stream_prefixes(kind: str, count: int) -> list[str]:
    """What the ports of each of `count` streams start with: `in`, or `in0`, `in1`, ...

    Args:
        kind: `in` or `out`.
        count: number of streams of that kind.
    """
    return [kind] if count == 1 else [f"{kind}{i}" for i in range(count)]


class Operand(NamedTuple):
    """An input stream of a unit."""

    data: Signal
    valid: Signal


class StreamBuilder(ModuleBuilder):
    """A `ModuleBuilder` that starts with the ports of a stream unit.

    Attributes:
        operands: the input streams.
        in_data: beat of the first one.
        in_valid: whether the first one offers a beat.
    """

    def __init__(
        self, name: str, in_bits: int, comment: str = "", *, others: Sequence[int] = ()
    ) -> None:
        super().__init__(name, comment)
        self.rst = self.input("rst", 1)
        widths = [in_bits, *others]
        self._prefixes = stream_prefixes("in", len(widths))
        self.operands = [
            Operand(
                self.input(f"{prefix}_data", bits), self.input(f"{prefix}_valid", 1)
            )
            for prefix, bits in zip(self._prefixes, widths, strict=True)
        ]
        self.in_data, self.in_valid = self.operands[0]
        self.out_ready = self.input("out_ready", 1)

    def finish_stream(
        self, in_ready: Signal, out_data: Signal, out_valid: Signal, *others: Signal
    ) -> HWModuleOp:
        """The module with the given outputs; `others` are ready for further operands."""
        for prefix, ready in zip(self._prefixes, (in_ready, *others), strict=True):
            self.output(f"{prefix}_ready", ready)
        self.output("out_data", out_data)
        self.output("out_valid", out_valid)
        return self.finish()


class PipelineBuilder(StreamBuilder):
    """A stream unit that stalls as a whole.

    Attributes:
        advance: 0 while an output beat waits to be taken; enables every register.
    """

    def __init__(
        self, name: str, in_bits: int, comment: str = "", *, others: Sequence[int] = ()
    ) -> None:
        super().__init__(name, in_bits, comment, others=others)
        self._out_valid = self.register("out_valid", 1, reset=(self.rst, 0))
        self.advance = (~self._out_valid | self.out_ready).named("advance")

    @property
    def out_valid(self) -> Signal:
        """Whether an output beat is offered."""
        return self._out_valid

    def stage(self, value: Signal, name: str) -> Signal:
        """`value` one stage later."""
        return self.registered(value, name, enable=self.advance)

    def flag_stage(self, value: Signal, name: str) -> Signal:
        """One bit, one stage later; 0 after reset."""
        return self.registered(value, name, enable=self.advance, reset=(self.rst, 0))

    def finish_pipeline(
        self, in_ready: Signal, out_data: Signal, arriving: Signal, *others: Signal
    ) -> HWModuleOp:
        """The module; `arriving` says that the next stage's `out_data` is a beat.

        `others` are ready for further operands.
        """
        # While the pipeline stands, the beat that is offered stays.
        self._out_valid.set_next(arriving | ~self.advance)
        return self.finish_stream(in_ready, out_data, self._out_valid, *others)


class Counter(NamedTuple):
    """A counter, and whether it stands at its last value."""

    value: Signal
    last: Signal


def counter(builder: StreamBuilder, name: str, count: int, enable: Signal) -> Counter:
    """Counts 0, 1, ... count - 1, 0, ... at clock edges where `enable` is 1.

    A counter to 1 has no register; its value is a constant 0 of one bit.
    """
    if count == 1:
        return Counter(builder.constant(0, 1), builder.constant(1, 1))
    width = address_bits(count)
    value = builder.register(name, width, enable=enable, reset=(builder.rst, 0))
    last = value.equals(count - 1).named(f"{name}_last")
    following = value + builder.constant(1, width)
    if count != 1 << width:
        following = mux(last, builder.constant(0, width), following)
    value.set_next(following)
    return Counter(value, last)


def between(place: Signal, low: int, high: int) -> Signal:
    """Whether `low` <= place <= `high`, of a counter that may be a constant."""
    constant = place.builder.constant
    if (known := place.constant_value) is not None:
        return constant(low <= known <= high, 1)
    if low == high:
        return place.equals(low)
    condition = constant(1, 1)
    if low > 0:
        condition = condition & place.compare("uge", low)
    if high < (1 << place.width) - 1:
        condition = condition & place.compare("ule", high)
    return condition
