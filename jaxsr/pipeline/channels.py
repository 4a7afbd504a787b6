"""Images of any channels through networks that take gray, RGB, or RGB with alpha."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Shaped

from jaxsr.image.pictures import Alpha, Colour, upscale_alpha
from jaxsr.image.values import encoded

Taken = Shaped[np.ndarray, "_ _ _"]


def taken(colour: Colour, alpha: Alpha, channels: int) -> list[Taken]:
    """Return what a network of so many channels is given of an image.

    Args:
      channels: 3: the colours. 1: each of them as a gray image. 4: colours and alpha, opaque where
        the image has none.
    """
    if channels == 1:
        return [colour[..., i : i + 1] for i in range(colour.shape[2])]
    if channels == 3:
        return [colour]
    height, width = colour.shape[:2]
    if alpha is None:
        alpha = encoded(np.ones((height, width), np.float32), colour.dtype)
    return [np.concatenate([np.broadcast_to(colour, (height, width, 3)), alpha[..., None]], -1)]


def given_back(
    results: Sequence[Taken], colour: Colour, alpha: Alpha, scale: int
) -> tuple[Taken, Shaped[np.ndarray, "_ _"] | None]:
    """Return colours and alpha of what a network made of :func:`taken`.

    Alpha that the network did not see is enlarged by bicubic interpolation.
    """
    if results[0].shape[2] < 4:
        return np.concatenate(results, axis=-1), upscale_alpha(alpha, scale)
    (result,) = results
    colours = result[..., :3]
    if colour.shape[2] == 1:
        mean = colours.mean(axis=-1, keepdims=True, dtype=np.float32)
        colours = np.rint(mean).astype(colour.dtype) if colour.dtype != np.float32 else mean
    return colours, None if alpha is None else result[..., 3]
