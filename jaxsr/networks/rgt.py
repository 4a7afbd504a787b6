"""RGT: attention in rectangles and attention to the whole image, made small, take turns.

Source: Chen et al., "Recursive Generalization Transformer for Image Super-Resolution" (2024).
"""

from functools import partial

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array

from jaxsr.attention.rectangle import RectangleAttention, shifts
from jaxsr.attention.recursive import RecursiveAttention
from jaxsr.attention.window import Window
from jaxsr.networks.dat import DualGroup, GatedPerceptron
from jaxsr.networks.layers import Dtype
from jaxsr.networks.swinir import LayerNorm, SwinBody, mean_of
from jaxsr.networks.upscaler import Extract, PixelShuffleStages, Upscaler


def rgt(
    scale: int = 4,
    *,
    features: int = 180,
    groups: int = 8,
    depth: int = 6,
    heads: int = 6,
    window: Window = (8, 32),
    ratio: float = 2.0,
    key_ratio: float = 0.5,
    head_features: int = 64,
    residual: str = "1conv",
    channels: int = 3,
    value_range: float = 1.0,
    dtype: Dtype = None,
) -> Upscaler:
    """Build RGT, 13.4M parameters: 8 groups of 6 layers, every second one attending globally.

    Args:
      window: height and width of its rectangles; half of the channels have them turned.
      ratio: the perceptrons' inner width, relative to ``features``.
      key_ratio: channels of global queries and keys, relative to ``features``.
      residual, channels, value_range: as in :func:`jaxsr.networks.swinir.swinir`.
    """
    layer = partial(GeneralLayer, heads, window, ratio, key_ratio, dtype)
    group = partial(DualGroup, depth, layer, dtype, residual)
    return Upscaler(
        extract=Extract(features, dtype=dtype),
        enhance=SwinBody(groups, group, dtype, residual, numbered=True),
        fuse=PixelShuffleStages(scale, channels, head_features, dtype=dtype),
        scale=scale,
        channels=channels,
        mean=mean_of(channels),
        value_range=value_range,
    )


# RGT-S, 10.2M parameters.
rgt_s = partial(rgt, groups=6)


class GeneralLayer(nn.Module):
    """Attention, then a gated perceptron; the layer's input weighed beside both (eq. 7, 8)."""

    heads: int
    window: Window
    ratio: float
    key_ratio: float
    dtype: Dtype = None
    group: int = 0
    index: int = 0

    @nn.compact
    def __call__(self, x: Array) -> Array:
        if self.index % 2:
            attention = RecursiveAttention(self.heads, self.key_ratio, self.dtype, name="attention")
        else:
            shift = shifts(self.window, self.group, self.index)
            attention = RectangleAttention(
                self.heads, self.window, shift, self.dtype, name="attention"
            )
        weight = self.param("gamma", nn.initializers.constant(1e-4), x.shape[-1:], jnp.float32)
        f = x + attention(LayerNorm(name="norm_attention")(x))
        mlp = GatedPerceptron(self.ratio, self.dtype, name="mlp")
        f = f + mlp(LayerNorm(name="norm_mlp")(f))
        return f + x * jnp.broadcast_to(weight.astype(x.dtype), x.shape)
