"""Chain: images of any kind and size through all five stages."""

import copy
import os
from collections.abc import Sequence

import jax

from jaxsr import zoo
from jaxsr.errors import UserError
from jaxsr.image.pictures import Image, Roi, joined, opened, split, upscale_alpha
from jaxsr.pipeline.restoring import Restore, read_restoring
from jaxsr.pipeline.result import Result
from jaxsr.pipeline.segmenting import Segment, load_segmenter
from jaxsr.pipeline.stages import conditions
from jaxsr.pipeline.upscaling import Params, Upscale, load_upscaler
from jaxsr.regions.degradation import UNKNOWN, Degraded
from jaxsr.regions.find import chosen, mask_in
from jaxsr.regions.others import LeavesImages
from jaxsr.regions.restoring import TiledRestorer

Name = str | os.PathLike


def load_chain(
    scale: int | None = None,
    *,
    upscaler: Name = zoo.DEFAULT_UPSCALER,
    segmenter: Name | None = zoo.DEFAULT_SEGMENTER,
    restorer: Name = zoo.DEFAULT_RESTORER,
) -> "Chain":
    """Return all stages with weights: released ones by name, or those of files.

    Args:
      scale: when not given, 4 for a name and the file's own for a path.
      segmenter: what finds the region where none is given; None: nothing does.

    Raises:
      UserError: there are no such weights, or they don't fit the network they name.
    """
    segment = None if segmenter is None else load_segmenter(segmenter)
    restoring, restores = read_restoring(restorer)
    upscales = zoo.read_upscaler(upscaler, scale)
    upscale = Upscale(zoo.build(upscales, upscaler), upscales.params)
    restore = Restore(restoring, restores.params, segment)
    return Chain(upscale, restore, features=conditions(restores, upscales))


def load_region_upscaler(
    inside: Name,
    around: Name = zoo.DEFAULT_UPSCALER,
    scale: int | None = None,
    segmenter: Name | None = zoo.DEFAULT_SEGMENTER,
    precision: str = zoo.PRECISIONS[0],
) -> "Chain":
    """Return what upscales a region by one network, often a slow one, and all else by another.

    Args:
      inside: of the region; an upscaler of RGB.
      around: of the whole image, at the same scale.
      scale: when not given, 4 for a name and the file's own for a path.
      segmenter: what finds the region where none is given; None: nothing does.
      precision: of both upscalers, as for :func:`load_upscaler`.

    Raises:
      UserError: there are no such weights, not for the same scale, or not for RGB.
    """
    fine = load_upscaler(inside, scale, precision)
    if fine.network.channels != 3:
        raise UserError(f"{os.fspath(inside)}: a region is upscaled as RGB, which it does not take")
    segment = None if segmenter is None else load_segmenter(segmenter)
    restore = Restore(LeavesImages(), {}, segment)
    coarse = load_upscaler(around, fine.scale, precision)
    return Chain(coarse, restore, inside=fine, features=False)


class Chain:
    """All five stages: larger images, a region of them restored; see :meth:`__call__`.

    Attributes:
      upscale: the first three stages.
      segment: the fourth: :class:`Segment`, or any function from an upscaled array
        ``(h, w, 1 or 3)`` to its mask or a Result with one; None where regions are always given.
      scale: 1, 2, 3, 4 or 8.
    """

    def __init__(
        self,
        upscale: Upscale,
        restore: Restore,
        segment: Segment | None = None,
        *,
        inside: Upscale | None = None,
        features: bool = True,
        devices: Sequence[jax.Device] = (),
    ):
        """``segment`` is that of ``restore`` unless given.

        Args:
          inside: an upscaler of the same scale, whose result is restored in place of that of
            ``upscale``.
          features: True where the restorer was trained with the upscaler's, and takes them.
        """
        self.upscale = upscale
        self.segment = segment or restore.segment
        self.scale = upscale.scale
        inside = inside or upscale
        self._tiled = TiledRestorer(
            restore.network,
            restore.params,
            inside.network,
            inside.params,
            features=features,
            devices=devices,
        )

    def with_restorer(self, params: Params) -> "Chain":
        """Return the same with other parameters of the restorer; what is compiled is shared."""
        other = copy.copy(self)
        other._tiled = self._tiled.with_params(params)
        return other

    def __call__(
        self,
        image: Image,
        roi: Roi = None,
        tile: int | str = "auto",
        known: Degraded = UNKNOWN,
    ) -> Result:
        """Upscale an image and restore its region; the rest is what ``upscale`` gives.

        Args:
          image, tile: as :class:`Upscale` takes them.
          roi: the region: None or "auto": what ``segment`` finds in the upscaled image; "all"; a
            mask of ``image``, the path of its file, or boxes ``[(x, y, w, h), …]`` in pixels of it;
            or a function as ``segment`` is.
          known: how ``image`` was degraded, as :class:`Restore` takes it.

        Returns:
          The ``image``, its ``mask``, how many ``tiles`` were restored, and how it was
          ``degraded``.

        Raises:
          UserError: it is no image, there is no such region, memory suffices for no tile, what is
            known is out of its range, or the restorer is not told.
        """
        image = opened(image)
        colour, alpha = split(image)
        height, width = colour.shape[:2]
        region = chosen(roi, height, width, self.segment)
        (upscaled,) = self.upscale.tiled([colour], tile)
        mask = mask_in(region, upscaled, self.scale)
        restored, count, told = self._tiled(upscaled, colour, mask, known)
        joint = joined(restored, upscale_alpha(alpha, self.scale), image)
        return Result(joint, mask, count, told)
