"""Integer cores converted to streams, a lane wide, which give what the cores gave."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from integer_cores import core_of, random_frames
from pass_agreement import apply
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation

from lowering.interpreter.engine import Interpreter
from passes.convert_to_qflow import ConvertToQflowPass
from qdialect.streams import StreamType


def converted(module: ModuleOp) -> ModuleOp:
    """On streams, each read once, a lane wide."""
    after = apply(module, ConvertToQflowPass())
    for op in core_of(after).body.block.ops:
        for result in op.results:
            if isinstance(result.type, StreamType):
                assert result.has_one_use()
                assert result.type.lanes == 1
    return after


def checked(module: ModuleOp, frames: int = 20) -> list[Operation]:
    """The units of a core, which give what it gave."""
    after = converted(module)
    inputs = random_frames(module, frames)
    expected = Interpreter(module).run(inputs, "core")
    found = Interpreter(after).run(inputs, "core")
    assert len(expected) == len(found)
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_array_equal(a, b)
    ops = core_of(after).body.block.ops
    return [op for op in ops if op.name.startswith("qflow.")]


def kinds(units: Sequence[Operation]) -> list[str]:
    """What each unit is."""
    return [op.name.removeprefix("qflow.") for op in units]
