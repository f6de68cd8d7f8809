"""Quantisers of QONNX, on frames and on constants."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper
from onnx_graphs import QONNX, OnnxGraph, by_qonnx, interpreted
from xdsl.dialects.builtin import ModuleOp

from qdialect.activation import ThresholdOp
from qdialect.constants import constant_data
from qdialect.linear import MatMulOp
from qdialect.quantisers import DequantizeOp, QuantizeOp, SignOp
from qdialect.semantics import Real
from qdialect.types import element_of
from tools.onnx_import.frontend import import_onnx

# The QONNX executor imports packages that warn.
pytestmark = pytest.mark.filterwarnings("ignore")

ROUNDINGS = (
    "ROUND",
    "HALF_EVEN",
    "CEIL",
    "FLOOR",
    "UP",
    "DOWN",
    "HALF_UP",
    "HALF_DOWN",
)


def probe(channels: int = 4) -> Real:
    """Multiples of 1/8 around zero, beyond the range of 3 bits: ties and clamps."""
    steps = np.arange(-40, 41, dtype=np.float32) / np.float32(8)
    return np.stack([np.roll(steps, index) for index in range(channels)], axis=1)


def quant_grid(data: str, graph: OnnxGraph, rounding: str) -> list[str]:
    """An output for each kind of quantiser of one rounding mode."""
    outputs: list[str] = []
    for bits, signed, narrow, zero_point, scale in itertools.product(
        (1, 2, 3, 8), (0, 1), (0, 1), (0, 1), (0.5, [[0.25, 0.5, 1.0, 0.3]])
    ):
        quantised = graph.quant(
            data, scale, zero_point, bits,
            signed=signed, narrow=narrow, rounding_mode=rounding,
        )  # fmt: skip
        outputs.append(graph.op("Add", quantised, graph.op("Mul", "x", "zero")))
    return outputs


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("constant", [False, True], ids=["frames", "constants"])
def test_quant_equals_the_qonnx_executor(rounding: str, *, constant: bool):
    graph = OnnxGraph()
    data = graph.input((81, 4))
    graph.constant(0.0, name="zero")
    if constant:
        data = graph.constant(probe()[30:31])
    outputs = quant_grid(data, graph, rounding)
    model, x = graph.model(*outputs), probe()
    pairs = zip(interpreted(model, x), by_qonnx(model, x), strict=True)
    for name, (found, expected) in zip(outputs, pairs, strict=True):
        assert np.array_equal(found, expected), name


def test_constants_on_every_tie_equal_the_qonnx_executor():
    graph = OnnxGraph()
    x = graph.input((2, 81))
    weights = graph.constant(probe(1).reshape(1, 81))
    outputs = [
        graph.op("Mul", x, graph.quant(weights, 0.25, 0, 4, rounding_mode=rounding))
        for rounding in ROUNDINGS
    ]
    model, ones = graph.model(*outputs), np.ones((2, 81), np.float32)
    for found, expected in zip(
        interpreted(model, ones), by_qonnx(model, ones), strict=True
    ):
        assert np.array_equal(found, expected)


@pytest.mark.parametrize("scale", [1.0, 0.3, [[0.1, 1.0, 2.0, 0.7]]])
def test_bipolar_quant_equals_the_qonnx_executor(scale: object):
    graph = OnnxGraph()
    x = graph.input((81, 4))
    scale_name = graph.constant(np.array(scale))
    model = graph.model(graph.op("BipolarQuant", x, scale_name, domain=QONNX))
    (found,), (expected,) = interpreted(model, probe()), by_qonnx(model, probe())
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("rows", [1, 4])
@pytest.mark.parametrize(
    ("out_scale", "out_bias", "steps"),
    [(None, None, 3), (2.0, -1.0, 1), (0.3, -0.15, 1), (0.5, -1.5, 7), (0.7, 0.1, 5),
     (1.0, -1.0, 2), (-1.0, 2.0, 3), (0.1, 0.7, 9)],
)  # fmt: skip
def test_multi_threshold_equals_the_qonnx_executor(
    rows: int, out_scale: float | None, out_bias: float | None, steps: int
):
    rng = np.random.default_rng(steps)
    graph = OnnxGraph()
    x = graph.input((81, 4))
    thresholds = graph.constant(rng.integers(-20, 20, (rows, steps)) / 8)
    attributes: dict[str, Any] = {"out_dtype": "INT8"}
    if out_scale is not None:
        attributes |= {"out_scale": out_scale, "out_bias": out_bias}
    model = graph.model(
        graph.op("MultiThreshold", x, thresholds, domain=QONNX, **attributes)
    )
    (found,), (expected,) = interpreted(model, probe()), by_qonnx(model, probe())
    assert np.array_equal(found, expected)


@pytest.mark.parametrize(
    ("layout", "shape"), [("NCHW", (5, 4, 3, 2)), ("NHWC", (5, 2, 3, 4)), ("", (5, 4))]
)
def test_channels_of_multi_threshold(layout: str, shape: tuple[int, ...]):
    rng = np.random.default_rng(0)
    graph = OnnxGraph()
    x = graph.input(shape)
    thresholds = graph.constant(rng.normal(size=(4, 3)))
    attributes: dict[str, Any] = {"data_layout": layout} if layout else {}
    node = graph.op(
        "MultiThreshold", x, thresholds, domain=QONNX, out_dtype="UINT2", **attributes
    )
    model, data = graph.model(node), rng.normal(size=shape).astype(np.float32)
    (found,), (expected,) = interpreted(model, data), by_qonnx(model, data)
    assert np.array_equal(found, expected)


def element_of_levels(module: ModuleOp) -> str:
    """The element type that the only dequantised levels of a module have."""
    (op,) = [op for op in module.walk() if isinstance(op, DequantizeOp)]
    return str(element_of(op.input))


@pytest.mark.parametrize(
    ("steps", "out_scale", "out_bias", "element", "offset"),
    [
        (1, 2.0, -1.0, "!qnn.bipolar", 0),
        (1, 0.5, -0.25, "!qnn.bipolar", 0),
        (1, 1.0, 0.0, "ui1", 0),
        (2, 1.0, -1.0, "!qnn.ternary", -1),
        (7, 0.5, -2.0, "si3", -4),
        (7, 0.7, 0.1, "ui3", 0),
    ],
)
def test_levels_of_multi_threshold(
    steps: int, out_scale: float, out_bias: float, element: str, offset: int
):
    graph = OnnxGraph()
    x = graph.input((1, 4))
    thresholds = graph.constant(np.arange(steps)[None, ::-1])
    node = graph.op(
        "MultiThreshold", x, thresholds,
        domain=QONNX, out_dtype="INT8", out_scale=out_scale, out_bias=out_bias,
    )  # fmt: skip
    module = import_onnx(graph.bytes(node))
    (op,) = [op for op in module.walk() if isinstance(op, ThresholdOp)]
    assert (element_of_levels(module), op.offset.value.data) == (element, offset)
    data = constant_data(op.thresholds)
    assert data is not None
    assert np.array_equal(data.to_numpy(), np.tile(np.arange(steps), (4, 1)))


@pytest.mark.parametrize(
    ("bits", "attributes", "element", "narrow"),
    [
        (1, {}, "!qnn.bipolar", False),
        (1, {"signed": 0}, "ui1", False),
        (2, {"narrow": 1}, "!qnn.ternary", False),
        (2, {}, "si2", False),
        (4, {"narrow": 1}, "si4", True),
        (5, {"signed": 0, "narrow": 1}, "ui5", True),
        (32, {}, "si32", False),
    ],
)
def test_levels_of_quant(
    bits: int, attributes: dict[str, int], element: str, *, narrow: bool
):
    graph = OnnxGraph()
    model = graph.bytes(graph.quant(graph.input((1, 4)), 1, 0, bits, **attributes))
    module = import_onnx(model)
    (op,) = [op for op in module.walk() if isinstance(op, QuantizeOp)]
    assert element_of_levels(module) == element
    assert (op.narrow is not None) == narrow


DOMAINS = ("", "onnx.brevitas", "finn.custom_op.general", QONNX,
           "qonnx.custom_op.channels_last")  # fmt: skip


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("imported", [False, True])
def test_quantisers_of_every_domain(domain: str, *, imported: bool):
    graph = OnnxGraph()
    x = graph.input((1, 4))
    one, zero, bits = (graph.constant(value) for value in (1, 0, 4))
    quantised = graph.op("Quant", x, one, zero, bits, domain=domain)
    sign = graph.op("BipolarQuant", quantised, one, domain=domain)
    count = graph.op("MultiThreshold", sign, graph.constant([[0]]), domain=domain)
    model = graph.model(count)
    del model.opset_import[1:]
    if imported and domain:
        model.opset_import.append(helper.make_opsetid(domain, 1))
    module = import_onnx(model.SerializeToString())
    module.verify()
    kinds = (QuantizeOp, SignOp, ThresholdOp)
    assert [type(op) for op in module.walk() if isinstance(op, kinds)] == list(kinds)


@pytest.mark.parametrize("text", ["round", "Round", "half_even", "HALF_EVEN"])
def test_rounding_mode_in_any_case(text: str):
    graph = OnnxGraph()
    x = graph.input((1, 4))
    module = import_onnx(graph.bytes(graph.quant(x, 1, 0, 4, rounding_mode=text)))
    (op,) = [op for op in module.walk() if isinstance(op, QuantizeOp)]
    assert op.rounding.data.name == "HALF_EVEN"


def test_attributes_that_are_missing():
    graph = OnnxGraph()
    x = graph.input((1, 4))
    parameters = [graph.constant(value) for value in (1, 0, 4)]
    module = import_onnx(graph.bytes(graph.op("Quant", x, *parameters, domain=QONNX)))
    (op,) = [op for op in module.walk() if isinstance(op, QuantizeOp)]
    assert op.rounding.data.name == "HALF_EVEN"
    assert (str(element_of(op.out)), op.narrow) == ("si4", None)


def test_bit_width_may_be_computed():
    graph = OnnxGraph()
    x = graph.input((1, 4))
    bits = graph.op("Add", graph.constant([2]), graph.constant([3]))
    one, zero = graph.constant(1), graph.constant(0)
    module = import_onnx(
        graph.bytes(graph.op("IntQuant", x, one, zero, bits, domain=QONNX))
    )
    assert element_of_levels(module) == "si5"


@pytest.mark.parametrize("version", [1, 2])
def test_trunc_of_a_constant_equals_the_qonnx_executor(version: int):
    graph = OnnxGraph()
    x = graph.input((1, 81))
    parts = [probe(1).reshape(1, 81), 0.125, 0, 8, *([0.5] if version == 2 else []), 6]
    node = graph.op("Trunc", *map(graph.constant, parts), domain=QONNX)
    model, ones = graph.model(graph.op("Mul", x, node)), np.ones((1, 81), np.float32)
    del model.opset_import[1:]
    model.opset_import.append(helper.make_opsetid(QONNX, version))
    model.graph.node[0].attribute.append(
        helper.make_attribute("rounding_mode", "FLOOR")
    )
    (found,), (expected,) = interpreted(model, ones), by_qonnx(model, ones)
    assert np.array_equal(found, expected)


WEIGHT_QUANTISERS: dict[str, tuple[Callable[[OnnxGraph, str], str], str]] = {
    "bipolar": (
        lambda g, w: g.op("BipolarQuant", w, g.constant([0.1]), domain=QONNX),
        "!qnn.bipolar",
    ),
    "1-bit": (lambda g, w: g.quant(w, 0.5, 0, 1), "!qnn.bipolar"),
    "ternary": (lambda g, w: g.quant(w, 1.5, 0, 2, narrow=1), "!qnn.ternary"),
    "ternary-by-value": (lambda g, w: g.quant(w, 3.0, 0, 4, narrow=1), "!qnn.ternary"),
    "4-bit": (lambda g, w: g.quant(w, 0.25, 0, 4, narrow=1), "si4"),
    "cast": (
        lambda g, w: g.op("Cast", g.quant(w, 0.25, 0, 4), to=TensorProto.FLOAT),
        "si4",
    ),
    "unsigned": (lambda g, w: g.quant(w, 0.25, 0, 3, signed=0), "ui3"),
    "zero-point": (lambda g, w: g.quant(w, 0.25, 2, 3, signed=0), "ui3"),
    "integers": (lambda g, w: g.op("Round", w), "si3"),
    "signs": (lambda g, w: g.op("Sign", w), "!qnn.bipolar"),
    "signs-and-zeros": (
        lambda g, w: g.op("Round", g.op("Mul", w, g.constant(0.2))),
        "!qnn.ternary",
    ),
    "bits": (
        lambda g, w: g.op("Relu", g.op("Sign", w)),
        "ui1",
    ),
    "real": (lambda g, w: g.op("Mul", w, g.constant(0.33)), "f32"),
}


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("case", WEIGHT_QUANTISERS)
def test_weights_are_folded_into_levels(case: str, *, transposed: bool):
    build, element = WEIGHT_QUANTISERS[case]
    rng = np.random.default_rng(3)
    values = rng.uniform(-3, 3, (6, 12)).astype(np.float32)
    graph = OnnxGraph()
    x = graph.input((5, 12))
    if transposed:
        weights = graph.op(
            "Transpose", build(graph, graph.constant(values)), perm=[1, 0]
        )
    else:
        weights = build(graph, graph.constant(values.T))
    model = graph.model(graph.op("MatMul", x, weights))
    module = import_onnx(model.SerializeToString())
    (product,) = [op for op in module.walk() if isinstance(op, MatMulOp)]
    owner = product.weights.owner
    levels = owner.input if isinstance(owner, DequantizeOp) else product.weights
    data = constant_data(levels)
    assert data is not None
    assert (data.shape, str(data.type.element_type)) == ((6, 12), element)
    frames = rng.integers(-4, 5, (5, 12)).astype(np.float32)
    (found,), (expected,) = interpreted(model, frames), by_qonnx(model, frames)
    assert np.allclose(found, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("scale_shape", [(6, 1), (1, 12), (6, 12)])
def test_scales_of_weights_follow_them(scale_shape: tuple[int, int]):
    rng = np.random.default_rng(4)
    graph = OnnxGraph()
    x = graph.input((5, 12))
    weights = graph.constant(rng.normal(size=(2, 3, 12)))
    scale = np.broadcast_to(rng.integers(1, 5, scale_shape) / 8, (6, 12))
    quantised = graph.quant(weights, scale.reshape(2, 3, 12), 0, 4)
    matrix = graph.op("Reshape", quantised, graph.constant([6, -1], np.int64))
    model = graph.model(graph.op("Gemm", x, matrix, transB=1))
    module = import_onnx(model.SerializeToString())
    (op,) = [op for op in module.walk() if isinstance(op, DequantizeOp)]
    data = constant_data(op.scale)
    assert data is not None
    # Those that vary within a row become multiples of one, in the levels.
    assert data.shape == (6, 1)
    frames = rng.integers(-4, 5, (5, 12)).astype(np.float32)
    (found,), (expected,) = interpreted(model, frames), by_qonnx(model, frames)
    assert np.allclose(found, expected, rtol=1e-6, atol=1e-6)
