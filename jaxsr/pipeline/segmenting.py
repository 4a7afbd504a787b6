"""Segment: the mask of an image of any kind and size."""

import functools
import os
from collections.abc import Iterator, Sequence

import jax
import numpy as np
from jaxtyping import Float, UInt

from jaxsr import zoo
from jaxsr.errors import UserError
from jaxsr.image.pictures import Image, opened, rgb, split
from jaxsr.image.values import decoded
from jaxsr.networks.attention_unet import AttentionUNet
from jaxsr.pipeline.result import Result
from jaxsr.pipeline.upscaling import Params
from jaxsr.regions import masks
from jaxsr.regions.segment import probabilities, salient


def load_segmenter(name_or_path: str | os.PathLike = zoo.DEFAULT_SEGMENTER) -> "Segment":
    """A segmenter with weights: released ones by name, or those of a file.

    The classes' names are the note ``classes`` of the weights, ``background,cat,dog``.

    Raises:
      UserError: there are no such weights, or they don't fit the network they name.
    """
    weights = zoo.read_segmenter(name_or_path)
    names = weights.notes.get("classes", "")
    network = zoo.build(weights, name_or_path)
    return Segment(network, weights.params, names.split(",") if names else ())


class Segment:
    """Images in, masks of what stands out in them out; see :meth:`__call__`.

    Attributes:
      network: the linen module.
      params: its parameters.
      classes: their names, the background first: numbers where they have none. Empty where the
        network tells only the region from the rest.
    """

    def __init__(self, network: AttentionUNet, params: Params, classes: Sequence[str] = ()):
        """Raises UserError where there are other than the network's number of ``classes``."""
        self.network = network
        self.params = params
        several = network.classes > 1
        self.classes = tuple(classes) or tuple(map(str, range(network.classes * several)))
        if several and len(self.classes) != network.classes:
            raise UserError(f"{len(self.classes)} names for the {network.classes} classes")
        self._probabilities = jax.jit(functools.partial(probabilities, network))

    def __call__(self, image: Image, of: str | int | None = None) -> Result:
        """The soft mask of what stands out, or of one class.

        Args:
          image: an array, float in [0, 1] or uint8 or uint16, or a Picture, or a file's path.
          of: a class's name or number; None: all but the background.

        Returns:
          ``mask``: ``(h, w)`` of the image's size, in [0, 1]: the region is where it is above 0.5.

        Raises:
          UserError: it is no image, or there is no such class.
        """
        index = None if of is None else self.index(of)
        p, height, width = self._of_square(image)
        if index is None:
            mask = masks.resized(salient(p), height, width)
        else:
            p = np.roll(p, -index, axis=-1)  # the class first
            planes = _planes(p, height, width)
            mine, others = next(planes), functools.reduce(np.maximum, planes)
            mask = masks.of_class(np.stack([mine, others], -1), 0)
        return Result(mask=np.clip(mask, 0, 1))  # resizing rounds

    def in_boxes(
        self, image: Image, boxes: Sequence[masks.Box], of: str | int | None = None
    ) -> Result:
        """The mask of what stands out within boxes ``(x, y, w, h)``, each looked at by itself.

        The rest is as for :meth:`__call__`.

        Raises:
          UserError: also where a box has no pixel of the image.
        """
        colour, _ = split(opened(image))
        mask = np.zeros(colour.shape[:2], np.float32)
        for box in boxes:
            rows, cols = (
                np.flatnonzero(masks.boxes([box], *mask.shape).any(axis)) for axis in (1, 0)
            )
            place = slice(rows[0], rows[-1] + 1), slice(cols[0], cols[-1] + 1)
            mask[place] = np.maximum(mask[place], self(colour[place], of).mask)
        return Result(mask=mask)

    def labels(self, image: Image) -> UInt[np.ndarray, "h w"]:
        """The number of the most probable class at every pixel; of one class, 1 for the region.

        Argument and errors are those of :meth:`__call__`.
        """
        p, height, width = self._of_square(image)
        if not self.classes:
            p = np.concatenate([1 - p, p], -1)
        planes = _planes(p, height, width)
        best = next(planes)
        labels = np.zeros((height, width), np.min_scalar_type(p.shape[-1] - 1))
        for label, plane in enumerate(planes, 1):
            labels[plane > best] = label
            np.maximum(best, plane, out=best)
        return labels

    def index(self, of: str | int) -> int:
        """The number of a class; a name that is a number is a name.

        Raises:
          UserError: there is none of that name or number.
        """
        if not self.classes:
            raise UserError(
                f"no class {of!r}: this segmenter tells only what stands out; leave the class out"
            )
        if of in self.classes:
            return self.classes.index(of)
        number = int(of) if isinstance(of, int) or of.isdecimal() else -1
        if not 0 <= number < len(self.classes):
            raise UserError(f"no class {of!r}; there are: {', '.join(self.classes)}")
        return number

    def _of_square(self, image: Image) -> tuple[Float[np.ndarray, "s s classes"], int, int]:
        """The classes' probabilities in the square that the network works on; the image's size."""
        colour, _ = split(opened(image))
        side = self.network.side
        # one plane after another: the whole image in float32 might not fit in memory
        planes = [masks.resized(decoded(plane), side, side) for plane in np.moveaxis(colour, -1, 0)]
        p = self._probabilities(self.params, rgb(np.stack(planes, -1))[None])
        return np.asarray(p)[0], *colour.shape[:2]


def _planes(
    p: Float[np.ndarray, "s s classes"], height: int, width: int
) -> Iterator[Float[np.ndarray, "{height} {width}"]]:
    """Each class at the image's size, one after another."""
    return (masks.resized(plane, height, width) for plane in np.moveaxis(p, -1, 0))
