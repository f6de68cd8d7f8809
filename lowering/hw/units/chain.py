"""Two units as one, one behind the other."""

from __future__ import annotations

from lowering.hw.builder import Signal
from lowering.hw.stream import BuiltUnit, StreamBuilder


def chained(
    m: StreamBuilder, first: tuple[str, BuiltUnit], second: tuple[str, BuiltUnit]
) -> BuiltUnit:
    """The unit that `m` begins, in which the stream goes through both of these.

    Args:
        m: begins the unit, with one input stream.
        first: name of the instance, and what it is.
        second: likewise.
    """
    (front_name, front), (back_name, back) = first, second
    between = m.wire(f"{back_name}_ready", 1)
    given = m.instance(front_name, front.top, _ports(m, m.in_data, m.in_valid, between))
    outputs = m.instance(
        back_name,
        back.top,
        _ports(m, given["out_data"], given["out_valid"], m.out_ready),
    )
    between.drive(outputs["in_ready"])
    module = m.finish_stream(
        given["in_ready"], outputs["out_data"], outputs["out_valid"]
    )
    return BuiltUnit(
        [*front.modules, *back.modules, module], [*front.images, *back.images]
    )


def _ports(
    m: StreamBuilder, data: Signal, valid: Signal, ready: Signal
) -> dict[str, Signal]:
    return {"rst": m.rst, "in_data": data, "in_valid": valid, "out_ready": ready}
