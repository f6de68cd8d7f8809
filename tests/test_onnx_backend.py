"""ONNX's node tests on our backend, and the page that lists ops and skipped tests."""

import re
from collections import Counter

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx_backend import OPS_PAGE, SkippedGroup, node_tests, skipped_groups
from onnx_graphs import OnnxGraph, by_onnx_runtime

from tools.onnx_backend.backend import QnncBackend
from tools.onnx_import.accepted import OPS, REFUSED
from tools.onnx_import.refusal import ImportRefused


def test_all_node_tests_pass_but_those_listed() -> None:
    listed = {name for group in skipped_groups() for name in group.names}
    failed = {test.name: test.refusal for test in node_tests() if test.refusal}
    assert {name: why for name, why in failed.items() if name not in listed} == {}
    assert listed - failed.keys() == set()
    assert len(node_tests()) - len(failed) >= 320


@pytest.mark.parametrize("group", skipped_groups(), ids=lambda group: group.title)
def test_skipped_tests_are_refused_for_their_reason(group: SkippedGroup) -> None:
    found = {test.name: test.refusal for test in node_tests()}
    assert group.refusal
    assert group.names
    others = {name: found.get(name) for name in group.names}
    assert {
        n: why for n, why in others.items() if group.refusal not in (why or "")
    } == {}


def test_no_test_is_listed_twice() -> None:
    names = Counter(name for group in skipped_groups() for name in group.names)
    assert {name for name, count in names.items() if count > 1} == set()


def test_the_page_lists_the_ops_of_the_importer() -> None:
    page = OPS_PAGE.read_text()
    parts = re.split(r"^## (.*)$", page, flags=re.MULTILINE)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))

    def ops(section: str) -> list[str]:
        return re.findall(r"^\| `(\w+)` \|", sections[section], re.MULTILINE)

    # Pairs of ops that are joined before they are imported have a name with a plus.
    named = {name for name in OPS if "+" not in name}
    assert ops("Accepted") == sorted(named - REFUSED)
    assert ops("Refused with advice") == sorted(REFUSED)


def test_a_model_of_ours_runs_as_elsewhere() -> None:
    """Parameters are initialisers; frames come along the leading axis."""
    rng = np.random.default_rng(1)
    graph = OnnxGraph()
    weights = graph.constant(rng.integers(-2, 3, (4, 3, 3, 3)))
    output = graph.op("Relu", graph.op("Conv", graph.input((2, 3, 5, 5)), weights))
    model = graph.model(output)
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT
    frames = rng.integers(-4, 5, (2, 3, 5, 5)).astype(np.float32)
    (expected,) = by_onnx_runtime(model, frames)
    prepared = QnncBackend.prepare(model)
    for inputs in ([frames], {"x": frames}):
        (found,) = prepared.run(inputs)
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == np.float32


def test_an_op_without_a_batch_axis() -> None:
    node = helper.make_node("Transpose", ["x"], ["y"], perm=[2, 0, 1])
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    graph = helper.make_graph(
        [node],
        "test",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (4, 2, 3))],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
    (found,) = QnncBackend.run_model(model, [x])
    np.testing.assert_array_equal(found, x.transpose(2, 0, 1))


def test_what_is_not_accepted_is_refused() -> None:
    graph = OnnxGraph()
    model = graph.model(graph.op("Erf", graph.input((1, 4)), name="gelu"))
    assert not QnncBackend.is_compatible(model)
    with pytest.raises(ImportRefused, match=r"node 'gelu' \(Erf\): not supported"):
        QnncBackend.run_model(model, [np.zeros((1, 4), np.float32)])
    with pytest.raises(ValueError, match="expected CPU"):
        QnncBackend.prepare(onnx.ModelProto(), "CUDA")
