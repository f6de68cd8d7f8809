"""Imported ops on maps compute what ONNX Runtime and QONNX compute."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from onnx import ModelProto, helper
from onnx_graphs import QONNX, OnnxGraph, by_onnx_runtime, by_qonnx, interpreted
from random_maps import Shape, conv_model, shapes

from qdialect.data import Array
from tools.onnx_import.refusal import ImportRefused

RNG = np.random.default_rng(5)
CHANNELS_LAST = "qonnx.custom_op.channels_last"

few = settings(max_examples=30, deadline=None)
many = settings(max_examples=300, deadline=None)


def whole_numbers(*shape: int) -> Array:
    return RNG.integers(-50, 50, shape).astype(np.float32)


def check_conv(shape: Shape, *, transposed: bool) -> None:
    if transposed:
        edge = [(k - 1) * d for k, d in zip(shape.kernel, shape.dilations, strict=True)]
        out = [
            (n - 1) * s + 1 + e - a - b
            for n, s, e, a, b in zip(
                shape.extents,
                shape.strides,
                edge,
                shape.pads[: len(edge)],
                shape.pads[len(edge) :],
                strict=True,
            )
        ]
        assume(min(out) > 0)
    model, frames = conv_model(shape, transposed=transposed)
    (found,), (expected,) = interpreted(model, frames), by_onnx_runtime(model, frames)
    np.testing.assert_array_equal(found, expected)


@few
@given(shapes())
def test_conv(shape: Shape) -> None:
    check_conv(shape, transposed=False)


@pytest.mark.slow
@many
@given(shapes())
def test_conv_long(shape: Shape) -> None:
    check_conv(shape, transposed=False)


@few
@given(shapes())
def test_conv_transpose(shape: Shape) -> None:
    check_conv(shape, transposed=True)


@pytest.mark.parametrize("ceil", [0, 1])
@pytest.mark.parametrize("kind", ["MaxPool", "AveragePool", "counted"])
@few
@given(shapes())
def test_pools(kind: str, ceil: int, shape: Shape) -> None:
    graph = OnnxGraph(opset=19)
    x = graph.input((2, shape.channels, *shape.extents))
    more: dict[str, Any] = {"count_include_pad": 1} if kind == "counted" else {}
    node = graph.op(
        "MaxPool" if kind == "MaxPool" else "AveragePool",
        x,
        kernel_shape=shape.kernel,
        strides=shape.strides,
        pads=shape.pads,
        dilations=shape.dilations,
        ceil_mode=ceil,
        **more,
    )
    model = graph.model(node)
    frames = whole_numbers(2, shape.channels, *shape.extents)
    try:
        (found,) = interpreted(model, frames)
    except ImportRefused as error:
        assume("stands on padding alone" not in str(error))
        raise
    (expected,) = by_onnx_runtime(model, frames)
    if kind == "MaxPool":
        np.testing.assert_array_equal(found, expected)
    else:
        # Both round a quotient of the exact sum once; ONNX Runtime may multiply by the
        # inverse instead.
        np.testing.assert_allclose(found, expected, rtol=3e-7, atol=0)


AUTO_PADS = ["NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"]


@pytest.mark.parametrize("mode", AUTO_PADS)
@pytest.mark.parametrize("op", ["Conv", "ConvTranspose", "MaxPool"])
def test_auto_pad(op: str, mode: str) -> None:
    graph = OnnxGraph()
    x = graph.input((2, 3, 7, 8))
    how: dict[str, Any] = {"auto_pad": mode, "strides": (2, 3)}
    if op == "MaxPool":
        node = graph.op(op, x, kernel_shape=(3, 4), **how)
    else:
        size = (5, 3, 3, 4) if op == "Conv" else (3, 5, 3, 4)
        node = graph.op(op, x, graph.constant(whole_numbers(*size)), **how)
    model, frames = graph.model(node), whole_numbers(2, 3, 7, 8)
    (found,), (expected,) = interpreted(model, frames), by_onnx_runtime(model, frames)
    np.testing.assert_array_equal(found, expected)


def test_output_padding_and_shape_of_a_transposed_convolution() -> None:
    cases: list[dict[str, Any]] = [
        {"output_padding": (1, 0)},
        {"output_shape": (9, 10)},
    ]
    for more in cases:
        graph = OnnxGraph()
        x = graph.input((1, 2, 4, 5))
        weights = graph.constant(whole_numbers(2, 3, 3, 3))
        node = graph.op("ConvTranspose", x, weights, strides=(2, 2), **more)
        model, frames = graph.model(node), whole_numbers(1, 2, 4, 5)
        (found,), (expected,) = (
            interpreted(model, frames),
            by_onnx_runtime(model, frames),
        )
        np.testing.assert_array_equal(found, expected)


Build = Callable[[OnnxGraph, str], str]


def rearranging() -> dict[str, tuple[OnnxGraph, str]]:
    """A graph and its output for each op, in the forms that exporters write."""

    def case(build: Build, opset: int = 19) -> tuple[OnnxGraph, str]:
        graph = OnnxGraph(opset=opset)
        return graph, build(graph, graph.input(("batch", 4, 6, 5)))

    def ints(graph: OnnxGraph, values: Any) -> str:
        return graph.constant(values, np.int64)

    def resize(graph: OnnxGraph, x: str, **how: Any) -> str:
        empty = graph.constant(np.zeros(0))
        return graph.op("Resize", x, empty, graph.constant([1, 1, 2, 3]), **how)

    return {
        "pad": case(
            lambda g, x: g.op(
                "Pad", x, ints(g, [0, 1, 2, -1, 0, 0, -3, 4]), g.constant(2.5)
            )
        ),
        "pad-axes": case(
            lambda g, x: g.op("Pad", x, ints(g, [1, 2, 3, 4]), "", ints(g, [2, -1]))
        ),
        "pad-old": case(
            lambda g, x: g.op("Pad", x, pads=[0, 0, 1, 1, 0, 0, 2, 2], value=1.0), 9
        ),
        **{
            f"pad-{mode}": case(
                lambda g, x, mode=mode: g.op(
                    "Pad", x, ints(g, [0, 1, 2, -1, 0, 0, -3, 3]), mode=mode
                )
            )
            for mode in ("edge", "reflect", "wrap")
        },
        "resize-to-itself": case(
            lambda g, x: g.op(
                "Resize", x, "", "", ints(g, [1, 4, 6, 5]), nearest_mode="ceil"
            )
        ),
        "resize-uneven": case(
            lambda g, x: resize(
                g, x, coordinate_transformation_mode="asymmetric", nearest_mode="ceil"
            )
        ),
        "concat": case(lambda g, x: g.op("Concat", x, g.op("Neg", x), x, axis=-2)),
        "concat-constant": case(
            lambda g, x: g.op("Concat", x, g.constant(np.ones((1, 4, 6, 2))), axis=3)
        ),
        "split": case(
            lambda g, x: g.op(
                "Concat",
                g.op("Split", x, name="s", axis=1, num_outputs=2, outputs=2),
                "s_out_1",
                axis=2,
            )
        ),
        "split-uneven": case(
            lambda g, x: g.op(
                "Sub",
                g.op("Split", x, ints(g, [2, 1, 2]), name="s", axis=3, outputs=3),
                "s_out_2",
            )
        ),
        "slice": case(
            lambda g, x: g.op(
                "Slice",
                x,
                ints(g, [1, -100]),
                ints(g, [-1, 100]),
                ints(g, [2, 3]),
                ints(g, [2, 3]),
            )
        ),
        "slice-backwards": case(
            lambda g, x: g.op(
                "Slice",
                x,
                ints(g, [4, -1]),
                ints(g, [-100, 1]),
                ints(g, [2, 3]),
                ints(g, [-2, -1]),
            )
        ),
        "last-of-equals": case(
            lambda g, x: g.op(
                "Cast",
                g.op("ArgMax", g.op("Round", x), axis=2, select_last_index=1),
                to=1,
            )
        ),
        "slice-old": case(
            lambda g, x: g.op("Slice", x, starts=[1], ends=[3], axes=[1]), 9
        ),
        "resize": case(
            lambda g, x: resize(
                g, x, coordinate_transformation_mode="asymmetric", nearest_mode="floor"
            )
        ),
        "resize-default": case(resize),
        "resize-sizes": case(
            lambda g, x: g.op("Resize", x, "", "", ints(g, [1, 4, 12, 5]))
        ),
        "resize-ratio": case(
            lambda g, x: g.op("Resize", x, "", g.constant([1, 1, 1.5, 0.6]))
        ),
        "resize-corners": case(
            lambda g, x: g.op(
                "Resize",
                x,
                "",
                "",
                ints(g, [1, 4, 11, 9]),
                coordinate_transformation_mode="align_corners",
                nearest_mode="floor",
            )
        ),
        "resize-policy": case(
            lambda g, x: g.op(
                "Resize",
                x,
                "",
                "",
                ints(g, [18, 10]),
                axes=[2, 3],
                keep_aspect_ratio_policy="not_larger",
            )
        ),
        "upsample": case(lambda g, x: g.op("Upsample", x, g.constant([1, 1, 2, 2])), 9),
        "dcr": case(lambda g, x: g.op("DepthToSpace", x, blocksize=2)),
        "crd": case(lambda g, x: g.op("DepthToSpace", x, blocksize=2, mode="CRD")),
        "global-max": case(lambda g, x: g.op("GlobalMaxPool", x)),
        "global-average": case(lambda g, x: g.op("GlobalAveragePool", x)),
        "mean": case(lambda g, x: g.op("ReduceMean", x, ints(g, [-1, 2]))),
        "mean-of-rows": case(
            lambda g, x: g.op("ReduceMean", x, ints(g, [3]), keepdims=0)
        ),
        "mean-of-channels": case(lambda g, x: g.op("ReduceMean", x, ints(g, [1]))),
        "mean-of-a-frame": case(
            lambda g, x: g.op("ReduceMean", x, ints(g, [1, 2, 3]), keepdims=0)
        ),
        "sum-of-channels": case(
            lambda g, x: g.op("ReduceSum", x, ints(g, [-3]), keepdims=0)
        ),
        "sum-of-rows-and-channels": case(
            lambda g, x: g.op("ReduceSum", x, ints(g, [1, 3]))
        ),
        "magnitudes": case(lambda g, x: g.op("ReduceL1", x, ints(g, [1]))),
        "magnitudes-old": case(lambda g, x: g.op("ReduceL1", x, axes=[1, 2]), 13),
        "mean-old": case(
            lambda g, x: g.op("ReduceMean", x, axes=[2, 3], keepdims=0), 13
        ),
    }


@pytest.mark.parametrize("case", rearranging())
def test_rearranging(case: str) -> None:
    graph, node = rearranging()[case]
    model, frames = graph.model(node), whole_numbers(1, 4, 6, 5)
    (found,), (expected,) = interpreted(model, frames), by_onnx_runtime(model, frames)
    np.testing.assert_allclose(found, expected, rtol=3e-7, atol=0)
    # Two frames give what each gives alone.
    (both,) = interpreted(model, np.concatenate([-frames, frames]))
    np.testing.assert_array_equal(both[1:], found)


WINDOW: dict[str, Any] = {
    "kernel_shape": (3, 2),
    "strides": (2, 1),
    "pads": (1, 0, 1, 1),
}


def image_op(op: str, *, last: bool) -> ModelProto:
    """One op on a map of 7 x 8 places and 4 channels, in either layout."""
    rng = np.random.default_rng(8)
    graph = OnnxGraph()
    x = graph.input((1, 7, 8, 4) if last else (1, 4, 7, 8))
    domain = CHANNELS_LAST if last else ""
    match op:
        case "Conv":
            weights = rng.integers(-9, 9, (6, 3, 2, 2))
            order = weights if last else weights.transpose(0, 3, 1, 2)
            bias = graph.constant(rng.integers(-9, 9, 6))
            more: dict[str, Any] = {"group": 2, "dilations": (1, 2), **WINDOW}
            node = graph.op(op, x, graph.constant(order), bias, domain=domain, **more)
        case "BatchNormalization":
            parts = [graph.constant(rng.uniform(1, 2, 4)) for _ in range(4)]
            node = graph.op(op, x, *parts, domain=domain)
        case _:
            node = graph.op(op, x, domain=domain, **WINDOW)
    return graph.model(node)


@pytest.mark.parametrize("op", ["Conv", "MaxPool", "AveragePool", "BatchNormalization"])
def test_channels_last(op: str) -> None:
    frames = whole_numbers(1, 7, 8, 4)
    (found,) = interpreted(image_op(op, last=True), frames)
    turned = np.ascontiguousarray(frames.transpose(0, 3, 1, 2))
    (expected,) = by_onnx_runtime(image_op(op, last=False), turned)
    np.testing.assert_allclose(found, expected.transpose(0, 2, 3, 1), rtol=3e-7)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("rounding", ["FLOOR", "ROUND", "CEIL"])
def test_trunc_of_an_average(version: int, rounding: str) -> None:
    """The idiom of an average pool: a sum, then the low bits dropped."""
    graph = OnnxGraph()
    x = graph.quant(graph.input((1, 2, 4, 4)), 0.125, 0, 4, signed=0)
    mean = graph.op("AveragePool", x, kernel_shape=(2, 2), strides=(2, 2))
    total = graph.op("Mul", mean, graph.constant(4.0))
    parts = [0.125, 0, 6, *([0.5] if version == 2 else []), 4]
    unsigned: dict[str, Any] = {"signed": 0} if version == 2 else {}
    node = graph.op(
        "Trunc",
        total,
        *map(graph.constant, parts),
        domain=QONNX,
        rounding_mode=rounding,
        **unsigned,
    )
    model = graph.model(node)
    del model.opset_import[1:]
    model.opset_import.append(helper.make_opsetid(QONNX, version))
    frames = RNG.uniform(0, 2, (1, 2, 4, 4)).astype(np.float32)
    (found,), (expected,) = interpreted(model, frames), by_qonnx(model, frames)
    np.testing.assert_array_equal(found, expected)
