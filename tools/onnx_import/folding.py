"""Ops on constants, evaluated while importing.

Arithmetic is in the dtype that the model has, one rounding an operation, as ONNX
Runtime does it. Sums of many numbers, whose order ONNX leaves open, are rounded once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import cast

import numpy as np
from onnx import TensorProto, helper

from qdialect.data import Array
from tools.onnx_import.node import Node
from tools.onnx_import.shaping import axes_of
from tools.onnx_import.tensors import stored_array, too_large
from tools.onnx_import.values import Constant, Value, integers

Fold = Callable[[Node, Sequence[Constant | None]], Array]


def fold(node: Node, inputs: Sequence[Constant | None]) -> Constant:
    """The value of a node all of whose inputs are constant.

    Raises:
        ImportRefused: the inputs do not suit the op.
    """
    try:
        with np.errstate(all="ignore"):
            array = FOLDS[node.op_type](node, inputs)
    except (ValueError, IndexError, TypeError, ArithmeticError) as error:
        reason = str(error).partition("\n")[0]
        raise node.refusal(f"its constant inputs do not suit it: {reason}") from error
    # A cast that changes nothing leaves the levels of a quantiser as they are.
    unchanged = [item for item in inputs if item is not None and item.values is array]
    return unchanged[0] if unchanged else Constant(node.outputs[0], array)


def _array(node: Node, inputs: Sequence[Constant | None], index: int) -> Array:
    constant = inputs[index] if index < len(inputs) else None
    if constant is None:
        raise node.refusal(f"input {index} is missing")
    return constant.values


def _numbers(node: Node, inputs: Sequence[Constant | None], index: int) -> list[int]:
    constant = inputs[index] if index < len(inputs) else None
    if constant is None:
        raise node.refusal(f"input {index} is missing")
    return integers(node, constant, f"'{constant.name}'")


def _unary(function: Callable[[Array], Array]) -> Fold:
    def evaluate(node: Node, inputs: Sequence[Constant | None]) -> Array:
        array = _array(node, inputs, 0)
        return np.asarray(function(array)).astype(array.dtype)

    return evaluate


def _binary(function: Callable[[Array, Array], Array]) -> Fold:
    def evaluate(node: Node, inputs: Sequence[Constant | None]) -> Array:
        lhs, rhs = _array(node, inputs, 0), _array(node, inputs, 1)
        if lhs.dtype != rhs.dtype and node.op_type != "Pow":
            raise node.refusal(f"its operands are of {lhs.dtype} and {rhs.dtype}")
        result = np.asarray(function(lhs, rhs))
        return result if result.dtype == bool else result.astype(lhs.dtype)

    return evaluate


def _divide(lhs: Array, rhs: Array) -> Array:
    if lhs.dtype.kind == "f":
        return np.divide(lhs, rhs)
    if not rhs.all():
        raise ValueError("division by zero")
    # On integers ONNX divides towards zero.
    return np.sign(lhs) * np.sign(rhs) * (np.abs(lhs) // np.abs(rhs))


def _power(lhs: Array, rhs: Array) -> Array:
    return np.power(lhs, rhs.astype(lhs.dtype))


def _gather(node: Node, inputs: Sequence[Constant | None]) -> Array:
    data, indices = _array(node, inputs, 0), _array(node, inputs, 1)
    return np.take(data, indices, axis=node.integer("axis", 0))


def _concat(node: Node, inputs: Sequence[Constant | None]) -> Array:
    arrays = [_array(node, inputs, index) for index in range(len(inputs))]
    return np.concatenate(arrays, axis=node.integer("axis"))


def _slice(node: Node, inputs: Sequence[Constant | None]) -> Array:
    data = _array(node, inputs, 0)
    if node.opset < 10:
        starts, ends = node.integers("starts"), node.integers("ends")
        axes = node.integers("axes") if node.has("axes") else list(range(len(starts)))
        steps = [1] * len(starts)
    else:
        starts, ends = _numbers(node, inputs, 1), _numbers(node, inputs, 2)
        present = [
            index < len(inputs) and inputs[index] is not None for index in (3, 4)
        ]
        axes = _numbers(node, inputs, 3) if present[0] else list(range(len(starts)))
        steps = _numbers(node, inputs, 4) if present[1] else [1] * len(starts)
    where = [slice(None)] * data.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        # Counting down, an end before the first element is no negative index.
        stop = None if step < 0 and end < -data.shape[axis] else end
        where[axis] = slice(start, stop, step)
    return data[tuple(where)]


def _cast(node: Node, inputs: Sequence[Constant | None]) -> Array:
    node.ignore("saturate", "round_mode")
    data, code = _array(node, inputs, 0), node.integer("to")
    try:
        dtype = helper.tensor_dtype_to_np_dtype(code)
    except KeyError:
        raise node.refusal(f"casts to the unknown type {code}") from None
    if dtype.kind not in "fiub":
        raise node.refusal(f"casts to {dtype}; accepted are floats, integers and bool")
    if data.dtype.kind == "f" and dtype.kind in "iu" and not np.isfinite(data).all():
        raise node.refusal("casts NaN or infinity to integers")
    return data.astype(dtype, copy=False)


def _filled(node: Node, inputs: Sequence[Constant | None]) -> Array:
    shape = _numbers(node, inputs, 0)
    _expect_size(node, prod(shape))
    value = np.zeros(1, np.float32)
    if node.has("value"):
        tensor = node.value("value")
        if not isinstance(tensor, TensorProto):
            raise node.refusal("the attribute 'value' must be a tensor")
        value = stored_array(tensor, f"{node.file}: node '{node.name}'", None)
    return np.full(shape, value.reshape(()), value.dtype)


def _range(node: Node, inputs: Sequence[Constant | None]) -> Array:
    start, limit, delta = (_array(node, inputs, index) for index in range(3))
    if not delta.all():
        raise node.refusal("its step is 0")
    count = max(0, int(np.ceil((limit - start) / delta)))
    _expect_size(node, count)
    return (start + delta * np.arange(count)).astype(start.dtype)


def _expand(node: Node, inputs: Sequence[Constant | None]) -> Array:
    data, shape = _array(node, inputs, 0), _numbers(node, inputs, 1)
    shape = np.broadcast_shapes(data.shape, shape)
    _expect_size(node, prod(shape))
    return np.broadcast_to(data, shape)


def _where(node: Node, inputs: Sequence[Constant | None]) -> Array:
    condition, yes, no = (_array(node, inputs, index) for index in range(3))
    return np.where(condition, yes, no)


def _reduce(function: Callable[..., Array]) -> Fold:
    def evaluate(node: Node, inputs: Sequence[Constant | None]) -> Array:
        data = _array(node, inputs, 0)
        axes = axes_of(node, cast("Sequence[Value | None]", inputs), data.ndim)
        if axes is None and node.flag("noop_with_empty_axes", default=False):
            return data
        keep = node.flag("keepdims", default=True)
        axis = None if axes is None else tuple(axes)
        return np.asarray(function(data, axis=axis, keepdims=keep), data.dtype)

    return evaluate


def _sum(data: Array, *, axis: tuple[int, ...] | None, keepdims: bool) -> Array:
    wide = np.float64 if data.dtype.kind == "f" else data.dtype
    return np.sum(data, axis=axis, keepdims=keepdims, dtype=wide)


def _mean(data: Array, *, axis: tuple[int, ...] | None, keepdims: bool) -> Array:
    total = _sum(data, axis=axis, keepdims=keepdims)
    return np.asarray(total / (data.size // max(1, total.size)))


def _tile(node: Node, inputs: Sequence[Constant | None]) -> Array:
    data, repeats = _array(node, inputs, 0), _numbers(node, inputs, 1)
    _expect_size(node, data.size * prod(repeats))
    return np.tile(data, repeats)


def _modulo(node: Node, inputs: Sequence[Constant | None]) -> Array:
    by_truncation = node.flag("fmod", default=False)
    return _binary(np.fmod if by_truncation else np.mod)(node, inputs)


def _fold_many(function: Callable[[Array, Array], Array]) -> Fold:
    def evaluate(node: Node, inputs: Sequence[Constant | None]) -> Array:
        result = _array(node, inputs, 0)
        for index in range(1, len(inputs)):
            result = function(result, _array(node, inputs, index))
        return np.asarray(result)

    return evaluate


def _expect_size(node: Node, count: int) -> None:
    if too_large([count]):
        raise node.refusal(
            f"makes a tensor of {count} elements; accepted are up to 2^28"
        )


FOLDS: dict[str, Fold] = {
    "Abs": _unary(np.abs),
    "Add": _binary(np.add),
    "And": _binary(np.logical_and),
    "Cast": _cast,
    "Ceil": _unary(np.ceil),
    "Concat": _concat,
    "ConstantOfShape": _filled,
    "Div": _binary(_divide),
    "Equal": _binary(np.equal),
    "Exp": _unary(np.exp),
    "Expand": _expand,
    "Floor": _unary(np.floor),
    "Gather": _gather,
    "Greater": _binary(np.greater),
    "GreaterOrEqual": _binary(np.greater_equal),
    "Less": _binary(np.less),
    "LessOrEqual": _binary(np.less_equal),
    "Log": _unary(np.log),
    "Max": _fold_many(np.maximum),
    "Min": _fold_many(np.minimum),
    "Mod": _modulo,
    "Mul": _binary(np.multiply),
    "Neg": _unary(np.negative),
    "Not": _unary(np.logical_not),
    "Or": _binary(np.logical_or),
    "Pow": _binary(_power),
    "Range": _range,
    "Reciprocal": _unary(lambda x: np.divide(np.ones(1, x.dtype), x).reshape(x.shape)),
    "ReduceMax": _reduce(np.max),
    "ReduceMean": _reduce(_mean),
    "ReduceMin": _reduce(np.min),
    "ReduceProd": _reduce(np.prod),
    "ReduceSum": _reduce(_sum),
    "Relu": _unary(lambda x: np.maximum(x, np.zeros((), x.dtype))),
    "Round": _unary(np.round),
    "Sign": _unary(np.sign),
    "Slice": _slice,
    "Sqrt": _unary(np.sqrt),
    "Sub": _binary(np.subtract),
    "Sum": _fold_many(np.add),
    "Tile": _tile,
    "Where": _where,
}
