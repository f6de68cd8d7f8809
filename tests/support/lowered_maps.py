"""Networks of maps at the integer level, which give what the networks give."""

from __future__ import annotations

from pass_agreement import TO_INTEGER, apply, assert_same
from random_maps import MapNetwork
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import FuncOp
from xdsl.ir import Operation

from qdialect.convolution import ConvOp
from qdialect.pooling import MaxPoolOp, SumPoolOp
from qdialect.shaping import TransposeOp
from tools.onnx_import.frontend import import_onnx


def core_of(module: ModuleOp) -> list[Operation]:
    """The ops of @core; all maps in it are channels-last and none is transposed."""
    (core,) = [
        op
        for op in module.body.block.ops
        if isinstance(op, FuncOp) and op.sym_name.data == "core"
    ]
    ops = list(core.body.block.ops)
    assert not any(isinstance(op, TransposeOp) for op in ops)
    windows = [op for op in ops if isinstance(op, ConvOp | MaxPoolOp | SumPoolOp)]
    assert windows
    assert all(op.is_channels_last for op in windows)
    return ops


def integer_level(network: MapNetwork, frames: int = 20) -> ModuleOp:
    """The integer level of a network, which gives what the network gives."""
    module = import_onnx(network.bytes(), name="maps")
    module.verify()
    integer = apply(module, *TO_INTEGER)
    assert_same(module, integer, [network.frames(frames)])
    return integer


def lowered(network: MapNetwork, frames: int = 20) -> list[Operation]:
    """The core of a network, which gives what the network gives."""
    return core_of(integer_level(network, frames))
