"""`Interpreter`: runs the functions of a module, op by op, on batches of frames."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from math import prod
from typing import TypeAlias

import numpy as np
from xdsl.dialects.builtin import ModuleOp, TensorType
from xdsl.dialects.func import CallOp as FuncCallOp
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.dialects.hw import HWModuleOp
from xdsl.ir import Operation, SSAValue

from lowering.interpreter.flow import run_unit
from lowering.interpreter.levels import LevelError, fit_levels
from lowering.interpreter.network import run_network_op
from lowering.interpreter.packed import run_packed_op
from lowering.interpreter.spatial import run_spatial_op
from lowering.interpreter.values import Value, as_array
from qdialect.calls import CallOp
from qdialect.constants import (
    ConstantOp,
    DecodeOp,
    LoadOp,
    constant_array,
    is_constant,
    weight_of,
)
from qdialect.data import Array
from qdialect.location import where
from qdialect.packed import PackedType
from qdialect.streams import StreamType
from qdialect.types import is_real, shape_of, tensor_type

# Computes the results of a core from its operands, frames along the leading axis.
Core: TypeAlias = Callable[[Sequence[Array]], Sequence[Array]]
# Called after each op with its results, in execution order.
Listener: TypeAlias = Callable[[Operation, Sequence[Value]], None]
# Runs an op of a plug-in dialect: its results, or None where it is not his.
Implementation: TypeAlias = Callable[
    [Operation, Sequence[Value]], "Sequence[Value] | None"
]


# Elements of the largest tensor of a batch: more are run one batch after the other.
_ELEMENTS_AT_ONCE = 1 << 23


class InterpreterError(Exception):
    """A module or an input that the interpreter cannot run; one line, for the user."""


class Interpreter:
    """Runs a module of any level.

    Args:
        module: verified IR of any level.
        core: runs `qnn.call` instead of the callee in the module, where given.
        listener: is told of every op that ran.
        implementations: ops of other dialects, tried before a refusal.
    """

    def __init__(
        self,
        module: ModuleOp,
        *,
        core: Core | None = None,
        listener: Listener | None = None,
        implementations: Sequence[Implementation] = (),
    ):
        self._module = module
        self._core = core
        self._listener = listener
        self._families: tuple[Implementation, ...] = (
            run_network_op,
            run_spatial_op,
            run_packed_op,
            run_unit,
            *implementations,
        )
        self._constants: dict[Operation, Value] = {}

    def run(self, inputs: Sequence[Array], entry: str = "main") -> list[Array]:
        """Run a function.

        Args:
            inputs: an array for each argument: the argument's shape with any number of
                frames along the leading axis, or the shape of one frame without it.
                Real arguments take any numbers; integer ones only values of the type.
            entry: name of the function.

        Returns:
            An array for each result: float32 for real ones, integers for levels.

        Raises:
            InterpreterError: no such function, an input that does not fit its
                argument, an op that has no implementation, or a sum beyond 64 bits.
        """
        function = self._function(entry)
        arguments = list(function.body.block.args)
        if len(inputs) != len(arguments):
            raise InterpreterError(
                f"@{entry} takes {len(arguments)} inputs, got {len(inputs)}"
            )
        frames = [
            fit_input(argument, array, index)
            for index, (argument, array) in enumerate(
                zip(arguments, inputs, strict=True)
            )
        ]
        step = self._frames_at_once()
        count = max((len(array) for array in frames), default=0)
        if count <= step or any(len(array) != count for array in frames):
            return self._run_frames(function, frames)
        parts = [
            self._run_frames(function, [array[i : i + step] for array in frames])
            for i in range(0, count, step)
        ]
        return [np.concatenate(results) for results in zip(*parts, strict=True)]

    def _run_frames(self, function: FuncOp, frames: Sequence[Array]) -> list[Array]:
        return [as_array(value) for value in self._run_function(function, frames)]

    def _frames_at_once(self) -> int:
        """How many frames stay in the caches; all where a listener wants to see them."""
        if self._listener is not None:
            return sys.maxsize
        largest = 1
        for op in self._module.walk():
            for value in op.results:
                shape = _frame_shape(value)
                # What does not lead with the frame is made of constants.
                if shape[:1] == (1,) and not is_constant(value):
                    largest = max(largest, prod(shape))
        return max(1, _ELEMENTS_AT_ONCE // largest)

    def _function(self, name: str) -> FuncOp:
        for op in self._module.body.block.ops:
            if isinstance(op, FuncOp) and op.sym_name.data == name:
                return op
        raise InterpreterError(f"the module has no function @{name}")

    def _run_function(
        self, function: FuncOp, inputs: Sequence[Value]
    ) -> Sequence[Value]:
        block = function.body.block
        values: dict[SSAValue, Value] = dict(zip(block.args, inputs, strict=True))
        for op in block.ops:
            operands = [values[operand] for operand in op.operands]
            if isinstance(op, ReturnOp):
                return operands
            results = self._run_op(op, operands)
            if self._listener is not None:
                self._listener(op, results)
            values.update(zip(op.results, results, strict=True))
        return []

    def _run_op(self, op: Operation, operands: Sequence[Value]) -> Sequence[Value]:
        match op:
            case ConstantOp() | LoadOp() | DecodeOp():
                return [self._constant(op)]
            case CallOp():
                return self._call(op, operands)
            case FuncCallOp():
                callee = self._function(op.callee.string_value())
                return self._run_function(callee, operands)
            case _:
                pass
        for family in self._families:
            try:
                results = family(op, operands)
            except OverflowError as error:
                raise InterpreterError(f"{where(op)}: {error}") from None
            if results is not None:
                return results
        raise InterpreterError(f"the interpreter has no implementation of {op.name}")

    def _call(self, op: CallOp, operands: Sequence[Value]) -> Sequence[Value]:
        arrays = [as_array(value) for value in operands]
        if self._core is not None:
            return list(self._core(arrays))
        name = op.callee.string_value()
        for symbol in self._module.body.block.ops:
            if isinstance(symbol, HWModuleOp) and symbol.sym_name.data == name:
                # The simulator is a large import that other levels do without.
                from lowering.interpreter.wires import run_circuit

                return run_circuit(self._module, name, arrays)
        return self._run_function(self._function(name), arrays)

    def _constant(self, op: ConstantOp | LoadOp | DecodeOp) -> Value:
        if op not in self._constants:
            if isinstance(op, LoadOp) and weight_of(op) is None:
                raise InterpreterError(
                    f"the module has no constant {op.weight.string_value()!r}"
                )
            array = constant_array(op.out)
            # The operands of a decoding were run before it.
            assert array is not None
            self._constants[op] = array
        return self._constants[op]


def _frame_shape(value: SSAValue) -> tuple[int, ...]:
    match value.type:
        case TensorType():
            return shape_of(value)
        case StreamType() as stream:
            return stream.tensor.get_shape()
        case _:
            return ()


def fit_input(argument: SSAValue, array: Array, index: int) -> Array:
    """`array` as frames of an argument's type.

    Raises:
        InterpreterError: its shape or its values do not fit; NaN is refused.
    """
    if isinstance(argument.type, PackedType):
        return array
    type_ = argument.type
    type_ = type_.tensor if isinstance(type_, StreamType) else tensor_type(argument)
    shape, element = type_.get_shape(), type_.element_type
    if array.shape == shape[1:]:
        array = array[np.newaxis]
    if array.ndim != len(shape) or array.shape[1:] != shape[1:]:
        expected = ["N", *map(str, shape[1:])]
        raise InterpreterError(
            f"input {index} must have shape [{', '.join(expected)}], "
            f"got {list(array.shape)}"
        )
    if is_real(element):
        real = array.astype(np.float32)
        if np.isnan(real).any():
            raise InterpreterError(f"input {index} holds NaN")
        return real
    try:
        return fit_levels(array, element, f"input {index}")
    except LevelError as error:
        raise InterpreterError(str(error)) from None
