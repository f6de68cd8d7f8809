"""When every beat passes every stream: an exact schedule of a function on streams.

Cycles are counted from the one in which the first beat is offered to the function. Each
unit tells, beat by beat, in which cycle it takes one and from which cycle on it offers
one; both follow from the cycles of its neighbours alone, so that no clock needs to tick:
the work is proportional to the beats, not to the cycles.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Operation, SSAValue

from qdialect import qflow
from qdialect.beat_actors import (
    Actor,
    ConverterActor,
    FifoActor,
    ForkActor,
    PipelineActor,
    Sink,
    StoreActor,
    Wire,
)
from qdialect.lane_conversion import LaneConversion
from qdialect.pipelines import (
    Pipeline,
    Stage,
    Store,
    fifo_capacity,
    fifo_latency,
    stages_of,
)
from qdialect.streams import stream_operands, stream_type
from qdialect.units import units


class DeadlockError(Exception):
    """A function in which some unit waits for ever."""


@dataclass(frozen=True)
class BeatTimes:
    """The schedule of some frames.

    Attributes:
        frames: their number.
        wires: of each stream.
        outputs: the wires of the results.
    """

    frames: int
    wires: Mapping[SSAValue, Wire]
    outputs: Sequence[Wire]

    def last_beats(self) -> list[int]:
        """For each frame, the cycle in which its last output beat is taken."""
        ends = [
            [wire.takes[i] for i in _frame_ends(wire, self.frames)]
            for wire in self.outputs
        ]
        return [max(cycles) for cycles in zip(*ends, strict=True)]


def _frame_ends(wire: Wire, frames: int) -> range:
    beats = len(wire.takes) // frames
    return range(beats - 1, len(wire.takes), beats)


def beat_times(
    function: FuncOp,
    frames: int,
    *,
    depths: Mapping[Operation, int] | None = None,
    offered: Callable[[int, int], Sequence[int]] | None = None,
) -> BeatTimes:
    """The schedule of `frames` frames from an idle start; the outputs are always taken.

    Args:
        function: a function on streams.
        frames: number of frames.
        depths: depths for some of its FIFOs, instead of their own.
        offered: from the number of a frame and that of its beats, the cycles in which
            they are offered; all at once where it is not given.

    Raises:
        DeadlockError: some unit waits for ever.
    """
    wires: dict[SSAValue, Wire] = {}
    block = function.body.block
    for argument in block.args:
        beats = stream_type(argument).beats_per_frame
        at_once = [0] * beats
        cycles = [offered(n, beats) if offered else at_once for n in range(frames)]
        wires[argument] = Wire([cycle for frame in cycles for cycle in frame])
    actors: list[tuple[Actor, list[Wire]]] = []
    for op in units(function):
        for result in op.results:
            wires[result] = Wire()
        actors += _actors(op, frames, wires, depths or {})
    end = block.last_op
    assert isinstance(end, ReturnOp)
    outputs = [wires[value] for value in end.operands]
    _run(actors + [(Sink(wire), [wire]) for wire in outputs])
    expected = [frames * stream_type(v).beats_per_frame for v in end.operands]
    if [len(wire.takes) for wire in outputs] != expected:
        raise DeadlockError("the units wait for each other")
    return BeatTimes(frames, wires, outputs)


def _run(actors: Sequence[tuple[Actor, list[Wire]]]) -> None:
    """Let every actor go on until none can."""
    ends: dict[int, set[int]] = {}
    for number, (_, wires) in enumerate(actors):
        for wire in wires:
            ends.setdefault(id(wire), set()).add(number)
    neighbours = [
        sorted(set[int]().union(*(ends[id(wire)] for wire in wires)) - {number})
        for number, (_, wires) in enumerate(actors)
    ]
    pending = dict.fromkeys(range(len(actors)))
    while pending:
        number = next(iter(pending))
        del pending[number]
        if actors[number][0].progress():
            pending.update(dict.fromkeys(neighbours[number]))


def _actors(
    op: Operation,
    frames: int,
    wires: Mapping[SSAValue, Wire],
    depths: Mapping[Operation, int],
) -> list[tuple[Actor, list[Wire]]]:
    """The actors of a unit, with the wires that each reads and writes."""
    sources = [wires[value] for value in stream_operands(op)]
    source = sources[0]
    outs = [wires[result] for result in op.results]
    match op:
        case qflow.FifoOp():
            depth = depths.get(op, op.depth.value.data)
            actor: Actor = FifoActor(
                fifo_capacity(depth), fifo_latency(depth), source, outs[0]
            )
            return [(actor, [source, outs[0]])]
        case qflow.ForkOp():
            return [(ForkActor(source, outs), [source, *outs])]
        case _:
            return _chain(stages_of(op), frames, sources, outs[0])


def _chain(
    stages: Sequence[Stage], frames: int, sources: Sequence[Wire], out: Wire
) -> list[tuple[Actor, list[Wire]]]:
    """The actors of the stages of a unit, one behind the other."""
    between = [Wire() for _ in stages[1:]]
    actors: list[tuple[Actor, list[Wire]]] = []
    for stage, left, right in zip(
        stages, [sources[0], *between], [*between, out], strict=True
    ):
        read = [*sources] if left is sources[0] else [left]
        match stage:
            case Pipeline():
                repeats = frames * stage.repeats
                actor: Actor = PipelineActor(stage, repeats, read, right)
            case LaneConversion() if stage.is_wire:
                actor = ForkActor(left, [right])
            case LaneConversion():
                actor = ConverterActor(stage, left, right)
            case Store():
                actor = StoreActor(stage, frames, left, right)
        actors.append((actor, [*read, right]))
    return actors
