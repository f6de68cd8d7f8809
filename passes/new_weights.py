"""Constants that take the place of others, stored as those were."""

from __future__ import annotations

from xdsl.ir import Operation, SSAValue
from xdsl.rewriter import InsertPoint, Rewriter

from qdialect.constants import (
    ConstantOp,
    LoadOp,
    WeightOp,
    containing_module,
    weight_of,
)
from qdialect.data import Array, TensorDataAttr
from qdialect.types import element_of


def constant_like(value: SSAValue, array: Array, suffix: str = "last") -> SSAValue:
    """A constant of the element type of `value`, with other elements, beside it.

    Where `value` is loaded from a symbol, the new one is too, named after it and
    `suffix`, and readers that are given the same elements share it;
    `drop-unused-weights` removes the old one.
    """
    owner = value.owner
    assert isinstance(owner, ConstantOp | LoadOp)
    data = TensorDataAttr.from_numpy(array, element_of(value))
    new: Operation
    if isinstance(owner, LoadOp) and (old := weight_of(owner)) is not None:
        new = LoadOp(_symbol(old, data, suffix), data.type)
    else:
        new = ConstantOp(data)
    new.location = owner.location
    Rewriter.insert_op(new, InsertPoint.after(owner))
    return new.results[0]


def _symbol(old: WeightOp, data: TensorDataAttr, suffix: str) -> str:
    """The name of a weight with this value, made beside `old` where there is none."""
    stem = f"{old.sym_name.data}_{suffix}"
    taken: set[str] = set()
    for op in containing_module(old).walk():
        if isinstance(op, WeightOp):
            if op.value == data and op.sym_name.data.startswith(stem):
                return op.sym_name.data
            taken.add(op.sym_name.data)
    name, count = stem, 1
    while name in taken:
        count += 1
        name = f"{stem}_{count}"
    weight = WeightOp(name, data)
    weight.location = old.location
    Rewriter.insert_op(weight, InsertPoint.after(old))
    return name
