"""`posit-weights`: es by least error, exact sums, and what 64 bits do not hold."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from pass_agreement import TO_INTEGER, apply, assert_same
from real_weight_networks import layer
from xdsl.dialects.builtin import ModuleOp
from xdsl.utils.exceptions import PassFailedException

from lowering.interpreter.engine import Interpreter
from passes.lower_to_integer import LowerToIntegerPass
from passes.posit_weights import PositWeightsPass
from passes.weights_record import records
from qdialect.constants import DecodeOp, constant_array
from qdialect.data import Array
from qdialect.from_posit import FromPositOp
from qdialect.linear import MatMulOp
from qdialect.posit import PositType, posit_codes, posit_values
from qdialect.types import element_of, is_level, signed, unsigned, width_bits


def random_weights(seed: int, rows: int = 4, columns: int = 6) -> Array:
    rng = np.random.default_rng(seed)
    return rng.normal(0, rng.uniform(0.05, 3), (rows, columns)).astype(np.float32)


def posits_of(module: ModuleOp) -> Array:
    """The values of the one tensor of posits of a module, [O, I]."""
    (found,) = (op for op in module.walk() if isinstance(op, FromPositOp))
    values = constant_array(found.input)
    assert values is not None
    return values


def sums_of(module: ModuleOp) -> list[MatMulOp]:
    """The integer products of a module."""
    return [
        op
        for op in module.walk()
        if isinstance(op, MatMulOp) and is_level(element_of(op.out))
    ]


@pytest.mark.parametrize(
    ("n", "es"), [(8, 0), (8, 1), (8, 2), (5, 1), (16, 2), (32, 2)]
)
def test_sums_are_those_of_fractions(n: int, es: int) -> None:
    weights = random_weights(n)
    after = apply(layer(weights, signed(8)), PositWeightsPass(n, es))
    values = posits_of(after)
    type_ = PositType.of(n, es)
    np.testing.assert_array_equal(
        values, posit_values(posit_codes(weights, type_), type_)
    )
    frames = np.random.default_rng(1).integers(-128, 128, (30, 6))
    expected = [
        [
            # Rounded once, from the exact sum.
            np.float32(
                float(sum(Fraction(w) * x for w, x in zip(row, frame, strict=True)))
            )
            for row in values.tolist()
        ]
        for frame in frames.tolist()
    ]
    (found,) = Interpreter(after).run([frames])
    np.testing.assert_array_equal(found, expected)
    assert_same(after, apply(after, LowerToIntegerPass()), [frames])


@pytest.mark.parametrize("n", [3, 5, 8, 16])
@pytest.mark.parametrize("seed", range(4))
def test_es_of_the_least_error(n: int, seed: int) -> None:
    weights = random_weights(seed)
    chosen = posits_of(apply(layer(weights), PositWeightsPass(n, "auto")))
    errors = [
        float(
            np.square(
                posits_of(apply(layer(weights), PositWeightsPass(n, es))) - weights
            ).sum()
        )
        for es in range(5)
    ]
    assert float(np.square(chosen - weights).sum()) == min(errors)


def test_codes_of_up_to_eight_bits_stay_codes() -> None:
    weights = random_weights(0)
    for n, decodes in ((4, True), (8, True), (9, False)):
        module = layer(weights, unsigned(4))
        after = apply(module, PositWeightsPass(n), *TO_INTEGER)
        decoders = [op for op in after.walk() if isinstance(op, DecodeOp)]
        assert len(decoders) == decodes
        for op in decoders:
            codes = constant_array(op.codes)
            assert codes is not None
            assert element_of(op.codes) == unsigned(n)
            type_ = PositType.of(n, 1)
            np.testing.assert_array_equal(codes, posit_codes(weights, type_))
        (record,) = records(after)
        assert record.stored_bits == n * weights.size


def test_sums_of_64_bits_and_no_more() -> None:
    """Where the types alone would not do, the weights prove that 64 bits hold."""
    weights = np.array([[2.0**40, 2.0**-6, 0, 0, 0, 0, 0, 0]])
    for bits, fits in ((17, True), (18, False)):
        module = apply(layer(weights, unsigned(bits)), PositWeightsPass(16, 3))
        assert len(np.unique(posits_of(module))) == 3
        if not fits:
            with pytest.raises(
                PassFailedException,
                match=r"node 'fc'\): its sums may need 65 bits, of which there are 64; "
                "choose fewer bits for the weights, such as posits of smaller n or es",
            ):
                apply(module, LowerToIntegerPass())
            continue
        lowered = apply(module, LowerToIntegerPass())
        assert [width_bits(element_of(op.out)) for op in sums_of(lowered)] == [64]
        frames = np.full((1, 8), (1 << bits) - 1)
        (found,) = Interpreter(lowered).run([frames], "main")
        expected = Fraction((1 << bits) - 1) * (Fraction(2) ** 40 + Fraction(1, 64))
        assert found[0, 0] == np.float32(float(expected))
        assert_same(module, lowered, [frames])


def test_weights_that_64_bits_do_not_hold_are_refused() -> None:
    weights = np.array([[1e20, 1e-20]])
    with pytest.raises(PassFailedException, match=r"'fc'\).*lie \d+ bits, at most 63"):
        apply(layer(weights), PositWeightsPass(32, 4))
    tiny = np.array([[1e-38, 1e-38]])
    with pytest.raises(
        PassFailedException, match=r"multiples of 2\*\*-\d+, no float32"
    ):
        apply(layer(tiny), PositWeightsPass(32, 4))
    # es = 2 saturates at 2**120: an es that fits is chosen.
    apply(layer(weights), PositWeightsPass(6, "auto"))


def test_zeros_and_numbers_beyond_all_posits() -> None:
    weights = np.array([[0.0, 3e38], [1e-38, -3e38]])
    values = posits_of(apply(layer(weights), PositWeightsPass(8, 0)))
    assert values.tolist() == [[0, 64], [1 / 64, -64]]
    zeros = apply(layer(np.zeros((2, 2)), signed(4)), PositWeightsPass())
    assert_same(zeros, apply(zeros, LowerToIntegerPass()), [np.ones((1, 2), np.int8)])
