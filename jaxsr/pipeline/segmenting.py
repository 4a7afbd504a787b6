"""Segment: the mask of an image of any kind and size."""

import copy
import os
from collections.abc import Sequence

import jax
import numpy as np
from jaxtyping import UInt

from jaxsr import zoo
from jaxsr.image.pictures import Box, Colour, Image, boxes_mask, opened, split
from jaxsr.networks.attention_unet import AttentionUNet
from jaxsr.pipeline.result import Result
from jaxsr.pipeline.upscaling import Params
from jaxsr.regions import segmenting
from jaxsr.regions.segmenting import SquareSegmenter


def load_segmenter(name_or_path: str | os.PathLike = zoo.DEFAULT_SEGMENTER) -> "Segment":
    """Return a segmenter with weights: released ones by name, or those of a file.

    The classes' names are the note ``classes`` of the weights, ``background,cat,dog``.

    Raises:
      UserError: there are no such weights, or they don't fit the network they name.
    """
    return Segment(*segmenting.read(name_or_path))


class Segment:
    """The fourth stage: masks of what stands out in images; see :meth:`__call__`.

    Attributes:
      network: the linen module.
      params: its parameters, on the default device.
      classes: their names, the background first: numbers where they have none. Empty where the
        network tells only the region from the rest.
      description: what the weights are, where :func:`jaxsr.load` loaded them.
    """

    description: zoo.Description | None = None

    def __init__(
        self,
        network: AttentionUNet,
        params: Params,
        classes: Sequence[str] = (),
        devices: Sequence[jax.Device] = (),
    ):
        """Place ``params`` on ``devices``: all local ones unless told.

        Raises:
          UserError: ``classes`` are not as many as the network has.
        """
        self.network = network
        self.params = jax.device_put(params)
        self._squares = SquareSegmenter(network, self.params, classes, devices)
        self.classes = self._squares.classes

    def with_params(self, params: Params) -> "Segment":
        """Return the same with other parameters; what is compiled is shared."""
        other = copy.copy(self)
        other.params = jax.device_put(params)
        other._squares = self._squares.with_params(other.params)
        return other

    def __call__(self, image: Image, of: str | int | None = None) -> Result:
        """Find what stands out in an image, or one class.

        Args:
          image: an array, float in [0, 1] or uint8 or uint16, or a Picture, or a file's path.
          of: a class's name or number; None: all but the background.

        Returns:
          ``mask``: ``(h, w)`` of the image's size, in [0, 1]: the region is where it is above 0.5.

        Raises:
          UserError: it is no image, or there is no such class.
        """
        return Result(mask=self._squares(_colour(image), of))

    def in_boxes(self, image: Image, boxes: Sequence[Box], of: str | int | None = None) -> Result:
        """Find what stands out within boxes ``(x, y, w, h)``, each looked at by itself.

        The rest is as for :meth:`__call__`.

        Raises:
          UserError: also where a box has no pixel of the image.
        """
        colour = _colour(image)
        height, width = colour.shape[:2]
        mask = np.zeros((height, width), np.float32)
        places = [_place(box, height, width) for box in boxes]
        found = self._squares.masks([colour[place] for place in places], of)
        for place, part in zip(places, found, strict=True):
            mask[place] = np.maximum(mask[place], part)
        return Result(mask=mask)

    def labels(self, image: Image) -> UInt[np.ndarray, "h w"]:
        """Return every pixel's most probable class by its number; without classes 1 is the region.

        Argument and errors are those of :meth:`__call__`.
        """
        return self._squares.labels(_colour(image))

    def index(self, of: str | int) -> int:
        """Return the number of a class; a text is looked up among the names first.

        Raises:
          UserError: there is none of that name or number.
        """
        return self._squares.index(of)


def _colour(image: Image) -> Colour:
    return split(opened(image))[0]


def _place(box: Box, height: int, width: int) -> tuple[slice, slice]:
    """Return the rows and columns of a box that lie in the image."""
    mask = boxes_mask([box], height, width)
    rows, cols = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    return slice(rows[0], rows[-1] + 1), slice(cols[0], cols[-1] + 1)
