"""`shift-batch-norm`: AP2 of every scale, where zeros stay, and what it changes."""

from __future__ import annotations

from fractions import Fraction
from math import log2

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from norm_chains import CHANNELS, OUTPUTS, SCALE, Chain, parameters
from pass_agreement import TO_INTEGER, apply, assert_same
from random_maps import MapNetwork
from random_networks import random_frames, random_mlp
from xdsl.dialects.builtin import i64
from xdsl.ir import Attribute
from xdsl.passes import ModulePass
from xdsl.utils.exceptions import PassFailedException, VerifyException

from lowering.interpreter.engine import Interpreter
from passes.fixed_point_batch_norm import FixedPointBatchNormPass
from passes.fixed_point_record import records as fixed_point_records
from passes.floor_thresholds import FloorThresholdsPass
from passes.shift_batch_norm import ShiftBatchNormPass, nearest_power
from passes.shift_record import records
from qdialect.data import Array
from qdialect.types import BipolarType, signed
from tools.onnx_import.frontend import import_onnx

FLOATS = st.floats(-1e30, 1e30, allow_nan=False)


@given(FLOATS)
def test_nearest_power(number: float) -> None:
    sign, exponent = nearest_power(Fraction(number))
    assert sign == np.sign(number)
    if number:
        # So near to halfway the logarithm of a float cannot tell.
        assume(abs(log2(abs(number)) % 1 - 0.5) > 1e-9)
        assert exponent == round(log2(abs(number)))


@pytest.mark.parametrize("exponent", range(-140, 121, 20))
def test_a_power_of_two_is_its_own(exponent: int) -> None:
    assert nearest_power(Fraction(2) ** exponent) == (1, exponent)
    assert nearest_power(-(Fraction(2) ** exponent)) == (-1, exponent)
    # The square root of 2 lies between these.
    below, above = Fraction(141421356, 10**8), Fraction(141421357, 10**8)
    assert nearest_power(below * Fraction(2) ** exponent) == (1, exponent)
    assert nearest_power(above * Fraction(2) ** exponent) == (1, exponent + 1)


def levels(chain: Chain, element: Attribute, *passes: ModulePass) -> Array:
    """The levels of every accumulator of 8 bits, [256, C]."""
    module = apply(chain.quantised(element), *passes)
    numbers = np.repeat(np.arange(-128, 128)[:, None], CHANNELS, axis=1)
    return Interpreter(module).run([numbers])[0].astype(np.int64)


