"""ONNX Runtime's ops on levels: dequantise, the op, quantise.

ONNX Runtime documents each as that expansion. Its kernels round the steps in between in
orders of their own, so that a level may differ where a value lies within float32's
rounding error of a tie; here sums are exact (ADR 0006).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from qdialect import elementwise as ew
from qdialect.quantisers import DequantizeOp, QuantizeOp
from qdialect.types import is_level
from tools.onnx_import import elementwise, pooling, rearranging, selection
from tools.onnx_import.emitter import Emitter, frame_type
from tools.onnx_import.node import Node
from tools.onnx_import.qdq import integer_element, to_levels
from tools.onnx_import.quantisers import scale_of, zero_point_of
from tools.onnx_import.shaping import (
    axis_of,
    channels_first,
    channels_last,
    required,
)
from tools.onnx_import.values import (
    Constant,
    Quantised,
    Tensor,
    Value,
    constant_input,
)

Handler = Callable[[Emitter, Node, Sequence[Value | None]], Sequence[Value]]


def _pair(
    op: type[ew.BinaryOp],
    emitter: Emitter,
    node: Node,
    inputs: Sequence[Value | None],
) -> Sequence[Value]:
    """A, B and C, each with scale and zero point; C only has those."""
    lhs, rhs = (_reals(emitter, node, inputs, index) for index in (0, 3))
    result = elementwise.combine(emitter, node, op, lhs, rhs)
    return [_levels(emitter, node, inputs, result, 6, shifted=True)]


qlinear_add = partial(_pair, ew.AddOp)
qlinear_mul = partial(_pair, ew.MulOp)


def qlinear_concat(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """QLinearConcat: scale and zero point of the result, then each part with its own."""
    if len(inputs) < 5 or len(inputs) % 3 != 2:
        raise node.refusal(
            f"has {len(inputs)} inputs; expected a scale and a zero point, and three "
            "for each part"
        )
    parts = [_part(emitter, node, inputs, i) for i in range(2, len(inputs), 3)]
    return rearranging.concat(emitter, node, parts)


def _part(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None], index: int
) -> Value:
    """A part as levels of the result, brought there before it is joined."""
    reals = _reals(emitter, node, inputs, index)
    levels, result = _levels(emitter, node, inputs, reals, 0), inputs[:2]
    own = inputs[index + 1 : index + 3]
    same = all(
        isinstance(a, Constant) and isinstance(b, Constant) and _equal(a, b)
        for a, b in zip(result, own, strict=True)
    )
    # What is read by nobody is erased.
    return required(node, inputs[index:]) if same else levels


def _equal(lhs: Constant, rhs: Constant) -> bool:
    a, b = lhs.values, rhs.values
    return a.dtype == b.dtype and a.size == b.size == 1 and bool((a == b).all())


def _of_one(
    handler: Handler, emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """X with scale and zero point, and those of the result."""
    (result,) = handler(emitter, node, [_reals(emitter, node, inputs, 0)])
    return [_levels(emitter, node, inputs, result, 3)]


def _of_map(
    handler: Handler,
    shifted: bool,
    emitter: Emitter,
    node: Node,
    inputs: Sequence[Value | None],
) -> Sequence[Value]:
    """As `_of_one`, of a map whose channels are first or, by an attribute, last."""
    data = _reals(emitter, node, inputs, 0)
    last = node.flag("channels_last", default=False)
    if last and isinstance(data, Tensor):
        data = channels_first(emitter, data)
    (result,) = handler(emitter, node, [data])
    if last and isinstance(result, Tensor):
        result = channels_last(emitter, result)
    return [_levels(emitter, node, inputs, result, 3, shifted=shifted)]


def _softmax(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """Softmax as of the opset that an attribute of QLinearSoftmax names."""
    (data,) = inputs
    assert isinstance(data, Tensor)
    axis, last = axis_of(node, data.shape, -1), len(data.shape) - 1
    # Before opset 13 the axes from `axis` on are one; of the last one it is the same.
    if node.integer("opset") < 13 and axis != last:
        raise node.refusal(
            f"opset is {node.integer('opset')} and axis {axis}; expected opset 13 or "
            f"later, or the last axis, {last}"
        )
    return [selection.softmax_of(emitter, data, axis)]


qlinear_softmax = partial(_of_one, _softmax)
qlinear_leaky_relu = partial(_of_one, elementwise.leaky_relu)
qlinear_sigmoid = partial(_of_one, elementwise.sigmoid)
qlinear_average_pool = partial(_of_map, pooling.average_pool, True)
qlinear_global_average_pool = partial(_of_map, pooling.global_average_pool, False)


def _reals(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None], index: int
) -> Value:
    """What levels stand for that have scale and zero point behind them."""
    data = required(node, inputs[index:])
    scale = scale_of(node, inputs, index + 1)
    zero_point = scale * 0
    if inputs[index + 2] is not None:
        zero_point = zero_point_of(node, inputs, index + 2)
    if scale.ndim or zero_point.ndim:
        raise node.refusal(
            f"the scale '{node.inputs[index + 1]}' and its zero point must be one number "
            f"each, got shapes {list(scale.shape)} and {list(zero_point.shape)}"
        )
    if isinstance(data, Constant):
        element = integer_element(node, data)
        return Constant(data.name, Quantised(data.values, element, scale, zero_point))
    if not is_level(data.element):
        raise node.refusal(
            f"input {index} '{node.inputs[index]}' is float; expected integers (put "
            "QuantizeLinear before)"
        )
    name = f"{node.name}_{index}"
    op = DequantizeOp(
        data.value,
        emitter.real(f"{name}_scale", scale),
        emitter.real(f"{name}_zero_point", zero_point),
        frame_type(data.shape),
    )
    return emitter.tensor(emitter.insert(op).out, data.shape)


def _levels(
    emitter: Emitter,
    node: Node,
    inputs: Sequence[Value | None],
    result: Value,
    index: int,
    *,
    shifted: bool = False,
) -> Value:
    """The result of the op as levels of the scale and zero point at `index`.

    Where it is `shifted`, the zero point is added before rounding, as the kernels of
    ONNX Runtime do that compute the op in float32; others use QuantizeLinear.
    """
    scale = scale_of(node, inputs, index)
    zero = constant_input(node, inputs, index + 1)
    zero_point = zero_point_of(node, inputs, index + 1)
    element = integer_element(node, zero)
    if not isinstance(result, Tensor):
        raise node.refusal("an operand is constant; expected computed ones")
    if not shifted:
        return to_levels(emitter, node, result, scale, zero_point, element)
    op = QuantizeOp(
        result.value,
        emitter.real(f"{node.name}_scale", scale),
        emitter.real(f"{node.name}_zero_point", zero_point),
        frame_type(result.shape, element),
    )
    return emitter.tensor(emitter.insert(op).out, result.shape)
