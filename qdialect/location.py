"""Where an operation comes from, in words for messages."""

from xdsl.dialects.builtin import ArrayAttr, FileLineColLoc, FusedLoc, NameLoc
from xdsl.ir import Attribute, Operation


def source_name(op: Operation) -> str | None:
    """Name of the node of the source model that `op` was made from, if known."""
    return _name(op.location)


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
