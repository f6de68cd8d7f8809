"""Constants that take the place of others, stored as those were."""

from __future__ import annotations

import numpy as np
from xdsl.dialects.builtin import StringAttr
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.rewriter import InsertPoint, Rewriter

from qdialect.coded_data import CodedDataAttr
from qdialect.constants import (
    ConstantOp,
    DecodeOp,
    LoadOp,
    WeightOp,
    constant_array,
    containing_module,
    weight_of,
)
from qdialect.data import Array, TensorDataAttr
from qdialect.location import source_name
from qdialect.types import element_of


def constant_like(
    value: SSAValue,
    array: Array,
    suffix: str = "last",
    element: Attribute | None = None,
) -> SSAValue:
    """A constant with other elements than `value`, of its element type, beside it.

    Where `value` is loaded from a symbol, the new one is too, named after it and
    `suffix`, and readers that are given the same elements share it;
    `drop-unused-weights` removes the old one. Where it is decoded, the new one is too,
    from the same table if that has all the elements; else it is stored plainly.
    """
    owner = value.owner
    assert isinstance(owner, ConstantOp | LoadOp | DecodeOp)
    if isinstance(owner, DecodeOp) and element is None:
        codes = _codes(owner, array)
        if codes is not None:
            decode = DecodeOp(constant_like(owner.codes, codes, suffix), owner.table)
            decode.location = owner.location
            Rewriter.insert_op(decode, InsertPoint.after(owner))
            return decode.out
    data = TensorDataAttr.from_numpy(array, element or element_of(value))
    source = owner.codes.owner if isinstance(owner, DecodeOp) else owner
    new: Operation
    if isinstance(source, LoadOp) and (old := weight_of(source)) is not None:
        new = LoadOp(_symbol(old, data, suffix), data.type)
    else:
        new = ConstantOp(data)
    new.location = owner.location
    Rewriter.insert_op(new, InsertPoint.after(owner))
    return new.results[0]


def _codes(decode: DecodeOp, array: Array) -> Array | None:
    """The codes of `array` in the table of `decode`, None where it lacks an element."""
    table = constant_array(decode.table)
    if table is None:
        return None
    order = np.argsort(table, kind="stable")
    places = np.searchsorted(table, array, sorter=order).clip(max=len(table) - 1)
    codes = order[places]
    return codes if bool((table[codes] == array).all()) else None


def _symbol(old: WeightOp, data: TensorDataAttr, suffix: str) -> str:
    """The name of a weight with this value, made beside `old` where there is none."""
    stem = f"{old.sym_name.data}_{suffix}"
    for op in containing_module(old).walk():
        if (
            isinstance(op, WeightOp)
            and op.value == data
            and op.sym_name.data.startswith(stem)
        ):
            return op.sym_name.data
    weight = WeightOp(_free_name(old, stem), data)
    weight.location = old.location
    Rewriter.insert_op(weight, InsertPoint.after(old))
    return weight.sym_name.data


def new_symbol(
    reader: Operation, value: TensorDataAttr | CodedDataAttr, old: SSAValue, suffix: str
) -> str:
    """The name of a new weight of the module, after all others.

    Args:
        reader: the operation that gives it its name where `old` has none.
        value: its value.
        old: the constant whose place it takes.
        suffix: put behind the name of `old`, where that is a symbol.
    """
    source = old.owner.codes.owner if isinstance(old.owner, DecodeOp) else old.owner
    if isinstance(source, LoadOp):
        stem = f"{source.weight.string_value()}_{suffix}"
    else:
        node = source_name(reader) or "weights"
        stem = "".join(c if c.isascii() and c.isalnum() else "_" for c in node)
    weight = WeightOp(_free_name(reader, stem), value)
    weight.location = reader.location
    containing_module(reader).regions[0].block.add_op(weight)
    return weight.sym_name.data


def _free_name(op: Operation, stem: str) -> str:
    """`stem`, or that and a number, which no symbol around `op` has."""
    taken = {
        symbol.data
        for found in containing_module(op).regions[0].block.ops
        if isinstance(symbol := getattr(found, "sym_name", None), StringAttr)
    }
    name, count = stem, 1
    while name in taken:
        count += 1
        name = f"{stem}_{count}"
    return name
