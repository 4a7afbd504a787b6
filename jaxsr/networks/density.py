"""Likelihoods of quantised values, and rounding that gradients pass: shared by the compressors."""

import itertools
import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key, Num

from jaxsr.entropy.tables import GAUSSIAN, SCALE_MIN, STEP, Mixture

LEAST = 1e-9  # likelihoods are at least this: 30 bits at most

Limit = float | Float[Array, ""]


def rounded(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """Round to integers; the gradient passes as if nothing was rounded (straight-through)."""
    return x + jax.lax.stop_gradient(jnp.round(x) - x)


def split_keys(key: Key[Array, "..."]) -> Key[Array, "2 ..."]:
    """Split a key, or each of several keys, in two: the first axis of the result has length 2."""
    return (jax.vmap(jax.random.split, out_axes=1) if key.ndim else jax.random.split)(key)


def noisy(x: Float[Array, "..."], key: Key[Array, "..."]) -> Float[Array, "..."]:
    """Add uniform noise of [−½, ½): quantisation as the rate term sees it (Ballé et al., 2017).

    Args:
      key: one for all of ``x``, or one for each row of its first axis.
    """
    if key.ndim:
        return jax.vmap(noisy)(x, key)
    return x + jax.random.uniform(key, x.shape, x.dtype, -0.5, 0.5)


@jax.custom_vjp
def bounded(x: Float[Array, "..."], low: Limit, high: Limit) -> Float[Array, "..."]:
    """Clip to [low, high]; outside, gradients that would lead back inside still pass."""
    return jnp.clip(x, low, high)


def _bounded_forward(x, low, high):
    return jnp.clip(x, low, high), (x, low, high)


def _bounded_backward(residuals, gradient):
    x, low, high = residuals
    # a descent step moves against the gradient
    passes = ((x >= low) | (gradient < 0)) & ((x <= high) | (gradient > 0))
    return gradient * passes.astype(gradient.dtype), None, None


bounded.defvjp(_bounded_forward, _bounded_backward)


def scale_of(index: Num[Array, "..."]) -> Float[Array, "..."]:
    """Return the standard deviation that a σ index in 0..63 (fractions too) stands for."""
    return SCALE_MIN * jnp.exp(STEP * jnp.asarray(index, jnp.float32))


def gaussian_bits(
    x: Float[Array, "..."], scale: Float[Array, "..."], mixture: Mixture = GAUSSIAN
) -> Float[Array, "..."]:
    """Return the bits of each value: ``−log₂ P(x − ½ < X < x + ½)`` of a zero-mean Gaussian.

    Args:
      x: whole values.
      scale: the standard deviation of each.
      mixture: (weight, factor) of each of several Gaussians, whose standard deviations are
        ``factor · scale``.
    """
    mass = sum(weight * _mass(jnp.abs(x), scale * factor) for weight, factor in mixture)
    return -jnp.log2(jnp.maximum(mass, LEAST))


def _mass(x: Array, scale: Array) -> Array:
    """Return a Gaussian's mass within ½ of x ≥ 0, by its upper tail, which keeps its digits."""
    root = math.sqrt(0.5)
    upper = jax.scipy.special.erfc((x - 0.5) / scale * root)
    lower = jax.scipy.special.erfc((x + 0.5) / scale * root)
    return 0.5 * (upper - lower)


def between_anchors(
    anchors: Float[np.ndarray | Array, "a c"], rate: Float[Array, "b"]
) -> Float[Array, "b c"]:
    """Interpolate a table between its rows, which stand for equally spaced rates in 0..1."""
    anchors = jnp.asarray(anchors)
    position = jnp.clip(rate, 0, 1) * (anchors.shape[0] - 1)
    whole = jnp.minimum(position.astype(jnp.int32), max(0, anchors.shape[0] - 2))
    following = jnp.minimum(whole + 1, anchors.shape[0] - 1)
    part = (position - whole.astype(position.dtype))[:, None]
    return anchors[whole] * (1 - part) + anchors[following] * part


class FactorizedDensity(nn.Module):
    """A learned density for every channel, stretched and shifted by the rate.

    The cumulative is the small monotone network of Ballé et al., "Variational image compression
    with a scale hyperprior" (2018), appendix 6.1. In one model for several rates values spread out
    as the rate grows: anchors of a scale and a shift for every channel follow that.

    Attributes:
      channels: of the values.
      anchors: rates with a scale and shift of their own; 1: the density is the published one.
      filters: widths of the monotone network's inner layers.
      spread: width of a fresh density, in the values' units.
    """

    channels: int
    anchors: int = 1
    filters: tuple[int, ...] = (3, 3, 3)
    spread: float = 10.0

    def setup(self):
        widths = (1, *self.filters, 1)
        spread = self.spread ** (1 / (len(self.filters) + 1))
        layers = []
        for i, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
            first = math.log(math.expm1(1 / spread / outputs))
            shape = (self.channels, outputs)
            matrix = self.param(
                f"matrix{i}", nn.initializers.constant(first), (*shape, inputs), jnp.float32
            )
            bias = self.param(f"bias{i}", _uniform_half, shape, jnp.float32)
            last = i == len(self.filters)
            factor = (
                None
                if last
                else self.param(f"factor{i}", nn.initializers.zeros, shape, jnp.float32)
            )
            layers.append((matrix, bias, factor))
        self.layers = layers
        if self.anchors > 1:
            shape = (self.anchors, self.channels)
            self.log_scale = self.param("log_scale", nn.initializers.zeros, shape, jnp.float32)
            self.shift = self.param("shift", nn.initializers.zeros, shape, jnp.float32)

    def bits(self, z: Float[Array, "b h w c"], rate: Float[Array, "b"]) -> Float[Array, "b h w c"]:
        """Return the bits of each value at rates in 0..1."""
        upper, lower = self.logits(z + 0.5, rate), self.logits(z - 0.5, rate)
        # in the tail where both are near 0, so that the difference keeps its digits
        sign = -jnp.sign(jax.lax.stop_gradient(upper + lower))
        mass = jnp.abs(jax.nn.sigmoid(sign * upper) - jax.nn.sigmoid(sign * lower))
        return -jnp.log2(jnp.maximum(mass, LEAST))

    __call__ = bits

    def logits(self, z: Float[Array, "b h w c"], rate: Float[Array, "b"]) -> Array:
        """Return the logit of the cumulative at ``z``; it rises with ``z``."""
        if self.anchors > 1:
            stretch = jnp.exp(between_anchors(self.log_scale, rate))
            z = z * stretch[:, None, None] + between_anchors(self.shift, rate)[:, None, None]
        x = z[..., None]
        for matrix, bias, factor in self.layers:
            x = jnp.einsum("bhwci,coi->bhwco", x, jax.nn.softplus(matrix))
            x = x + jnp.broadcast_to(bias, x.shape)
            if factor is not None:
                x = x + jnp.broadcast_to(jnp.tanh(factor), x.shape) * jnp.tanh(x)
        return x[..., 0]


def _uniform_half(key, shape, dtype=jnp.float32):
    return jax.random.uniform(key, shape, dtype, -0.5, 0.5)
