"""What `fixed-point-batch-norm` did to a network, as an attribute of its module.

The module keeps it through every later pass: these make the thresholds anew, and in
hardware and in C there is nothing left of a batch norm.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.dialects.builtin import (
    I64,
    ArrayAttr,
    DenseArrayBase,
    DictionaryAttr,
    IntegerAttr,
    ModuleOp,
    StringAttr,
    i64,
)
from xdsl.ir import Attribute
from xdsl.utils.exceptions import VerifyException
from xdsl.utils.hints import isa

_ATTRIBUTE = "qnn.fixed_point_batch_norm"


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
        words = (
            f"batch norm '{self.node}' in {self.bits}-bit fixed point, "
            f"{self.slope_fraction} bits behind the point of k and "
            f"{self.intercept_fraction} of h"
        )
        count = f"{sum(self.differing):,} of {sum(self.values):,} accumulator values"
        channels = sum(1 for number in self.differing if number)
        if not channels:
            return f"{words}: another level for {count}"
        return (
            f"{words}: another level for {count}, in {channels:,} of "
            f"{len(self.values):,} channels, by {max(self.greatest)} at most"
        )


def add_record(module: ModuleOp, record: FixedPointRecord) -> None:
    """Append a record to those of a module."""
    entries = (*_entries(module), _to_attribute(record))
    module.attributes[_ATTRIBUTE] = ArrayAttr(entries)


def records(module: ModuleOp) -> list[FixedPointRecord]:
    """The records of a module, in the order in which they were made.

    Raises:
        VerifyException: the attribute is not one that `add_record` made.
    """
    return [_from_attribute(entry) for entry in _entries(module)]


def _entries(module: ModuleOp) -> tuple[Attribute, ...]:
    found = module.attributes.get(_ATTRIBUTE, ArrayAttr[Attribute](()))
    if not isa(found, ArrayAttr[Attribute]):
        raise _malformed(found)
    return found.data


def _to_attribute(record: FixedPointRecord) -> Attribute:
    return DictionaryAttr(
        {
            "node": StringAttr(record.node),
            "bits": IntegerAttr(record.bits, i64),
            "slope_fraction": IntegerAttr(record.slope_fraction, i64),
            "intercept_fraction": IntegerAttr(record.intercept_fraction, i64),
            "values": DenseArrayBase.from_list(i64, record.values),
            "differing": DenseArrayBase.from_list(i64, record.differing),
            "greatest": DenseArrayBase.from_list(i64, record.greatest),
        }
    )


def _from_attribute(entry: Attribute) -> FixedPointRecord:
    if not isinstance(entry, DictionaryAttr):
        raise _malformed(entry)
    node = entry.data.get("node")
    if not isinstance(node, StringAttr):
        raise _malformed(entry)
    return FixedPointRecord(
        node=node.data,
        bits=_number(entry, "bits"),
        slope_fraction=_number(entry, "slope_fraction"),
        intercept_fraction=_number(entry, "intercept_fraction"),
        values=_numbers(entry, "values"),
        differing=_numbers(entry, "differing"),
        greatest=_numbers(entry, "greatest"),
    )


def _number(entry: DictionaryAttr, key: str) -> int:
    found = entry.data.get(key)
    if not isa(found, IntegerAttr[I64]):
        raise _malformed(entry)
    return found.value.data


def _numbers(entry: DictionaryAttr, key: str) -> tuple[int, ...]:
    found = entry.data.get(key)
    if not isa(found, DenseArrayBase[I64]):
        raise _malformed(entry)
    return found.get_values()


def _malformed(found: Attribute) -> VerifyException:
    return VerifyException(
        f"{_ATTRIBUTE}: expected what fixed-point-batch-norm writes, got {found}"
    )
