"""ONNX Runtime's ops on levels, against ONNX Runtime."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto, helper
from onnx_graphs import OnnxGraph, by_onnx_runtime, interpreted

from qdialect.data import Array

RUNTIME = "com.microsoft"
CODES = {"int8": TensorProto.INT8, "uint8": TensorProto.UINT8}


class Operator:
    """A graph of one op on maps [3, 4, 4, 8] of levels, drawn at random.

    Args:
        seed: of all that is drawn.
        exact: scales are powers of two, so that float32 rounds nothing.
    """

    def __init__(self, seed: int, *, exact: bool):
        self._rng = np.random.default_rng(seed)
        self._exact = exact
        self.type = ("int8", "uint8")[int(self._rng.integers(2))]
        self.graph = OnnxGraph(opset=21)
        self.data: list[Array] = []

    def x(self) -> str:
        info = np.iinfo(self.type)
        shape = (3, 4, 4, 8)
        levels = self._rng.integers(info.min, info.max + 1, shape)
        self.data.append(levels.astype(self.type))
        name = f"x{len(self.data)}"
        return self.graph.input(shape, name=name, dtype=CODES[self.type])

    def step(self, ratio: float = 1.0) -> tuple[str, str]:
        """Scale and zero point."""
        scale = ratio * 2.0 ** -int(self._rng.integers(3, 7))
        if not self._exact:
            scale *= self._rng.uniform(0.5, 1)
        info = np.iinfo(self.type)
        zero = self._rng.integers(info.min // 2, info.max // 2)
        return self.graph.constant(scale), self.graph.constant(zero, self.type)

    def op(self, op_type: str, *inputs: str, **attributes: Any) -> ModelProto:
        output = self.graph.op(op_type, *inputs, domain=RUNTIME, **attributes)
        model = self.graph.model(output)
        model.graph.output[0].type.tensor_type.elem_type = CODES[self.type]
        model.opset_import.append(helper.make_opsetid(RUNTIME, 1))
        return model


Build = Callable[[Operator], ModelProto]

WINDOW = {"kernel_shape": [2, 4], "strides": [2, 1], "pads": [1, 0, 1, 1]}
LAST = {"kernel_shape": [2, 2], "channels_last": 1}


def _concat_alike(o: Operator) -> ModelProto:
    """The first part has the scale of the result, and stays as it is."""
    step = o.step()
    return o.op("QLinearConcat", *step, o.x(), *step, o.x(), *o.step(), axis=-1)


OPERATORS: dict[str, Build] = {
    "add": lambda o: o.op(
        "QLinearAdd", o.x(), *o.step(), o.x(), *o.step(), *o.step(2)
    ),
    "mul": lambda o: o.op(
        "QLinearMul", o.x(), *o.step(), o.x(), *o.step(), *o.step()
    ),
    "add-constant": lambda o: o.op(
        "QLinearAdd", o.x(), *o.step(),
        o.graph.constant(np.arange(1, 33).reshape(1, 4, 1, 8), o.type), *o.step(),
        *o.step(2),
    ),
    "concat-alike": lambda o: _concat_alike(o),
    "concat": lambda o: o.op(
        "QLinearConcat", *o.step(), o.x(), *o.step(), o.x(), *o.step(), axis=1
    ),
    "leaky-relu": lambda o: o.op(
        "QLinearLeakyRelu", o.x(), *o.step(), *o.step(), alpha=0.125
    ),
    "average": lambda o: o.op(
        "QLinearAveragePool", o.x(), *o.step(), *o.step(), **WINDOW,
        count_include_pad=1,
    ),
    "average-channels-last": lambda o: o.op(
        "QLinearAveragePool", o.x(), *o.step(), *o.step(), **LAST
    ),
    "global-average": lambda o: o.op(
        "QLinearGlobalAveragePool", o.x(), *o.step(), *o.step()
    ),
}  # fmt: skip

# Sigmoid is a table in ONNX Runtime; its float32 differs from NumPy's in the last bit.
INEXACT: dict[str, Build] = {
    "sigmoid": lambda o: o.op("QLinearSigmoid", o.x(), *o.step(), *o.step()),
    **OPERATORS,
}


def distances(operator: Operator, model: ModelProto) -> Array:
    (found,) = interpreted(model, *operator.data)
    (expected,) = by_onnx_runtime(model, *operator.data)
    assert found.shape == expected.shape
    return np.abs(found.astype(np.int64) - expected.astype(np.int64))


@pytest.mark.parametrize("name", OPERATORS)
@settings(max_examples=6, deadline=None)
@given(st.integers(0, 1 << 30))
def test_levels_on_binary_grids_equal_onnx_runtime(name: str, seed: int) -> None:
    operator = Operator(seed, exact=True)
    assert not distances(operator, OPERATORS[name](operator)).any()


@pytest.mark.parametrize("name", INEXACT)
def test_levels_differ_by_one_at_most(name: str) -> None:
    """Only where a value lies within float32's rounding error of a tie."""
    found: list[Array] = []
    for seed in range(8):
        operator = Operator(seed, exact=False)
        found.append(distances(operator, INEXACT[name](operator)).ravel())
    levels = np.concatenate(found)
    assert levels.max() <= 1
    assert (levels > 0).mean() < 0.005


def test_softmax_differs_by_one_at_most() -> None:
    """ONNX Runtime computes it in fixed point; we compute it as documented, in float."""
    found: list[Array] = []
    for seed in range(8):
        operator = Operator(seed, exact=False)
        model = operator.op(
            "QLinearSoftmax", operator.x(), *operator.step(), *operator.step(),
            axis=-1, opset=17,
        )  # fmt: skip
        found.append(distances(operator, model).ravel())
    levels = np.concatenate(found)
    assert levels.max() <= 1
    assert (levels > 0).mean() < 0.1
