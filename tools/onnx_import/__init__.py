"""ONNX and QONNX graphs to the network level of `qnn`."""
