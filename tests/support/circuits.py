"""Small networks as circuits, for tests of what reads and runs them."""

from __future__ import annotations

from functools import cache

from pass_agreement import TO_INTEGER, apply
from random_networks import random_frames, random_mlp
from xdsl.dialects.builtin import ModuleOp

from lowering.hw.convert_qflow_to_hw import ConvertQflowToHwPass
from lowering.interpreter.engine import Interpreter
from passes.convert_to_qflow import ConvertToQflowPass
from passes.fold import FoldPass
from passes.insert_fifos import InsertFifosPass
from qdialect.data import Array

# Seeds whose networks together hold every kind of unit and of weights.
SEEDS = (2, 3, 5, 11)


@cache
def streams(seed: int, max_cycles: int = 24) -> ModuleOp:
    """A random MLP, folded, at the stream level."""
    return apply(
        random_mlp(seed, widths=(12, 9, 7, 4)),
        *TO_INTEGER,
        ConvertToQflowPass(),
        FoldPass(max_cycles=max_cycles),
        InsertFifosPass(),
    )


@cache
def circuit(seed: int, max_cycles: int = 24) -> ModuleOp:
    """The same network as a circuit."""
    return apply(streams(seed, max_cycles), ConvertQflowToHwPass())


def frames_and_outputs(seed: int, count: int) -> tuple[Array, Array]:
    """Inputs of a network, and what the interpreter gives as trained."""
    module = random_mlp(seed, widths=(12, 9, 7, 4))
    frames = random_frames(module, count, seed)
    return frames, Interpreter(module).run([frames])[0]
