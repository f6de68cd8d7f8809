"""Attributes of a sliding window: kernel, strides, padding, dilations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qdialect.windows import Window, make_window
from tools.onnx_import.node import Node
from tools.onnx_import.values import Tensor


@dataclass(frozen=True)
class Attributes:
    """What a node says of its window; `pads` are all before, then all behind."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    pads: tuple[int, ...]
    dilations: tuple[int, ...]

    @property
    def window(self) -> Window:
        """The window of these attributes."""
        return make_window(self.kernel, self.strides, self.pads, self.dilations)

    def counts(self, extents: Sequence[int]) -> tuple[int, ...]:
        """Windows along each axis of a map of these extents."""
        pairs = zip(self.window, extents, strict=True)
        return tuple(axis.windows(extent) for axis, extent in pairs)


def expect_map(node: Node, data: Tensor) -> None:
    """The input is a 1-D or 2-D map.

    Raises:
        ImportRefused: it has another rank.
    """
    if len(data.shape) not in (3, 4):
        raise node.refusal(
            f"its input has shape {list(data.shape)}; expected a map of one or two "
            "axes, [batch, channels, ..]"
        )


def numbers_of(
    node: Node, name: str, count: int, default: int, least: int
) -> tuple[int, ...]:
    """An attribute of `count` integers of at least `least`.

    Raises:
        ImportRefused: they are not as many, or less.
    """
    if not node.has(name):
        return (default,) * count
    values = node.integers(name)
    if len(values) != count or any(value < least for value in values):
        raise node.refusal(
            f"{name} is {values}; expected {count} integers of {least} or more"
        )
    return tuple(values)


def window_attributes(
    node: Node, kernel: Sequence[int], extents: Sequence[int]
) -> Attributes:
    """The window of a convolution or pool over a map of these extents.

    Raises:
        ImportRefused: the attributes contradict each other or do not fit the map.
    """
    rank = len(kernel)
    strides = numbers_of(node, "strides", rank, 1, 1)
    dilations = numbers_of(node, "dilations", rank, 1, 1)
    mode = node.text("auto_pad", "NOTSET")
    if mode == "NOTSET":
        pads = numbers_of(node, "pads", 2 * rank, 0, 0)
    elif mode == "VALID":
        node.ignore("pads")
        pads = (0,) * (2 * rank)
    elif mode in ("SAME_UPPER", "SAME_LOWER"):
        node.ignore("pads")
        pads = _same(kernel, strides, dilations, extents, upper=mode == "SAME_UPPER")
    else:
        raise node.refusal(
            f"auto_pad '{mode}' is not known; accepted are NOTSET, VALID, SAME_UPPER "
            "and SAME_LOWER"
        )
    found = Attributes(tuple(kernel), strides, pads, dilations)
    for axis, extent in zip(found.window, extents, strict=True):
        if axis.windows(extent) < 1:
            raise node.refusal(
                f"its kernel reaches over {axis.reach} elements, more than the "
                f"{axis.padded(extent)} of its padded input"
            )
    return found


def _same(
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    extents: Sequence[int],
    *,
    upper: bool,
) -> tuple[int, ...]:
    """Padding that gives ceil(extent / stride) windows."""
    totals = [
        max(0, (-(-n // stride) - 1) * stride + (k - 1) * dilation + 1 - n)
        for k, stride, dilation, n in zip(
            kernel, strides, dilations, extents, strict=True
        )
    ]
    small, large = [t // 2 for t in totals], [t - t // 2 for t in totals]
    return (*small, *large) if upper else (*large, *small)
