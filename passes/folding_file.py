"""The folding file: PE and SIMD that a user gives, unit by unit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from xdsl.ir import Operation
from xdsl.utils.exceptions import PassFailedException

_KEYS = ("pe", "simd")


@dataclass(frozen=True)
class FoldingFile:
    """What a folding file says about the units of one function.

    Attributes:
        lanes: for each unit that it names, `pe` and `simd`, or one of them.
    """

    lanes: Mapping[Operation, Mapping[str, int]]

    @staticmethod
    def read(path: str | None, names: Mapping[Operation, str]) -> FoldingFile:
        """The file at `path`; an empty one where there is none.

        Args:
            path: of a JSON object, unit name -> {"pe": .., "simd": ..}.
            names: of the units.

        Raises:
            PassFailedException: the file cannot be read, or says something else.
        """
        if path is None:
            return FoldingFile({})
        units = {name: op for op, name in names.items()}
        lanes: dict[Operation, Mapping[str, int]] = {}
        for name, entry in _entries(path).items():
            if name not in units:
                raise PassFailedException(
                    f"fold: {path}: no unit is called {name!r}; the units are "
                    f"{', '.join(units)}"
                )
            lanes[units[name]] = _lanes(path, name, entry)
        return FoldingFile(lanes)


def _entries(path: str) -> dict[str, object]:
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise PassFailedException(f"fold: cannot read {path}: {reason}") from None
    try:
        found: object = json.loads(text)
    except json.JSONDecodeError as error:
        raise PassFailedException(
            f"fold: {path}:{error.lineno}:{error.colno}: expected JSON: {error.msg}"
        ) from None
    if not isinstance(found, dict):
        raise PassFailedException(
            f"fold: {path}: expected an object of unit names, got {found!r}"
        )
    return cast("dict[str, object]", found)


def _lanes(path: str, name: str, entry: object) -> dict[str, int]:
    expected = f'fold: {path}: {name}: expected {{"pe": number, "simd": number}}'
    if not isinstance(entry, dict):
        raise PassFailedException(f"{expected}, got {entry!r}")
    lanes: dict[str, int] = {}
    for key, value in cast("dict[str, object]", entry).items():
        if key not in _KEYS or not isinstance(value, int) or isinstance(value, bool):
            raise PassFailedException(f"{expected}, got {key!r}: {value!r}")
        lanes[key] = value
    return lanes
