"""Units of `qflow` that slide a window over a map: SWU and pools."""

from __future__ import annotations

from enum import auto
from math import prod

from xdsl.dialects.builtin import I64, DenseArrayBase, IntegerAttr, i64
from xdsl.dialects.utils import EnumAttribute
from xdsl.ir import Operation, SpacedOpaqueSyntaxAttribute, SSAValue
from xdsl.irdl import irdl_attr_definition, irdl_op_definition, opt_prop_def, prop_def
from xdsl.utils.exceptions import VerifyException
from xdsl.utils.str_enum import StrEnum

from qdialect.flow_units import (
    UnitOp,
    expect_lanes,
    expect_same_stream_element,
    expect_tensor_shape,
    expect_unit_window,
    unit_window,
    window_properties,
)
from qdialect.raster import Raster
from qdialect.streams import StreamType, stream_type
from qdialect.windows import Window, numbers


@irdl_op_definition
class SwuOp(UnitOp):
    """Sliding-window unit: every window of a map as a vector, in reading order.

        out[y, x, (i * KW + j) * C + c]
            = input[y * sy + i * dy - py, x * sx + j * dx - px, c]

    A row of weights of a channels-last convolution lies in that order, so that a matrix-
    vector unit behind it makes the convolution. Elements outside the input have code 0:
    -1 of bipolar maps, else 0. With `groups` G the result is [1, OH, OW, G, KH * KW * S]
    with S = C / G, vector g of a pixel holding channels g * S to (g + 1) * S - 1.

    | name        | kind           | shape                    | unit      |
    | ----------- | -------------- | ------------------------ | --------- |
    | `input`     | operand        | [1, H, W, C]             | any level |
    | `kernel`    | property       | ky, kx                   | elements  |
    | `strides`   | property       | sy, sx                   | elements  |
    | `pads`      | property       | before y, x; behind y, x | elements  |
    | `dilations` | property       | dy, dx                   | elements  |
    | `groups`    | optional prop. | -                        | -         |
    | `out`       | result         | [1, OH, OW, KH * KW * C] | as input  |

    Maps may be 1-D, [1, W, C]. The line buffer gives one tap a cycle: the result has the
    lanes of the input, which divide S. A *parallel* unit keeps whole windows in registers
    and gives one a cycle: the input has C lanes, the result KH * KW * C; see
    `parallel_fits` for the windows that it can keep.

    Raises:
        VerifyException: shapes or lanes do not agree, or the window does not fit.

    Source: FINN `ConvolutionInputGenerator`.
    """

    name = "qflow.swu"

    kernel = prop_def(DenseArrayBase[I64])
    strides = prop_def(DenseArrayBase[I64])
    pads = prop_def(DenseArrayBase[I64])
    dilations = prop_def(DenseArrayBase[I64])
    groups = opt_prop_def(IntegerAttr[I64])

    assembly_format = (
        "$input `kernel` $kernel `strides` $strides `pads` $pads `dilations` "
        "$dilations (`groups` $groups^)? attr-dict `:` type($input) `->` type($out)"
    )

    def __init__(
        self,
        input: SSAValue | Operation,
        out: StreamType,
        window: Window,
        *,
        groups: int = 1,
    ):
        super().__init__(
            operands=[input],
            properties={
                **window_properties(window),
                "groups": None if groups == 1 else IntegerAttr(groups, i64),
            },
            result_types=[out],
        )

    @property
    def window(self) -> Window:
        """The window, an entry for each spatial axis."""
        return unit_window(self)

    @property
    def group_count(self) -> int:
        """`groups` as a Python number."""
        return 1 if self.groups is None else self.groups.value.data

    @property
    def is_parallel(self) -> bool:
        """Whether a whole window leaves in each beat."""
        out = stream_type(self.out)
        return out.lanes == out.elements and prod(numbers(self.kernel)) > 1

    def verify_(self) -> None:
        source = stream_type(self.input)
        counts = expect_unit_window(self, self, self.input)
        groups = self.group_count
        if groups < 1 or source.elements % groups:
            raise VerifyException(
                f"qflow.swu: {groups} groups do not divide {source.elements} channels"
            )
        share = source.elements // groups
        length = share * prod(numbers(self.kernel))
        inner = (length,) if groups == 1 else (groups, length)
        expect_same_stream_element(self, self.input, self.out)
        expect_tensor_shape(self, "out", self.out, (1, *counts, *inner))
        if self.is_parallel:
            expect_lanes(self, "input", self.input, source.elements)
            if groups > 1 or not parallel_fits(self.window, source):
                raise VerifyException(
                    "qflow.swu: this window cannot leave in one beat; give `out` the "
                    "lanes of `input`"
                )
            return
        expect_lanes(self, "out", self.out, source.lanes)
        if share % source.lanes:
            raise VerifyException(
                f"qflow.swu: the lanes must divide the {share} channels of a group, "
                f"got {source.lanes}"
            )


