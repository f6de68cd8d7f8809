"""Random quantised MLPs, built straight in `qnn`, for agreement tests."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from xdsl.dialects.builtin import FunctionType, ModuleOp, TensorType
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue

from qdialect.constants import LoadOp, WeightOp, constant
from qdialect.data import TensorDataAttr
from qdialect.elementwise import AddOp, BatchNormOp, HardTanhOp, ReluOp
from qdialect.linear import MatMulOp
from qdialect.quantisers import DequantizeOp, QuantizeOp, Rounding, SignOp
from qdialect.types import (
    F32,
    BipolarType,
    TernaryType,
    shape_of,
    signed,
    unsigned,
    value_range,
)

Floats = npt.NDArray[np.float32]


@dataclass
class NetworkBuilder:
    """Builds one function `@main` of f32 vectors [1, n], layer by layer."""

    width: int
    seed: int
    weights: list[WeightOp] = field(default_factory=list[WeightOp])

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        self.block = Block(arg_types=[TensorType(F32, (1, self.width))])
        self.value: SSAValue = self.block.args[0]

    def _add(self, op: Operation) -> SSAValue:
        self.block.add_op(op)
        return op.results[0]

    def _real(self, array: npt.ArrayLike) -> SSAValue:
        return self._add(constant(np.asarray(array, np.float32)))

    def quantise(
        self,
        element: Attribute,
        scale: float,
        *,
        zero: int = 0,
        rounding: Rounding = Rounding.HALF_EVEN,
        narrow: bool = False,
    ) -> None:
        """A quantiser and its dequantiser."""
        type_ = TensorType(element, (1, self.width))
        s, z = self._real(scale), self._real(float(zero))
        if isinstance(element, BipolarType):
            levels = self._add(SignOp(self.value, type_))
        else:
            levels = self._add(
                QuantizeOp(self.value, s, z, type_, rounding=rounding, narrow=narrow)
            )
        self.value = self._add(
            DequantizeOp(levels, s, z, TensorType(F32, (1, self.width)))
        )

    def linear(
        self, outputs: int, element: Attribute, *, per_channel: bool = False
    ) -> None:
        """A product with random weights of an element type."""
        low, high = value_range(element)
        shape = (outputs, self.width)
        levels = self.rng.integers(low, high + 1, shape)
        if isinstance(element, BipolarType):
            levels = np.where(levels > 0, 1, -1)
        name = f"w{len(self.weights)}"
        data = TensorDataAttr.from_numpy(levels, element)
        self.weights.append(WeightOp(name, data))
        loaded = self._add(LoadOp(name, data.type))
        if per_channel:
            scale = self._real(self.rng.uniform(0.05, 0.3, (outputs, 1)))
        else:
            scale = self._real(2.0 ** -self.rng.integers(0, 4))
        zero = self._real(0.0)
        weights = self._add(DequantizeOp(loaded, scale, zero, TensorType(F32, shape)))
        self.width = outputs
        self.value = self._add(
            MatMulOp(self.value, weights, TensorType(F32, (1, outputs)))
        )

    def batch_norm(self, *, gamma: Floats | None = None) -> None:
        """A batch normalisation with gammas of both signs, some zero."""
        n = self.width
        if gamma is None:
            gamma = self.rng.normal(0, 1, n).astype(np.float32)
            gamma[self.rng.random(n) < 0.1] = 0
        parameters = [
            gamma,
            self.rng.normal(0, 1, n),
            self.rng.normal(0, 3, n),
            self.rng.uniform(0.5, 20, n),
        ]
        self.value = self._add(
            BatchNormOp(
                self.value,
                *(self._real(p) for p in parameters),
                epsilon=1e-5,
                axis=1,
                out=TensorType(F32, (1, n)),
            )
        )

    def bias(self) -> None:
        """A bias a channel."""
        shape = TensorType(F32, (1, self.width))
        values = self._real(self.rng.integers(-4, 5, self.width) / 2)
        self.value = self._add(AddOp(self.value, values, shape))

    def relu(self) -> None:
        """max(x, 0)."""
        self.value = self._add(ReluOp(self.value, TensorType(F32, (1, self.width))))

    def hardtanh(self) -> None:
        """Clamp to [-1, 1]."""
        self.value = self._add(
            HardTanhOp(self.value, -1.0, 1.0, TensorType(F32, (1, self.width)))
        )

    def module(self) -> ModuleOp:
        """The finished module, verified."""
        self.block.add_op(ReturnOp(self.value))
        type_ = FunctionType.from_lists([self.block.args[0].type], [self.value.type])
        function = FuncOp("main", type_, Region(self.block))
        module = ModuleOp([function, *self.weights])
        module.verify()
        return module


WEIGHTS: tuple[Attribute, ...] = (
    BipolarType(),
    TernaryType(),
    signed(2),
    signed(3),
    signed(4),
    signed(8),
)
ACTIVATIONS: tuple[Attribute, ...] = (
    BipolarType(),
    TernaryType(),
    unsigned(1),
    unsigned(2),
    signed(3),
    unsigned(4),
    signed(8),
)


def random_mlp(
    seed: int,
    *,
    widths: tuple[int, ...] = (13, 9, 7, 5),
    weights: tuple[Attribute, ...] = WEIGHTS,
    activations: tuple[Attribute, ...] = ACTIVATIONS,
) -> ModuleOp:
    """An MLP whose types, scales and activations are drawn from a seed."""
    builder = NetworkBuilder(widths[0], seed)
    rng = np.random.default_rng(seed + 1)

    def quantise() -> None:
        element = activations[rng.integers(len(activations))]
        builder.quantise(
            element,
            float(2.0 ** -rng.integers(0, 3)) if rng.random() < 0.5 else 0.37,
            zero=int(rng.integers(-1, 2)) if rng.random() < 0.3 else 0,
            rounding=list(Rounding)[rng.integers(len(Rounding))],
            narrow=bool(rng.random() < 0.3) and value_range(element)[1] > 1,
        )

    quantise()
    for i, width in enumerate(widths[1:], start=1):
        builder.linear(
            width, weights[rng.integers(len(weights))], per_channel=rng.random() < 0.3
        )
        if i == len(widths) - 1:
            break
        choice = rng.random()
        if choice < 0.6:
            builder.batch_norm()
        else:
            builder.bias()
        if rng.random() < 0.4:
            builder.relu()
        elif rng.random() < 0.3:
            builder.hardtanh()
        quantise()
    return builder.module()


def random_frames(module: ModuleOp, count: int, seed: int) -> Floats:
    """Inputs [count, n] over and beyond the range of small quantisers."""
    function = next(op for op in module.body.block.ops if isinstance(op, FuncOp))
    width = shape_of(function.body.block.args[0])[1]
    rng = np.random.default_rng(seed)
    return (rng.integers(-24, 25, (count, width)) / 4).astype(np.float32)
