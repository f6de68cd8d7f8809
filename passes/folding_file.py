"""The folding file: what a user says of the folding, unit by unit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, cast

from xdsl.ir import Operation
from xdsl.utils.exceptions import PassFailedException


class GivenFold(NamedTuple):
    """What is given of the folding of a unit.

    Attributes:
        pe: output lanes, or None.
        simd: input lanes, or None.
        zero_skip: lanes that go together where zeros are skipped, 0 to skip none.
    """

    pe: int | None = None
    simd: int | None = None
    zero_skip: int = 0


@dataclass(frozen=True)
class FoldingFile:
    """What a folding file says about the units of one function.

    Attributes:
        folds: for each unit that it names.
    """

    folds: Mapping[Operation, GivenFold]

    @staticmethod
    def read(path: str | None, names: Mapping[Operation, str]) -> FoldingFile:
        """The file at `path`; an empty one where there is none.

        Args:
            path: of a JSON object, unit name -> {"pe": .., "simd": .., "zero_skip": ..}.
            names: of the units.

        Raises:
            PassFailedException: the file cannot be read, or says something else.
        """
        if path is None:
            return FoldingFile({})
        units = {name: op for op, name in names.items()}
        folds: dict[Operation, GivenFold] = {}
        for name, entry in _entries(path).items():
            if name not in units:
                raise PassFailedException(
                    f"fold: {path}: no unit is called {name!r}; the units are "
                    f"{', '.join(units)}"
                )
            folds[units[name]] = _given(path, name, entry)
        return FoldingFile(folds)


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
    except (RecursionError, ValueError):
        raise PassFailedException(
            f"fold: {path}: expected an object of unit names; it nests too deeply, or a "
            "number in it is too long"
        ) from None
    if not isinstance(found, dict):
        raise PassFailedException(
            f"fold: {path}: expected an object of unit names, got {found!r}"
        )
    return cast("dict[str, object]", found)


def _given(path: str, name: str, entry: object) -> GivenFold:
    expected = (
        f"fold: {path}: {name}: expected "
        '{"pe": number, "simd": number, "zero_skip": number}'
    )
    if not isinstance(entry, dict):
        raise PassFailedException(f"{expected}, got {entry!r}")
    given = GivenFold()
    for key, value in cast("dict[str, object]", entry).items():
        if not isinstance(value, int) or isinstance(value, bool):
            raise PassFailedException(f"{expected}, got {key!r}: {value!r}")
        match key:
            case "pe":
                given = given._replace(pe=value)
            case "simd":
                given = given._replace(simd=value)
            case "zero_skip" if value >= 0:
                given = given._replace(zero_skip=value)
            case _:
                raise PassFailedException(f"{expected}, got {key!r}: {value!r}")
    return given
