"""A node of an ONNX graph: its names and its attributes, read with checks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, cast

from onnx import AttributeProto, NodeProto, TensorProto, helper

from tools.onnx_import.refusal import ImportRefused

AttributeValue: TypeAlias = int | float | str | TensorProto | list[int | float | str]

STANDARD_DOMAINS = frozenset({"", "ai.onnx"})
CHANNELS_LAST = "qonnx.custom_op.channels_last"

# Of a list of more than twelve numbers messages show the first eight.
_LONG_LIST = re.compile(r"\[((?:[^\[\],]+, ){7}[^\[\],]+)(?:, [^\[\],]+){5,}\]")


@dataclass
class Node:
    """A node, named: `name` is that of its first output where the model gives none."""

    file: str
    name: str
    op_type: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, AttributeValue]
    opset: int
    """Version of the default operator set of the model."""
    _read: set[str] = field(default_factory=set[str])

    def refusal(self, reason: str, *, hint: str = "") -> ImportRefused:
        """The error that this node is not accepted, to be raised."""
        where = f"{self.file}: node '{self.name}' ({self.op_type})"
        shown = _LONG_LIST.sub(r"[\1, ..]", reason)
        return ImportRefused(f"{where}: {shown}", hint=hint)

    @property
    def unread(self) -> list[str]:
        """The attributes that nobody has asked for."""
        return sorted(self.attributes.keys() - self._read)

    def has(self, name: str) -> bool:
        """Whether the node has the attribute."""
        return name in self.attributes

    def integer(self, name: str, default: int | None = None) -> int:
        """An integer attribute; without a default it is required."""
        value = self._get(name, default)
        if not isinstance(value, int):
            raise self._wrong(name, "an integer")
        return value

    def number(self, name: str, default: float | None = None) -> float:
        """A floating-point attribute; without a default it is required."""
        value = self._get(name, default)
        if not isinstance(value, int | float):
            raise self._wrong(name, "a number")
        return float(value)

    def text(self, name: str, default: str | None = None) -> str:
        """A string attribute; without a default it is required."""
        value = self._get(name, default)
        if not isinstance(value, str):
            raise self._wrong(name, "a string")
        return value

    def flag(self, name: str, default: bool) -> bool:
        """An integer attribute that is 0 or 1."""
        value = self.integer(name, int(default))
        if value not in (0, 1):
            raise self._wrong(name, "0 or 1")
        return value == 1

    def integers(self, name: str) -> list[int]:
        """A required attribute that is a list of integers."""
        value = self._get(name, None)
        items = value if isinstance(value, list) else [value]
        integers = [item for item in items if isinstance(item, int)]
        if len(integers) != len(items):
            raise self._wrong(name, "a list of integers")
        return integers

    def value(self, name: str) -> AttributeValue:
        """A required attribute of any type."""
        return self._get(name, None)

    def ignore(self, *names: str) -> None:
        """Say that these attributes do not change what an inference computes."""
        self._read.update(names)

    def _get(self, name: str, default: AttributeValue | None) -> AttributeValue:
        self._read.add(name)
        value = self.attributes.get(name, default)
        if value is None:
            raise self.refusal(f"the attribute '{name}' is missing")
        return value

    def _wrong(self, name: str, expected: str) -> ImportRefused:
        found = self.attributes.get(name)
        return self.refusal(f"the attribute '{name}' must be {expected}, got {found!r}")


def read_node(proto: NodeProto, file: str, opset: int) -> Node:
    """The node of a protobuf.

    Raises:
        ImportRefused: it has no output, or an attribute that no accepted op has.
    """
    name = proto.name or f"{proto.op_type}_{next(iter(proto.output), '')}"
    node = Node(
        file=file,
        name=name,
        op_type=proto.op_type,
        domain=proto.domain,
        inputs=_without_trailing_blanks(proto.input),
        outputs=_without_trailing_blanks(proto.output),
        attributes={},
        opset=opset,
    )
    if not node.outputs:
        raise node.refusal("has no output")
    for attribute in proto.attribute:
        node.attributes[attribute.name] = _attribute_value(node, attribute)
    return node


def _without_trailing_blanks(names: Iterable[str]) -> tuple[str, ...]:
    kept = list(names)
    while kept and not kept[-1]:
        kept.pop()
    return tuple(kept)


def _attribute_value(node: Node, attribute: AttributeProto) -> AttributeValue:
    kind = attribute.type
    if kind in (AttributeProto.GRAPH, AttributeProto.GRAPHS):
        raise node.refusal(
            f"holds a subgraph ('{attribute.name}'); accepted are plain nodes, without "
            "control flow"
        )
    try:
        value = helper.get_attribute_value(attribute)
    except ValueError:
        value = None
    match value:
        case bytes():
            return value.decode(errors="replace")
        case int() | float() | TensorProto():
            return value
        case _ if isinstance(value, Sequence):
            items = cast("Sequence[object]", value)
            return [
                item.decode(errors="replace") if isinstance(item, bytes) else item
                for item in items
                if isinstance(item, int | float | bytes)
            ]
        case _:
            raise node.refusal(
                f"the attribute '{attribute.name}' is neither a number, a string, a "
                "tensor nor a list of those"
            )
