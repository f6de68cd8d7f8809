"""lit: run every `// RUN:` line of the files below with this environment's tools."""

import os
import sys
from pathlib import Path

import lit.formats

config.name = "qnnc"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.excludes = ["Inputs"]
config.test_source_root = Path(__file__).parent
# Where %t files go: outside the sources.
config.test_exec_root = Path(__file__).parent.parent / "build" / "lit"

# qopt, qrun, filecheck: those beside the Python that runs lit, activated or not.
config.environment["PATH"] = os.pathsep.join(
    (str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath))
)

config.substitutions += [
    # Prints what it parsed, in the custom and in the generic form, and parses it again.
    ("%roundtrip", "qopt %s | qopt | filecheck %s"),
    ("%generic", "qopt %s --print-op-generic | qopt | filecheck %s"),
    # Each `// -----` section is refused; the messages are checked.
    ("%invalid", "qopt %s --split-input-file --verify-diagnostics | filecheck %s"),
    ("%models", str(Path(__file__).parent.parent / "models")),
    ("%python", sys.executable),
]
