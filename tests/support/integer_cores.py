"""Integer cores, built op by op or drawn at random, for agreement tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from xdsl.dialects.builtin import FunctionType, ModuleOp, TensorType
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue

from qdialect.activation import LookupOp, ThresholdOp
from qdialect.calls import CallOp
from qdialect.constants import LoadOp, WeightOp, constant
from qdialect.data import Array, TensorDataAttr
from qdialect.elementwise import AddOp, BinaryOp, MulOp, SubOp
from qdialect.linear import MatMulOp
from qdialect.ranges import bounds, exact_bounds
from qdialect.semantics import storage_dtype
from qdialect.types import (
    BipolarType,
    TernaryType,
    element_of,
    integer_type_for,
    shape_of,
    signed,
    unsigned,
    value_range,
)

ELEMENTS: tuple[Attribute, ...] = (
    BipolarType(),
    TernaryType(),
    unsigned(1),
    unsigned(2),
    unsigned(3),
    unsigned(8),
    unsigned(11),
    signed(2),
    signed(3),
    signed(4),
    signed(8),
    signed(12),
    signed(16),
)


def random_levels(
    rng: np.random.Generator, element: Attribute, shape: Sequence[int]
) -> Array:
    """Values of an element type, its extremes more often than chance gives them."""
    low, high = value_range(element)
    values = rng.integers(low, high + 1, shape)
    extreme = rng.random(shape)
    values = np.where(extreme < 0.1, low, np.where(extreme > 0.9, high, values))
    if isinstance(element, BipolarType):
        values = np.where(values > 0, 1, -1)
    return values.astype(storage_dtype(element))


@dataclass
class CoreBuilder:
    """Builds one function `@core` on levels."""

    seed: int = 0
    weights: list[WeightOp] = field(default_factory=list[WeightOp])

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        self.block = Block()
        # In a module from the start: the ranges of products need the symbols.
        self._function = FuncOp(
            "core", FunctionType.from_lists([], []), Region(self.block)
        )
        self._module = ModuleOp([self._function])

    def argument(self, element: Attribute, *shape: int) -> SSAValue:
        """A new argument of the function."""
        index = len(self.block.args)
        return self.block.insert_arg(TensorType(element, shape), index)

    def add(self, op: Operation) -> SSAValue:
        """Append an op; its first result."""
        self.block.add_op(op)
        return op.results[0]

    def constant(self, values: object, element: Attribute | None = None) -> SSAValue:
        """An in-place constant."""
        return self.add(constant(np.asarray(values), element))

    def weight(self, values: Array, element: Attribute) -> SSAValue:
        """A constant that is a symbol of the module."""
        name = f"w{len(self.weights)}"
        data = TensorDataAttr.from_numpy(values, element)
        self.weights.append(WeightOp(name, data))
        self._module.body.block.add_op(self.weights[-1])
        return self.add(LoadOp(name, data.type))

    def linear(self, x: SSAValue, rows: int, element: Attribute) -> SSAValue:
        """A product with random weights, into an accumulator that just holds it."""
        columns = shape_of(x)[-1]
        weights = self.weight(
            random_levels(self.rng, element, (rows, columns)), element
        )
        return self.matmul(x, weights)

    def matmul(self, x: SSAValue, weights: SSAValue) -> SSAValue:
        """A product into an accumulator that just holds it."""
        shape = (*shape_of(x)[:-1], shape_of(weights)[0])
        probe = MatMulOp(x, weights, TensorType(signed(64), shape))
        low, high = exact_bounds(probe.out)
        probe.erase()
        return self.add(
            MatMulOp(
                x, weights, TensorType(integer_type_for(min(low, -1), high), shape)
            )
        )

    def threshold(
        self,
        x: SSAValue,
        element: Attribute,
        *,
        axis: int | None = None,
        steps: int = 0,
    ) -> SSAValue:
        """Random thresholds; channels rise, fall, or are constant."""
        shape = shape_of(x)
        axis = len(shape) - 1 if axis is None else axis
        low, high = bounds(x)
        least, greatest = value_range(element)
        steps = steps or min(greatest - least, 20)
        offset = 0
        if isinstance(element, BipolarType):
            steps = 1
        else:
            offset = int(self.rng.integers(least, greatest - steps + 1))
        channels = shape[axis]
        span = max((high - low) // 4, 1)
        middle = (high + low) // 2
        values = self.rng.integers(
            max(middle - span, low), min(middle + span, high) + 2, (channels, steps)
        )
        always, never = self.rng.random((2, channels)) < 0.1
        values[always], values[never] = low, high + 1
        values.sort(axis=1)
        falling = None
        if self.rng.random() < 0.7:
            falling = self.constant(
                self.rng.integers(0, 2, channels).astype(np.int64), unsigned(1)
            )
        return self.add(
            ThresholdOp(
                x,
                self.constant(values),
                TensorType(element, shape),
                falling=falling,
                offset=offset,
                axis=axis,
            )
        )

    def lookup(
        self, x: SSAValue, element: Attribute, *, axis: int | None = None
    ) -> SSAValue:
        """A random table over every value of `x`."""
        shape = shape_of(x)
        axis = len(shape) - 1 if axis is None else axis
        low, high = bounds(x)
        rows = (shape[axis], high - low + 1)
        table = self.constant(random_levels(self.rng, element, rows), element)
        return self.add(
            LookupOp(x, table, TensorType(element, shape), low=low, axis=axis)
        )

    def binary(
        self, kind: type[AddOp | SubOp | MulOp], a: SSAValue, b: SSAValue
    ) -> SSAValue:
        """A sum, difference or product in the type that just holds it."""
        shape = np.broadcast_shapes(shape_of(a), shape_of(b))
        probe: BinaryOp = kind(a, b, TensorType(signed(64), shape))
        low, high = exact_bounds(probe.out)
        probe.erase()
        return self.add(kind(a, b, TensorType(integer_type_for(low, high), shape)))

    def module(self, *results: SSAValue) -> ModuleOp:
        """The finished module, verified."""
        self.block.add_op(ReturnOp(*results))
        self._function.function_type = FunctionType.from_lists(
            [value.type for value in self.block.args], [value.type for value in results]
        )
        self._module.verify()
        return self._module


def called(module: ModuleOp) -> ModuleOp:
    """The module with a @main that calls its @core."""
    core = core_of(module).function_type
    block = Block(arg_types=core.inputs.data)
    call = CallOp("core", block.args, core.outputs.data)
    block.add_ops([call, ReturnOp(*call.outs)])
    type_ = FunctionType.from_lists(core.inputs.data, core.outputs.data)
    module.body.block.add_op(FuncOp("main", type_, Region(block)))
    return module


def core_of(module: ModuleOp) -> FuncOp:
    """The function `@core`."""
    return next(
        op
        for op in module.body.block.ops
        if isinstance(op, FuncOp) and op.sym_name.data == "core"
    )


def random_frames(module: ModuleOp, count: int, seed: int = 0) -> list[Array]:
    """Values for every argument of `@core`."""
    rng = np.random.default_rng(seed)
    return [
        random_levels(rng, element_of(a), (count, *shape_of(a)[1:]))
        for a in core_of(module).body.block.args
    ]


def random_core(seed: int, *, layers: int = 3) -> ModuleOp:
    """A core of linear layers whose types, sizes and activations come from a seed."""
    builder = CoreBuilder(seed)
    rng = builder.rng

    def drawn() -> Attribute:
        return ELEMENTS[rng.integers(len(ELEMENTS))]

    x = builder.argument(drawn(), 1, int(rng.integers(1, 140)))
    results: list[SSAValue] = []
    for _ in range(layers):
        sums = builder.linear(x, int(rng.integers(1, 75)), drawn())
        if rng.random() < 0.3:
            results.append(sums)
        if rng.random() < 0.3:
            bias = builder.constant(rng.integers(-9, 10, (1, shape_of(sums)[1])))
            sums = builder.binary((AddOp, SubOp)[rng.integers(2)], sums, bias)
        low, high = bounds(sums)
        if high - low < 500 and rng.random() < 0.3:
            x = builder.lookup(sums, drawn())
        else:
            x = builder.threshold(sums, drawn())
    return builder.module(*results, x)
