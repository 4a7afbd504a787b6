"""ATD: Swin layers with a dictionary of tokens beside, which also sorts pixels into categories.

Source: Zhang et al., "Transcending the Limit of Local Window: Advanced Super-Resolution Transformer
with Adaptive Token Dictionary" (2024).
"""

from functools import partial

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array

from jaxsr.attention.depthwise import DepthwiseConv
from jaxsr.attention.dictionary import (
    category_attention,
    dictionary_attention,
    refined_dictionary,
)
from jaxsr.attention.window import INIT, shifted_window_attention
from jaxsr.networks.layers import Dtype, gelu
from jaxsr.networks.swinir import LayerNorm, SwinBody, before_skip, head_of, mean_of
from jaxsr.networks.upscaler import Extract, Upscaler


def atd(
    scale: int = 4,
    *,
    features: int = 210,
    groups: int = 6,
    depth: int = 6,
    heads: int = 6,
    window: int = 16,
    tokens: int = 128,
    key_features: int = 20,
    category: int = 256,
    kernel: int = 5,
    ratio: float = 2.0,
    head: str = "stages",
    head_features: int = 64,
    residual: str = "1conv",
    channels: int = 3,
    centred: bool = True,
    value_range: float = 1.0,
    dtype: Dtype = None,
) -> Upscaler:
    """Build ATD, 20.3M parameters: 6 groups of 6 layers, a dictionary of 128 tokens in each.

    Categories gather pixels of the whole image, so tiles differ a little from the whole.

    Args:
      key_features: channels in which pixels and tokens are compared.
      category: pixels that attend to each other as of one category.
      kernel: side of the perceptrons' depthwise convolution.
      head, residual, channels, value_range: as in :func:`jaxsr.networks.swinir.swinir`.
      centred: subtract the mean of colours from the image.
    """
    layer = partial(
        DictionaryLayer, heads, window, key_features, category, kernel, ratio, dtype=dtype
    )
    group = partial(DictionaryGroup, depth, tokens, layer, dtype, residual)
    return Upscaler(
        extract=Extract(features, dtype=dtype),
        enhance=SwinBody(groups, group, dtype, residual),
        fuse=head_of(head, scale, channels, head_features, dtype),
        scale=scale,
        channels=channels,
        mean=mean_of(channels) if centred else (0.0,),
        value_range=value_range,
        multiple=window,
        padding="symmetric",
    )


# ATD-light, 769K parameters.
atd_light = partial(
    atd,
    features=48,
    groups=4,
    heads=4,
    tokens=64,
    key_features=8,
    category=128,
    kernel=7,
    ratio=1.0,
    head="direct",
)


class DictionaryGroup(nn.Module):
    """Layers that refine one dictionary, a convolution, a skip (ATD block).

    Attributes:
      layer: makes one, given whether it is ``shifted`` and ``last``, and its name.
    """

    depth: int
    tokens: int
    layer: partial
    dtype: Dtype = None
    residual: str = "1conv"

    @nn.compact
    def __call__(self, x: Array) -> Array:
        shape = (self.tokens, x.shape[-1])
        dictionary = self.param("dictionary", nn.initializers.normal(1.0), shape, jnp.float32)
        dictionary = jnp.broadcast_to(dictionary, (x.shape[0], *shape))
        f = x
        for i in range(self.depth):
            last = i == self.depth - 1
            layer = self.layer(shifted=bool(i % 2), last=last, name=f"layer_{i}")
            f, dictionary = layer(f, dictionary)
        return before_skip(self.residual, x.shape[-1], self.dtype, name="conv")(f) + x


class DictionaryLayer(nn.Module):
    """Attention to the window, the dictionary and the category, side by side; then a perceptron."""

    heads: int
    window: int
    key_features: int
    category: int
    kernel: int
    ratio: float
    shifted: bool = False
    last: bool = False
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array, dictionary: Array) -> tuple[Array, Array]:
        batch, height, width, channels = x.shape
        flat = (batch, height * width, -1)
        dense = partial(nn.Dense, dtype=self.dtype, kernel_init=INIT)
        y = LayerNorm(name="norm_attention")(x)
        qkv = dense(3 * channels, name="qkv")(y)

        found, similarity = DictionaryAttention(self.key_features, self.dtype, name="dictionary")(
            y.reshape(flat), dictionary
        )
        ten = nn.initializers.constant(jnp.log(10.0))
        log_scale = self.param("log_scale", ten, (1,), jnp.float32)
        alike = category_attention(
            qkv.reshape(flat), similarity, self.heads, self.category, log_scale
        )
        shape = ((2 * self.window - 1) ** 2, self.heads)
        table = self.param("position", INIT, shape, jnp.float32)
        shift = self.window // 2 if self.shifted else 0
        near = shifted_window_attention(qkv, table, self.window, shift)

        x = x + dense(channels, name="proj_window")(near) + found.reshape(x.shape)
        x = x + dense(channels, name="proj_category")(alike).reshape(x.shape)
        mlp = ConvolvedPerceptron(self.kernel, self.ratio, self.dtype, name="mlp")
        x = x + mlp(LayerNorm(name="norm_mlp")(x))
        if self.last:
            return x, dictionary
        return x, Refinement(name="refinement")(dictionary, x.reshape(flat), similarity)


class DictionaryAttention(nn.Module):
    """:func:`~jaxsr.attention.dictionary.dictionary_attention` behind its projections (TDCA)."""

    features: int
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array, dictionary: Array) -> tuple[Array, Array]:
        dense = partial(nn.Dense, dtype=self.dtype, kernel_init=INIT)
        q = dense(self.features, name="q")(x)
        k = dense(self.features, name="k")(dictionary)
        v = dense(x.shape[-1], name="v")(dictionary)
        half = nn.initializers.constant(0.5)
        sharpness = self.param("sharpness", half, dictionary.shape[1:2], jnp.float32)
        return dictionary_attention(q, k, v, sharpness)


class Refinement(nn.Module):
    """The dictionary refined by what resembles its tokens; similarities normalised over pixels."""

    @nn.compact
    def __call__(self, dictionary: Array, x: Array, similarity: Array) -> Array:
        tokens = dictionary.shape[1]
        scale = self.param("scale", nn.initializers.ones, (tokens,), jnp.float32)
        bias = self.param("bias", nn.initializers.zeros, (tokens,), jnp.float32)
        keep = self.param("keep", nn.initializers.zeros, (tokens, 1), jnp.float32)
        mean = jnp.mean(similarity, axis=1, keepdims=True)
        variance = jnp.var(similarity, axis=1, keepdims=True)
        evidence = (similarity - mean) / jnp.sqrt(variance + 1e-5)
        evidence = evidence * jnp.broadcast_to(scale, evidence.shape)
        evidence += jnp.broadcast_to(bias, evidence.shape)
        return refined_dictionary(dictionary, x, evidence, keep)


class ConvolvedPerceptron(nn.Module):
    """A perceptron whose inner channels get a depthwise convolution of theirs added (ConvFFN)."""

    kernel: int
    ratio: float = 2.0
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        channels = x.shape[-1]
        dense = partial(nn.Dense, dtype=self.dtype, kernel_init=INIT)
        inner = dense(round(self.ratio * channels), name="expand")(x)
        inner = gelu(inner)
        local = DepthwiseConv(self.kernel, dtype=self.dtype, name="conv")(inner)
        return dense(channels, name="reduce")(inner + gelu(local))
