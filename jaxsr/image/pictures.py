"""The one door for whatever a caller gives: pictures of every kind, and masks that say a region.

An *image* may be a file's path, a :class:`~jaxsr.image.files.Picture` or an array: ``(h, w)``, or
``(h, w, channels)`` of 1 (gray), 2 (gray, alpha), 3 (RGB) or 4 (RGB, alpha); uint8, uint16, or
float in [0, 1]. A *region* may be "all", an array, boxes or a file's path; "auto" says that it is
to be found (:mod:`jaxsr.regions.find`). The pipeline and the codec take both by the rules here.
"""

import dataclasses
import operator
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import PIL.Image
from jaxtyping import Array, Float, Shaped

from jaxsr.errors import UserError
from jaxsr.image import files
from jaxsr.image.resize import imresize
from jaxsr.image.values import decoded, encoded, from_float, to_float

Path = str | os.PathLike
Image = Shaped[np.ndarray | Array, "..."] | files.Picture | Path
Colour = Shaped[np.ndarray, "h w c"]  # gray or RGB; uint8, uint16 or float32
Alpha = Shaped[np.ndarray, "h w"] | None
PILLOW_MODES = ("L", "LA", "RGB", "RGBA", "I;16")
CHANNELS = ((1,), (2,), (3,), (4,))  # gray, gray + alpha, RGB, RGB + alpha

Mask = Float[np.ndarray, "h w"]
Box = Sequence[int]  # x, y, w, h in pixels: the left top pixel, and the size
Given = Path | Shaped[np.ndarray | Array, "..."] | Sequence[Box]
Finder = Callable[
    ..., Any
]  # from colours (h, w, 1 or 3) to their mask, or to a result with a ``mask``
Roi = Given | Finder | None
WORDS = ("auto", "all")  # that say a region; any other text is a file's path
REGIONS = f"{', '.join(map(repr, WORDS))}, boxes, a mask or its file"


# Pictures


def opened(image: Image) -> Shaped[np.ndarray | Array, "..."] | files.Picture:
    """Return the picture in the file that ``image`` names; arrays and Pictures as they are.

    Raises:
      UserError: the file is not there, or holds no image.
    """
    return files.read(image) if isinstance(image, str | os.PathLike) else image


def split(image: Shaped[np.ndarray | Array, "..."] | files.Picture) -> tuple[Colour, Alpha]:
    """Split an image into colours ``(h, w, 1 or 3)`` and alpha ``(h, w)``, if it has any.

    Both are uint8, uint16 or float32, as the image is. Where alpha hides the colours completely,
    those of the visible surroundings are continued (:func:`bleed`).

    Raises:
      UserError: it is no image (:func:`checked`).
    """
    colour, alpha = planes(image)
    if alpha is not None:
        colour = encoded(bleed(decoded(colour), decoded(alpha)), colour.dtype)
    return colour, alpha


def planes(image: Shaped[np.ndarray | Array, "..."] | files.Picture) -> tuple[Colour, Alpha]:
    """Return what :func:`split` does, with the colours as they are under alpha, too."""
    if isinstance(image, files.Picture):
        return image.pixels, image.alpha
    array = checked(as_array(image, "an image"))
    array = array[..., None] if array.ndim == 2 else array
    count = 1 if array.shape[-1] < 3 else 3
    return array[..., :count], array[..., count] if array.shape[-1] > count else None


def as_picture(image: Image) -> files.Picture:
    """Return any image as a Picture; floats become 8 bits.

    Raises:
      UserError: the file is not there, or it is no image.
    """
    image = opened(image)
    if isinstance(image, files.Picture):
        return image
    colour, alpha = planes(image)
    if colour.dtype == np.float32:
        colour, alpha = from_float(colour), None if alpha is None else from_float(alpha)
    return files.Picture(colour, alpha)


def as_array(given: Any, what: str) -> np.ndarray:
    """Return what a caller gave as an array of the machine's byte order; ``what`` it should be.

    Raises:
      UserError: it is no array, nor anything that NumPy makes one of; or an image of Pillow whose
        numbers mean something else, such as a palette's entries.
    """
    if (mode := pillow_mode(given)) not in (None, *PILLOW_MODES):
        raise UserError(
            f"{what} of Pillow's mode {mode}; modes are {', '.join(PILLOW_MODES)}: convert it "
            f'first, image.convert("{"L" if what == "a mask" else "RGB"}")'
        )
    try:
        array = np.asarray(given)
    except jax.errors.TracerArrayConversionError:  # a fault of the program, which JAX explains
        raise
    except (TypeError, ValueError) as error:
        raise UserError(f"{what} is an array, got {type(given).__name__}: {error}") from None
    if array.ndim == 0 and not hasattr(given, "ndim"):
        raise UserError(f"{what} is an array or a file's path, got {type(given).__name__}")
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def pillow_mode(given: Any) -> str | None:
    """Return the mode of an image of Pillow; None for all else."""
    return given.mode if isinstance(given, PIL.Image.Image) else None


