"""A restorer of regions: convolutions around attention in windows, at a quarter of the image's size.

It sees no farther than ``margin`` pixels, so a region is restored by the tiles it touches alone, exactly
as the whole image would be. That is why its attention is that of Swin's windows (Liu et al., 2021) and
not Restormer's over channels (Zamir et al., 2022), whose statistics are of the whole image, and why
all its windows are the same ones: shifted ones would look farther at every layer.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxsr.attention.window import WindowAttention
from jaxsr.networks.layers import Conv, Dtype, fan_in, pixel_shuffle, pixel_unshuffle

PATCH = 4  # image pixels of a position, each way
UNIT = 0.1  # of the last layer's output: restoring changes pixels by little, and training by less


class WindowRestorer(nn.Module):
    """Degraded RGB, a mask and the features it was fused from → restored RGB (not clipped).

    A fresh network returns its input.

    Attributes:
      features: channels of every layer.
      blocks: residual blocks of two convolutions, as many before the attention as after it.
      layers: of attention, each in the same windows.
      window: their side in positions of ``PATCH`` pixels.
      heads: of the attention.
    """

    features: int = 96
    blocks: int = 2
    layers: int = 2
    window: int = 8
    heads: int = 6
    dtype: Dtype = None

    @property
    def multiple(self) -> int:
        """Heights, widths and the places of tiles are multiples of so many pixels."""
        return PATCH * self.window

    @property
    def margin(self) -> int:
        """Pixels around an aligned tile that its result depends on, a multiple of ``multiple``.

        Seen from the output, the last convolutions look ``1 + 2 blocks`` positions far, then all of a
        window is seen, then the first convolutions look as far again.
        """
        convolutions = 1 + 2 * self.blocks
        behind = -(-convolutions // self.window) * self.window
        before = -(-convolutions // self.window) * self.window
        return PATCH * (behind + before)

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "b h w 3"],
        mask: Float[Array, "b h w 1"],
        features: Float[Array, "b rows cols c"] | None = None,
    ) -> Float[Array, "b h w 3"]:
        """Restores ``x`` in [0, 1] where ``mask`` is 1.

        Args:
          features: an upscaler's enhanced features on the grid of ``h/4 × w/4`` positions
            (:func:`features_at`); None, the same as zeros: the image was not upscaled.

        Raises:
          ValueError: h or w is not a multiple of ``multiple``.
        """
        if x.shape[1] % self.multiple or x.shape[2] % self.multiple:
            raise ValueError(
                f"the restorer takes multiples of {self.multiple} pixels, "
                f"got {x.shape[2]}×{x.shape[1]}; pad the image first"
            )
        inputs = jnp.concatenate([4 * (x - 0.45), mask], -1)
        f = Conv(self.features, dtype=self.dtype, name="extract")(pixel_unshuffle(inputs, PATCH))
        if features is not None:
            fused = Conv(self.features, 1, use_bias=False, dtype=self.dtype, name="fused")
            f = f + fused(features)
        for i in range(self.blocks):
            f = ResidualBlock(dtype=self.dtype, name=f"before_{i}")(f)
        for i in range(self.layers):
            layer = WindowLayer(self.heads, self.window, dtype=self.dtype, name=f"attend_{i}")
            f = layer(f)
        for i in range(self.blocks):
            f = ResidualBlock(dtype=self.dtype, name=f"after_{i}")(f)
        channels = 3 * PATCH**2
        change = Conv(channels, kernel_init=nn.initializers.zeros, dtype=self.dtype, name="change")
        return x + UNIT * pixel_shuffle(change(f).astype(jnp.float32), PATCH)


def window_restorer(**options) -> WindowRestorer:
    """The restorer of the released weights; options are :class:`WindowRestorer`'s attributes."""
    return WindowRestorer(**options)


class ResidualBlock(nn.Module):
    """``x + conv(gelu(conv(x)))``."""

    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        features = x.shape[-1]
        f = nn.gelu(Conv(features, kernel_init=fan_in(2.0), dtype=self.dtype, name="conv_0")(x))
        return x + Conv(features, kernel_init=fan_in(0.1), dtype=self.dtype, name="conv_1")(f)


class WindowLayer(nn.Module):
    """A transformer layer in windows: attention, then two dense layers, each after a norm."""

    heads: int
    window: int
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        f = nn.LayerNorm(dtype=self.dtype, name="norm_0")(x)
        x += WindowAttention(self.heads, self.window, dtype=self.dtype, name="attention")(f)
        f = nn.LayerNorm(dtype=self.dtype, name="norm_1")(x)
        f = nn.gelu(nn.Dense(2 * x.shape[-1], dtype=self.dtype, name="dense_0")(f))
        return x + nn.Dense(x.shape[-1], dtype=self.dtype, name="dense_1")(f)


def features_at(
    f: Float[Array, "b h w c"], scale: int, rows: int, columns: int
) -> Float[Array, "b {rows} {columns} c"]:
    """An upscaler's features on the restorer's grid of ``PATCH`` high-resolution pixels.

    Linear interpolation, the mean of what a position covers where there is more than one (``scale``
    below ``PATCH``); positions beyond the image are 0.
    """
    if scale == PATCH:
        pads = [(0, max(0, n - m)) for n, m in zip((rows, columns), f.shape[1:3], strict=True)]
        return jnp.pad(f, ((0, 0), *pads, (0, 0)))[:, :rows, :columns]
    shape = (f.shape[0], rows, columns, f.shape[3])
    ratio = jnp.full(2, scale / PATCH, f.dtype)
    return jax.image.scale_and_translate(
        f, shape, (1, 2), ratio, jnp.zeros(2, f.dtype), "linear", antialias=True
    )
