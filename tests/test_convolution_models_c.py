"""Convolutional networks as C, others' and generated: the integer level, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from model_levels import integer
from pass_agreement import TO_INTEGER, apply
from shared_models import CONVOLUTION, SharedModel
from topologies import TOPOLOGIES, Topology, random_images, topology_model
from xdsl.dialects.builtin import ModuleOp

from lowering.c.engine import CEngine
from lowering.interpreter.engine import Interpreter
from passes.bitpack import BitpackPass
from qdialect.data import Array
from tools.onnx_import.frontend import import_onnx

models = pytest.mark.parametrize("model", CONVOLUTION, ids=lambda m: m.name)
topologies = pytest.mark.parametrize("topology", TOPOLOGIES, ids=lambda t: t.name)

# Most frames of a default run; they are spread over the data at hand.
_FRAMES = 8


def assert_c_agrees(level: ModuleOp, frames: Array, *passes: BitpackPass) -> None:
    """The integer level gives in C, after passes, what it gives in the interpreter."""
    (expected,) = Interpreter(level).run([frames])
    module = apply(level, *passes)
    (found,) = Interpreter(module, core=CEngine(module)).run([frames])
    np.testing.assert_array_equal(found, expected)


def some(frames: Array) -> Array:
    return frames[:: -(-len(frames) // _FRAMES)]


@models
def test_c_of_the_integer_level(model: SharedModel) -> None:
    assert_c_agrees(integer(model.path), some(model.data()))


@models
@pytest.mark.parametrize("word_bits", [32, 64])
def test_c_of_packed_words(model: SharedModel, word_bits: int) -> None:
    packing = BitpackPass(word_bits)
    assert_c_agrees(integer(model.path), some(model.data()), packing)


@pytest.mark.slow
@models
def test_c_on_all_data(model: SharedModel) -> None:
    assert_c_agrees(integer(model.path), model.data(), BitpackPass())


def topology_agrees(topology: Topology, divisor: int, frames: int) -> None:
    model = topology_model(topology, divisor=divisor).SerializeToString()
    network = import_onnx(model, name=f"{topology.name}.onnx")
    integer = apply(network, *TO_INTEGER)
    assert_c_agrees(integer, random_images(frames), BitpackPass())


@topologies
def test_c_of_generated_networks_of_few_channels(topology: Topology) -> None:
    topology_agrees(topology, 16, _FRAMES)


@pytest.mark.slow
@topologies
def test_c_of_generated_networks_in_full_size(topology: Topology) -> None:
    topology_agrees(topology, 1, 2)
