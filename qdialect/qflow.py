"""The `qflow` dialect: hardware units joined by streams of typed words.

Letters: MW inputs an output, MH outputs, SIMD columns and PE rows at once,
SF = ceil(MW / SIMD), NF = ceil(MH / PE).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from xdsl.dialects.builtin import I64, IntegerAttr, UnitAttr, i64
from xdsl.ir import (
    Attribute,
    Dialect,
    Operation,
    SSAValue,
)
from xdsl.irdl import (
    AttrSizedOperandSegments,
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    opt_operand_def,
    opt_prop_def,
    prop_def,
    result_def,
    traits_def,
    var_result_def,
)
from xdsl.traits import Pure
from xdsl.utils.exceptions import VerifyException

from qdialect.activation import expect_levels_fit
from qdialect.checks import expect_level, expect_shape
from qdialect.streams import StreamType, stream_type
from qdialect.types import (
    is_level,
    shape_of,
    value_range,
)


def _expect_lanes(op: Operation, name: str, value: SSAValue, lanes: int) -> None:
    if stream_type(value).lanes != lanes:
        raise VerifyException(
            f"{op.name}: `{name}` must carry {lanes} lanes, "
            f"got {stream_type(value).lanes}"
        )


def _expect_same_tensor_shape(op: Operation, first: SSAValue, second: SSAValue) -> None:
    a = stream_type(first).tensor.get_shape()
    b = stream_type(second).tensor.get_shape()
    if a != b:
        raise VerifyException(
            f"{op.name}: operand and result must carry tensors of one shape, "
            f"got {list(a)} and {list(b)}"
        )


def _expect_activation(
    op: Operation,
    out: SSAValue,
    thresholds: SSAValue,
    falling: SSAValue | None,
    offset: int,
) -> None:
    channels = stream_type(out).elements
    expect_level(op, "thresholds", thresholds)
    shape = shape_of(thresholds)
    if len(shape) != 2 or shape[0] != channels:
        raise VerifyException(
            f"{op.name}: `thresholds` must have shape [{channels}, T], "
            f"got {list(shape)}"
        )
    if falling is not None:
        expect_shape(op, "falling", falling, (channels,))
    element = stream_type(out).tensor.element_type
    expect_levels_fit(op, shape[1], offset, element)


class UnitOp(IRDLOperation):
    """Base of the units with one input stream and one output stream.

    A unit with more operands declares `input` again, before them: IRDL takes the fields
    of a class before those of its bases.
    """

    input = operand_def(StreamType)
    out = result_def(StreamType)
    traits = traits_def(Pure())

    @property
    def cycles_per_frame(self) -> int:
        """Cycles between two frames when the unit is never starved or blocked."""
        return max(
            stream_type(self.input).beats_per_frame,
            stream_type(self.out).beats_per_frame,
        )


@irdl_op_definition
class MvuOp(UnitOp):
    """Matrix-vector unit: weights times each vector, then an optional activation.

        acc[h] = sum over w of input[w] * weights[h, w]
        out[h] = acc[h], or `qnn.threshold` of it

    in SF * NF cycles a vector. SIMD is the number of input lanes, PE that of output
    lanes; neither needs to divide its axis, the surplus contributes nothing.

    | name         | kind             | shape    | unit                        |
    | ------------ | ---------------- | -------- | --------------------------- |
    | `input`      | operand          | [.., MW] | activation                  |
    | `weights`    | operand          | [MH, MW] | weight                      |
    | `thresholds` | optional operand | [MH, T]  | accumulator                 |
    | `falling`    | optional operand | [MH]     | ui1                         |
    | `accumulator`| property         | -        | element type of acc         |
    | `offset`     | property         | -        | level                       |
    | `out`        | result           | [.., MH] | level, or accumulator       |

    Raises:
        VerifyException: shapes do not agree, or levels do not fit.

    Source: Umuroglu et al. 2017, arXiv:1612.07119 (MVTU).
    """

    name = "qflow.mvu"

    input = operand_def(StreamType)
    weights = operand_def()
    thresholds = opt_operand_def()
    falling = opt_operand_def()
    accumulator = prop_def()
    offset = prop_def(IntegerAttr[I64])

    irdl_options = (AttrSizedOperandSegments(as_property=True),)
    assembly_format = (
        "$input `,` $weights (`thresholds` $thresholds^ `:` type($thresholds))? "
        "(`falling` $falling^ `:` type($falling))? `accumulator` $accumulator `offset` "
        "$offset attr-dict `:` type($input) `,` type($weights) `->` type($out)"
    )

    def __init__(
        self,
        input: SSAValue | Operation,
        weights: SSAValue | Operation,
        out: StreamType,
        *,
        accumulator: Attribute,
        thresholds: SSAValue | Operation | None = None,
        falling: SSAValue | Operation | None = None,
        offset: int = 0,
    ):
        super().__init__(
            operands=[
                input,
                weights,
                [] if thresholds is None else [thresholds],
                [] if falling is None else [falling],
            ],
            properties={
                "accumulator": accumulator,
                "offset": IntegerAttr(offset, i64),
            },
            result_types=[out],
        )

    @property
    def simd(self) -> int:
        """Columns computed in parallel."""
        return stream_type(self.input).lanes

    @property
    def pe(self) -> int:
        """Rows computed in parallel."""
        return stream_type(self.out).lanes

    @property
    def synapse_fold(self) -> int:
        """SF: beats of an input vector."""
        return stream_type(self.input).beats

    @property
    def neuron_fold(self) -> int:
        """NF: beats of an output vector."""
        return stream_type(self.out).beats

    @property
    def cycles_per_frame(self) -> int:
        """SF * NF cycles for each vector of a frame."""
        return self.synapse_fold * self.neuron_fold * stream_type(self.input).vectors

    def verify_(self) -> None:
        expect_level(self, "weights", self.weights)
        expect_shape(
            self,
            "weights",
            self.weights,
            (stream_type(self.out).elements, stream_type(self.input).elements),
        )
        if not is_level(self.accumulator):
            raise VerifyException(
                f"qflow.mvu: the accumulator must be siN, got {self.accumulator}"
            )
        if self.thresholds is None:
            if stream_type(self.out).tensor.element_type != self.accumulator:
                raise VerifyException(
                    "qflow.mvu: without thresholds `out` must carry the accumulator "
                    f"{self.accumulator}, got {self.out.type}"
                )
            return
        _expect_activation(
            self, self.out, self.thresholds, self.falling, self.offset.value.data
        )


@irdl_op_definition
class ThresholdOp(UnitOp):
    """`qnn.threshold` on a stream; the channel is the place in the vector."""

    name = "qflow.threshold"

    input = operand_def(StreamType)
    thresholds = operand_def()
    falling = opt_operand_def()
    offset = prop_def(IntegerAttr[I64])

    irdl_options = (AttrSizedOperandSegments(as_property=True),)
    assembly_format = (
        "$input `,` $thresholds (`falling` $falling^ `:` type($falling))? `offset` "
        "$offset attr-dict `:` type($input) `,` type($thresholds) `->` type($out)"
    )

    def __init__(
        self,
        input: SSAValue | Operation,
        thresholds: SSAValue | Operation,
        out: StreamType,
        *,
        falling: SSAValue | Operation | None = None,
        offset: int = 0,
    ):
        super().__init__(
            operands=[input, thresholds, [] if falling is None else [falling]],
            properties={"offset": IntegerAttr(offset, i64)},
            result_types=[out],
        )

    def verify_(self) -> None:
        _expect_same_tensor_shape(self, self.input, self.out)
        _expect_lanes(self, "out", self.out, stream_type(self.input).lanes)
        _expect_activation(
            self, self.out, self.thresholds, self.falling, self.offset.value.data
        )


@irdl_op_definition
class LookupOp(UnitOp):
    """`qnn.lookup` on a stream; the channel is the place in the vector."""

    name = "qflow.lookup"

    input = operand_def(StreamType)
    table = operand_def()
    low = prop_def(IntegerAttr[I64])

    assembly_format = (
        "$input `,` $table `low` $low attr-dict `:` type($input) `,` type($table) `->` "
        "type($out)"
    )

    def __init__(
        self,
        input: SSAValue | Operation,
        table: SSAValue | Operation,
        out: StreamType,
        *,
        low: int,
    ):
        super().__init__(
            operands=[input, table],
            properties={"low": IntegerAttr(low, i64)},
            result_types=[out],
        )

    def verify_(self) -> None:
        _expect_same_tensor_shape(self, self.input, self.out)
        _expect_lanes(self, "out", self.out, stream_type(self.input).lanes)
        expect_level(self, "table", self.table)
        channels = stream_type(self.out).elements
        shape = shape_of(self.table)
        if len(shape) != 2 or shape[0] != channels:
            raise VerifyException(
                f"qflow.lookup: `table` must have shape [{channels}, R], "
                f"got {list(shape)}"
            )


@irdl_op_definition
class TopKOp(UnitOp):
    """The indices of the k greatest elements of each vector; lower index first.

    `input` carries vectors of n elements, `out` vectors of k indices, one a beat.

    Source: ONNX `TopK`; FINN `LabelSelect`.
    """

    name = "qflow.topk"

    smallest = opt_prop_def(UnitAttr)

    assembly_format = (
        "$input (`smallest` $smallest^)? attr-dict `:` type($input) `->` type($out)"
    )

    def __init__(
        self, input: SSAValue | Operation, out: StreamType, *, smallest: bool = False
    ):
        super().__init__(
            operands=[input],
            properties={"smallest": UnitAttr() if smallest else None},
            result_types=[out],
        )

    def verify_(self) -> None:
        _expect_lanes(self, "out", self.out, 1)
        n, k = stream_type(self.input).elements, stream_type(self.out).elements
        if not 1 <= k <= n:
            raise VerifyException(f"qflow.topk: k must be in [1, {n}], got {k}")
        element = stream_type(self.out).tensor.element_type
        if value_range(element)[1] < n - 1:
            raise VerifyException(
                f"qflow.topk: indices up to {n - 1} do not fit {element}"
            )


@irdl_op_definition
class FifoOp(UnitOp):
    """First in, first out: `depth` beats of storage between two units."""

    name = "qflow.fifo"

    depth = prop_def(IntegerAttr[I64])

    assembly_format: ClassVar[str | None] = (
        "$input `depth` $depth attr-dict `:` type($input) `->` type($out)"
    )

    def __init__(self, input: SSAValue | Operation, depth: int):
        source = SSAValue.get(input)
        super().__init__(
            operands=[source],
            properties={"depth": IntegerAttr(depth, i64)},
            result_types=[source.type],
        )

    def verify_(self) -> None:
        if self.input.type != self.out.type:
            raise VerifyException(
                f"qflow.fifo: `out` must be {self.input.type}, got {self.out.type}"
            )
        if self.depth.value.data < 1:
            raise VerifyException(
                f"qflow.fifo: depth must be positive, got {self.depth.value.data}"
            )


@irdl_op_definition
class DwcOp(UnitOp):
    """Data-width converter: the same vectors, other lanes, any ratio."""

    name = "qflow.dwc"

    assembly_format = "$input attr-dict `:` type($input) `->` type($out)"

    def __init__(self, input: SSAValue | Operation, out: StreamType):
        super().__init__(operands=[input], result_types=[out])

    def verify_(self) -> None:
        if stream_type(self.input).tensor != stream_type(self.out).tensor:
            raise VerifyException(
                f"qflow.dwc: `out` must carry {stream_type(self.input).tensor}, "
                f"got {self.out.type}"
            )


@irdl_op_definition
class ForkOp(IRDLOperation):
    """One stream copied to several readers."""

    name = "qflow.fork"

    input = operand_def(StreamType)
    outs = var_result_def(StreamType)

    traits = traits_def(Pure())
    assembly_format = "$input attr-dict `:` type($input) `->` type($outs)"

    def __init__(self, input: SSAValue | Operation, count: int):
        source = SSAValue.get(input)
        super().__init__(operands=[source], result_types=[[source.type] * count])

    @property
    def cycles_per_frame(self) -> int:
        """A beat a cycle."""
        return stream_type(self.input).beats_per_frame

    def verify_(self) -> None:
        if len(self.outs) < 2:
            raise VerifyException(
                f"qflow.fork: needs two results or more, got {len(self.outs)}"
            )
        for value in self.outs:
            if value.type != self.input.type:
                raise VerifyException(
                    f"qflow.fork: every result must be {self.input.type}, "
                    f"got {value.type}"
                )


UNITS: Sequence[type[Operation]] = (
    MvuOp,
    ThresholdOp,
    LookupOp,
    TopKOp,
    FifoOp,
    DwcOp,
    ForkOp,
)

Qflow = Dialect("qflow", [*UNITS], [StreamType])
