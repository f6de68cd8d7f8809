"""PyTorch layers with quantisers in the forward pass (quantisation-aware training).

Every quantiser computes QONNX's `Quant` or `BipolarQuant` exactly; its gradient is the
straight-through estimator, clipped to where the quantiser is not saturated.

Shapes: B samples, MW inputs per output, MH outputs.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


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


class MeanScale(Uniform):
    """The scale is a multiple of the mean magnitude: for weights [MH, MW].

    With two narrow bits and a factor of 1.4 this is the ternary quantiser of Ternary
    Weight Networks, whose threshold is 0.7 times the mean magnitude.
    """

    def __init__(self, bits: int, is_narrow: bool, factor: float, per_channel: bool):
        super().__init__(bits, is_signed=True, is_narrow=is_narrow)
        self.factor, self.per_channel = factor, per_channel

    def scale(self, x: Tensor) -> Tensor:
        """Shape [MH, 1] if per channel, [] if not; takes no gradient."""
        magnitude = x.detach().abs()
        mean = magnitude.mean(1, keepdim=True) if self.per_channel else magnitude.mean()
        return self.factor * mean


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
    layer = nn.BatchNorm1d(channels)
    nn.init.uniform_(layer.weight, -1, 1)
    return layer
