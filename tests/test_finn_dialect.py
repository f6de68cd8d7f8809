"""Networks in FINN's dialect, as QONNX's transformations leave them."""

from __future__ import annotations

import copy
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from finn_networks import FinnNetwork, quantised_network, rewritten, written_out
from onnx import ModelProto, helper
from onnx_graphs import QONNX, OnnxGraph, by_qonnx, interpreted
from pass_agreement import apply
from shared_models import shared_file
from simulators import needs_simulator
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import FuncOp

from lowering.c.engine import CEngine
from lowering.hw.engine import RtlEngine
from lowering.interpreter.engine import Interpreter
from qdialect import qflow
from qdialect.constants import constant_data
from qdialect.convolution import ConvOp
from qdialect.data import Array
from qdialect.quantisers import DequantizeOp
from qdialect.shaping import TransposeOp
from tools.onnx_import.frontend import import_onnx
from tools.onnx_import.refusal import ImportRefused
from tools.pipelines import find_pipeline

# The QONNX executor imports packages that warn.
pytestmark = pytest.mark.filterwarnings("ignore")

INPUTS = Path(__file__).resolve().parent.parent / "filecheck_tests/tools/Inputs"
LIT_NETWORK = INPUTS / "finn_network.onnx"

XNOR = ("LowerConvsToMatMul", "ConvertBipolarMatMulToXnorPopcount")
NETWORKS = {
    "bipolar": FinnNetwork("BIPOLAR", "BIPOLAR", pad=0),
    "bipolar-flattened": FinnNetwork("BIPOLAR", "BIPOLAR", pad=0, pooled=False),
    "bipolar-depthwise": FinnNetwork("BIPOLAR", "BIPOLAR", depthwise=True, pad=0),
    "ternary": FinnNetwork("TERNARY", "UINT2", stride=2),
    "k-bit-depthwise": FinnNetwork("INT3", "INT4", depthwise=True, stride=2),
    "unsigned-weights": FinnNetwork("UINT2", "TERNARY", pad=2),
}
REWRITES = {
    "lowered": ("LowerConvsToMatMul",),
    "xnor": XNOR,
    "channels-last": ("ConvertToChannelsLastAndClean",),
}


def as_finn(name: str, rewrite: str) -> ModelProto:
    return rewritten(NETWORKS[name].model(), *REWRITES[rewrite])


@cache
def expected(name: str) -> tuple[Array, Array]:
    """Frames, and what the executor gives for the network before any rewrite."""
    network = NETWORKS[name]
    model, frames = network.model(), network.frames(3)
    outputs = [by_qonnx(copy.deepcopy(model), frame[None])[0] for frame in frames]
    return frames, np.concatenate(outputs)


PAIRS = [
    (name, rewrite)
    for name in NETWORKS
    for rewrite in REWRITES
    if rewrite != "xnor" or name in ("bipolar", "bipolar-flattened")
]


@pytest.mark.parametrize(("name", "rewrite"), PAIRS)
def test_rewritten_networks_mean_the_same(name: str, rewrite: str) -> None:
    frames, outputs = expected(name)
    np.testing.assert_array_equal(
        interpreted(as_finn(name, rewrite), frames)[0], outputs
    )


@pytest.mark.parametrize(("name", "rewrite"), PAIRS)
def test_products_of_patches_are_convolutions(name: str, rewrite: str) -> None:
    """With the weights of the network: groups, and the element type."""

    def convolutions(model: ModelProto) -> list[tuple[tuple[int, ...], int, str]]:
        module = import_onnx(model.SerializeToString())
        found: list[tuple[tuple[int, ...], int, str]] = []
        for op in module.walk():
            if isinstance(op, ConvOp):
                owner = op.weights.owner
                assert isinstance(owner, DequantizeOp)
                data = constant_data(owner.input)
                assert data is not None
                element = str(data.type.element_type)
                found.append((data.shape, op.group_count, element))
        return found

    model = NETWORKS[name].model()
    assert convolutions(as_finn(name, rewrite)) == convolutions(model)
    assert len(convolutions(model)) == 2


