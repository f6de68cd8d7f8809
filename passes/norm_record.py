"""What a pass that approximates batch norms did, as attributes of the module.

The module keeps them through every later pass: these make the thresholds anew, and in
hardware and in C there is nothing left of a batch norm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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


class NormEntries:
    """The records of one pass, each a dictionary of text, numbers and lists of these.

    Args:
        attribute: its name, of the module's.
        pass_name: who writes it.
    """

    def __init__(self, attribute: str, pass_name: str):
        self._attribute, self._pass_name = attribute, pass_name

    def append(
        self, module: ModuleOp, entry: Mapping[str, str | int | Sequence[int]]
    ) -> None:
        """Add a record to those of a module."""
        made = DictionaryAttr({key: _attribute(value) for key, value in entry.items()})
        module.attributes[self._attribute] = ArrayAttr((*self._of(module), made))

    def read(self, module: ModuleOp) -> list[NormEntry]:
        """The records of a module, in the order in which they were made.

        Raises:
            VerifyException: the attribute is not one that `append` made.
        """
        return [NormEntry(self, entry) for entry in self._of(module)]

    def malformed(self, found: Attribute) -> VerifyException:
        """Something else stands where records are expected."""
        return VerifyException(
            f"{self._attribute}: expected what {self._pass_name} writes, got {found}"
        )

    def _of(self, module: ModuleOp) -> tuple[DictionaryAttr, ...]:
        found = module.attributes.get(self._attribute, ArrayAttr[DictionaryAttr](()))
        if not isa(found, ArrayAttr[Attribute]):
            raise self.malformed(found)
        entries: list[DictionaryAttr] = []
        for entry in found.data:
            if not isinstance(entry, DictionaryAttr):
                raise self.malformed(entry)
            entries.append(entry)
        return tuple(entries)


class NormEntry:
    """One record, as it stands in the module."""

    def __init__(self, entries: NormEntries, entry: DictionaryAttr):
        self._entries, self._entry = entries, entry

    def text(self, key: str) -> str:
        """A text.

        Raises:
            VerifyException: there is none of that name; so do the others.
        """
        found = self._entry.data.get(key)
        if not isinstance(found, StringAttr):
            raise self._entries.malformed(self._entry)
        return found.data

    def number(self, key: str) -> int:
        """A number."""
        found = self._entry.data.get(key)
        if not isa(found, IntegerAttr[I64]):
            raise self._entries.malformed(self._entry)
        return found.value.data

    def numbers(self, key: str) -> tuple[int, ...]:
        """Numbers, one for each channel."""
        found = self._entry.data.get(key)
        if not isa(found, DenseArrayBase[I64]):
            raise self._entries.malformed(self._entry)
        return found.get_values()


def _attribute(value: str | int | Sequence[int]) -> Attribute:
    match value:
        case str():
            return StringAttr(value)
        case int():
            return IntegerAttr(value, i64)
        case _:
            return DenseArrayBase.from_list(i64, value)


def differences_text(
    values: Sequence[int], differing: Sequence[int], greatest: Sequence[int]
) -> str:
    """Where levels differ from those of the exact batch norm, channel by channel.

    Args:
        values: for each channel, accumulators that it can take.
        differing: of these, how many have another level.
        greatest: by how many levels at most.
    """
    count = f"{sum(differing):,} of {sum(values):,} accumulator values"
    channels = sum(1 for number in differing if number)
    if not channels:
        return f"another level for {count}"
    return (
        f"another level for {count}, in {channels:,} of {len(values):,} channels, by "
        f"{max(greatest)} at most"
    )
