"""`qnn.topk`: the k greatest elements along an axis, and where they stand."""

from __future__ import annotations

from lowering.c.plan import Buffer, Selection
from lowering.c.scalars import CType
from lowering.c.step import StepFunction, flat_index, row_major
from qdialect.types import shape_of


def selection(step: StepFunction, plan: Selection) -> None:
    """Write a selection: a sorted list of k that each element may enter.

    An element goes behind those that are as great, so that of equal ones the first
    comes first.
    """
    op = plan.source
    shape = shape_of(op.input)
    axis = op.axis.value.data
    k = shape_of(op.indices)[axis]
    names = [
        (step.output(buffer, name), buffer)
        for name, buffer in (("values", plan.values), ("indices", plan.indices))
        if buffer is not None
    ]
    input, ctype = _input(step, plan)
    text = step.text
    others = [1 if a == axis else extent for a, extent in enumerate(shape)]
    with step.loops(others) as position:
        position[axis] = "j"
        with step.text.block("{", "}"):
            text(f"{ctype.name} best[{k}];")
            text(f"uint32_t place[{k}];")
            text("uint32_t held = 0;")
            with step.loop("j", shape[axis]):
                at = flat_index(position, row_major(shape))
                text(f"const {ctype.name} v = {input}[{at}];")
                _enter(step, "<" if op.smallest is not None else ">", k)
            out_shape = list(shape)
            out_shape[axis] = k
            with step.loop("j", k):
                at = flat_index(position, row_major(out_shape))
                for name, buffer in names:
                    text(f"{name}[{at}] = {_result(name, buffer, ctype)};")


def _input(step: StepFunction, plan: Selection) -> tuple[str, CType]:
    value = plan.source.input
    name = step.pointer(value, f"constant {value.type}")
    place = step.source.plan.place(value)
    ctype = place.ctype if isinstance(place, Buffer) else step.source.tables.ctype(name)
    return name, ctype


def _enter(step: StepFunction, sign: str, k: int) -> None:
    """Move those behind element `j` down, and put it in."""
    text = step.text
    text(f"uint32_t p = held < {k}u ? held++ : {k}u;")
    with text.block(f"while (p > 0u && v {sign} best[p - 1u]) {{", "}"):
        with text.block(f"if (p < {k}u) {{", "}"):
            text("best[p] = best[p - 1u];")
            text("place[p] = place[p - 1u];")
        text("--p;")
    with text.block(f"if (p < {k}u) {{", "}"):
        text("best[p] = v;")
        text("place[p] = j;")


def _result(name: str, buffer: Buffer, ctype: CType) -> str:
    if name == "values":
        return "best[j]" if buffer.ctype == ctype else f"({buffer.ctype.name})best[j]"
    return f"({buffer.ctype.name})place[j]"
