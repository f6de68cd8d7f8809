"""What an ONNX tensor is to the importer: a constant, or a value of each frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

import numpy as np
from xdsl.dialects.builtin import IntegerType
from xdsl.ir import Attribute, SSAValue

from qdialect.data import Array
from qdialect.semantics import Levels, Real
from qdialect.types import is_real, signed, tensor_type, unsigned
from tools.onnx_import.node import Node


@dataclass(frozen=True)
class Quantised:
    """Integer levels that stand for the reals (levels - zero_point) * scale.

    `scale` and `zero_point` are scalars, or have the rank of `levels` and broadcast.
    """

    levels: Levels
    element: Attribute
    scale: Real
    zero_point: Real

    def reals(self) -> Real:
        """The real numbers, in float32 one operation after the other, as in QONNX."""
        return (self.levels.astype(np.float32) - self.zero_point) * self.scale

    def transposed(self, perm: Sequence[int]) -> Quantised:
        """The axes in another order."""
        return replace(
            self,
            levels=self.levels.transpose(perm),
            scale=self.scale.transpose(perm) if self.scale.ndim else self.scale,
            zero_point=(
                self.zero_point.transpose(perm)
                if self.zero_point.ndim
                else self.zero_point
            ),
        )

    def flipped(self, axes: Sequence[int]) -> Quantised:
        """The elements of these axes in the opposite order."""
        return replace(
            self,
            levels=np.flip(self.levels, tuple(axes)),
            scale=_flipped_parameter(self.scale, axes),
            zero_point=_flipped_parameter(self.zero_point, axes),
        )

    def reshaped(self, shape: Sequence[int]) -> Quantised:
        """The same elements in another shape."""
        return replace(
            self,
            levels=self.levels.reshape(shape),
            scale=_reshaped_parameter(self.scale, self.levels.shape, shape),
            zero_point=_reshaped_parameter(self.zero_point, self.levels.shape, shape),
        )

    def diagonal(self) -> Quantised:
        """The elements [i, i, ..] of the first two axes, as [C, 1, ..]."""
        shape = self.levels.shape
        return replace(
            self,
            levels=_diagonal(self.levels),
            scale=_diagonal_parameter(self.scale, shape),
            zero_point=_diagonal_parameter(self.zero_point, shape),
        )


def _diagonal(array: Array) -> Array:
    places = np.arange(len(array))
    return array[places, places][:, np.newaxis]


def _diagonal_parameter(parameter: Real, shape: Sequence[int]) -> Real:
    if parameter.ndim == 0:
        return parameter
    taken = _diagonal(np.broadcast_to(parameter, shape))
    return _reshaped_parameter(taken, taken.shape, taken.shape)


def _flipped_parameter(parameter: Real, axes: Sequence[int]) -> Real:
    return np.flip(parameter, tuple(axes)) if parameter.ndim else parameter


def _reshaped_parameter(
    parameter: Real, old: Sequence[int], new: Sequence[int]
) -> Real:
    """A broadcast parameter of a tensor whose shape goes from `old` to `new`."""
    if parameter.ndim == 0:
        return parameter
    return compacted(np.broadcast_to(parameter, old).reshape(new))


def compacted(parameter: Real) -> Real:
    """A parameter that broadcasts, of extent 1 along each axis where it is the same."""
    for axis in range(parameter.ndim):
        first = parameter[(slice(None),) * axis + (slice(0, 1),)]
        if (parameter == first).all():
            parameter = first
    return parameter


@dataclass(frozen=True)
class Constant:
    """A tensor that is the same for every frame.

    `name` is that of the initialiser it comes from. `stored` are the values in the
    model's dtype, or what a quantiser made of them; `element` is their type where the
    dtype does not give it.
    """

    name: str
    stored: Array | Quantised
    element: IntegerType | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the tensor."""
        stored = self.stored
        return stored.levels.shape if isinstance(stored, Quantised) else stored.shape

    @cached_property
    def values(self) -> Array:
        """The numbers, in the dtype that the model has them in."""
        stored = self.stored
        return stored.reals() if isinstance(stored, Quantised) else stored

    @property
    def integer_element(self) -> IntegerType | None:
        """Type of the values where they are integers of up to 32 bits."""
        if self.element is not None or isinstance(self.stored, Quantised):
            return self.element
        dtype = self.stored.dtype
        if dtype.kind == "b":
            return unsigned(1)
        if dtype.kind not in "iu" or dtype.itemsize > 4:
            return None
        bits = 8 * dtype.itemsize
        return signed(bits) if dtype.kind == "i" else unsigned(bits)

    def transposed(self, perm: Sequence[int]) -> Constant:
        """The axes in another order."""
        stored = self.stored
        if isinstance(stored, Quantised):
            return replace(self, stored=stored.transposed(perm))
        return replace(self, stored=stored.transpose(perm))

    def flipped(self, axes: Sequence[int]) -> Constant:
        """The elements of these axes in the opposite order."""
        stored = self.stored
        if isinstance(stored, Quantised):
            return replace(self, stored=stored.flipped(axes))
        return replace(self, stored=np.flip(stored, tuple(axes)))

    def diagonal(self) -> Constant:
        """The elements [i, i, ..] of the first two axes, as [C, 1, ..]."""
        stored = self.stored
        if isinstance(stored, Quantised):
            return replace(self, stored=stored.diagonal())
        return replace(self, stored=_diagonal(stored))

    def reshaped(self, shape: Sequence[int]) -> Constant:
        """The same elements in another shape."""
        stored = self.stored
        if isinstance(stored, Quantised):
            return replace(self, stored=stored.reshaped(shape))
        return replace(self, stored=stored.reshape(shape))


