"""Units of `qflow` that multiply by weights: MVU and VVU.

Letters: MW inputs an output, MH outputs, SIMD columns and PE rows at once,
SF = ceil(MW / SIMD), NF = ceil(MH / PE).

Both can add a constant to the sums, which may depend on the place in the map: that is how
padding of bipolar maps is exact. A window's padded taps come in as -1, and the constant of
the places with the same padded taps takes their weights back out.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from xdsl.dialects.builtin import I64, DenseArrayBase, IntegerAttr, i64
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    irdl_op_definition,
    operand_def,
    opt_operand_def,
    opt_prop_def,
    prop_def,
)
from xdsl.utils.exceptions import VerifyException

from qdialect.checks import expect_level, expect_shape
from qdialect.constants import is_constant
from qdialect.flow_units import (
    UnitOp,
    expect_activation,
    expect_lanes,
    expect_tensor_shape,
    expect_unit_window,
    unit_window,
    window_properties,
)
from qdialect.streams import StreamType, stream_type
from qdialect.types import BipolarType, element_of, is_level, shape_of
from qdialect.windows import Window, i64_array, numbers


class ProductOp(UnitOp):
    """Base of the units that multiply: sums, a constant of the place, an activation.

    | name            | kind             | shape        | unit                        |
    | --------------- | ---------------- | ------------ | --------------------------- |
    | `bias`          | optional operand | [VY, VX, MH] | accumulator                 |
    | `thresholds`    | optional operand | [MH, T]      | accumulator                 |
    | `falling`       | optional operand | [MH]         | ui1                         |
    | `accumulator`   | property         | -            | element type of acc         |
    | `offset`        | property         | -            | level                       |
    | `row_places`    | optional prop.   | [OH]         | index below VY of each row  |
    | `column_places` | optional prop.   | [OW]         | index below VX of each col. |

    Where the places are left out, all are 0, and `bias` is [1, 1, MH].
    """

    weights = operand_def()
    bias = opt_operand_def()
    thresholds = opt_operand_def()
    falling = opt_operand_def()
    accumulator = prop_def()
    offset = prop_def(IntegerAttr[I64])
    row_places = opt_prop_def(DenseArrayBase[I64])
    column_places = opt_prop_def(DenseArrayBase[I64])

    @property
    def group_count(self) -> int:
        """Vectors of a pixel."""
        return 1

    @property
    def map_extents(self) -> tuple[int, int]:
        """Rows and columns of the result; 1 where there is no such axis."""
        inner = 1 if self.group_count == 1 else 2
        extents = stream_type(self.out).tensor.get_shape()[1:-inner]
        return (prod(extents[:-1]), extents[-1]) if extents else (1, 1)

    @property
    def places(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """For each row and each column of the result, its index into `bias`."""
        rows, columns = self.map_extents
        return (
            numbers(self.row_places) if self.row_places else (0,) * rows,
            numbers(self.column_places) if self.column_places else (0,) * columns,
        )

    def verify_product(self, rows: int) -> None:
        """Checks of what follows the products of `rows` rows of weights."""
        if not is_level(self.accumulator):
            raise VerifyException(
                f"{self.name}: the accumulator must be siN, got {self.accumulator}"
            )
        self._verify_bias(rows)
        if self.thresholds is None:
            if stream_type(self.out).tensor.element_type != self.accumulator:
                raise VerifyException(
                    f"{self.name}: without thresholds `out` must carry the accumulator "
                    f"{self.accumulator}, got {self.out.type}"
                )
            return
        expect_activation(
            self,
            rows,
            self.out,
            self.thresholds,
            self.falling,
            self.offset.value.data,
        )

    def _verify_bias(self, rows: int) -> None:
        if self.bias is None:
            if self.row_places or self.column_places:
                raise VerifyException(f"{self.name}: places need a bias")
            return
        expect_level(self, "bias", self.bias)
        shape = shape_of(self.bias)
        if len(shape) != 3 or shape[2] != rows:
            raise VerifyException(
                f"{self.name}: `bias` must have shape [VY, VX, {rows}], got {list(shape)}"
            )
        rows_out, columns_out = self.map_extents
        for name, found, extent, count in (
            ("row_places", self.row_places, rows_out, shape[0]),
            ("column_places", self.column_places, columns_out, shape[1]),
        ):
            values = (0,) if found is None else numbers(found)
            if found is not None and len(values) != extent:
                raise VerifyException(
                    f"{self.name}: `{name}` must have {extent} values, "
                    f"got {len(values)}"
                )
            if set(values) != set(range(count)):
                raise VerifyException(
                    f"{self.name}: `{name}` must take each index below {count} of "
                    f"`bias`, got {sorted(set(values))}"
                )


def _properties(
    accumulator: Attribute,
    offset: int,
    row_places: Sequence[int] | None,
    column_places: Sequence[int] | None,
) -> dict[str, Attribute | None]:
    """The properties of a `ProductOp`."""
    return {
        "accumulator": accumulator,
        "offset": IntegerAttr(offset, i64),
        "row_places": None if row_places is None else i64_array(row_places),
        "column_places": None if column_places is None else i64_array(column_places),
    }


@irdl_op_definition
class MvuOp(ProductOp):
    """Matrix-vector unit: weights times each vector, then an optional activation.

        acc[h] = sum over w of input[w] * weights[h, w] + bias[place, h]
        out[h] = acc[h], or `qnn.threshold` of it

    in SF * NF cycles a vector. SIMD is the number of input lanes, PE that of output
    lanes; neither needs to divide its axis, the surplus contributes nothing.

    | name         | kind             | shape    | unit                        |
    | ------------ | ---------------- | -------- | --------------------------- |
    | `input`      | operand          | [.., MW] | activation                  |
    | `weights`    | operand          | [MH, MW] | weight                      |
    | `groups`     | optional prop.   | -        | -                           |
    | `zero_skip`  | optional prop.   | -        | -                           |
    | `out`        | result           | [.., MH] | level, or accumulator       |

    The others are those of `ProductOp`. With `groups` G, the weights are [G * MH, MW],
    the input [.., G, MW] and the result [.., G, MH]: vector g is multiplied by rows
    g * MH to (g + 1) * MH - 1, and bias, thresholds and falling have G * MH rows.

    With `zero_skip` Z, in [1, SIMD], zeros take no cycle. Columns of a slice go together
    by Z; of those of a beat of rows only the ones are read that meet a weight other than
    0, each in the first cycle in which its lanes are free. So a beat of rows takes as many
    cycles as the most of such columns that fall on the same lanes, but one at least; with
    Z = SIMD, as many as it has blocks of PE x SIMD weights that are not all 0. A pixel
    takes max(G * SF, the sum of them). It is stored whole, while the one before it is
    multiplied. The weights must be a constant, and of a type with a 0.

    Raises:
        VerifyException: shapes do not agree, or levels do not fit.

    Source: Umuroglu et al. 2017, arXiv:1612.07119 (MVTU); for zeros that take no time, Han
    et al. 2016, arXiv:1602.01528 (EIE), where each row finds its own.
    """

    name = "qflow.mvu"

    input = operand_def(StreamType)
    weights = operand_def()
    bias = opt_operand_def()
    thresholds = opt_operand_def()
    falling = opt_operand_def()
    groups = opt_prop_def(IntegerAttr[I64])
    zero_skip = opt_prop_def(IntegerAttr[I64])

    irdl_options = (AttrSizedOperandSegments(as_property=True),)
    assembly_format = (
        "$input `,` $weights (`groups` $groups^)? (`zero_skip` $zero_skip^)? "
        "(`bias` $bias^ `:` type($bias))? (`rows` $row_places^)? "
        "(`columns` $column_places^)? (`thresholds` $thresholds^ `:` type($thresholds))? "
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
        bias: SSAValue | Operation | None = None,
        row_places: Sequence[int] | None = None,
        column_places: Sequence[int] | None = None,
        thresholds: SSAValue | Operation | None = None,
        falling: SSAValue | Operation | None = None,
        offset: int = 0,
        groups: int = 1,
        zero_skip: int = 0,
    ):
        super().__init__(
            operands=[
                input,
                weights,
                *([] if v is None else [v] for v in (bias, thresholds, falling)),
            ],
            properties={
                **_properties(accumulator, offset, row_places, column_places),
                "groups": None if groups == 1 else IntegerAttr(groups, i64),
                "zero_skip": IntegerAttr(zero_skip, i64) if zero_skip else None,
            },
            result_types=[out],
        )

    @property
    def group_count(self) -> int:
        """`groups` as a Python number."""
        return 1 if self.groups is None else self.groups.value.data

    @property
    def skips_zeros(self) -> bool:
        """Whether weights of 0 may take no cycle."""
        return self.zero_skip is not None

    @property
    def skip_lanes(self) -> int:
        """`zero_skip` as a Python number, 0 where zeros are not skipped."""
        return 0 if self.zero_skip is None else self.zero_skip.value.data

    @property
    def zero_skip_obstacle(self) -> str | None:
        """Why zeros cannot be skipped; None where they can."""
        if not is_constant(self.weights):
            return "needs constant weights: what is skipped follows from their values"
        if isinstance(element_of(self.weights), BipolarType):
            return "needs weights that can be 0, got !qnn.bipolar"
        return None

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

    def verify_(self) -> None:
        expect_level(self, "weights", self.weights)
        groups = self.group_count
        source, out = stream_type(self.input), stream_type(self.out)
        rows = groups * out.elements
        expect_shape(self, "weights", self.weights, (rows, source.elements))
        expected = (*source.tensor.get_shape()[:-1], out.elements)
        expect_tensor_shape(self, "out", self.out, expected)
        if groups < 1 or (groups > 1 and expected[-2:-1] != (groups,)):
            raise VerifyException(
                f"qflow.mvu: `input` must carry {groups} vectors a pixel, one a group, "
                f"got {list(source.tensor.get_shape())}"
            )
        if self.skips_zeros:
            self._verify_zero_skip()
        self.verify_product(rows)

    def _verify_zero_skip(self) -> None:
        if obstacle := self.zero_skip_obstacle:
            raise VerifyException(f"qflow.mvu: `zero_skip` {obstacle}")
        if not 1 <= self.skip_lanes <= self.simd:
            raise VerifyException(
                f"qflow.mvu: `zero_skip` must be in [1, {self.simd}], the lanes of "
                f"`input` that go together, got {self.skip_lanes}"
            )


@irdl_op_definition
class VvuOp(ProductOp):
    """Vector-vector unit: a depthwise convolution, one row of weights a channel.

        acc[y, x, c] = sum over i, j of
            image[y * sy + i * dy - py, x * sx + j * dx - px, c] * weights[c, i * KW + j]
            + bias[place, c]
        out = acc, or `qnn.threshold` of it

    with as many channels at once as there are lanes, a tap a cycle; it has a line
    buffer of its own. Elements outside the input have code 0: -1 of bipolar maps, else 0.

    | name         | kind             | shape          | unit                  |
    | ------------ | ---------------- | -------------- | --------------------- |
    | `input`      | operand          | [1, H, W, C]   | activation            |
    | `weights`    | operand          | [C, KH * KW]   | weight                |
    | `kernel`     | property         | ky, kx         | elements              |
    | `strides`    | property         | sy, sx         | elements              |
    | `pads`       | property         | before, behind | elements              |
    | `dilations`  | property         | dy, dx         | elements              |
    | `out`        | result           | [1, OH, OW, C] | level, or accumulator |

    The others are those of `ProductOp`. Maps may be 1-D, [1, W, C]. Input and result
    have the same lanes, which need not divide C.

    Raises:
        VerifyException: shapes do not agree, or levels do not fit.

    Source: FINN `VVAU`.
    """

    name = "qflow.vvu"

    input = operand_def(StreamType)
    weights = operand_def()
    bias = opt_operand_def()
    thresholds = opt_operand_def()
    falling = opt_operand_def()
    kernel = prop_def(DenseArrayBase[I64])
    strides = prop_def(DenseArrayBase[I64])
    pads = prop_def(DenseArrayBase[I64])
    dilations = prop_def(DenseArrayBase[I64])

    irdl_options = (AttrSizedOperandSegments(as_property=True),)
    assembly_format = (
        "$input `,` $weights `kernel` $kernel `strides` $strides `pads` $pads "
        "`dilations` $dilations (`bias` $bias^ `:` type($bias))? "
        "(`rows` $row_places^)? (`columns` $column_places^)? "
        "(`thresholds` $thresholds^ `:` type($thresholds))? "
        "(`falling` $falling^ `:` type($falling))? `accumulator` $accumulator `offset` "
        "$offset attr-dict `:` type($input) `,` type($weights) `->` type($out)"
    )

    def __init__(
        self,
        input: SSAValue | Operation,
        weights: SSAValue | Operation,
        out: StreamType,
        window: Window,
        *,
        accumulator: Attribute,
        bias: SSAValue | Operation | None = None,
        row_places: Sequence[int] | None = None,
        column_places: Sequence[int] | None = None,
        thresholds: SSAValue | Operation | None = None,
        falling: SSAValue | Operation | None = None,
        offset: int = 0,
    ):
        super().__init__(
            operands=[
                input,
                weights,
                *([] if v is None else [v] for v in (bias, thresholds, falling)),
            ],
            properties={
                **window_properties(window),
                **_properties(accumulator, offset, row_places, column_places),
            },
            result_types=[out],
        )

    @property
    def window(self) -> Window:
        """The window, an entry for each spatial axis."""
        return unit_window(self)

    def verify_(self) -> None:
        channels = stream_type(self.input).elements
        counts = expect_unit_window(self, self, self.input)
        taps = prod(numbers(self.kernel))
        expect_level(self, "weights", self.weights)
        expect_shape(self, "weights", self.weights, (channels, taps))
        expect_tensor_shape(self, "out", self.out, (1, *counts, channels))
        expect_lanes(self, "out", self.out, stream_type(self.input).lanes)
        self.verify_product(channels)
