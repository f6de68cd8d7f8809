"""Element-wise ops on real tensors, and casts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from onnx import TensorProto

from qdialect import elementwise as ew
from qdialect.quantisers import DequantizeOp
from qdialect.types import is_real, value_range
from tools.onnx_import.emitter import Emitter, frame_type
from tools.onnx_import.integer_arithmetic import on_levels
from tools.onnx_import.node import Node
from tools.onnx_import.tensors import INTEGER_ELEMENTS, dtype_name
from tools.onnx_import.values import (
    Constant,
    Tensor,
    Value,
    compacted,
    computed_input,
    constant_input,
    real_input,
)


def combine(
    emitter: Emitter, node: Node, op: type[ew.BinaryOp], lhs: Value, rhs: Value
) -> Tensor:
    """An element-wise op of two operands, of which one may be constant.

    What an exporter has expanded of a constant is undone.
    """
    shape = emitter.broadcast(node, (lhs, rhs))
    if isinstance(lhs, Constant) and rhs.shape == shape:
        lhs = Constant(lhs.name, compacted(lhs.values))
    elif isinstance(rhs, Constant) and lhs.shape == shape:
        rhs = Constant(rhs.name, compacted(rhs.values))
    left, right = (emitter.real_operand(node, v, len(shape)) for v in (lhs, rhs))
    return emitter.tensor(emitter.insert(op(left, right, frame_type(shape))).out, shape)


def _binary(
    op: type[ew.BinaryOp],
    emitter: Emitter,
    node: Node,
    inputs: Sequence[Value | None],
) -> Sequence[Value]:
    levels = on_levels(emitter, node, op, inputs)
    if levels is not None:
        return [levels]
    operands = _real_operands(node, inputs)
    divisor = operands[1]
    if op is ew.DivOp and isinstance(divisor, Constant) and not divisor.values.all():
        raise node.refusal(f"the constant '{divisor.name}' has a 0 to divide by")
    return [combine(emitter, node, op, operands[0], operands[1])]


def _real_operands(
    node: Node, inputs: Sequence[Value | None]
) -> list[Constant | Tensor]:
    return [
        constant_input(node, inputs, index)
        if isinstance(value, Constant)
        else real_input(node, inputs, index)
        for index, value in enumerate(inputs)
    ]


def total(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """Sum of any number of tensors, added in their order."""
    first, *others = _real_operands(node, inputs)
    result: Value = first
    for other in others:
        if isinstance(result, Constant) and isinstance(other, Constant):
            result = Constant(node.name, result.values + other.values)
        else:
            result = combine(emitter, node, ew.AddOp, result, other)
    return [result]


def unary(
    op: type[ew.UnaryOp],
    emitter: Emitter,
    node: Node,
    inputs: Sequence[Value | None],
) -> Sequence[Value]:
    """A function of one real operand."""
    data = real_input(node, inputs, 0)
    out = emitter.insert(op(data.value, data.value.type)).out
    return [emitter.tensor(out, data.shape)]


add = partial(_binary, ew.AddOp)
sub = partial(_binary, ew.SubOp)
mul = partial(_binary, ew.MulOp)
div = partial(_binary, ew.DivOp)

relu = partial(unary, ew.ReluOp)
sigmoid = partial(unary, ew.SigmoidOp)
tanh = partial(unary, ew.TanhOp)
absolute = partial(unary, ew.AbsOp)
neg = partial(unary, ew.NegOp)
floor = partial(unary, ew.FloorOp)
ceil = partial(unary, ew.CeilOp)
round_half_even = partial(unary, ew.RoundOp)
sqrt = partial(unary, ew.SqrtOp)
exp = partial(unary, ew.ExpOp)


def sign(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """Sign is refused: it has three values, of which the network means two."""
    raise node.refusal(
        "gives 0 for 0, so its result is neither bipolar nor a quantiser's; export "
        "BipolarQuant (0 gives +1), or Quant of 2 bits for ternary values"
    )


def leaky_relu(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """LeakyRelu."""
    data = real_input(node, inputs, 0)
    slope = node.number("alpha", 0.01)
    op = emitter.insert(ew.LeakyReluOp(data.value, slope, data.value.type))
    return [emitter.tensor(op.out, data.shape)]


def hard_sigmoid(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """HardSigmoid."""
    data = real_input(node, inputs, 0)
    alpha, beta = node.number("alpha", 0.2), node.number("beta", 0.5)
    op = emitter.insert(ew.HardSigmoidOp(data.value, alpha, beta, data.value.type))
    return [emitter.tensor(op.out, data.shape)]


def cast(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """Cast of integers to float; casts that change no value vanish."""
    node.ignore("saturate", "round_mode")
    data = computed_input(node, inputs, 0)
    code = node.integer("to")
    if code == TensorProto.FLOAT:
        if is_real(data.element):
            return [data]
        one, zero = emitter.scalar(1), emitter.scalar(0)
        op = DequantizeOp(data.value, one, zero, frame_type(data.shape))
        return [emitter.tensor(emitter.insert(op).out, data.shape)]
    found = "float" if is_real(data.element) else str(data.element)
    if not is_real(data.element) and _holds(code, value_range(data.element)):
        return [data]
    raise node.refusal(
        f"casts {found} to {dtype_name(code)}; accepted are casts to float, and of "
        "integers to wider ones"
    )


def _holds(code: int, values: tuple[int, int]) -> bool:
    """Whether every integer of a range is one of the ONNX type with this code."""
    if code == TensorProto.INT64:
        return True
    if code not in INTEGER_ELEMENTS or code == TensorProto.BOOL:
        return False
    low, high = value_range(INTEGER_ELEMENTS[code])
    return low <= values[0] and values[1] <= high


def identity(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """Identity."""
    return [value for value in inputs[:1] if value is not None]


def dropout(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """Dropout as it is in inference: nothing."""
    node.ignore("ratio", "seed")
    if len(inputs) > 2 and inputs[2] is not None:
        training = constant_input(node, inputs, 2)
        if training.values.any():
            raise node.refusal("is in training mode; export the model for inference")
    return identity(emitter, node, inputs)
