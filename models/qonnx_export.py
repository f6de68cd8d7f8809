"""Writes a trained stack of layers as a QONNX graph, node by node.

The graph has what Brevitas would write: latent float weights under their quantiser,
batch norm as trained, quantisers with scale, zero point and bit width as initialisers.
"""

from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from quantised_layers import Bipolar, QuantisedLinear, Scale, Uniform

DOMAIN = "qonnx.custom_op.general"
IR_VERSION = 8
OPSET = 17


def to_numpy(tensor: Tensor) -> NDArray[np.float32]:
    """The values of a parameter."""
    return tensor.detach().numpy().astype(np.float32)


class GraphWriter:
    """A graph under construction: a chain of nodes, `here` being its last tensor."""

    def __init__(self, here: str):
        self.here = here
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []

    def constant(self, name: str, value: NDArray[np.float32] | float) -> str:
        """Add an initialiser; return its name."""
        array = np.asarray(value, np.float32)
        self.initializers.append(numpy_helper.from_array(array, name))
        return name

    def node(
        self, op: str, name: str, inputs: list[str], **attributes: int | float | str
    ) -> str:
        """Add a node with one output; return the output's name."""
        output = f"{name}_out"
        domain = DOMAIN if op.endswith("Quant") else ""
        made = helper.make_node(op, inputs, [output], name=name, domain=domain)
        made.attribute.extend(
            helper.make_attribute(key, value) for key, value in attributes.items()
        )
        self.nodes.append(made)
        return output

    def quantise(
        self, name: str, source: str, quantiser: nn.Module, scale: NDArray[np.float32]
    ) -> str:
        """Add the node of `quantiser` on the tensor `source`."""
        scale_name = self.constant(f"{name}.scale", scale)
        if isinstance(quantiser, Bipolar):
            return self.node("BipolarQuant", name, [source, scale_name])
        if not isinstance(quantiser, Uniform):
            raise TypeError(f"{name}: no QONNX node for {type(quantiser).__name__}")
        zero_point = self.constant(f"{name}.zero_point", 0.0)
        bits = self.constant(f"{name}.bits", float(quantiser.bits))
        return self.node(
            "Quant",
            name,
            [source, scale_name, zero_point, bits],
            signed=int(quantiser.is_signed),
            narrow=int(quantiser.is_narrow),
            rounding_mode="ROUND",
        )

    def linear(self, name: str, layer: QuantisedLinear, weights_stored: str) -> None:
        """Add the quantised weights and the product with `here`."""
        weight = to_numpy(layer.weight)
        scale = to_numpy(layer.quantiser.scale(layer.weight))
        by_input = weights_stored == "by_input"
        if by_input:
            weight, scale = weight.T, scale.T
        latent = self.constant(f"{name}.weight", weight)
        quantised = self.quantise(
            f"{name}_weight_quant", latent, layer.quantiser, scale
        )
        if by_input:
            self.here = self.node("MatMul", name, [self.here, quantised])
            if layer.bias is not None:
                bias = self.constant(f"{name}.bias", to_numpy(layer.bias))
                self.here = self.node("Add", f"{name}_bias", [self.here, bias])
            return
        inputs = [self.here, quantised]
        if layer.bias is not None:
            inputs.append(self.constant(f"{name}.bias", to_numpy(layer.bias)))
        self.here = self.node("Gemm", name, inputs, transB=1)

    def batch_norm(self, name: str, layer: nn.BatchNorm1d) -> None:
        """Add a batch norm in inference form."""
        parameters = {
            "gamma": layer.weight,
            "beta": layer.bias,
            "mean": layer.running_mean,
            "variance": layer.running_var,
        }
        inputs = [
            self.constant(f"{name}.{key}", to_numpy(value))
            for key, value in parameters.items()
            if value is not None
        ]
        self.here = self.node(
            "BatchNormalization", name, [self.here, *inputs], epsilon=layer.eps
        )

    def layer(self, index: int, layer: nn.Module, weights_stored: str) -> None:
        """Add one layer of the stack after `here`."""
        match layer:
            case QuantisedLinear():
                self.linear(f"linear{index}", layer, weights_stored)
            case nn.BatchNorm1d():
                self.batch_norm(f"batch_norm{index}", layer)
            case Bipolar() | Uniform():
                # The scale of an activation does not depend on the tensor.
                scale = to_numpy(layer.scale(torch.empty(0)))
                self.here = self.quantise(f"quant{index}", self.here, layer, scale)
            case nn.ReLU():
                self.here = self.node("Relu", f"relu{index}", [self.here])
            case Scale():
                factor = self.constant(f"scale{index}.factor", layer.factor)
                self.here = self.node("Mul", f"scale{index}", [self.here, factor])
            case _:
                raise TypeError(f"layer {index}: cannot export {type(layer).__name__}")


def export(
    layers: nn.Sequential, inputs: int, outputs: int, weights_stored: str, path: Path
) -> None:
    """Write `layers`, with a batch of one, to `path`."""
    writer = GraphWriter("image")
    for index, layer in enumerate(layers):
        writer.layer(index, layer, weights_stored)
    writer.nodes[-1].output[0] = "logits"
    graph = helper.make_graph(
        writer.nodes,
        path.stem,
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, inputs])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, outputs])],
        writer.initializers,
    )
    model = helper.make_model(
        graph,
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(DOMAIN, 1)],
        producer_name="qnnc models/train.py",
    )
    onnx.checker.check_model(model)
    onnx.save(model, path)
