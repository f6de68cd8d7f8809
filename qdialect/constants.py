"""Constants: small ones in place, large ones as symbols of the module."""

from __future__ import annotations

from typing import ClassVar

from xdsl.dialects.builtin import StringAttr, SymbolNameConstraint, SymbolRefAttr
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.irdl import (
    AnyAttr,
    IRDLOperation,
    ParamAttrConstraint,
    VarConstraint,
    irdl_op_definition,
    prop_def,
    result_def,
    traits_def,
)
from xdsl.traits import ConstantLike, Pure, SymbolOpInterface, SymbolTable

from qdialect.data import Array, TensorDataAttr


@irdl_op_definition
class ConstantOp(IRDLOperation):
    """A constant tensor.

        out = value

    | name    | kind     | shape | unit |
    | ------- | -------- | ----- | ---- |
    | `value` | property | any   | any  |
    | `out`   | result   | same  | same |
    """

    name = "qnn.constant"

    T: ClassVar = VarConstraint("T", AnyAttr())
    value = prop_def(ParamAttrConstraint(TensorDataAttr, (T, AnyAttr())))
    out = result_def(T)

    traits = traits_def(Pure(), ConstantLike())
    assembly_format = "$value attr-dict"

    def __init__(self, value: TensorDataAttr):
        super().__init__(properties={"value": value}, result_types=[value.type])


@irdl_op_definition
class WeightOp(IRDLOperation):
    """A constant tensor with a name, at module level: weights, tables, memories.

    | name       | kind     | shape | unit |
    | ---------- | -------- | ----- | ---- |
    | `sym_name` | property | -     | -    |
    | `value`    | property | any   | any  |
    """

    name = "qnn.weight"

    sym_name = prop_def(SymbolNameConstraint())
    value = prop_def(TensorDataAttr)

    traits = traits_def(SymbolOpInterface())
    assembly_format = "$sym_name `=` $value attr-dict"

    def __init__(self, sym_name: str, value: TensorDataAttr):
        super().__init__(properties={"sym_name": StringAttr(sym_name), "value": value})


@irdl_op_definition
class LoadOp(IRDLOperation):
    """The value of a named constant.

        out = value of @weight

    | name     | kind     | shape             | unit              |
    | -------- | -------- | ----------------- | ----------------- |
    | `weight` | property | -                 | a `qnn.weight`    |
    | `out`    | result   | as the constant's | as the constant's |

    Where `out` is a `!qnn.packed` the constant holds its storage words.
    """

    name = "qnn.load"

    weight = prop_def(SymbolRefAttr)
    out = result_def()

    traits = traits_def(Pure(), ConstantLike())
    assembly_format = "$weight attr-dict `:` type($out)"

    def __init__(self, weight: str, type_: Attribute):
        super().__init__(
            properties={"weight": SymbolRefAttr(weight)}, result_types=[type_]
        )


def weight_of(load: LoadOp) -> WeightOp | None:
    """The symbol that `load` names, or None where the module lacks it."""
    found = SymbolTable.lookup_symbol(load, load.weight)
    return found if isinstance(found, WeightOp) else None


def constant_data(value: SSAValue) -> TensorDataAttr | None:
    """The constant that `value` is, or None where it is computed."""
    match value.owner:
        case ConstantOp() as op:
            return op.value
        case LoadOp() as op:
            weight = weight_of(op)
            return weight.value if weight is not None else None
        case _:
            return None


def constant_array(value: SSAValue) -> Array | None:
    """The values of the constant that `value` is, or None where it is computed."""
    data = constant_data(value)
    return None if data is None else data.to_numpy()


def is_constant(value: SSAValue) -> bool:
    """Whether `value` is produced by a constant of this dialect."""
    return isinstance(value.owner, ConstantOp | LoadOp)


def constant(array: Array, element: Attribute | None = None) -> ConstantOp:
    """An in-place constant with the values of `array`."""
    return ConstantOp(TensorDataAttr.from_numpy(array, element))


def containing_module(op: Operation) -> Operation:
    """The outermost operation around `op`."""
    while (parent := op.parent_op()) is not None:
        op = parent
    return op
