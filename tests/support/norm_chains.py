"""A batch norm between accumulators and a quantiser, with parameters of any size."""

from __future__ import annotations

import numpy as np
from xdsl.dialects.builtin import FunctionType, ModuleOp, TensorType
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue

from qdialect.constants import constant
from qdialect.data import Array
from qdialect.elementwise import AddOp, MulOp
from qdialect.quantisers import DequantizeOp, QuantizeOp, SignOp
from qdialect.types import F32, BipolarType, signed, unsigned

CHANNELS = 5
SCALE = 0.25  # of the accumulators
STEP = 0.5  # of the levels

OUTPUTS = (BipolarType(), unsigned(2), signed(4))


class Chain:
    """`@main`: accumulators [1, C] of a type, a batch norm, a quantiser."""

    def __init__(self, element: Attribute, slope: Array, intercept: Array):
        self.block = Block(arg_types=[TensorType(element, (1, CHANNELS))])
        real = TensorType(F32, (1, CHANNELS))
        scale, zero = self.number(SCALE), self.number(0)
        x = self.add(DequantizeOp(self.block.args[0], scale, zero, real))
        product = self.add(MulOp(x, self.number(slope), real))
        self.value = self.add(AddOp(product, self.number(intercept), real))

    def add(self, op: Operation) -> SSAValue:
        self.block.add_op(op)
        return op.results[0]

    def number(self, values: Array | float) -> SSAValue:
        return self.add(constant(np.asarray(values, np.float32)))

    def quantised(self, element: Attribute) -> ModuleOp:
        type_ = TensorType(element, (1, CHANNELS))
        if isinstance(element, BipolarType):
            result = self.add(SignOp(self.value, type_))
        else:
            step, zero = self.number(STEP), self.number(0)
            result = self.add(QuantizeOp(self.value, step, zero, type_))
        self.block.add_op(ReturnOp(result))
        type_ = FunctionType.from_lists([self.block.args[0].type], [result.type])
        module = ModuleOp([FuncOp("main", type_, Region(self.block))])
        module.verify()
        return module


def parameters(seed: int) -> tuple[Array, Array]:
    """Slopes and intercepts of a layer, of any size; some are 0."""
    rng = np.random.default_rng(seed)
    slope = rng.normal(0, 10 ** rng.uniform(-2, 0.5), CHANNELS)
    slope[rng.integers(CHANNELS)] = 0
    intercept = rng.normal(0, 10 ** rng.uniform(-2, 0.5), CHANNELS)
    return slope.astype(np.float32), intercept.astype(np.float32)
