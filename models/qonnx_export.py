"""Writes a trained stack of layers as a QONNX graph, node by node.

The graph has what Brevitas would write: latent float weights under their quantiser,
batch norm as trained, quantisers with scale, zero point and bit width as initialisers.
Nodes are named after their place in the stack; in a branch of block 5, `conv5_body0`.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from quantised_layers import (
    Bipolar,
    DoReFaWeight,
    QuantisedConv,
    QuantisedLinear,
    Real,
    Residual,
    Scale,
    Uniform,
    XnorConv,
)

DOMAIN = "qonnx.custom_op.general"
IR_VERSION = 8
OPSET = 17


def to_numpy(tensor: Tensor) -> NDArray[np.float32]:
    """The values of a parameter."""
    return tensor.detach().numpy().astype(np.float32)


class GraphWriter:
    """A graph under construction: nodes in order, `here` being the last tensor."""

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
        self,
        op: str,
        name: str,
        inputs: list[str],
        **attributes: int | float | str | list[int],
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

    def weights(
        self,
        name: str,
        layer: QuantisedLinear | QuantisedConv,
        transposed: bool = False,
    ) -> str:
        """Add the latent weights of `layer` and what quantises them."""
        latent, quantiser = layer.weight, layer.quantiser
        node = f"{name}_weight_quant"
        match quantiser:
            case DoReFaWeight():
                latent, step = quantiser.squashed(latent), quantiser.step
                scale = step.scale(latent)
            case Real():
                step, scale = None, torch.ones(())
            case _:
                step, scale = quantiser, quantiser.scale(latent)
        if transposed:
            latent, scale = latent.T, scale.T
        stored = self.constant(f"{name}.weight", to_numpy(latent))
        if step is None:
            return stored
        quantised = self.quantise(node, stored, step, to_numpy(scale))
        if not isinstance(quantiser, DoReFaWeight):
            return quantised
        two = self.constant(f"{node}.two", 2.0)
        doubled = self.node("Mul", f"{node}_doubled", [quantised, two])
        one = self.constant(f"{node}.one", 1.0)
        return self.node("Sub", f"{node}_centred", [doubled, one])

    def linear(self, name: str, layer: QuantisedLinear, weights_stored: str) -> None:
        """Add the quantised weights and the product with `here`."""
        by_input = weights_stored == "by_input"
        quantised = self.weights(name, layer, transposed=by_input)
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

    def conv(self, name: str, layer: QuantisedConv) -> None:
        """Add the quantised weights and the convolution of `here`."""
        quantised = self.weights(name, layer)
        self.here = self.node(
            "Conv",
            name,
            [self.here, quantised],
            kernel_shape=list(layer.weight.shape[2:]),
            strides=[layer.stride] * 2,
            pads=[layer.padding] * 4,
            dilations=[1, 1],
            group=1,
        )

    def xnor_conv(self, index: str, layer: XnorConv) -> None:
        """Add the convolution of the signs of `here`, the map K, and their product."""
        source = self.here
        scale = to_numpy(layer.sign.scale(torch.empty(0)))
        self.here = self.quantise(f"sign{index}", source, layer.sign, scale)
        self.conv(f"conv{index}", layer.conv)
        magnitude = self.node("Abs", f"abs{index}", [source])
        mean = self.node(
            "ReduceMean", f"mean{index}", [magnitude], axes=[1], keepdims=1
        )
        scales = self.node(
            "AveragePool",
            f"box{index}",
            [mean],
            kernel_shape=[layer.kernel] * 2,
            pads=[layer.kernel // 2] * 4,
            count_include_pad=1,
        )
        self.here = self.node("Mul", f"xnor{index}", [self.here, scales])

    def batch_norm(self, name: str, layer: nn.BatchNorm1d | nn.BatchNorm2d) -> None:
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

    def residual(self, index: str, layer: Residual, weights_stored: str) -> None:
        """Add both branches after `here`, and their sum."""
        source = self.here
        self.stack(f"{index}_body", layer.body, weights_stored)
        body, self.here = self.here, source
        self.stack(f"{index}_shortcut", layer.shortcut, weights_stored)
        self.here = self.node("Add", f"add{index}", [body, self.here])

    def stack(self, prefix: str, layers: nn.Sequential, weights_stored: str) -> None:
        """Add `layers` after `here`, the names of their places beginning with `prefix`."""
        for index, layer in enumerate(layers):
            self.layer(f"{prefix}{index}", layer, weights_stored)

    def layer(self, index: str, layer: nn.Module, weights_stored: str) -> None:
        """Add one layer of the stack after `here`."""
        match layer:
            case QuantisedLinear():
                self.linear(f"linear{index}", layer, weights_stored)
            case QuantisedConv():
                self.conv(f"conv{index}", layer)
            case XnorConv():
                self.xnor_conv(index, layer)
            case Residual():
                self.residual(index, layer, weights_stored)
            case nn.BatchNorm1d() | nn.BatchNorm2d():
                self.batch_norm(f"batch_norm{index}", layer)
            case Bipolar() | Uniform():
                # The scale of an activation does not depend on the tensor.
                scale = to_numpy(layer.scale(torch.empty(0)))
                self.here = self.quantise(f"quant{index}", self.here, layer, scale)
            case nn.Hardtanh():
                bounds = {"min": layer.min_val, "max": layer.max_val}
                names = [
                    self.constant(f"clip{index}.{key}", value)
                    for key, value in bounds.items()
                ]
                self.here = self.node("Clip", f"clip{index}", [self.here, *names])
            case nn.ReLU():
                self.here = self.node("Relu", f"relu{index}", [self.here])
            case nn.MaxPool2d():
                self.here = self.node(
                    "MaxPool",
                    f"pool{index}",
                    [self.here],
                    kernel_shape=[layer.kernel_size] * 2,
                    strides=[layer.stride] * 2,
                )
            case nn.AdaptiveAvgPool2d(output_size=1):
                self.here = self.node("GlobalAveragePool", f"mean{index}", [self.here])
            case nn.Flatten():
                self.here = self.node("Flatten", f"flatten{index}", [self.here], axis=1)
            case Scale():
                factor = self.constant(f"scale{index}.factor", layer.factor)
                self.here = self.node("Mul", f"scale{index}", [self.here, factor])
            case _:
                raise TypeError(f"layer {index}: cannot export {type(layer).__name__}")


def export(
    layers: nn.Sequential,
    input_shape: Sequence[int],
    outputs: int,
    weights_stored: str,
    path: Path,
) -> None:
    """Write `layers`, with a batch of one, to `path`."""
    writer = GraphWriter("image")
    writer.stack("", layers, weights_stored)
    writer.nodes[-1].output[0] = "logits"
    graph = helper.make_graph(
        writer.nodes,
        path.stem,
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, *input_shape])],
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
