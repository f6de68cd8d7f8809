"""`quantize-inputs`: only raw inputs of products get a grid, and a fine one."""

import numpy as np
import pytest
from pass_agreement import TO_INTEGER, apply, assert_same
from random_networks import NetworkBuilder, random_frames, random_mlp

from lowering.interpreter.engine import Interpreter
from passes.quantize_inputs import QuantizeInputsPass
from qdialect.data import Array
from qdialect.quantisers import QuantizeOp
from qdialect.types import TernaryType, signed


def test_a_quantised_input_is_left_alone() -> None:
    module = random_mlp(0)
    assert str(apply(module, QuantizeInputsPass())) == str(module)


def test_a_raw_input_is_rounded_to_the_grid() -> None:
    builder = NetworkBuilder(6, 0)
    builder.linear(5, signed(6))
    builder.quantise(signed(6), 0.25)
    builder.linear(3, TernaryType())
    module = builder.module()
    after = apply(module, QuantizeInputsPass())
    assert sum(isinstance(op, QuantizeOp) for op in after.walk()) == 2
    # Values on the grid pass unchanged, and so does everything behind them.
    assert_same(module, after, [random_frames(module, 200, 0)])
    assert_same(after, apply(module, *TO_INTEGER), [random_frames(module, 200, 0)])


@pytest.mark.parametrize(("bits", "fraction"), [(8, 4), (16, 10), (32, 24)])
def test_the_error_is_at_most_half_a_step(bits: int, fraction: int) -> None:
    builder = NetworkBuilder(1, 0)
    builder.linear(1, signed(2))
    module = builder.module()
    after = apply(module, QuantizeInputsPass(bits=bits, fraction=fraction))
    x = np.random.default_rng(0).uniform(-4, 4, (1000, 1)).astype(np.float32)
    seen: list[Array] = []
    Interpreter(
        after,
        listener=lambda op, results: (
            seen.append(np.asarray(results[0])) if isinstance(op, QuantizeOp) else None
        ),
    ).run([x])
    error = np.abs(seen[0] * 2.0**-fraction - x)
    assert float(error.max()) <= 2.0 ** -(fraction + 1)
