"""`quantize-inputs`: give inputs that no quantiser reads a fixed-point grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, NameLoc, NoneAttr, StringAttr
from xdsl.dialects.func import FuncOp
from xdsl.ir import BlockArgument, Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint, Rewriter

from qdialect.constants import constant
from qdialect.convolution import ConvOp
from qdialect.linear import MatMulOp
from qdialect.pooling import SumPoolOp
from qdialect.quantisers import DequantizeOp, QuantizeOp
from qdialect.types import (
    element_of,
    is_level,
    is_real,
    signed,
    tensor_type,
    with_element,
)


def _reaches_product(value: SSAValue) -> bool:
    """Whether a real value reaches a sum of products before any quantiser."""
    for use in value.uses:
        op = use.operation
        if isinstance(op, MatMulOp | ConvOp | SumPoolOp):
            return True
        for result in op.results:
            # Levels end the search: a quantiser has read the value.
            if not is_level(element_of(result)) and _reaches_product(result):
                return True
    return False


def _quantise(argument: BlockArgument, bits: int, fraction: int) -> None:
    type_ = tensor_type(argument)
    scale = constant(np.array(2.0**-fraction, np.float32))
    zero = constant(np.zeros((), np.float32))
    levels = QuantizeOp(argument, scale, zero, with_element(type_, signed(bits)))
    values = DequantizeOp(levels, scale, zero, type_)
    new: list[Operation] = [scale, zero, levels, values]
    for op in new:
        op.location = NameLoc(StringAttr(QuantizeInputsPass.name), NoneAttr())
    Rewriter.insert_op(new, InsertPoint.at_start(argument.block))
    argument.replace_uses_with_if(values.out, lambda use: use.operation is not levels)


@dataclass(frozen=True)
class QuantizeInputsPass(ModulePass):
    """Round every real input that reaches a product unquantised to fixed point.

    A network whose first layer multiplies raw real numbers has no integer form. Its
    input is rounded, half to even, to multiples of 2**-fraction in a word of `bits`
    bits, and saturates at the ends of the word. Inputs that a quantiser reads first are
    left alone. Not exact: the error of an input is at most half a grid step, with the
    default less than that of float32 at 1.0.
    """

    name = "quantize-inputs"

    bits: int = 32
    """Word length of the fixed-point input."""
    fraction: int = 24
    """Bits behind the binary point."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for function in op.body.block.ops:
            if not isinstance(function, FuncOp) or function.is_declaration:
                continue
            for argument in function.args:
                if is_real(element_of(argument)) and _reaches_product(argument):
                    _quantise(argument, self.bits, self.fraction)
