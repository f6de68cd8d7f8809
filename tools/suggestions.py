"""What the user may have meant by a name that does not exist."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

# Up to this many names are listed where none is close.
_MAX_LISTED = 12


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """One line that says that there is no such name, and which there are.

    >>> unknown("pass", "bit-pack", ["bitpack", "fold"])
    "no pass 'bit-pack'; did you mean 'bitpack'?"
    >>> unknown("target", "x", ["c", "sv"])
    "no target 'x'; there are: c, sv"
    """
    names = sorted(known)
    # An underscore for a dash is not a mistake in the letters.
    close = get_close_matches(name.replace("_", "-"), names, n=1, cutoff=0.6)
    if close:
        return f"no {kind} '{name}'; did you mean '{close[0]}'?"
    if len(names) > _MAX_LISTED:
        return f"no {kind} '{name}' among {len(names)}"
    return f"no {kind} '{name}'; there are: {', '.join(names) or 'none'}"
