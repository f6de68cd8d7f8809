"""Small ONNX graphs for tests, and what other programs compute from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from onnx import (
    ModelProto,
    NodeProto,
    TensorProto,
    ValueInfoProto,
    helper,
    numpy_helper,
)

from lowering.interpreter.engine import Interpreter
from qdialect.data import Array
from tools.onnx_import.frontend import import_onnx

QONNX = "qonnx.custom_op.general"
FLOAT = TensorProto.FLOAT


class OnnxGraph:
    """Collects the nodes of one graph; every method gives the name of a tensor."""

    def __init__(self, *, opset: int = 13):
        self.opset = opset
        self.nodes: list[NodeProto] = []
        self.inputs: list[ValueInfoProto] = []
        self.initialisers: list[TensorProto] = []
        self.annotations: dict[str, str] = {}

    def input(
        self,
        shape: Sequence[int | str | None] | None,
        *,
        name: str = "x",
        dtype: int = FLOAT,
        annotation: str | None = None,
    ) -> str:
        """A graph input; a string or None in the shape is an open extent."""
        self.inputs.append(helper.make_tensor_value_info(name, dtype, shape))
        if annotation is not None:
            self.annotations[name] = annotation
        return name

    def constant(
        self,
        values: npt.ArrayLike,
        dtype: npt.DTypeLike = np.float32,
        *,
        name: str = "",
        annotation: str | None = None,
    ) -> str:
        """An initialiser."""
        name = name or f"c{len(self.initialisers)}"
        if annotation is not None:
            self.annotations[name] = annotation
        array = np.array(values, dtype)
        self.initialisers.append(numpy_helper.from_array(array, name))
        return name

    def op(
        self,
        op_type: str,
        *inputs: str,
        name: str = "",
        domain: str = "",
        outputs: int = 1,
        **attributes: Any,
    ) -> str:
        """A node; the name of its first output, `_1` and so on added for others."""
        name = name or f"{op_type}_{len(self.nodes)}"
        result = f"{name}_out"
        results = [result, *(f"{result}_{index}" for index in range(1, outputs))]
        self.nodes.append(
            helper.make_node(
                op_type, inputs, results, name=name, domain=domain, **attributes
            )
        )
        return result

    def quant(
        self,
        x: str,
        scale: npt.ArrayLike,
        zero_point: npt.ArrayLike,
        bits: float,
        **attributes: Any,
    ) -> str:
        """A QONNX Quant with constant parameters and all its attributes."""
        attributes = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND", **attributes}
        parameters = [self.constant(value) for value in (scale, zero_point, bits)]
        return self.op("Quant", x, *parameters, domain=QONNX, **attributes)

    def model(self, *outputs: str) -> ModelProto:
        """The model with these outputs, whose types are left to inference."""
        graph = helper.make_graph(
            self.nodes,
            "test",
            self.inputs,
            [helper.make_empty_tensor_value_info(name) for name in outputs],
            self.initialisers,
        )
        for tensor, datatype in self.annotations.items():
            annotation = graph.quantization_annotation.add()
            annotation.tensor_name = tensor
            entry = annotation.quant_parameter_tensor_names.add()
            entry.key, entry.value = "finn_datatype", datatype
        opsets = [helper.make_opsetid("", self.opset), helper.make_opsetid(QONNX, 2)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)

    def bytes(self, *outputs: str) -> bytes:
        """The model as in a file."""
        return self.model(*outputs).SerializeToString()


def interpreted(model: ModelProto, *inputs: Array) -> list[Array]:
    """What the imported model computes; the module is verified first."""
    module = import_onnx(model.SerializeToString(), name="model.onnx")
    module.verify()
    return Interpreter(module).run(list(inputs))


def by_onnx_runtime(model: ModelProto, *inputs: Array) -> list[Array]:
    """What ONNX Runtime computes, without its optimisations."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = (
        onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    )
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    names = [item.name for item in session.get_inputs()]
    results = session.run(None, dict(zip(names, inputs, strict=True)))
    return cast("list[Array]", list(results))


def by_qonnx(model: ModelProto, *inputs: Array) -> list[Array]:
    """What the QONNX executor computes."""
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx
    from qonnx.transformation.infer_shapes import InferShapes

    for output in model.graph.output:
        # The executor wants to know every type beforehand.
        output.type.tensor_type.elem_type = FLOAT
    wrapper = ModelWrapper(model).transform(InferShapes())
    names = [item.name for item in model.graph.input]
    results = execute_onnx(wrapper, dict(zip(names, inputs, strict=True)))
    return [results[item.name] for item in model.graph.output]