@pytest.mark.parametrize(
    ("name", "rewrite"),
    [("bipolar", "xnor"), ("k-bit-depthwise", "lowered"), ("ternary", "channels-last")],
)
def test_c_of_rewritten_networks(name: str, rewrite: str) -> None:
    frames, outputs = expected(name)
    module = import_onnx(as_finn(name, rewrite).SerializeToString())
    module = apply(module, *find_pipeline("bnn-c").passes)
    found = Interpreter(module, core=CEngine(module)).run([frames])[0]
    np.testing.assert_array_equal(found, outputs)


def fpga(model: ModelProto) -> ModuleOp:
    module = import_onnx(model.SerializeToString())
    return apply(module, *find_pipeline("bnn-fpga").passes)


@needs_simulator
def test_circuit_of_a_rewritten_network() -> None:
    frames, outputs = expected("bipolar")
    module = fpga(as_finn("bipolar", "xnor"))
    found = Interpreter(module, core=RtlEngine(module)).run([frames])[0]
    np.testing.assert_array_equal(found, outputs)


@pytest.mark.parametrize("rewrite", REWRITES)
@pytest.mark.parametrize("name", ["bipolar", "bipolar-flattened"])
def test_units_are_those_of_the_network(name: str, rewrite: str) -> None:
    """Patches and popcounts leave no unit behind: windows and products only."""

    def units(model: ModelProto) -> Counter[str]:
        module = import_onnx(model.SerializeToString())
        passes = find_pipeline("bnn-fpga").passes[:-2]
        ops = apply(module, *passes).walk()
        return Counter(op.name for op in ops if op.name.startswith(qflow.Qflow.name))

    assert units(as_finn(name, rewrite)) == units(NETWORKS[name].model())


QUANTISED = {
    "batch-norm-to-affine": ("BatchNormToAffine",),
    "lowered": ("ExtractBiasFromConv", "BatchNormToAffine", "LowerConvsToMatMul"),
    "channels-last": ("ConvertToChannelsLastAndClean",),
    "scales-extracted": ("ExtractQuantScaleZeroPt",),
    "qcdq": ("QuantToQCDQ",),
}


@pytest.mark.parametrize("rewrite", QUANTISED)
@pytest.mark.parametrize(
    ("bits", "bipolar"),
    [(3, False), (1, True), pytest.param(8, False, marks=pytest.mark.slow)],
)
def test_rewritten_quantisers(rewrite: str, bits: int, *, bipolar: bool) -> None:
    """What batch norms round differently as affine maps is far below a level."""
    model = quantised_network(bits, bits=bits, bipolar=bipolar)
    rng = np.random.default_rng(5)
    frames = rng.normal(0, 4, (8, 3, 8, 8)).astype(np.float32)
    (before,) = interpreted(model, frames)
    changed = rewritten(model, *QUANTISED[rewrite])
    np.testing.assert_array_equal(interpreted(changed, frames)[0], before)


def trained_network() -> ModelProto:
    """CNV-W1A1 with the attributes that QONNX does not take as left out."""
    model = onnx.load(shared_file("bnn_pynq/cnvW1A1_cifar10.onnx"))
    wanted: dict[str, dict[str, Any]] = {
        "Conv": {"group": 1, "dilations": [1, 1], "pads": [0] * 4, "strides": [1, 1]},
        "MaxPool": {"pads": [0] * 4, "strides": [1, 1]},
    }
    for node in model.graph.node:
        present = {attribute.name for attribute in node.attribute}
        for name, value in wanted.get(node.op_type, {}).items():
            if name not in present:
                node.attribute.append(helper.make_attribute(name, value))
    return model