def checked(array: np.ndarray) -> np.ndarray:
    """Return the array if it is an image; floats become float32.

    Floats may overshoot [0, 1] a little, as results of filters do.

    Raises:
      UserError: its shape, type or values are no image's.
    """
    if array.ndim not in (2, 3) or 0 in array.shape or array.shape[2:] not in ((), *CHANNELS):
        raise UserError(
            f"an image is (height, width) or (height, width, 1 to 4 channels), got {array.shape}"
        )
    if array.dtype in (np.uint8, np.uint16):
        return array
    if not jnp.issubdtype(array.dtype, jnp.floating):
        raise UserError(f"an image is uint8, uint16 or float in [0, 1], got {array.dtype}")
    array = array.astype(np.float32)
    low, high = array.min(), array.max()
    if np.isnan(low):
        raise UserError(
            "a float image is in [0, 1], this one holds NaN; put numbers in their place"
        )
    if not (low >= -1 and high <= 2):
        raise UserError(
            f"a float image is in [0, 1], got {low:g} to {high:g}; "
            "divide by its white, or give uint8 or uint16"
        )
    return array


def upscale_alpha(alpha: Alpha, scale: int) -> Shaped[np.ndarray, "_ _"] | None:
    """Enlarge alpha by bicubic interpolation, in its own type: networks have learnt colours."""
    if alpha is None:
        return None
    plane = jax.device_put(decoded(alpha)[..., None])
    enlarged = jax.device_get(imresize(plane, scale))[..., 0]
    return encoded(np.clip(enlarged, 0, 1), alpha.dtype)


def joined(
    colour: Colour, alpha: Alpha, like: Shaped[np.ndarray | Array, "..."] | files.Picture
) -> Shaped[np.ndarray, "..."] | files.Picture:
    """Join colours and alpha to an image of the kind of ``like``; a Picture keeps ICC and EXIF."""
    if isinstance(like, files.Picture):
        return dataclasses.replace(like, pixels=colour, alpha=alpha)
    if alpha is not None:
        colour = np.concatenate([colour, alpha[..., None]], axis=-1)
    return colour[..., 0] if like.ndim == 2 else colour


def rgb(colour: Colour) -> Float[np.ndarray, "h w 3"]:
    """Return gray or RGB of any type as float32 RGB in [0, 1]."""
    return np.broadcast_to(decoded(colour), (*colour.shape[:2], 3))


def stored(
    result: Float[np.ndarray, "h w _"], like: Shaped[np.ndarray, "_ _ _"]
) -> Shaped[np.ndarray, "h w _"]:
    """Return an image in [0, 1] in the channels and the type of ``like``.

    Gray is the mean of all channels; integers are rounded.
    """
    if like.shape[-1] == 1:
        result = result.mean(axis=-1, keepdims=True, dtype=np.float32)
    return encoded(result, like.dtype)


def bleed(
    pixels: Float[np.ndarray, "h w c"], alpha: Float[np.ndarray, "h w"]
) -> Float[np.ndarray, "h w c"]:
    """Replace the colours of fully transparent pixels by those of the visible pixels around them.

    What lies under full transparency is arbitrary, often black, and enlarging would draw it into
    the visible edge as a dark fringe. All other pixels are left as they are.

    Source: the push-pull pyramid of Gortler et al., "The Lumigraph" (1996), section 3.4.
    """
    if not alpha.any():
        return pixels
    return _fill(pixels.astype(np.float32), alpha.astype(np.float32))


