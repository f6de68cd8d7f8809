"""What the imported module looks like: names, types, symbols, batch, inputs."""

import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, external_data_helper, helper, save
from onnx_graphs import OnnxGraph, by_onnx_runtime, interpreted
from xdsl.dialects.builtin import ArrayAttr, ModuleOp, NameLoc, StringAttr
from xdsl.dialects.func import FuncOp
from xdsl.ir import Operation

from qdialect.constants import ConstantOp, LoadOp, WeightOp, constant_array
from qdialect.elementwise import AddOp, BatchNormOp, ReluOp
from qdialect.linear import MatMulOp
from qdialect.quantisers import DequantizeOp, QuantizeOp, SignOp
from qdialect.shaping import ReshapeOp
from tools.onnx_import.frontend import import_onnx, onnx_frontend

RNG = np.random.default_rng(11)


def main_of(module: ModuleOp) -> FuncOp:
    (function,) = [op for op in module.ops if isinstance(op, FuncOp)]
    assert function.sym_name.data == "main"
    return function


def names(op: Operation, attribute: str) -> list[str]:
    array = op.attributes[attribute]
    assert isinstance(array, ArrayAttr)
    return [name.data for name in array if isinstance(name, StringAttr)]


def node_of(op: Operation) -> str:
    assert isinstance(op.location, NameLoc)
    return op.location.desc.data


def kinds(module: ModuleOp) -> list[str]:
    return [op.name for op in main_of(module).body.block.ops]


def test_arguments_and_results_are_those_of_the_graph():
    graph = OnnxGraph()
    x = graph.input((1, 3), name="left")
    y = graph.input(("batch", 4, 3), name="right/level", dtype=TensorProto.INT8)
    total = graph.op("Add", graph.op("Cast", y, to=1, name="cast"), x, name="sum")
    function = main_of(import_onnx(graph.bytes(total, "cast_out")))
    assert [str(t) for t in function.function_type.inputs] == [
        "tensor<1x3xf32>",
        "tensor<1x4x3xsi8>",
    ]
    assert [str(t) for t in function.function_type.outputs] == ["tensor<1x4x3xf32>"] * 2
    assert names(function, "qnn.inputs") == ["left", "right/level"]
    assert names(function, "qnn.outputs") == ["sum_out", "cast_out"]


@pytest.mark.parametrize("batch", [1, 0, None, "N", 7])
def test_batch_is_1(batch: int | str | None):
    graph = OnnxGraph()
    x = graph.input((batch, 3))
    function = main_of(import_onnx(graph.bytes(graph.op("Relu", x))))
    assert [str(t) for t in function.function_type.inputs] == ["tensor<1x3xf32>"]
    assert [str(t) for t in function.function_type.outputs] == ["tensor<1x3xf32>"]


def test_shape_constants_that_mention_the_batch():
    graph = OnnxGraph()
    x = graph.input((4, 2, 3))
    flat = graph.op("Reshape", x, graph.constant([4, 6], np.int64))
    back = graph.op("Reshape", flat, graph.constant([-1, 3, 2], np.int64))
    model, frames = graph.model(back), RNG.normal(size=(4, 2, 3)).astype(np.float32)
    (found,), (expected,) = interpreted(model, frames), by_onnx_runtime(model, frames)
    assert np.array_equal(found, expected)
    assert len(interpreted(model, np.tile(frames, (5, 1, 1)))[0]) == 20


def test_ops_have_the_names_of_their_nodes():
    graph = OnnxGraph()
    x = graph.input((1, 64))
    weights = graph.constant(RNG.normal(size=(64, 3)))
    product = graph.op("MatMul", x, weights, name="/fc1/MatMul")
    quantised = graph.quant(product, 0.5, 0, 4, name="act 1")
    module = import_onnx(graph.bytes(quantised))
    places = {op.name: node_of(op) for op in main_of(module).body.block.ops}
    assert places["qnn.load"] == places["qnn.matmul"] == "/fc1/MatMul"
    assert places["qnn.quantize"] == places["qnn.dequantize"] == "act 1"


def test_a_node_without_a_name_is_called_after_its_output():
    graph = OnnxGraph()
    graph.op("Relu", graph.input((1, 2)), name="there")
    graph.nodes[0].ClearField("name")
    module = import_onnx(graph.bytes("there_out"))
    (op,) = [op for op in module.walk() if isinstance(op, ReluOp)]
    assert node_of(op) == "Relu_there_out"