def parallel_fits(window: Window, source: StreamType) -> bool:
    """Whether a unit can keep whole windows of a map in registers.

    Pixels pass through it in reading order; a window is complete, all but its padding,
    when its last element comes or, while that is padding, as many pixels later. No two
    windows may be complete at once; see `raster.Raster`.
    """
    return Raster(window, tuple(source.tensor.get_shape()[1:-1])).fits


class PoolKind(StrEnum):
    """What a pool makes of the elements of a window."""

    MAX = auto()
    SUM = auto()


@irdl_attr_definition
class PoolKindAttr(EnumAttribute[PoolKind], SpacedOpaqueSyntaxAttribute):
    """The kind of a pool."""

    name = "qflow.pool_kind"


@irdl_op_definition
class PoolOp(UnitOp):
    """Pool: the greatest element, or the sum, of each window; a pixel a cycle.

    | name        | kind     | shape                    | unit                       |
    | ----------- | -------- | ------------------------ | -------------------------- |
    | `input`     | operand  | [1, H, W, C]             | any level                  |
    | `kind`      | property | -                        | `max` or `sum`             |
    | `kernel`    | property | ky, kx                   | elements                   |
    | `strides`   | property | sy, sx                   | elements                   |
    | `pads`      | property | before y, x; behind y, x | elements, left out         |
    | `dilations` | property | dy, dx                   | elements                   |
    | `out`       | result   | [1, OH, OW, C]           | as input; a sum its own    |

    Maps may be 1-D, [1, W, C]. Input and result have the same lanes, which need not
    divide C. On bipolar maps the maximum is the OR of the bits.

    Raises:
        VerifyException: shapes or lanes do not agree, or the window does not fit.
    """

    name = "qflow.pool"

    kind = prop_def(PoolKindAttr)
    kernel = prop_def(DenseArrayBase[I64])
    strides = prop_def(DenseArrayBase[I64])
    pads = prop_def(DenseArrayBase[I64])
    dilations = prop_def(DenseArrayBase[I64])

    assembly_format = (
        "$kind $input `kernel` $kernel `strides` $strides `pads` $pads `dilations` "
        "$dilations attr-dict `:` type($input) `->` type($out)"
    )

    def __init__(
        self,
        kind: PoolKind,
        input: SSAValue | Operation,
        out: StreamType,
        window: Window,
    ):
        super().__init__(
            operands=[input],
            properties={"kind": PoolKindAttr(kind), **window_properties(window)},
            result_types=[out],
        )

    @property
    def window(self) -> Window:
        """The window, an entry for each spatial axis."""
        return unit_window(self)

    def verify_(self) -> None:
        counts = expect_unit_window(self, self, self.input)
        source = stream_type(self.input)
        expect_tensor_shape(self, "out", self.out, (1, *counts, source.elements))
        expect_lanes(self, "out", self.out, source.lanes)
        if self.kind.data is PoolKind.MAX:
            expect_same_stream_element(self, self.input, self.out)
        for axis, extent in zip(
            self.window, source.tensor.get_shape()[1:-1], strict=True
        ):
            if not axis.masks(extent).any(axis=1).all():
                raise VerifyException("qflow.pool: a window stands on padding alone")
