"""Nodes that cannot be imported: ops, shapes, batches, quantisers."""

from typing import Any

import numpy as np
import pytest
from broken_onnx import (
    INFINITY,
    NAN,
    Broken,
    affine,
    assert_refused,
    graph_of,
    on_input,
    refusal,
)
from onnx import TensorProto, helper
from onnx_graphs import QONNX, OnnxGraph


def quant(
    scale: object = 1.0,
    zero_point: object = 0.0,
    bits: object = 4.0,
    **attributes: Any,
) -> Broken:
    def build(graph: OnnxGraph, x: str) -> str:
        parts = [graph.constant(np.array(part)) for part in (scale, zero_point, bits)]
        return graph.op("Quant", x, *parts, name="q", domain=QONNX, **attributes)

    return graph_of(build)


def batch_norm(
    sizes: tuple[int, int, int, int] = (4, 4, 4, 4),
    var: float = 1.0,
    **attributes: Any,
) -> Broken:
    def build(graph: OnnxGraph, x: str) -> str:
        values = (1.0, 1.0, 1.0, var)
        rows = [
            graph.constant(np.full(size, value))
            for size, value in zip(sizes, values, strict=True)
        ]
        return graph.op("BatchNormalization", x, *rows, name="bn", **attributes)

    return graph_of(build)


def with_branch(graph: OnnxGraph, x: str) -> str:
    branch = helper.make_graph([helper.make_node("Relu", [x], ["r"])], "then", [], [])
    condition = graph.constant(True, np.bool_)
    return graph.op(
        "If", condition, name="branch", then_branch=branch, else_branch=branch
    )


