"""What verifiers share: one check each, with one wording of its message."""

from collections.abc import Sequence

from xdsl.dialects.builtin import TensorType
from xdsl.ir import Operation, SSAValue
from xdsl.utils.exceptions import VerifyException

from qdialect.types import is_level, is_real, tensor_type


def expect_tensor(op: Operation, name: str, value: SSAValue) -> None:
    """`value` is a ranked tensor of real numbers or of integer levels."""
    if not isinstance(value.type, TensorType):
        raise VerifyException(
            f"{op.name}: `{name}` must be a ranked tensor, got {value.type}"
        )
    element = tensor_type(value).element_type
    if not (is_real(element) or is_level(element)):
        raise VerifyException(
            f"{op.name}: elements of `{name}` must be f32, !qnn.bipolar, "
            f"!qnn.ternary, siN or uiN, got {element}"
        )


def expect_real(op: Operation, name: str, value: SSAValue) -> None:
    """`value` is a tensor of real numbers."""
    expect_tensor(op, name, value)
    element = tensor_type(value).element_type
    if not is_real(element):
        raise VerifyException(
            f"{op.name}: elements of `{name}` must be real, got {element}"
        )


def expect_level(op: Operation, name: str, value: SSAValue) -> None:
    """`value` is a tensor of integer levels."""
    expect_tensor(op, name, value)
    element = tensor_type(value).element_type
    if not is_level(element):
        raise VerifyException(
            f"{op.name}: elements of `{name}` must be !qnn.bipolar, !qnn.ternary, "
            f"siN or uiN, got {element}"
        )


def expect_same_kind(op: Operation, names: Sequence[str], *values: SSAValue) -> None:
    """All `values` are real, or all are integer levels."""
    for name, value in zip(names, values, strict=True):
        expect_tensor(op, name, value)
    kinds = {is_real(tensor_type(value).element_type) for value in values}
    if len(kinds) > 1:
        types = ", ".join(str(value.type) for value in values)
        raise VerifyException(
            f"{op.name}: {' and '.join(f'`{n}`' for n in names)} must be all real or "
            f"all integer, got {types}"
        )


def expect_same_element(op: Operation, first: SSAValue, second: SSAValue) -> None:
    """Operand and result have one element type."""
    a, b = tensor_type(first).element_type, tensor_type(second).element_type
    if a != b:
        raise VerifyException(
            f"{op.name}: operand and result must have one element type, got {a} and {b}"
        )


def expect_shape(
    op: Operation, name: str, value: SSAValue, shape: Sequence[int]
) -> None:
    """The shape of `value` is `shape`."""
    found = tensor_type(value).get_shape()
    if tuple(found) != tuple(shape):
        raise VerifyException(
            f"{op.name}: `{name}` must have shape {list(shape)}, got {list(found)}"
        )


def expect_same_shape(op: Operation, first: SSAValue, second: SSAValue) -> None:
    """Both values have one shape."""
    a, b = tensor_type(first).get_shape(), tensor_type(second).get_shape()
    if a != b:
        raise VerifyException(
            f"{op.name}: operand and result must have the same shape, "
            f"got {list(a)} and {list(b)}"
        )


def broadcast_shape(*shapes: Sequence[int]) -> tuple[int, ...] | None:
    """Shape that NumPy's rules give, or None where they give none.

    >>> broadcast_shape((1, 64), (64,)), broadcast_shape((2, 3), (4,))
    ((1, 64), None)
    """
    rank = max(map(len, shapes))
    out: list[int] = []
    for axis in range(-rank, 0):
        extents = {s[axis] for s in shapes if len(s) >= -axis} - {1}
        if len(extents) > 1:
            return None
        out.append(extents.pop() if extents else 1)
    return tuple(out)


def expect_broadcast(op: Operation, out: SSAValue, *operands: SSAValue) -> None:
    """The operands broadcast, by NumPy's rules, to the shape of `out`."""
    shapes = [tensor_type(v).get_shape() for v in operands]
    expected = broadcast_shape(*shapes)
    if expected is None:
        text = " and ".join(str(list(s)) for s in shapes)
        raise VerifyException(f"{op.name}: shapes {text} do not broadcast")
    expect_shape(op, "out", out, expected)


def expect_axis(op: Operation, axis: int, value: SSAValue) -> None:
    """`axis` is one of the axes of `value`."""
    rank = len(tensor_type(value).get_shape())
    if not 0 <= axis < rank:
        raise VerifyException(f"{op.name}: axis must be in [0, {rank - 1}], got {axis}")
