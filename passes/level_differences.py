"""On how many integers two functions of them give different levels, and how different."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from xdsl.ir import Attribute, SSAValue

from passes.chain_domain import ChainDomain, level_counts
from qdialect.convolution import ConvOp
from qdialect.linear import MatMulOp
from qdialect.pooling import MaxPoolOp
from qdialect.ranges import bounds, conv_bounds, matmul_bounds, reachable_values
from qdialect.steps import Steps

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class LevelDifferences:
    """How two functions of one integer differ, channel by channel.

    Attributes:
        values: [C], integers that the channel can take.
        differing: [C], of these, on how many the levels differ.
        greatest: [C], by how many levels at most.
    """

    values: Integers
    differing: Integers
    greatest: Integers


def channel_bounds(value: SSAValue, channels: int) -> tuple[Integers, Integers]:
    """Proven least and greatest integer of each channel of a tensor, [C] each."""
    least, greatest = bounds(value)
    lows = np.full(channels, least, np.int64)
    highs = np.full(channels, greatest, np.int64)
    source = value
    while isinstance(source.owner, MaxPoolOp):
        source = source.owner.input
    match source.owner:
        case MatMulOp() as op:
            rows = matmul_bounds(op)
        case ConvOp() as op:
            rows = conv_bounds(op)
        case _:
            return lows, highs
    if len(rows[0]) != channels:
        return lows, highs
    return np.maximum(lows, rows[0]), np.minimum(highs, rows[1])


def level_differences(
    first: ChainDomain | Steps, second: ChainDomain, element: Attribute, max_table: int
) -> LevelDifferences | None:
    """Compare two chains from one root, which end in levels of one type.

    On each channel every integer between its proven ends counts.

    Args:
        first: a chain, or the steps of one.
        second: the chain it is compared with.
        element: type of the levels.
        max_table: most evaluations, integers times channels; beyond that the chains
            are bisected.

    Returns:
        The differences, or None where the range is too large to tabulate and a chain
        is not known to be monotone.
    """
    root = second.chain.root
    low, high = bounds(root)
    lows, highs = channel_bounds(root, second.channels)
    if isinstance(first, ChainDomain):
        if (high - low + 1) * second.channels <= max_table:
            return _by_table(first, second, element, (lows, highs))
        first_steps = first.bisect(low, high, element)
    else:
        first_steps = first
    second_steps = second.bisect(low, high, element)
    if first_steps is None or second_steps is None:
        return None
    return _by_steps(first_steps, second_steps, lows, highs)


def _by_table(
    first: ChainDomain,
    second: ChainDomain,
    element: Attribute,
    ends: tuple[Integers, Integers],
) -> LevelDifferences:
    values = reachable_values(first.chain.root)
    arguments = np.repeat(values[:, None], first.channels, axis=1)
    inside = (arguments >= ends[0]) & (arguments <= ends[1])
    one, other = (
        level_counts(domain.evaluate(arguments), element) for domain in (first, second)
    )
    distance = np.where(inside, np.abs(one - other), 0)
    return LevelDifferences(
        inside.sum(axis=0), (distance > 0).sum(axis=0), distance.max(axis=0)
    )


def _by_steps(
    first: Steps, second: Steps, lows: Integers, highs: Integers
) -> LevelDifferences:
    channels = len(lows)
    differing = np.zeros(channels, np.int64)
    greatest = np.zeros(channels, np.int64)
    for channel, (low, high) in enumerate(zip(lows, highs, strict=True)):
        # Between two neighbouring thresholds, of either, both levels stay.
        thresholds = [steps.thresholds[channel] for steps in (first, second)]
        inner = np.concatenate(thresholds)
        inner = inner[(inner > low) & (inner <= high)]
        starts = np.unique(np.append(inner, low))
        lengths = np.diff(np.append(starts, high + 1))
        one, other = (_levels(s, channel, starts) for s in (first, second))
        distance = np.abs(one - other)
        differing[channel] = lengths[distance > 0].sum()
        greatest[channel] = distance.max()
    return LevelDifferences(highs - lows + 1, differing, greatest)


def _levels(steps: Steps, channel: int, arguments: Integers) -> Integers:
    thresholds = steps.thresholds[channel]
    counts = np.searchsorted(thresholds, arguments, "right")
    if steps.falling[channel]:
        counts = len(thresholds) - counts
    return steps.offset + counts
