"""What a command can use: xDSL's dialects, passes and targets, ours and plug-ins'."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from xdsl.context import Context
from xdsl.ir import Dialect
from xdsl.passes import ModulePass
from xdsl.universe import Universe
from xdsl.utils.target import Target

from lowering.interpreter.engine import Implementation
from tools.mistakes import UserError
from tools.plugins import Plugin
from tools.universe import CIRCUIT_DIALECTS, UNIVERSE, lazy

T = TypeVar("T")


@dataclass(frozen=True)
class Registry:
    """Everything by name; factories import what they give.

    Attributes:
        dialects: all dialects.
        passes: all passes.
        targets: all targets.
        own_passes: names of the passes that are not xDSL's.
        implementations: what runs the operations of plug-in dialects.
    """

    dialects: Mapping[str, Callable[[], Dialect]]
    passes: Mapping[str, Callable[[], type[ModulePass]]]
    targets: Mapping[str, Callable[[], type[Target]]]
    own_passes: Sequence[str]
    implementations: Sequence[Implementation] = field(default=())

    def context(self) -> Context:
        """A context that knows every dialect."""
        context = Context()
        for name, factory in self.dialects.items():
            context.register_dialect(name, factory)
        return context


def build_registry(plugins: Sequence[Plugin] = ()) -> Registry:
    """Everything installed, and the plug-ins.

    Raises:
        UserError: two of them use one name.
    """
    try:
        installed = Universe.get_multiverse()
    except ValueError as error:  # two installed packages clash
        raise UserError(f"installed xDSL plug-ins: {error}") from error
    circuit = {name: lazy(place, Dialect) for name, place in CIRCUIT_DIALECTS.items()}
    dialects = {**installed.all_dialects, **UNIVERSE.all_dialects, **circuit}
    passes = {**installed.all_passes, **UNIVERSE.all_passes}
    targets = {**installed.all_targets, **UNIVERSE.all_targets}
    own_passes = list(UNIVERSE.all_passes)
    for plugin in plugins:
        for dialect in plugin.dialects:
            _claim(plugin, "dialect", dialect.name, dialects)
            dialects[dialect.name] = _constantly(dialect)
        for pass_ in plugin.passes:
            _claim(plugin, "pass", pass_.name, passes)
            passes[pass_.name] = _constantly(pass_)
            own_passes.append(pass_.name)
        for target in plugin.targets:
            _claim(plugin, "target", target.name, targets)
            targets[target.name] = _constantly(target)
    implementations = [i for plugin in plugins for i in plugin.implementations]
    return Registry(dialects, passes, targets, own_passes, implementations)


def _claim(plugin: Plugin, kind: str, name: str, taken: Mapping[str, object]) -> None:
    if name in taken:
        raise UserError(f"{plugin.path}: there is a {kind} '{name}' already; rename it")


def _constantly(value: T) -> Callable[[], T]:
    return lambda: value
