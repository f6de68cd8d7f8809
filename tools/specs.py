"""Passes and targets from what the user wrote: `name{option=value ...}`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from types import NoneType
from typing import TypeVar, get_args, get_type_hints

from xdsl.passes import ModulePass
from xdsl.utils.arg_spec import ArgSpec, ArgSpecConvertible, parse_pipeline, parse_spec
from xdsl.utils.exceptions import ArgSpecParseError
from xdsl.utils.target import Target

from tools.diagnostics import spec_message
from tools.mistakes import UsageError
from tools.suggestions import unknown

T = TypeVar("T", bound=ArgSpecConvertible)

_MOST_BITS = 63


def passes_of(
    text: str, known: Mapping[str, Callable[[], type[ModulePass]]]
) -> tuple[ModulePass, ...]:
    """The passes of `a,b{x=1},c`.

    Raises:
        UsageError: the text is malformed, or names a pass or an option that does not
            exist, or a value does not fit.
    """
    try:
        specs = tuple(parse_pipeline(text))
    except ArgSpecParseError as error:
        raise UsageError(f"passes '{text}': {spec_message(error)}") from error
    for spec in specs:
        if spec.name not in known:
            raise UsageError(
                f"{unknown('pass', spec.name, known)} (qopt --list-passes)"
            )
    return tuple(configured("pass", known[spec.name](), spec) for spec in specs)


def target_of(text: str, known: Mapping[str, Callable[[], type[Target]]]) -> Target:
    """The target of `name{x=1}`.

    Raises:
        UsageError: as for `passes_of`.
    """
    spec = name_and_options(text, "target")
    if spec.name not in known:
        raise UsageError(unknown("target", spec.name, known))
    return configured("target", known[spec.name](), spec)


def name_and_options(text: str, kind: str) -> ArgSpec:
    """One name with its options.

    Raises:
        UsageError: the text is malformed.
    """
    try:
        spec = parse_spec(text)
    except ArgSpecParseError as error:
        raise UsageError(f"{kind} '{text}': {spec_message(error)}") from error
    return spec


def configured(kind: str, cls: type[T], spec: ArgSpec) -> T:
    """An instance with the options of a specification.

    Raises:
        UsageError: an option does not exist or is missing, or a value does not fit.
    """
    given = spec.normalize_parameter_names()
    owner = f"{kind} '{spec.name}'"
    names = [field.name for field in fields(cls) if field.init]
    for key in given.parameters:
        if key not in names:
            dashed = [name.replace("_", "-") for name in names]
            text = unknown("option", key.replace("_", "-"), dashed)
            raise UsageError(f"{owner}: {text}")
    for key, value in given.parameters.items():
        if any(isinstance(n, int) and n.bit_length() > _MOST_BITS for n in value):
            dashed = key.replace("_", "-")
            raise UsageError(
                f"{owner}: option '{dashed}': expected a number of at most {_MOST_BITS} "
                "bits"
            )
    for name in sorted(cls.required_fields() - given.parameters.keys()):
        dashed = name.replace("_", "-")
        raise UsageError(f"{owner}: the option '{dashed}' is required")
    try:
        return cls.from_spec(given)
    except (ValueError, TypeError) as error:
        raise UsageError(f"{owner}: {_misfit(cls, given) or error}") from error


def _misfit(cls: type[ArgSpecConvertible], spec: ArgSpec) -> str | None:
    """Which option has a value of a wrong kind, if one has."""
    for key, value in spec.parameters.items():
        required = {name: (0,) for name in cls.required_fields()}
        try:
            cls.from_spec(ArgSpec(spec.name, {**required, key: value}))
        except ValueError as error:
            if str(error).startswith(("Incompatible types", "Argument must")):
                got = ",".join(str(item) for item in value) or "nothing"
                expected = expected_value(cls, key)
                return (
                    f"option '{key.replace('_', '-')}': expected {expected}, got {got}"
                )
    return None


def expected_value(cls: type[ArgSpecConvertible], field: str) -> str:
    """The kind of value that an option takes, in words."""
    return _kind(get_type_hints(cls)[field])


def _kind(hint: object) -> str:
    words = {int: "integer", float: "number", bool: "true|false", str: "text"}
    if isinstance(hint, type) and hint in words:
        return words[hint]
    parts = [part for part in get_args(hint) if part not in (NoneType, ...)]
    if not parts:
        return str(hint)
    if all(isinstance(part, str) for part in parts):  # a Literal
        return "|".join(map(str, parts))
    kinds = "|".join(dict.fromkeys(map(_kind, parts)))
    return f"{kinds},.." if getattr(hint, "__origin__", None) is tuple else kinds
