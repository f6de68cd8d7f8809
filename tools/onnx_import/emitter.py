"""Writes the module: ops into `@main`, named constants beside it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from xdsl.dialects.builtin import (
    LocationAttr,
    NameLoc,
    NoneAttr,
    StringAttr,
    TensorType,
)
from xdsl.ir import Attribute, Block, Operation, SSAValue

from qdialect.constants import ConstantOp, LoadOp, WeightOp
from qdialect.data import MAX_PRINTED_ELEMENTS, Array, TensorDataAttr
from qdialect.quantisers import DequantizeOp
from qdialect.semantics import Real
from qdialect.shaping import ReshapeOp
from qdialect.types import F32, AnyTensor, element_of, value_range
from tools.onnx_import.node import Node
from tools.onnx_import.values import Constant, Quantised, Tensor, Value, real_array

OpT = TypeVar("OpT", bound=Operation)


def frame_type(shape: Sequence[int], element: Attribute = F32) -> AnyTensor:
    """The type of a tensor of the model for one frame: the leading axis is 1."""
    return TensorType(element, (1, *shape[1:]))


def name_location(name: str) -> LocationAttr:
    """The location of what was made from the node of this name."""
    return NameLoc(StringAttr(name), NoneAttr())


class Emitter:
    """Appends ops to a block, each at the location of the node it is made from.

    `batch` is the extent of the batch axis as the model was exported; shapes of
    `Tensor` are in its terms, and types have 1 in its place.
    """

    def __init__(self, block: Block, batch: int):
        self.block = block
        self.batch = batch
        self.weights: list[WeightOp] = []
        self.node = ""
        self.location = name_location("")
        self._symbols: dict[tuple[str, TensorDataAttr], str] = {}
        self._taken = {"main"}
        self._ranges: dict[SSAValue, tuple[int, int]] = {}

    def at(self, node: str) -> None:
        """What follows is made from the node of this name."""
        self.node = node
        self.location = name_location(node)

    def insert(self, op: OpT) -> OpT:
        """Append `op` at the current location."""
        op.location = self.location
        self.block.add_op(op)
        return op

    def tensor(self, value: SSAValue, shape: Sequence[int]) -> Tensor:
        """`value` as a tensor of the model of this shape."""
        return Tensor(value, tuple(shape))

    def stored(self, name: str, array: Array, element: Attribute) -> SSAValue:
        """A constant: in place where it is small, else a symbol named after `name`."""
        data = TensorDataAttr.from_numpy(array, element)
        if data.size <= MAX_PRINTED_ELEMENTS:
            return self.insert(ConstantOp(data)).out
        symbol = self._symbols.get((name, data))
        if symbol is None:
            symbol = self._new_symbol(name)
            self._symbols[name, data] = symbol
            weight = WeightOp(symbol, data)
            weight.location = self.location
            self.weights.append(weight)
        return self.insert(LoadOp(symbol, data.type)).out

    def real(self, name: str, array: Real) -> SSAValue:
        """A float32 constant."""
        return self.stored(name, array, F32)

    def scalar(self, value: float) -> SSAValue:
        """A float32 constant of rank 0."""
        return self.real("scalar", np.array(value, np.float32))

    def dequantised(self, name: str, quantised: Quantised) -> SSAValue:
        """The real numbers that constant levels stand for."""
        levels = self.stored(name, quantised.levels, quantised.element)
        return self.insert(
            DequantizeOp(
                levels,
                self.real(f"{name}_scale", quantised.scale),
                self.real(f"{name}_zero_point", quantised.zero_point),
                TensorType(F32, quantised.levels.shape),
            )
        ).out

    def bound(self, value: SSAValue, low: int, high: int) -> None:
        """Note that the levels of `value` lie in [low, high], within their type."""
        self._ranges[value] = low, high

    def bounds(self, value: SSAValue) -> tuple[int, int]:
        """Least and greatest level that `value` can have, as far as noted.

        `qdialect.ranges` asks the weights, which are in no module yet.
        """
        while isinstance(value.owner, ReshapeOp) and value not in self._ranges:
            value = value.owner.input
        return self._ranges.get(value) or value_range(element_of(value))

    def reshaped(self, tensor: Tensor, shape: Sequence[int]) -> Tensor:
        """`tensor` in another shape; a chain of reshapes becomes one, or none."""
        source = tensor.value
        if isinstance(source.owner, ReshapeOp):
            source = source.owner.input
        type_ = frame_type(shape, tensor.element)
        if source.type == type_:
            return self.tensor(source, shape)
        return self.tensor(self.insert(ReshapeOp(source, type_)).out, shape)

    def broadcast(self, node: Node, values: Sequence[Value]) -> tuple[int, ...]:
        """The shape that the operands of an element-wise op broadcast to.

        Raises:
            ImportRefused: they do not broadcast, or not frame by frame.
        """
        shapes = [value.shape for value in values]
        try:
            shape = np.broadcast_shapes(*shapes)
        except ValueError:
            text = " and ".join(str(list(each)) for each in shapes)
            raise node.refusal(f"shapes {text} do not broadcast") from None
        for value in values:
            rank = len(value.shape)
            if (
                isinstance(value, Constant)
                and rank == len(shape)
                and value.shape[0] != 1
            ):
                raise node.refusal(
                    f"the constant '{value.name}' of shape {list(value.shape)} has "
                    f"another value for each frame; expected {[1, *shape[1:]]}"
                )
            if isinstance(value, Tensor) and rank < len(shape) and self.batch != 1:
                raise node.refusal(
                    f"shape {list(value.shape)} is raised to rank {len(shape)}, which "
                    "moves the batch axis; export the model with batch 1"
                )
        return shape

    def real_operand(self, node: Node, value: Value, rank: int) -> SSAValue:
        """An operand of an element-wise op whose result has `rank` axes."""
        if isinstance(value, Constant):
            what = f"the constant '{value.name}'"
            return self.real(value.name, real_array(node, value, what))
        shape = (1,) * (rank - len(value.shape)) + value.shape
        return self.reshaped(value, shape).value

    def _new_symbol(self, name: str) -> str:
        symbol = re.sub(r"[^0-9A-Za-z]+", "_", name).strip("_")
        if not re.search(r"[A-Za-z]", symbol):
            # Some exporters number their tensors; the node says more.
            symbol = re.sub(r"[^0-9A-Za-z]+", "_", f"{self.node}_{symbol}").strip("_")
        if not symbol[:1].isalpha():
            symbol = f"w{symbol}"
        unique, count = symbol, 1
        while unique in self._taken:
            count += 1
            unique = f"{symbol}_{count}"
        self._taken.add(unique)
        return unique


def erase_unused(block: Block) -> None:
    """Erase the ops of a block of pure ops whose results nobody reads."""
    for op in reversed(list(block.ops)):
        if op.results and not any(result.uses for result in op.results):
            op.detach()
            op.erase()
