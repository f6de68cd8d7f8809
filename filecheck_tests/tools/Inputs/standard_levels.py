"""Writes standard_levels.onnx: standard ONNX ops on levels, in a network that is small.

QuantizeLinear, QLinearConv with a scale and a zero point for each output, a MatMul by
4-bit weights with a scale for each block of two, and DequantizeLinear.
"""

import sys
from pathlib import Path

import onnx.parser
from onnx import ModelProto, TensorProto, helper

TEXT = """
<ir_version: 10, opset_import: ["": 21]>
standard_levels (float[1, 1, 4, 4] image) => (float[1, 3] scores)
<
  float image_scale = {0.125}, uint8 image_zero = {128},
  int8[2, 1, 2, 2] kernel = {3, -5, 7, 1, -2, 4, 0, -6},
  float[2] kernel_scale = {0.25, 0.5}, int8[2] kernel_zero = {0, 1},
  int32[2] bias = {9, -14},
  float map_scale = {0.5}, uint8 map_zero = {3},
  float[2, 3] blocks = {0.5, 0.25, 1.0, 0.25, 0.75, 1.0}
>
{
  levels = QuantizeLinear (image, image_scale, image_zero)
  map = QLinearConv <strides = [2, 2]> (
    levels, image_scale, image_zero, kernel, kernel_scale, kernel_zero,
    map_scale, map_zero, bias)
  reals = DequantizeLinear (map, map_scale, map_zero)
  pooled = MaxPool <kernel_shape = [2, 1]> (reals)
  vector = Flatten (pooled)
  matrix = DequantizeLinear <axis = 0, block_size = 2> (weights, blocks)
  scores = MatMul (vector, matrix)
}
"""


def model() -> ModelProto:
    """The network, complete."""
    made = onnx.parser.parse_model(TEXT)
    weights = [-8, 7, 1, 3, 0, -2, 5, -1, 6, 2, 4, -7]
    # The text form has no integers of 4 bits.
    tensor = helper.make_tensor("weights", TensorProto.INT4, [4, 3], weights)
    made.graph.initializer.append(tensor)
    return made


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(model().SerializeToString())