@pytest.mark.parametrize(
    "rewrite",
    ["lowered", "xnor", pytest.param("channels-last", marks=pytest.mark.slow)],
)
def test_a_trained_network(rewrite: str) -> None:
    """The recorded outputs, and no transpose left at the integer level."""
    with np.load(shared_file("bnn_pynq/cnvW1A1_cifar10_golden.npz")) as golden:
        frames = golden["x_int8_nchw"][:4].astype(np.float32)
        logits = golden["logits"][:4]
    model = rewritten(trained_network(), *REWRITES[rewrite])
    module = import_onnx(model.SerializeToString())
    np.testing.assert_array_equal(Interpreter(module).run([frames])[0], logits)
    module = apply(module, *find_pipeline("bnn-integer").passes)
    np.testing.assert_array_equal(Interpreter(module).run([frames])[0], logits)
    (core,) = [
        op
        for op in module.walk()
        if isinstance(op, FuncOp) and op.sym_name.data == "core"
    ]
    assert not [op for op in core.walk() if isinstance(op, TransposeOp)]


def pads(value: int) -> OnnxGraph:
    """Im2Col with this padding in front of a product, on what an input holds."""
    rng = np.random.default_rng(0)
    graph = OnnxGraph()
    x = graph.input((1, 6, 5, 2), annotation="INT4")
    patches = graph.op(
        "Im2Col", x, domain=QONNX, name="patches", kernel_size=[3, 2], stride=[2, 1],
        pad_amount=[1, 0, 2, 1], pad_value=value, input_shape="(1,6,5,2)",
        dilations=[1, 2],
    )  # fmt: skip
    weights = graph.constant(rng.integers(-4, 4, (12, 3)), annotation="INT3")
    graph.op("MatMul", patches, weights, name="product")
    return graph


@pytest.mark.parametrize("value", [0, -1, 3])
def test_padding_of_patches(value: int) -> None:
    model = pads(value).model("product_out")
    x = np.random.default_rng(1).integers(-8, 8, (1, 6, 5, 2)).astype(np.float32)
    (wanted,) = by_qonnx(copy.deepcopy(model), x)
    np.testing.assert_array_equal(interpreted(model, x)[0], wanted)


@pytest.mark.parametrize("pad_value", [0, 1])
def test_padding_of_bits(pad_value: int) -> None:
    """A padded 0 is -1: bits have no zero."""
    rng = np.random.default_rng(2)
    graph = OnnxGraph()
    x = graph.input((1, 5, 5, 3), annotation="BINARY")
    patches = graph.op(
        "Im2Col", x, domain=QONNX, kernel_size=[3, 3], stride=[1, 1],
        pad_amount=[1, 1, 1, 1], pad_value=pad_value, input_shape="(1,5,5,3)",
    )  # fmt: skip
    weights = graph.constant(rng.integers(0, 2, (27, 4)), annotation="BINARY")
    model = graph.model(graph.op("XnorPopcountMatMul", patches, weights, domain=QONNX))
    bits = rng.integers(0, 2, (1, 5, 5, 3)).astype(np.float32)
    (wanted,) = by_qonnx(copy.deepcopy(model), bits)
    np.testing.assert_array_equal(interpreted(model, bits)[0], wanted)


def test_xnor_popcount_of_vectors() -> None:
    rng = np.random.default_rng(3)
    graph = OnnxGraph()
    x = graph.input((4, 20), annotation="BINARY")
    weights = graph.constant(rng.integers(0, 2, (20, 7)), annotation="BINARY")
    model = graph.model(graph.op("XnorPopcountMatMul", x, weights, domain=QONNX))
    bits = rng.integers(0, 2, (4, 20)).astype(np.float32)
    (wanted,) = by_qonnx(copy.deepcopy(model), bits)
    np.testing.assert_array_equal(interpreted(model, bits)[0], wanted)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize(
    ("signed", "bits_in", "bits_out", "kernel", "stride"),
    [
        (0, 4, 4, 3, 2),
        (1, 4, 4, 2, 2),
        (1, 3, 2, 3, 1),
        (0, 2, 8, 2, 1),
        (1, 2, 2, 5, 1),
    ],
)
def test_quantised_average_pools(
    layout: str, signed: int, bits_in: int, bits_out: int, kernel: int, stride: int
) -> None:
    shape = (1, 3, 7, 7) if layout == "NCHW" else (1, 7, 7, 3)
    graph = OnnxGraph()
    x = graph.input(shape, annotation=f"{'' if signed else 'U'}INT{bits_in}")
    model = graph.model(
        graph.op(
            "QuantAvgPool2d", x, domain=QONNX, kernel=kernel, stride=stride,
            ibits=bits_in, obits=bits_out, signed=signed, data_layout=layout,
        )
    )  # fmt: skip
    low = -(1 << (bits_in - 1)) if signed else 0
    rng = np.random.default_rng(bits_in)
    data = rng.integers(low, low + (1 << bits_in), shape).astype(np.float32)
    data[..., :4] = low
    (wanted,) = by_qonnx(copy.deepcopy(model), data)
    np.testing.assert_array_equal(interpreted(model, data)[0], wanted)


