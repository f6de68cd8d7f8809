"""Do two engines agree? Every level of every frame is compared, for equality."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from xdsl.dialects.builtin import ModuleOp

from lowering.interpreter.engine import Core, Interpreter
from qdialect.data import Array
from tools.comparison import describe_difference, unequal, within_rounding


@dataclass(frozen=True)
class Agreement:
    """How an engine compares with the interpreter.

    Attributes:
        engine: what was compared.
        frames: frames that were run.
        frames_equal: frames of which every value is equal.
        values: values that were compared: levels of the core, outputs of the network.
        first: where they first differ; empty where they do not.
    """

    engine: str
    frames: int
    frames_equal: int
    values: int
    first: str = ""

    @property
    def agrees(self) -> bool:
        """Whether all values of all frames are equal."""
        return self.frames_equal == self.frames


@dataclass(frozen=True)
class Reference:
    """What the interpreter gives: the levels at both ends of the core, the outputs."""

    core_inputs: list[Array]
    core_outputs: list[Array]
    outputs: list[Array]


class _Watched:
    """A core that keeps what passes it; the interpreter may call it batch by batch."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._arguments: list[Sequence[Array]] = []
        self._results: list[Sequence[Array]] = []

    def __call__(self, arguments: Sequence[Array]) -> Sequence[Array]:
        results = self._core(arguments)
        self._arguments.append(list(arguments))
        self._results.append(list(results))
        return results

    @property
    def arguments(self) -> list[Array]:
        """Each argument, of all frames."""
        return [np.concatenate(parts) for parts in zip(*self._arguments, strict=True)]

    @property
    def results(self) -> list[Array]:
        """Each result, of all frames."""
        return [np.concatenate(parts) for parts in zip(*self._results, strict=True)]


def reference_run(module: ModuleOp, inputs: Sequence[Array]) -> Reference:
    """Run a network at the integer level, @main calling @core, on the interpreter.

    Raises:
        InterpreterError: it cannot be run.
    """
    interpreter = Interpreter(module)
    watched = _Watched(lambda arguments: interpreter.run(arguments, "core"))
    outputs = Interpreter(module, core=watched).run(inputs)
    return Reference(watched.arguments, watched.results, outputs)


def compare_outputs(
    engine: str, outputs: Sequence[Array], expected: Sequence[Array]
) -> Agreement:
    """Compare the outputs of two runs; real ones may differ by float32 rounding.

    Args:
        engine: name of what is compared.
        outputs: frames along the leading axis.
        expected: what the interpreter gives for the network as trained.
    """
    rounded = [within_rounding(*pair) for pair in zip(expected, outputs, strict=True)]
    found = _agreement(
        engine,
        [f"output {i}" for i in range(len(outputs))],
        [
            old if close else new
            for old, new, close in zip(expected, outputs, rounded, strict=True)
        ],
        expected,
    )
    inexact = any(
        close and unequal(old, new).any()
        for old, new, close in zip(expected, outputs, rounded, strict=True)
    )
    if inexact:
        return replace(found, engine=f"{engine}, float32 rounding aside")
    return found


def compare_core(
    engine: str,
    module: ModuleOp,
    core: Core,
    inputs: Sequence[Array],
    reference: Reference,
) -> Agreement:
    """Run the network with another core, and compare with the interpreter.

    Every level that leaves the core is compared, and every output of the network.

    Args:
        engine: name of what is compared.
        module: the network, @main calling a core.
        core: runs the core.
        inputs: the frames of the reference, or the first of them.
        reference: what the interpreter gave.
    """
    watched = _Watched(core)
    outputs = Interpreter(module, core=watched).run(inputs)
    levels = watched.results
    frames = len(inputs[0])
    return _agreement(
        engine,
        [
            *(f"core output {i}" for i in range(len(levels))),
            *(f"output {i}" for i in range(len(outputs))),
        ],
        [*levels, *outputs],
        [a[:frames] for a in (*reference.core_outputs, *reference.outputs)],
    )


def _agreement(
    engine: str,
    names: Sequence[str],
    found: Sequence[Array],
    expected: Sequence[Array],
) -> Agreement:
    frames = len(expected[0])
    equal = np.ones(frames, bool)
    first = ""
    for name, want, got in zip(names, expected, found, strict=True):
        difference = describe_difference(want, got)
        if difference is None:
            continue
        first = first or f"{name}: {difference}"
        if want.shape == got.shape:
            equal &= ~unequal(want, got).reshape(frames, -1).any(axis=1)
        else:
            equal[:] = False
    values = sum(array.size for array in expected)
    return Agreement(engine, frames, int(equal.sum()), values, first)
