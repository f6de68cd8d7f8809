"""QONNX's operators against its executor, on generated parameters and inputs.

A case is one operator with its parameters, attributes and an input, drawn by
hypothesis: bit widths 1 to 16, every rounding mode, parameters of every shape that
broadcasts. Inputs hold ties (levels and a half, times the scale), the float32 numbers
next to them, what lies on and beyond the ends of the range, and both zeros. Counts the
elements that our interpreter gives otherwise; one case in fifty goes through
`execute_onnx`, the others through the same operator without the graph around it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto, helper, numpy_helper

from lowering.interpreter.engine import Interpreter
from qdialect.data import Array
from tools.onnx_import.frontend import import_onnx

DOMAIN = "qonnx.custom_op.general"
ROUNDINGS = (
    "ROUND", "HALF_EVEN", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN",
)  # fmt: skip
CASES_OF_AN_OP = 2000
# One case in so many goes through the executor's graph.
EXECUTED = 50


@dataclass(frozen=True)
class Case:
    """An operator, what stands around it, and an input.

    Attributes:
        op: its type.
        x: the input [N, ..].
        parameters: its other inputs, in their order.
        attributes: as the node has them.
        version: of QONNX's operators.
        constant: whether `x`, then of one frame, is an initialiser.
        annotation: what the input is said to hold.
    """

    op: str
    x: Array
    parameters: tuple[Array, ...]
    attributes: dict[str, Any] = field(default_factory=dict[str, Any])
    version: int = 2
    constant: bool = False
    annotation: str = "FLOAT32"

    def model(self) -> ModelProto:
        """The operator as a graph; a constant is added to zeros of its shape."""
        names = [f"p{index}" for index in range(len(self.parameters))]
        stored = dict(zip(names, self.parameters, strict=True))
        data, result = "x", "y"
        if self.constant:
            stored["data"], data, result = self.x, "data", "q"
        nodes = [
            helper.make_node(
                self.op, [data, *names], [result], domain=DOMAIN, **self.attributes
            )
        ]
        if self.constant:
            nodes.append(helper.make_node("Add", ["x", "q"], ["y"]))
        graph = helper.make_graph(
            nodes,
            "case",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, self.x.shape)],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
            [
                numpy_helper.from_array(array.astype(np.float32), name)
                for name, array in stored.items()
            ],
        )
        annotation = graph.quantization_annotation.add()
        annotation.tensor_name = "x"
        entry = annotation.quant_parameter_tensor_names.add()
        entry.key, entry.value = "finn_datatype", self.annotation
        opsets = [
            helper.make_opsetid("", 13),
            helper.make_opsetid(DOMAIN, self.version),
        ]
        return helper.make_model(graph, opset_imports=opsets, ir_version=9)

    @property
    def frames(self) -> Array:
        """What the graph is run on."""
        return np.zeros_like(self.x) if self.constant else self.x


def ours(case: Case) -> Array:
    """What the interpreter gives."""
    module = import_onnx(case.model().SerializeToString(), name="case.onnx")
    return Interpreter(module).run([case.frames])[0]


def by_operator(case: Case) -> Array:
    """What QONNX's operator gives, called with the tensors of its node."""
    from qonnx.custom_op.registry import getCustomOp

    graph = case.model().graph
    node = graph.node[0]
    inputs = (case.x, *case.parameters)
    context: dict[str, Array] = {
        name: array.astype(np.float32)
        for name, array in zip(node.input, inputs, strict=True)
    }
    context[node.output[0]] = np.zeros(case.x.shape, np.float32)
    with np.errstate(over="ignore"):
        instance = getCustomOp(node, onnx_opset_version=case.version)
        instance.execute_node(context, graph)
    return np.asarray(context[node.output[0]])


def by_executor(case: Case) -> Array:
    """What the executor gives for the graph of the case."""
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx
    from qonnx.transformation.infer_shapes import InferShapes

    with warnings.catch_warnings(), np.errstate(over="ignore"):
        warnings.simplefilter("ignore")
        wrapped = ModelWrapper(case.model()).transform(InferShapes())
        return execute_onnx(wrapped, {"x": case.frames})["y"]


_SCALES = st.one_of(
    st.sampled_from([1.0, 0.5, 0.25, 2.0, 0.1, 0.3]),
    st.integers(-12, 4).map(lambda exponent: 2.0**exponent),
    st.floats(2.0**-13, 8.0, width=32),
)


