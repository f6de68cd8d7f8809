"""Residual sums of convolutions that are not quantised again, on every target.

Their scales differ from channel to channel, as do the factors of the exact sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from block_agreement import assert_blocks_agree, network_of
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx_graphs import OnnxGraph, by_onnx_runtime
from pass_agreement import apply
from qdq_blocks import Grid
from random_maps import MapNetwork
from simulators import needs_simulator
from trt_blocks import TrtBlock, draw_trt_block, trt_model
from xdsl.dialects.builtin import ModuleOp
from xdsl.utils.exceptions import PassFailedException

from lowering.c.engine import CEngine
from lowering.hw.engine import RtlEngine
from lowering.interpreter.engine import Interpreter
from passes.narrow_sums import NarrowSumsPass
from qdialect.constants import constant_array
from qdialect.elementwise import MulOp
from tools.onnx_import.frontend import import_onnx
from tools.pipelines import find_pipeline

_TOGETHER = 6
FRAMES = 20

batches = pytest.mark.parametrize(
    "first",
    [
        pytest.param(first, marks=[pytest.mark.slow] if first else [])
        for first in range(0, 60, _TOGETHER)
    ],
)


def blocks_from(first: int) -> list[TrtBlock]:
    return [draw_trt_block(seed) for seed in range(first, first + _TOGETHER)]


def check(
    blocks: Sequence[TrtBlock], pipeline: str, *cores: type[CEngine | RtlEngine]
) -> None:
    model = trt_model(blocks)
    assert_blocks_agree(model, blocks, pipeline, *cores, count=FRAMES)


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 1 << 32))
def test_integer_level(seed: int) -> None:
    check([draw_trt_block(seed)], "bnn-integer")


@batches
def test_onnx_runtime(first: int) -> None:
    """It rounds products and sums; a level may be another where one is close to a tie."""
    blocks = blocks_from(first)
    frames = [block.frames(FRAMES) for block in blocks]
    found = Interpreter(network_of(trt_model(blocks))).run(frames)
    expected = by_onnx_runtime(trt_model(blocks), *frames)
    for block, a, b in zip(blocks, found, expected, strict=True):
        distances = np.abs(a.astype(int) - b.astype(int))
        assert distances.max() <= 1, block
        assert distances.mean() < 1e-2, block
        assert len(np.unique(a)) > 20, block


def test_sums_with_a_shortcut_are_narrow() -> None:
    """Factors of 24 and 34 bits become ones of 9 and 20; with 8 bits no more is needed."""
    block = replace(draw_trt_block(0), projects=False, per_channel=True)
    passes = find_pipeline("bnn-integer").passes
    count = [type(pass_) for pass_ in passes].index(NarrowSumsPass)
    wide = apply(network_of(trt_model([block])), *passes[:count])
    narrow = apply(wide, *passes[count:])
    assert max(factors(wide)) >> 26
    assert min(factors(narrow)) < 1 << 9
    assert max(factors(narrow)) < 1 << 20


def factors(module: ModuleOp) -> list[int]:
    """The greatest of what each product multiplies levels with."""
    found = [constant_array(op.rhs) for op in module.walk() if isinstance(op, MulOp)]
    return [int(np.abs(array).max()) for array in found if array is not None]


@batches
def test_c(first: int) -> None:
    check(blocks_from(first), "bnn-c", CEngine)


@needs_simulator
@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_rtl(seed: int) -> None:
    """With pauses, too: the requantised shortcut waits behind a unit of many stages."""
    check([draw_trt_block(seed)], "bnn-fpga", RtlEngine)


def test_binary_layer_with_a_shortcut() -> None:
    """Past a binary convolution with its batch norm the accumulators of another go."""
    network = MapNetwork(0, (2, 6, 6))
    network.quantise(3)
    network.conv(4, 3, pads=[1] * 4)
    shortcut = network.batch_norm()
    network.quantise(1)
    network.conv(4, 3, bits=1, pads=[1] * 4)
    network.batch_norm()
    network.op("Add", shortcut, name="shortcut")
    network.quantise(1)
    network.conv(2, 1, bits=1)
    module = import_onnx(network.bytes(), name="maps")
    frames = np.random.default_rng(0).normal(0, 1, (50, 2, 6, 6)).astype(np.float32)
    after = apply(module, *find_pipeline("bnn-c").passes)
    (expected,) = Interpreter(module).run([frames])
    (found,) = Interpreter(after, core=CEngine(after)).run([frames])
    assert np.array_equal(found, expected)


def test_scales_too_far_apart_are_refused() -> None:
    block = replace(draw_trt_block(0), projects=False)
    far = replace(block.shortcut, scale=block.shortcut.scale * 2.0**40)
    graph = OnnxGraph()
    levels = replace(block, shortcut=far).append(graph, "x0")
    x = block.result.dequantised(graph, levels)
    ones = np.ones((1, block.channels, 1, 1))
    weights = Grid(0.5, 0, signed=True).dequantised(
        graph, graph.constant(ones, np.int8)
    )
    sums = block.result.quantised(graph, graph.op("Conv", x, weights))
    network = import_onnx(graph.bytes(sums), name="far")
    message = r"qnn.add \(node 'Add_\d+'\) .*; put a quantiser on each of them"
    with pytest.raises(PassFailedException, match=message):
        apply(network, *find_pipeline("bnn-integer").passes)


def test_concatenated() -> None:
    block = replace(draw_trt_block(0), join="Concat", projects=True)
    check([block], "bnn-c", CEngine)
