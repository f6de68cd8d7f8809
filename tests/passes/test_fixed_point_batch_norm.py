"""`fixed-point-batch-norm`: `k * n + h` by integers of Python, and what it changes."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from norm_chains import CHANNELS, OUTPUTS, SCALE, STEP, Chain, parameters
from pass_agreement import TO_INTEGER, apply, assert_same
from random_networks import NetworkBuilder, random_frames, random_mlp
from topologies import TOPOLOGIES, Topology, random_images, topology_model
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Attribute
from xdsl.passes import ModulePass
from xdsl.utils.exceptions import PassFailedException, VerifyException

from lowering.interpreter.engine import Interpreter
from passes.fixed_point_batch_norm import FixedPointBatchNormPass
from passes.fixed_point_record import FixedPointRecord, records
from passes.floor_thresholds import FloorThresholdsPass
from qdialect.activation import LookupOp, ThresholdOp
from qdialect.constants import constant
from qdialect.data import Array
from qdialect.elementwise import AbsOp, AddOp, BatchNormOp, MulOp
from qdialect.pooling import MaxPoolOp
from qdialect.types import (
    BipolarType,
    element_of,
    signed,
    unsigned,
    value_range,
    width_bits,
)
from tools.onnx_import.frontend import import_onnx


def words(numbers: list[Fraction], bits: int) -> tuple[list[int], int]:
    """Numbers in words, with the most bits behind the point that some 60 allow."""
    for fraction in range(60, -60, -1):
        levels = [round(number * Fraction(2) ** fraction) for number in numbers]
        if all(-(2 ** (bits - 1)) <= n < 2 ** (bits - 1) for n in levels):
            return levels, fraction
    raise AssertionError("no point fits")


def expected_levels(
    slope: Array, intercept: Array, bits: int, numbers: Array, element: Attribute
) -> Array:
    """Levels [R, C] of `k * n + h`, by integers and one rounding to float32."""
    ks, k_fraction = words([Fraction(float(s)) * Fraction(SCALE) for s in slope], bits)
    hs, h_fraction = words([Fraction(float(h)) for h in intercept], bits)
    levels = np.empty((len(numbers), CHANNELS), np.int64)
    for row, n in enumerate(numbers.tolist()):
        for channel, (k, h) in enumerate(zip(ks, hs, strict=True)):
            y = k * n * Fraction(2) ** -k_fraction + h * Fraction(2) ** -h_fraction
            rounded = Fraction(float(np.float32(float(y))))
            if isinstance(element, BipolarType):
                levels[row, channel] = 1 if rounded >= 0 else -1
            else:
                low, high = value_range(element)
                level = round(rounded / Fraction(STEP))
                levels[row, channel] = min(max(level, low), high)
    return levels


def run(module: ModuleOp, frames: Array) -> Array:
    (result,) = Interpreter(module).run([frames])
    return result.astype(np.int64)


def steps(levels: Array, element: Attribute) -> Array:
    return levels // 2 if isinstance(element, BipolarType) else levels


@pytest.mark.parametrize("element", OUTPUTS, ids=str)
@pytest.mark.parametrize("bits", [3, 6, 16])
@pytest.mark.parametrize("seed", range(8))
def test_levels_and_counts(element: Attribute, bits: int, seed: int) -> None:
    slope, intercept = parameters(seed)
    module = Chain(signed(8), slope, intercept).quantised(element)
    numbers = np.arange(-128, 128)
    frames = np.repeat(numbers[:, None], CHANNELS, axis=1)
    exact, fixed = run(module, frames), apply(module, FixedPointBatchNormPass(bits))
    wanted = expected_levels(slope, intercept, bits, numbers, element)
    np.testing.assert_array_equal(run(fixed, frames), wanted)
    floored = apply(fixed, FloorThresholdsPass())
    np.testing.assert_array_equal(run(floored, frames), wanted)
    assert not any(isinstance(op, MulOp | AddOp) for op in floored.walk())
    distance = np.abs(steps(wanted, element) - steps(exact, element))
    (record,) = records(floored)
    assert record.values == (256,) * CHANNELS
    assert record.differing == tuple((distance > 0).sum(axis=0).tolist())
    assert record.greatest == tuple(distance.max(axis=0).tolist())


def test_few_bits_are_worse_than_many() -> None:
    totals: list[int] = []
    for bits in (3, 6, 16):
        total = 0
        for seed in range(8):
            module = Chain(signed(8), *parameters(seed)).quantised(unsigned(2))
            (record,) = records(apply(module, FixedPointBatchNormPass(bits)))
            total += sum(record.differing)
        totals.append(total)
    assert totals[0] > totals[1] > totals[2]


@pytest.mark.parametrize("element", OUTPUTS, ids=str)
@pytest.mark.parametrize("seed", range(8))
def test_bisected_counts_are_those_of_the_table(element: Attribute, seed: int) -> None:
    module = Chain(signed(8), *parameters(seed)).quantised(element)
    tabulated = records(apply(module, FixedPointBatchNormPass(4)))
    assert records(apply(module, FixedPointBatchNormPass(4, max_table=0))) == tabulated
    # Signs alone need not differ.
    assert isinstance(element, BipolarType) or sum(tabulated[0].differing) > 0


def test_sums_of_wide_accumulators_stay_exact() -> None:
    # Of 16 bits, both would have so many behind the point that the sum had 60.
    slope, intercept = np.full(CHANNELS, 1e-7), np.full(CHANNELS, 3.0)
    module = Chain(signed(32), slope, intercept).quantised(unsigned(4))
    fixed = apply(module, FixedPointBatchNormPass())
    sums = [op.out for op in fixed.walk() if isinstance(op, AddOp)]
    assert all(width_bits(element_of(value)) <= 54 for value in sums)
    rng = np.random.default_rng(0)
    frames = rng.integers(-(1 << 31), 1 << 31, (1000, CHANNELS))
    floored = apply(fixed, FloorThresholdsPass())
    assert_same(fixed, floored, [frames])


def test_a_channel_counts_what_it_can_take() -> None:
    builder = NetworkBuilder(6, 0)
    builder.quantise(BipolarType(), 1.0)
    builder.linear(4, signed(3))
    builder.batch_norm()
    builder.quantise(unsigned(2), 0.5)
    weights = builder.weights[0].value.to_numpy().astype(np.int64)
    (record,) = records(apply(builder.module(), *fixed_passes()))
    assert record.values == tuple((2 * np.abs(weights).sum(axis=1) + 1).tolist())


def fixed_passes(bits: int = 16) -> tuple[ModulePass, ...]:
    """The passes up to batch norms in fixed point."""
    kinds = [type(pass_) for pass_ in TO_INTEGER]
    end = kinds.index(FloorThresholdsPass)
    return (*TO_INTEGER[:end], FixedPointBatchNormPass(bits))


def rest() -> tuple[ModulePass, ...]:
    kinds = [type(pass_) for pass_ in TO_INTEGER]
    return TO_INTEGER[kinds.index(FloorThresholdsPass) :]


@pytest.mark.parametrize("seed", range(40))
def test_everything_behind_computes_the_same(seed: int) -> None:
    module = random_mlp(seed)
    norms = [op for op in module.walk() if isinstance(op, BatchNormOp)]
    fixed = apply(module, *fixed_passes(4))
    # Its biases stand behind scales: no multiplication by constants, no batch norm.
    assert len(records(fixed)) == len(norms)
    integer = apply(fixed, *rest())
    assert records(integer) == records(fixed)
    assert_same(fixed, integer, [random_frames(module, 200, seed)])


@pytest.mark.parametrize("topology", TOPOLOGIES, ids=lambda t: t.name)
def test_maps(topology: Topology) -> None:
    data = topology_model(topology, divisor=16).SerializeToString()
    module = import_onnx(data, name=f"{topology.name}.onnx")
    fixed = apply(module, *fixed_passes(4))
    integer = apply(fixed, *rest())
    assert len(records(integer)) == len(topology.convolutions) + len(topology.dense)
    assert sum(sum(record.differing) for record in records(integer)) > 0
    frames = random_images(8)
    assert_same(fixed, integer, [frames])
    exact, rounded = (Interpreter(m).run([frames])[0] for m in (module, integer))
    assert not np.array_equal(exact, rounded)
    # Pools are of levels still, not of accumulators.
    pools = [op for op in integer.walk() if isinstance(op, MaxPoolOp)]
    assert len(pools) == len(topology.pooled)
    assert all(width_bits(element_of(op.input)) <= 2 for op in pools)


def test_a_chain_that_turns_back_becomes_a_table() -> None:
    chain = Chain(signed(8), *parameters(1))
    chain.value = chain.add(AbsOp(chain.value, chain.value.type))
    module = chain.quantised(unsigned(2))
    fixed = apply(module, FixedPointBatchNormPass(5))
    floored = apply(fixed, FloorThresholdsPass())
    kinds = [type(op) for op in floored.walk()]
    assert LookupOp in kinds
    assert ThresholdOp not in kinds
    frames = np.repeat(np.arange(-128, 128)[:, None], CHANNELS, axis=1)
    assert_same(fixed, floored, [frames])
    with pytest.raises(PassFailedException, match="raise max-table"):
        apply(module, FixedPointBatchNormPass(5, max_table=0))


@pytest.mark.parametrize("extreme", [1e-30, 1e36])
def test_numbers_of_any_size_have_a_point(extreme: float) -> None:
    module = Chain(
        signed(8), np.full(CHANNELS, extreme), np.full(CHANNELS, -extreme)
    ).quantised(BipolarType())
    fixed = apply(module, FixedPointBatchNormPass())
    frames = np.repeat(np.arange(-128, 128)[:, None], CHANNELS, axis=1)
    assert_same(module, fixed, [frames])


def test_what_is_not_finite_is_refused() -> None:
    module = Chain(signed(8), np.full(CHANNELS, np.inf), np.zeros(CHANNELS)).quantised(
        BipolarType()
    )
    with pytest.raises(
        PassFailedException, match=r"qnn\.mul: a constant is not finite"
    ):
        apply(module, FixedPointBatchNormPass())


def test_a_record_that_was_edited_is_refused() -> None:
    module = Chain(signed(8), *parameters(0)).quantised(BipolarType())
    fixed = apply(module, FixedPointBatchNormPass())
    name = "qnn.fixed_point_batch_norm"
    fixed.attributes[name] = constant(np.zeros(1, np.int64)).value
    with pytest.raises(VerifyException, match="expected what fixed-point-batch-norm"):
        records(fixed)


def test_a_record_in_words() -> None:
    record = FixedPointRecord("bn", 16, 20, 14, (9, 9), (0, 2), (0, 1))
    assert str(record) == (
        "batch norm 'bn' in 16-bit fixed point, 20 bits behind the point of k and 14 of "
        "h: another level for 2 of 18 accumulator values, in 1 of 2 channels, by 1 at "
        "most"
    )
    same = replace(record, differing=(0, 0), greatest=(0, 0))
    assert str(same).endswith("another level for 0 of 18 accumulator values")
