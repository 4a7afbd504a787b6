"""Spatial attention: places weighed by a look around them (CBAM; ESA of RFANet and RLFN)."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxsr.attention.affine import Affine, AffineParams, convolve
from jaxsr.attention.gate import gate
from jaxsr.errors import UserError


def mean_and_max(x: Float[Array, "*b h w c"]) -> Float[Array, "*b h w 2"]:
    """Return two numbers for every place: mean and maximum over the channels."""
    mean = jnp.mean(x.astype(jnp.float32), axis=-1, keepdims=True).astype(x.dtype)
    return jnp.concatenate([mean, jnp.max(x, axis=-1, keepdims=True)], axis=-1)


def spatial_attention(
    x: Float[Array, "*b h w c"], kernel: Float[Array, "kh kw 2 1"]
) -> Float[Array, "*b h w c"]:
    """``x · σ(W * [mean; max])`` with a convolution ``W`` (7×7): one weight per place.

    Source: Woo et al., "CBAM: Convolutional Block Attention Module" (2018), eq. 3.
    """
    return gate(x, convolve(mean_and_max(x), Affine(kernel)))


class SpatialAttention(nn.Module):
    """:func:`spatial_attention` with its parameters.

    Attributes:
      kernel: the convolution's side in pixels.
    """

    kernel: int = 7
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Float[Array, "*b h w c"]) -> Float[Array, "*b h w c"]:
        shape = (self.kernel, self.kernel, 2, 1)
        weights = AffineParams(shape, use_bias=False, dtype=self.dtype, name="conv")()
        return spatial_attention(x, weights.kernel)


def resize_bilinear(
    x: Float[Array, "*b h w c"], height: int, width: int
) -> Float[Array, "*b h2 w2 c"]:
    """Resize to any size: half-pixel centres, edges repeated, no antialiasing.

    These are torch's defaults (``align_corners=False``).
    """
    shape = (*x.shape[:-3], height, width, x.shape[-1])
    return jax.image.resize(x, shape, method="linear", antialias=False)


def enhanced_spatial_attention(
    x: Float[Array, "*b h w c"],
    reduce: Affine,
    stride: Affine,
    coarse: Affine,
    skip: Affine,
    expand: Affine,
) -> Float[Array, "*b h w c"]:
    """``x · σ(W₄(up(W₃(pool(W₂(r)))) + W_f r))`` with ``r = W₁ x``: one weight per value.

    The weights come from a view six times coarser: wide context at little cost. ``W₂`` has stride
    2, ``pool`` is a 7×7 maximum with stride 3, ``up`` is bilinear to the size of ``x``. How ``up``
    places its samples depends on the size of the image, so tiles differ a little from the whole.

    Sources: Liu et al., "Residual Feature Aggregation Network for Image Super-Resolution" (2020);
    Kong et al., "Residual Local Feature Network for Efficient Super-Resolution" (2022), fig. 4.

    Args:
      reduce: ``W₁``, 1×1, to the coarse view's channels.
      stride, coarse: ``W₂`` and ``W₃``, 3×3.
      skip: ``W_f``, 1×1.
      expand: ``W₄``, 1×1, back to the channels of ``x``.

    Raises:
      UserError: the image is smaller than 15 pixels on a side: nothing would be left to pool.
    """
    height, width = x.shape[-3:-1]
    if min(height, width) < 15:
        raise UserError(
            "enhanced spatial attention needs images of at least 15×15 pixels, "
            f"got {width}×{height}"
        )
    reduced = convolve(x, reduce)
    pooled = nn.max_pool(convolve(reduced, stride, 2, "VALID"), (7, 7), strides=(3, 3))
    enlarged = resize_bilinear(convolve(pooled, coarse), height, width)
    return gate(x, convolve(enlarged + convolve(reduced, skip), expand))


class EnhancedSpatialAttention(nn.Module):
    """:func:`enhanced_spatial_attention` with its parameters.

    Attributes:
      features: channels of the coarse view.
    """

    features: int = 16
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Float[Array, "*b h w c"]) -> Float[Array, "*b h w c"]:
        def conv(side: int, inputs: int, outputs: int, name: str) -> Affine:
            return AffineParams((side, side, inputs, outputs), dtype=self.dtype, name=name)()

        channels, features = x.shape[-1], self.features
        return enhanced_spatial_attention(
            x,
            reduce=conv(1, channels, features, "conv_1"),
            stride=conv(3, features, features, "conv_2"),
            coarse=conv(3, features, features, "conv_3"),
            skip=conv(1, features, features, "conv_skip"),
            expand=conv(1, features, channels, "conv_4"),
        )