@dataclass(frozen=True)
class Tensor:
    """A tensor computed for each frame.

    `shape` is the one in the model, whose leading axis is the batch as exported; that
    of `value` has 1 there.
    """

    value: SSAValue
    shape: tuple[int, ...]

    @property
    def element(self) -> Attribute:
        """Element type of the value."""
        return tensor_type(self.value).element_type


Value: TypeAlias = Constant | Tensor


def real_array(node: Node, constant: Constant, what: str) -> Real:
    """The values of a constant as float32.

    Raises:
        ImportRefused: a value is NaN or infinite, or no float32 number.
    """
    values = constant.values
    if values.dtype == np.float32:
        reals = values
    elif values.dtype.kind not in "fiub":
        raise node.refusal(f"{what} has elements of {values.dtype}; expected numbers")
    else:
        reals = values.astype(np.float32)
        if not np.array_equal(reals.astype(values.dtype), values):
            raise node.refusal(
                f"{what} has {values.dtype} values that are no float32 numbers; "
                "convert the model to float32"
            )
    if not np.isfinite(reals).all():
        raise node.refusal(
            f"{what} has NaN or infinite values; expected finite numbers"
        )
    return reals


def integers(node: Node, constant: Constant, what: str) -> list[int]:
    """The values of an integer constant, such as a shape, in row-major order.

    Raises:
        ImportRefused: they are no integers.
    """
    if constant.values.dtype.kind not in "iu":
        raise node.refusal(
            f"{what} has elements of {constant.values.dtype}; expected integers"
        )
    return [int(value) for value in constant.values.ravel()]


def constant_input(node: Node, inputs: Sequence[Value | None], index: int) -> Constant:
    """An input that must be a constant.

    Raises:
        ImportRefused: it is missing, or depends on the network's input.
    """
    value = inputs[index] if index < len(inputs) else None
    if not isinstance(value, Constant):
        found = "is missing" if value is None else f"'{node.inputs[index]}' is computed"
        raise node.refusal(f"input {index} {found}; expected a constant")
    return value


def computed_input(node: Node, inputs: Sequence[Value | None], index: int) -> Tensor:
    """An input that must be computed from the network's inputs.

    Raises:
        ImportRefused: it is missing, or a constant.
    """
    value = inputs[index] if index < len(inputs) else None
    if not isinstance(value, Tensor):
        found = "is missing" if value is None else f"'{node.inputs[index]}' is constant"
        raise node.refusal(
            f"input {index} {found}; expected one computed from the network's input"
        )
    return value


def real_input(node: Node, inputs: Sequence[Value | None], index: int) -> Tensor:
    """A computed input that must hold real numbers.

    Raises:
        ImportRefused: it is missing, constant or holds integers.
    """
    tensor = computed_input(node, inputs, index)
    if not is_real(tensor.element):
        raise node.refusal(
            f"input {index} '{node.inputs[index]}' has elements of {tensor.element}; "
            "expected float (put Cast or DequantizeLinear before)"
        )
    return tensor
