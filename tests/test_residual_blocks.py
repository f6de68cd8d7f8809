"""Generated int8 residual blocks on every target: any scales, zero points and signs.

They stand side by side in one model, which is compiled once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from block_agreement import assert_blocks_agree, network_of
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto
from onnx_graphs import OnnxGraph, by_onnx_runtime
from pass_agreement import apply
from qdq_blocks import Block, Grid, blocks_model, draw_block
from simulators import needs_simulator
from xdsl.dialects.builtin import ModuleOp
from xdsl.utils.exceptions import PassFailedException

from lowering.c.engine import CEngine
from lowering.hw.engine import RtlEngine
from lowering.interpreter.engine import Interpreter, InterpreterError
from passes.lower_to_integer import LowerToIntegerPass
from passes.narrow_sums import NarrowSumsPass
from qdialect.constants import constant_array
from qdialect.elementwise import MulOp
from tools.onnx_import.frontend import import_onnx
from tools.pipelines import find_pipeline

_TOGETHER = 5
FRAMES = 20

batches = pytest.mark.parametrize(
    "first",
    [
        pytest.param(first, marks=[pytest.mark.slow] if first else [])
        for first in range(0, 150, _TOGETHER)
    ],
)


def blocks_from(first: int) -> list[Block]:
    return [draw_block(seed) for seed in range(first, first + _TOGETHER)]


def check(
    blocks: Sequence[Block], pipeline: str, *cores: type[CEngine | RtlEngine]
) -> None:
    model = blocks_model(blocks)
    assert_blocks_agree(model, blocks, pipeline, *cores, count=FRAMES)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1 << 32))
def test_integer_level(seed: int) -> None:
    check([draw_block(seed)], "bnn-integer")


@batches
def test_onnx_runtime(first: int) -> None:
    """It rounds products and sums; a level may be another where one is close to a tie."""
    blocks = blocks_from(first)
    frames = [block.frames(FRAMES) for block in blocks]
    found = Interpreter(network_of(blocks_model(blocks))).run(frames)
    expected = by_onnx_runtime(blocks_model(blocks), *frames)
    pairs = zip(found, expected, strict=True)
    distances = [np.abs(a.astype(int) - b.astype(int)).ravel() for a, b in pairs]
    differ = np.concatenate(distances)
    assert differ.max() <= 1
    assert differ.mean() < 1e-3


@batches
def test_sums_are_narrow(first: int) -> None:
    """Factors of 20 bits and more become ones of 13 at most; a concat needs none."""
    passes = find_pipeline("bnn-integer").passes
    count = [type(pass_) for pass_ in passes].index(NarrowSumsPass)
    wide = apply(network_of(blocks_model(blocks_from(first))), *passes[:count])
    narrow = apply(wide, *passes[count:])
    assert max(factors(wide), default=0) >> 20
    assert not max(factors(narrow), default=0) >> 13


def factors(module: ModuleOp) -> list[int]:
    """What levels are multiplied with."""
    found = [constant_array(op.rhs) for op in module.walk() if isinstance(op, MulOp)]
    return [int(array.max()) for array in found if array is not None]


@batches
def test_c(first: int) -> None:
    check(blocks_from(first), "bnn-c", CEngine)


@needs_simulator
@batches
def test_rtl(first: int) -> None:
    check(blocks_from(first), "bnn-fpga", RtlEngine)


def wide_sum(scale: float) -> ModelProto:
    """A sum of levels of 32 bits, of scale 1 and of another."""
    graph = OnnxGraph()
    reals = [
        graph.op(
            "DequantizeLinear",
            graph.input(("n", 2), name=f"x{i}", dtype=TensorProto.INT32),
            graph.constant(own),
        )
        for i, own in enumerate((1, scale))
    ]
    result = Grid(1.0, 0, signed=True)
    return graph.model(result.quantised(graph, graph.op("Add", *reals)))


def test_sums_that_64_bits_do_not_hold_are_refused() -> None:
    network = import_onnx(wide_sum(1.0000001 * 2**-14).SerializeToString())
    small, large = np.ones((1, 2), np.int32), np.full((1, 2), 2**31 - 1, np.int32)
    (found,) = Interpreter(network).run([small, large])
    assert np.array_equal(found, [[127, 127]])
    with pytest.raises(InterpreterError, match=r"node 'Add_2'.* may exceed 64 bits"):
        Interpreter(network).run([large, small])
    with pytest.raises(PassFailedException, match=r"Add_2.* no grid .* below 2\*\*53"):
        apply(network, LowerToIntegerPass())
