"""SeemoRe: of several products of low rank the image chooses one, then striped kernels.

Source: Zamfir et al., "See More Details: Efficient Image Super-Resolution by Experts Mining"
(2024).
"""

from collections.abc import Sequence
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxsr.attention.affine import AffineParams, biased
from jaxsr.attention.depthwise import DepthwiseConv, depthwise_conv
from jaxsr.attention.spatial import resize_bilinear
from jaxsr.networks.layers import Conv, Dtype, gelu
from jaxsr.networks.upscaler import DIV2K_MEAN, Extract, PixelShuffleDirect, Upscaler

SIDE = 4  # of the squares that become one pixel of context


def seemore(
    scale: int = 4,
    *,
    features: int = 36,
    blocks: int = 6,
    ranks: Sequence[int] = (2, 4, 8),
    kernel: int = 11,
    shuffle: bool = True,
    recursions: int = 2,
    dtype: Dtype = None,
) -> Upscaler:
    """Build SeemoRe-T, 232K parameters at ×4 (220K at ×2).

    SeemoRe-B has ``features=48, blocks=8``, SeemoRe-L ``features=48, blocks=16, shuffle=False,
    recursions=1``. The image's mean chooses an expert, so tiles differ a little from the whole.

    Args:
      ranks: of the experts.
      kernel: side of the striped kernels, odd.
      shuffle: mix the channels of features and of their context.
      recursions: how often the context is made a quarter of its sides.
    """
    expert = partial(ExpertBlock, tuple(ranks), shuffle, recursions)
    return Upscaler(
        extract=Extract(features, dtype=dtype),
        enhance=SeemoReBody(blocks, expert, partial(StripedBlock, kernel), dtype),
        fuse=PixelShuffleDirect(scale, dtype=dtype),
        scale=scale,
        mean=DIV2K_MEAN,
    )


class SeemoReBody(nn.Module):
    """Experts and stripes in turn, each with a perceptron; a norm, a convolution, a skip."""

    blocks: int
    expert: partial
    striped: partial
    dtype: Dtype = None

    @nn.compact
    def __call__(self, f0: Array) -> Array:
        f = f0
        for i in range(self.blocks):
            for name, block in (("experts", self.expert), ("stripes", self.striped)):
                name = f"{name}_{i}"
                mixed = block(dtype=self.dtype, name=name)(self._norm(name, f))
                f = f + mixed
                mlp = ConvolvedGate(self.dtype, name=f"{name}_mlp")
                f = f + mlp(self._norm(f"{name}_mlp", f))
        conv = Conv(f0.shape[-1], dtype=self.dtype, name="conv")
        return f0 + conv(self._norm("out", f))

    def _norm(self, name: str, f: Array) -> Array:
        norm = nn.LayerNorm(epsilon=1e-6, dtype=jnp.float32, name=f"{name}_norm")
        return norm(f).astype(f.dtype)


class ExpertBlock(nn.Module):
    """Features and their context meet in the expert that the image chooses (RME, eqs. 2 to 6).

    Attributes:
      ranks, shuffle, recursions: see :func:`seemore`.
    """

    ranks: tuple[int, ...]
    shuffle: bool
    recursions: int
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        channels, conv = x.shape[-1], partial(Conv, dtype=self.dtype)
        f = conv(2 * channels, 1, name="expand")(gelu(conv(channels, name="conv")(x)))
        if self.shuffle:
            f = f.reshape(*f.shape[:-1], 2, channels).swapaxes(-1, -2).reshape(f.shape)
        near, context = jnp.split(f, 2, axis=-1)
        near = gelu(StripedConv(3, self.dtype, name="near")(near))
        context = context + self._far(context)
        return conv(channels, 1, name="project")(near + self._chosen(near, context))

    def _far(self, x: Array) -> Array:
        """Return what features are in squares, of squares, enlarged again (eq. 3)."""
        height, width, channels = x.shape[1:]
        options = {"dtype": self.dtype, "name": "gather"}
        kernel, bias = AffineParams((SIDE, SIDE, 1, channels), **options)()
        least = SIDE**self.recursions
        small = [max(0, least - n) for n in (height, width)]
        far = jnp.pad(x, ((0, 0), (0, small[0]), (0, small[1]), (0, 0)), mode="edge")
        for _ in range(self.recursions):
            rows, columns = far.shape[1] // SIDE, far.shape[2] // SIDE
            far = far[:, : rows * SIDE, : columns * SIDE]
            far = far.reshape(-1, rows, SIDE, columns, SIDE, channels)
            far = jnp.einsum("brycxk,yxk->brck", far.astype(kernel.dtype), kernel[:, :, 0])
            far = gelu(biased(far, bias))
        far = DepthwiseConv(3, dtype=self.dtype, name="far_depthwise")(far)
        far = Conv(channels, 1, dtype=self.dtype, name="far_mix")(far)
        return resize_bilinear(far, height, width).astype(x.dtype)

    def _chosen(self, x: Array, context: Array) -> Array:
        """Return the likeliest expert's product, times its probability.

        All are computed, which costs less than choosing: they have a few channels each.
        """
        channels, experts, rank = x.shape[-1], len(self.ranks), sum(self.ranks)
        mean = x.astype(jnp.float32).mean((1, 2))
        options = {"use_bias": False, "dtype": jnp.float32, "name": "choose"}
        weights = jax.nn.softmax(nn.Dense(experts, **options)(mean), axis=-1)
        best = jax.nn.one_hot(weights.argmax(-1), experts, dtype=jnp.float32)
        weights = (weights * best).astype(x.dtype)
        dense = partial(nn.Dense, dtype=self.dtype)
        product = dense(rank, name="of_near")(x) * dense(rank, name="of_context")(context)
        gates = jnp.take(weights, np.repeat(np.arange(experts), self.ranks), axis=-1)
        product = product * jnp.broadcast_to(gates[:, None, None], product.shape)
        y = dense(channels, use_bias=False, name="join")(product)
        shape = (experts, channels)
        biases = self.param("join_biases", nn.initializers.zeros, shape, jnp.float32)
        bias = weights.astype(y.dtype) @ biases.astype(y.dtype)
        return y + jnp.broadcast_to(bias[:, None, None], y.shape)


class StripedBlock(nn.Module):
    """``W (D q · v)``, the kernel ``D`` of a row and a column (SME, eq. 7)."""

    kernel: int
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        channels, conv = x.shape[-1], partial(Conv, kernel=1, dtype=self.dtype)
        q, v = jnp.split(gelu(conv(2 * channels, name="expand")(x)), 2, axis=-1)
        q = StripedConv(self.kernel, self.dtype, name="stripes")(q)
        return conv(channels, name="project")(q * v)


class StripedConv(nn.Module):
    """Depthwise convolution along the rows, then one along the columns."""

    kernel: int
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        for name, size in (("row", (1, self.kernel)), ("column", (self.kernel, 1))):
            shape = (*size, 1, x.shape[-1])
            kernel, bias = AffineParams(shape, dtype=self.dtype, name=name)()
            x = biased(depthwise_conv(x.astype(kernel.dtype), kernel), bias)
        return x


class ConvolvedGate(nn.Module):
    """``gelu(W₂ (a · D g))`` with ``a, g`` of one 1×1 convolution and GELU (GatedFFN)."""

    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        channels, conv = x.shape[-1], partial(Conv, kernel=1, dtype=self.dtype)
        values, gates = jnp.split(gelu(conv(2 * channels, name="expand")(x)), 2, axis=-1)
        gates = DepthwiseConv(3, dtype=self.dtype, name="gate")(gates)
        return gelu(conv(channels, name="reduce")(values * gates))
