"""The windows of a map, one after another, as vectors."""

from __future__ import annotations

from contextlib import ExitStack

from lowering.c.plan import Buffer
from lowering.c.scalars import CType
from lowering.c.step import StepFunction, flat_index, row_major
from lowering.c.window_vector import WindowVector
from qdialect.windows import Axis


def gather(
    step: StepFunction,
    vector: WindowVector,
    map: str,
    ctype: CType,
    scratch: Buffer | None,
    position: list[str],
) -> str:
    """Write what makes a vector of a window; the pointer to it.

    Args:
        step: the function.
        vector: what the windows are.
        map: pointer to the map.
        ctype: type of its elements.
        scratch: memory for a vector; None where every window stands in the map.
        position: index of the window along each axis of the result but the last.
    """
    places = position[1:]
    distances = [vector.pixel * stride for stride in row_major(vector.extents)]
    if scratch is None:
        strides = [
            axis.stride * distance
            for axis, distance in zip(vector.window, distances, strict=True)
        ]
        at = flat_index(places, strides)
        if at == "0u":
            return map
        step.text(f"const {ctype.name} *const x = {map} + {at};")
        return "x"
    window = step.output(scratch, "window")
    whole_rows = vector.rows_are_runs
    run = vector.run * (vector.window[-1].kernel if whole_rows else 1)
    kernels = [axis.kernel for axis in vector.window]
    if whole_rows:
        kernels[-1] = 1
    with ExitStack() as loops:
        taps: list[str] = []
        elements: list[str] = []
        conditions: list[str] = []
        for k, axis in enumerate(vector.window):
            taps.append("0u")
            if kernels[k] > 1:
                taps[k] = f"t{k}"
                loops.enter_context(step.loop(taps[k], kernels[k]))
            where = _place(step, axis, vector.extents[k], places[k], taps[k], k)
            elements.append(where[0])
            conditions += where[1]
        at = flat_index(taps, [run * stride for stride in row_major(kernels)])
        step.text(f"{ctype.name} *const to = {_offset(window, at)};")
        source = f"const {ctype.name} *const from = "
        source += f"{_offset(map, flat_index(elements, distances))};"
        if not conditions:
            step.text(source)
            _copy(step, vector, run, "from[{}]")
            return window
        with step.text.block(f"if ({' && '.join(conditions)}) {{"):
            step.text(source)
            _copy(step, vector, run, "from[{}]")
        with step.text.block("} else {", "}"):
            _copy(step, vector, run, "0")
    return window


def _offset(pointer: str, at: str) -> str:
    return pointer if at == "0u" else f"{pointer} + {at}"


def _place(
    step: StepFunction, axis: Axis, extent: int, at: str, tap: str, k: int
) -> tuple[str, list[str]]:
    """Index of the element under a tap, and what must hold for there to be one."""
    place = flat_index((at, tap), (axis.stride, axis.dilation))
    if axis.stretch == 1 and axis.masks(extent).all():
        return f"({place})" if " + " in place else place, []
    # Before the first element the difference wraps to a number behind the last one.
    text = f"{place} - {axis.before}u" if axis.before else place
    step.text(f"const uint32_t p{k} = {text};")
    conditions = [f"p{k} < {axis.stretched(extent)}u"]
    if axis.stretch == 1:
        return f"p{k}", conditions
    conditions.append(f"p{k} % {axis.stretch}u == 0u")
    return f"(p{k} / {axis.stretch}u)", conditions


def _copy(step: StepFunction, vector: WindowVector, run: int, source: str) -> None:
    """Copy the planes of a pixel, or of a row of them; `source` has a hole for `n`."""
    with ExitStack() as loops:
        plane = "0u"
        if vector.planes > 1:
            plane = "p"
            loops.enter_context(step.loop("p", vector.planes))
        n = "0u"
        if run > 1:
            n = "n"
            loops.enter_context(step.loop("n", run))
        to = flat_index((plane, n), (vector.taps * vector.run, 1))
        from_ = flat_index((plane, n), (vector.run, 1))
        step.text(f"to[{to}] = {source.format(from_)};")
