"""The units of a function on streams, and the names that people call them by."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import FuncOp
from xdsl.ir import Operation

from qdialect.location import shortened, source_name
from qdialect.qflow import UNITS
from qdialect.streams import StreamType


def stream_functions(module: ModuleOp) -> list[FuncOp]:
    """The functions of `module` whose arguments are streams, in order."""
    return [
        op
        for op in module.body.block.ops
        if isinstance(op, FuncOp)
        and bool(inputs := op.function_type.inputs.data)
        and all(isinstance(type_, StreamType) for type_ in inputs)
    ]


def units(function: FuncOp) -> Iterator[Operation]:
    """The units of `function` in order."""
    return (op for op in function.body.block.ops if isinstance(op, tuple(UNITS)))


def unit_names(function: FuncOp) -> dict[Operation, str]:
    """A name for each unit of `function`, legal in SystemVerilog after a prefix.

    A unit is called after the node of the source model that it computes (`shortened`),
    with `_` for what is not a letter, digit or `_`; where the node is not known, or for
    the FIFOs, converters and forks between units, after its kind: `mvu_0`, `fifo_0`,
    `dwc_1`, counted by kind from 0. Units that only bring the elements of a node's
    computation into their places add their kind: `Conv_0_swu`. A name that is taken gets
    a number: `MatMul_0_2`.
    """
    counts: Counter[str] = Counter()
    sources = Counter(source_name(op) for op in units(function))
    taken: set[str] = set()
    names: dict[Operation, str] = {}
    for op in units(function):
        kind = op.name.removeprefix("qflow.")
        source = None if kind in _BETWEEN else source_name(op)
        name = _legal(shortened(source)) if source else ""
        if name and kind in _ARRANGING and sources[source] > 1:
            name = f"{name}_{kind}"
        if not name:
            name = f"{kind}_{counts[kind]}"
            counts[kind] += 1
        unique, number = name, 1
        while unique in taken:
            number += 1
            unique = f"{name}_{number}"
        taken.add(unique)
        names[op] = unique
    return names


_BETWEEN = ("fifo", "dwc", "fork")
_ARRANGING = ("swu", "pad", "slice", "upsample", "reshape")


def _legal(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")
