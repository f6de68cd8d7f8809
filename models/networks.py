"""The networks of this folder: topology, quantisers, data set and training length."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from quantised_layers import (
    Bipolar,
    DoReFaWeight,
    FixedScale,
    LearnedScale,
    MaxScale,
    MeanScale,
    PowerOfTwoScale,
    QuantisedConv,
    QuantisedLinear,
    Real,
    Residual,
    Scale,
    SharedScale,
    Uniform,
    XnorConv,
    batch_norm,
    map_batch_norm,
)


@dataclass(frozen=True)
class Network:
    """One network and how it is trained.

    Attributes:
        build: makes the untrained layers, in order.
        data: `digits` or `mnist`.
        input_shape: one image as the network takes it, without the batch.
        learning_rate: the greatest of the schedule.
        input_scale: what one step of the stored image becomes at the network's input.
        weights_stored: `by_output`: [MH, MW] under a Gemm with transB, as Brevitas
            exports; `by_input`: [MW, MH] under a MatMul.
    """

    build: Callable[[], nn.Sequential]
    data: str
    input_shape: tuple[int, ...]
    epochs: int
    batch: int
    learning_rate: float = 3e-3
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


def digits_mlp_float_a4() -> nn.Sequential:
    """64-128-64-10, real weights, unsigned 4-bit activations."""
    return nn.Sequential(
        FixedScale(5, is_signed=False, scale=1.0),
        QuantisedLinear(64, 128, Real()),
        batch_norm(128),
        nn.ReLU(),
        LearnedScale(4, is_signed=False),
        QuantisedLinear(128, 64, Real()),
        batch_norm(64),
        nn.ReLU(),
        LearnedScale(4, is_signed=False),
        QuantisedLinear(64, 10, Real(), has_bias=True),
    )


def digits_cnn_dorefa_w3a2() -> nn.Sequential:
    """Two 3x3 convolutions of 16 and 32 channels and a linear layer, as DoReFa-Net has it.

    Weights of 3 bits, odd levels; activations clipped to [0, 1], unsigned 2 bits.
    """

    def activation() -> FixedScale:
        return FixedScale(2, is_signed=False, scale=1 / 3)

    return nn.Sequential(
        FixedScale(5, is_signed=False, scale=1.0),
        QuantisedConv(1, 16, 3, DoReFaWeight(3)),
        map_batch_norm(16, least=0.5),
        nn.Hardtanh(0.0, 1.0),
        activation(),
        nn.MaxPool2d(2),
        QuantisedConv(16, 32, 3, DoReFaWeight(3)),
        map_batch_norm(32, least=0.5),
        nn.Hardtanh(0.0, 1.0),
        activation(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        QuantisedLinear(128, 10, DoReFaWeight(3)),
        batch_norm(10),
    )


def digits_xnornet() -> nn.Sequential:
    """Three 3x3 convolutions of 16, 24 and 32 channels and a linear layer.

    XNOR-Net's order of layers: batch norm, sign, convolution, pool. The map K is that
    of what a 4-bit quantiser makes of the batch norm, which the sign reads too. Weights
    of the first and the last layer have 4 bits.
    """

    def weight() -> MeanScale:
        return MeanScale(4, is_narrow=True, factor=0.5, per_channel=True)

    def activation() -> FixedScale:
        return FixedScale(4, is_signed=True, scale=0.25)

    return nn.Sequential(
        FixedScale(5, is_signed=False, scale=1.0),
        QuantisedConv(1, 16, 3, weight()),
        map_batch_norm(16),
        activation(),
        XnorConv(16, 24, 3),
        nn.MaxPool2d(2),
        map_batch_norm(24),
        activation(),
        XnorConv(24, 32, 3),
        nn.MaxPool2d(2),
        map_batch_norm(32),
        activation(),
        nn.Flatten(),
        QuantisedLinear(128, 10, weight()),
        batch_norm(10),
    )


def digits_cnn_w1a3_ends8() -> nn.Sequential:
    """Bipolar weights and unsigned 3-bit activations; 8-bit weights in both end layers.

    As Tincy YOLO mixes them: Preusser et al. 2018, arXiv:1806.08085.
    """

    def activation() -> list[nn.Module]:
        return [nn.ReLU(), LearnedScale(3, is_signed=False)]

    return nn.Sequential(
        FixedScale(5, is_signed=False, scale=1.0),
        QuantisedConv(1, 16, 3, MaxScale(8)),
        map_batch_norm(16, least=0.5),
        *activation(),
        QuantisedConv(16, 32, 3, Bipolar()),
        map_batch_norm(32, least=0.5),
        *activation(),
        nn.MaxPool2d(2),
        QuantisedConv(32, 32, 3, Bipolar()),
        map_batch_norm(32, least=0.5),
        *activation(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        QuantisedLinear(128, 10, MaxScale(8), has_bias=True),
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


def digits_cnn_w1a1() -> nn.Sequential:
    """Three 3x3 convolutions of 24, 32 and 48 channels, bipolar, and a linear layer.

    Pixels 0..16 as unsigned 5-bit integers. The first pool stands behind its quantiser,
    the second before it.
    """
    return nn.Sequential(
        FixedScale(5, is_signed=False, scale=1.0),
        QuantisedConv(1, 24, 3, Bipolar()),
        map_batch_norm(24),
        Bipolar(),
        QuantisedConv(24, 32, 3, Bipolar()),
        map_batch_norm(32),
        Bipolar(),
        nn.MaxPool2d(2),
        QuantisedConv(32, 48, 3, Bipolar()),
        map_batch_norm(48),
        nn.MaxPool2d(2),
        Bipolar(),
        nn.Flatten(),
        QuantisedLinear(192, 10, Bipolar()),
        Scale(0.125),
    )


def digits_resnet_w2a2() -> nn.Sequential:
    """Two residual blocks of 16 and 32 channels, weights and activations of 2 bits.

    Pixels 0..16 as unsigned 5-bit integers; weights of per-channel scale. The sides of
    the first sum share a scale; those of the second have each their own.
    """

    def weight() -> MeanScale:
        return MeanScale(2, is_narrow=False, factor=1.25, per_channel=True)

    def conv(
        channels: int, outputs: int, kernel: int = 3, stride: int = 1
    ) -> QuantisedConv:
        return QuantisedConv(channels, outputs, kernel, weight(), stride)

    def norm(channels: int) -> nn.BatchNorm2d:
        return map_batch_norm(channels, least=0.5)

    def activation() -> Uniform:
        return PowerOfTwoScale(2, is_signed=False)

    stem = activation()
    same = nn.Sequential(
        conv(16, 16),
        norm(16),
        nn.ReLU(),
        activation(),
        conv(16, 16),
        norm(16),
        SharedScale(stem, 2, is_signed=True),
    )
    halved = nn.Sequential(
        conv(16, 32, stride=2),
        norm(32),
        nn.ReLU(),
        activation(),
        conv(32, 32),
        norm(32),
        PowerOfTwoScale(2, is_signed=True),
    )
    projection = nn.Sequential(
        conv(16, 32, kernel=1, stride=2),
        norm(32),
        PowerOfTwoScale(2, is_signed=True),
    )
    return nn.Sequential(
        FixedScale(5, is_signed=False, scale=1.0),
        conv(1, 16),
        norm(16),
        nn.ReLU(),
        stem,
        Residual(same, nn.Sequential()),
        nn.ReLU(),
        activation(),
        Residual(halved, projection),
        nn.ReLU(),
        activation(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        QuantisedLinear(32, 10, weight()),
        batch_norm(10),
    )


NETWORKS = {
    "digits_mlp_w1a1": Network(digits_mlp_w1a1, "digits", (64,), epochs=150, batch=64),
    "digits_mlp_ternary": Network(
        digits_mlp_ternary,
        "digits",
        (64,),
        epochs=100,
        batch=64,
        weights_stored="by_input",
    ),
    "digits_cnn_w1a1": Network(
        digits_cnn_w1a1,
        "digits",
        (1, 8, 8),
        epochs=100,
        batch=64,
        learning_rate=1e-2,
    ),
    "digits_resnet_w2a2": Network(
        digits_resnet_w2a2,
        "digits",
        (1, 8, 8),
        epochs=100,
        batch=64,
        learning_rate=1e-2,
    ),
    "digits_mlp_float_a4": Network(
        digits_mlp_float_a4, "digits", (64,), epochs=100, batch=64
    ),
    "digits_cnn_dorefa_w3a2": Network(
        digits_cnn_dorefa_w3a2,
        "digits",
        (1, 8, 8),
        epochs=100,
        batch=64,
        learning_rate=1e-2,
    ),
    "digits_xnornet": Network(
        digits_xnornet,
        "digits",
        (1, 8, 8),
        epochs=100,
        batch=64,
        learning_rate=1e-2,
    ),
    "digits_cnn_w1a3_ends8": Network(
        digits_cnn_w1a3_ends8,
        "digits",
        (1, 8, 8),
        epochs=100,
        batch=64,
        learning_rate=1e-2,
    ),
    "mnist_mlp_w1a1": Network(mnist_mlp_w1a1, "mnist", (784,), epochs=25, batch=128),
    "mnist_mlp_w2a2": Network(
        mnist_mlp_w2a2, "mnist", (784,), epochs=15, batch=128, input_scale=1 / 255
    ),
}
