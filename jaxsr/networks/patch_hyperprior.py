"""The compressor of the released codec: 8×8 patches, blocks at 1/8, attention at 1/16.

A fresh network is a lapped transform (Malvar, "Signal Processing with Lapped Transforms", 1992):
the linear path through all residual blocks is an orthonormal DCT of 16×16 pixels in a decorrelated
colour space, behind an orthogonal matrix that makes blocks overlap; analysis and synthesis are
inverse to each other. Training begins about where JPEG ends, and no grid of blocks has to be
unlearnt. There is no transposed convolution and no recurrence: on a CPU nearly all time is in dense
1×1 and 3×3 convolutions (after Jia et al., "Towards Practical Real-Time Neural Video Compression",
DCVC-RT, 2025, which works on patches of 8 as well).
"""

import functools
import math

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxsr.attention.window import WindowAttention
from jaxsr.networks.compressor import ANCHORS, Compressor, IntegerScales, RateControl, lambda_of
from jaxsr.networks.density import FactorizedDensity
from jaxsr.networks.layers import (
    Conv,
    Dtype,
    blockwise,
    dct,
    lapped,
    overlap,
    patch_dct,
    pixel_shuffle,
    pixel_unshuffle,
)

WINDOW = 8
# The block of 16 pixels is made of two of 8, whose border in its middle is lapped as well. That is
# done first: then the transform of a row of a first-order process with correlation 0.95 gains
# 9.61 dB; where it is done second 9.57, without it 9.45, without any overlap 9.07 dB.
MIDDLE = np.pad(overlap(8), 4) + np.diag(np.repeat([1.0, 0.0, 1.0], [4, 8, 4]))
# σ is only an estimate: residuals divided by it have heavier tails than a Gaussian. Fitted to this
# network's residuals of 12 training photographs; takes 1.4 % fewer bits on Kodak than a Gaussian.
MIXTURE = ((0.765, 0.705), (0.235, 1.495))


