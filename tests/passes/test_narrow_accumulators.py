"""`narrow-accumulators`: the type is the least that the weights prove enough."""

import numpy as np
import pytest
from pass_agreement import TO_INTEGER, apply, assert_same
from random_networks import NetworkBuilder, random_frames
from xdsl.dialects.builtin import TensorType
from xdsl.utils.exceptions import PassFailedException

from passes.lower_to_integer import LowerToIntegerPass
from passes.narrow_accumulators import NarrowAccumulatorsPass
from qdialect.constants import LoadOp, WeightOp
from qdialect.data import TensorDataAttr
from qdialect.linear import MatMulOp
from qdialect.quantisers import DequantizeOp
from qdialect.types import BipolarType, element_of, signed, unsigned, value_range


@pytest.mark.parametrize(
    ("row", "expected"),
    [([1, 1, 1], 2), ([7, 0, 0], 4), ([-7, 0, 0], 4), ([-8, -8, 8], 6), ([0, 0, 0], 2)],
)
def test_the_type_is_the_least_that_holds_the_row(
    row: list[int], expected: int
) -> None:
    builder = NetworkBuilder(3, 0)
    builder.quantise(unsigned(1), 1.0)
    builder.linear(1, signed(5))
    module = builder.module()
    (weight,) = [op for op in module.walk() if isinstance(op, WeightOp)]
    weight.value = TensorDataAttr.from_numpy(np.array([row]), signed(5))
    after = apply(module, LowerToIntegerPass(), NarrowAccumulatorsPass())
    (product,) = [op for op in after.walk() if isinstance(op, MatMulOp)]
    low, high = value_range(element_of(product.out))
    least, greatest = sum(w for w in row if w < 0), sum(w for w in row if w > 0)
    assert low <= least <= greatest <= high
    if expected > 2:
        assert element_of(product.out) in (signed(expected - 1), signed(expected))
    assert_same(module, after, [random_frames(module, 100, 0)])


def test_every_sum_fits_and_one_bit_less_would_not() -> None:
    for seed in range(20):
        builder = NetworkBuilder(11, seed)
        builder.quantise(unsigned(3), 0.5)
        builder.linear(5, signed(4))
        module = builder.module()
        after = apply(module, *TO_INTEGER)
        (product,) = [op for op in after.walk() if isinstance(op, MatMulOp)]
        weights = product.weights.owner
        assert isinstance(weights, LoadOp)
        (symbol,) = [op for op in after.walk() if isinstance(op, WeightOp)]
        levels = symbol.value.to_numpy().astype(int)
        least = int(np.minimum(levels, 0).sum(axis=1).min()) * 7
        greatest = int(np.maximum(levels, 0).sum(axis=1).max()) * 7
        low, high = value_range(element_of(product.out))
        assert low <= least
        assert greatest <= high
        assert least < low // 2 or greatest > high // 2


def test_a_type_that_is_too_narrow_is_refused() -> None:
    builder = NetworkBuilder(8, 0)
    builder.quantise(BipolarType(), 1.0)
    builder.linear(2, BipolarType())
    module = apply(builder.module(), LowerToIntegerPass())
    (product,) = [op for op in module.walk() if isinstance(op, MatMulOp)]
    (scaled,) = [
        op
        for op in module.walk()
        if isinstance(op, DequantizeOp) and op.input is product.out
    ]
    narrow = MatMulOp(product.input, product.weights, TensorType(signed(3), (1, 2)))
    assert product.parent is not None
    product.parent.insert_op_before(narrow, product)
    scaled.operands[0] = narrow.out
    with pytest.raises(PassFailedException, match=r"reaches \[-8, 8\], which si3"):
        apply(module, NarrowAccumulatorsPass())