# The model, and what its message must say beside the name of the file.
CASES: dict[str, tuple[Broken, tuple[str, ...]]] = {
    # Ops.
    "unsupported-op": (
        graph_of(lambda g, x: g.op("Erf", x, name="gelu")),
        ("node 'gelu' (Erf)", "not supported", "accepted here: Abs, Add"),
    ),
    "unsupported-domain": (
        graph_of(lambda g, x: g.op("Gelu", x, name="gelu", domain="com.microsoft")),
        ("node 'gelu' (Gelu)", "com.microsoft"),
    ),
    "known-op-of-another-domain": (
        graph_of(lambda g, x: g.op("Relu", x, name="r", domain="my.domain")),
        ("node 'r' (Relu)", "my.domain"),
    ),
    "subgraph": (graph_of(with_branch), ("node 'branch' (If)", "subgraph")),
    "pow-of-data": (
        graph_of(lambda g, x: g.op("Pow", x, g.constant(2), name="p")),
        ("node 'p' (Pow)", "constants only"),
    ),
    "sign": (
        graph_of(lambda g, x: g.op("Sign", x, name="s")),
        ("node 's' (Sign)", "BipolarQuant"),
    ),
    "trunc-between-levels": (
        graph_of(
            lambda g, x: g.op(
                "Trunc", x, *(g.constant(v) for v in (1, 3, 8, 4, 4)),
                name="t", domain=QONNX,
            )
        ),
        ("node 't' (Trunc)", "zero point 3.0", "multiple of the 4.0"),
    ),
    "zero-point-beyond-32-bits": (
        quant(zero_point=1e30), ("node 'q' (Quant)", "e+30", "at most 32 bits")
    ),
    "matmul-of-two-computed": (
        graph_of(lambda g, x: g.op("MatMul", x, x, name="fc")),
        ("node 'fc' (MatMul)", "computed", "constant"),
    ),
    "xnor-popcount": (
        graph_of(
            lambda g, x: g.op(
                "XnorPopcountMatMul", x, g.constant(np.full((4, 2), -1)),
                name="p", domain=QONNX,
            )
        ),
        ("node 'p' (XnorPopcountMatMul)", "other than bits", "BINARY"),
    ),
    "training-batch-norm": (batch_norm(training_mode=1), ("node 'bn'", "training")),
    "too-few-inputs": (
        graph_of(lambda g, x: g.op("Add", x, name="add")),
        ("node 'add' (Add)", "1 inputs", "expected 2"),
    ),
    "too-many-inputs": (
        graph_of(lambda g, x: g.op("Relu", x, x, name="r")),
        ("node 'r' (Relu)", "2 inputs"),
    ),
    "blank-input": (
        graph_of(lambda g, x: g.op("MatMul", "", x, name="fc")),
        ("node 'fc' (MatMul)", "missing"),
    ),
    "missing-attribute": (
        graph_of(lambda g, x: g.op("Cast", x, name="cast")),
        ("node 'cast' (Cast)", "'to'", "missing"),
    ),
    "attribute-of-another-type": (
        graph_of(lambda g, x: g.op("Softmax", x, name="s", axis="last")),
        ("node 's' (Softmax)", "'axis'", "integer"),
    ),
    "unknown-attribute": (
        graph_of(lambda g, x: g.op("Clip", x, name="c", min=0.0)),
        ("node 'c' (Clip)", "'min'", "opset 13"),
    ),
    "wrong-axis": (
        graph_of(lambda g, x: g.op("ArgMax", x, name="a", axis=5)),
        ("node 'a' (ArgMax)", "axis 5"),
    ),
    "float-levels": (
        graph_of(lambda g, x: g.op("DequantizeLinear", x, g.constant(1), name="d")),
        ("node 'd' (DequantizeLinear)", "float"),
    ),
    "arithmetic-on-integers": (
        on_input(affine, [1, 4], dtype=TensorProto.INT8), ("node 'add'", "si8", "Cast")
    ),
    "cast-to-integers": (
        graph_of(lambda g, x: g.op("Cast", x, name="cast", to=TensorProto.INT8)),
        ("node 'cast'", "float to int8"),
    ),
    "optional-output": (
        graph_of(
            lambda g, x: g.op(
                "Identity", f"{g.op('Dropout', x, outputs=2, name='d')}_1", name="i"
            )
        ),
        ("node 'i'", "'d_out_1'"),
    ),
    # Shapes.
    "matmul-of-wrong-shape": (
        graph_of(
            lambda g, x: g.op("MatMul", x, g.constant(np.ones((5, 2))), name="fc")
        ),
        ("node 'fc' (MatMul)", "[1, 4]", "5"),
    ),
    "gemm-of-wrong-shape": (
        graph_of(lambda g, x: g.op("Gemm", x, g.constant(np.ones((3, 2))), name="fc")),
        ("node 'fc' (Gemm)", "[1, 4]", "3"),
    ),
    "gemm-with-wrong-bias": (
        graph_of(
            lambda g, x: g.op(
                "Gemm", x, g.constant(np.ones((4, 2))), g.constant([1, 2, 3]), name="fc"
            )
        ),
        ("node 'fc' (Gemm)", "[1, 2]", "[3]"),
    ),
    "gemm-with-transposed-data": (
        graph_of(
            lambda g, x: g.op(
                "Gemm", x, g.constant(np.ones((1, 2))), name="fc", transA=1
            )
        ),
        ("node 'fc' (Gemm)", "transA"),
    ),
    "add-of-wrong-shape": (
        graph_of(lambda g, x: g.op("Add", x, g.constant([1, 2, 3]), name="add")),
        ("node 'add'", "[1, 4]", "[3]"),
    ),
    "add-that-makes-frames": (
        graph_of(lambda g, x: g.op("Add", x, g.constant(np.ones((3, 4))), name="add")),
        ("node 'add'", "[3, 4]", "frame"),
    ),
    "batch-norm-of-wrong-shape": (
        batch_norm(sizes=(4, 4, 3, 4)), ("node 'bn'", "mean", "[3]", "[4]")
    ),
    "negative-variance": (batch_norm(var=-2.0), ("node 'bn'", "var")),
    "reshape-of-wrong-count": (
        graph_of(
            lambda g, x: g.op("Reshape", x, g.constant([1, 5], np.int64), name="r")
        ),
        ("node 'r' (Reshape)", "[1, 4]", "[1, 5]"),
    ),
    "reshape-with-two-unknowns": (
        graph_of(
            lambda g, x: g.op("Reshape", x, g.constant([-1, -1], np.int64), name="r")
        ),
        ("node 'r' (Reshape)", "[-1, -1]"),
    ),
    "reshape-with-computed-shape": (
        graph_of(lambda g, x: g.op("Reshape", x, x, name="r")), ("node 'r'", "constant")
    ),
    "reshape-that-loses-the-batch": (
        graph_of(lambda g, x: g.op("Reshape", x, g.constant([4], np.int64), name="r")),
        ("node 'r'", "batch axis"),
    ),
    "squeeze-of-the-batch": (
        graph_of(lambda g, x: g.op("Squeeze", x, name="s", axes=[0]), opset=11),
        ("node 's'", "batch axis"),
    ),
    "squeeze-of-a-wide-axis": (
        graph_of(lambda g, x: g.op("Squeeze", x, name="s", axes=[1]), opset=11),
        ("node 's'", "[1, 4]"),
    ),
    "transpose-of-the-batch": (
        graph_of(lambda g, x: g.op("Transpose", x, name="t")),
        ("node 't'", "batch axis"),
    ),
    "transpose-with-wrong-perm": (
        graph_of(lambda g, x: g.op("Transpose", x, name="t", perm=[0, 2])),
        ("node 't'", "[0, 2]"),
    ),
    "arg-max-over-the-batch": (
        graph_of(lambda g, x: g.op("ArgMax", x, name="a")), ("node 'a'", "axis 0")
    ),
    "top-k-of-too-many": (
        graph_of(
            lambda g, x: g.op("TopK", x, g.constant([5], np.int64), outputs=2, name="k")
        ),
        ("node 'k'", "[5]", "1 to 4"),
    ),
    # A batch that is not one.
    "batch-that-is-mixed": (
        on_input(
            lambda g, x: g.op("Reshape", x, g.constant([1, 16], np.int64), name="r"),
            [4, 4],
        ),
        ("node 'r'", "batch axis"),
    ),
    "value-a-frame": (
        on_input(
            lambda g, x: g.op("Add", x, g.constant(np.ones((4, 4))), name="add"), [4, 4]
        ),
        ("node 'add'", "frame"),
    ),
    "batch-that-is-moved": (
        on_input(
            lambda g, x: g.op("Add", x, g.constant(np.ones((4, 1, 4))), name="add"),
            [4, 4],
        ),
        ("node 'add'",),
    ),
    # Quantisers.
    "zero-scale": (quant(scale=0.0), ("node 'q' (Quant)", "scale", "positive")),
    "negative-scale": (quant(scale=-0.5), ("node 'q'", "-0.5", "positive")),
    "one-negative-scale": (quant(scale=[[1, 1, -2, 1]]), ("node 'q'", "-2")),
    "nan-scale": (quant(scale=NAN), ("node 'q'", "NaN")),
    "infinite-scale": (quant(scale=INFINITY), ("node 'q'", "infinite")),
    "scale-of-wrong-shape": (quant(scale=[1.0, 2, 3]), ("node 'q'", "[3]", "[1, 4]")),
    "scale-a-frame": (quant(scale=[[1.0], [2]]), ("node 'q'", "[2, 1]")),
    "zero-point-of-half": (quant(zero_point=0.5), ("node 'q'", "0.5", "integer")),
    "bit-width-of-half": (quant(bits=2.5), ("node 'q'", "2.5", "1 to 32")),
    "bit-width-0": (quant(bits=0), ("node 'q'", "bit width", "1 to 32")),
    "bit-width-33": (quant(bits=33), ("node 'q'", "33", "1 to 32")),
    "several-bit-widths": (quant(bits=[2, 3]), ("node 'q'", "bit width", "[2]")),
    "rounding-mode": (
        quant(rounding_mode="STOCHASTIC"), ("node 'q'", "STOCHASTIC", "HALF_EVEN")
    ),
    "signed-2": (quant(signed=2), ("node 'q'", "'signed'", "0 or 1")),
    "computed-scale": (
        graph_of(
            lambda g, x: g.op("BipolarQuant", x, g.op("Abs", x), name="q", domain=QONNX)
        ),
        ("node 'q' (BipolarQuant)", "constant"),
    ),
    "nan-threshold": (
        graph_of(
            lambda g, x: g.op(
                "MultiThreshold", x, g.constant([[NAN]]), name="t", domain=QONNX
            )
        ),
        ("node 't' (MultiThreshold)", "NaN"),
    ),
    "thresholds-of-wrong-shape": (
        graph_of(
            lambda g, x: g.op(
                "MultiThreshold", x, g.constant([[1], [2]]), name="t", domain=QONNX
            )
        ),
        ("node 't' (MultiThreshold)", "[2, 1]", "[4, T]"),
    ),
    "threshold-scale-0": (
        graph_of(
            lambda g, x: g.op(
                "MultiThreshold", x, g.constant([[1]]), name="t", domain=QONNX,
                out_scale=0.0,
            )
        ),
        ("node 't' (MultiThreshold)", "out_scale"),
    ),
    "blocks-of-quantisation": (
        graph_of(
            lambda g, x: g.op(
                "QuantizeLinear", x, g.constant([[1, 2, 3]]), name="q", block_size=2
            ),
            opset=21,
        ),
        ("node 'q' (QuantizeLinear)", "[1, 3]", "each 2 elements of axis 1"),
    ),
    "blocks-of-another-extent": (
        graph_of(
            lambda g, x: g.op(
                "QuantizeLinear", x, g.constant([[1, 2]]), name="q", block_size=-2
            ),
            opset=21,
        ),
        ("node 'q' (QuantizeLinear)", "each -2 elements"),
    ),
    "axis-of-quantisation": (
        graph_of(
            lambda g, x: g.op("QuantizeLinear", x, g.constant([1, 2]), name="q", axis=7)
        ),
        ("node 'q' (QuantizeLinear)", "axis 7"),
    ),
    "quantised-in-half-precision": (
        graph_of(
            lambda g, x: g.op(
                "QuantizeLinear", x, g.constant(0.5), name="q",
                precision=TensorProto.FLOAT16,
            ),
            opset=23,
        ),
        ("node 'q' (QuantizeLinear)", "precision is float16"),
    ),
    "half-precision-scale": (
        graph_of(
            lambda g, x: g.op(
                "QuantizeLinear", x, g.constant(0.5, np.float16), name="q"
            ),
            opset=23,
        ),
        ("node 'q' (QuantizeLinear)", "float16", "convert"),
    ),
    "quantised-to-float8": (
        graph_of(
            lambda g, x: g.op(
                "QuantizeLinear", x, g.constant(1), name="q",
                output_dtype=TensorProto.FLOAT8E4M3FN,
            ),
            opset=23,
        ),
        ("node 'q' (QuantizeLinear)", "float8e4m3fn", "no even steps"),
    ),
    "dequantised-to-half-precision": (
        graph_of(
            lambda g, x: g.op(
                "DequantizeLinear", g.op("QuantizeLinear", x, g.constant(1)),
                g.constant(1), name="d", output_dtype=TensorProto.FLOAT16,
            ),
            opset=23,
        ),
        ("node 'd' (DequantizeLinear)", "output_dtype is float16"),
    ),
    "dynamic-quantisation": (
        graph_of(lambda g, x: g.op("DynamicQuantizeLinear", x, name="d", outputs=3)),
        ("node 'd' (DynamicQuantizeLinear)", "each frame", "calibration"),
    ),
    "float-zero-point": (
        graph_of(
            lambda g, x: g.op(
                "QuantizeLinear", x, g.constant(1), g.constant(0.0), name="q"
            )
        ),
        ("node 'q' (QuantizeLinear)", "integers"),
    ),
    "clip-that-is-empty": (
        graph_of(
            lambda g, x: g.op("Clip", x, g.constant(1), g.constant(-1), name="c")
        ),
        ("node 'c' (Clip)", "1.0", "-1.0"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_refusal_is_short_and_names_the_fault(case: str):
    assert_refused(*CASES[case])


def test_messages_differ():
    messages = {refusal(make()) for make, _ in CASES.values()}
    assert len(messages) >= len(CASES) - 5