def test_symbols_are_legal_unique_and_readable():
    graph = OnnxGraph()
    x = graph.input((1, 64))
    for name in ("fc.weight", "fc/weight", "7", "main", "größe"):
        row = graph.constant(RNG.normal(size=64), name=name)
        x = graph.op("Add", x, row, name=f"add-{name}")
    x = graph.op("Mul", x, "fc.weight")
    module = import_onnx(graph.bytes(x))
    symbols = [op.sym_name.data for op in module.ops if isinstance(op, WeightOp)]
    assert symbols == ["fc_weight", "fc_weight_2", "add_7_7", "main_2", "gr_e"]
    loads = [op for op in module.walk() if isinstance(op, LoadOp)]
    assert len(loads) == 6


def test_small_constants_stand_in_place():
    graph = OnnxGraph()
    x = graph.input((1, 33))
    for count in (33, 1):
        x = graph.op("Add", x, graph.constant(RNG.normal(size=count)))
    module = import_onnx(graph.bytes(x))
    adds = [op for op in module.walk() if isinstance(op, AddOp)]
    assert [type(op.rhs.owner) for op in adds] == [LoadOp, ConstantOp]


@pytest.mark.parametrize(
    ("annotation", "element", "scale"),
    [
        ("BIPOLAR", "!qnn.bipolar", 1.0),
        ("TERNARY", "!qnn.ternary", 1.0),
        ("BINARY", "ui1", 1.0),
        ("UINT8", "ui8", 1.0),
        ("INT3", "si3", 1.0),
        ("FIXED<8,3>", "si8", 2.0**-5),
    ],
)
def test_annotated_input_is_integer(annotation: str, element: str, scale: float):
    graph = OnnxGraph()
    x = graph.input((1, 3), annotation=annotation)
    module = import_onnx(graph.bytes(graph.op("Relu", x)))
    (relu,) = [op for op in module.walk() if isinstance(op, ReluOp)]
    dequantize = relu.input.owner
    assert isinstance(dequantize, DequantizeOp)
    quantiser = dequantize.input.owner
    assert isinstance(quantiser, SignOp if annotation == "BIPOLAR" else QuantizeOp)
    assert str(dequantize.input.type) == f"tensor<1x3x{element}>"
    assert quantiser.input is main_of(module).body.block.args[0]
    assert constant_array(dequantize.scale) == scale


@pytest.mark.parametrize("annotation", ["FLOAT32", "SCALEDINT<8>"])
def test_annotation_that_says_nothing(annotation: str):
    graph = OnnxGraph()
    x = graph.input((1, 3), annotation=annotation)
    module = import_onnx(graph.bytes(graph.op("Relu", x)))
    assert kinds(module) == ["qnn.relu", "func.return"]


@pytest.mark.parametrize(
    ("dtype", "element"),
    [
        (TensorProto.UINT8, "ui8"),
        (TensorProto.INT8, "si8"),
        (TensorProto.INT4, "si4"),
        (TensorProto.UINT4, "ui4"),
        (TensorProto.INT16, "si16"),
        (TensorProto.INT32, "si32"),
        (TensorProto.BOOL, "ui1"),
    ],
)
def test_integer_input(dtype: int, element: str):
    graph = OnnxGraph(opset=21)
    x = graph.op("Cast", graph.input((1, 3), dtype=dtype), to=TensorProto.FLOAT)
    module = import_onnx(graph.bytes(x))
    module.verify()
    (dequantize,) = [op for op in module.walk() if isinstance(op, DequantizeOp)]
    assert str(dequantize.input.type) == f"tensor<1x3x{element}>"


def test_ops_on_integers_that_move_them():
    graph = OnnxGraph()
    x = graph.input((1, 4, 6), dtype=TensorProto.UINT8)
    moved = graph.op("Transpose", graph.op("Identity", x), perm=[0, 2, 1])
    flat = graph.op("Cast", graph.op("Flatten", moved), to=TensorProto.INT16)
    best = graph.op("ArgMax", flat, axis=1)
    module = import_onnx(graph.bytes(flat, best))
    module.verify()
    outputs = main_of(module).function_type.outputs
    assert [str(t) for t in outputs] == ["tensor<1x24xui8>", "tensor<1x1xui5>"]


def test_finns_wrapping_of_batch_norm_vanishes():
    graph = OnnxGraph(opset=11)
    x = graph.op("Unsqueeze", graph.input((1, 3)), axes=[2])
    row = graph.constant([1, 2, 3])
    norm = graph.op("BatchNormalization", x, row, row, row, row)
    module = import_onnx(graph.bytes(graph.op("Squeeze", norm, axes=[2])))
    assert kinds(module) == [*["qnn.constant"] * 4, "qnn.batch_norm", "func.return"]
    (op,) = [op for op in module.walk() if isinstance(op, BatchNormOp)]
    assert str(op.out.type) == "tensor<1x3xf32>"


