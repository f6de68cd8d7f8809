"""Helper functions of the generated source, written where a step first needs one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from lowering.text import Text

# Writes the definition of a function of the given name.
Definition = Callable[[Text, str], None]


@dataclass
class Functions:
    """Static functions by name; each is defined once, after those that it calls."""

    prefix: str
    definitions: dict[str, Definition] = field(default_factory=dict[str, Definition])

    def add(self, name: str, definition: Definition) -> str:
        """The full name of a function, which is defined if it was not."""
        full = f"{self.prefix}_{name}"
        self.definitions.setdefault(full, definition)
        return full

    def write(self, text: Text) -> None:
        """All definitions in the order of their addition."""
        for name, definition in self.definitions.items():
            definition(text, name)
            text()
