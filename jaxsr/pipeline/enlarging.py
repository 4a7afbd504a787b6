"""Images brought to any size: an upscaler, blended with bicubic, then resized exactly."""

import functools
import math
import os
from collections.abc import Sequence

import numpy as np
from jaxtyping import Array, Float, Shaped

from jaxsr import zoo
from jaxsr.errors import UserError
from jaxsr.image.files import Picture
from jaxsr.image.pictures import Image, joined, opened, planes
from jaxsr.image.resize import imresize
from jaxsr.image.symmetry import ensemble
from jaxsr.image.values import decoded, encoded
from jaxsr.pipeline.result import Result
from jaxsr.pipeline.upscaling import Upscale, load_upscaler
from jaxsr.tiling.upscaling import Progress

Values = Float[np.ndarray, "_ _ _"]
Size = tuple[int | None, int | None]  # width and height in pixels; one may be None


class Enlarge:
    """Images of exactly the size that is wanted; see :meth:`__call__`.

    A released name stands for networks of several scales: of these the smallest is taken that
    reaches the size. What it gives is resized bicubically.
    """

    def __init__(
        self,
        name_or_path: str | os.PathLike = zoo.DEFAULT_UPSCALER,
        scale: int | float | None = None,
        size: Size | None = None,
        strength: int | float = 1.0,
        self_ensemble: bool = False,
        precision: str = zoo.PRECISIONS[0],
    ):
        """Say what is wanted; networks are loaded when they are first needed.

        Args:
          name_or_path: as for :func:`jaxsr.load`.
          scale: how many times as wide and as high images become, above 0; with neither this nor
            ``size``, what the network makes.
          size: width and height instead; where one is None it follows from the other.
          strength: of the network against bicubic interpolation, 0 to 1.
          self_ensemble: average what is made of an image's eight flips and turns: a little
            better, in eight times the time.
          precision: of the network, as for :func:`~jaxsr.pipeline.load_upscaler`.

        Raises:
          UserError: one of these is out of its range, or both ``scale`` and ``size`` are given.
        """
        none = (None, None)
        if scale is not None and size is not None:
            raise UserError("give either a scale or a size, not both")
        if scale is not None and not (math.isfinite(scale) and scale > 0):
            raise UserError(f"scale {scale}: give a number above 0")
        if size is not None and (size == none or any(n is not None and n < 1 for n in size)):
            raise UserError(f"size {size}: give a width or a height of at least 1 pixel")
        if not 0 <= strength <= 1:
            raise UserError(f"strength {strength}: give a number from 0 (bicubic) to 1 (network)")
        self._name, self._scale, self._size = name_or_path, scale, size
        self._strength, self._self_ensemble = strength, self_ensemble
        self._loaded = functools.cache(
            functools.partial(load_upscaler, name_or_path, precision=precision)
        )

    def __call__(
        self, image: Image, tile: int | str = "auto", progress: Progress | None = None
    ) -> Result:
        """Enlarge one image; arguments, result and errors as of :class:`~jaxsr.pipeline.Upscale`.

        A size below the image's own makes it smaller.

        Raises:
          UserError: also where the network does not reach the size.
        """
        image = opened(image)
        values = _values(image)
        shape = self._shape(*values.shape[:2])
        upscale = self._network(None if shape is None else shape[0] / values.shape[0])
        larger = self._enlarged(upscale, values, tile, progress)
        if shape is not None and larger.shape[:2] != shape:
            larger = np.asarray(imresize(larger, shape=shape))
        return Result(_like(image, larger))

    def _enlarged(
        self, upscale: Upscale, values: Values, tile: int | str, progress: Progress | None
    ) -> Values:
        """Return what the network makes, as often as is wanted, blended with bicubic."""

        def enlarge(images: Sequence[Values]) -> list[Values]:
            return [r.image for r in upscale.upscale_many(list(images), tile, progress)]

        (larger,) = (ensemble(enlarge) if self._self_ensemble else enlarge)([values])
        if self._strength == 1:
            return larger
        plain = np.asarray(imresize(values, upscale.scale)) if upscale.scale > 1 else values
        return self._strength * larger + (1 - self._strength) * plain

    def _shape(self, height: int, width: int) -> tuple[int, int] | None:
        """Return the height and width that are wanted; None: what the network makes."""
        if self._scale is not None:
            return max(1, round(height * self._scale)), max(1, round(width * self._scale))
        if self._size is None:
            return None
        across, down = self._size
        if across is None:
            across = max(1, round(width * (down or height) / height))
        return down or max(1, round(height * across / width)), across

    def _network(self, factor: float | None) -> Upscale:
        """Return the upscaler to take for an enlargement by ``factor``."""
        scales = zoo.upscalers().get(os.fspath(self._name), {})
        enough = (scale for scale in scales if factor is not None and scale >= factor)
        upscale = self._loaded(next(enough, None))
        if factor is not None and factor > upscale.scale:
            raise UserError(
                f"{os.fspath(self._name)} enlarges ×{upscale.scale}, and ×{factor:.3g} is wanted; "
                "give a smaller scale, or upscale the result again"
            )
        return upscale


def bicubic(image: Image, scale: int) -> Result:
    """Return an image enlarged by bicubic interpolation alone, to compare with.

    Raises:
      UserError: it is no image.
    """
    image = opened(image)
    return Result(_like(image, np.asarray(imresize(_values(image), scale))))


def _values(image: Shaped[np.ndarray | Array, "..."] | Picture) -> Values:
    """Return all channels of an image, alpha's too, as float32."""
    colour, alpha = planes(image)
    return decoded(colour if alpha is None else np.concatenate([colour, alpha[..., None]], axis=-1))


def _like(
    image: Shaped[np.ndarray | Array, "..."] | Picture, values: Values
) -> Shaped[np.ndarray, "..."] | Picture:
    """Return all channels of an enlarged image as an image of the kind of ``image``."""
    colour, alpha = planes(image)
    count = colour.shape[2]
    values = encoded(np.clip(values, 0, 1), colour.dtype)
    return joined(values[..., :count], None if alpha is None else values[..., count], image)
