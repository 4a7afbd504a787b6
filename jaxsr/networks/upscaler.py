"""The skeleton of every upscaler: extract → enhance → fuse, and the shared ``fuse`` heads."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxsr.networks.layers import Conv, Dtype, pixel_shuffle, upsample_bilinear, upsample_nearest

DIV2K_MEAN = (0.4488, 0.4371, 0.4040)  # RGB mean of DIV2K, subtracted by EDSR, RCAN, SwinIR, HAT


class Upscaler(nn.Module):
    """Low-resolution RGB in [0, 1] → high-resolution RGB (not clipped).

    ``f0 = extract(x)``, ``f = enhance(f0)``, ``y = fuse(x, f)``; the three stages are modules given
    by each architecture's file. A network trained on another range says so with ``mean`` and
    ``value_range``: the stages see ``(x − mean) · value_range``.

    Attributes:
      extract: convolutional features of the low-resolution image.
      enhance: the body; attention decides here what passes. Same shape in and out.
      fuse: joins the enhanced features with the low-resolution image, at ``scale`` times its size.
      scale: 2, 3 or 4.
      denormalise: undo ``mean`` and ``value_range`` on the output (SPAN's heads learn to instead).
      multiple: heights and widths are padded (mirrored) to a multiple of this, the result cropped.
      receptive_field: radius in low-resolution pixels beyond which no input changes an output
        pixel; None for networks that pool over, or attend to, the whole image.
    """

    extract: nn.Module
    enhance: nn.Module
    fuse: nn.Module
    scale: int
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    value_range: float = 1.0
    denormalise: bool = True
    multiple: int = 1
    receptive_field: int | None = None

    def __call__(self, x: Float[Array, "b h w 3"]) -> Float[Array, "b sh sw 3"]:
        height, width = x.shape[1:3]
        x = pad_to_multiple((x - jnp.asarray(self.mean, x.dtype)) * self.value_range, self.multiple)
        f0 = self.extract(x)
        f = self.enhance(f0)
        y = self.fuse(x, f)
        y = y[:, : height * self.scale, : width * self.scale].astype(jnp.float32)
        if not self.denormalise:
            return y
        return y / self.value_range + jnp.asarray(self.mean, y.dtype)


def pad_to_multiple(x: Float[Array, "b h w c"], multiple: int) -> Float[Array, "b h2 w2 c"]:
    """Mirrors the bottom and right border until both sizes are multiples of ``multiple``."""
    pads = [(-size) % multiple for size in x.shape[1:3]]
    if not any(pads):
        return x
    # "reflect" as in the papers' code; "symmetric" where the image is too small to mirror that far
    modes = [
        "reflect" if pad < size else "symmetric"
        for pad, size in zip(pads, x.shape[1:3], strict=True)
    ]
    x = jnp.pad(x, ((0, 0), (0, pads[0]), (0, 0), (0, 0)), mode=modes[0])
    return jnp.pad(x, ((0, 0), (0, 0), (0, pads[1]), (0, 0)), mode=modes[1])


class Extract(nn.Module):
    """One 3×3 convolution: the shallow features of almost every upscaler."""

    features: int
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        return Conv(self.features, dtype=self.dtype, name="conv")(x)


class PixelShuffleDirect(nn.Module):
    """One convolution to ``3·scale²`` channels, then pixel shuffle (ESPCN; RLFN, SPAN, SwinIR-light).

    ``skip`` adds the low-resolution image, enlarged: None, "nearest" or "bilinear".
    """

    scale: int
    skip: str | None = None
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array, f: Array) -> Array:
        y = pixel_shuffle(Conv(3 * self.scale**2, dtype=self.dtype, name="conv")(f), self.scale)
        return add_skip(y, x, self.scale, self.skip)


def add_skip(y: Array, x: Array, scale: int, skip: str | None) -> Array:
    """``y`` plus the low-resolution image ``x`` enlarged by ``skip``, in float32."""
    if skip is None:
        return y
    enlarge = {"nearest": upsample_nearest, "bilinear": upsample_bilinear}[skip]
    return y.astype(jnp.float32) + enlarge(x.astype(jnp.float32), scale)
