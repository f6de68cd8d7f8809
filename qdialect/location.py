"""Where an operation comes from, in words for messages."""

import re

from xdsl.dialects.builtin import ArrayAttr, FileLineColLoc, FusedLoc, NameLoc
from xdsl.ir import Attribute, Operation

# Files are called after units, and file systems take names of 255 characters.
_MAX_NAME = 40


def source_name(op: Operation) -> str | None:
    """Name of the node of the source model that `op` was made from, if known."""
    return _name(op.location)


def shortened(name: str) -> str:
    """A name of at most 40 characters: what comes last tells most.

    Of a name that lists fused nodes, `a;b`, the last one; of a longer one its end.
    """
    if len(name) > _MAX_NAME:
        name = name.rpartition(";")[2]
    if len(name) > _MAX_NAME:
        end = name[-_MAX_NAME - 1 :]
        separator = re.search(r"[^A-Za-z0-9]", end)
        name = end[separator.end() :] if separator else end[1:]
    return name


def _name(location: Attribute) -> str | None:
    match location:
        case NameLoc():
            return location.desc.data
        case FusedLoc():
            names = [n for n in map(_name, _parts(location)) if n is not None]
            return names[0] if names else None
        case _:
            return None


def where(op: Operation) -> str:
    """`qnn.matmul (node 'MatMul_0')`, or with file and line, or the bare name."""
    name = source_name(op)
    if name is not None:
        return f"{op.name} (node '{name}')"
    location = op.location
    if isinstance(location, FileLineColLoc):
        return (
            f"{op.name} ({location.filename.data}:{location.line.data}:"
            f"{location.column.data})"
        )
    return op.name


def _parts(location: FusedLoc) -> list[Attribute]:
    parts = location.locations
    return list(parts.data) if isinstance(parts, ArrayAttr) else []  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]
