"""Names of signals and instances in SystemVerilog."""

from __future__ import annotations

import re
from collections.abc import Iterator


class Names:
    """Hands out names that are legal and different from each other."""

    def __init__(self, taken: Iterator[str]) -> None:
        self._taken = set(taken)
        self._unnamed = 0

    def fresh(self, hint: str | None, suffix: str, *, prefix: str = "") -> str:
        if not hint:
            hint = f"v{self._unnamed}"
            self._unnamed += 1
        base = re.sub(r"\W", "_", hint, flags=re.ASCII).removesuffix(suffix)
        base = base if base[:1].isalpha() or prefix else f"n{base}"
        base = prefix + base.removeprefix(prefix)
        name, count = base + suffix, 1
        while name in self._taken:
            count += 1
            name = f"{base}_{count}{suffix}"
        self._taken.add(name)
        return name
