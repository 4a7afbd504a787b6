"""The stages as a user calls them. Upscaling: ``load("span-compact")("photo.jpg")``."""

import dataclasses
import functools
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Shaped

from jaxsr import zoo
from jaxsr.image import io
from jaxsr.image.resize import imresize
from jaxsr.networks.upscaler import Upscaler
from jaxsr.tiled import Progress, TiledUpscaler, apply, decoded, encoded

Params = dict[str, Any]
Alpha = np.ndarray | None
CHANNELS = ((1,), (2,), (3,), (4,))  # gray, gray + alpha, RGB, RGB + alpha
Image = Shaped[np.ndarray | Array, "..."] | io.Picture | str | os.PathLike


def load(name_or_path: str | os.PathLike = zoo.DEFAULT, scale: int | None = None) -> "Upscale":
    """An upscaler with weights: released ones by name, or those of a file.

    Args:
      name_or_path: a name of ``zoo.available()``, or a ``.safetensors`` file.
      scale: 2, 3 or 4; when not given, 4 for a name and the file's own for a path.

    Raises:
      ValueError: there are no such weights, or they don't fit the network they name.
    """
    weights = zoo.load(name_or_path, scale)
    return Upscale(zoo.build(weights, name_or_path), weights.params)


class Upscale:
    """Images in, images ``scale`` times as large out; see :meth:`__call__`.

    Attributes:
      network: the linen module.
      params: its parameters.
      scale: 2, 3 or 4.
      apply: ``apply(params, x)``, x of ``(b, h, w, 3)`` in [0, 1] → ``(b, sh, sw, 3)`` in [0, 1]: a
        pure function, to jit, grad, vmap and shard in other JAX code.
    """

    def __init__(self, network: Upscaler, params: Params, devices: Sequence[jax.Device] = ()):
        self.network = network
        self.params = params
        self.scale = network.scale
        self.apply: Callable[[Params, Array], Array] = functools.partial(apply, network)
        self._tiled = TiledUpscaler(network, params, devices)

    def __call__(self, image: Image, tile: int | str = "auto") -> np.ndarray | io.Picture:
        """One image, or one array of images ``(b, h, w, c)``, upscaled.

        Gray images (no channel axis, or one or two channels) are upscaled as RGB and come back
        gray. A last channel beyond gray or RGB is alpha: it is upscaled by bicubic interpolation,
        and what it hides doesn't bleed into the visible.

        Args:
          image: an array, float in [0, 1] or uint8 or uint16, or a Picture, or a file's path.
          tile: the longest side of a tile in low-resolution pixels, 0 for the whole image.

        Returns:
          An array in the type of the one given (floats as float32, clipped to [0, 1]), on the host;
          a Picture, with the ICC profile and EXIF it had, for a Picture or a path.

        Raises:
          ValueError: the file or the array is not an image, or memory suffices for no tile.
        """
        if getattr(image, "ndim", 0) == 4:
            return np.stack(self.upscale_many(list(image), tile))
        return self.upscale_many([image], tile)[0]

    def upscale_many(
        self,
        images: Iterable[Image],
        tile: int | str = "auto",
        progress: Progress | None = None,
    ) -> list[np.ndarray | io.Picture]:
        """Images of any sizes and kinds, in order. Tiles of several share batches and devices.

        All of it is in memory at a time; give a long list in parts. Arguments and errors are those
        of :meth:`__call__`; ``progress`` is called with (tiles done, tiles in all).
        """
        images = [io.read(i) if isinstance(i, str | os.PathLike) else i for i in images]
        parts = [split(image) for image in images]
        colours = self._tiled([colour for colour, _ in parts], tile, progress)
        return [
            joined(colour, upscale_alpha(alpha, self.scale), image)
            for image, colour, (_, alpha) in zip(images, colours, parts, strict=True)
        ]


def split(image: Shaped[np.ndarray | Array, "..."] | io.Picture) -> tuple[np.ndarray, Alpha]:
    """Colours ``(h, w, 1 or 3)``, also under transparent pixels, and alpha ``(h, w)`` or None.

    Both are uint8, uint16 or float32, as the image is.
    """
    if isinstance(image, io.Picture):
        colour, alpha = image.pixels, image.alpha
    else:
        array = checked(np.asarray(image))
        array = array[..., None] if array.ndim == 2 else array
        count = 1 if array.shape[-1] < 3 else 3
        colour = array[..., :count]
        alpha = array[..., count] if array.shape[-1] > count else None
    if alpha is not None:
        colour = encoded(io.bleed(decoded(colour), decoded(alpha)), colour.dtype)
    return colour, alpha


def checked(array: np.ndarray) -> np.ndarray:
    """The array if it is an image; floats become float32."""
    if array.ndim not in (2, 3) or 0 in array.shape or array.shape[2:] not in ((), *CHANNELS):
        raise ValueError(
            f"an image is (height, width) or (height, width, 1 to 4 channels), got {array.shape}"
        )
    if array.dtype in (np.uint8, np.uint16):
        return array
    if not jnp.issubdtype(array.dtype, jnp.floating):
        raise ValueError(f"an image is uint8, uint16 or float in [0, 1], got {array.dtype}")
    array = array.astype(np.float32)
    if not (array.min() >= -1 and array.max() <= 2):  # some overshoot is no mistake; NaN fails
        raise ValueError(
            f"a float image is in [0, 1], got {array.min():g} to {array.max():g}; "
            "divide by its white, or give uint8 or uint16"
        )
    return array


def upscale_alpha(alpha: Alpha, scale: int) -> Alpha:
    """Bicubic, in its own type: networks have learnt colours, and alpha is none."""
    if alpha is None:
        return None
    enlarged = imresize(decoded(alpha)[..., None], scale)[..., 0]
    return encoded(np.clip(np.asarray(enlarged), 0, 1), alpha.dtype)


def joined(
    colour: np.ndarray, alpha: Alpha, like: Shaped[np.ndarray | Array, "..."] | io.Picture
) -> np.ndarray | io.Picture:
    """Colour and alpha in the form of the image ``like``; a Picture keeps its ICC and EXIF."""
    if isinstance(like, io.Picture):
        return dataclasses.replace(like, pixels=colour, alpha=alpha)
    if alpha is not None:
        colour = np.concatenate([colour, alpha[..., None]], axis=-1)
    return colour[..., 0] if like.ndim == 2 else colour
