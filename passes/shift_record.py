"""What `shift-batch-norm` did to a network, as an attribute of its module."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from xdsl.dialects.builtin import ModuleOp

from passes.norm_record import NormEntries, differences_text

_ENTRIES = NormEntries("qnn.shift_batch_norm", "shift-batch-norm")


@dataclass(frozen=True)
class ShiftRecord:
    """One batch norm by shifts, and where that shows.

    Attributes:
        node: of the source model.
        exponents: for each channel, the power of two that its scale is; 0 also where
            the scale is 0.
        values: for each channel, accumulators that it can take.
        differing: for each channel, of these, how many have another level than with
            the exact batch norm.
        greatest: for each channel, by how many levels at most.
    """

    node: str
    exponents: tuple[int, ...]
    values: tuple[int, ...]
    differing: tuple[int, ...]
    greatest: tuple[int, ...]

    def __str__(self) -> str:
        """One line for people."""
        least, greatest = min(self.exponents), max(self.exponents)
        shifts = f"2**{least}" if least == greatest else f"2**{least} to 2**{greatest}"
        found = differences_text(self.values, self.differing, self.greatest)
        return f"batch norm '{self.node}' by shifts, {shifts}: {found}"


def add_record(module: ModuleOp, record: ShiftRecord) -> None:
    """Append a record to those of a module."""
    _ENTRIES.append(module, asdict(record))


def records(module: ModuleOp) -> list[ShiftRecord]:
    """The records of a module, in the order in which they were made.

    Raises:
        VerifyException: the attribute is not one that `add_record` made.
    """
    return [
        ShiftRecord(
            node=entry.text("node"),
            exponents=entry.numbers("exponents"),
            values=entry.numbers("values"),
            differing=entry.numbers("differing"),
            greatest=entry.numbers("greatest"),
        )
        for entry in _ENTRIES.read(module)
    ]
