"""The networks of this folder: topology, quantisers, data set and training length."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from quantised_layers import (
    Bipolar,
    FixedScale,
    LearnedScale,
    MeanScale,
    QuantisedLinear,
    Scale,
    batch_norm,
)


@dataclass(frozen=True)
class Network:
    """One network and how it is trained.

    Attributes:
        build: makes the untrained layers, in order.
        data: `digits` or `mnist`.
        input_scale: what one step of the stored image becomes at the network's input.
        weights_stored: `by_output`: [MH, MW] under a Gemm with transB, as Brevitas
            exports; `by_input`: [MW, MH] under a MatMul.
    """

    build: Callable[[], nn.Sequential]
    data: str
    epochs: int
    batch: int
    input_scale: float = 1.0
    weights_stored: str = "by_output"


def digits_mlp_w1a1() -> nn.Sequential:
    """64-128-64-10, bipolar; pixels 0..16 as unsigned 5-bit integers."""
    return nn.Sequential(
        FixedScale(5, is_signed=False, scale=1.0),
        QuantisedLinear(64, 128, Bipolar()),
        batch_norm(128),
        Bipolar(),
        QuantisedLinear(128, 64, Bipolar()),
        batch_norm(64),
        Bipolar(),
        QuantisedLinear(64, 10, Bipolar()),
        Scale(0.125),
    )


def digits_mlp_ternary() -> nn.Sequential:
    """64-64-32-10, ternary weights of per-channel scale, unsigned 2-bit activations."""

    def ternary() -> MeanScale:
        return MeanScale(2, is_narrow=True, factor=1.4, per_channel=True)

    return nn.Sequential(
        FixedScale(5, is_signed=False, scale=1.0),
        QuantisedLinear(64, 64, ternary()),
        batch_norm(64),
        nn.ReLU(),
        LearnedScale(2, is_signed=False),
        QuantisedLinear(64, 32, ternary()),
        batch_norm(32),
        nn.ReLU(),
        LearnedScale(2, is_signed=False),
        QuantisedLinear(32, 10, ternary(), has_bias=True),
    )


def mnist_mlp_w1a1() -> nn.Sequential:
    """784-256-256-10, bipolar; pixels 0..255 as unsigned 8-bit integers."""
    return nn.Sequential(
        FixedScale(8, is_signed=False, scale=1.0),
        QuantisedLinear(784, 256, Bipolar()),
        batch_norm(256),
        Bipolar(),
        QuantisedLinear(256, 256, Bipolar()),
        batch_norm(256),
        Bipolar(),
        QuantisedLinear(256, 10, Bipolar()),
        Scale(0.0625),
    )


def mnist_mlp_w2a2() -> nn.Sequential:
    """784-128-64-10, levels -2..1 for weights and activations; pixels / 255."""

    def weight() -> MeanScale:
        return MeanScale(2, is_narrow=False, factor=1.25, per_channel=False)

    return nn.Sequential(
        FixedScale(8, is_signed=False, scale=1 / 255),
        QuantisedLinear(784, 128, weight()),
        batch_norm(128),
        LearnedScale(2, is_signed=True),
        QuantisedLinear(128, 64, weight()),
        batch_norm(64),
        LearnedScale(2, is_signed=True),
        QuantisedLinear(64, 10, weight()),
        batch_norm(10),
    )


NETWORKS = {
    "digits_mlp_w1a1": Network(digits_mlp_w1a1, "digits", epochs=150, batch=64),
    "digits_mlp_ternary": Network(
        digits_mlp_ternary, "digits", epochs=100, batch=64, weights_stored="by_input"
    ),
    "mnist_mlp_w1a1": Network(mnist_mlp_w1a1, "mnist", epochs=25, batch=128),
    "mnist_mlp_w2a2": Network(
        mnist_mlp_w2a2, "mnist", epochs=15, batch=128, input_scale=1 / 255
    ),
}
