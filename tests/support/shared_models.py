"""Networks and data of others, read where they stand beside the repository.

They are test data only and no part of the project; where the folder is absent the tests
that need it skip. `QNNC_SHARED_MODELS` names another place.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from qdialect.data import Array

ROOT = Path(
    os.environ.get(
        "QNNC_SHARED_MODELS",
        Path(__file__).resolve().parents[2].parent / "shared" / "models",
    )
)


def shared_file(name: str) -> Path:
    """A file of the folder; the test that asks for a missing one skips."""
    path = ROOT / name
    if not path.is_file():
        pytest.skip(f"test data {name} is not beside the repository")
    return path


@cache
def mnist_images() -> Array:
    """The 10,000 test images [N, 28, 28], uint8."""
    raw = gzip.decompress(
        shared_file("data/mnist/t10k-images-idx3-ubyte.gz").read_bytes()
    )
    return np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 28, 28)


@cache
def mnist_labels() -> Array:
    """The labels of the test images [N], uint8."""
    raw = gzip.decompress(
        shared_file("data/mnist/t10k-labels-idx1-ubyte.gz").read_bytes()
    )
    return np.frombuffer(raw, np.uint8, offset=8)


@dataclass(frozen=True)
class Golden:
    """Inputs and recorded outputs of a network.

    Attributes:
        inputs: frames [N, ..] as the network takes them.
        outputs: what the reference gave.
        exact: whether every bit must agree; otherwise outputs are float32 that was
            rounded in another order, and agree within its error.
    """

    inputs: Array
    outputs: Array
    exact: bool


@dataclass(frozen=True)
class SharedModel:
    """A network, its golden data and the data set at hand.

    Attributes:
        name: short name.
        file: the ONNX file, below the folder.
        golden: loads the golden data.
        data: loads all inputs at hand.
        accuracy: share of right answers on them, or None where there are no labels.
    """

    name: str
    file: str
    golden: Callable[[], Golden]
    data: Callable[[], Array]
    accuracy: float | None = None

    @property
    def path(self) -> Path:
        """Where the file stands."""
        return shared_file(self.file)


def _golden(name: str, *, exact: bool = True) -> Callable[[], Golden]:
    def load() -> Golden:
        with np.load(shared_file(name)) as data:
            return Golden(data["x"], data["y"], exact)

    return load


def _inputs(name: str) -> Callable[[], Array]:
    return lambda: _golden(name)().inputs


def _lfc_golden() -> Golden:
    with np.load(shared_file("bnn_pynq/lfcW1A1_mnist_golden.npz")) as data:
        bits = np.unpackbits(data["x_bits"], axis=1)
        return Golden(bits.astype(np.float32) * 2 - 1, data["out"], exact=True)


def _lfc_data() -> Array:
    pixels = mnist_images().reshape(-1, 784) > 127
    bits = np.zeros((len(pixels), 832), np.float32)
    bits[:, :784] = pixels
    return bits * 2 - 1


def _brevitas_data() -> Array:
    return mnist_images().reshape(-1, 784).astype(np.float32) / 255 * 2 - 1


def _brevitas_golden() -> Golden:
    logits = np.load(shared_file("brevitas_tfc/tfc_w1a1_1epoch_ref_first1000.npy"))
    return Golden(_brevitas_data()[:1000], logits, exact=False)


def _kws_data() -> Array:
    with np.load(shared_file("data/kws_mfcc/kws_mfcc_int8_1000.npz")) as data:
        return data["x"].astype(np.float32) * data["scale"]


@cache
def cifar10_images() -> Array:
    """The 10,000 test images [N, 32, 32, 3], uint8."""
    with np.load(shared_file("data/cifar10/cifar10_test.npz")) as data:
        return data["x"]


@cache
def cifar10_labels() -> Array:
    """The labels of the test images [N]."""
    with np.load(shared_file("data/cifar10/cifar10_test.npz")) as data:
        return data["y"]


def _cnv_input(pixels: Array) -> Array:
    """What the network takes of uint8 images [N, 32, 32, 3]: int8 [N, 3, 32, 32]."""
    scaled = np.floor((2 * pixels.astype(np.float64) / 255 - 1) * 128)
    levels = np.clip(scaled, -128, 127).astype(np.float32)
    return np.ascontiguousarray(levels.transpose(0, 3, 1, 2))


def _cnv_golden() -> Golden:
    with np.load(shared_file("bnn_pynq/cnvW1A1_cifar10_golden.npz")) as data:
        return Golden(data["x_int8_nchw"].astype(np.float32), data["logits"], True)


def _cnv_data() -> Array:
    return _cnv_input(cifar10_images())


def _separable_golden() -> Golden:
    with np.load(shared_file("hls4ml/separable_conv_model_ch_last_golden.npz")) as data:
        return Golden(data["x"].astype(np.float32) / 255, data["y"], True)


def _separable_data() -> Array:
    return _separable_golden().inputs


def _centred_cifar10() -> Array:
    """Every tenth test image as int8 [1000, 32, 32, 3]."""
    return (cifar10_images()[::10].astype(np.int16) - 128).astype(np.int8)


def _pixels(divisor: float) -> Callable[[], Array]:
    return lambda: (mnist_images() / np.float32(divisor)).astype(np.float32)[:, None]


SPINE: tuple[SharedModel, ...] = (
    SharedModel(
        "tfc_1w1a",
        "zoo/TFC_1W1A.onnx",
        _golden("zoo/TFC_1W1A_golden.npz"),
        _pixels(255),
        0.9296,
    ),
    SharedModel(
        "tfc_1w2a",
        "zoo/TFC_1W2A.onnx",
        _golden("zoo/TFC_1W2A_golden.npz"),
        _pixels(255),
        0.9474,
    ),
    SharedModel(
        "finn_tfc",
        "finn_tfc/tfc-w1a1_finn.onnx",
        _golden("finn_tfc/tfc-w1a1_finn_golden.npz"),
        _pixels(1),
        0.9296,
    ),
    SharedModel(
        "brevitas_tfc",
        "brevitas_tfc/tfc_w1a1_1epoch.onnx",
        _brevitas_golden,
        _brevitas_data,
        0.8686,
    ),
    SharedModel(
        "kws_w3a3",
        "kws_w3a3/kws_w3a3_qonnx.onnx",
        _golden("kws_w3a3/kws_w3a3_qonnx_golden.npz", exact=False),
        _kws_data,
    ),
    SharedModel(
        "unsw_nb15_w2a2",
        "zoo/unsw_nb15_mlp_w2a2.onnx",
        _golden("zoo/unsw_nb15_mlp_w2a2_golden.npz"),
        _inputs("zoo/unsw_nb15_mlp_w2a2_golden.npz"),
    ),
    SharedModel(
        "jettagging_w6a6",
        "zoo/qkeras_jettagging_w6a6.onnx",
        _golden("zoo/qkeras_jettagging_w6a6_golden.npz", exact=False),
        _inputs("zoo/qkeras_jettagging_w6a6_golden.npz"),
    ),
    SharedModel(
        "lfc_w1a1",
        "bnn_pynq/lfcW1A1_mnist.onnx",
        _lfc_golden,
        _lfc_data,
        0.9832,
    ),
    SharedModel(
        "bnn_1layer",
        "hls4ml/bnn_model_fc_1layer.onnx",
        _golden("hls4ml/bnn_model_fc_1layer_golden.npz"),
        _inputs("hls4ml/bnn_model_fc_1layer_golden.npz"),
    ),
)

# Golden outputs of `separable` are every 8th row and column.
CONVOLUTION: tuple[SharedModel, ...] = (
    SharedModel(
        "cnv_w1a1", "bnn_pynq/cnvW1A1_cifar10.onnx", _cnv_golden, _cnv_data, 0.7937
    ),
    SharedModel(
        "qkeras_cnn",
        "qkeras_mnist_cnn/qkeras_mnist_cnn.onnx",
        _golden("qkeras_mnist_cnn/qkeras_mnist_cnn_golden.npz", exact=False),
        lambda: (mnist_images() / np.float32(256)).astype(np.float32)[..., None],
        0.9886,
    ),
    SharedModel(
        "espcn",
        "espcn/subpixel_quant.onnx",
        _golden("espcn/subpixel_quant_golden.npz", exact=False),
        _inputs("espcn/subpixel_quant_golden.npz"),
    ),
    SharedModel(
        "separable",
        "hls4ml/separable_conv_model_ch_last.onnx",
        _separable_golden,
        _separable_data,
    ),
    SharedModel(
        "radioml_vgg10",
        "radioml_vgg10/vgg10_w8a8.onnx",
        _golden("radioml_vgg10/vgg10_w8a8_golden.npz", exact=False),
        _inputs("radioml_vgg10/vgg10_w8a8_golden.npz"),
    ),
)

SCHEMES: tuple[SharedModel, ...] = (
    SharedModel(
        "resnet8_int8",
        "mlperf_tiny_int8/pretrainedResnet_quant.onnx",
        _golden("mlperf_tiny_int8/pretrainedResnet_quant_golden.npz", exact=False),
        _centred_cifar10,
        0.876,
    ),
    SharedModel(
        "dscnn_int8",
        "mlperf_tiny_int8/kws_ref_model.onnx",
        _golden("mlperf_tiny_int8/kws_ref_model_golden.npz", exact=False),
        _inputs("mlperf_tiny_int8/kws_ref_model_golden.npz"),
    ),
)
