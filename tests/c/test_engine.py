"""`CEngine`: batches through compiled C, in place of the interpreter's core."""

import numpy as np
import pytest
from integer_cores import CoreBuilder, random_core
from integer_cores import random_frames as core_frames
from pass_agreement import TO_INTEGER, apply
from random_networks import random_frames, random_mlp

from lowering.c.engine import CEngine
from lowering.c.errors import CError
from lowering.interpreter.engine import Interpreter
from passes.bitpack import BitpackPass
from qdialect.types import BipolarType, signed


@pytest.mark.parametrize("seed", range(8))
def test_whole_networks_with_a_core_in_c(seed: int) -> None:
    """Real inputs to real outputs: only the core changes."""
    module = apply(random_mlp(seed), *TO_INTEGER, BitpackPass())
    frames = [random_frames(module, 200, seed)]
    expected = Interpreter(module).run(frames)
    found = Interpreter(module, core=CEngine(module)).run(frames)
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_array_equal(a, b)


def test_no_frames() -> None:
    module = random_core(1)
    results = CEngine(module)([frame[:0] for frame in core_frames(module, 1)])
    assert [len(result) for result in results] == [0] * len(results)


def test_calls_do_not_disturb_one_another() -> None:
    module = random_core(2)
    engine = CEngine(module)
    first, second = core_frames(module, 9, 1), core_frames(module, 9, 2)
    before = [result.copy() for result in engine(first)]
    engine(second)
    for a, b in zip(before, engine(first), strict=True):
        np.testing.assert_array_equal(a, b)


def test_arrays_that_do_not_fit() -> None:
    builder = CoreBuilder()
    x = builder.argument(BipolarType(), 1, 5)
    y = builder.argument(signed(4), 1, 2)
    engine = CEngine(builder.module(builder.linear(x, 3, BipolarType()), y))
    x_frames, y_frames = np.ones((4, 5), np.int8), np.ones((4, 2), np.int8)
    assert [r.shape for r in engine([x_frames, y_frames])] == [(4, 3), (4, 2)]
    with pytest.raises(CError, match="takes 2 inputs, got 1"):
        engine([x_frames])
    with pytest.raises(CError, match=r"in1 must have shape \[N, 2\].* got \[4, 3\]"):
        engine([x_frames, np.ones((4, 3), np.int8)])
    with pytest.raises(CError, match=r"hold \[2, 4\] frames"):
        engine([x_frames, y_frames[:2]])


def test_inputs_of_any_layout_and_dtype() -> None:
    builder = CoreBuilder()
    x = builder.argument(signed(4), 1, 6)
    module = builder.module(builder.linear(x, 3, signed(3)))
    frames = np.arange(-8, 8).repeat(6).reshape(6, 16).T
    (expected,) = Interpreter(module).run([frames], "core")
    (found,) = CEngine(module)([frames])
    np.testing.assert_array_equal(found, expected)


def test_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(
        CError, match="no C compiler: cc and gcc are not found; install"
    ):
        CEngine(random_core(0))
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(CError, match="CC names no-such-compiler not found"):
        CEngine(random_core(0))


def test_a_compiler_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "false")
    with pytest.raises(CError, match="false does not compile the generated C: no mess"):
        CEngine(random_core(0))
