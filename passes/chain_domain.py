"""Where a chain is a function of one integer for each channel, and its values there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from xdsl.ir import Attribute, Operation
from xdsl.utils.exceptions import PassFailedException

from qdialect.chains import Chain
from qdialect.location import where
from qdialect.steps import Steps, steps_by_bisection
from qdialect.types import BipolarType, shape_of

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ChainDomain:
    """Where a chain is evaluated: one axis of channels, every other axis collapsed.

    Attributes:
        chain: the chain, its last operation the quantiser.
        axis: axis of the channel in root and result.
        channels: extent of that axis.
        inner: shape of one evaluated frame of the root.
    """

    chain: Chain
    axis: int
    channels: int
    inner: tuple[int, ...]

    def evaluate(self, arguments: Integers) -> Integers:
        """Levels [R, C] for arguments [R, C]."""
        frames = arguments.reshape(-1, *self.inner)
        return self.chain.evaluate(frames).reshape(len(arguments), -1).astype(np.int64)

    def bisect(self, low: int, high: int, element: Attribute) -> Steps | None:
        """The steps over arguments [low, high], of levels of a type.

        None where an operation of the chain is not known to be monotone.
        """
        directions = self.chain.directions()
        if directions is None:
            return None
        falling = np.broadcast_to(directions < 0, self.inner).reshape(-1)
        return steps_by_bisection(
            low, high, falling, lambda n: level_counts(self.evaluate(n), element)
        )


def level_counts(levels: Integers, element: Attribute) -> Integers:
    """Levels as numbers a count can step through: bipolar ones as 0 and 1."""
    return (levels + 1) // 2 if isinstance(element, BipolarType) else levels


def chain_domain(pass_name: str, op: Operation, chain: Chain) -> ChainDomain:
    """The domain of a chain that ends with the quantiser `op`.

    Args:
        pass_name: whose message a refusal is.
        op: the quantiser.
        chain: the chain with it.

    Raises:
        PassFailedException: the chain is not one function for each channel.
    """
    shape = shape_of(chain.root)
    if chain.reshapes:
        if len(shape) != 2:
            raise PassFailedException(
                f"{pass_name}: {where(op)}: a reshape stands between the "
                f"quantiser and an accumulator of shape {list(shape)}; only vectors "
                "[1, C] may be reshaped there"
            )
        return ChainDomain(chain, 1, shape[1], shape[1:])
    axes = chain.varying_axes() - {0}
    if len(axes) > 1:
        raise PassFailedException(
            f"{pass_name}: {where(op)}: parameters vary along the axes "
            f"{sorted(axes)}; thresholds can vary along one"
        )
    axis = axes.pop() if axes else min(1, len(shape) - 1)
    inner = tuple(n if i == axis else 1 for i, n in enumerate(shape) if i > 0)
    return ChainDomain(chain, axis, shape[axis], inner)
