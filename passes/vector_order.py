"""Vectors whose elements may stand in another order, as their readers see it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from xdsl.ir import SSAValue

from passes.new_weights import constant_like
from qdialect.activation import LookupOp, ThresholdOp
from qdialect.constants import constant_array, is_constant
from qdialect.linear import MatMulOp
from qdialect.rearranging import ConcatOp
from qdialect.types import shape_of


def takes_any_order(vector: SSAValue) -> bool:
    """Whether all readers of a vector [1, n] can take its elements in another order.

    Products can, and activations and concatenations of which only such readers are
    left.
    """
    return len(shape_of(vector)) == 2 and all(
        (
            isinstance(op := use.operation, MatMulOp)
            and op.input is vector
            and is_constant(op.weights)
        )
        or (
            isinstance(op, ThresholdOp | LookupOp)
            and op.input is vector
            and op.axis.value.data == 1
            and takes_any_order(op.out)
        )
        or (
            isinstance(op, ConcatOp)
            and op.axis.value.data == 1
            and takes_any_order(op.out)
        )
        for use in vector.uses
    )


def reorder(vector: SSAValue, order: npt.NDArray[np.int64]) -> None:
    """Prepare the readers of a vector for its elements in a new order.

    Args:
        vector: one that `takes_any_order`.
        order: for each place, where the element that will stand there stands now.
    """
    for use in list(vector.uses):
        op = use.operation
        if isinstance(op, MatMulOp):
            op.operands[1] = _taken(op.weights, order, axis=1)
        elif isinstance(op, ConcatOp):
            whole = np.arange(shape_of(op.out)[1])
            start = sum(shape_of(part)[1] for part in op.operands[: use.index])
            whole[start : start + len(order)] = start + order
            reorder(op.out, whole)
        else:
            assert isinstance(op, ThresholdOp | LookupOp)
            for index in range(1, len(op.operands)):
                op.operands[index] = _taken(op.operands[index], order, axis=0)
            reorder(op.out, order)


def _taken(parameter: SSAValue, order: npt.NDArray[np.int64], *, axis: int) -> SSAValue:
    """The rows or columns of a constant in a new order."""
    array = constant_array(parameter)
    assert array is not None
    return constant_like(parameter, array.take(order, axis=axis))
