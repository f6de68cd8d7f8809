"""What `--list-passes` and `--list-pipelines` print."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Iterator

from xdsl.passes import ModulePass

from tools.pipelines import PIPELINES
from tools.registry import Registry
from tools.specs import expected_value

WIDTH = 88
_INDENT = "    "


def list_passes(registry: Registry, which: str) -> str:
    """Every pass with its options and the first line of its docstring.

    Args:
        registry: what there is.
        which: `own` for ours and those of plug-ins, `all` for xDSL's too.
    """
    others = [name for name in registry.passes if name not in registry.own_passes]
    names = sorted([*registry.own_passes, *(others if which == "all" else ())])
    lines = [line for name in names for line in _pass_lines(registry, name)]
    if which == "own":
        lines.append(
            f"and {len(others)} passes of xDSL, such as canonicalize, cse and dce "
            "(--list-passes=all)"
        )
    return "".join(f"{line}\n" for line in lines)


def _pass_lines(registry: Registry, name: str) -> Iterator[str]:
    pass_ = registry.passes[name]()
    options = " ".join(_options(pass_))
    yield f"{name}{{{options}}}" if options else name
    yield from _indented(_summary(pass_))


def _indented(text: str) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=_INDENT,
        subsequent_indent=_INDENT,
        break_on_hyphens=False,
    )


def _options(pass_: type[ModulePass]) -> Iterator[str]:
    for field in dataclasses.fields(pass_):
        if not field.init:
            continue
        name = field.name.replace("_", "-")
        kind = expected_value(pass_, field.name)
        default: object = field.default
        if default is dataclasses.MISSING:
            yield f"{name}={kind}"
        elif default is None:
            yield f"[{name}={kind}]"
        else:
            shown = str(default).lower() if isinstance(default, bool) else str(default)
            yield f"[{name}={kind}:{shown}]"


def _summary(pass_: type[ModulePass]) -> str:
    text = pass_.__doc__ or ""
    # What `dataclass` writes where there is no docstring.
    return "" if text.startswith(f"{pass_.__name__}(") else first_sentence(text)


def first_sentence(docstring: str) -> str:
    """The first paragraph of a docstring up to its first full stop."""
    paragraph = " ".join(docstring.strip().split("\n\n")[0].split())
    return paragraph.split(". ")[0].rstrip(".")


def list_pipelines() -> str:
    """Every named pipeline: what it makes of a module, and its passes."""
    lines: list[str] = []
    for name, pipeline in PIPELINES.items():
        passes = ", ".join(pass_.name for pass_ in pipeline.passes)
        lines += [f"{name}: {pipeline.summary}"]
        lines += _indented(passes)
    return "".join(f"{line}\n" for line in lines)
