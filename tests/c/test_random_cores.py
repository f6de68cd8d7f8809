"""Random cores of several layers: C equals the interpreter, packed or not."""

import numpy as np
import pytest
from c_programs import SANITIZED, run_in_c
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from integer_cores import random_core, random_frames
from map_cores import random_map_core
from pass_agreement import apply
from xdsl.dialects.builtin import ModuleOp

from lowering.c.engine import CEngine
from lowering.interpreter.engine import Interpreter
from passes.bitpack import BitpackPass
from qdialect.packed import WORD_BITS


def variants(module: ModuleOp, seed: int) -> list[ModuleOp]:
    """The core as it is, packed wherever possible, and packed in another layout."""
    word_bits = WORD_BITS[seed % len(WORD_BITS)]
    return [
        module,
        apply(module, BitpackPass(max_popcounts=1000)),
        apply(module, BitpackPass(word_bits, panel=1 + seed % 7, max_popcounts=12)),
    ]


@pytest.mark.parametrize("seed", range(12))
def test_compiled_programs(seed: int) -> None:
    module = random_core(seed)
    frames = random_frames(module, 20)
    expected = Interpreter(module).run(frames, "core")
    found = run_in_c(variants(module, seed)[seed % 3], frames, SANITIZED)
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_array_equal(a, b)


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(seed=st.integers(100, 10_000), layers=st.integers(1, 4))
def test_the_engine(seed: int, layers: int) -> None:
    module = random_core(seed, layers=layers)
    frames = random_frames(module, 50)
    expected = Interpreter(module).run(frames, "core")
    found = CEngine(variants(module, seed)[seed % 3])(frames)
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("seed", range(12))
def test_compiled_programs_on_maps(seed: int) -> None:
    module = random_map_core(seed)
    frames = random_frames(module, 6)
    expected = Interpreter(module).run(frames, "core")
    found = run_in_c(variants(module, seed)[seed % 3], frames, SANITIZED)
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 160))
def test_many_compiled_programs(seed: int) -> None:
    module = random_core(seed)
    frames = random_frames(module, 20)
    expected = Interpreter(module).run(frames, "core")
    for variant in variants(module, seed):
        for flags in (SANITIZED, ("-O3", "-march=native")):
            found = run_in_c(variant, frames, flags)
            for a, b in zip(expected, found, strict=True):
                np.testing.assert_array_equal(a, b)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 200))
def test_many_compiled_programs_on_maps(seed: int) -> None:
    module = random_map_core(seed)
    frames = random_frames(module, 6)
    expected = Interpreter(module).run(frames, "core")
    for variant in variants(module, seed):
        found = run_in_c(variant, frames, SANITIZED)
        for a, b in zip(expected, found, strict=True):
            np.testing.assert_array_equal(a, b)
