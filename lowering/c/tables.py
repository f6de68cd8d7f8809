"""Constant arrays of the generated source: weights, thresholds, tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from lowering.c.scalars import CType, literal, table_ctype
from lowering.text import Text
from qdialect.data import Array

_LINE_WIDTH = 80


@dataclass(frozen=True)
class Table:
    """A constant array.

    Attributes:
        name: its name in C.
        ctype: type of an element.
        values: the elements, in one dimension.
        comment: what it holds.
    """

    name: str
    ctype: CType
    values: Array
    comment: str

    @property
    def size_bytes(self) -> int:
        """Flash that it takes."""
        return self.ctype.size_bytes * self.values.size

    def write(self, text: Text, qualifier: str) -> None:
        """Its definition; words as hexadecimal numbers, which compile faster."""
        head = f"static const {qualifier} {self.ctype.name} {self.name}"
        text(f"/* {self.comment} */")
        with text.block(f"{head}[{self.values.size}] = {{", "};"):
            for line in _filled(self._literals()):
                text(line)

    def _literals(self) -> Iterator[str]:
        values: list[int] = self.values.tolist()
        if self.ctype.signed:
            return (literal(value).strip("()") for value in values)
        digits = self.ctype.size_bytes * 2
        return (f"0x{value:0{digits}x}" for value in values)


def _filled(items: Iterator[str]) -> Iterator[str]:
    """Lines of comma-separated items."""
    line = ""
    for item in items:
        if line and len(line) + len(item) + 2 > _LINE_WIDTH:
            yield line
            line = ""
        line += f"{' ' if line else ''}{item},"
    if line:
        yield line


@dataclass
class Tables:
    """The constants of one source; equal ones are kept once."""

    prefix: str
    tables: list[Table] = field(default_factory=list[Table])
    _names: dict[tuple[CType, bytes], str] = field(
        default_factory=dict[tuple[CType, bytes], str]
    )

    def add(self, values: Array, comment: str, ctype: CType | None = None) -> str:
        """Name of an array of these values.

        Args:
            values: integers of any shape, at least one; kept in row-major order.
            comment: what they are.
            ctype: type of an element; the narrowest that fits where not given.
        """
        flat = values.reshape(-1)
        if ctype is None:
            ctype = table_ctype(int(flat.min()), int(flat.max()))
        kind = "i" if ctype.signed else "u"
        stored = flat.astype(np.dtype(f"<{kind}{ctype.size_bytes}"))
        key = (ctype, stored.tobytes())
        if key not in self._names:
            name = f"{self.prefix}_c{len(self.tables)}"
            self.tables.append(Table(name, ctype, stored, comment))
            self._names[key] = name
        return self._names[key]

    def ctype(self, name: str) -> CType:
        """Type of the elements of a table."""
        return next(table.ctype for table in self.tables if table.name == name)

    @property
    def size_bytes(self) -> int:
        """Flash that all take."""
        return sum(table.size_bytes for table in self.tables)