def _fill(colour: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Fill where the weight is 0 from ever coarser levels of the pyramid."""
    if weight.all():
        return colour
    coarse = _enlarged(_fill(*_pull(colour, weight)))
    height, width = weight.shape
    return np.where(weight[..., None] > 0, colour, coarse[:height, :width])


def _pull(colour: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Halve the size: the weighted mean colour and the mean weight of each 2×2 block."""
    odd = [(0, size % 2) for size in weight.shape]
    weighted = np.concatenate([colour * weight[..., None], weight[..., None]], axis=-1)
    weighted = np.pad(weighted, (*odd, (0, 0)))
    height, width, channels = weighted.shape
    mean = weighted.reshape(height // 2, 2, width // 2, 2, channels).mean((1, 3))
    weight = mean[..., -1]
    return mean[..., :-1] / np.maximum(weight, 1e-30)[..., None], weight


def _enlarged(x: np.ndarray) -> np.ndarray:
    """Double the size, bilinear with the edge repeated."""
    for axis in (0, 1):
        padded = np.pad(x, [(1, 1) if i == axis else (0, 0) for i in range(3)], mode="edge")
        before, after = (padded.take(range(i, i + x.shape[axis]), axis) for i in (0, 2))
        pair = np.stack([0.75 * x + 0.25 * before, 0.75 * x + 0.25 * after], axis + 1)
        x = pair.reshape(*x.shape[:axis], -1, *x.shape[axis + 1 :])
    return x


# Masks


def given_mask(roi: Given, height: int, width: int) -> Mask:
    """Return the region that a caller gives as a mask of an image, float32 in [0, 1].

    Args:
      roi: "all"; an array as :func:`checked_mask` takes it; boxes ``[(x, y, w, h), …]``, or an
        array of them, one a row; or the path of a mask's file, read at every call: to use one for
        many images, give the array of :func:`read_mask`.
      height, width: the image's, in pixels.

    Raises:
      UserError: it is none of these, or doesn't fit the image.
    """
    if isinstance(roi, str) and roi == "all":
        return np.ones((height, width), np.float32)
    if isinstance(roi, str | os.PathLike):
        return checked_mask(read_mask(roi), height, width)
    given: Any = roi
    if _holds_boxes(given, height, width):
        given = given.tolist()
    if hasattr(given, "ndim") or pillow_mode(given):
        return checked_mask(given, height, width)
    if not isinstance(given, Iterable):
        raise UserError(f"a region is {REGIONS}, got {type(roi).__name__}")
    return boxes_mask(list(given), height, width)


def _holds_boxes(given: Any, height: int, width: int) -> bool:
    """Return True for an array of whole numbers that is no mask, but may be a box in each row."""
    shape = getattr(given, "shape", ())
    if len(shape) != 2 or shape[1] != 4 or tuple(shape) == (height, width):
        return False
    return jnp.issubdtype(given.dtype, jnp.integer)


def read_mask(path: Path) -> Mask:
    """Read a mask: the mean of the channels of an image file; what is transparent counts as black.

    Raises:
      UserError: there is no such file, or it holds no image.
    """
    if not os.path.exists(path):
        raise UserError(f"{path}: no such file; a region is {REGIONS}")
    picture = files.read(path)
    values = to_float(picture.pixels).mean(axis=-1)
    return values if picture.alpha is None else values * to_float(picture.alpha)


def boxes_mask(
    boxes: Sequence[Box], height: int, width: int
) -> Float[np.ndarray, "{height} {width}"]:
    """Return the mask that is 1 within boxes; what of them lies beyond the image is cut off.

    Args:
      boxes: of pixels ``(x, y, w, h)``: the left top one, width and height.
      height, width: the image's, in pixels.

    Raises:
      UserError: there are no boxes; or one is not four whole numbers, is empty, or lies outside.
    """
    if not len(boxes):
        raise UserError("no boxes given; give at least one as x,y,w,h")
    mask = np.zeros((height, width), np.float32)
    for box in boxes:
        x, y, w, h = within(box, height, width)
        mask[y : y + h, x : x + w] = 1
    return mask


def within(box: Box, height: int, width: int) -> tuple[int, int, int, int]:
    """Return the part of a box ``(x, y, w, h)`` that lies in an image of so many pixels.

    Raises:
      UserError: it is not four whole numbers, is empty, or lies outside.
    """
    try:
        x, y, w, h = map(_index, box)
    except (TypeError, ValueError):
        raise UserError(
            f"a box is four whole numbers x,y,w,h, got {box!r}; "
            "a list of boxes is [(x, y, w, h), …]"
        ) from None
    name = f"box {x},{y},{w},{h} (x,y,w,h)"
    if w < 1 or h < 1:
        raise UserError(f"{name} is empty; its width and height must be 1 or more")
    if x >= width or y >= height or x + w <= 0 or y + h <= 0:
        raise UserError(
            f"{name} lies outside the image of {width}×{height} pixels; "
            f"x is 0 to {width - 1}, y is 0 to {height - 1}"
        )
    left, top = max(x, 0), max(y, 0)
    return left, top, min(x + w, width) - left, min(y + h, height) - top


def _index(number: Any) -> int:
    """Return a whole number; True and False are none."""
    if isinstance(number, bool):
        raise TypeError
    return operator.index(number)


def checked_mask(
    mask: Shaped[np.ndarray | Array, "..."], height: int, width: int
) -> Float[np.ndarray, "{height} {width}"]:
    """Return an array as the mask of an image, float32 in [0, 1].

    Args:
      mask: ``(h, w)`` or ``(h, w, 1)``; bool, uint8 or uint16 (their largest value is 1), or float.
      height, width: the image's, in pixels.

    Raises:
      UserError: it is of another type or size than that, or a float outside [0, 1].
    """
    mask = as_array(mask, "a mask")
    if mask.shape not in ((height, width), (height, width, 1)):
        raise UserError(
            f"the mask is {_size(mask)}, the image {width}×{height} pixels; a mask is one channel "
            "of the image's size: resize it first"
        )
    mask = mask.reshape(height, width)
    if mask.dtype in (np.uint8, np.uint16):
        return to_float(mask)
    if mask.dtype != np.bool_ and not jnp.issubdtype(mask.dtype, np.floating):
        raise UserError(f"a mask is bool, uint8, uint16 or float in [0, 1], got {mask.dtype}")
    mask = mask.astype(np.float32)
    if not (mask.min() >= 0 and mask.max() <= 1):  # NaN fails, too
        raise UserError(f"a float mask is in [0, 1], got {mask.min():g} to {mask.max():g}")
    return mask


def _size(mask: np.ndarray) -> str:
    if mask.ndim == 3:
        return f"{mask.shape[1]}×{mask.shape[0]} of {mask.shape[2]} channels"
    return f"{mask.shape[1]}×{mask.shape[0]}" if mask.ndim == 2 else f"an array of {mask.shape}"
