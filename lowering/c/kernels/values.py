"""What the writers of loops hand the elements of a tensor to."""

from __future__ import annotations

from typing import Protocol

from lowering.c.affine import Affine


class Consumer(Protocol):
    """Writes what is done with the elements of a tensor, inside the loops over it.

    A vector is what the last axis runs over; `leading` holds the index along each axis
    before it. `element` may be called more than once for the text of one vector, since
    a loop may be written in parts.
    """

    def begin(self, leading: list[str]) -> None:
        """Before the elements of a vector."""
        ...

    def element(self, value: Affine, position: list[str]) -> None:
        """One element; `position` holds the index along each axis."""
        ...

    def end(self, leading: list[str]) -> None:
        """After the elements of a vector."""
        ...