def test_max_pool_of_a_channels_last_map() -> None:
    graph = OnnxGraph()
    x = graph.input((1, 6, 6, 3), annotation="INT4")
    model = graph.model(
        graph.op("MaxPoolNHWC", x, domain=QONNX, kernel_shape=[2, 3], strides=[2, 1],
                 pads=[0, 1, 0, 1])
    )  # fmt: skip
    data = np.random.default_rng(6).integers(-8, 8, (1, 6, 6, 3)).astype(np.float32)
    (wanted,) = by_qonnx(copy.deepcopy(model), data)
    np.testing.assert_array_equal(interpreted(model, data)[0], wanted)


def test_patches_that_no_product_reads_are_refused() -> None:
    graph = pads(0)
    with pytest.raises(ImportRefused, match=r"node 'patches' .* no product reads"):
        import_onnx(graph.bytes(graph.op("Relu", "patches_out")))


def test_weights_that_are_not_what_their_annotation_says() -> None:
    graph = OnnxGraph()
    weights = graph.constant([[1, -1], [0.4, 1]], name="w", annotation="INT2")
    node = graph.op("MatMul", graph.input((1, 2)), weights)
    with pytest.raises(ImportRefused, match=r"initialiser 'w' .*INT2 and holds 0\.4"):
        import_onnx(graph.bytes(node))


def test_infinite_weights_are_no_integers() -> None:
    graph = OnnxGraph()
    weights = graph.constant([[1, np.inf]], name="w", annotation="INT2")
    node = graph.op("MatMul", graph.input((1, 1)), weights)
    with pytest.raises(ImportRefused, match=r"'w' .*INT2 and holds inf"):
        import_onnx(graph.bytes(node))


def test_bits_of_a_convolution_made_dense_are_refused() -> None:
    """QONNX writes a half between the channels, which is no bit."""
    with pytest.raises(ImportRefused, match=r"annotated as BINARY and holds 0\.5"):
        import_onnx(as_finn("bipolar-depthwise", "xnor").SerializeToString())


def test_weights_that_are_rounded_to_their_annotation() -> None:
    """The executor rounds what lies within 1/100 of an integer."""
    graph = OnnxGraph()
    weights = graph.constant([[0.999, -2.001], [3.0, 1.0]], annotation="INT3")
    model = graph.model(graph.op("MatMul", graph.input((1, 2)), weights))
    x = np.array([[3, 5]], np.float32)
    (wanted,) = by_qonnx(copy.deepcopy(model), x)
    np.testing.assert_array_equal(interpreted(model, x)[0], wanted)


def test_the_network_of_the_lit_test() -> None:
    """Its file is what `written_out` makes, and means what the executor computes."""
    model = written_out()
    assert LIT_NETWORK.read_bytes() == model.SerializeToString()
    rng = np.random.default_rng(7)
    frames = rng.integers(-8, 8, (4, 2, 6, 6)).astype(np.float32)
    # The executor asks for the data type of what Im2Col reads.
    typed = rewritten(copy.deepcopy(model))
    wanted = np.concatenate([by_qonnx(typed, frame[None])[0] for frame in frames])
    np.testing.assert_array_equal(interpreted(model, frames)[0], wanted)
