"""Restore: a region of an image of any kind and size, at the image's own size."""

import copy
import os
from collections.abc import Sequence

import jax

from jaxsr import zoo
from jaxsr.image.pictures import Image, Roi, joined, opened, planes, split
from jaxsr.pipeline.result import Result
from jaxsr.pipeline.segmenting import Segment, load_segmenter
from jaxsr.pipeline.upscaling import Params
from jaxsr.regions.degradation import UNKNOWN, Degraded
from jaxsr.regions.find import find_region
from jaxsr.regions.others import RestoresImages
from jaxsr.regions.restore import Restorer
from jaxsr.regions.restoring import TiledRestorer

Name = str | os.PathLike


def load_restorer(
    name_or_path: Name = zoo.DEFAULT_RESTORER,
    segmenter: Name | None = zoo.DEFAULT_SEGMENTER,
    precision: str = zoo.PRECISIONS[0],
) -> "Restore":
    """Return a restorer with weights: released ones by name, or those of a file.

    Networks ×1 of whole images, such as SCUNet, are restorers as well.

    Args:
      segmenter: what finds the region where none is given; None: nothing does.
      precision: of the restorer, as for :func:`load_upscaler`.

    Raises:
      UserError: there are no such weights, or they don't fit the network they name.
    """
    segment = None if segmenter is None else load_segmenter(segmenter)
    network, weights = read_restoring(name_or_path, precision)
    return Restore(network, weights.params, segment)


def read_restoring(
    name_or_path: Name, precision: str = zoo.PRECISIONS[0]
) -> tuple[Restorer, zoo.Weights]:
    """Read whatever restores regions: a network, and the weights it runs with.

    Raises:
      UserError: as :func:`load_restorer`.
    """
    path = zoo.find_any_weights(name_or_path)
    if zoo.kind_of(zoo.weights.network_of(path)) is zoo.UPSCALER:
        weights = zoo.read_upscaler(path)
        return RestoresImages(zoo.build(weights, name_or_path, precision)), weights
    weights = zoo.read_restorer(name_or_path)
    return zoo.build(weights, name_or_path, precision), weights


class Restore:
    """The fifth stage: images with a region restored, at their own size; see :meth:`__call__`.

    Attributes:
      network: the linen module.
      params: its parameters, on the default device.
      segment: what finds the region where none is given: :class:`Segment`, or any function from an
        array ``(h, w, 1 or 3)`` to its mask or to a Result with one; or None.
      description: what the weights are, where :func:`jaxsr.load` loaded them.
    """

    description: zoo.Description | None = None

    def __init__(
        self,
        network: Restorer,
        params: Params,
        segment: Segment | None = None,
        devices: Sequence[jax.Device] = (),
    ):
        """Place ``params`` on ``devices``: all local ones unless told."""
        self.network = network
        self.params = jax.device_put(params)
        self.segment = segment
        self._tiled = TiledRestorer(network, self.params, devices=devices)

    def with_params(self, params: Params) -> "Restore":
        """Return the same with other parameters; what is compiled is shared."""
        other = copy.copy(self)
        other.params = jax.device_put(params)
        other._tiled = self._tiled.with_params(other.params)
        return other

    def __call__(self, image: Image, roi: Roi = None, known: Degraded = UNKNOWN) -> Result:
        """Restore the region of an image; everything else stays as it was, bit for bit.

        Gray images are restored as RGB and come back gray; alpha stays.

        Args:
          image: an array, float in [0, 1] or uint8 or uint16, or a Picture, or a file's path.
          roi: the region: None or "auto": what ``segment`` finds; "all"; a mask, or the path of its
            file; boxes ``[(x, y, w, h), …]``; or a function as ``segment`` is.
          known: how it was degraded, for a restorer that is told, such as the released one; what
            is not known is estimated. Where nothing is wrong the image stays as it is.

        Returns:
          ``image``: an array in the type of the one given (floats as float32), on the host; a
          Picture, with the ICC profile and EXIF it had, for a Picture or a path; its ``mask``; how
          many ``tiles`` were restored; and how it was ``degraded``.

        Raises:
          UserError: it is no image, there is no such region, what is known is out of its range, or
            the restorer is not told.
        """
        image = opened(image)
        colour, alpha = split(image)
        mask = find_region(roi, colour, self.segment)
        original, _ = planes(image)  # also under what alpha hides, where ``colour`` has others
        restored, count, told = self._tiled(original, colour, mask, known)
        return Result(joined(restored, alpha, image), mask, count, told)
