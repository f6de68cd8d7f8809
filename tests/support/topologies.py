"""Convolutional networks of published topologies, with generated parameters.

What a network computes is noise, but its size, its types and its value ranges are those
of the trained one, at any size of channels: for agreement between levels and for the
time and memory that a compilation takes. Also a command that writes one of them:

    python tests/support/topologies.py cnv_w1a1 cnv.onnx
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from onnx import ModelProto
from onnx_graphs import QONNX, OnnxGraph

from qdialect.data import Array

CLASSES = 10
IMAGE = (3, 32, 32)
# Images are multiples of it in [-1, 1): 8 bits.
IMAGE_STEP = 2.0**-7

# Mean and deviation of the greatest of four independent standard normal numbers.
_MAX_OF_FOUR = (1.029, 0.701)


@dataclass(frozen=True)
class Topology:
    """Convolutions of 3 x 3 taps, then fully connected layers, on images of CIFAR-10.

    Attributes:
        name: of the network.
        convolutions: channels of each.
        pooled: which of them a max pool of 2 x 2 follows, by index.
        dense: rows of each fully connected layer but the last, which has the classes.
        padding: zeros on every side of a map.
        pools_sums: whether a pool stands before the batch normalisation, not behind the
            quantiser.
        is_ternary: weights and activations are {-1, 0, +1} instead of {-1, +1}.
    """

    name: str
    convolutions: tuple[int, ...]
    pooled: tuple[int, ...]
    dense: tuple[int, ...]
    padding: int = 0
    pools_sums: bool = False
    is_ternary: bool = False


# Zhao et al. 2017, "Accelerating Binarized Convolutional Neural Networks with
# Software-Programmable FPGAs": 14,022,016 weights of a bit.
BINARYNET = Topology(
    "binarynet",
    (128, 128, 256, 256, 512, 512),
    pooled=(1, 3, 5),
    dense=(1024, 1024),
    padding=1,
    pools_sums=True,
)
# Umuroglu et al. 2017, "FINN": the convolutional network "CNV".
CNV_W1A1 = Topology(
    "cnv_w1a1", (64, 64, 128, 128, 256, 256), pooled=(1, 3), dense=(512, 512)
)
CNV_W2A2 = Topology(
    "cnv_w2a2",
    (64, 64, 128, 128, 256, 256),
    pooled=(1, 3),
    dense=(512, 512),
    is_ternary=True,
)
TOPOLOGIES = (BINARYNET, CNV_W2A2, CNV_W1A1)


@dataclass
class GeneratedNetwork:
    """A network node by node.

    Attributes:
        topology: what it is built to.
        rng: of its parameters.
        graph: the nodes so far.
        value: the tensor that the next node reads.
        shape: of that tensor, one frame.
        power: mean square of an element of that tensor.
        activations: tensors behind each quantiser, the image's first.
    """

    topology: Topology
    rng: np.random.Generator
    graph: OnnxGraph = field(default_factory=OnnxGraph)
    value: str = ""
    shape: tuple[int, ...] = IMAGE
    power: float = 1 / 3
    activations: list[str] = field(default_factory=list[str])

    def build(self, divisor: int) -> None:
        """Append every layer; each inner one has its channels divided."""
        self.value = self.graph.input((1, *IMAGE), name="image")
        self.value = self.graph.quant(self.value, IMAGE_STEP, 0, 8, name="image_quant")
        self.activations.append(self.value)
        topology = self.topology
        for index, channels in enumerate(topology.convolutions):
            pools = index in topology.pooled
            self._convolution(f"conv{index + 1}", channels // divisor, pools)
        size = int(np.prod(self.shape))
        flat = self.graph.constant([1, size], np.int64)
        self.value, self.shape = self.graph.op("Reshape", self.value, flat), (size,)
        for index, rows in enumerate(topology.dense):
            name = f"dense{index + 1}"
            deviation = self._product(name, rows // divisor)
            self._activation(name, 0.0, deviation)
        name = f"dense{len(topology.dense) + 1}"
        self._batch_norm(name, 0.0, self._product(name, CLASSES))

    def _convolution(self, name: str, rows: int, pools: bool) -> None:
        channels, *extents = self.shape
        weights = self._weights(name, (rows, channels, 3, 3))
        pads = [self.topology.padding] * 4
        self.value = self.graph.op("Conv", self.value, weights, name=name, pads=pads)
        deviation = (self._weight_power() * 9 * channels * self.power) ** 0.5
        shrunk = (extent + 2 * self.topology.padding - 2 for extent in extents)
        self.shape = (rows, *shrunk)
        mean = 0.0
        if pools and self.topology.pools_sums:
            self._pool(name)
            mean, deviation = (deviation * moment for moment in _MAX_OF_FOUR)
        self._activation(name, mean, deviation)
        if pools and not self.topology.pools_sums:
            self._pool(name)

    def _product(self, name: str, rows: int) -> float:
        """A fully connected layer; the expected deviation of its sums."""
        (columns,) = self.shape
        weights = self._weights(name, (columns, rows))
        self.value = self.graph.op("MatMul", self.value, weights, name=name)
        self.shape = (rows,)
        return (self._weight_power() * columns * self.power) ** 0.5

    def _weights(self, name: str, shape: tuple[int, ...]) -> str:
        real = self.rng.uniform(-1, 1, shape)
        return self._quantised(self.graph.constant(real), f"{name}_weights")

    def _weight_power(self) -> float:
        # Of uniform numbers in [-1, 1], half are beyond 1/2 and become -1 or +1.
        return 0.5 if self.topology.is_ternary else 1.0

    def _quantised(self, value: str, name: str) -> str:
        if self.topology.is_ternary:
            return self.graph.quant(value, 1.0, 0, 2, narrow=1, name=name)
        one = self.graph.constant(1.0)
        return self.graph.op("BipolarQuant", value, one, name=name, domain=QONNX)

    def _activation(self, name: str, mean: float, deviation: float) -> None:
        """Batch normalisation and quantiser of sums of that mean and deviation."""
        self._batch_norm(name, mean, deviation)
        self.value = self._quantised(self.value, f"{name}_quant")
        self.activations.append(self.value)
        # Of normal numbers 62 % are beyond 1/2.
        self.power = 0.62 if self.topology.is_ternary else 1.0

    def _batch_norm(self, name: str, mean: float, deviation: float) -> None:
        """Normalises sums of that mean and deviation; one slope in eight falls."""
        (channels, *_), rng = self.shape, self.rng
        gamma = rng.uniform(0.8, 1.2, channels)
        gamma[rng.integers(0, 8, channels) == 0] *= -1
        parameters = (
            gamma,
            rng.normal(0, 0.1, channels),
            mean + deviation * rng.normal(0, 0.1, channels),
            deviation**2 * rng.uniform(0.8, 1.2, channels),
        )
        names = [self.graph.constant(parameter) for parameter in parameters]
        self.value = self.graph.op(
            "BatchNormalization", self.value, *names, name=f"{name}_norm"
        )

    def _pool(self, name: str) -> None:
        self.value = self.graph.op(
            "MaxPool",
            self.value,
            name=f"{name}_pool",
            kernel_shape=[2, 2],
            strides=[2, 2],
        )
        channels, *extents = self.shape
        self.shape = (channels, *(extent // 2 for extent in extents))


def generate(
    topology: Topology, *, divisor: int = 1, seed: int = 0
) -> GeneratedNetwork:
    """A network of that topology.

    Args:
        topology: one of `TOPOLOGIES`, or another.
        divisor: of the channels and rows of every layer but the last; of them all.
        seed: of the parameters.
    """
    network = GeneratedNetwork(topology, np.random.default_rng(seed))
    network.build(divisor)
    return network


def topology_model(
    topology: Topology, *, divisor: int = 1, seed: int = 0
) -> ModelProto:
    """The model of `generate`; its output is the score of each class, [1, 10]."""
    network = generate(topology, divisor=divisor, seed=seed)
    return network.graph.model(network.value)


def random_images(count: int, seed: int = 0) -> Array:
    """Images [count, 3, 32, 32] of independent pixels in [-1, 1), float32."""
    pixels = np.random.default_rng(seed).integers(-128, 128, (count, *IMAGE))
    return (pixels * IMAGE_STEP).astype(np.float32)


def main(name: str, file: str) -> None:
    """Write the network of that name, in full size."""
    named = {topology.name: topology for topology in TOPOLOGIES}
    Path(file).write_bytes(topology_model(named[name]).SerializeToString())


if __name__ == "__main__":
    main(*sys.argv[1:])
