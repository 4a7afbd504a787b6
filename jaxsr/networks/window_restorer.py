"""A restorer of regions: convolutions around attention in windows, over the DCT of 4×4 patches.

It sees no farther than ``margin`` pixels, so a region is restored by the tiles it touches alone, exactly
as the whole image would be. That is why its attention is that of Swin's windows (Liu et al., 2021) and
not Restormer's over channels (Zamir et al., 2022), whose statistics are of the whole image, and why
all its windows are the same ones: shifted ones would look farther at every layer.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxsr.attention.window import WindowAttention
from jaxsr.errors import UserError
from jaxsr.networks.blocks import ResidualBlock, TransformerLayer
from jaxsr.networks.layers import COLOURS, Conv, Dtype, dct, pixel_shuffle, pixel_unshuffle

PATCH = 4  # image pixels of a position, each way
UNIT = 0.1  # of the last layer's output: restoring changes images by little, and training by less
CONTRAST = 8.0  # of all but a patch's mean: details are that much weaker in images


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

    features: int = 64
    blocks: int = 2
    layers: int = 2
    window: int = 8
    heads: int = 4
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
          UserError: h or w is not a multiple of ``multiple``.
        """
        if x.shape[1] % self.multiple or x.shape[2] % self.multiple:
            raise UserError(
                f"the restorer takes multiples of {self.multiple} pixels, "
                f"got {x.shape[2]}×{x.shape[1]}; pad the image first"
            )
        inputs = jnp.concatenate([coefficients(x), pixel_unshuffle(mask, PATCH)], -1)
        f = Conv(self.features, dtype=self.dtype, name="extract")(inputs)
        if features is not None:
            fused = Conv(self.features, 1, use_bias=False, dtype=self.dtype, name="fused")
            f = f + fused(features)
        for i in range(self.blocks):
            f = ResidualBlock(0.1, dtype=self.dtype, name=f"before_{i}")(f)
        for i in range(self.layers):
            attention = WindowAttention(self.heads, self.window, dtype=self.dtype, parent=None)
            f = TransformerLayer(attention, dtype=self.dtype, name=f"attend_{i}")(f)
        for i in range(self.blocks):
            f = ResidualBlock(0.1, dtype=self.dtype, name=f"after_{i}")(f)
        channels = 3 * PATCH**2
        change = Conv(channels, kernel_init=nn.initializers.zeros, dtype=self.dtype, name="change")
        return x + UNIT * pixels(change(f).astype(jnp.float32))


def window_restorer(**options) -> WindowRestorer:
    """The restorer of the released weights; options are :class:`WindowRestorer`'s attributes."""
    return WindowRestorer(**options)


def coefficients(x: Float[Array, "b h w 3"]) -> Float[Array, "b rows cols 48"]:
    """The DCT of each patch in decorrelated colours, all but the means amplified by ``CONTRAST``.

    Pixels of a patch are nearly the same number; a network given them as they are learns about noise
    and detail, the small differences between them, a hundred times more slowly.
    """
    contrast = np.full(_basis().shape[0], CONTRAST, np.float32)
    contrast[:: PATCH**2] = 1
    return pixel_unshuffle(x - 0.45, PATCH) @ (_basis().T * contrast)


def pixels(y: Float[Array, "b rows cols 48"]) -> Float[Array, "b h w 3"]:
    """The image of (not amplified) coefficients."""
    return pixel_shuffle(y @ _basis(), PATCH)


def _basis() -> Float[np.ndarray, "48 48"]:
    """Orthonormal: a coefficient a row, by colour and frequency; a pixel a column, by colour and place."""
    patch = np.einsum("kc,ui,vj->kuvcij", COLOURS, dct(PATCH), dct(PATCH))
    return patch.reshape(3 * PATCH**2, -1).astype(np.float32)


def features_at(
    f: Float[Array, "b h w c"],
    scale: int,
    rows: int,
    columns: int,
    first: Float[Array, "2"] | None = None,
) -> Float[Array, "b {rows} {columns} c"]:
    """An upscaler's features on the restorer's grid of ``PATCH`` high-resolution pixels.

    Linear interpolation, the mean of what a position covers where there is more than one (``scale``
    below ``PATCH``); positions beyond the image are 0.

    Args:
      first: the row and column of the grid to begin with, where they are not 0.
    """
    if scale == PATCH and first is None:
        pads = [(0, max(0, n - m)) for n, m in zip((rows, columns), f.shape[1:3], strict=True)]
        return jnp.pad(f, ((0, 0), *pads, (0, 0)))[:, :rows, :columns]
    shape = (f.shape[0], rows, columns, f.shape[3])
    ratio = jnp.full(2, scale / PATCH, f.dtype)
    shift = jnp.zeros(2, f.dtype) if first is None else -first.astype(f.dtype)
    return jax.image.scale_and_translate(f, shape, (1, 2), ratio, shift, "linear", antialias=True)
