"""`floor-thresholds` means what the float chain meant, on every accumulator."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pass_agreement import TO_INTEGER, apply, assert_same
from random_networks import random_frames, random_mlp
from xdsl.dialects.builtin import FunctionType, ModuleOp, TensorType
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.utils.exceptions import PassFailedException

from passes.floor_thresholds import FloorThresholdsPass
from qdialect.activation import LookupOp, ThresholdOp
from qdialect.constants import constant, constant_array
from qdialect.data import Array
from qdialect.elementwise import AbsOp, BatchNormOp, MulOp, TanhOp
from qdialect.quantisers import DequantizeOp, QuantizeOp, Rounding, SignOp
from qdialect.selection import TopKOp
from qdialect.types import F32, BipolarType, TernaryType, signed, unsigned

GAMMAS = {
    "positive": [0.5, 1.0, 0.3],
    "negative": [-0.5, -1.0, -0.3],
    "mixed with zero": [0.25, 0.0, -0.75],
}
OUTPUTS: tuple[Attribute, ...] = (
    BipolarType(),
    TernaryType(),
    unsigned(1),
    unsigned(2),
    unsigned(4),
    signed(2),
    signed(4),
    signed(8),
)


class ChainBuilder:
    """`@main`: levels [1, 3] of a type, a float chain, a quantiser."""

    def __init__(self, element: Attribute):
        self.block = Block(arg_types=[TensorType(element, (1, 3))])
        self.type = TensorType(F32, (1, 3))
        zero = self.add(constant(np.zeros((), np.float32)))
        scale = self.add(constant(np.array(0.25, np.float32)))
        self.value = self.add(DequantizeOp(self.block.args[0], scale, zero, self.type))

    def add(self, op: Operation) -> SSAValue:
        self.block.add_op(op)
        return op.results[0]

    def batch_norm(self, gamma: list[float]) -> None:
        rows = [gamma, [0.125, -0.5, 1.0], [1.5, -2.0, 0.0], [1.0, 4.0, 0.3]]
        values = [self.add(constant(np.array(r, np.float32))) for r in rows]
        op = BatchNormOp(self.value, *values, epsilon=0.0, axis=1, out=self.type)
        self.value = self.add(op)

    def quantise(
        self, element: Attribute, rounding: Rounding, narrow: bool, scale: float
    ) -> None:
        type_ = TensorType(element, (1, 3))
        parameters = [constant(np.array(v, np.float32)) for v in (scale, 0.0)]
        s, z = (self.add(p) for p in parameters)
        op = QuantizeOp(self.value, s, z, type_, rounding=rounding, narrow=narrow)
        self.value = self.add(op)

    def module(self) -> ModuleOp:
        self.block.add_op(ReturnOp(self.value))
        type_ = FunctionType.from_lists([self.block.args[0].type], [self.value.type])
        module = ModuleOp([FuncOp("main", type_, Region(self.block))])
        module.verify()
        return module


def every_level(low: int, high: int) -> Array:
    return np.repeat(np.arange(low, high + 1)[:, None], 3, axis=1)


def floats_left(module: ModuleOp) -> bool:
    return any(
        isinstance(op, DequantizeOp | QuantizeOp | SignOp) for op in module.walk()
    )


@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("rounding", list(Rounding))
def test_grid_of_quantisers_on_every_accumulator(
    rounding: Rounding, gamma: str
) -> None:
    """Seven roundings x gamma signs x types x narrow x scales, ties included."""
    for element, narrow, scale in itertools.product(
        OUTPUTS, (False, True), (0.25, 0.5, 0.3)
    ):
        if narrow and (element == unsigned(1) or isinstance(element, BipolarType)):
            continue
        builder = ChainBuilder(signed(8))
        builder.batch_norm(GAMMAS[gamma])
        builder.quantise(element, rounding, narrow, scale)
        module = builder.module()
        after = apply(module, FloorThresholdsPass())
        assert not floats_left(after)
        assert not any(isinstance(op, LookupOp) for op in after.walk())
        assert_same(module, after, [every_level(-128, 127)])


def test_a_chain_that_is_not_monotone_becomes_a_table() -> None:
    builder = ChainBuilder(signed(6))
    builder.value = builder.add(AbsOp(builder.value, builder.type))
    builder.quantise(unsigned(3), Rounding.HALF_EVEN, False, 0.5)
    module = builder.module()
    after = apply(module, FloorThresholdsPass())
    assert any(isinstance(op, LookupOp) for op in after.walk())
    assert_same(module, after, [every_level(-32, 31)])


def test_bisection_gives_the_thresholds_of_the_table() -> None:
    builder = ChainBuilder(signed(12))
    builder.batch_norm(GAMMAS["mixed with zero"])
    builder.quantise(signed(4), Rounding.HALF_DOWN, False, 0.3)
    module = builder.module()
    tabulated = apply(module, FloorThresholdsPass())
    bisected = apply(module, FloorThresholdsPass(max_table=16))
    inputs = [every_level(-2048, 2047)]
    assert_same(module, bisected, inputs)
    assert_same(tabulated, bisected, inputs)


def test_a_falling_chain_that_is_constant_is_bisected_as_that() -> None:
    """Negative slopes so small that all accumulators have one level."""
    builder = ChainBuilder(signed(12))
    builder.batch_norm([-(2.0**-60)] * 3)
    builder.quantise(signed(4), Rounding.HALF_EVEN, False, 100.0)
    module = builder.module()
    after = apply(module, FloorThresholdsPass(max_table=16))
    assert_same(module, after, [every_level(-2048, 2047)])


def test_a_range_of_40_bits_is_bisected_exactly() -> None:
    builder = ChainBuilder(signed(40))
    builder.batch_norm([2.0**-30, -(2.0**-33), 2.0**-35])
    builder.quantise(signed(4), Rounding.HALF_EVEN, False, 0.5)
    module = builder.module()
    after = apply(module, FloorThresholdsPass())
    found = [op for op in after.walk() if isinstance(op, ThresholdOp)]
    steps = constant_array(found[0].thresholds)
    assert steps is not None
    around = np.concatenate([steps.T + d for d in (-1, 0, 1)])
    around = np.clip(around, -(1 << 39), (1 << 39) - 1)
    rng = np.random.default_rng(0)
    inputs = [np.concatenate([around, rng.integers(-(1 << 39), 1 << 39, (500, 3))])]
    assert_same(module, after, inputs)


def test_a_large_range_without_proof_is_refused() -> None:
    builder = ChainBuilder(signed(30))
    builder.value = builder.add(TanhOp(builder.value, builder.type))
    builder.quantise(signed(4), Rounding.HALF_EVEN, False, 0.5)
    with pytest.raises(PassFailedException, match="not known to be monotone"):
        apply(builder.module(), FloorThresholdsPass())


@pytest.mark.parametrize("factor", [0.5, -0.5])
def test_argmax_of_a_scaled_accumulator(factor: float) -> None:
    builder = ChainBuilder(signed(8))
    other = builder.add(constant(np.array(factor, np.float32)))
    builder.value = builder.add(MulOp(builder.value, other, builder.type))
    op = TopKOp(
        builder.value, TensorType(F32, (1, 1)), TensorType(unsigned(2), (1, 1)), axis=1
    )
    builder.block.add_op(op)
    builder.value = op.indices
    module = builder.module()
    after = apply(module, FloorThresholdsPass())
    # A falling factor turns the order round, so only the rising one is moved.
    assert floats_left(after) == (factor < 0)
    rng = np.random.default_rng(0)
    assert_same(module, after, [rng.integers(-3, 4, (500, 3))])


@pytest.mark.parametrize("seed", range(30))
def test_random_networks_to_the_integer_level(seed: int) -> None:
    module = random_mlp(seed)
    assert_same(module, apply(module, *TO_INTEGER), [random_frames(module, 200, seed)])


@pytest.mark.slow
@settings(max_examples=1000, deadline=None)
@given(st.integers(min_value=100, max_value=1_000_000))
def test_many_random_networks(seed: int) -> None:
    module = random_mlp(seed)
    assert_same(module, apply(module, *TO_INTEGER), [random_frames(module, 60, seed)])
