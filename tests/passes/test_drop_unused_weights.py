"""`drop-unused-weights` erases what nothing reads, and nothing else."""

import numpy as np
from pass_agreement import apply, assert_same
from random_networks import random_frames, random_mlp

from passes.drop_unused_weights import DropUnusedWeightsPass
from qdialect.constants import WeightOp
from qdialect.data import TensorDataAttr


def test_only_unread_constants_go() -> None:
    module = random_mlp(1)
    before = sum(isinstance(op, WeightOp) for op in module.walk())
    module.body.block.add_op(
        WeightOp("nobody", TensorDataAttr.from_numpy(np.arange(4)))
    )
    after = apply(module, DropUnusedWeightsPass())
    names = {op.sym_name.data for op in after.walk() if isinstance(op, WeightOp)}
    assert "nobody" not in names
    assert len(names) == before
    assert_same(module, after, [random_frames(module, 20, 0)])
