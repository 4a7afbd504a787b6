"""The skeleton of every upscaler: extract → enhance → fuse, and the shared ``fuse`` heads."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxsr.attention.pixel import PixelAttention
from jaxsr.errors import UserError
from jaxsr.networks.layers import (
    Conv,
    Dtype,
    fan_in,
    pixel_shuffle,
    pixel_unshuffle,
    upsample_bilinear,
    upsample_nearest,
)

DIV2K_MEAN = (0.4488, 0.4371, 0.4040)  # RGB mean of DIV2K, subtracted by EDSR, RCAN, SwinIR, HAT
# how EDSR and its successors reach each scale
SHUFFLE_STAGES = {1: (), 2: (2,), 3: (3,), 4: (2, 2), 8: (2, 2, 2)}


class Upscaler(nn.Module):
    """An upscaler: a low-resolution image in [0, 1] → a high-resolution one (not clipped).

    ``f0 = extract(x)``, ``f = enhance(f0)``, ``y = fuse(x, f)``; the three stages are modules given
    by each architecture's file. A network trained on another range has its own ``mean`` and
    ``value_range``: the stages see ``(x − mean) · value_range``. Networks of scale 1 restore.

    Attributes:
      extract: convolutional features of the low-resolution image.
      enhance: the body; attention decides here what passes. Same shape in and out.
      fuse: joins the enhanced features with the low-resolution image, at ``scale`` times its size.
      scale: 1, 2, 3, 4 or 8.
      channels: of the images, in and out: 3 for RGB, 1 for gray, 4 for RGB with alpha.
      mean: of a channel, or of each.
      denormalise: undo ``mean`` and ``value_range`` on the output (SPAN's head learns to instead).
      multiple: heights and widths are padded to a multiple of this, the result cropped.
      padding: with what: the image mirrored ("reflect"; "symmetric": its last pixels twice), its
        "edge", or "zeros".
      margin: they are padded by so many pixels on every side too, for stages whose convolutions do
        not pad: features may have borders, the fused image has none.
      unshuffle: the stages see squares of so many pixels a side as channels of one position; it
        divides ``multiple``.
      receptive_field: radius in low-resolution pixels beyond which no input changes an output
        pixel; None for networks that pool over, or attend to, the whole image.
    """

    extract: nn.Module
    enhance: nn.Module
    fuse: nn.Module
    scale: int
    channels: int = 3
    mean: tuple[float, ...] = (0.0,)
    value_range: float = 1.0
    denormalise: bool = True
    multiple: int = 1
    padding: str = "reflect"
    margin: int = 0
    unshuffle: int = 1
    receptive_field: int | None = None

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b sh sw c"]:
        """Enlarge images."""
        return self.with_features(x)[0]

    def with_features(
        self, x: Float[Array, "b h w c"]
    ) -> tuple[Float[Array, "b sh sw c"], Float[Array, "b hu wu f"]]:
        """Enlarge images; return the enhanced features that they were fused from, too.

        Features are as large as the images, or ``unshuffle`` times smaller.
        """
        f = self.enhanced(self.extracted(x))
        height, width = (-(-size // self.unshuffle) for size in x.shape[1:3])
        whole = -(-x.shape[1] // self.multiple) * self.multiple // self.unshuffle
        border = (f.shape[1] - whole) // 2
        inner = f[:, border : border + height, border : border + width]
        return self.fused(x, f), inner

    # The stages one by one; features here are those of the image padded to whole multiples, and,
    # where there is a margin, have borders that get smaller.

    def extracted(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 f"]:
        """Extract the first features of the low-resolution image."""
        return self.extract(self._prepared(x))

    def enhanced(self, f0: Float[Array, "b h2 w2 f"]) -> Float[Array, "b h3 w3 g"]:
        """Enhance the features: weigh them by attention."""
        return self.enhance(f0)

    def fused(
        self, x: Float[Array, "b h w c"], f: Float[Array, "b h3 w3 g"]
    ) -> Float[Array, "b sh sw c"]:
        """Fuse the low-resolution image and its enhanced features into the high-resolution one."""
        y = self.fuse(self._prepared(x), f)
        height, width = (n * self.scale for n in x.shape[1:3])
        y = y[:, :height, :width].astype(jnp.float32)
        if not self.denormalise:
            return y
        return y / self.value_range + self._mean_of(y)

    def _prepared(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 cu2"]:
        """Bring the image to the range and the size that the stages take."""
        x = (x - self._mean_of(x)) * self.value_range
        x = pad_to_multiple(x, self.multiple, self.padding, self.margin)
        return pixel_unshuffle(x, self.unshuffle) if self.unshuffle > 1 else x

    def _mean_of(self, x: Array) -> Array:
        """Return the mean, of the shape and type of ``x``."""
        return jnp.broadcast_to(jnp.asarray(self.mean, x.dtype), x.shape)


def pad_to_multiple(
    x: Float[Array | np.ndarray, "b h w c"],
    multiple: int,
    padding: str = "reflect",
    margin: int = 0,
) -> Float[Any, "b h2 w2 c"]:
    """Extend the bottom and right border until both sizes are multiples of ``multiple``.

    Args:
      padding: "reflect" mirrors, "symmetric" does so with the last pixels twice, "edge" repeats
        these, "zeros" adds black ones.
      margin: pixels by which every border is extended besides.
    """
    pads = [(margin, margin + (-size) % multiple) for size in x.shape[1:3]]
    if not any(map(any, pads)):
        return x
    pad: Any = np.pad if isinstance(x, np.ndarray) else jnp.pad
    # "reflect" as in the papers' code; "symmetric" where the image is too small to mirror that far
    near = "constant" if padding == "zeros" else padding
    far = "symmetric" if padding == "reflect" else near
    modes = [near if n < size else far for (_, n), size in zip(pads, x.shape[1:3], strict=True)]
    x = pad(x, ((0, 0), pads[0], (0, 0), (0, 0)), mode=modes[0])
    return pad(x, ((0, 0), (0, 0), pads[1], (0, 0)), mode=modes[1])


class Extract(nn.Module):
    """One 3×3 convolution: the shallow features of almost every upscaler."""

    features: int
    dtype: Dtype = None
    use_bias: bool = True

    @nn.compact
    def __call__(self, x: Array) -> Array:
        return Conv(self.features, use_bias=self.use_bias, dtype=self.dtype, name="conv")(x)


class PixelShuffleDirect(nn.Module):
    """One convolution to ``channels·scale²`` channels, then pixel shuffle (ESPCN, RLFN, SPAN).

    Attributes:
      channels: of the image.
      skip: how the low-resolution image is enlarged that is added: "nearest", "bilinear", or None.
      variance: of a fresh network's output before that, relative to its features'.
      use_bias: of the convolution.
    """

    scale: int
    channels: int = 3
    skip: str | None = None
    variance: float = 1.0
    dtype: Dtype = None
    use_bias: bool = True

    @nn.compact
    def __call__(self, x: Array, f: Array) -> Array:
        features = self.channels * self.scale**2
        options = {"kernel_init": fan_in(self.variance), "use_bias": self.use_bias}
        conv = Conv(features, dtype=self.dtype, name="conv", **options)
        y = pixel_shuffle(conv(f), self.scale)
        return add_skip(y, x, self.scale, self.skip)


class PixelShuffleStages(nn.Module):
    """Convolution and pixel shuffle, by 3 or as often by 2 as needed, then a last convolution.

    So do EDSR and RCAN.

    Attributes:
      channels: of the image.
      features: SwinIR and HAT first reduce to so many channels, with a leaky ReLU; None: no.
    """

    scale: int
    channels: int = 3
    features: int | None = None
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array, f: Array) -> Array:
        if self.features is not None:
            f = nn.leaky_relu(Conv(self.features, dtype=self.dtype, name="conv_before")(f), 0.01)
        for i, step in enumerate(stages(self.scale)):
            stage = Conv(f.shape[-1] * step**2, dtype=self.dtype, name=f"stage_{i}")
            f = pixel_shuffle(stage(f), step)
        return Conv(self.channels, dtype=self.dtype, name="conv_last")(f)


class NearestStages(nn.Module):
    """Features repeated and convolved, by 3 or as often by 2 as needed, then two convolutions.

    So do ESRGAN and SwinIR for real photographs: no pixel shuffle, less of a pattern.

    Attributes:
      channels: of the image.
      features: SwinIR first reduces to so many channels, with a leaky ReLU; None: no.
    """

    scale: int
    channels: int = 3
    features: int | None = None
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array, f: Array) -> Array:
        if self.features is not None:
            f = nn.leaky_relu(Conv(self.features, dtype=self.dtype, name="conv_before")(f), 0.01)
        features = f.shape[-1]
        for i, step in enumerate(stages(self.scale)):
            stage = Conv(features, dtype=self.dtype, name=f"stage_{i}")
            f = nn.leaky_relu(stage(upsample_nearest(f, step)), 0.2)
        f = nn.leaky_relu(Conv(features, dtype=self.dtype, name="conv")(f), 0.2)
        return Conv(self.channels, dtype=self.dtype, name="conv_last")(f)


class NearestAttention(nn.Module):
    """Features repeated, convolved and weighed, ×2, ×3 or ×2 twice, plus the bilinear image (PAN).

    Source: Zhao et al., "Efficient Image Super-Resolution Using Pixel Attention" (2020), sec. 3.3.
    """

    scale: int
    features: int = 24
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array, f: Array) -> Array:
        for i, step in enumerate(stages(self.scale)):
            f = Conv(self.features, dtype=self.dtype, name=f"enlarge_{i}")(
                upsample_nearest(f, step)
            )
            f = PixelAttention(dtype=self.dtype, name=f"attention_{i}")(f)
            f = Conv(self.features, dtype=self.dtype, name=f"conv_{i}")(nn.leaky_relu(f, 0.2))
            f = nn.leaky_relu(f, 0.2)
        y = Conv(3, dtype=self.dtype, name="conv_last")(f)
        return add_skip(y, x, self.scale, "bilinear")


def check_restores(network: str, scale: int) -> None:
    """Check that a network that restores isn't asked to enlarge.

    Raises:
      UserError: the scale is not 1.
    """
    if scale != 1:
        raise UserError(f"{network} restores images at their own size: its scale is 1, not {scale}")


def stages(scale: int) -> tuple[int, ...]:
    """Return the factors by which heads that enlarge in stages reach ``scale``.

    Raises:
      UserError: the scale is not 1, 2, 3, 4 or 8.
    """
    if scale not in SHUFFLE_STAGES:
        raise UserError(f"scale {scale}: the upsampling stages make 1, 2, 3, 4 or 8")
    return SHUFFLE_STAGES[scale]


def add_skip(y: Array, x: Array, scale: int, skip: str | None) -> Array:
    """Add the low-resolution image ``x`` to ``y``, enlarged by ``skip``, in float32."""
    if skip is None:
        return y
    enlarge = {"nearest": upsample_nearest, "bilinear": upsample_bilinear}[skip]
    return y.astype(jnp.float32) + enlarge(x.astype(jnp.float32), scale)
