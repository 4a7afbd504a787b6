"""A small U-Net whose skips pass attention gates and whose deepest features attend to each other.

Sources: Ronneberger et al., "U-Net" (2015); Oktay et al., "Attention U-Net: Learning Where to Look
for the Pancreas" (2018), the gates; Dosovitskiy et al., "An Image is Worth 16x16 Words" (2021), the
layers at the bottom.
"""

from collections.abc import Sequence

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxsr.attention.gate import AttentionGate
from jaxsr.errors import UserError
from jaxsr.networks.blocks import ResidualBlock, TransformerLayer
from jaxsr.networks.layers import Conv, Dtype, fan_in, pixel_unshuffle, upsample_bilinear

PATCH = 4  # pixels of the image, each way, that become one position of the first level


class AttentionUNet(nn.Module):
    """A segmenter: RGB in [0, 1] → logits of every pixel, smooth at the scale of ``PATCH`` pixels.

    Attributes:
      classes: 1: one logit, "belongs to the region"; more: one for each class, 0 the background.
      side: pixels of the square that images are best resized to, whatever their shape.
      features: channels of the levels, at 1/4, 1/8, 1/16 and 1/32 of the image.
      layers: layers of attention at the last level.
      heads: heads of that attention.
    """

    classes: int = 1
    side: int = 160
    features: tuple[int, ...] = (64, 96, 128, 128)
    layers: int = 2
    heads: int = 4
    dtype: Dtype = None

    @property
    def multiple(self) -> int:
        """The number of pixels that heights and widths must be multiples of."""
        return PATCH * 2 ** (len(self.features) - 1)

    @nn.compact
    def __call__(self, x: Float[Array, "b h w 3"]) -> Float[Array, "b h w classes"]:
        """Return the logits.

        Raises:
          UserError: h or w is not a multiple of ``multiple``.
        """
        if x.shape[1] % self.multiple or x.shape[2] % self.multiple:
            raise UserError(
                f"the network takes multiples of {self.multiple} pixels, "
                f"got {x.shape[2]}×{x.shape[1]}; resize the image first"
            )
        f, skips = jnp.concatenate([4 * (x - 0.45), places(x)], -1), []
        for level, width in enumerate(self.features):
            f = pixel_unshuffle(f, PATCH if level == 0 else 2)
            f = Conv(width, 3 if level == 0 else 1, dtype=self.dtype, name=f"down_{level}")(f)
            f = ResidualBlock(dtype=self.dtype, name=f"encode_{level}")(f)
            skips.append(f)
        f = skips.pop()
        tokens = f.reshape(f.shape[0], -1, f.shape[-1])
        for i in range(self.layers):
            attention = nn.MultiHeadDotProductAttention(
                self.heads, dtype=self.dtype, force_fp32_for_softmax=True, parent=None
            )
            tokens = TransformerLayer(attention, dtype=self.dtype, name=f"attend_{i}")(tokens)
        f = tokens.reshape(f.shape)
        for level in reversed(range(len(skips))):
            skip = skips[level]
            f = Conv(skip.shape[-1], 1, dtype=self.dtype, name=f"up_{level}")(f)
            f = upsample_bilinear(f.astype(jnp.float32), 2).astype(skip.dtype)
            f = f + AttentionGate(dtype=self.dtype, name=f"gate_{level}")(skip, f)
            f = ResidualBlock(dtype=self.dtype, name=f"decode_{level}")(f)
        f = nn.LayerNorm(dtype=self.dtype, name="norm")(f)
        logits = Conv(self.classes, kernel_init=fan_in(0.1), dtype=self.dtype, name="logits")(f)
        return upsample_bilinear(logits.astype(jnp.float32), PATCH)


def attention_unet(
    classes: int = 1,
    *,
    side: int = 160,
    features: Sequence[int] = (64, 96, 128, 128),
    layers: int = 2,
    heads: int = 4,
    dtype: Dtype = None,
) -> AttentionUNet:
    """Build the segmenter of the released weights; see :class:`AttentionUNet`."""
    return AttentionUNet(classes, side, tuple(features), layers, heads, dtype)


def places(x: Float[Array, "b h w c"]) -> Float[Array, "b h w 2"]:
    """Return where each pixel lies, −1 to 1 from border to border, which attention cannot see."""
    height, width = x.shape[1:3]
    down, across = ((2 * jnp.arange(n, dtype=x.dtype) + 1) / n - 1 for n in (height, width))
    both = jnp.stack(jnp.meshgrid(down, across, indexing="ij"), axis=-1)
    return jnp.broadcast_to(both, (x.shape[0], height, width, 2))
