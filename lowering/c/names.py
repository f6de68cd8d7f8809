"""Names and comments of generated C, legal by construction."""

from __future__ import annotations

import re

from xdsl.ir import Operation

from lowering.c.errors import CError
from qdialect.location import source_name

# An underscore in front is the implementation's; ours follow a prefix and `_`.
_PREFIX = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_UNSAFE = re.compile(r"[^A-Za-z0-9 _.,:;=+()<>\[\]!@#%-]")


def check_prefix(prefix: str) -> None:
    """Refuse a prefix that makes no C identifiers.

    Raises:
        CError: it is none.
    """
    if _PREFIX.fullmatch(prefix) is None:
        raise CError(
            "target c: prefix must be a letter, then letters, digits or _, "
            f"got {prefix!r}"
        )


def comment_text(text: str) -> str:
    """`text` without anything that could end a comment or start another."""
    return _UNSAFE.sub("_", text)


def describe(ops: tuple[Operation, ...]) -> str:
    """The operations of a step and the nodes that they were made from."""
    names = [op.name.removeprefix("qnn.") for op in ops]
    nodes = dict.fromkeys(filter(None, map(source_name, ops)))
    origin = f" (from {', '.join(nodes)})" if nodes else ""
    return comment_text(" -> ".join(names) + origin)
