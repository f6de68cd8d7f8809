"""The interpreter as a backend in the sense of `onnx.backend.base`."""
