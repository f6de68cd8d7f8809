"""Loops over the taps of sliding windows: those that stand on elements."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from lowering.c.step import StepFunction, flat_index
from qdialect.windows import Axis


@dataclass(frozen=True)
class Taps:
    """The taps of one window along an axis that stand on elements.

    Attributes:
        axis: the window.
        at: index of the window, an expression.
        first: the first of them, a number or the name of a variable.
        end: the first behind them, likewise.
    """

    axis: Axis
    at: str
    first: str
    end: str

    def element(self, tap: str) -> str:
        """Index of the element under a tap."""
        strides = (self.axis.stride, self.axis.dilation)
        place = flat_index((self.at, tap), strides)
        if self.axis.before:
            return f"({place} - {self.axis.before}u)"
        return f"({place})" if " " in place else place


def taps_of(step: StepFunction, axis: Axis, extent: int, at: str, name: str) -> Taps:
    """The taps of a window; their ends are variables where windows differ in them.

    Args:
        step: the function.
        axis: not stretched, and no window stands on padding alone.
        extent: of the input.
        at: index of the window.
        name: begins the names of the variables.
    """
    masks = axis.masks(extent)
    firsts = masks.argmax(axis=1)
    ends = firsts + masks.sum(axis=1)
    start = flat_index((at,), (axis.stride,))
    # Both are quotients that are rounded up.
    up = axis.dilation - 1
    first, end = f"{firsts[0]}u", f"{ends[0]}u"
    if (firsts != firsts[0]).any():
        first = f"{name}_first"
        distance = _quotient(f"{axis.before + up}u - {start}", axis.dilation)
        inside = f"{start} < {axis.before}u"
        step.text(f"const uint32_t {first} = {inside} ? {distance} : 0u;")
    if (ends != ends[0]).any():
        rest, end = f"{name}_rest", f"{name}_end"
        behind = extent + axis.before + up
        distance = _quotient(f"{behind}u - {start}", axis.dilation)
        step.text(f"const uint32_t {rest} = {distance};")
        kernel = f"{axis.kernel}u"
        step.text(f"const uint32_t {end} = {rest} < {kernel} ? {rest} : {kernel};")
    return Taps(axis, at, first, end)


def _quotient(text: str, divisor: int) -> str:
    return text if divisor == 1 else f"({text}) / {divisor}u"


@contextmanager
def tap_loops(step: StepFunction, taps: Sequence[Taps]) -> Generator[list[str]]:
    """A loop over the taps along each axis; the index of the element along each."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(_tap_loop(step, along, f"t{axis}"))
            for axis, along in enumerate(taps)
        ]


@contextmanager
def _tap_loop(step: StepFunction, taps: Taps, name: str) -> Generator[str]:
    if taps.end == "1u":
        yield taps.element("0u")
        return
    head = f"for (uint32_t {name} = {taps.first}; {name} < {taps.end}; ++{name}) {{"
    with step.text.block(head, "}"):
        yield taps.element(name)
