"""Generated networks of published topologies: balanced, and exact on integers."""

from __future__ import annotations

import numpy as np
import pytest
from pass_agreement import TO_INTEGER, apply, assert_same
from topologies import (
    BINARYNET,
    TOPOLOGIES,
    Topology,
    generate,
    random_images,
    topology_model,
)

from lowering.interpreter.engine import Interpreter
from qdialect.convolution import ConvOp
from qdialect.linear import MatMulOp
from qdialect.types import shape_of
from tools.onnx_import.frontend import import_onnx

topologies = pytest.mark.parametrize("topology", TOPOLOGIES, ids=lambda t: t.name)


def agrees(topology: Topology, divisor: int, frames: int) -> None:
    model = topology_model(topology, divisor=divisor).SerializeToString()
    network = import_onnx(model, name=f"{topology.name}.onnx")
    network.verify()
    integer = apply(network, *TO_INTEGER)
    assert_same(network, integer, [random_images(frames)])


@topologies
def test_integer_level_of_few_channels(topology: Topology) -> None:
    agrees(topology, 16, frames=16)


@pytest.mark.slow
@topologies
def test_integer_level_in_full_size(topology: Topology) -> None:
    agrees(topology, 1, frames=2)


@topologies
def test_activations_are_balanced(topology: Topology) -> None:
    network = generate(topology, divisor=8)
    model = network.graph.model(*network.activations, network.value)
    module = import_onnx(model.SerializeToString(), name=f"{topology.name}.onnx")
    *activations, logits = Interpreter(module).run([random_images(64)])
    for values in activations:
        assert abs(values.mean()) < 0.25
        # No channel of a map is stuck: it takes both ends somewhere.
        channels = np.moveaxis(values, 1, -1).reshape(-1, values.shape[1])
        ends = channels.min(axis=0) < channels.max(axis=0)
        assert ends.mean() > 0.9
    assert len(np.unique(logits.argmax(axis=1))) > 3


def test_binarynet_has_the_weights_of_the_paper() -> None:
    model = topology_model(BINARYNET).SerializeToString()
    module = import_onnx(model, name="binarynet.onnx")
    sizes = [
        int(np.prod(shape_of(op.weights)))
        for op in module.walk()
        if isinstance(op, MatMulOp | ConvOp)
    ]
    assert len(sizes) == 9
    assert round(sum(sizes) / (1 << 20), 1) == 13.4
