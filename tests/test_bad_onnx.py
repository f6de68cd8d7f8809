"""Files, graphs, inputs and constants that cannot be imported."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from broken_onnx import (
    INFINITY,
    NAN,
    Broken,
    affine,
    assert_refused,
    edited,
    graph_of,
    on_input,
    refusal,
    relu,
)
from onnx import ModelProto, TensorProto, helper, numpy_helper

from tools.onnx_import.frontend import import_onnx
from tools.onnx_import.refusal import ImportRefused


def cycle(model: ModelProto) -> None:
    model.graph.node.append(
        helper.make_node("Add", ["act_out", "b_out"], ["a_out"], "a")
    )
    model.graph.node.append(helper.make_node("Relu", ["a_out"], ["b_out"], "b"))


def local_function(model: ModelProto) -> None:
    body = [helper.make_node("Relu", ["x"], ["y"])]
    opset = [helper.make_opsetid("", 13)]
    function = helper.make_function("mine", "Twice", ["x"], ["y"], body, opset)
    model.functions.append(function)
    model.graph.node[0].op_type = "Twice"
    model.graph.node[0].domain = "mine"


def sparse(model: ModelProto) -> None:
    values = numpy_helper.from_array(np.ones(1, np.float32), "values")
    indices = numpy_helper.from_array(np.zeros(1, np.int64), "indices")
    model.graph.sparse_initializer.append(
        helper.make_sparse_tensor(values, indices, [4])
    )


def raw(**fields: object) -> Callable[[ModelProto], None]:
    """Sets fields of the initialiser `bias`."""

    def edit(model: ModelProto) -> None:
        (tensor,) = model.graph.initializer
        for name, value in fields.items():
            setattr(tensor, name, value)

    return edit


def dims(*extents: int) -> Callable[[ModelProto], None]:
    """Sets the shape of the initialiser `bias`."""

    def edit(model: ModelProto) -> None:
        (tensor,) = model.graph.initializer
        tensor.ClearField("dims")
        tensor.dims.extend(extents)

    return edit


def outside(model: ModelProto) -> None:
    (tensor,) = model.graph.initializer
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "absent.bin"


def relu_truncated() -> bytes:
    return edited(lambda _: None, affine)()[:-9]


# The model, and what its message must say beside the name of the file.
CASES: dict[str, tuple[Broken, tuple[str, ...]]] = {
    # The file.
    "empty-file": (lambda: b"", ("no graph",)),
    "text": (lambda: b"def forward(x):\n    return x\n", ("not an ONNX model",)),
    "truncated": (relu_truncated, ("cut off",)),
    "random-bytes": (lambda: bytes(range(256)) * 9, ("not an ONNX model",)),
    "no-graph": (edited(lambda m: m.ClearField("graph")), ("no graph",)),
    "no-opset": (edited(lambda m: m.ClearField("opset_import")), ("opset_import", "7")),
    "opset-too-old": (graph_of(relu, opset=6), ("opset 6", "7 to 25")),
    "opset-too-new": (graph_of(relu, opset=99), ("opset 99", "7 to 25")),
    # The graph.
    "no-nodes": (edited(lambda m: m.graph.ClearField("node")), ("empty",)),
    "no-inputs": (edited(lambda m: m.graph.ClearField("input")), ("no input",)),
    "no-outputs": (edited(lambda m: m.graph.ClearField("output")), ("no output",)),
    "unknown-output": (
        edited(lambda m: setattr(m.graph.output[0], "name", "y")),
        ("output 'y'", "not made"),
    ),
    "constant-output": (
        graph_of(lambda g, x: g.op("Neg", g.constant([1.0]), name="n")),
        ("output 'n_out'", "constant"),
    ),
    "missing-initialiser": (
        edited(lambda m: m.graph.ClearField("initializer"), affine),
        ("node 'add' (Add)", "'bias'", "initialiser"),
    ),
    "cycle": (edited(cycle), ("cycle", "'a'", "'b'")),
    "node-that-reads-itself": (
        edited(lambda m: m.graph.node[0].input.__setitem__(0, "act_out")),
        ("node 'act'", "cycle"),
    ),
    "two-nodes-with-one-output": (
        edited(
            lambda m: m.graph.node.append(
                helper.make_node("Neg", ["x"], ["act_out"], "n")
            )
        ),
        ("node 'n' (Neg)", "'act_out'", "node 'act'"),
    ),
    "output-that-is-an-input": (
        edited(
            lambda m: m.graph.node.append(helper.make_node("Neg", ["x"], ["x"], "n"))
        ),
        ("node 'n' (Neg)", "'x'"),
    ),
    "duplicate-initialiser": (
        edited(lambda m: m.graph.initializer.append(m.graph.initializer[0]), affine),
        ("'bias'", "distinct"),
    ),
    "duplicate-input": (
        edited(lambda m: m.graph.input.append(m.graph.input[0])),
        ("'x'", "distinct"),
    ),
    "node-without-output": (
        edited(lambda m: m.graph.node[0].ClearField("output")),
        ("node 'act' (Relu)", "no output"),
    ),
    "sparse-initialiser": (edited(sparse), ("sparse",)),
    "local-function": (edited(local_function), ("node 'act' (Twice)", "function")),
    # The inputs.
    "float16-input": (
        on_input(relu, [1, 4], dtype=TensorProto.FLOAT16),
        ("input 'x'", "float16", "float, bool"),
    ),
    "double-input": (
        on_input(relu, [1, 4], dtype=TensorProto.DOUBLE), ("input 'x'", "double")
    ),
    "string-input": (
        on_input(relu, [1, 4], dtype=TensorProto.STRING), ("input 'x'", "string")
    ),
    "int64-input": (
        on_input(relu, [1, 4], dtype=TensorProto.INT64), ("input 'x'", "int64", "32")
    ),
    "unknown-type-of-input": (on_input(relu, [1, 4], dtype=77), ("input 'x'", "77")),
    "sequence-input": (
        edited(
            lambda m: m.graph.input[0].CopyFrom(
                helper.make_tensor_sequence_value_info("x", 1, [1, 4])
            )
        ),
        ("input 'x'", "not a tensor"),
    ),
    "no-shape": (on_input(relu, None), ("input 'x'", "no shape")),
    "no-batch-axis": (on_input(relu, [4]), ("input 'x'", "1 axes", "batch")),
    "scalar-input": (on_input(relu, []), ("input 'x'", "0 axes")),
    "open-axis": (on_input(relu, [1, "length"]), ("axis 1", "'length'")),
    "open-axis-without-name": (on_input(relu, [1, 4, None]), ("axis 2", "positive")),
    "negative-extent": (on_input(relu, [1, -3]), ("axis 1", "-3")),
    "huge-input": (on_input(relu, [1, 1 << 20, 1 << 20]), ("input 'x'", "2^28")),
    "overflowing-input": (on_input(relu, [1, 1 << 62, 1 << 62]), ("input 'x'", "2^28")),
    "unknown-annotation": (
        on_input(relu, [1, 4], annotation="INT8.3"), ("input 'x'", "INT8.3", "BIPOLAR")
    ),
    "annotation-too-wide": (
        on_input(relu, [1, 4], annotation="UINT64"), ("input 'x'", "UINT64")
    ),
    # Constants.
    "huge-initialiser": (
        edited(dims(1 << 40), affine), ("initialiser 'bias'", "2^28")
    ),
    "negative-dims": (edited(dims(-4), affine), ("initialiser 'bias'", "-4")),
    "data-too-short": (
        edited(raw(raw_data=b"1234567"), affine), ("initialiser 'bias'", "fill")
    ),
    "data-too-long": (
        edited(raw(raw_data=bytes(40)), affine), ("initialiser 'bias'", "fill")
    ),
    "string-initialiser": (
        edited(raw(data_type=TensorProto.STRING), affine),
        ("initialiser 'bias'", "string"),
    ),
    "data-in-an-absent-file": (edited(outside, affine), ("'bias'", "'absent.bin'")),
    "double-that-is-no-float": (
        graph_of(lambda g, x: g.op("Add", x, g.constant(0.1, np.float64), name="add")),
        ("node 'add'", "float64"),
    ),
    "nan-weight": (
        graph_of(
            lambda g, x: g.op("MatMul", x, g.constant(np.full((4, 2), NAN)), name="fc")
        ),
        ("node 'fc' (MatMul)", "NaN"),
    ),
    "infinite-bias": (
        graph_of(lambda g, x: g.op("Add", x, g.constant(INFINITY), name="add")),
        ("node 'add'", "infinite"),
    ),
    "division-by-zero": (
        graph_of(lambda g, x: g.op("Div", x, g.constant([1, 0, 1, 1]), name="d")),
        ("node 'd'", "0 to divide by"),
    ),
    "integers-of-zero-in-a-shape": (
        graph_of(
            lambda g, x: g.op(
                "Mul",
                x,
                g.op("Div", *(g.constant(v, np.int64) for v in (1, 0)), name="d"),
            )
        ),
        ("node 'd'", "division by zero"),
    ),
    "huge-filled-constant": (
        graph_of(
            lambda g, x: g.op(
                "Add", x,
                g.op("ConstantOfShape", g.constant([1 << 40], np.int64), name="fill"),
            )
        ),
        ("node 'fill'", "2^28"),
    ),
    "gather-out-of-range": (
        graph_of(
            lambda g, x: g.op(
                "Reshape", x,
                g.op(
                    "Gather", g.op("Shape", x), g.constant(9, np.int64), name="gather"
                ),
            )
        ),
        ("node 'gather'", "out of bounds"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_refusal_is_short_and_names_the_fault(case: str):
    assert_refused(*CASES[case])


def test_messages_differ():
    messages = {refusal(make()) for make, _ in CASES.values()}
    assert len(messages) >= len(CASES) - 5


def test_names_cannot_break_the_line():
    name = "act\n\x1b[31m"
    source = graph_of(lambda g, x: g.op("Erf", x, name=name))()
    first, second = refusal(source).split("\n")
    assert first == "net.onnx: node 'act??[31m' (Erf): not supported"
    assert second.startswith("  accepted here: ")


@pytest.mark.parametrize("path", ["absent.onnx", "."])
def test_file_that_cannot_be_read(path: str, tmp_path: Path):
    with pytest.raises(ImportRefused, match="cannot be read"):
        import_onnx(tmp_path / path)


def test_data_that_is_not_beside_the_model(tmp_path: Path):
    file = tmp_path / "net.onnx"
    file.write_bytes(edited(outside, affine)())
    with pytest.raises(ImportRefused, match=r"'bias'.*'absent\.bin'.*beside the model"):
        import_onnx(file)


def test_data_outside_the_folder_of_the_model(tmp_path: Path):
    def leave_the_folder(model: ModelProto) -> None:
        outside(model)
        model.graph.initializer[0].external_data[0].value = "../secret.bin"

    (tmp_path / "secret.bin").write_bytes(bytes(16))
    file = tmp_path / "models" / "net.onnx"
    file.parent.mkdir()
    file.write_bytes(edited(leave_the_folder, affine)())
    with pytest.raises(ImportRefused, match="secret"):
        import_onnx(file)


@pytest.mark.parametrize("step", [7, 11])
def test_a_model_cut_off_anywhere(step: int):
    """No prefix of a model raises anything but a refusal."""
    source = edited(lambda _: None, affine)()
    for end in range(0, len(source), step):
        try:
            import_onnx(source[:end]).verify()
        except ImportRefused:
            continue


def test_a_model_with_any_byte_changed():
    source = edited(lambda _: None, affine)()
    for index in range(len(source)):
        for value in (0, 0xFF, source[index] ^ 1):
            changed = bytearray(source)
            changed[index] = value
            try:
                import_onnx(bytes(changed)).verify()
            except ImportRefused:
                continue
