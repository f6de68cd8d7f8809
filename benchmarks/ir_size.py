"""Time to print and to parse a network of 13.4 Mbit of weights.

The topology is that of the binary CIFAR-10 accelerator of Zhao et al. 2017 (FPGA'17):
its layers as matrices, with random weights; only their number matters here.
"""

from __future__ import annotations

import io
import time

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import Builtin, FunctionType, ModuleOp, TensorType
from xdsl.dialects.func import Func, FuncOp, ReturnOp
from xdsl.ir import Block, Region, SSAValue
from xdsl.parser import Parser
from xdsl.printer import Printer

from qdialect.activation import ThresholdOp
from qdialect.constants import LoadOp, WeightOp, constant
from qdialect.data import TensorDataAttr
from qdialect.linear import MatMulOp
from qdialect.qnn import Qnn
from qdialect.types import BipolarType, signed

# Inputs an output and outputs of each layer.
LAYERS = (
    (27, 128),
    (1152, 128),
    (1152, 256),
    (2304, 256),
    (2304, 512),
    (4608, 512),
    (8192, 1024),
    (1024, 1024),
    (1024, 10),
)
LIMIT_SECONDS = 0.2


def network() -> tuple[ModuleOp, int]:
    """A chain of layers with random weights, and its number of weight bits."""
    rng = np.random.default_rng(0)
    block = Block(arg_types=[TensorType(BipolarType(), (1, LAYERS[0][0]))])
    weights: list[WeightOp] = []
    bits = 0
    value: SSAValue = block.args[0]
    for index, (width, height) in enumerate(LAYERS):
        # A fresh value of the right width stands for the window of a convolution.
        if index and width != LAYERS[index - 1][1]:
            value = block.insert_arg(
                TensorType(BipolarType(), (1, width)), len(block.args)
            )
        data = rng.integers(0, 2, (height, width)) * 2 - 1
        attribute = TensorDataAttr.from_numpy(data, BipolarType())
        weights.append(WeightOp(f"layer{index}", attribute))
        bits += data.size
        load = LoadOp(f"layer{index}", attribute.type)
        sums = MatMulOp(value, load, TensorType(signed(15), (1, height)))
        steps = constant(rng.integers(-99, 100, (height, 1)), signed(15))
        out = TensorType(BipolarType(), (1, height))
        result = ThresholdOp(sums, steps, out, axis=1)
        block.add_ops((load, sums, steps, result))
        value = result.out
    block.add_op(ReturnOp(value))
    type_ = FunctionType.from_lists([a.type for a in block.args], [value.type])
    module = ModuleOp([FuncOp("main", type_, Region(block)), *weights])
    module.verify()
    return module, bits


def main() -> None:
    """Print the best of five times, and whether they are within the limit."""
    module, bits = network()
    context = Context()
    for dialect in (Builtin, Func, Qnn):
        context.load_dialect(dialect)
    printing: list[float] = []
    parsing: list[float] = []
    parsed = module
    text = ""
    for _ in range(5):
        start = time.perf_counter()
        stream = io.StringIO()
        Printer(stream).print_op(module)
        text = stream.getvalue()
        printed = time.perf_counter()
        parsed = Parser(context, text).parse_module()
        printing.append(printed - start)
        parsing.append(time.perf_counter() - printed)
    assert parsed.is_structurally_equivalent(module)
    print(f"weights   {bits / 1e6:.2f} Mbit, text {len(text) / 1e6:.2f} MB")
    for what, times in (("print", printing), ("parse", parsing)):
        verdict = "ok" if min(times) < LIMIT_SECONDS else "TOO SLOW"
        print(f"{what}     {min(times):.3f} s (limit {LIMIT_SECONDS} s) {verdict}")


if __name__ == "__main__":
    main()
