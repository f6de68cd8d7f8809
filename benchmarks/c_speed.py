"""Images a second of the generated C, on one thread: packed words against plain levels.

The integer core as `CEngine` compiles it, for this machine, called for a batch; the two
run in turn in this process, and agree. Reads the networks given as arguments, or our own
and FINN's CNV, where that stands beside the repository.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import numpy as np
from cycles import networks
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

from lowering.c.engine import CEngine
from passes.bitpack import BitpackPass
from qdialect.data import Array
from qdialect.types import shape_of
from tools.build.agreement import reference_run
from tools.onnx_import.frontend import import_onnx
from tools.pipelines import PIPELINES
from tools.signature import entry_of

ROUNDS = 7
# A round takes about so long.
ROUND_SECONDS = 0.2
FEW_IMAGES, MAX_IMAGES = 16, 1 << 16


def integer_level(path: Path) -> ModuleOp:
    """A network whose @main calls an integer @core."""
    module = import_onnx(path)
    for pass_ in PIPELINES["bnn-integer"].passes:
        pass_.apply(Context(), module)
    return module


def core_inputs(module: ModuleOp, count: int) -> list[Array]:
    """What the core takes of random frames."""
    shape = shape_of(entry_of(module, "network").body.block.args[0])
    frames = np.random.default_rng(0).normal(0, 1, (count, *shape[1:]))
    return reference_run(module, [frames.astype(np.float32)]).core_inputs


def seconds(engine: CEngine, arrays: Sequence[Array]) -> float:
    """Of the processor, for one call."""
    start = time.process_time()
    engine(arrays)
    return time.process_time() - start


def main() -> None:
    """Print a row a network: both rates and their ratio, the medians of some rounds."""
    print(f"{'network':22s} {'plain/s':>10s} {'packed/s':>10s} {'ratio':>6s}")
    for path in networks():
        module = integer_level(path)
        packed_module = module.clone()
        BitpackPass().apply(Context(), packed_module)
        plain, packed = CEngine(module), CEngine(packed_module)
        few = core_inputs(module, FEW_IMAGES)
        for a, b in zip(plain(few), packed(few), strict=True):
            np.testing.assert_array_equal(a, b)
        images = round(ROUND_SECONDS * FEW_IMAGES / seconds(plain, few))
        images = min(max(images, FEW_IMAGES), MAX_IMAGES)
        arrays = [np.resize(array, (images, *array.shape[1:])) for array in few]
        times = [
            (seconds(plain, arrays), seconds(packed, arrays)) for _ in range(ROUNDS)
        ]
        slow, fast = (images / median(column) for column in zip(*times, strict=True))
        ratio = median(a / b for a, b in times)
        print(f"{path.stem:22s} {slow:10.0f} {fast:10.0f} {ratio:6.2f}", flush=True)


if __name__ == "__main__":
    main()