def test_channels_last_batch_norm():
    graph = OnnxGraph()
    x = graph.input((1, 4, 5, 3))
    row = graph.constant([1, 2, 3])
    norm = graph.op(
        "BatchNormalization", x, *[row] * 4, domain="qonnx.custom_op.channels_last"
    )
    module = import_onnx(graph.bytes(norm))
    module.verify()
    (op,) = [op for op in module.walk() if isinstance(op, BatchNormOp)]
    assert op.axis.value.data == 3


def test_chains_of_reshapes_become_one():
    graph = OnnxGraph()
    x = graph.input((1, 24))
    for shape in ([1, 2, 12], [1, 3, 8], [1, 4, 6]):
        x = graph.op("Reshape", x, graph.constant(shape, np.int64))
    module = import_onnx(graph.bytes(x))
    assert len([op for op in module.walk() if isinstance(op, ReshapeOp)]) == 1


def test_nodes_out_of_order_and_unused_ones():
    graph = OnnxGraph()
    x = graph.input((1, 2))
    graph.op("Relu", graph.op("Neg", x, name="a"), name="b")
    graph.op("Conv", x, x, name="unused")
    graph.nodes.reverse()
    assert kinds(import_onnx(graph.bytes("b_out"))) == [
        "qnn.neg",
        "qnn.relu",
        "func.return",
    ]


def test_initialisers_listed_as_inputs():
    graph = OnnxGraph()
    total = graph.op("Add", graph.input((1, 2)), graph.constant([1, 2], name="bias"))
    graph.input((2,), name="bias")
    assert names(main_of(import_onnx(graph.bytes(total))), "qnn.inputs") == ["x"]


@pytest.mark.parametrize("values", [{"value_float": 2.5}, {"value_floats": [1.0, 2.0]}])
def test_constant_nodes(values: dict[str, Any]):
    graph = OnnxGraph()
    model = graph.model(
        graph.op("Add", graph.input((3, 2)), graph.op("Constant", **values))
    )
    frames = RNG.normal(size=(3, 2)).astype(np.float32)
    (found,), (expected,) = interpreted(model, frames), by_onnx_runtime(model, frames)
    assert np.array_equal(found, expected)


def test_double_constants_that_are_float32_numbers():
    graph = OnnxGraph()
    x = graph.op("Add", graph.input((1, 2)), graph.constant([0.5, 2], np.float64))
    import_onnx(graph.bytes(x)).verify()


def test_module_from_a_file_and_from_a_stream(tmp_path: Path):
    graph = OnnxGraph()
    source = graph.bytes(graph.op("Relu", graph.input((1, 2))))
    file = tmp_path / "net.onnx"
    file.write_bytes(source)
    expected = str(import_onnx(source))
    assert str(import_onnx(file)) == str(import_onnx(str(file))) == expected
    with file.open("rb") as stream:
        assert str(onnx_frontend(stream)) == expected
    assert str(onnx_frontend(BytesIO(source))) == expected


def test_tensors_in_another_file(tmp_path: Path):
    graph = OnnxGraph()
    x = graph.input((1, 64))
    weights = RNG.integers(-3, 4, (64, 5)).astype(np.float32)
    model = graph.model(graph.op("MatMul", x, graph.constant(weights)))
    external_data_helper.convert_model_to_external_data(
        model, location="weights.bin", size_threshold=0
    )
    save(model, tmp_path / "net.onnx")
    module = import_onnx(tmp_path / "net.onnx")
    (product,) = [op for op in module.walk() if isinstance(op, MatMulOp)]
    dequantize = product.weights.owner
    assert isinstance(dequantize, DequantizeOp)
    levels = constant_array(dequantize.input)
    assert levels is not None
    assert np.array_equal(levels, weights.T)


@pytest.mark.parametrize("opset", [7, 25])
def test_opsets(opset: int):
    graph = OnnxGraph(opset=opset)
    import_onnx(graph.bytes(graph.op("Relu", graph.input((1, 2))))).verify()


def test_metadata_on_quantisers_is_ignored():
    graph = OnnxGraph()
    x = graph.quant(graph.input((1, 2)), 1, 0, 4)
    graph.nodes[-1].attribute.append(helper.make_attribute("cycles", 4))
    import_onnx(graph.bytes(x)).verify()


def test_onnx_is_imported_when_a_model_is():
    """`qopt --version` must not pay for it."""
    program = (
        "import sys, tools.onnx_import.frontend, tools.onnx_import.refusal\n"
        "sys.exit('onnx' in sys.modules)"
    )
    root = Path(__file__).parent.parent
    assert subprocess.run([sys.executable, "-c", program], cwd=root).returncode == 0
