"""`share-weights`: let the weights of a layer share a few values, by a codebook."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint, Rewriter
from xdsl.utils.exceptions import PassFailedException

from passes.constant_weights import ConstantWeights, LevelWeights, constant_weights
from passes.drop_unused_weights import DropUnusedWeightsPass
from passes.k_means import centroids, nearest
from passes.real_weights import RealWeights, record_weights
from passes.weights_record import lines_about
from qdialect.constants import DecodeOp, constant
from qdialect.data import Array
from qdialect.quantisers import DequantizeOp
from qdialect.semantics import dequantize_values
from qdialect.types import element_of, signed, unsigned, width_bits

_SCALE_BITS = 32


@dataclass(frozen=True)
class ShareWeightsPass(ModulePass):
    """Replace the weights of each layer by codes of at most `clusters` shared values.

    1. The shared values are centroids of k-means, which starts from values that are
       spread evenly over [min, max]. Where weights are 0, such as pruned ones, 0 is one
       of the values, and the others are centroids of the other weights.
    2. The values of real weights are rounded to fixed point: levels of `bits` bits, of
       which the greatest is at the end of the range, times one scale for the layer.
       Weights become `dequantize(decode(codes, table), scale)`.
    3. Weights that are levels already share levels of their type, and keep their scales.

    Not exact: the error is an attribute of the module, and a note. What follows is:
    shared weights are integers times a scale. No value is trained again.

    Source: Han et al. 2016, Deep Compression, arXiv:1510.00149, section 3.
    """

    name = "share-weights"
    is_exact: ClassVar[bool] = False

    clusters: int = 16
    """Most values of a layer, from 2 to 256; a weight takes log2 of that in bits."""
    bits: int = 8
    """Bits of a shared value of real weights, from 2 to 24."""
    layers: tuple[str, ...] = ()
    """Names of the layers, with * and ?; without it, all."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for name, value, most in (
            ("clusters", self.clusters, 256),
            ("bits", self.bits, 24),
        ):
            if not 2 <= value <= most:
                raise PassFailedException(
                    f"{self.name}: {name} must be from 2 to {most}, got {value}"
                )
        found = constant_weights(self, op, self.layers)
        for weights in found:
            if weights.quantised is None:
                self._share_real(op, weights.real)
            else:
                self._share_levels(op, weights, weights.quantised)
        if found:
            DropUnusedWeightsPass().apply(ctx, op)

    def remarks(self, module: ModuleOp) -> list[str]:
        """A line for each layer: what its weights take, and their error."""
        return lines_about(self, module)

    def _share_real(self, module: ModuleOp, weights: RealWeights) -> None:
        table = _table(weights.array, 0.0, self.clusters)
        most = (1 << (self.bits - 1)) - 1
        greatest = np.abs(table).max()
        scale = np.array(greatest / most if greatest else 1, np.float32)
        levels = (
            np.rint(table / scale.astype(np.float64)).clip(-most, most).astype(np.int64)
        )
        codes = nearest(weights.array, table)
        element = signed(self.bits)
        codes, levels = _compact(codes, levels)
        code_bits = _code_bits(levels)
        source = weights.constant(codes, unsigned(code_bits), "codes")
        zero = np.zeros((), np.float32)
        scales, zeros = constant(scale), constant(zero)
        new, value = _decoded(source, levels, element)
        real = DequantizeOp(value, scales, zeros, weights.op.weights.type)
        new += [scales, zeros, real]
        for op in new:
            op.location = weights.op.location
        Rewriter.insert_op(new, InsertPoint.before(weights.op))
        after = dequantize_values(levels[codes], scale, zero)
        self._record(module, weights, levels, element, after, _SCALE_BITS)
        weights.replace(real.out)

    def _share_levels(
        self, module: ModuleOp, weights: ConstantWeights, quantised: LevelWeights
    ) -> None:
        zero = quantised.zero.ravel()
        alike = zero.size and bool((zero == zero[0]).all())
        table = _table(
            quantised.levels, float(zero[0]) if alike else None, self.clusters
        )
        element = element_of(quantised.value)
        rounded = np.rint(table).astype(np.int64)
        codes, levels = _compact(nearest(quantised.levels, table), rounded)
        code_bits = _code_bits(levels)
        source = quantised.constant(codes, "codes", unsigned(code_bits))
        new, value = _decoded(source, levels, element)
        for op in new:
            op.location = weights.real.op.location
        Rewriter.insert_op(new, InsertPoint.before(weights.real.op))
        after = quantised.real(levels[codes])
        scale_bits = _SCALE_BITS * quantised.scale.size if quantised.reader else 0
        self._record(module, weights.real, levels, element, after, scale_bits)
        quantised.replace(weights.real, value)

    def _record(
        self,
        module: ModuleOp,
        weights: RealWeights,
        levels: Array,
        element: Attribute,
        after: Array,
        scale_bits: int,
    ) -> None:
        code_bits = _code_bits(levels)
        bits = code_bits * after.size + width_bits(element) * levels.size + scale_bits
        scheme = f"ui{code_bits} codes of {levels.size} values of {element}"
        record_weights(self, module, weights, scheme, after, bits)


def _table(values: Array, zero: float | None, clusters: int) -> Array:
    """Ascending shared values; `zero` is one of them where it is a value."""
    if zero is None or not (values == zero).any():
        return centroids(values, clusters)
    others = values[values != zero]
    if not others.size:
        return np.array([zero])
    return np.unique(np.append(centroids(others, clusters - 1), zero))


def _compact(codes: Array, levels: Array) -> tuple[Array, Array]:
    """Codes of levels of which no two are equal, after rounding, and none is unused."""
    used, codes = np.unique(levels[codes], return_inverse=True)
    return codes, used


def _code_bits(levels: Array) -> int:
    return max(1, (levels.size - 1).bit_length())


def _decoded(
    codes: SSAValue, levels: Array, element: Attribute
) -> tuple[list[Operation], SSAValue]:
    """The operations of a codebook, and what they give."""
    table = constant(levels, element)
    decode = DecodeOp(codes, table)
    return [table, decode], decode.out
