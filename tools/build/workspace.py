"""What the steps of a build hand to each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

from qdialect.data import Array
from tools.build.agreement import Reference
from tools.build.arguments import Options
from tools.build.progress import Progress
from tools.build.report import Report
from tools.build.stages import Stages


@dataclass
class Workspace:
    """A build that is under way.

    Attributes:
        options: what is asked for.
        ctx: the dialects.
        name: begins the names of everything that is generated.
        module: the network at the integer level, @main calling @core.
        next_stage: number of the first stage behind the integer level.
        inputs: frames to compare on.
        reference: what the interpreter gives for them.
        stages: IR so far.
        progress: prints the steps.
        report: what was found out so far.
        files: contents to write, by name below the directory.
    """

    options: Options
    ctx: Context
    name: str
    module: ModuleOp
    next_stage: int
    inputs: list[Array]
    reference: Reference
    stages: Stages
    progress: Progress
    report: Report
    files: dict[str, str | bytes] = field(default_factory=dict[str, str | bytes])

    def put(self, folder: str, files: Mapping[str, str | bytes]) -> None:
        """Have files written into a folder."""
        for name, contents in files.items():
            self.files[f"{folder}/{name}"] = contents
        self.report.contents[folder] = self.report.contents.get(folder, 0) + len(files)
