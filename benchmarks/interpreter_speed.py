"""Images per second of the interpreter, against the QONNX executor.

The executor's models fix the batch at 1, so it runs image by image; the interpreter
takes 1,000 images at once. Both run in this process, in turn. Reads the networks given
as arguments, or our own.
"""

from __future__ import annotations

import sys
import time
import warnings
from pathlib import Path

import numpy as np

from lowering.interpreter.engine import Interpreter
from qdialect.data import Array
from qdialect.types import shape_of
from tools.onnx_import.frontend import import_onnx

MODELS = Path(__file__).resolve().parent.parent / "models"
BATCH, ROUNDS, EXECUTOR_IMAGES = 1000, 5, 20
WANTED = 50


def executor(path: Path, images: Array) -> float:
    """Seconds an image of the QONNX executor."""
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx
    from qonnx.util.cleanup import cleanup_model

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wrapped = cleanup_model(ModelWrapper(str(path)))
        name = wrapped.graph.input[0].name
        shape = wrapped.get_tensor_shape(name)
        execute_onnx(wrapped, {name: images[0].reshape(shape)})
        start = time.process_time()
        for image in images[:EXECUTOR_IMAGES]:
            execute_onnx(wrapped, {name: image.reshape(shape)})
        return (time.process_time() - start) / EXECUTOR_IMAGES


def main() -> None:
    """Print a row a network: both rates and their ratio, the median of some rounds."""
    paths = [Path(a) for a in sys.argv[1:]] or sorted(MODELS.glob("*.onnx"))
    print(f"{'network':28s} {'executor/s':>11s} {'interpreter/s':>14s} {'ratio':>7s}")
    for path in paths:
        module = import_onnx(path)
        function = next(iter(module.body.block.ops))
        for op in module.body.block.ops:
            if op.name == "func.func":
                function = op
        shape = shape_of(function.regions[0].block.args[0])
        rng = np.random.default_rng(0)
        images = rng.choice([-1.0, 1.0], (BATCH, *shape[1:])).astype(np.float32)
        interpreter = Interpreter(module)
        interpreter.run([images])
        ratios: list[float] = []
        ours = theirs = 0.0
        for _ in range(ROUNDS):
            theirs = executor(path, images)
            start = time.process_time()
            interpreter.run([images])
            ours = (time.process_time() - start) / BATCH
            ratios.append(theirs / ours)
        ratio = float(np.median(ratios))
        verdict = "" if ratio >= WANTED else f"  below {WANTED}"
        print(
            f"{path.stem:28s} {1 / theirs:11.0f} {1 / ours:14.0f} {ratio:7.0f}{verdict}"
        )


if __name__ == "__main__":
    main()
