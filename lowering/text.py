"""An indenting writer for generated source text."""

from collections.abc import Generator
from contextlib import contextmanager


class Text:
    """Lines of source text, indented by the blocks they stand in.

    >>> text = Text()
    >>> with text.block("if (x) {", "}"):
    ...     text("y = 1;")
    >>> print(text)
    if (x) {
      y = 1;
    }

    An empty line carries no indentation, and a text of several lines is indented line
    by line.
    """

    def __init__(self, indent: str = "  ") -> None:
        self._indent = indent
        self._depth = 0
        self._lines: list[str] = []

    def __call__(self, text: str = "") -> None:
        """Append `text`, one or more lines, at the present indentation."""
        margin = self._indent * self._depth
        self._lines.extend(f"{margin}{line}".rstrip() for line in text.split("\n"))

    @contextmanager
    def block(self, head: str = "", tail: str = "") -> Generator[None]:
        """Write `head`, indent what is written inside the `with`, write `tail`.

        An empty head or tail writes no line.
        """
        if head:
            self(head)
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
        if tail:
            self(tail)

    def __str__(self) -> str:
        return "\n".join(self._lines)
