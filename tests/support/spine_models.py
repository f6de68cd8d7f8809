"""The trained networks of the issue "Spine" and what others computed from them.

They stand outside the repository, beside it in `shared/models`, or where the variable
QNNC_SHARED_MODELS says; tests that need them skip where they are absent.
"""

from __future__ import annotations

import gzip
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from qdialect.data import Array
from qdialect.semantics import Real

REPOSITORY = Path(__file__).parent.parent.parent
SHARED_MODELS = Path(
    os.environ.get("QNNC_SHARED_MODELS", REPOSITORY.parent / "shared" / "models")
)


@dataclass(frozen=True)
class SpineModel:
    """A model, and how far its golden outputs are exact.

    `tolerance` bounds the difference from golden outputs that were summed in floating
    point, where the order of a sum shows; 0 where they are exact.
    """

    path: str
    golden: str
    tolerance: float = 0.0

    def __str__(self) -> str:
        return Path(self.path).stem

    @property
    def file(self) -> Path:
        """The model file; skips the test where it is absent."""
        return shared_file(self.path)

    def golden_pairs(self) -> tuple[Real, Array]:
        """Golden inputs and outputs, frames along the leading axis."""
        file = shared_file(self.golden)
        if file.suffix == ".npy":
            outputs = np.load(file)
            images = mnist_test_images(len(outputs)).reshape(-1, 784)
            return images * np.float32(2) - np.float32(1), outputs
        golden = np.load(file)
        if "x_bits" in golden:
            bits = np.unpackbits(golden["x_bits"], axis=1)
            return bits.astype(np.float32) * 2 - 1, golden["out"]
        return golden["x"].astype(np.float32), golden["y"]


SPINE = (
    SpineModel("zoo/TFC_1W1A.onnx", "zoo/TFC_1W1A_golden.npz"),
    SpineModel("zoo/TFC_1W2A.onnx", "zoo/TFC_1W2A_golden.npz"),
    SpineModel("finn_tfc/tfc-w1a1_finn.onnx", "finn_tfc/tfc-w1a1_finn_golden.npz"),
    SpineModel(
        "brevitas_tfc/tfc_w1a1_1epoch.onnx",
        "brevitas_tfc/tfc_w1a1_1epoch_ref_first1000.npy",
        2e-6,
    ),
    SpineModel(
        "kws_w3a3/kws_w3a3_qonnx.onnx", "kws_w3a3/kws_w3a3_qonnx_golden.npz", 2e-5
    ),
    SpineModel("zoo/unsw_nb15_mlp_w2a2.onnx", "zoo/unsw_nb15_mlp_w2a2_golden.npz"),
    SpineModel(
        "zoo/qkeras_jettagging_w6a6.onnx", "zoo/qkeras_jettagging_w6a6_golden.npz", 2e-6
    ),
    SpineModel("bnn_pynq/lfcW1A1_mnist.onnx", "bnn_pynq/lfcW1A1_mnist_golden.npz"),
    SpineModel(
        "hls4ml/bnn_model_fc_1layer.onnx", "hls4ml/bnn_model_fc_1layer_golden.npz"
    ),
)


def shared_file(path: str) -> Path:
    """A file of the shared models; skips the test where it is absent."""
    file = SHARED_MODELS / path
    if not file.exists():
        pytest.skip(f"needs {path} of the shared models, which are not here")
    return file


def mnist_test_images(count: int) -> Real:
    """The first images of MNIST's test set, [count, 1, 28, 28], in [0, 1]."""
    with gzip.open(shared_file("data/mnist/t10k-images-idx3-ubyte.gz")) as stream:
        stream.read(16)
        pixels = np.frombuffer(stream.read(count * 784), np.uint8)
    return (pixels.astype(np.float32) / np.float32(255)).reshape(count, 1, 28, 28)
