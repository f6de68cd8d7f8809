"""Gather, Expand and Tile of computed values, where they only cut or keep elements."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from qdialect.rearranging import ConcatOp, SliceOp
from tools.onnx_import.emitter import Emitter, frame_type
from tools.onnx_import.node import Node
from tools.onnx_import.shaping import axis_of
from tools.onnx_import.values import (
    Tensor,
    Value,
    computed_input,
    constant_input,
    integers,
)

# Parts of which a Gather is joined, at most.
_MAX_PARTS = 64


def gather(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """Gather by constant indices: slices, joined where the steps between them differ.

    Raises:
        ImportRefused: it is along the batch, or an index is out of range.
    """
    data = computed_input(node, inputs, 0)
    wanted = constant_input(node, inputs, 1)
    axis = axis_of(node, data.shape, 0)
    extent = data.shape[axis]
    indices = integers(node, wanted, f"'{wanted.name}'")
    if not indices or any(not -extent <= index < extent for index in indices):
        raise node.refusal(
            f"its indices {indices} are not all in [-{extent}, {extent - 1}]"
        )
    if len(wanted.shape) > 1:
        raise node.refusal(
            f"its indices have shape {list(wanted.shape)}; expected one index or a list"
        )
    value = picked(emitter, node, data, axis, [index % extent for index in indices])
    shape = value.shape
    if wanted.shape:
        return [value]
    return [emitter.reshaped(value, [*shape[:axis], *shape[axis + 1 :]])]


def picked(
    emitter: Emitter, node: Node, data: Tensor, axis: int, indices: Sequence[int]
) -> Tensor:
    """The elements of these indices along an axis, in the order of the indices.

    Raises:
        ImportRefused: they are too many pieces.
    """
    runs = _runs(indices)
    if len(runs) > _MAX_PARTS:
        raise node.refusal(
            f"takes its elements in {len(runs)} pieces; accepted are up to {_MAX_PARTS}"
        )
    parts = [_cut(emitter, data, axis, run) for run in runs]
    if len(parts) == 1:
        return parts[0]
    shape = [*data.shape[:axis], len(indices), *data.shape[axis + 1 :]]
    type_ = frame_type(shape, data.element)
    op = ConcatOp([part.value for part in parts], type_, axis=axis)
    return emitter.tensor(emitter.insert(op).out, shape)


def _runs(indices: Sequence[int]) -> list[range]:
    """The indices as progressions with positive steps, from the left."""
    runs: list[list[int]] = [[indices[0]]]
    for before, index in pairwise(indices):
        run = runs[-1]
        step = run[1] - run[0] if len(run) > 1 else max(1, index - before)
        if index - before == step:
            run.append(index)
        else:
            runs.append([index])
    return [
        range(run[0], run[-1] + 1, run[1] - run[0] if len(run) > 1 else 1)
        for run in runs
    ]


def _cut(emitter: Emitter, data: Tensor, axis: int, run: range) -> Tensor:
    rank = len(data.shape)
    shape = [*data.shape[:axis], len(run), *data.shape[axis + 1 :]]
    if tuple(shape) == data.shape:
        return data
    op = SliceOp(
        data.value,
        frame_type(shape, data.element),
        offsets=[run.start if i == axis else 0 for i in range(rank)],
        steps=[run.step if i == axis else 1 for i in range(rank)],
    )
    return emitter.tensor(emitter.insert(op).out, shape)


def expand(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """Expand to the shape that the tensor has."""
    data = computed_input(node, inputs, 0)
    target = constant_input(node, inputs, 1)
    shape = integers(node, target, f"the shape '{target.name}'")
    return [_kept(node, data, shape)]


def tile(
    emitter: Emitter, node: Node, inputs: Sequence[Value | None]
) -> Sequence[Value]:
    """Tile once along every axis."""
    data = computed_input(node, inputs, 0)
    repeats = integers(node, constant_input(node, inputs, 1), "its repeats")
    if len(repeats) != len(data.shape):
        raise node.refusal(
            f"its repeats {repeats} are not one an axis of {list(data.shape)}"
        )
    return [
        _kept(node, data, [n * k for n, k in zip(data.shape, repeats, strict=True)])
    ]


def _kept(node: Node, data: Tensor, shape: Sequence[int]) -> Tensor:
    try:
        kept = np.broadcast_shapes(data.shape, tuple(shape)) == data.shape
    except ValueError:
        kept = False
    if not kept:
        raise node.refusal(
            f"repeats elements of {list(data.shape)} to {list(shape)}; accepted is to "
            "leave the shape as it is"
        )
    return data
