"""Units of `qflow` that put the elements of a map elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from xdsl.dialects.builtin import I64, DenseArrayBase, IntegerAttr, i64
from xdsl.ir import Operation, SSAValue
from xdsl.irdl import (
    irdl_op_definition,
    opt_prop_def,
    prop_def,
)
from xdsl.utils.exceptions import VerifyException

from qdialect.flow_units import (
    UnitOp,
    expect_lanes,
    expect_same_stream_element,
    expect_tensor_shape,
    expect_widened,
    map_extents,
)
from qdialect.rearranging import BlockOrder, BlockOrderAttr
from qdialect.streams import StreamType, stream_type
from qdialect.types import BipolarType, value_range
from qdialect.windows import i64_array, numbers


@irdl_op_definition
class PadOp(UnitOp):
    """Pixels of one value around a map, and between its pixels.

        out[y * ty + py, x * tx + px, c] = input[y, x, c]; elsewhere `value`

    | name      | kind           | shape                          | unit               |
    | --------- | -------------- | ------------------------------ | ------------------ |
    | `input`   | operand        | [1, H, W, C]                   | any level          |
    | `value`   | property       | -                              | level of the result |
    | `pads`    | property       | before y, x; behind y, x       | pixels             |
    | `stretch` | optional prop. | ty, tx                         | pixels             |
    | `out`     | result         | [1, padded H, padded W, C]     | holds both         |

    Maps may be 1-D, [1, W, C]. Input and result have the same lanes.

    Raises:
        VerifyException: shapes or lanes do not agree, or a value does not fit `out`.

    Source: FINN `FMPadding`, `FMPadding_Pixel`.
    """

    name = "qflow.pad"

    value = prop_def(IntegerAttr[I64])
    pads = prop_def(DenseArrayBase[I64])
    stretch = opt_prop_def(DenseArrayBase[I64])

    assembly_format = (
        "$input `value` $value `pads` $pads (`stretch` $stretch^)? attr-dict `:` "
        "type($input) `->` type($out)"
    )

    def __init__(
        self,
        input: SSAValue | Operation,
        out: StreamType,
        *,
        value: int,
        pads: Sequence[int],
        stretch: Sequence[int] = (),
    ):
        stretches = any(step != 1 for step in stretch)
        super().__init__(
            operands=[input],
            properties={
                "value": IntegerAttr(value, i64),
                "pads": i64_array(pads),
                "stretch": i64_array(stretch) if stretches else None,
            },
            result_types=[out],
        )

    @property
    def distances(self) -> tuple[int, ...]:
        """Distance of two pixels of the input in the result, for each spatial axis."""
        if self.stretch is not None:
            return numbers(self.stretch)
        return (1,) * (len(numbers(self.pads)) // 2)

    def verify_(self) -> None:
        extents = map_extents(self, "input", self.input)
        pads, rank = numbers(self.pads), len(extents)
        if len(pads) != 2 * rank or min(pads) < 0:
            raise VerifyException(
                f"qflow.pad: `pads` must have {2 * rank} values of 0 or more, "
                f"got {list(pads)}"
            )
        if len(self.distances) != rank or min(self.distances) < 1:
            raise VerifyException(
                f"qflow.pad: `stretch` must have {rank} values of 1 or more, "
                f"got {list(self.distances)}"
            )
        padded = [
            pads[i] + (extents[i] - 1) * self.distances[i] + 1 + pads[rank + i]
            for i in range(rank)
        ]
        source = stream_type(self.input)
        expect_tensor_shape(self, "out", self.out, (1, *padded, source.elements))
        expect_lanes(self, "out", self.out, source.lanes)
        expect_widened(self, self.out, self.input)
        value, element = (
            self.value.value.data,
            stream_type(self.out).tensor.element_type,
        )
        low, high = value_range(element)
        if not low <= value <= high or (
            value == 0 and isinstance(element, BipolarType)
        ):
            raise VerifyException(f"qflow.pad: {value} is no value of {element}")


@irdl_op_definition
class SliceOp(UnitOp):
    """Elements at a regular distance along each axis; the others are dropped.

    | name      | kind     | shape   | unit     |
    | --------- | -------- | ------- | -------- |
    | `input`   | operand  | any     | any level |
    | `offsets` | property | an axis | elements |
    | `steps`   | property | an axis | elements |
    | `out`     | result   | any     | as input |

    Input and result have the same lanes. Whole beats are taken or dropped: along the
    last axis the lanes divide offset, extents, and the step is 1, unless there is 1 lane.

    Raises:
        VerifyException: shapes or lanes do not agree, or an element lies outside.
    """

    name = "qflow.slice"

    offsets = prop_def(DenseArrayBase[I64])
    steps = prop_def(DenseArrayBase[I64])

    assembly_format = (
        "$input `offsets` $offsets `steps` $steps attr-dict `:` type($input) `->` "
        "type($out)"
    )

    def __init__(
        self,
        input: SSAValue | Operation,
        out: StreamType,
        *,
        offsets: Sequence[int],
        steps: Sequence[int],
    ):
        super().__init__(
            operands=[input],
            properties={"offsets": i64_array(offsets), "steps": i64_array(steps)},
            result_types=[out],
        )

    def verify_(self) -> None:
        source, out = stream_type(self.input), stream_type(self.out)
        shape, counts = source.tensor.get_shape(), out.tensor.get_shape()
        offsets, steps = numbers(self.offsets), numbers(self.steps)
        expect_same_stream_element(self, self.input, self.out)
        expect_lanes(self, "out", self.out, source.lanes)
        if not len(shape) == len(counts) == len(offsets) == len(steps):
            raise VerifyException(
                f"qflow.slice: `out`, `offsets` and `steps` must have {len(shape)} axes"
            )
        for n, count, offset, step in zip(shape, counts, offsets, steps, strict=True):
            if min(count, step) < 1 or offset < 0 or offset + (count - 1) * step >= n:
                raise VerifyException(
                    f"qflow.slice: {count} elements from {offset} on in steps of {step} "
                    f"do not lie in an axis of {n}"
                )
        whole = counts[-1] == shape[-1]
        beats = all(n % source.lanes == 0 for n in (offsets[-1], counts[-1]))
        if not whole and not (beats and (steps[-1] == 1 or source.lanes == 1)):
            raise VerifyException(
                f"qflow.slice: {source.lanes} lanes do not cut the last axis into whole "
                "beats"
            )


@irdl_op_definition
class UpsampleOp(UnitOp):
    """Repeat every pixel along each spatial axis (nearest neighbour).

        out[y, x, c] = input[y // fy, x // fx, c]

    Input and result have the same lanes; `factors` has an entry for each spatial axis.

    Raises:
        VerifyException: shapes or lanes do not agree.
    """

    name = "qflow.upsample"

    factors = prop_def(DenseArrayBase[I64])

    assembly_format = (
        "$input `factors` $factors attr-dict `:` type($input) `->` type($out)"
    )

    def __init__(
        self, input: SSAValue | Operation, out: StreamType, *, factors: Sequence[int]
    ):
        super().__init__(
            operands=[input],
            properties={"factors": i64_array(factors)},
            result_types=[out],
        )

    def verify_(self) -> None:
        extents = map_extents(self, "input", self.input)
        factors = numbers(self.factors)
        if len(factors) != len(extents) or min(factors) < 1:
            raise VerifyException(
                f"qflow.upsample: `factors` must have {len(extents)} values of 1 or "
                f"more, got {list(factors)}"
            )
        source = stream_type(self.input)
        enlarged = [n * factor for n, factor in zip(extents, factors, strict=True)]
        expect_same_stream_element(self, self.input, self.out)
        expect_tensor_shape(self, "out", self.out, (1, *enlarged, source.elements))
        expect_lanes(self, "out", self.out, source.lanes)


@irdl_op_definition
class DepthToSpaceOp(UnitOp):
    """Lay the channels of every pixel out as a block of b * b pixels.

        out[y * b + i, x * b + j, d] = input[y, x, (i * b + j) * D + d]      for dcr
        out[y * b + i, x * b + j, d] = input[y, x, (d * b + i) * b + j]      for crd

    Input [1, H, W, b * b * D] and result [1, H * b, W * b, D] have the same lanes, which
    divide D; for crd it is 1 lane.

    Raises:
        VerifyException: shapes or lanes do not agree.
    """

    name = "qflow.depth_to_space"

    block = prop_def(IntegerAttr[I64])
    order = prop_def(BlockOrderAttr)

    assembly_format = (
        "$input `block` $block `order` $order attr-dict `:` type($input) "
        "`->` type($out)"
    )

    def __init__(
        self,
        input: SSAValue | Operation,
        out: StreamType,
        *,
        block: int,
        order: BlockOrder,
    ):
        super().__init__(
            operands=[input],
            properties={
                "block": IntegerAttr(block, i64),
                "order": BlockOrderAttr(order),
            },
            result_types=[out],
        )

    def verify_(self) -> None:
        extents = map_extents(self, "input", self.input)
        source, block = stream_type(self.input), self.block.value.data
        if len(extents) != 2 or block < 1 or source.elements % block**2:
            raise VerifyException(
                f"qflow.depth_to_space: {source.elements} channels of a 2-D map must be "
                f"a multiple of {block} * {block}"
            )
        depth = source.elements // block**2
        enlarged = [n * block for n in extents]
        expect_same_stream_element(self, self.input, self.out)
        expect_tensor_shape(self, "out", self.out, (1, *enlarged, depth))
        expect_lanes(self, "out", self.out, source.lanes)
        crd = self.order.data is BlockOrder.CRD
        if depth % source.lanes or (crd and source.lanes != 1):
            raise VerifyException(
                f"qflow.depth_to_space: {source.lanes} lanes do not carry pixels of "
                f"{depth} channels in order {self.order.data}"
            )


@irdl_op_definition
class ReshapeOp(UnitOp):
    """The same beats as vectors of another length; no hardware.

    Input and result have the same lanes, which divide the vectors of both.

    Raises:
        VerifyException: the tensors differ in size or element type, or a beat would
            cross the end of a vector.
    """

    name = "qflow.reshape"

    assembly_format = "$input attr-dict `:` type($input) `->` type($out)"

    def __init__(self, input: SSAValue | Operation, out: StreamType):
        super().__init__(operands=[input], result_types=[out])

    def verify_(self) -> None:
        source, out = stream_type(self.input), stream_type(self.out)
        shapes = source.tensor.get_shape(), out.tensor.get_shape()
        expect_same_stream_element(self, self.input, self.out)
        if prod(shapes[0]) != prod(shapes[1]):
            raise VerifyException(
                f"qflow.reshape: {list(shapes[0])} and {list(shapes[1])} differ in size"
            )
        expect_lanes(self, "out", self.out, source.lanes)
        if source.elements != out.elements and (
            source.elements % source.lanes or out.elements % source.lanes
        ):
            raise VerifyException(
                f"qflow.reshape: {source.lanes} lanes must divide vectors of "
                f"{source.elements} and {out.elements}"
            )
