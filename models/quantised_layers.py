"""PyTorch layers with quantisers in the forward pass (quantisation-aware training).

Every quantiser computes QONNX's `Quant` or `BipolarQuant` exactly; its gradient is the
straight-through estimator, clipped to where the quantiser is not saturated.

Shapes: B samples, MW inputs per output, MH outputs; maps have C channels (O behind a
convolution) of H x W places.
"""

from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

BatchNorm = TypeVar("BatchNorm", nn.BatchNorm1d, nn.BatchNorm2d)


def straight_through(value: Tensor, quantised: Tensor) -> Tensor:
    """`quantised` in the forward pass, the gradient of `value` in the backward pass."""
    return value + (quantised - value).detach()


class Bipolar(nn.Module):
    """-1 or +1, +1 for zero (`BipolarQuant` of scale 1)."""

    def forward(self, x: Tensor) -> Tensor:
        """Quantise `x` of any shape; no gradient where |x| > 1."""
        return straight_through(x.clamp(-1, 1), torch.where(x >= 0, 1.0, -1.0))

    def scale(self, x: Tensor) -> Tensor:
        """The scale that the exported quantiser has for the tensor `x`."""
        return torch.ones(1)


class BipolarMean(Bipolar):
    """-1 or +1 times the mean magnitude of each row: alpha of XNOR-Net's weights.

    Source: Rastegari et al. 2016, arXiv:1603.05279, eq. 6.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Quantise latent weights `x` [O, ...]; alpha takes a gradient too."""
        return super().forward(x) * self.scale(x)

    def scale(self, x: Tensor) -> Tensor:
        """Alpha, [O, 1, ...]."""
        return x.abs().mean(tuple(range(1, x.dim())), keepdim=True)


class Uniform(nn.Module):
    """`scale * round(clamp(x / scale, low, high))`, half to even.

    Subclasses give the scale.

    Attributes:
        bits: width of a level, in bits.
        is_signed, is_narrow: as in QONNX's `Quant`; narrow leaves out the least level.
    """

    def __init__(self, bits: int, is_signed: bool, is_narrow: bool = False):
        super().__init__()
        self.bits, self.is_signed, self.is_narrow = bits, is_signed, is_narrow
        count = 1 << bits
        self.low = -(count >> 1) + is_narrow if is_signed else 0
        self.high = (count >> 1) - 1 if is_signed else count - 1 - is_narrow

    def scale(self, x: Tensor) -> Tensor:
        """The worth of one level for the tensor `x`, broadcastable to it."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Quantise `x`; gradients reach `x` where it is in range, and the scale."""
        scale = self.scale(x)
        level = (x / scale).clamp(self.low, self.high)
        return straight_through(level, level.round()) * scale


class FixedScale(Uniform):
    """The scale is a constant: for inputs whose meaning is known."""

    def __init__(self, bits: int, is_signed: bool, scale: float):
        super().__init__(bits, is_signed)
        self.step = torch.tensor(scale)

    def scale(self, x: Tensor) -> Tensor:
        """The constant, shape []."""
        return self.step


class LearnedScale(Uniform):
    """The scale is trained with the weights: for activations."""

    def __init__(self, bits: int, is_signed: bool):
        super().__init__(bits, is_signed)
        self.step = nn.Parameter(torch.tensor(0.7))

    def scale(self, x: Tensor) -> Tensor:
        """The parameter, kept positive; shape []."""
        return self.step.abs() + 1e-4


class PowerOfTwoScale(LearnedScale):
    """The scale is trained and a power of two: sums of unequal scales stay narrow."""

    def scale(self, x: Tensor) -> Tensor:
        """The power of two that is nearest to the parameter in its logarithm; []."""
        step = super().scale(x)
        return straight_through(step, step.log2().round().exp2())


class SharedScale(Uniform):
    """The scale is another quantiser's: for the two sides of a residual sum."""

    def __init__(self, owner: Uniform, bits: int, is_signed: bool):
        super().__init__(bits, is_signed)
        self.owner = owner

    def scale(self, x: Tensor) -> Tensor:
        """That of the other quantiser for `x`."""
        return self.owner.scale(x)


class MeanScale(Uniform):
    """The scale is a multiple of the mean magnitude: for weights [MH, ...].

    With two narrow bits and a factor of 1.4 this is the ternary quantiser of Ternary
    Weight Networks, whose threshold is 0.7 times the mean magnitude.
    """

    def __init__(self, bits: int, is_narrow: bool, factor: float, per_channel: bool):
        super().__init__(bits, is_signed=True, is_narrow=is_narrow)
        self.factor, self.per_channel = factor, per_channel

    def scale(self, x: Tensor) -> Tensor:
        """Shape [MH, 1, ...] if per channel, [] if not; takes no gradient."""
        magnitude = x.detach().abs()
        if not self.per_channel:
            return self.factor * magnitude.mean()
        inner = tuple(range(1, x.dim()))
        return self.factor * magnitude.mean(inner, keepdim=True)


