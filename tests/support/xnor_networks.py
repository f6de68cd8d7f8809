"""XNOR-Net's blocks as ONNX graphs: batch norm, sign, convolution, pool, with a map K.

Source: Rastegari et al. 2016, arXiv:1603.05279, section 3.2 and figure 3.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from onnx_graphs import QONNX
from random_maps import MapNetwork

Filter = Literal["average", "conv", "whole"]
AlphaAs = Literal["weights", "folded", "behind"]


def scale_map(network: MapNetwork, source: str, kernel: int, form: Filter) -> str:
    """K of a map: the mean magnitude over channels and windows, zeros around it."""
    graph, pads = network.graph, [kernel // 2] * 4
    magnitude = graph.op("Abs", source)
    channels = network.shape[0]
    if form == "whole":
        value = 1 / (channels * kernel**2)
        weights = graph.constant(np.full((1, channels, kernel, kernel), value))
        return graph.op("Conv", magnitude, weights, pads=pads)
    mean = graph.op("ReduceMean", magnitude, axes=[1], keepdims=1)
    if form == "conv":
        weights = graph.constant(np.full((1, 1, kernel, kernel), 1 / kernel**2))
        return graph.op("Conv", mean, weights, pads=pads)
    shape = [kernel, kernel]
    return graph.op(
        "AveragePool", mean, kernel_shape=shape, pads=pads, count_include_pad=1
    )


def alphas(network: MapNetwork, rows: int, *, any_sign: bool) -> np.ndarray:
    """A scale for each row, [O, 1, 1, 1]; with `any_sign` some are negative, one is 0."""
    found = network.rng.uniform(0.1, 0.9, (rows, 1, 1, 1))
    if any_sign:
        found[::2] *= -1
        found[network.rng.integers(0, rows)] = 0
    return found.astype(np.float32)


def xnor_block(
    network: MapNetwork,
    rows: int,
    *,
    kernel: int = 3,
    bits: int | None = 4,
    form: Filter = "average",
    alpha_as: AlphaAs = "weights",
    any_sign: bool = False,
    pool: Callable[[], str] | None = None,
    with_map: bool = True,
) -> None:
    """Batch norm, quantiser, sign, convolution times K and alpha, and a pool.

    Args:
        network: what the block is appended to.
        rows: output channels.
        kernel: taps along each axis.
        bits: of the quantiser that sign and magnitude read; without one they read
            real numbers.
        form: how the box filter is written.
        alpha_as: whether alpha is the scale of the weights' quantiser, folded into real
            weights, or a product behind the convolution.
        any_sign: whether alphas are negative and zero, too.
        pool: appends the pool.
        with_map: whether there is a K.
    """
    graph = network.graph
    network.batch_norm()
    if bits is not None:
        network.quantise(bits, 0.125)
    source = network.value
    size = (rows, network.shape[0], kernel, kernel)
    latent = network.rng.normal(0, 1, size)
    alpha = alphas(network, rows, any_sign=any_sign)
    pads = [kernel // 2] * 4
    one = graph.constant(1.0)
    signs = graph.op("BipolarQuant", source, one, domain=QONNX)
    if alpha_as == "folded":
        weights = graph.constant(np.where(latent >= 0, alpha, -alpha))
    else:
        scale = graph.constant(alpha) if alpha_as == "weights" else one
        latents = graph.constant(latent)
        weights = graph.op("BipolarQuant", latents, scale, domain=QONNX)
    product = graph.op("Conv", signs, weights, pads=pads)
    if alpha_as == "behind":
        product = graph.op("Mul", product, graph.constant(alpha.reshape(1, -1, 1, 1)))
    network.value = product
    if with_map:
        scales = scale_map(network, source, kernel, form)
        network.value = graph.op("Mul", product, scales)
    network.shape = (rows, *network.shape[1:])
    if pool is not None:
        pool()


def max_pool(network: MapNetwork) -> Callable[[], str]:
    """A 2 x 2 max pool."""
    return lambda: network.op("MaxPool", kernel_shape=[2, 2], strides=[2, 2])


def average_pool(network: MapNetwork) -> Callable[[], str]:
    """A 2 x 2 average pool."""
    return lambda: network.op("AveragePool", kernel_shape=[2, 2], strides=[2, 2])
