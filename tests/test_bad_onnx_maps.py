"""What the importer refuses of ops on maps: the node, what is wrong, what is expected."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from broken_onnx import assert_refused, refusal
from onnx_graphs import OnnxGraph


def on_map(
    op: str,
    *constants: Any,
    shape: tuple[int, ...] = (1, 4, 6, 5),
    opset: int = 19,
    outputs: int = 1,
    **how: Any,
) -> Callable[[], bytes]:
    """A graph of one node on a map; integer arrays become int64 inputs."""

    def make() -> bytes:
        graph = OnnxGraph(opset=opset)
        x = graph.input(shape)
        others: list[str] = []
        for value in constants:
            array = np.asarray(value)
            kind = np.int64 if array.dtype.kind == "i" else np.float32
            others.append("" if value is None else graph.constant(array, kind))
        node = graph.op(op, x, *others, name="node", outputs=outputs, **how)
        return graph.bytes(node)

    return make


WEIGHTS = np.ones((2, 4, 3, 3))

CASES: dict[str, tuple[Callable[[], bytes], tuple[str, ...]]] = {
    "rank": (on_map("Conv", WEIGHTS, shape=(1, 4)), ("(Conv)", "[1, 4]", "a map")),
    "weights-of-another-rank": (
        on_map("Conv", np.ones((2, 4, 3))), ("(Conv)", "one rank")
    ),
    "channels": (
        on_map("Conv", np.ones((2, 3, 3, 3))), ("3 channels", "has 4 channels")
    ),
    "groups": (
        on_map("Conv", np.ones((3, 2, 3, 3)), group=2), ("2 groups to 3",)
    ),
    "kernel-shape": (
        on_map("Conv", WEIGHTS, kernel_shape=[2, 2]), ("kernel_shape", "[2, 4, 3, 3]")
    ),
    "too-large-kernel": (
        on_map("Conv", WEIGHTS, dilations=[3, 1]), ("reaches over 7", "the 6")
    ),
    "negative-pads": (
        on_map("Conv", WEIGHTS, pads=[0, 0, -1, 0]), ("pads is [0, 0, -1, 0]",)
    ),
    "auto-pad": (
        on_map("Conv", WEIGHTS, auto_pad="SAME"), ("auto_pad 'SAME'", "SAME_UPPER")
    ),
    "bias": (on_map("Conv", WEIGHTS, np.ones(3)), ("bias has shape [3]", "[2]")),
    "transposed-channels": (
        on_map("ConvTranspose", np.ones((3, 4, 3, 3))), ("has 4 channels",)
    ),
    "transposed-pads": (
        on_map("ConvTranspose", np.ones((4, 4, 3, 3)), pads=[9, 0, 0, 0]),
        ("[9, 0, 0, 0]", "leave a map of [-1, 7]"),
    ),
    "transposed-shape": (
        on_map("ConvTranspose", np.ones((4, 4, 3, 3)), output_shape=[9]),
        ("output_shape is [9]", "expected 2 integers"),
    ),
    "pool-indices": (
        on_map("MaxPool", kernel_shape=[2, 2], outputs=2), ("indices", "one output")
    ),
    "pool-kernel": (on_map("MaxPool", kernel_shape=[2]), ("kernel_shape is [2]",)),
    "pool-pads": (
        on_map("MaxPool", kernel_shape=[2, 2], pads=[2, 0, 0, 0]), ("not below",)
    ),
    "mean-of-frames": (
        on_map("ReduceMean", [0, 2]), ("over the axes [0, 2]", "some of [1, 2, 3]")
    ),
    "mean-of-all": (on_map("ReduceMean"), ("over all axes", "some of [1, 2, 3]")),
    "pad-mode": (
        on_map("Pad", [0, 0, 1, 1, 0, 0, 1, 1], mode="mirror"), ("'mirror'", "reflect")
    ),
    "pad-batch": (on_map("Pad", [1, 0, 0, 0, 0, 0, 0, 0]), ("axis 0, the batch",)),
    "pad-count": (on_map("Pad", [1, 1]), ("[1, 1]", "rank 4")),
    "pad-away": (on_map("Pad", [0, 0, -3, 0, 0, 0, -3, 0]), ("to be left",)),
    "concat-shapes": (
        on_map("Concat", np.ones((1, 4, 5, 5)), axis=1), ("beside axis 1",)
    ),
    "concat-batch": (
        on_map("Concat", np.ones((1, 4, 6, 5)), axis=0), ("axis 0, the batch",)
    ),
    "split": (
        on_map("Split", [1, 2], axis=1, outputs=2), ("[1, 2]", "axis 1, which has 4")
    ),
    "slice-without-step": (
        on_map("Slice", [0], [3], [2], [0]), ("steps [0]", "other than 0")
    ),
    "slice-nothing": (on_map("Slice", [3], [3], [2]), ("nothing of axis 2",)),
    "linear": (
        on_map("Resize", None, [1.0, 1.0, 2.0, 2.0], mode="linear"), ("'linear'",)
    ),
    "negative-factor": (
        on_map("Resize", None, [1.0, 1.0, -2.0, 2.0]), ("-2.0", "positive")
    ),
    "shrunk-to-nothing": (
        on_map("Resize", None, [1.0, 1.0, 0.125, 2.0]), ("0.125", "nothing")
    ),
    "resized-channels-of-too-many-axes": (
        on_map("Resize", None, [1.0, 2.0, 2.0]), ("axes [0, 1, 2, 3]",)
    ),
    "ratio-policy": (
        on_map("Resize", None, None, [1, 4, 12, 10], keep_aspect_ratio_policy="fit"),
        ("'fit'", "not_larger"),
    ),
    "uneven-repeat": (
        on_map(
            "Resize", None, [1.0, 1.0, 30.0, 2.0],
            coordinate_transformation_mode="asymmetric", nearest_mode="ceil",
        ),
        ("pieces", "up to 64"),
    ),
    "place-of-resize": (
        on_map(
            "Resize", None, [1.0, 1.0, 2.0, 2.0],
            coordinate_transformation_mode="tf_crop_and_resize",
        ),
        ("'tf_crop_and_resize'", "half_pixel"),
    ),
    "rounding-of-resize": (
        on_map("Resize", None, [1.0, 1.0, 2.0, 2.0], nearest_mode="odd"),
        ("nearest_mode 'odd'", "round_prefer_ceil"),
    ),
    "reflection-beyond-the-map": (
        on_map("Pad", [0, 0, 7, 0, 0, 0, 0, 0], mode="reflect"),
        ("reflects 7 elements of axis 2",),
    ),
    "block": (on_map("DepthToSpace", blocksize=3), ("multiple of 9",)),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_refusal_is_short_and_names_the_fault(case: str) -> None:
    make, parts = CASES[case]
    assert_refused(make, ("node 'node'", *parts))


def test_messages_differ() -> None:
    messages = {refusal(make()) for make, _ in CASES.values()}
    assert len(messages) >= len(CASES) - 2
