"""Maps of packed pixels: convolution by popcount, pool by OR, and the way to a vector."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
import numpy.typing as npt
from xdsl.dialects.builtin import I64, DenseArrayBase, TensorType
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.irdl import (
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    prop_def,
    result_def,
    traits_def,
)
from xdsl.traits import Pure
from xdsl.utils.exceptions import VerifyException

from qdialect.checks import expect_level, expect_shape
from qdialect.packed import PackedType, packed_type
from qdialect.types import BipolarType, unsigned, width_bits
from qdialect.windows import (
    Window,
    expect_window,
    i64_array,
    make_window,
    numbers,
    windows_of,
)

Integers = npt.NDArray[np.int64]


def _expect_map(op: Operation, name: str, value: SSAValue) -> tuple[int, ...]:
    """`value` packs one frame of a map, without panels; its shape."""
    packed = packed_type(value)
    shape = packed.tensor.get_shape()
    if len(shape) not in (3, 4) or shape[0] != 1 or packed.panel.data != 1:
        raise VerifyException(
            f"{op.name}: `{name}` must pack one frame of a map, [1, H, W, C] or "
            f"[1, W, C], without panels, got {packed}"
        )
    return shape


@irdl_op_definition
class PackedConvOp(IRDLOperation):
    """A window of packed weights slides over a map of packed pixels.

        out[y, x, o] = sum over i, j, c of
            image[y * sy + i * dy - py, x * sx + j * dx - px, c] * weights[o, i, j, c]

    where the image is that of `qnn.conv`: 0 outside the input, and between its elements
    where it is stretched. The words of a window are those of one vector, and its sum is
    that of `qnn.packed_matmul`. Words of padding are 0: of no value for every type but
    bipolar, where they read as -1, and what the weights under them sum to is added.

    | name        | kind     | shape                     | unit                  |
    | ----------- | -------- | ------------------------- | --------------------- |
    | `input`     | operand  | [1, H, W, C] or [1, W, C] | activation, as planes |
    | `weights`   | operand  | [O, KH, KW, C] or ..      | weight, as planes     |
    | `strides`   | property | sy, sx                    | elements              |
    | `pads`      | property | before y, x; behind y, x  | elements              |
    | `dilations` | property | dy, dx                    | elements              |
    | `stretch`   | property | an axis; 1 where absent   | elements              |
    | `out`       | result   | [1, OH, OW, O] or ..      | accumulator           |

    Raises:
        VerifyException: shapes or word sizes do not agree, or the window does not fit.

    Source: Rastegari et al. 2016, arXiv:1603.05279 (XNOR-popcount convolution).
    """

    name = "qnn.packed_conv"

    input = operand_def(PackedType)
    weights = operand_def(PackedType)
    strides = prop_def(DenseArrayBase[I64])
    pads = prop_def(DenseArrayBase[I64])
    dilations = prop_def(DenseArrayBase[I64])
    stretch = opt_prop_def(DenseArrayBase[I64])
    out = result_def()

    traits = traits_def(Pure())
    assembly_format = (
        "$input `,` $weights `strides` $strides `pads` $pads `dilations` $dilations "
        "(`stretch` $stretch^)? attr-dict `:` type($input) `,` type($weights) `->` "
        "type($out)"
    )

    def __init__(
        self,
        input: SSAValue | Operation,
        weights: SSAValue | Operation,
        out: Attribute,
        *,
        strides: Sequence[int],
        pads: Sequence[int],
        dilations: Sequence[int],
        stretch: Sequence[int] = (),
    ):
        stretches = any(step != 1 for step in stretch)
        super().__init__(
            operands=[input, weights],
            properties={
                "strides": i64_array(strides),
                "pads": i64_array(pads),
                "dilations": i64_array(dilations),
                "stretch": i64_array(stretch) if stretches else None,
            },
            result_types=[out],
        )

    @property
    def extents(self) -> tuple[int, ...]:
        """Extents of the input along each spatial axis."""
        return packed_type(self.input).tensor.get_shape()[1:-1]

    @property
    def window(self) -> Window:
        """The window, an entry for each spatial axis."""
        return make_window(
            packed_type(self.weights).tensor.get_shape()[1:-1],
            numbers(self.strides),
            numbers(self.pads),
            numbers(self.dilations),
            () if self.stretch is None else numbers(self.stretch),
        )

    def verify_(self) -> None:
        expect_level(self, "out", self.out)
        shape = _expect_map(self, "input", self.input)
        input, weights = packed_type(self.input), packed_type(self.weights)
        rows = weights.tensor.get_shape()
        if len(rows) != len(shape) or 0 in rows or rows[-1] != shape[-1]:
            taps = "KH, KW" if len(shape) == 4 else "K"
            raise VerifyException(
                f"qnn.packed_conv: `weights` must pack [O, {taps}, {shape[-1]}], "
                f"got {weights}"
            )
        if input.word != weights.word:
            raise VerifyException(
                "qnn.packed_conv: `input` must have the words of `weights`, "
                f"{weights.word.data} bits, got {input}"
            )
        lists = {
            "strides": numbers(self.strides),
            "pads": numbers(self.pads),
            "dilations": numbers(self.dilations),
        }
        if self.stretch is not None:
            lists["stretch"] = numbers(self.stretch)
        expect_window(self, len(self.extents), lists)
        counts = windows_of(self, self.window, self.extents)
        expect_shape(self, "out", self.out, (1, *counts, rows[0]))


@irdl_op_definition
class PackedMaxPoolOp(IRDLOperation):
    """The greatest element of each window: the OR of the words of its pixels.

    As `qnn.max_pool` with channels last, for elements whose greater value has bit 1
    (`max_is_or`). Padded pixels are left out.

    | name        | kind     | shape                        | unit             |
    | ----------- | -------- | ---------------------------- | ---------------- |
    | `input`     | operand  | [1, H, W, C] or [1, W, C]    | level, as planes |
    | `kernel`    | property | ky, kx                       | elements         |
    | `strides`   | property | sy, sx                       | elements         |
    | `pads`      | property | before y, x; behind y, x     | elements         |
    | `dilations` | property | dy, dx                       | elements         |
    | `out`       | result   | [1, OH, OW, C] or [1, OW, C] | as the input     |

    Raises:
        VerifyException: the elements are others, shapes do not agree, the window does
            not fit, or one stands on padding alone.
    """

    name = "qnn.packed_max_pool"

    input = operand_def(PackedType)
    kernel = prop_def(DenseArrayBase[I64])
    strides = prop_def(DenseArrayBase[I64])
    pads = prop_def(DenseArrayBase[I64])
    dilations = prop_def(DenseArrayBase[I64])
    out = result_def(PackedType)

    traits = traits_def(Pure())
    assembly_format = (
        "$input `kernel` $kernel `strides` $strides `pads` $pads `dilations` "
        "$dilations attr-dict `:` type($input) `->` type($out)"
    )

    def __init__(
        self,
        input: SSAValue | Operation,
        out: PackedType,
        *,
        kernel: Sequence[int],
        strides: Sequence[int],
        pads: Sequence[int],
        dilations: Sequence[int],
    ):
        super().__init__(
            operands=[input],
            properties={
                "kernel": i64_array(kernel),
                "strides": i64_array(strides),
                "pads": i64_array(pads),
                "dilations": i64_array(dilations),
            },
            result_types=[out],
        )

    @property
    def extents(self) -> tuple[int, ...]:
        """Extents of the input along each spatial axis."""
        return packed_type(self.input).tensor.get_shape()[1:-1]

    @property
    def window(self) -> Window:
        """The window, an entry for each spatial axis."""
        return make_window(
            numbers(self.kernel),
            numbers(self.strides),
            numbers(self.pads),
            numbers(self.dilations),
        )

    def verify_(self) -> None:
        shape = _expect_map(self, "input", self.input)
        input = packed_type(self.input)
        if not max_is_or(input.tensor.element_type):
            raise VerifyException(
                "qnn.packed_max_pool: elements must be !qnn.bipolar or ui1, "
                f"got {input.tensor.element_type}"
            )
        lists = {
            "kernel": numbers(self.kernel),
            "strides": numbers(self.strides),
            "pads": numbers(self.pads),
            "dilations": numbers(self.dilations),
        }
        expect_window(self, len(self.extents), lists)
        counts = windows_of(self, self.window, self.extents)
        _expect_packed(self, (1, *counts, shape[-1]))
        for axis, extent in zip(self.window, self.extents, strict=True):
            if not axis.masks(extent).any(axis=1).all():
                raise VerifyException(
                    "qnn.packed_max_pool: a window stands on padding alone; pads "
                    f"{list(numbers(self.pads))} are too many for the kernel"
                )


@irdl_op_definition
class PackedReshapeOp(IRDLOperation):
    """The same words as planes of a tensor of another shape: `qnn.reshape`, packed.

    | name    | kind    | shape               | unit             |
    | ------- | ------- | ------------------- | ---------------- |
    | `input` | operand | [1, ..]             | level, as planes |
    | `out`   | result  | [1, ..], same count | same             |

    Raises:
        VerifyException: the elements of the result stand in other words or in another
            order (see `keeps_words`).
    """

    name = "qnn.packed_reshape"

    input = operand_def(PackedType)
    out = result_def(PackedType)

    traits = traits_def(Pure())
    assembly_format = "$input attr-dict `:` type($input) `->` type($out)"

    def __init__(self, input: SSAValue | Operation, out: PackedType):
        super().__init__(operands=[input], result_types=[out])

    def verify_(self) -> None:
        input, out = packed_type(self.input), packed_type(self.out)
        _expect_packed(self, out.tensor.get_shape())
        if not keeps_words(input, out.tensor.get_shape()):
            raise VerifyException(
                f"qnn.packed_reshape: the words of {input} are not those of {out}; "
                "expected whole words on both sides, in one order"
            )


def _expect_packed(op: PackedMaxPoolOp | PackedReshapeOp, shape: Sequence[int]) -> None:
    """`out` packs a tensor of this shape in the way of `input`."""
    input = packed_type(op.input)
    tensor = TensorType(input.tensor.element_type, shape)
    expected = PackedType(tensor, input.word, input.panel)
    if op.out.type != expected:
        raise VerifyException(f"{op.name}: `out` must be {expected}, got {op.out.type}")


def max_is_or(element: Attribute) -> bool:
    """Whether the greater of two elements has the OR of their bits: bipolar and ui1."""
    return isinstance(element, BipolarType) or element == unsigned(1)


def keeps_words(input: PackedType, shape: Sequence[int]) -> bool:
    """Whether a reshape of the tensor leaves every word where it is.

    The last axis stays, or is made of whole words on both sides; then the planes of
    several vectors must not come between those of one.
    """
    old = input.tensor.get_shape()
    if input.panel.data != 1 or prod(old) != prod(shape) or not shape:
        return False
    if old[-1] == shape[-1]:
        return True
    one_plane = width_bits(input.tensor.element_type) == 1
    whole = old[-1] % input.word.data == shape[-1] % input.word.data == 0
    return one_plane and whole


def sums_under_padding(
    window: Window, extents: Sequence[int], tap_sums: Integers
) -> tuple[Integers, tuple[Integers, ...]]:
    """What the weights of the taps sum to that stand on no element, for each window.

    Windows with the same taps on elements share a class an axis: inside a map all do.

    Args:
        window: an entry for each spatial axis.
        extents: of the input.
        tap_sums: sum of the weights of each tap, [O, taps..].

    Returns:
        The sums [classes.., O], and for each axis the class of each window.
    """
    inside: Integers = tap_sums
    classes: list[Integers] = []
    for axis, extent in zip(window, extents, strict=True):
        masks, of_window = np.unique(axis.masks(extent), axis=0, return_inverse=True)
        classes.append(of_window.reshape(-1).astype(np.int64))
        # The first axis of taps becomes a last one of classes.
        inside = np.tensordot(inside, masks.astype(np.int64), axes=([1], [1]))
    rows = len(tap_sums)
    total = tap_sums.reshape(rows, -1).sum(axis=1)
    missing = total.reshape(rows, *(1 for _ in window)) - inside
    return np.moveaxis(missing, 0, -1), tuple(classes)
