"""Trains the networks of this folder and exports them as QONNX.

    pip install -e '.[train]'
    python models/train.py --mnist DIR        # all; without --mnist the digits ones
    python models/train.py digits_mlp_w1a1    # one

One thread and fixed seeds: the same version of PyTorch writes the same files. The
weights of the last epoch are taken; the test images play no part in training.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from datasets import Dataset, digits, mnist
from networks import NETWORKS, Network
from qonnx_export import export
from quantised_layers import QuantisedConv, QuantisedLinear

SEED = 1
CLASSES = 10
HERE = Path(__file__).parent


def train(network: Network, data: Dataset) -> nn.Sequential:
    """The trained layers of `network`, in inference mode."""
    torch.manual_seed(SEED)
    layers = network.build()
    images = as_taken(network, data.train_images)
    labels = torch.from_numpy(data.train_labels)
    optimiser = torch.optim.Adam(layers.parameters(), lr=network.learning_rate)
    batches = len(labels) // network.batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, network.learning_rate, total_steps=network.epochs * batches
    )
    for _ in range(network.epochs):
        order = torch.randperm(len(labels))
        for chosen in order.split(network.batch)[:batches]:
            loss = functional.cross_entropy(layers(images[chosen]), labels[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            clip_latent_weights(layers)
    return layers.eval()


def as_taken(network: Network, images: NDArray[np.float32]) -> torch.Tensor:
    """Stored images [samples, pixels] as `network` takes them."""
    scaled = images * np.float32(network.input_scale)
    return torch.from_numpy(scaled).reshape(-1, *network.input_shape)


def clip_latent_weights(layers: nn.Sequential) -> None:
    """Keep latent weights in [-1, 1], where a bipolar quantiser passes gradients."""
    with torch.no_grad():
        for layer in layers.modules():
            if isinstance(layer, QuantisedLinear | QuantisedConv):
                layer.weight.clamp_(-1, 1)


def test_accuracy(network: Network, layers: nn.Sequential, data: Dataset) -> float:
    """The share, 0 to 1, of test images that PyTorch classifies rightly."""
    with torch.no_grad():
        chosen = layers(as_taken(network, data.test_images)).argmax(1).numpy()
    return float((chosen == data.test_labels).mean())


def main() -> None:
    """Train, export, and print one line per network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="*", help="default: all")
    parser.add_argument("--mnist", type=Path, help="folder of the four idx.gz files")
    parser.add_argument("--out", type=Path, default=HERE)
    options = parser.parse_args()
    unknown = set(options.networks) - NETWORKS.keys()
    if unknown:
        parser.error(f"unknown {sorted(unknown)}; there are {sorted(NETWORKS)}")

    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    data = {"digits": digits()}
    if options.mnist:
        data["mnist"] = mnist(options.mnist)
    np.savez_compressed(
        options.out / "digits_test.npz",
        inputs=data["digits"].test_images,
        labels=data["digits"].test_labels,
    )
    for name in options.networks or NETWORKS:
        network = NETWORKS[name]
        if network.data not in data:
            print(f"{name}: skipped, needs --{network.data}")
            continue
        start = time.perf_counter()
        chosen = data[network.data]
        layers = train(network, chosen)
        path = options.out / f"{name}.onnx"
        export(layers, network.input_shape, CLASSES, network.weights_stored, path)
        share = 100 * test_accuracy(network, layers, chosen)
        print(
            f"{name}: {share:.2f} % in {time.perf_counter() - start:.0f} s", flush=True
        )


if __name__ == "__main__":
    main()
