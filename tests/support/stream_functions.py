"""Functions on streams, built unit by unit, and their check against simulation.

Put many units side by side in one function, each with arguments and a result of its own:
they are compiled once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from integer_cores import core_of, random_levels
from pass_agreement import apply
from xdsl.dialects.builtin import FunctionType, ModuleOp, TensorType
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue

from lowering.hw.convert_qflow_to_hw import ConvertQflowToHwPass
from lowering.hw.engine import RtlEngine
from lowering.hw.top import axis_names
from lowering.interpreter.engine import Interpreter
from qdialect.beats import Wire, beat_times
from qdialect.calls import CallOp
from qdialect.constants import constant
from qdialect.data import Array
from qdialect.streams import StreamType, stream_of, stream_type

PAUSES = ((50, 0), (0, 70), (40, 60), (95, 5))
"""Percent of the cycles in which inputs and outputs pause."""


def stream(element: Attribute, shape: Sequence[int], lanes: int) -> StreamType:
    """The stream of a tensor."""
    return stream_of(TensorType(element, shape), lanes)


class StreamFunction:
    """Builds a function `@core` on streams, and `@main` that calls it."""

    def __init__(self, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.block = Block()
        self.results: list[SSAValue] = []

    def argument(
        self, element: Attribute, shape: Sequence[int], lanes: int
    ) -> SSAValue:
        """A new argument of the function."""
        type_ = stream(element, shape, lanes)
        return self.block.insert_arg(type_, len(self.block.args))

    def constant(self, values: object, element: Attribute | None = None) -> SSAValue:
        """A constant of the function."""
        return self.add(constant(np.asarray(values), element))

    def add(self, op: Operation) -> SSAValue:
        """Append an op; its first result."""
        op.verify()
        self.block.add_op(op)
        return op.results[0]

    def result(self, value: SSAValue) -> None:
        """Return a stream as well."""
        self.results.append(value)

    def module(self) -> ModuleOp:
        """The finished module, verified."""
        self.block.add_op(ReturnOp(*self.results))
        type_ = FunctionType.from_lists(
            [value.type for value in self.block.args],
            [value.type for value in self.results],
        )
        takes = [stream_type(value).tensor for value in self.block.args]
        gives = [stream_type(value).tensor for value in self.results]
        outer = Block(arg_types=takes)
        call = CallOp("core", outer.args, gives)
        outer.add_ops([call, ReturnOp(*call.outs)])
        main = FuncOp("main", FunctionType.from_lists(takes, gives), Region(outer))
        module = ModuleOp(
            [
                FuncOp("core", type_, Region(self.block)),
                main,
            ]
        )
        module.verify()
        return module


def frames_for(module: ModuleOp, count: int, seed: int = 0) -> list[Array]:
    """Random levels for every argument of `@core`."""
    rng = np.random.default_rng(seed)
    streams = [stream_type(a).tensor for a in core_of(module).body.block.args]
    return [
        random_levels(rng, t.element_type, (count, *t.get_shape()[1:])) for t in streams
    ]


def frame_ends(wire: Wire, frames: int) -> list[int]:
    """The cycle in which the last beat of each frame is taken."""
    beats = len(wire.takes) // frames
    return [int(cycle) for cycle in wire.takes[beats - 1 :: beats]]


def check_simulation(module: ModuleOp, frames: int = 6) -> None:
    """Simulated SystemVerilog gives the interpreter's values, with pauses and without.

    Without them every frame of every result leaves in the predicted cycle.
    """
    inputs = frames_for(module, frames)
    expected = Interpreter(module).run(inputs, "core")
    predicted = beat_times(core_of(module), frames)
    engine = RtlEngine(apply(module, ConvertQflowToHwPass()))
    for found, wanted in zip(engine(inputs), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert engine.run is not None
    times = engine.run.times
    start = min(t.first[0] for name, t in times.items() if name.startswith("s_axis"))
    names = axis_names("m", len(predicted.outputs))
    for number, (name, wire) in enumerate(zip(names, predicted.outputs, strict=True)):
        found = [cycle - start for cycle in times[name].last]
        assert found == frame_ends(wire, frames), f"result {number}"
    for seed, (pause_in, pause_out) in enumerate(PAUSES):
        paused = engine(
            inputs, pause_in_percent=pause_in, pause_out_percent=pause_out, seed=seed
        )
        for found, wanted in zip(paused, expected, strict=True):
            np.testing.assert_array_equal(found, wanted)
