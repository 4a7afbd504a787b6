"""A restorer of regions: convolutions around attention in windows, over the DCT of 4×4 patches.

It sees no farther than ``margin`` pixels, so the tiles that a region touches are restored exactly
as in the whole image. That is why its attention is that of Swin's windows (Liu et al., 2021), not
Restormer's over channels (Zamir et al., 2022), whose statistics are those of the whole image; and
why its windows never shift: shifted ones would look farther at every layer.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxsr.attention.window import WindowAttention
from jaxsr.errors import UserError
from jaxsr.networks.blocks import ResidualBlock, TransformerLayer
from jaxsr.networks.degradation import UNITS, DegradationEstimator
from jaxsr.networks.layers import Conv, Dtype, patch_dct, pixel_shuffle, pixel_unshuffle

PATCH = 4  # pixels of the image, each way, that become one position
UNIT = 0.1  # factor on the last layer's output: restoring changes images by little
BASIS = patch_dct(PATCH).astype(np.float32)
CONTRAST = 8.0  # factor on all but a patch's mean: details are that much weaker in images


class WindowRestorer(nn.Module):
    """A restorer: degraded RGB, a mask and an upscaler's features → restored RGB (not clipped).

    A fresh network returns its input.

    Attributes:
      features: channels of every layer.
      blocks: residual blocks of two convolutions before the attention, and as many after it.
      layers: layers of attention, all in the same windows.
      window: the windows' side in positions of ``PATCH`` pixels.
      heads: heads of the attention.
      told: whether it is told how strongly images are degraded. Then its parameters include those
        of an estimator (:func:`jaxsr.networks.degradation.estimate`).
    """

    features: int = 64
    blocks: int = 2
    layers: int = 2
    window: int = 8
    heads: int = 4
    told: bool = False
    dtype: Dtype = None

    @property
    def multiple(self) -> int:
        """The number of pixels that heights, widths and places of tiles are multiples of."""
        return PATCH * self.window

    @property
    def margin(self) -> int:
        """The pixels around an aligned tile that its result depends on, a multiple of ``multiple``.

        Seen from the output, the last convolutions look ``1 + 2 blocks`` positions far, then a
        window is seen whole, then the first convolutions look as far again.
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
        strengths: Float[Array, "b 4"] | None = None,
    ) -> Float[Array, "b h w 3"]:
        """Restore ``x`` where ``mask`` is 1.

        Args:
          x: images in [0, 1].
          mask: 0..1.
          features: an upscaler's enhanced features on the grid of ``h/4 × w/4`` positions
            (:func:`features_at`); None, the same as zeros: the image was not upscaled.
          strengths: of degradations (:mod:`jaxsr.networks.degradation`), before the image was
            upscaled if it was; None, the same as zeros; looked at by a network that is told.

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
        if self.told:
            if self.is_initializing():  # its parameters; what it takes is for callers to choose
                DegradationEstimator(name="estimate")(jnp.zeros((1, 8, 8, 3)))
            strengths = jnp.zeros((len(x), len(UNITS))) if strengths is None else strengths
            f = Modulation(dtype=self.dtype, name="told")(f, strengths / UNITS)
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


class Modulation(nn.Module):
    """``(1 + scale) x + shift``, both linear in what is told of an image.

    Fresh, it returns ``x``: so may be added to a trained network. Source: Perez et al., "FiLM:
    Visual Reasoning with a General Conditioning Layer" (2018).
    """

    dtype: Dtype = None

    @nn.compact
    def __call__(
        self, x: Float[Array, "b h w c"], told: Float[Array, "b n"]
    ) -> Float[Array, "b h w c"]:
        both = nn.Dense(
            2 * x.shape[-1],
            use_bias=False,
            kernel_init=nn.initializers.zeros,
            dtype=self.dtype,
            name="linear",
        )
        scale, shift = jnp.split(both(told)[:, None, None], 2, axis=-1)
        return (1 + scale) * x + shift


def window_restorer(
    *,
    features: int = 64,
    blocks: int = 2,
    layers: int = 2,
    window: int = 8,
    heads: int = 4,
    told: bool = False,
    dtype: Dtype = None,
) -> WindowRestorer:
    """Build the restorer of the released weights; see :class:`WindowRestorer`."""
    return WindowRestorer(features, blocks, layers, window, heads, told, dtype)


def coefficients(x: Float[Array, "b h w 3"]) -> Float[Array, "b rows cols 48"]:
    """Return each patch's DCT in decorrelated colours, all but the means amplified by ``CONTRAST``.

    Pixels of a patch are nearly the same number; from raw pixels a network learns a hundred times
    more slowly about noise and detail, the small differences between them.
    """
    contrast = np.full(len(BASIS), CONTRAST, np.float32)
    contrast[:: PATCH**2] = 1
    return pixel_unshuffle(x - 0.45, PATCH) @ (BASIS.T * contrast)


def pixels(y: Float[Array, "b rows cols 48"]) -> Float[Array, "b h w 3"]:
    """Return the image of (not amplified) coefficients."""
    return pixel_shuffle(y @ BASIS, PATCH)


def features_at(
    f: Float[Array, "b h w c"],
    scale: int,
    rows: int,
    columns: int,
    first: Float[Array, "2"] | None = None,
) -> Float[Array, "b {rows} {columns} c"]:
    """Bring an upscaler's features to the restorer's grid of ``PATCH`` high-resolution pixels.

    They are interpolated linearly; where a position covers several (``scale`` below ``PATCH``), it
    gets their mean. Positions beyond the image are 0.

    Args:
      f: features of low-resolution pixels.
      scale: the upscaler's.
      rows, columns: size of the grid that is returned.
      first: its first row and column; (0, 0) when not given.
    """
    if scale == PATCH and first is None:
        pads = [(0, max(0, n - m)) for n, m in zip((rows, columns), f.shape[1:3], strict=True)]
        return jnp.pad(f, ((0, 0), *pads, (0, 0)))[:, :rows, :columns]
    shape = (f.shape[0], rows, columns, f.shape[3])
    # in float32 whatever the features are: bfloat16 has no places beyond 256 that are all whole
    ratio = jnp.full(2, scale / PATCH, jnp.float32)
    shift = jnp.zeros(2, jnp.float32) if first is None else -first.astype(jnp.float32)
    return jax.image.scale_and_translate(f, shape, (1, 2), ratio, shift, "linear", antialias=True)