def activation(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """Return ``x``, or a tenth of it where it is negative."""
    return nn.leaky_relu(x, 0.1)


class Basis:
    """Two steps of an orthonormal 16×16 DCT: of 8×8 patches, then of 2×2 neighbours.

    The channels with the largest spread expected of natural images are kept, and scaled by its
    square root: features of comparable size, without blowing up the finest ones to noise.

    Attributes:
      features: channels kept after the first step, at most 192.
      latents: channels kept after the second.
    """

    def __init__(self, features: int, latents: int):
        self.features, self.latents = features, latents

    @functools.cached_property
    def steps(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """The kernels of both steps, and the square roots of the spreads that each keeps."""
        pixel = patch_dct(8)
        colour, u, v = (axis.ravel() for axis in np.indices((3, 8, 8)))
        spread = _spread(colour, 2 * u, 2 * v)
        kept = np.argsort(-spread, kind="stable")[: self.features]
        first, spread1 = pixel[kept], spread[kept]
        # (features, 2, 2): channels and their places, in the order of `pixel_unshuffle`
        four = np.einsum("fg,ui,vj->fuvgij", np.eye(self.features), dct(2), dct(2))
        four = four.reshape(4 * self.features, 4 * self.features)
        f, a, b = (axis.ravel() for axis in np.indices((self.features, 2, 2)))
        f = kept[f]
        spread = _spread(colour[f], 2 * u[f] + a, 2 * v[f] + b)
        kept = np.argsort(-spread, kind="stable")[: self.latents]
        return first, four[kept], spread1**0.5, spread[kept] ** 0.5

    def analysis(self, step: int):
        """Return the initialiser of step 1's or 2's dense kernel."""
        first, second, root1, root2 = self.steps
        if step == 1:
            return _constant(first.T / root1)
        return _constant(np.repeat(root1, 4)[:, None] * second.T / root2)

    def synthesis(self, step: int):
        """Return the initialiser of a step's inverse, 3×3 for step 1: it may learn to overlap."""
        first, second, root1, root2 = self.steps
        if step == 2:
            return _constant(root2[:, None] * second / np.repeat(root1, 4))
        kernel = np.zeros((3, 3, *first.shape))
        kernel[1, 1] = root1[:, None] * first
        return _constant(kernel)

    def log_scale(self) -> np.ndarray:
        """Return the logarithm of the latents' expected spread."""
        return np.log(self.steps[3])

    def log_step(self, rate: float) -> np.ndarray:
        """Return the logarithm of the quantiser's step, in the latents' own units.

        It is the best one for a Laplacian at high rates.
        """
        return 0.5 * math.log(1.2e-4 / lambda_of(rate)) - np.log(self.steps[3])


def _spread(colour: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return the standard deviation of 16×16 DCT coefficients of images in [0, 1]: about 1/f."""
    strength = np.array([1.0, 0.3, 0.2])[colour]
    return strength * 2 / (0.3 + np.hypot(u, v)) ** 1.3


def _constant(value: np.ndarray):
    return lambda key, shape, dtype=jnp.float32: jnp.asarray(value, dtype).reshape(shape)


SMALL = nn.initializers.zeros


class Bottleneck(nn.Module):
    """``x + 1×1(3×3(1×1(x)))``, narrow inside; its input's type stays."""

    width: int
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        y = activation(nn.Dense(self.width, dtype=self.dtype)(x))
        y = activation(Conv(self.width, 3, dtype=self.dtype)(y))
        y = nn.Dense(x.shape[-1], dtype=self.dtype, kernel_init=SMALL)(y)
        return x + y.astype(x.dtype)


class AttentionBlock(nn.Module):
    """``x + attention(norm(x))`` in windows of 8×8 positions, then ``x + dense(dense(norm(x)))``.

    Its input's type stays.

    Attributes:
      width: channels of the attention; the dense layers have twice as many between them.
    """

    width: int
    heads: int = 4
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        channels, dtype = x.shape[-1], self.dtype
        y = nn.Dense(self.width, dtype=dtype)(nn.LayerNorm()(x))
        y = WindowAttention(self.heads, WINDOW, dtype=dtype)(y)
        x = x + nn.Dense(channels, dtype=dtype, kernel_init=SMALL)(y).astype(x.dtype)
        y = activation(nn.Dense(2 * self.width, dtype=dtype)(nn.LayerNorm()(x)))
        return x + nn.Dense(channels, dtype=dtype, kernel_init=SMALL)(y).astype(x.dtype)


class PatchAnalysis(nn.Module):
    """Images → latents at 1/16 of their size.

    The linear path through the blocks stays float32, whatever ``dtype``: a fresh network is nothing
    but that.
    """

    basis: Basis
    blocks: int
    width: int
    attention: int
    layers: int
    overlaps: bool
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        basis = self.basis
        x = x - 0.5
        if self.overlaps:
            x = lapped(blockwise(x, MIDDLE), overlap(16))
        x = pixel_unshuffle(x, 8)
        x = nn.Dense(basis.features, kernel_init=basis.analysis(1))(x)
        for _ in range(self.blocks):
            x = Bottleneck(self.width, self.dtype)(x)
        x = nn.Dense(basis.latents, kernel_init=basis.analysis(2))(pixel_unshuffle(x, 2))
        for _ in range(self.layers):
            x = AttentionBlock(self.attention, dtype=self.dtype)(x)
        return x


class PatchSynthesis(nn.Module):
    """Latents and the level → images; the linear path as in :class:`PatchAnalysis`."""

    basis: Basis
    blocks: int
    width: int
    attention: int
    layers: int
    overlaps: bool
    dtype: Dtype = None

    @nn.compact
    def __call__(self, y: Array, level: Array) -> Array:
        basis = self.basis
        # the level reaches every block through the features; it starts without effect
        y = y + nn.Dense(basis.latents, kernel_init=nn.initializers.zeros)(level)
        for _ in range(self.layers):
            y = AttentionBlock(self.attention, dtype=self.dtype)(y)
        y = nn.Dense(4 * basis.features, kernel_init=basis.synthesis(2))(y)
        y = pixel_shuffle(y, 2)
        for _ in range(self.blocks):
            y = Bottleneck(self.width, self.dtype)(y)
        y = Conv(192, 3, kernel_init=basis.synthesis(1))(y)
        y = pixel_shuffle(y, 8)
        if self.overlaps:
            y = blockwise(lapped(y, overlap(16).T), MIDDLE.T)
        return y + 0.5


class PatchHyperAnalysis(nn.Module):
    """Latents → hyper-latents at a quarter of their size, from logarithms of their magnitudes."""

    width: int
    hyper: int

    @nn.compact
    def __call__(self, y: Array) -> Array:
        y = jnp.arcsinh(y)
        y = activation(nn.Dense(self.width)(jnp.concatenate([y, jnp.abs(y)], axis=-1)))
        y = activation(Conv(self.width, 3)(y))
        y = activation(nn.Dense(self.width)(pixel_unshuffle(y, 2)))
        y = activation(Conv(self.width, 3)(y))
        return nn.Dense(self.hyper)(pixel_unshuffle(y, 2))


class PatchHyperSynthesis(nn.Module):
    """Hyper-latents and the level → features for the means."""

    width: int

    @nn.compact
    def __call__(self, z: Array, level: Array) -> Array:
        x = pixel_shuffle(activation(Conv(4 * self.width, 3)(z)), 2)
        x = pixel_shuffle(activation(Conv(4 * self.width, 3)(x)), 2)
        return jnp.concatenate([x, level], axis=-1)


class PatchMeans(nn.Module):
    """Features and, in the second pass, the decoded anchors around each position → means."""

    width: int
    latents: int

    @nn.compact
    def __call__(self, features: Array, anchors: Array | None) -> Array:
        if anchors is None:
            anchors = jnp.zeros((*features.shape[:-1], self.latents), features.dtype)
        around = nn.Dense(self.width, name="narrow", use_bias=False)(anchors)
        around = Conv(self.width, 3, name="around", use_bias=False)(around)
        x = jnp.concatenate([features, around], axis=-1)
        x = activation(nn.Dense(2 * self.width, name="mix")(x))
        x = jnp.concatenate([x, around], axis=-1)  # a linear path past the activation as well
        return nn.Dense(self.latents, kernel_init=SMALL, name="out")(x)


def patch_hyperprior(
    features: int = 128,
    latents: int = 448,
    hyper: int = 96,
    analysis_blocks: int = 3,
    synthesis_blocks: int = 4,
    width: int = 64,
    attention: int = 128,
    layers: int = 1,
    overlaps: bool = True,
    context: int = 96,
    anchors: int = ANCHORS,
    dtype: Dtype = None,
) -> Compressor:
    """Build the compressor of the released weights.

    Args:
      features: channels at 1/8, at most 192.
      latents: channels at 1/16.
      hyper: channels of the hyper-latents at 1/64.
      analysis_blocks, synthesis_blocks: bottleneck blocks at 1/8.
      width: channels inside a bottleneck block.
      attention: channels inside an attention block.
      layers: attention blocks of either transform.
      overlaps: whether the blocks of 16×16 pixels that the transforms begin as are lapped; where
        they are not, coarsely coded images show them.
      context: channels of the network that predicts the means.
      anchors: rates at which the hyper-latents' density is learnt.
      dtype: what the transforms compute in; see :class:`~jaxsr.networks.compressor.TransformCodec`.
    """
    basis = Basis(features, latents)
    return Compressor(
        analysis=PatchAnalysis(basis, analysis_blocks, width, attention, layers, overlaps, dtype),
        synthesis=PatchSynthesis(
            basis, synthesis_blocks, width, attention, layers, overlaps, dtype
        ),
        hyper_analysis=PatchHyperAnalysis(128, hyper),
        hyper_synthesis=PatchHyperSynthesis(64),
        means=PatchMeans(context, latents),
        scales=IntegerScales(64, latents),
        rates=RateControl(basis.log_step, basis.log_scale()),
        density=FactorizedDensity(hyper, anchors),
        mixture=MIXTURE,
    )
