"""`fold-batch-norm` keeps every bit of a batch normalisation."""

import numpy as np
import pytest
from pass_agreement import apply, assert_same
from random_networks import NetworkBuilder, random_frames

from passes.fold_batch_norm import FoldBatchNormPass
from qdialect.elementwise import BatchNormOp


@pytest.mark.parametrize("seed", range(8))
def test_agrees_on_random_parameters(seed: int) -> None:
    builder = NetworkBuilder(33, seed)
    builder.batch_norm()
    module = builder.module()
    after = apply(module, FoldBatchNormPass())
    assert not any(isinstance(op, BatchNormOp) for op in after.walk())
    assert_same(module, after, [random_frames(module, 200, seed)])


def test_agrees_where_gamma_is_zero_or_negative() -> None:
    builder = NetworkBuilder(4, 1)
    builder.batch_norm(gamma=np.array([0.0, -0.0, -1.5, 2.0], np.float32))
    module = builder.module()
    after = apply(module, FoldBatchNormPass())
    assert_same(module, after, [random_frames(module, 100, 0)])
