"""Channel attention: each channel is weighed by what it holds over the whole image (SE, RCAN, IMDN)."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxsr.attention.gate import gate
from jaxsr.errors import UserError


def mean_descriptor(x: Float[Array, "*b h w c"]) -> Float[Array, "*b 1 1 c"]:
    """Mean over the image, in float32 ("squeeze"; Hu et al. 2018, eq. 2)."""
    return jnp.mean(x.astype(jnp.float32), axis=(-3, -2), keepdims=True)


def contrast_descriptor(x: Float[Array, "*b h w c"]) -> Float[Array, "*b 1 1 c"]:
    """Mean plus standard deviation over the image, in float32 (Hui et al. 2019, eq. 3)."""
    x = x.astype(jnp.float32)
    mean = mean_descriptor(x)
    variance = jnp.mean(jnp.square(x - mean), axis=(-3, -2), keepdims=True)
    # √ has no gradient at 0, where a constant channel would put it; there the contrast is 0
    constant = variance == 0
    return mean + jnp.where(constant, 0.0, jnp.sqrt(jnp.where(constant, 1.0, variance)))


class ChannelAttention(nn.Module):
    """``x · σ(W₂ relu(W₁ d(x)))`` with ``d`` the mean: squeeze-and-excitation, as in RCAN's blocks.

    Sources: Hu et al., "Squeeze-and-Excitation Networks" (2018), eqs. 2-4; Zhang et al., "Image
    Super-Resolution Using Very Deep Residual Channel Attention Networks" (2018), eqs. 8-10.

    Attributes:
      reduction: the inner width is ``channels // reduction``.
      contrast: ``d`` is mean plus standard deviation instead: contrast-aware attention of Hui et
        al., "Lightweight Image Super-Resolution with Information Multi-distillation Network" (2019).
    """

    reduction: int = 16
    contrast: bool = False
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Float[Array, "*b h w c"]) -> Float[Array, "*b h w c"]:
        channels = x.shape[-1]
        if channels < self.reduction:
            raise UserError(
                f"channel attention with reduction {self.reduction} needs at least that many "
                f"channels, got {channels}"
            )
        d = contrast_descriptor(x) if self.contrast else mean_descriptor(x)
        inner = nn.relu(nn.Dense(channels // self.reduction, dtype=self.dtype, name="down")(d))
        return gate(x, nn.Dense(channels, dtype=self.dtype, name="up")(inner))
