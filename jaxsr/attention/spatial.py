"""Spatial attention: places are weighed by a look at their surroundings (CBAM; ESA of RFANet, RLFN)."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxsr.attention.gate import gate
from jaxsr.errors import UserError


def mean_and_max(x: Float[Array, "*b h w c"]) -> Float[Array, "*b h w 2"]:
    """What every place holds, in two numbers: mean and maximum over the channels."""
    mean = jnp.mean(x.astype(jnp.float32), axis=-1, keepdims=True).astype(x.dtype)
    return jnp.concatenate([mean, jnp.max(x, axis=-1, keepdims=True)], axis=-1)


class SpatialAttention(nn.Module):
    """``x · σ(W * [mean; max])`` with a 7×7 convolution ``W``: one weight per place.

    Source: Woo et al., "CBAM: Convolutional Block Attention Module" (2018), eq. 3.
    """

    kernel: int = 7
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Float[Array, "*b h w c"]) -> Float[Array, "*b h w c"]:
        size = (self.kernel, self.kernel)
        conv = nn.Conv(1, size, use_bias=False, dtype=self.dtype, name="conv")
        return gate(x, conv(mean_and_max(x)))


def resize_bilinear(
    x: Float[Array, "*b h w c"], height: int, width: int
) -> Float[Array, "*b h2 w2 c"]:
    """To any size; half-pixel centres, edges repeated, no antialiasing (``align_corners=False``)."""
    shape = (*x.shape[:-3], height, width, x.shape[-1])
    return jax.image.resize(x, shape, method="linear", antialias=False)


class EnhancedSpatialAttention(nn.Module):
    """One weight per value, from a view six times coarser: wide context at little cost.

    ``x · σ(W₄(up(conv₃(pool(conv₂(r)))) + W_f r))`` with ``r = W₁ x``: ``conv₂`` has stride 2, ``pool``
    is a 7×7 maximum with stride 3, ``up`` is bilinear to the size of ``x``. How ``up`` places its
    samples depends on the size of the image, so tiles of it do not give exactly what the whole does.

    Sources: Liu et al., "Residual Feature Aggregation Network for Image Super-Resolution" (2020);
    Kong et al., "Residual Local Feature Network for Efficient Super-Resolution" (2022), fig. 4.

    Attributes:
      features: channels of the coarse view.

    Raises:
      UserError: the image is smaller than 15 pixels on a side: nothing would be left to pool.
    """

    features: int = 16
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Float[Array, "*b h w c"]) -> Float[Array, "*b h w c"]:
        height, width, channels = x.shape[-3:]
        if min(height, width) < 15:
            raise UserError(
                "enhanced spatial attention needs images of at least 15×15 pixels, "
                f"got {width}×{height}"
            )

        def conv(features, kernel, name, **options):
            return nn.Conv(features, (kernel, kernel), dtype=self.dtype, name=name, **options)

        reduced = conv(self.features, 1, "conv_1")(x)
        coarse = conv(self.features, 3, "conv_2", strides=2, padding="VALID")(reduced)
        coarse = nn.max_pool(coarse, (7, 7), strides=(3, 3))
        coarse = conv(self.features, 3, "conv_3")(coarse)
        skip = conv(self.features, 1, "conv_skip")(reduced)
        return gate(x, conv(channels, 1, "conv_4")(resize_bilinear(coarse, height, width) + skip))
