"""The skeleton of a learned codec: transforms, hyperprior, and one model for all rates.

The latents ``y = analysis(x)`` are multiplied by the rate's gain; the hyper-latents are
``z = hyper_analysis(y)``; from z come the σ index (exact integers) and the mean (floats) of every
latent; ``ŷ = round(y − mean) + mean`` is stored and ``x̂ = synthesis(ŷ)``. Every compressor of this
package is a choice of these parts.

A rate is a number in 0..1: the trade-off is ``λ = LAMBDA_MIN · (LAMBDA_MAX / LAMBDA_MIN)^rate``. It
enters as one gain for every latent channel (Cui et al., "Asymmetric Gained Deep Image Compression
With Continuous Rate Adaptation", 2021) and as an offset of every channel's σ index. A region of
interest enters the same way, by a number of index steps at every latent position.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from jaxsr.entropy import integer
from jaxsr.entropy.tables import GAUSSIAN, SCALE_COUNT, SCALE_MIN, STEP, Mixture
from jaxsr.errors import UserError
from jaxsr.networks.density import (
    FactorizedDensity,
    between_anchors,
    bounded,
    gaussian_bits,
    noisy,
    rounded,
    scale_of,
    split_keys,
)
from jaxsr.networks.layers import fan_in, pixel_shuffle

LAMBDA_MIN, LAMBDA_MAX = 0.0005, 2.0
ANCHORS = 11  # rates that have gains and offsets of their own; others are interpolated
DOWN = 16  # pixels of a latent, each way
HYPER_DOWN = 4  # latents of a hyper-latent, each way
INDEX_UNIT = 8.0  # σ index steps in one unit of the offsets' parameter, which Adam moves slowly

Latents = Float[Array, "b h w m"]
Rate = Float[Array, "b"]
Region = Float[Array, "b h w"]


class Coded(NamedTuple):
    """Images as a compressor gives them back, and its estimate of the bits they take."""

    output: Float[Array, "b hh ww 3"]
    latent_bits: Float[Array, "b"]
    hyper_bits: Float[Array, "b"]


def lambda_of(rate: float | Float[Array, "*n"]) -> float | Float[Array, "*n"]:
    """Return the weight λ of the squared error (in units of 1/255) against bits per pixel."""
    return LAMBDA_MIN * (LAMBDA_MAX / LAMBDA_MIN) ** rate


def rate_of(weight: float) -> float:
    """Return the rate whose λ is ``weight``: the inverse of :func:`lambda_of`.

    Raises:
      UserError: ``weight`` is not in ``LAMBDA_MIN``..``LAMBDA_MAX``.
    """
    if not LAMBDA_MIN <= weight <= LAMBDA_MAX:
        raise UserError(f"λ is {weight}; rates are made for {LAMBDA_MIN} to {LAMBDA_MAX}")
    return math.log(weight / LAMBDA_MIN) / math.log(LAMBDA_MAX / LAMBDA_MIN)


class RateControl(nn.Module):
    """Gains and index offsets of every latent channel, interpolated between ``ANCHORS`` rates.

    Attributes:
      log_step: rate → (m,): the initial logarithm of the quantiser's step, in the latents' units.
      log_scale: (m,): the initial logarithm of the latents' standard deviations; None: there are no
        σ indexes.
    """

    log_step: Any
    log_scale: Any = None

    def setup(self):
        rates = [i / (ANCHORS - 1) for i in range(ANCHORS)]
        gains = -jnp.stack([jnp.asarray(self.log_step(rate), jnp.float32) for rate in rates])
        self.log_gains = self.param("log_gain", lambda _: gains)
        if self.log_scale is not None:
            scales = jnp.asarray(self.log_scale, jnp.float32)[None]
            index = (gains + scales - math.log(SCALE_MIN)) / STEP
            self.offsets = self.param("offset", lambda _: index / INDEX_UNIT)

    def log_gain(self, rate: Rate) -> Float[Array, "b m"]:
        """Return the logarithm of every channel's gain."""
        return between_anchors(self.log_gains, rate)

    def offset(self, rate: Rate) -> Float[Array, "b m"]:
        """Return the offset of every channel's σ index, in index steps, not rounded."""
        return between_anchors(self.offsets, rate) * INDEX_UNIT


