"""What `fixed-point-batch-norm` did to a network, as an attribute of its module."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from xdsl.dialects.builtin import ModuleOp

from passes.norm_record import NormEntries, differences_text

_ENTRIES = NormEntries("qnn.fixed_point_batch_norm", "fixed-point-batch-norm")


@dataclass(frozen=True)
class FixedPointRecord:
    """One batch norm in fixed point, and where that shows.

    Attributes:
        node: of the source model.
        bits: of a word of k and of h.
        slope_fraction: bits of k behind the point.
        intercept_fraction: bits of h behind the point.
        values: for each channel, accumulators that it can take.
        differing: for each channel, of these, how many have another level than with
            the exact batch norm.
        greatest: for each channel, by how many levels at most.
    """

    node: str
    bits: int
    slope_fraction: int
    intercept_fraction: int
    values: tuple[int, ...]
    differing: tuple[int, ...]
    greatest: tuple[int, ...]

    def __str__(self) -> str:
        """One line for people."""
        found = differences_text(self.values, self.differing, self.greatest)
        return (
            f"batch norm '{self.node}' in {self.bits}-bit fixed point, "
            f"{self.slope_fraction} bits behind the point of k and "
            f"{self.intercept_fraction} of h: {found}"
        )


def add_record(module: ModuleOp, record: FixedPointRecord) -> None:
    """Append a record to those of a module."""
    _ENTRIES.append(module, asdict(record))


def records(module: ModuleOp) -> list[FixedPointRecord]:
    """The records of a module, in the order in which they were made.

    Raises:
        VerifyException: the attribute is not one that `add_record` made.
    """
    return [
        FixedPointRecord(
            node=entry.text("node"),
            bits=entry.number("bits"),
            slope_fraction=entry.number("slope_fraction"),
            intercept_fraction=entry.number("intercept_fraction"),
            values=entry.numbers("values"),
            differing=entry.numbers("differing"),
            greatest=entry.numbers("greatest"),
        )
        for entry in _ENTRIES.read(module)
    ]
