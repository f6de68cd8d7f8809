"""`lower-to-integer`: products of levels, zero points, affine chains, refusals."""

import numpy as np
import pytest
from pass_agreement import apply, assert_same
from random_networks import NetworkBuilder, random_frames
from xdsl.dialects.builtin import TensorType
from xdsl.ir import Attribute
from xdsl.utils.exceptions import PassFailedException

from passes.lower_to_integer import LowerToIntegerPass
from qdialect.constants import constant
from qdialect.elementwise import AddOp, MulOp
from qdialect.linear import MatMulOp
from qdialect.types import (
    F32,
    BipolarType,
    TernaryType,
    element_of,
    is_level,
    signed,
    unsigned,
)


def products_are_integer(builder: NetworkBuilder) -> None:
    module = builder.module()
    after = apply(module, LowerToIntegerPass())
    products = [op for op in after.walk() if isinstance(op, MatMulOp)]
    assert products
    assert all(is_level(element_of(op.out)) for op in products)
    assert_same(module, after, [random_frames(module, 200, 3)])


@pytest.mark.parametrize("zero", [0, 3, -2])
@pytest.mark.parametrize("per_channel", [False, True])
def test_zero_points_and_scales(zero: int, per_channel: bool) -> None:
    builder = NetworkBuilder(21, zero + 10)
    builder.quantise(unsigned(4), 0.37, zero=zero)
    builder.linear(8, signed(4), per_channel=per_channel)
    products_are_integer(builder)


@pytest.mark.parametrize("element", [TernaryType(), signed(4)], ids=str)
@pytest.mark.parametrize("per_channel", [False, True])
def test_an_affine_chain_of_bipolar_levels_stays_bipolar(
    element: Attribute, per_channel: bool
) -> None:
    """(b + 1) / 2 is 0 or 1: a scale and a zero point, not new levels."""
    builder = NetworkBuilder(12, 5)
    builder.quantise(BipolarType(), 1.0)
    type_ = TensorType(F32, (1, 12))
    for op_class, number in ((AddOp, 1.0), (MulOp, 0.5)):
        other = constant(np.array(number, np.float32))
        builder.block.add_op(other)
        op = op_class(builder.value, other, type_)
        builder.block.add_op(op)
        builder.value = op.out
    builder.linear(7, element, per_channel=per_channel)
    module = builder.module()
    after = apply(module, LowerToIntegerPass())
    (product,) = [op for op in after.walk() if isinstance(op, MatMulOp)]
    assert isinstance(element_of(product.input), BipolarType)
    assert_same(module, after, [random_frames(module, 100, 1)])


def test_two_products_without_a_quantiser_between() -> None:
    builder = NetworkBuilder(9, 2)
    builder.quantise(signed(3), 0.5)
    builder.linear(6, TernaryType())
    builder.linear(4, signed(3))
    products_are_integer(builder)


def test_an_unquantised_input_is_refused() -> None:
    builder = NetworkBuilder(9, 2)
    builder.linear(6, TernaryType())
    with pytest.raises(PassFailedException, match="input of the product is not quant"):
        apply(builder.module(), LowerToIntegerPass())


def test_real_weights_are_refused() -> None:
    builder = NetworkBuilder(3, 2)
    builder.quantise(signed(3), 0.5)
    weights = constant(np.array([[0.5, 0.25, 0.1]], np.float32))
    builder.block.add_op(weights)
    op = MatMulOp(builder.value, weights, TensorType(F32, (1, 1)))
    builder.block.add_op(op)
    builder.value = op.out
    with pytest.raises(PassFailedException, match="weights are real numbers"):
        apply(builder.module(), LowerToIntegerPass())
