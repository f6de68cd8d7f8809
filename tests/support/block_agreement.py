"""Models of blocks side by side, one input and one output each, on every target."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Protocol

import numpy as np
from onnx import ModelProto
from pass_agreement import apply
from xdsl.dialects.builtin import ModuleOp

from lowering.c.engine import CEngine
from lowering.hw.engine import RtlEngine
from lowering.interpreter.engine import Core, Interpreter
from qdialect.data import Array
from tools.onnx_import.frontend import import_onnx
from tools.pipelines import find_pipeline


class Frames(Protocol):
    """A block that makes inputs for itself."""

    def frames(self, count: int) -> Array:
        """So many frames of its input."""
        ...


def network_of(model: ModelProto) -> ModuleOp:
    """The imported model, verified."""
    network = import_onnx(model.SerializeToString(), name="blocks.onnx")
    network.verify()
    return network


def assert_blocks_agree(
    model: ModelProto,
    blocks: Sequence[Frames],
    pipeline: str,
    *cores: type[CEngine | RtlEngine],
    count: int,
) -> None:
    """A pipeline's module gives what the network does, bit for bit.

    Args:
        model: of the blocks.
        blocks: in the order of its inputs and outputs.
        pipeline: by name.
        cores: what runs the integer core, hardware also with stalls; without any, the
            interpreter.
        count: of the frames.
    """
    network = network_of(model)
    frames = [block.frames(count) for block in blocks]
    expected = Interpreter(network).run(frames)
    module = apply(network, *find_pipeline(pipeline).passes)
    engines: list[Core | None] = [core(module) for core in cores] or [None]
    stalled = [
        partial(engine, pause_in_percent=40, pause_out_percent=60)
        for engine in engines
        if isinstance(engine, RtlEngine)
    ]
    for engine in (*engines, *stalled):
        found = Interpreter(module, core=engine).run(frames)
        for block, a, b in zip(blocks, found, expected, strict=True):
            assert np.array_equal(a, b), block
