"""Layers of mixed widths up to 16 bits, with every rounding, on every target."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest
from _pytest.mark import ParameterSet
from onnx_graphs import by_qonnx, interpreted
from pass_agreement import apply
from simulators import needs_simulator
from uniform_layers import UniformLayers
from xdsl.dialects.builtin import ModuleOp

from lowering.c.engine import CEngine
from lowering.hw.engine import RtlEngine
from lowering.interpreter.engine import Interpreter
from qdialect.data import Array
from tools.onnx_import.frontend import import_onnx
from tools.pipelines import find_pipeline

# The QONNX executor imports packages that warn.
pytestmark = pytest.mark.filterwarnings("ignore")

# In 24 a zero point of 7 bits meets weights of 16: what it adds exceeds 2**24.
QUICK = [1, 2, 4, 8, 24]
FRAMES = 12


def seeds(quick: Sequence[int], count: int) -> list[int | ParameterSet]:
    """The quick ones, and as many others as slow tests."""
    others = [seed for seed in range(count) if seed not in quick]
    return [*quick, *(pytest.param(seed, marks=pytest.mark.slow) for seed in others)]


@cache
def outputs(seed: int) -> Array:
    network = UniformLayers(seed)
    return interpreted(network.model(), network.frames(FRAMES))[0]


@pytest.mark.parametrize("seed", seeds(QUICK, 200))
def test_network_and_integer_level(seed: int) -> None:
    network = UniformLayers(seed)
    frames = network.frames(FRAMES)
    their = [by_qonnx(network.model(), frame[None])[0] for frame in frames[:4]]
    np.testing.assert_array_equal(outputs(seed)[:4], np.concatenate(their))
    module = compiled(seed, "bnn-integer")
    np.testing.assert_array_equal(Interpreter(module).run([frames])[0], outputs(seed))


def compiled(seed: int, pipeline: str) -> ModuleOp:
    model = UniformLayers(seed).model()
    module = import_onnx(model.SerializeToString())
    return apply(module, *find_pipeline(pipeline).passes)


@pytest.mark.parametrize("seed", seeds([4, 8], 40))
def test_c(seed: int) -> None:
    module = compiled(seed, "bnn-c")
    frames = UniformLayers(seed).frames(FRAMES)
    found = Interpreter(module, core=CEngine(module)).run([frames])[0]
    np.testing.assert_array_equal(found, outputs(seed))


@needs_simulator
@pytest.mark.parametrize("seed", seeds([11], 12))
def test_circuit(seed: int) -> None:
    module = compiled(seed, "bnn-fpga")
    frames = UniformLayers(seed).frames(FRAMES)[:3]
    found = Interpreter(module, core=RtlEngine(module)).run([frames])[0]
    np.testing.assert_array_equal(found, outputs(seed)[:3])


def test_layers_are_varied() -> None:
    """Widths from 1 to 16, and every rounding, are among them."""
    widths, modes = set[int](), set[str]()
    for seed in range(60):
        graph = UniformLayers(seed).model().graph
        for node in graph.node:
            if node.op_type != "Quant":
                continue
            modes.update(a.s.decode() for a in node.attribute if a.type == 3)
            (bits,) = [i for i in graph.initializer if i.name == node.input[3]]
            widths.add(int(np.frombuffer(bits.raw_data, np.float32)[0]))
    assert widths == set(range(1, 17))
    assert len(modes) == 7