@pytest.mark.parametrize("keep_offset", [False, True])
@pytest.mark.parametrize("element", OUTPUTS, ids=str)
@pytest.mark.parametrize("seed", range(6))
def test_levels_are_those_of_a_shift_and_an_addition(
    seed: int, element: Attribute, keep_offset: bool
) -> None:
    slope, intercept = parameters(seed)
    chain = Chain(signed(8), slope, intercept)
    shift = ShiftBatchNormPass(keep_offset=keep_offset)
    exact = levels(Chain(signed(8), slope, intercept), element)
    module = apply(chain.quantised(element), shift)
    numbers = np.repeat(np.arange(-128, 128)[:, None], CHANNELS, axis=1)
    (found,) = Interpreter(module).run([numbers])
    (record,) = records(module)
    wrong = found.astype(np.int64) != exact
    assert record.differing == tuple(wrong.sum(axis=0))
    assert record.values == (256,) * CHANNELS
    distance = np.abs(found.astype(np.int64) - exact)
    step = 2 if isinstance(element, BipolarType) else 1
    assert record.greatest == tuple(distance.max(axis=0) // step)
    # The same by Python's integers: n * 2**e, one addition in float32.
    reference = np.empty_like(exact)
    for channel, (a, h) in enumerate(zip(slope, intercept, strict=True)):
        k = Fraction(float(a)) * Fraction(SCALE)
        sign, exponent = nearest_power(k)
        assert record.exponents[channel] == exponent
        scale = sign * Fraction(2) ** exponent
        offset = Fraction(float(h))
        if k and not keep_offset:
            offset *= scale / k
        values = [np.float32(float(n * scale)) for n in range(-128, 128)]
        column = np.array(values, np.float32) + np.float32(float(offset))
        if isinstance(element, BipolarType):
            reference[:, channel] = np.where(column >= 0, 1, -1)
        else:
            low, high = (0, 3) if element == OUTPUTS[1] else (-8, 7)
            reference[:, channel] = np.clip(np.round(column / 0.5), low, high)
    np.testing.assert_array_equal(found, reference)
    floored = apply(module, FloorThresholdsPass())
    np.testing.assert_array_equal(Interpreter(floored).run([numbers])[0], found)


@given(st.integers(0, 1 << 20))
def test_signs_stay(seed: int) -> None:
    """Where a channel is 0 stays; float32 rounds neither side over an integer."""
    slope, intercept = parameters(seed)
    slope[slope == 0] = 1
    module = apply(
        Chain(signed(8), slope, intercept).quantised(BipolarType()),
        ShiftBatchNormPass(),
    )
    crossings = -intercept.astype(float) / (slope.astype(float) * SCALE)
    assume(bool((np.abs(crossings - np.round(crossings)) > 1e-4).all()))
    assert records(module)[0].differing == (0,) * CHANNELS


def test_scales_that_are_powers_of_two_stay() -> None:
    """A network that was trained with shift-based batch norms is left as it was."""
    slope = np.array([0.5, -2, 0, 0.0625, -1], np.float32)
    _, intercept = parameters(3)
    for element in OUTPUTS:
        module = apply(
            Chain(signed(8), slope, intercept).quantised(element), ShiftBatchNormPass()
        )
        assert records(module)[0].differing == (0,) * CHANNELS
        np.testing.assert_array_equal(
            levels(Chain(signed(8), slope, intercept), element, ShiftBatchNormPass()),
            levels(Chain(signed(8), slope, intercept), element),
        )


def test_networks_keep_what_the_pass_made() -> None:
    """Everything behind the pass is exact, and the record stays."""
    index = [type(pass_) for pass_ in TO_INTEGER].index(FloorThresholdsPass)
    for seed in range(4):
        module = random_mlp(seed)
        shifted = apply(module, *TO_INTEGER[:index], ShiftBatchNormPass())
        integer = apply(shifted, *TO_INTEGER[index:])
        assert records(integer) == records(shifted)
        assert_same(shifted, integer, [random_frames(module, 50, seed)])


@pytest.mark.parametrize("bits", [1, 3])
@pytest.mark.parametrize("zero", [0, 3])
@pytest.mark.parametrize(
    "norm", [ShiftBatchNormPass(), FixedPointBatchNormPass(4)], ids=["shift", "fixed"]
)
def test_averages_over_windows_of_unequal_counts(
    norm: ModulePass, zero: int, bits: int
) -> None:
    """The batch norm is that of the sums, brought to one count."""
    network = MapNetwork(13, (3, 6, 7))
    network.quantise(4, 0.25, zero)
    network.op("AveragePool", kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    network.batch_norm()
    network.quantise(bits)
    module = import_onnx(network.bytes(), name="average")
    index = [type(pass_) for pass_ in TO_INTEGER].index(FloorThresholdsPass)
    exact = apply(module, *TO_INTEGER[:index])
    changed = apply(exact, norm)
    made = records(changed) or fixed_point_records(changed)
    integer = apply(changed, *TO_INTEGER[index:])
    frames = network.frames(100)
    assert_same(changed, integer, [frames])
    # Where no level differs on any sum, none does on frames.
    (before,) = Interpreter(exact).run([frames])
    (after,) = Interpreter(changed).run([frames])
    wrong = (before != after).any(axis=(0, 2, 3))
    assert not (wrong & (np.array(made[0].differing) == 0)).any()
    assert sum(made[0].values) > sum(made[0].differing)


def test_refusals() -> None:
    slope, intercept = parameters(1)
    slope[2] = 1e-38
    chain = Chain(signed(8), slope, intercept)
    with pytest.raises(PassFailedException, match="no float32 number of full precis"):
        apply(chain.quantised(BipolarType()), ShiftBatchNormPass())
    module = Chain(signed(8), *parameters(1)).quantised(BipolarType())
    shifted = apply(module, ShiftBatchNormPass())
    (name,) = shifted.attributes
    shifted.attributes[name] = i64
    with pytest.raises(VerifyException, match="expected what shift-batch-norm writes"):
        records(shifted)
