"""Test accuracy of the networks of this folder, by the reference evaluator of `onnx`.

    python models/accuracy.py models/*.onnx [--mnist DIR]

Quantisers are evaluated by their definition, all else by onnx's own NumPy operators: no
code is shared with the training script or with the compiler.
"""

import argparse
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from datasets import Dataset, digits, mnist
from networks import NETWORKS

Floats = NDArray[np.float32]


class Quant(OpRun):
    """QONNX's `Quant`, for the rounding mode and the zero point our networks use."""

    op_domain = "qonnx.custom_op.general"

    def _run(
        self,
        x: Floats,
        scale: Floats,
        zero_point: Floats,
        bits: Floats,
        signed: int,
        narrow: int,
        rounding_mode: str,
    ) -> tuple[Floats]:
        if rounding_mode != "ROUND" or zero_point.any():
            raise ValueError(
                "only half-to-even rounding and zero point 0 are evaluated"
            )
        count = 2 ** int(bits)
        low = narrow - count // 2 if signed else 0
        high = count // 2 - 1 if signed else count - 1 - narrow
        level = np.rint(np.clip(x / scale, low, high))
        return ((level * scale).astype(np.float32),)


class BipolarQuant(OpRun):
    """QONNX's `BipolarQuant`."""

    op_domain = "qonnx.custom_op.general"

    def _run(self, x: Floats, scale: Floats) -> tuple[Floats]:
        return (np.where(x >= 0, scale, -scale).astype(np.float32),)


def logits(model: onnx.ModelProto, images: Floats) -> Floats:
    """What `model` makes of `images` [samples, ...], as the network expects them."""
    evaluator = ReferenceEvaluator(model, new_ops=[Quant, BipolarQuant])
    results = evaluator.run(None, {model.graph.input[0].name: images})
    return np.asarray(next(iter(results)))


def accuracy(path: Path, data: Dataset) -> float:
    """The share, 0 to 1, of test images whose greatest logit is their label's."""
    network = NETWORKS[path.stem]
    images = data.test_images * np.float32(network.input_scale)
    images = images.reshape(-1, *network.input_shape)
    chosen = logits(onnx.load(path), images).argmax(1)
    return float((chosen == data.test_labels).mean())


def main() -> None:
    """Print one line per network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--mnist", type=Path, help="folder of the four idx.gz files")
    options = parser.parse_args()
    data = {"digits": digits()}
    if options.mnist:
        data["mnist"] = mnist(options.mnist)
    for path in options.models:
        name = NETWORKS[path.stem].data
        if name in data:
            print(f"{path.name}: {100 * accuracy(path, data[name]):.2f} % on {name}")
        else:
            print(f"{path.name}: needs --{name}")


if __name__ == "__main__":
    main()
