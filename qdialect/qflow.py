"""The `qflow` dialect: hardware units joined by streams of typed words.

Maps are channels-last, [1, H, W, C] or [1, W, C]: a vector is a pixel. Units on windows
are in `flow_windows`, those that multiply in `flow_matrix`, those that put elements
elsewhere in `flow_arranging`; here is what works element by element, and what joins them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from xdsl.dialects.builtin import I64, IntegerAttr, UnitAttr, i64
from xdsl.ir import Dialect, Operation, SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    opt_operand_def,
    opt_prop_def,
    prop_def,
    traits_def,
    var_result_def,
)
from xdsl.traits import Pure
from xdsl.utils.exceptions import VerifyException

from qdialect.checks import expect_level
from qdialect.flow_arranging import (
    DepthToSpaceOp,
    PadOp,
    ReshapeOp,
    SliceOp,
    UpsampleOp,
)
from qdialect.flow_joining import AddOp, ConcatOp, MulOp
from qdialect.flow_matrix import MvuOp, VvuOp
from qdialect.flow_units import (
    UnitOp,
    expect_activation,
    expect_lanes,
    expect_same_tensor_shape,
)
from qdialect.flow_windows import PoolKind, PoolKindAttr, PoolOp, SwuOp
from qdialect.streams import StreamType, stream_type
from qdialect.types import shape_of, value_range

__all__ = [
    "UNITS",
    "AbsOp",
    "AddOp",
    "ConcatOp",
    "DepthToSpaceOp",
    "DwcOp",
    "FifoOp",
    "ForkOp",
    "LookupOp",
    "MulOp",
    "MvuOp",
    "PadOp",
    "PoolKind",
    "PoolOp",
    "Qflow",
    "ReshapeOp",
    "SliceOp",
    "SwuOp",
    "ThresholdOp",
    "TopKOp",
    "UpsampleOp",
    "VvuOp",
]


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
        expect_same_tensor_shape(self, self.input, self.out)
        expect_lanes(self, "out", self.out, stream_type(self.input).lanes)
        expect_activation(
            self,
            stream_type(self.out).elements,
            self.out,
            self.thresholds,
            self.falling,
            self.offset.value.data,
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
        expect_same_tensor_shape(self, self.input, self.out)
        expect_lanes(self, "out", self.out, stream_type(self.input).lanes)
        expect_level(self, "table", self.table)
        channels = stream_type(self.out).elements
        shape = shape_of(self.table)
        if len(shape) != 2 or shape[0] != channels:
            raise VerifyException(
                f"qflow.lookup: `table` must have shape [{channels}, R], "
                f"got {list(shape)}"
            )


@irdl_op_definition
class AbsOp(UnitOp):
    """Absolute values, element by element.

        out[.., c] = |input[.., c]|

    Operand and result have the same lanes, which need not divide C.

    Raises:
        VerifyException: shapes or lanes do not agree, or a magnitude does not fit `out`.

    Source: ONNX `Abs`.
    """

    name = "qflow.abs"

    assembly_format = "$input attr-dict `:` type($input) `->` type($out)"

    def __init__(self, input: SSAValue, out: StreamType):
        super().__init__(operands=[input], result_types=[out])

    def verify_(self) -> None:
        expect_same_tensor_shape(self, self.input, self.out)
        expect_lanes(self, "out", self.out, stream_type(self.input).lanes)
        source, out = (
            stream_type(value).tensor.element_type for value in (self.input, self.out)
        )
        most = max(map(abs, value_range(source)))
        if most > value_range(out)[1]:
            raise VerifyException(
                f"qflow.abs: {most}, a magnitude of {source}, does not fit `out` of "
                f"{out}"
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
        expect_lanes(self, "out", self.out, 1)
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
    VvuOp,
    SwuOp,
    PoolOp,
    ThresholdOp,
    LookupOp,
    TopKOp,
    PadOp,
    SliceOp,
    ConcatOp,
    UpsampleOp,
    DepthToSpaceOp,
    ReshapeOp,
    AddOp,
    MulOp,
    AbsOp,
    FifoOp,
    DwcOp,
    ForkOp,
)

Qflow = Dialect("qflow", [*UNITS], [StreamType, PoolKindAttr])
