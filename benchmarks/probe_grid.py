"""Quantisers against the QONNX executor: every rounding mode, sign and width.

One small layer a case: an integer product, a batch normalisation with power-of-two
parameters (so that many accumulators fall on ties), a quantiser. Counts the
activations that differ between our integer level, from which C and hardware are made,
and the QONNX executor.
"""

from __future__ import annotations

import itertools
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper
from xdsl.context import Context

from lowering.interpreter.engine import Interpreter
from passes.floor_thresholds import FloorThresholdsPass
from passes.fold_batch_norm import FoldBatchNormPass
from passes.lower_to_integer import LowerToIntegerPass
from passes.narrow_accumulators import NarrowAccumulatorsPass
from passes.outline_core import OutlineCorePass
from qdialect.data import Array
from tools.onnx_import.frontend import import_onnx

ROUNDINGS = ("ROUND", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN")
GAMMAS = {
    "positive": (0.5, 1.0, 0.25, 2.0),
    "negative": (-0.5, -1.0, -0.25, -2.0),
    "mixed": (0.5, -1.0, 0.0, -0.25),
}
FRAMES, INPUTS, OUTPUTS = 256, 12, 4
DOMAIN = "qonnx.custom_op.general"


@dataclass(frozen=True)
class Case:
    """A cell of the grid: the quantiser behind the layer, and the signs of gamma."""

    rounding: str
    signed: bool
    narrow: bool
    bits: int
    gamma: str
    relu: bool


def grid(widths: tuple[int, ...] = (1, 2, 3, 4, 8)) -> Iterator[Case]:
    """All cells; one-bit quantisers have no narrow range."""
    for rounding, signed, narrow, bits, gamma, relu in itertools.product(
        ROUNDINGS, (False, True), (False, True), widths, GAMMAS, (False, True)
    ):
        if not (narrow and bits == 1):
            yield Case(rounding, signed, narrow, bits, gamma, relu)


def model(case: Case) -> ModelProto:
    """The QONNX graph of a cell, its batch fixed at `FRAMES`."""
    rng = np.random.default_rng(7)
    parameters: dict[str, Array] = {
        "scale_in": np.array(1.0),
        "zero": np.array(0.0),
        "bits_in": np.array(4.0),
        "weights": rng.integers(-2, 2, (INPUTS, OUTPUTS)),
        "scale_w": np.array(0.5),
        "bits_w": np.array(2.0),
        "gamma": np.array(GAMMAS[case.gamma]),
        "beta": np.array([0.25, -0.5, 0.0, 1.0]),
        "mean": np.array([0.5, 0.0, -1.0, 0.25]),
        "variance": np.array([1.0, 4.0, 0.25, 1.0]),
        "scale_out": np.array(0.5),
        "bits_out": np.array(float(case.bits)),
    }
    nodes = [
        helper.make_node(
            "Quant",
            ["x", "scale_in", "zero", "bits_in"],
            ["q"],
            domain=DOMAIN,
            signed=1,
            narrow=0,
            rounding_mode="ROUND",
        ),
        helper.make_node(
            "Quant",
            ["weights", "scale_w", "zero", "bits_w"],
            ["w"],
            domain=DOMAIN,
            signed=1,
            narrow=0,
            rounding_mode="ROUND",
        ),
        helper.make_node("MatMul", ["q", "w"], ["sums"]),
        helper.make_node(
            "BatchNormalization",
            ["sums", "gamma", "beta", "mean", "variance"],
            ["normal"],
            epsilon=0.0,
        ),
        *([helper.make_node("Relu", ["normal"], ["relu"])] if case.relu else []),
        helper.make_node(
            "Quant",
            ["relu" if case.relu else "normal", "scale_out", "zero", "bits_out"],
            ["y"],
            domain=DOMAIN,
            signed=int(case.signed),
            narrow=int(case.narrow),
            rounding_mode=case.rounding,
        ),
    ]
    graph = helper.make_graph(
        nodes,
        "probe",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [FRAMES, INPUTS])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [FRAMES, OUTPUTS])],
        [
            numpy_helper.from_array(array.astype(np.float32), name)
            for name, array in parameters.items()
        ],
    )
    made = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", 13), helper.make_opsetid(DOMAIN, 1)],
    )
    made.ir_version = 9
    return made


def frames() -> Array:
    """Inputs [FRAMES, INPUTS] over the range of the input quantiser."""
    rng = np.random.default_rng(11)
    return rng.integers(-8, 8, (FRAMES, INPUTS)).astype(np.float32)


def ours(case: Case) -> Array:
    """Outputs of the integer level."""
    module = import_onnx(model(case).SerializeToString(), name="probe")
    for pass_ in (
        FoldBatchNormPass(),
        LowerToIntegerPass(),
        FloorThresholdsPass(),
        NarrowAccumulatorsPass(),
        OutlineCorePass(),
    ):
        pass_.apply(Context(), module)
    return Interpreter(module).run([frames()])[0]


def theirs(case: Case) -> Array:
    """Outputs of the QONNX executor."""
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx
    from qonnx.transformation.infer_shapes import InferShapes

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wrapped = ModelWrapper(model(case)).transform(InferShapes())
        return execute_onnx(wrapped, {"x": frames()})["y"]


def differences(case: Case) -> int:
    """Activations of a cell that differ."""
    return int((ours(case) != theirs(case)).sum())


def main() -> None:
    """Run the grid and print the differences by rounding mode."""
    total, wrong = Counter[str](), Counter[str]()
    for case in grid():
        total[case.rounding] += FRAMES * OUTPUTS
        wrong[case.rounding] += differences(case)
    print("rounding    activations   different")
    for rounding in ROUNDINGS:
        print(f"{rounding:10s} {total[rounding]:12d} {wrong[rounding]:11d}")
    print(f"{'all':10s} {total.total():12d} {wrong.total():11d}")


if __name__ == "__main__":
    main()
