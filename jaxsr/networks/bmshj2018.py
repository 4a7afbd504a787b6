"""The factorized prior and the scale hyperprior of Ballé et al. (2018), as compressors of ours.

Source: Ballé, Minnen, Singh, Hwang, Johnston, "Variational image compression with a scale
hyperprior" (ICLR 2018). Transforms, hyper-analysis and the factorized density are the paper's. It
differs in three ways:

- One model may serve all rates, through a gain for every latent channel. At a single rate
  (``config.rate``) such a gain adds nothing that the transforms could not learn.
- σ is the index of a table and comes from an exact integer network, in place of the paper's
  hyper-synthesis: this model decodes to the same values on every machine.
- Values are rounded to integers, not to integers plus a learned median.
"""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.linen.dtypes import promote_dtype
from jaxtyping import Array, Float

from jaxsr.networks.compressor import (
    ANCHORS,
    Compressor,
    FactorizedCompressor,
    IntegerScales,
    RateControl,
    lambda_of,
)
from jaxsr.networks.density import FactorizedDensity
from jaxsr.networks.gdn import GDN
from jaxsr.networks.layers import Conv, Dtype, fan_in, pixel_shuffle


class Transposed(nn.Module):
    """The papers' transposed 5×5 convolution of stride 2: to twice the size."""

    features: int
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Float[Array, "b h w i"]) -> Float[Array, "b h2 w2 o"]:
        shape = (5, 5, x.shape[-1], self.features)
        kernel = self.param(
            "kernel", fan_in(4.0), shape, jnp.float32
        )  # a quarter of the taps meet a pixel
        bias = self.param("bias", nn.initializers.zeros, (self.features,), jnp.float32)
        x, kernel, bias = promote_dtype(x, kernel, bias, dtype=self.dtype)
        y = transposed(x, kernel)
        return y + jnp.broadcast_to(bias, y.shape)


def transposed(
    x: Float[Array, "b h w i"], kernel: Float[Array, "5 5 i o"]
) -> Float[Array, "b h2 w2 o"]:
    """Apply a transposed 5×5 convolution of stride 2, as a 3×3 convolution and a pixel shuffle.

    A pixel of the result meets only the taps of its own parity, at most 3×3 of the 5×5; and CPUs
    are slow at dilated inputs. The numbers are torch's with ``padding=2, output_padding=1``.
    """
    inputs, outputs = kernel.shape[2:]
    taps = jnp.pad(kernel, ((0, 1), (0, 1), (0, 0), (0, 0)))
    taps = taps.reshape(3, 2, 3, 2, inputs, outputs)[::-1, :, ::-1]  # tap, parity of row and column
    taps = taps.transpose(0, 2, 4, 5, 1, 3).reshape(3, 3, inputs, 4 * outputs)
    x = jax.lax.conv_general_dilated(
        x, taps, (1, 1), ((1, 1), (1, 1)), dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    return pixel_shuffle(x, 2)


class BalleAnalysis(nn.Module):
    """The paper's ``g_a``: four convolutions of stride 2 with GDN between; images → latents."""

    features: int
    latents: int
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        for i in range(3):
            dtype = self.dtype if i else None
            x = Conv(self.features, 5, strides=2, dtype=dtype, name=f"conv{i}")(x)
            x = GDN(name=f"gdn{i}")(x)
        return Conv(self.latents, 5, strides=2, name="conv3")(x)


class BalleSynthesis(nn.Module):
    """The paper's ``g_s``, which mirrors ``g_a``: latents → images. It ignores the level."""

    features: int
    dtype: Dtype = None

    @nn.compact
    def __call__(self, y: Array, level: Array) -> Array:
        for i in range(3):
            y = Transposed(self.features, self.dtype if i else None, name=f"conv{i}")(y)
            y = GDN(inverse=True, name=f"gdn{i}")(y)
        return Transposed(3, name="conv3")(y)


class BalleHyperAnalysis(nn.Module):
    """The paper's ``h_a``: latents → hyper-latents.

    Attributes:
      signed: see the latents' signs, as Minnen et al. (2018) do, who predict means as well.
    """

    features: int
    signed: bool = False

    @nn.compact
    def __call__(self, y: Array) -> Array:
        activation = nn.leaky_relu if self.signed else nn.relu
        y = y if self.signed else jnp.abs(y)
        y = activation(Conv(self.features, 3, name="conv0")(y))
        y = activation(Conv(self.features, 5, strides=2, name="conv1")(y))
        return Conv(self.features, 5, strides=2, name="conv2")(y)


class ZeroMeans(nn.Module):
    """A hyper-synthesis whose means are all 0."""

    latents: int

    def __call__(self, z: Array, level: Array) -> Array:
        return jnp.zeros((*level.shape[:-1], self.latents), level.dtype)


class WithoutContext(nn.Module):
    """Means without a context of decoded anchors: those of the hyper-synthesis, unchanged."""

    def __call__(self, features: Array, anchors: Array | None) -> Array:
        return features


def plain_rates(latents: int, scales: bool = True) -> RateControl:
    """Build gains that start as ``√λ``, alike for all channels and 1 in the middle of the rates.

    Args:
      latents: channels that have gains.
      scales: give them offsets of the σ index, too.
    """

    def log_step(rate):
        return np.full(latents, 0.5 * math.log(lambda_of(0.5) / lambda_of(rate)), np.float32)

    return RateControl(log_step, np.zeros(latents, np.float32) if scales else None)


def bmshj2018_factorized(
    features: int = 128, latents: int = 192, anchors: int = ANCHORS, dtype: Dtype = None
) -> FactorizedCompressor:
    """Build the compressor without side information.

    Args:
      features: the paper's N, channels between the layers (128; 192 for its higher rates).
      latents: the paper's M (192; 320 for its higher rates).
      anchors: rates at which the density is learnt; 1 as in the paper, for a single rate.
      dtype: what the transforms compute in; see :class:`~jaxsr.networks.compressor.TransformCodec`.
    """
    return FactorizedCompressor(
        analysis=BalleAnalysis(features, latents, dtype),
        synthesis=BalleSynthesis(features, dtype),
        rates=plain_rates(latents, scales=False),
        density=FactorizedDensity(latents, anchors),
    )


def bmshj2018_hyperprior(
    features: int = 128,
    latents: int = 192,
    hidden: int = 64,
    anchors: int = ANCHORS,
    dtype: Dtype = None,
) -> Compressor:
    """Build the compressor with a scale hyperprior; all means are 0.

    Args:
      features, latents, anchors, dtype: see :func:`bmshj2018_factorized`.
      hidden: width of the integer network that predicts the σ indexes.
    """
    return Compressor(
        analysis=BalleAnalysis(features, latents, dtype),
        synthesis=BalleSynthesis(features, dtype),
        hyper_analysis=BalleHyperAnalysis(features),
        hyper_synthesis=ZeroMeans(latents),
        means=WithoutContext(),
        scales=IntegerScales(hidden, latents),
        rates=plain_rates(latents),
        density=FactorizedDensity(features, anchors),
    )
