"""Weights {-2, .., 2}, and 0 and +-2^s in general, on every target."""

from __future__ import annotations

import numpy as np
import pytest
from c_programs import run_in_c
from integer_cores import CoreBuilder, random_frames
from map_cores import SAME, MapCore
from pass_agreement import apply
from stream_agreement import checked
from xdsl.dialects.builtin import IntAttr, ModuleOp
from xdsl.ir import Attribute, SSAValue
from xdsl.utils.exceptions import VerifyException

from lowering.interpreter.engine import Interpreter
from passes.bitpack import BitpackPass
from qdialect.data import Array
from qdialect.packed import PackedMatMulOp, SignMagnitudeType
from qdialect.packed_maps import PackedConvOp
from qdialect.products import Product, product_form
from qdialect.types import BipolarType, TernaryType, signed, unsigned

INPUTS: tuple[Attribute, ...] = (
    BipolarType(),
    TernaryType(),
    unsigned(2),
    signed(4),
    unsigned(8),
)
PACK_ALL = BitpackPass(max_popcounts=10_000)
LEVELS = {
    "five levels": range(-2, 3),
    "shifts": (-8, -2, 0, 1, 4),
    "narrow": range(-7, 8),
}


class Maps(MapCore):
    """Cores of maps whose weights take some values only."""

    values = LEVELS["five levels"]

    def weight(self, values: Array, element: Attribute) -> SSAValue:
        """A weight of the same shape."""
        drawn = self.rng.choice(self.values, values.shape)
        drawn.flat[: len(self.values)] = self.values
        return super().weight(drawn, element)


def core(kind: str) -> ModuleOp:
    """A product and a padded convolution for each type of inputs."""
    builder = Maps(1)
    builder.values = LEVELS[kind]
    results: list[SSAValue] = []
    for element in INPUTS:
        x = builder.argument(element, 1, 70)
        results.append(builder.linear(x, 5, signed(8)))
        map = builder.argument(element, 1, 4, 5, 9)
        results.append(builder.conv(map, 3, signed(8), SAME))
    return builder.module(*results)


@pytest.mark.parametrize("kind", LEVELS)
def test_planes_of_every_input(kind: str) -> None:
    module = core(kind)
    frames = random_frames(module, 6)
    expected = Interpreter(module).run(frames, "core")
    packed = apply(module, PACK_ALL)
    products = [
        op for op in packed.walk() if isinstance(op, PackedMatMulOp | PackedConvOp)
    ]
    assert len(products) == 2 * len(INPUTS)
    assert str(packed).count("!qnn.sign_magnitude<") == (0 if kind == "shifts" else 8)
    for found in (
        Interpreter(packed).run(frames, "core"),
        run_in_c(packed, frames, ("-O0",)),
        run_in_c(module, frames, ("-O0",)),
    ):
        for a, b in zip(expected, found, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("element", INPUTS, ids=str)
def test_streams(element: Attribute) -> None:
    builder = Maps(2)
    x = builder.argument(element, 1, 12)
    hidden = builder.threshold(builder.linear(x, 9, signed(3)), unsigned(4))
    builder.values = LEVELS["shifts"]
    checked(builder.module(builder.linear(hidden, 3, signed(5))), 5)


@pytest.mark.parametrize("input_bits", [2, 4, 8])
def test_products_are_shifts_in_hardware(input_bits: int) -> None:
    form = product_form(input_bits, np.array(LEVELS["five levels"]))
    assert form.product is Product.SHIFT
    assert form.dsps == 0


def test_powers_of_two_take_no_multiplier() -> None:
    for input_bits in (1, 2, 8, 16, 32):
        for values in ((-128, 0, 1), (-2, 0, 2), (-4, 4), (-64, -16, 0, 1, 4, 32)):
            assert product_form(input_bits, np.array(values)).dsps == 0


def test_a_sign_and_magnitude_has_two_bits_or_more() -> None:
    with pytest.raises(VerifyException, match="2 to 32 bits, got 1"):
        SignMagnitudeType(IntAttr(1))


def test_a_core_of_signs_takes_fewer_popcounts() -> None:
    builder = CoreBuilder()
    weights = builder.weight(np.array([[-2, 0, 1], [2, -1, 0]]), signed(3))
    x = builder.argument(BipolarType(), 1, 3)
    module = builder.module(builder.matmul(x, weights))
    packed = apply(module, BitpackPass(max_popcounts=2))
    assert "!qnn.sign_magnitude<2>" in str(packed)
