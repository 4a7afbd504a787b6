"""The eight flips and quarter turns of a square: augmentation, and the self-ensemble."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Integer, Shaped

Pixels = Shaped[np.ndarray, "_ _ c"]
Enlarge = Callable[[Sequence[Any]], Iterable[Any]]  # images → as many larger ones, all float32


def turn(x: Pixels, i: int) -> Pixels:
    """Return the ``i``-th of the eight: ``i // 4`` flips, then ``i % 4`` quarter turns.

    The 0th is the image as it is.
    """
    pixels = np.ascontiguousarray(x).view(f"V{x.itemsize * x.shape[-1]}")[..., 0]
    pixels = np.rot90(pixels[:, ::-1] if i >= 4 else pixels, i % 4)  # moved whole: twice as fast
    pixels = np.ascontiguousarray(pixels)
    return pixels.view(x.dtype).reshape(*pixels.shape, x.shape[-1])


def turned(x: Shaped[Array, "s s c"], i: Integer[Array, ""]) -> Shaped[Array, "s s c"]:
    """Do as :func:`turn` to a square, inside a program, where ``i`` is not known before."""
    x = jnp.where(i >= 4, x[:, ::-1], x)
    x = jnp.where(i % 4 >= 2, x[::-1, ::-1], x)
    return jnp.where(i % 2 == 1, jnp.rot90(x), x)


def turn_back(x: Pixels, i: int) -> Pixels:
    """Undo :func:`turn`."""
    x = np.rot90(x, -(i % 4))
    return x[:, ::-1] if i >= 4 else x


def ensemble(upscale: Enlarge) -> Enlarge:
    """Return an upscaler that averages the outputs of an image's eight flips and turns.

    Source: Lim et al., "Enhanced Deep Residual Networks …" (2017), section 3.4 (self-ensemble).
    """

    def averaged(images: Sequence[Any]) -> Iterator[np.ndarray]:
        for image in images:
            outputs = upscale([turn(image, i) for i in range(8)])
            turned = [turn_back(np.asarray(y), i) for i, y in enumerate(outputs)]
            yield sum(turned[1:], turned[0]) / np.float32(8)

    return averaged