class IntegerScales(nn.Module):
    """z → σ index: the network of ``jaxsr.entropy.integer`` as it is trained, in exact floats."""

    hidden: int
    latents: int

    @nn.compact
    def __call__(self, z: Float[Array, "b h w n"]) -> Float[Array, "b h4 w4 m"]:
        x = bounded(z, -32.0, 31.0) / 2 ** (integer.ACTIVATION_BITS - integer.INPUT_BITS)
        for i, (features, side) in enumerate([(4 * self.hidden, 3), (4 * self.hidden, 3)]):
            unit = 2**integer.ACTIVATION_BITS
            x = nn.relu(self._convolve(i, x, features, side)) * unit
            x = _through(x, jnp.floor(x + 0.5))  # halves up, as integers are shifted
            x = pixel_shuffle(bounded(x, 0.0, 127.0) / unit, 2)
        return self._convolve(2, x, self.latents, 1) * integer.INDEX_SCALE

    def _convolve(self, i: int, x: Array, features: int, side: int) -> Array:
        shape = (side, side, x.shape[-1], features)
        kernel = self.param(f"kernel{i}", fan_in(0.01 if i == 2 else 2.0), shape, jnp.float32)
        bias = self.param(f"bias{i}", nn.initializers.zeros, (features,), jnp.float32)
        kernel = _through(kernel, integer.rounded_kernel(kernel))
        bias = _through(bias, integer.rounded_bias(bias))
        with jax.default_matmul_precision("highest"):
            pad = ((side // 2, side // 2),) * 2
            x = jax.lax.conv_general_dilated(
                x, kernel, (1, 1), pad, dimension_numbers=("NHWC", "HWIO", "NHWC")
            )
        return x + jnp.broadcast_to(bias, x.shape)


def _through(x: Array, replaced: Array) -> Array:
    """Return ``replaced``, exactly, with the gradient of ``x``."""
    return jax.lax.stop_gradient(replaced) + (x - jax.lax.stop_gradient(x))


class TransformCodec(nn.Module):
    """What every compressor has: transforms, and gains for the rate.

    The factories' ``dtype`` is for training in bfloat16: it is what the inner layers of the
    transforms compute in. The layers that touch pixels or latents stay float32, and so does all
    that decides the bits: latents and their rounding, hyper-networks, densities. Files are always
    coded in float32.

    Attributes:
      analysis: (b, 16h, 16w, 3) in [0, 1] → latents (b, h, w, m).
      synthesis: latents, level (b, h, w, 1) → (b, 16h, 16w, 3).
      rates: gains, and offsets where there are σ indexes.
      density: learned for each channel of the hyper-latents; of the latents where there are none.
    """

    analysis: nn.Module
    synthesis: nn.Module
    rates: RateControl
    density: FactorizedDensity

    def log_gain(self, rate: Rate, region: Region) -> Latents:
        """Return the logarithm of every latent's gain."""
        return self.rates.log_gain(rate)[:, None, None] + STEP * region[..., None]


class FactorizedCompressor(TransformCodec):
    """A compressor without side information: one density for all values of a channel.

    Takes images whose sides are multiples of 16. A region is coded finer or coarser as by
    :class:`Compressor`, but the density does not know of it: its bits are more than they need be.
    """

    def __call__(
        self, x: Float[Array, "b hh ww 3"], rate: Rate, region: Region, key: Key[Array, "..."]
    ) -> Coded:
        """Code images as in training; see :meth:`Compressor.__call__`."""
        log_gain = self.log_gain(rate, region)
        y = self.analysis(x) * jnp.exp(log_gain)
        bits = self.density(noisy(y, key), rate).sum((1, 2, 3))
        output = self.synthesis(rounded(y) * jnp.exp(-log_gain), level(log_gain))
        return Coded(output, bits, jnp.zeros_like(bits))


class Compressor(TransformCodec):
    """A compressor with a hyperprior; see the module's docstring.

    Takes images whose sides are multiples of 64 (128 with windows of attention).

    Attributes, besides those of :class:`TransformCodec`:
      hyper_analysis: gained latents → (b, h/4, w/4, n).
      hyper_synthesis: ẑ, level → features (b, h, w, f) for the means.
      means: features, decoded anchors (b, h, w, m) or None → means; all in units before the gain.
      scales: ẑ → σ index before its offsets.
      mixture: the distribution of residuals divided by their σ.
    """

    hyper_analysis: nn.Module
    hyper_synthesis: nn.Module
    means: nn.Module
    scales: IntegerScales
    mixture: Mixture = GAUSSIAN

    def __call__(
        self, x: Float[Array, "b hh ww 3"], rate: Rate, region: Region, key: Key[Array, "..."]
    ) -> Coded:
        """Code images as in training.

        Bits are those of the rounded values, their gradients those of values with noise instead:
        noise alone would count bits where σ is so small that no file has any.

        Args:
          x: images in [0, 1].
          rate: 0..1 for each image.
          region: σ index steps at every latent position, 0 for none.
          key: of the noise; one for all images, or one for each.
        """
        latent_key, hyper_key = split_keys(key)
        y = self.analysis(x)
        log_gain = self.log_gain(rate, region)
        y = y * jnp.exp(log_gain)
        z = self.hyper_analysis(y)
        noisy_bits = self.density(noisy(z, hyper_key), rate)
        z = rounded(bounded(z, -127.0, 127.0))
        hyper_bits = _through(noisy_bits, self.density(z, rate))
        index = self.index(z, rate, region)
        coded = (index > 0).astype(index.dtype)
        mean = self.mean(z, log_gain, lambda mean: rounded(y - mean) * coded)
        residual = y - mean
        decoded = rounded(residual) * coded + mean
        scale = scale_of(index)
        noisy_bits = gaussian_bits(noisy(residual, latent_key), scale, self.mixture)
        bits = gaussian_bits(rounded(residual), scale, self.mixture) * coded
        bits = _through(noisy_bits, bits)
        output = self.synthesis(decoded * jnp.exp(-log_gain), level(log_gain))
        return Coded(output, bits.sum((1, 2, 3)), hyper_bits.sum((1, 2, 3)))

    def index(self, z: Array, rate: Rate, region: Region) -> Latents:
        """Return every latent's σ index, a whole number in 0..63.

        Where it is 0 the residual is 0 and is not coded.
        """
        offset = self.rates.offset(rate)[:, None, None] + region[..., None]
        return rounded(bounded(self.scales(z) + offset, 0.0, SCALE_COUNT - 1.0))

    def mean(self, z: Array, log_gain: Latents, residual: Callable[[Latents], Latents]) -> Latents:
        """Return the means of the gained latents, in two passes over a checkerboard.

        The anchors' means depend on z, the others' on z and the decoded anchors. Source: He et al.,
        "Checkerboard Context Model for Efficient Learned Image Compression" (2021), here for the
        means alone.

        Args:
          residual: takes the anchors' means, returns their quantised residuals; its values at other
            positions are ignored.
        """
        gain = jnp.exp(log_gain)
        features = self.hyper_synthesis(z, level(log_gain))
        anchor = checkerboard(*log_gain.shape[1:3])[None, ..., None]
        first = self.means(features, None) * gain
        decoded = (residual(first) + first) * anchor
        second = self.means(features, decoded / gain) * gain
        return jnp.where(anchor > 0, first, second)


def level(log_gain: Latents) -> Float[Array, "b h w 1"]:
    """Return how finely a position is coded, as a feature: a quarter of the mean log-gain."""
    return log_gain.mean(-1, keepdims=True) / 4


def checkerboard(height: int, width: int) -> Float[Array, "h w"]:
    """Return 1 where row + column is even: at the anchors, which are decoded first."""
    odd = (jnp.arange(height)[:, None] + jnp.arange(width)[None, :]) % 2
    return 1.0 - odd.astype(jnp.float32)
