"""Images of every kind as arrays to work on, and back: files, gray, alpha, 8 and 16 bits, floats."""

import dataclasses
import os

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped

from jaxsr.errors import UserError
from jaxsr.image import files
from jaxsr.image.resize import imresize
from jaxsr.image.values import decoded, encoded

Alpha = np.ndarray | None
CHANNELS = ((1,), (2,), (3,), (4,))  # gray, gray + alpha, RGB, RGB + alpha
Image = Shaped[np.ndarray | Array, "..."] | files.Picture | str | os.PathLike
Colour = Shaped[np.ndarray, "h w c"]  # gray or RGB; uint8, uint16 or float32


def opened(image: Image) -> Shaped[np.ndarray | Array, "..."] | files.Picture:
    """The picture in the file that ``image`` names; arrays and pictures as they are."""
    return files.read(image) if isinstance(image, str | os.PathLike) else image


def split(image: Shaped[np.ndarray | Array, "..."] | files.Picture) -> tuple[np.ndarray, Alpha]:
    """Colours ``(h, w, 1 or 3)``, also under transparent pixels, and alpha ``(h, w)`` or None.

    Both are uint8, uint16 or float32, as the image is.
    """
    if isinstance(image, files.Picture):
        colour, alpha = image.pixels, image.alpha
    else:
        array = checked(np.asarray(image))
        array = array[..., None] if array.ndim == 2 else array
        count = 1 if array.shape[-1] < 3 else 3
        colour = array[..., :count]
        alpha = array[..., count] if array.shape[-1] > count else None
    if alpha is not None:
        colour = encoded(bleed(decoded(colour), decoded(alpha)), colour.dtype)
    return colour, alpha


def checked(array: np.ndarray) -> np.ndarray:
    """The array if it is an image; floats become float32."""
    if array.ndim not in (2, 3) or 0 in array.shape or array.shape[2:] not in ((), *CHANNELS):
        raise UserError(
            f"an image is (height, width) or (height, width, 1 to 4 channels), got {array.shape}"
        )
    if array.dtype in (np.uint8, np.uint16):
        return array
    if not jnp.issubdtype(array.dtype, jnp.floating):
        raise UserError(f"an image is uint8, uint16 or float in [0, 1], got {array.dtype}")
    array = array.astype(np.float32)
    if not (array.min() >= -1 and array.max() <= 2):  # some overshoot is no mistake; NaN fails
        raise UserError(
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
    colour: np.ndarray, alpha: Alpha, like: Shaped[np.ndarray | Array, "..."] | files.Picture
) -> np.ndarray | files.Picture:
    """Colour and alpha in the form of the image ``like``; a Picture keeps its ICC and EXIF."""
    if isinstance(like, files.Picture):
        return dataclasses.replace(like, pixels=colour, alpha=alpha)
    if alpha is not None:
        colour = np.concatenate([colour, alpha[..., None]], axis=-1)
    return colour[..., 0] if like.ndim == 2 else colour


def rgb(colour: Colour) -> Float[np.ndarray, "h w 3"]:
    """float32 RGB in [0, 1] of gray or RGB of any type."""
    return np.broadcast_to(decoded(colour), (*colour.shape[:2], 3))


def stored(
    result: Float[np.ndarray, "h w 3"], like: Shaped[np.ndarray, "_ _ _"]
) -> Shaped[np.ndarray, "h w _"]:
    """RGB in [0, 1] in the channels and the type of ``like``: gray is the mean, integers rounded."""
    if like.shape[-1] == 1:
        result = result.mean(axis=-1, keepdims=True, dtype=np.float32)
    return encoded(result, like.dtype)


def bleed(
    pixels: Float[np.ndarray, "h w c"], alpha: Float[np.ndarray, "h w"]
) -> Float[np.ndarray, "h w c"]:
    """Replaces the colours of fully transparent pixels by those of the visible pixels around them.

    What lies under full transparency is arbitrary, often black, and enlarging would draw it into
    the visible edge as a dark fringe. All other pixels are left as they are.

    Source: the push-pull pyramid of Gortler et al., "The Lumigraph" (1996), section 3.4.
    """
    if not alpha.any():
        return pixels
    return _fill(pixels.astype(np.float32), alpha.astype(np.float32))


def _fill(colour: np.ndarray, weight: np.ndarray) -> np.ndarray:
    if weight.all():
        return colour
    coarse = _enlarged(_fill(*_pull(colour, weight)))
    height, width = weight.shape
    return np.where(weight[..., None] > 0, colour, coarse[:height, :width])


def _pull(colour: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Half the size: the weighted mean colour and the mean weight of each 2×2 block."""
    odd = [(0, size % 2) for size in weight.shape]
    weighted = np.concatenate([colour * weight[..., None], weight[..., None]], axis=-1)
    weighted = np.pad(weighted, (*odd, (0, 0)))
    height, width, channels = weighted.shape
    mean = weighted.reshape(height // 2, 2, width // 2, 2, channels).mean((1, 3))
    weight = mean[..., -1]
    return mean[..., :-1] / np.maximum(weight, 1e-30)[..., None], weight


def _enlarged(x: np.ndarray) -> np.ndarray:
    """Twice the size, bilinear with the edge repeated."""
    for axis in (0, 1):
        padded = np.pad(x, [(1, 1) if i == axis else (0, 0) for i in range(3)], mode="edge")
        before, after = (padded.take(range(i, i + x.shape[axis]), axis) for i in (0, 2))
        pair = np.stack([0.75 * x + 0.25 * before, 0.75 * x + 0.25 * after], axis + 1)
        x = pair.reshape(*x.shape[:axis], -1, *x.shape[axis + 1 :])
    return x