class MaxScale(Uniform):
    """The greatest magnitude of a row is the greatest level: for weights [MH, ...]."""

    def __init__(self, bits: int):
        super().__init__(bits, is_signed=True, is_narrow=True)

    def scale(self, x: Tensor) -> Tensor:
        """Shape [MH, 1, ...]; takes no gradient."""
        inner = tuple(range(1, x.dim()))
        return x.detach().abs().amax(inner, keepdim=True) / self.high


class Real(nn.Module):
    """No quantiser: weights stay real, for whoever compiles the network to quantise."""

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` as it is."""
        return x


class DoReFaWeight(nn.Module):
    """`2 * quantise(tanh(w) / (2 * max|tanh(w)|) + 1/2) - 1`, of k bits.

    Its levels are odd: -(2^k - 1), ..., -1, 1, ..., 2^k - 1 steps of 1 / (2^k - 1).
    Source: Zhou et al. 2016, DoReFa-Net, arXiv:1606.06160.
    """

    def __init__(self, bits: int):
        super().__init__()
        self.step = FixedScale(bits, is_signed=False, scale=1 / ((1 << bits) - 1))

    def squashed(self, x: Tensor) -> Tensor:
        """What is quantised: `x` of any shape, brought into [0, 1]."""
        bent = x.tanh()
        return bent / (2 * bent.detach().abs().max()) + 0.5

    def forward(self, x: Tensor) -> Tensor:
        """Quantise `x` of any shape to [-1, 1]."""
        return 2 * self.step(self.squashed(x)) - 1


class QuantisedLinear(nn.Module):
    """`x @ quantise(weight).T + bias`, of latent weights [MH, MW]."""

    def __init__(self, mw: int, mh: int, quantiser: nn.Module, has_bias: bool = False):
        super().__init__()
        self.quantiser = quantiser
        self.weight = nn.Parameter(torch.empty(mh, mw).uniform_(-0.5, 0.5))
        self.bias = nn.Parameter(torch.zeros(mh)) if has_bias else None

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, MW] to [B, MH]."""
        return functional.linear(x, self.quantiser(self.weight), self.bias)


class QuantisedConv(nn.Module):
    """A convolution by quantised weights, of latent ones [O, C, K, K].

    Padded with zeros, K // 2 on every side: at stride 1 the map keeps its size. A zero
    is added to the sum, for bipolar maps too.
    """

    def __init__(
        self,
        channels: int,
        outputs: int,
        kernel: int,
        quantiser: nn.Module,
        stride: int = 1,
    ):
        super().__init__()
        self.quantiser, self.stride, self.padding = quantiser, stride, kernel // 2
        shape = (outputs, channels, kernel, kernel)
        self.weight = nn.Parameter(torch.empty(shape).uniform_(-0.5, 0.5))

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, C, H, W] to [B, O, H / stride, W / stride], rounded up."""
        weight = self.quantiser(self.weight)
        return functional.conv2d(x, weight, None, self.stride, self.padding)


class XnorConv(nn.Module):
    """A binary convolution of signs, times the map K of the input's magnitudes.

    K is the mean of `|x|` over the channels and over the window of each output, zeros
    around the map counted. Source: Rastegari et al. 2016, arXiv:1603.05279, eq. 11.
    """

    def __init__(self, channels: int, outputs: int, kernel: int):
        super().__init__()
        self.sign = Bipolar()
        self.conv = QuantisedConv(channels, outputs, kernel, BipolarMean())
        self.kernel = kernel

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, C, H, W] to [B, O, H, W]."""
        magnitude = x.abs().mean(1, keepdim=True)
        scales = functional.avg_pool2d(magnitude, self.kernel, 1, self.kernel // 2)
        return self.conv(self.sign(x)) * scales


class Residual(nn.Module):
    """`body(x) + shortcut(x)`; an empty shortcut is `x` itself."""

    def __init__(self, body: nn.Sequential, shortcut: nn.Sequential):
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, C, H, W] to the shape that both branches give."""
        return self.body(x) + self.shortcut(x)


class Scale(nn.Module):
    """Multiplication by one constant: brings logits into the range softmax likes."""

    def __init__(self, factor: float):
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """Scale `x` of any shape."""
        return x * self.factor


def batch_norm(channels: int) -> nn.BatchNorm1d:
    """Batch norm whose gammas start with either sign, and so may end with either."""
    return with_both_signs(nn.BatchNorm1d(channels))


def map_batch_norm(channels: int, least: float = 0.0) -> nn.BatchNorm2d:
    """The same for maps [B, C, H, W]; no gamma starts nearer to 0 than `least`.

    Before a ReLU and a coarse quantiser a small gamma makes a channel of zeros, which
    gets no gradient.
    """
    layer = with_both_signs(nn.BatchNorm2d(channels))
    with torch.no_grad():
        gamma = layer.weight
        gamma.copy_(gamma.sign() * (least + (1 - least) * gamma.abs()))
    return layer


def with_both_signs(layer: BatchNorm) -> BatchNorm:
    """The layer, its gammas drawn from -1 to 1."""
    nn.init.uniform_(layer.weight, -1, 1)
    return layer
