"""Images of every kind as arrays to work on, and back: files, gray, alpha, 8 and 16 bits, floats."""

import dataclasses
import os

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped

from jaxsr.image import io
from jaxsr.image.resize import imresize
from jaxsr.tiled import decoded, encoded

Alpha = np.ndarray | None
CHANNELS = ((1,), (2,), (3,), (4,))  # gray, gray + alpha, RGB, RGB + alpha
Image = Shaped[np.ndarray | Array, "..."] | io.Picture | str | os.PathLike
Colour = Shaped[np.ndarray, "h w c"]  # gray or RGB; uint8, uint16 or float32


def opened(image: Image) -> Shaped[np.ndarray | Array, "..."] | io.Picture:
    """The picture in the file that ``image`` names; arrays and pictures as they are."""
    return io.read(image) if isinstance(image, str | os.PathLike) else image


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


def rgb(colour: Colour) -> Float[np.ndarray, "h w 3"]:
    """float32 RGB in [0, 1] of gray or RGB of any type."""
    return np.broadcast_to(decoded(colour), (*colour.shape[:2], 3))
