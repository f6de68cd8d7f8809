"""The table of layers names maps as a user of the network does."""

from __future__ import annotations

from integer_cores import core_of
from map_cores import SAME, MapCore
from pass_agreement import apply
from xdsl.dialects.builtin import ModuleOp, NameLoc, NoneAttr, StringAttr
from xdsl.ir import Operation, SSAValue

from passes.convert_to_qflow import ConvertToQflowPass
from qdialect.elementwise import AddOp
from qdialect.pooling import MaxPoolOp
from qdialect.types import TernaryType, signed, unsigned
from qdialect.windows import Axis
from tools.build.layers import integer_layers, stream_layers


def named(value: SSAValue, name: str) -> SSAValue:
    assert isinstance(value.owner, Operation)
    value.owner.location = NameLoc(StringAttr(name), NoneAttr())
    return value


def network(*, pools: bool) -> ModuleOp:
    builder = MapCore(1)
    x = builder.argument(signed(5), 1, 4, 6, 2)
    sums = named(builder.conv(x, 8, TernaryType(), SAME), "conv")
    value = builder.threshold(sums, unsigned(2))
    if pools:
        halves = (Axis(2, stride=2), Axis(2, stride=2))
        pooled = named(builder.pool(MaxPoolOp, value, halves), "pool")
        other = builder.argument(unsigned(2), 1, 2, 3, 8)
        value = named(builder.binary(AddOp, pooled, other), "sum")
    classes = named(builder.linear(builder.flatten(value), 3, signed(3)), "fc")
    return builder.module(classes)


def test_integer_level() -> None:
    layers = integer_layers(network(pools=True))
    assert [(layer.name, layer.kind) for layer in layers] == [
        ("conv", "conv"),
        ("pool", "max_pool"),
        ("sum", "add"),
        ("fc", "matmul"),
    ]
    conv, pool, _, classifier = layers
    assert (conv.inputs, conv.outputs, conv.weights) == (18, 8, 144)
    assert (conv.weight_bits, conv.input_bits, conv.thresholds) == (2, 5, 24)
    assert (pool.inputs, pool.outputs, pool.weights) == (8, 8, 0)
    assert (classifier.inputs, classifier.outputs) == (48, 3)


def test_stream_level() -> None:
    module = apply(network(pools=False), ConvertToQflowPass())
    layers = stream_layers(core_of(module))
    assert [(layer.name, layer.kind) for layer in layers] == [
        ("conv_swu", "swu"),
        ("conv", "conv"),
        ("fc", "matmul"),
    ]
    swu, conv, classifier = layers
    assert (swu.inputs, swu.outputs) == (2, 18)
    assert (conv.inputs, conv.outputs, conv.thresholds) == (18, 8, 24)
    assert conv.cycles == 24 * 18 * 8
    assert (classifier.inputs, classifier.outputs) == (192, 3)