@st.composite
def _shapes(draw: st.DrawFn) -> tuple[int, ...]:
    """Of an input: frames, then one to three axes."""
    rank = draw(st.integers(2, 4))
    return tuple(draw(st.integers(1, 5)) for _ in range(rank))


@st.composite
def _data(draw: st.DrawFn) -> tuple[tuple[int, ...], bool]:
    """Shape of an input, and whether it is an initialiser, of one frame."""
    shape, constant = draw(_shapes()), draw(st.booleans())
    return ((1, *shape[1:]) if constant else shape), constant


@st.composite
def _parameter_shapes(draw: st.DrawFn, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Of a scale or zero point: a scalar, one a channel, or any that broadcasts."""
    rank = len(shape)
    match draw(st.integers(0, 3)):
        case 0:
            return ()
        case 1:
            return (1,) * draw(st.integers(1, rank))
        case 2:
            return (1, shape[1], *(1 for _ in shape[2:]))
        case _:
            full = [draw(st.sampled_from([1, extent])) for extent in shape[1:]]
            return draw(st.sampled_from([(1, *full), tuple(full)]))


@st.composite
def _parameter(
    draw: st.DrawFn, shape: tuple[int, ...], values: st.SearchStrategy[float]
) -> Array:
    """A parameter for an input of this shape."""
    own = draw(_parameter_shapes(shape))
    few = draw(st.lists(values, min_size=1, max_size=4))
    return np.resize(np.array(few, np.float32), prod(own)).reshape(own)


def _zero_points(
    shape: tuple[int, ...], values: st.SearchStrategy[float]
) -> st.SearchStrategy[Array]:
    """0 as often as others."""
    return st.one_of(st.just(np.array(0.0, np.float32)), _parameter(shape, values))


def _range(bits: int, signed: int, narrow: int) -> tuple[int, int]:
    """Least and greatest level of a quantiser."""
    if signed:
        return -(1 << (bits - 1)) + narrow, (1 << (bits - 1)) - 1
    return 0, (1 << bits) - 1 - narrow


def _probe(
    shape: tuple[int, ...],
    scale: Array,
    zero_point: Array,
    limits: tuple[int, int],
    seed: int,
    *,
    beyond: bool = True,
) -> Array:
    """An input of what is easily quantised wrongly.

    Args:
        shape: of the input.
        scale: of the quantiser.
        zero_point: of the quantiser.
        limits: of its levels.
        seed: of the choice.
        beyond: whether levels beyond the limits may occur.
    """
    rng = np.random.default_rng(seed)
    low, high = limits
    ends = np.array([low, high])[rng.integers(0, 2, shape)]
    levels = np.where(
        rng.random(shape) < 0.3, ends, rng.integers(low, high + 1, shape)
    ).astype(np.float64)
    levels += rng.choice([0.0, 0.5, -0.5, 0.25, 1.0, -1.0], shape)
    if beyond:
        levels *= rng.choice([1.0, 1.0, 1.0, 1.0, 3.0, 1e6], shape)
    else:
        levels = np.clip(levels, low, high)
    x = ((levels - zero_point) * scale).astype(np.float32)
    next_to = np.nextafter(x, rng.choice([-np.inf, np.inf], shape).astype(np.float32))
    kind = rng.random(shape)
    x = np.where(kind < 0.2, next_to, x)
    if beyond:
        x = np.where(kind > 0.9, rng.normal(0, 3, shape), x)
        zeros = rng.choice([0.0, -0.0], shape)
        x = np.where((kind > 0.85) & (kind < 0.9), zeros, x)
    return x.astype(np.float32)


_SEEDS = st.integers(0, (1 << 32) - 1)


@st.composite
def quants(draw: st.DrawFn) -> Case:
    """Quant and IntQuant."""
    shape, constant = draw(_data())
    bits, signed = draw(st.integers(1, 16)), draw(st.integers(0, 1))
    narrow = draw(st.integers(0, 1))
    scale = draw(_parameter(shape, _SCALES))
    zero = draw(_zero_points(shape, st.integers(-9, 300).map(float)))
    attributes: dict[str, Any] = {"signed": signed, "narrow": narrow}
    mode = draw(st.sampled_from([*ROUNDINGS, "round", "floor", None]))
    if mode is not None:
        attributes["rounding_mode"] = mode
    x = _probe(shape, scale, zero, _range(bits, signed, narrow), draw(_SEEDS))
    return Case(
        draw(st.sampled_from(["Quant", "IntQuant"])),
        x,
        (scale, zero, np.array(bits)),
        attributes,
        draw(st.integers(1, 2)),
        constant,
    )


@st.composite
def bipolar_quants(draw: st.DrawFn) -> Case:
    """BipolarQuant."""
    shape, constant = draw(_data())
    scale = draw(_parameter(shape, _SCALES))
    x = _probe(shape, scale, np.zeros(()), (-1, 1), draw(_SEEDS))
    return Case("BipolarQuant", x, (scale,), constant=constant)


@st.composite
def truncs(draw: st.DrawFn, version: int) -> Case:
    """Trunc; the first version on what its input bit width says."""
    shape, constant = draw(_data())
    bits_in, bits_out = draw(st.integers(2, 16)), draw(st.integers(2, 16))
    scale = draw(_parameter(shape, _SCALES))
    shift = draw(st.integers(-2, 8))
    mode = draw(st.sampled_from(ROUNDINGS))
    if version == 1:
        zero = draw(_zero_points(shape, st.integers(0, 9).map(float)))
        limits = _range(bits_in, draw(st.integers(0, 1)), 0)
        x = _probe(shape, scale, zero, limits, draw(_SEEDS), beyond=False)
        parameters = (scale, zero, np.array(bits_in), np.array(bits_out))
        return Case("Trunc", x, parameters, {"rounding_mode": mode}, 1, constant)
    # One level of the result is 2^shift of the input, so the zero point must be, too.
    whole = st.integers(-4, 9).map(lambda n: n * max(1.0, 2.0**shift))
    zero = draw(_zero_points(shape, whole))
    signed, narrow = draw(st.integers(0, 1)), draw(st.integers(0, 1))
    attributes = {"rounding_mode": mode, "signed": signed, "narrow": narrow}
    # The quotient of the scales is rounded to a power of two.
    out_scale = scale * np.float32(2.0**shift * draw(st.sampled_from([1, 1.1, 0.9])))
    low, high = _range(bits_out, signed, narrow)
    limits = round(low * 2.0**shift), round(high * 2.0**shift)
    x = _probe(shape, scale, zero, limits, draw(_SEEDS))
    parameters = (scale, zero, np.array(bits_in), out_scale, np.array(bits_out))
    return Case("Trunc", x, parameters, attributes, 2, constant)


@st.composite
def multi_thresholds(draw: st.DrawFn) -> Case:
    """MultiThreshold, with thresholds in any order and in every layout."""
    shape = draw(_shapes())
    rank = len(shape)
    layouts = {2: ["NC"], 3: ["NCW", "NWC"], 4: ["NCHW", "NHWC"]}[rank]
    layout = draw(st.sampled_from([*layouts, ""]))
    axis = (layout or {2: "NC", 3: "NWC", 4: "NCHW"}[rank]).index("C")
    rows = draw(st.sampled_from([1, shape[axis]]))
    rng = np.random.default_rng(draw(_SEEDS))
    steps = draw(st.one_of(st.integers(1, 20), st.sampled_from([63, 255, 1023])))
    thresholds = rng.integers(-40, 40, (rows, steps)) / draw(
        st.sampled_from([1.0, 4.0, 3.0])
    )
    thresholds = np.where(rng.random((rows, steps)) < 0.02, np.inf, thresholds)
    thresholds = thresholds.astype(np.float32)
    x = rng.normal(0, 15, shape).astype(np.float32)
    own = np.where(np.isinf(thresholds), 0, thresholds)
    x = np.where(rng.random(shape) < 0.5, rng.choice(own.ravel(), shape), x)
    x = np.where(rng.random(shape) < 0.2, np.nextafter(x, np.float32(-np.inf)), x)
    scale = draw(st.sampled_from([None, None, 2.0, 0.5, 0.3, 1.0, -1.0, 0.125]))
    bias = draw(st.sampled_from([None, None, -1.0, 0.5, 0.7, -4.0, -0.15, 0.0]))
    optional = {"data_layout": layout, "out_scale": scale, "out_bias": bias}
    attributes: dict[str, Any] = {"out_dtype": "INT32"}
    attributes |= {
        name: value for name, value in optional.items() if value or value == 0
    }
    return Case("MultiThreshold", x.astype(np.float32), (thresholds,), attributes)


@st.composite
def float_quants(draw: st.DrawFn) -> Case:
    """FloatQuant of constants, from FP4 to FP8."""
    exponent, mantissa = draw(st.integers(1, 4)), draw(st.integers(0, 4))
    bias = draw(st.sampled_from([0.0, 1.0, 2.0 ** (exponent - 1) - 1]))
    shape = (1, *draw(_shapes())[1:])
    scale = draw(_parameter(shape, _SCALES))
    greatest = 2.0 ** (2**exponent - 1 - bias) * (2 - 2.0**-mantissa)
    limit = draw(st.sampled_from([greatest, greatest * 0.75, 1.0]))
    rng = np.random.default_rng(draw(_SEEDS))
    least = 2.0 ** (1 - bias - mantissa)
    x = rng.normal(0, greatest, shape) * rng.choice([1.0, 0.1, 0.01], shape)
    x = np.where(rng.random(shape) < 0.6, np.round(x / least * 4) * least / 4, x)
    parameters = (scale, *map(np.array, (exponent, mantissa, bias, limit)))
    mode = draw(st.sampled_from(["ROUND", "CEIL", "FLOOR"]))
    attributes: dict[str, Any] = {"rounding_mode": mode, "saturation": 1}
    attributes |= {name: 0 for name in ("has_inf", "has_nan", "has_subnormal")}
    x = (x * scale).astype(np.float32)
    return Case("FloatQuant", x, parameters, attributes, constant=True)


@st.composite
def popcounts(draw: st.DrawFn) -> Case:
    """XnorPopcountMatMul."""
    shape = draw(_shapes())
    width, rows = draw(st.integers(1, 80)), draw(st.integers(1, 6))
    rng = np.random.default_rng(draw(_SEEDS))
    x = rng.integers(0, 2, (*shape[:-1], width)).astype(np.float32)
    weights = rng.integers(0, 2, (width, rows)).astype(np.float32)
    annotation = draw(st.sampled_from(["BINARY", "UINT1", "FLOAT32"]))
    return Case("XnorPopcountMatMul", x, (weights,), annotation=annotation)


OPERATORS: dict[str, st.SearchStrategy[Case]] = {
    "Quant, IntQuant": quants(),
    "BipolarQuant": bipolar_quants(),
    "Trunc v1": truncs(1),
    "Trunc v2": truncs(2),
    "MultiThreshold": multi_thresholds(),
    "FloatQuant (weights)": float_quants(),
    "XnorPopcountMatMul": popcounts(),
}


@dataclass
class Count:
    """Cases of an operator, what they hold and what differs."""

    cases: int = 0
    executed: int = 0
    elements: int = 0
    different: int = 0
    first: Case | None = None

    def include(self, other: Count) -> None:
        """Count those of `other`, too."""
        self.cases += other.cases
        self.executed += other.executed
        self.elements += other.elements
        self.different += other.different


def compare(operator: str, cases: int) -> Count:
    """Draw as many cases of an operator and compare them.

    The same cases every time.
    """
    count = Count()

    @settings(
        max_examples=cases,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(OPERATORS[operator])
    def each(case: Case) -> None:
        _add(count, case)

    each()
    return count


def _add(count: Count, case: Case) -> None:
    expected: list[Callable[[Case], Array]] = [by_operator]
    if count.cases % EXECUTED == 0:
        expected.append(by_executor)
        count.executed += 1
    found = ours(case)
    count.cases += 1
    count.elements += found.size
    for their in expected:
        wanted = np.broadcast_to(their(case), found.shape)
        different = int((found != wanted).sum())
        if different and count.first is None:
            count.first = case
        count.different += different


def main() -> None:
    """Compare, and print a line an operator."""
    total = Count()
    print("operator                 cases  executed   elements  different")
    for operator in OPERATORS:
        count = compare(operator, CASES_OF_AN_OP)
        print(_line(operator, count))
        total.include(count)
        if count.first is not None:
            print(f"  first: {count.first}")
    print(_line("all", total))


def _line(name: str, count: Count) -> str:
    numbers = f"{count.cases:7,} {count.executed:9,} {count.elements:10,}"
    return f"{name:22s} {numbers} {count.different:10,}"


if __name__ == "__main__":
    main()
