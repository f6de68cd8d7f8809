"""Weights that are decoded once, before the first frame, into memory of the library."""

from __future__ import annotations

from dataclasses import dataclass, field

from lowering.c.scalars import CType
from lowering.text import Text


@dataclass(frozen=True)
class LoadedArray:
    """Memory for the decoded weights of a layer.

    Attributes:
        name: its name in C.
        ctype: type of an element.
        count: number of elements.
        reader: name of the struct that the decoder reads from.
        decoder: name of the function that decodes.
        stream: name of the table of code words.
    """

    name: str
    ctype: CType
    count: int
    reader: str
    decoder: str
    stream: str


@dataclass
class Loaded:
    """The arrays of one source; layers that share weights share one."""

    prefix: str
    arrays: dict[tuple[str, str], LoadedArray] = field(
        default_factory=dict[tuple[str, str], LoadedArray]
    )

    def add(
        self, ctype: CType, count: int, reader: str, decoder: str, stream: str
    ) -> str:
        """Name of the array that a stream is decoded into."""
        key = (decoder, stream)
        name = f"{self.prefix}_w{len(self.arrays)}"
        array = LoadedArray(name, ctype, count, reader, decoder, stream)
        return self.arrays.setdefault(key, array).name

    @property
    def size_bytes(self) -> int:
        """Memory that all take."""
        return sum(a.ctype.size_bytes * a.count for a in self.arrays.values())

    def write_arrays(self, text: Text) -> None:
        """Their definitions."""
        if self.arrays:
            text("/* Decoded weights. */")
            for array in self.arrays.values():
                text(f"static {array.ctype.name} {array.name}[{array.count}];")
            text()

    def write_function(self, text: Text) -> None:
        """The function that decodes all of them."""
        if not self.arrays:
            return
        text(f"void {self.prefix}_load(void)")
        with text.block("{", "}"):
            for number, array in enumerate(self.arrays.values()):
                from_ = f"from{number}"
                text(f"struct {array.reader} {from_} = {{{array.stream}, 0, 0}};")
            for number, array in enumerate(self.arrays.values()):
                text(f"{array.decoder}(&from{number}, {array.name}, {array.count}u);")
        text()
