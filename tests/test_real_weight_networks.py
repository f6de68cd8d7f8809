"""Networks of real weights behind each scheme: all targets alike, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from pass_agreement import TO_INTEGER, apply, assert_same
from real_weight_networks import dense_network, frames_of, map_network
from simulators import needs_simulator
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from lowering.c.engine import CEngine
from lowering.hw.convert_qflow_to_hw import ConvertQflowToHwPass
from lowering.hw.engine import RtlEngine
from lowering.interpreter.engine import Interpreter
from passes.binarise_weights import BinariseWeightsPass
from passes.bitpack import BitpackPass
from passes.convert_to_qflow import ConvertToQflowPass
from passes.fold import FoldPass
from passes.insert_fifos import InsertFifosPass
from passes.posit_weights import PositWeightsPass
from passes.quantize_weights import QuantizeWeightsPass
from passes.ternarise_weights import TernariseWeightsPass
from qdialect.data import Array
from tools.build.agreement import reference_run

SCHEMES: tuple[tuple[ModulePass, ...], ...] = (
    (BinariseWeightsPass(),),
    (TernariseWeightsPass(),),
    (TernariseWeightsPass(levels=5, per_tensor=True),),
    (QuantizeWeightsPass(),),
    (QuantizeWeightsPass(5, power_of_two=True),),
    (PositWeightsPass(8, "auto"),),
    (PositWeightsPass(16, 2),),
    # First and last layer in 8 bits, the body in one.
    (
        BinariseWeightsPass(layers=("*2",)),
        PositWeightsPass(layers=("*1",)),
        QuantizeWeightsPass(),
    ),
)
NETWORKS = {"dense": dense_network(5), "maps": map_network(5)}

schemes = pytest.mark.parametrize(
    "scheme", SCHEMES, ids=lambda passes: ",".join(map(str, passes))
)
networks = pytest.mark.parametrize("network", NETWORKS)


def integer(network: str, scheme: tuple[ModulePass, ...]) -> ModuleOp:
    return apply(NETWORKS[network], *scheme, *TO_INTEGER)


def frames(network: str, count: int) -> Array:
    return frames_of(NETWORKS[network], count)


@schemes
@networks
def test_integer_level(network: str, scheme: tuple[ModulePass, ...]) -> None:
    changed = apply(NETWORKS[network], *scheme)
    assert_same(changed, apply(changed, *TO_INTEGER), [frames(network, 200)])


@schemes
@networks
def test_c(network: str, scheme: tuple[ModulePass, ...]) -> None:
    module = integer(network, scheme)
    given = frames(network, 50)
    (expected,) = Interpreter(module).run([given])
    for variant in (module, apply(module, BitpackPass())):
        (found,) = Interpreter(variant, core=CEngine(variant)).run([given])
        np.testing.assert_array_equal(found, expected)


def check_circuit(network: str, scheme: tuple[ModulePass, ...]) -> None:
    module = integer(network, scheme)
    reference = reference_run(module, [frames(network, 12)])
    streams = apply(module, ConvertToQflowPass(), FoldPass(), InsertFifosPass())
    engine = RtlEngine(apply(streams, ConvertQflowToHwPass()))
    for pauses in ({}, {"pause_in_percent": 30, "pause_out_percent": 40, "seed": 1}):
        (found,) = engine(reference.core_inputs, **pauses)
        np.testing.assert_array_equal(found, reference.core_outputs[0])


@needs_simulator
@pytest.mark.parametrize("network", ["dense"])
def test_circuit_of_posits(network: str) -> None:
    check_circuit(network, (PositWeightsPass(8, "auto"),))


@needs_simulator
@pytest.mark.slow
@schemes
@networks
def test_circuit(network: str, scheme: tuple[ModulePass, ...]) -> None:
    check_circuit(network, scheme)
