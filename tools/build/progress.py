"""A line for each step of a build, with the seconds it took."""

from __future__ import annotations

import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Step:
    """A step that runs; `result` is what its line says in the end."""

    name: str
    result: str = ""
    seconds: float = 0.0


@dataclass
class Progress:
    """Prints steps as they end; keeps them for the report."""

    quiet: bool = False
    steps: list[Step] = field(default_factory=list[Step])

    @contextmanager
    def step(self, name: str) -> Generator[Step]:
        """Time what is done inside the `with`, then print its line.

        A step that fails prints no line: the error says enough.
        """
        step = Step(name)
        start = time.perf_counter()
        yield step
        step.seconds = time.perf_counter() - start
        self.steps.append(step)
        if not self.quiet:
            print(f"{step.seconds:7.2f} s  {step.name}: {step.result}", file=sys.stderr)
