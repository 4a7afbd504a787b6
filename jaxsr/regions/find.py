"""Finding a region: the mask of an image, whichever way a caller says it."""

import numpy as np
from jaxtyping import Float, Shaped

from jaxsr.errors import UserError
from jaxsr.image.pictures import WORDS, Colour, Finder, Mask, Roi, checked_mask, given_mask
from jaxsr.regions.masks import enlarge


def find_region(roi: Roi, image: Colour, segment: Finder | None = None) -> Mask:
    """Return the region that ``roi`` means in an image, as a mask of the image's size.

    Args:
      roi: None or "auto": what ``segment`` finds; "all"; a mask, boxes ``[(x, y, w, h), …]`` or the
        path of a mask's file (:func:`~jaxsr.image.pictures.given_mask`); or a function as
        ``segment`` is.
      image: gray or RGB.
      segment: from such an image to its mask, or to a result that has one as ``mask``.

    Raises:
      UserError: see :func:`chosen` and :func:`mask_in`.
    """
    height, width = image.shape[:2]
    return mask_in(chosen(roi, height, width, segment), image)


def chosen(roi: Roi, height: int, width: int, segment: Finder | None = None) -> Mask | Finder:
    """Return the mask that ``roi`` means, or the function that will find it in an image.

    Args:
      roi, segment: as for :func:`find_region`.
      height, width: of the image that a given region belongs to.

    Raises:
      UserError: ``roi`` is no region or doesn't fit the image, or nothing is there to find it.
    """
    if callable(roi):
        return roi
    if roi is not None and not (isinstance(roi, str) and roi == "auto"):
        return given_mask(roi, height, width)
    if segment is None:
        others = " or ".join(map(repr, WORDS[1:]))
        raise UserError(f"no segmenter to find the region; give a mask, boxes or {others}")
    return segment


def mask_in(
    region: Mask | Finder, image: Shaped[np.ndarray, "_ _ c"], scale: int = 1
) -> Float[np.ndarray, "_ _"]:
    """Return the mask of an image from what :func:`chosen` returned.

    Args:
      scale: how many times as large ``image`` is as the image that a given region belongs to.

    Raises:
      UserError: what the function found is no mask of the image.
    """
    if callable(region):
        found = region(image)
        return checked_mask(getattr(found, "mask", found), *image.shape[:2])
    return np.clip(enlarge(region, scale), 0, 1) if scale > 1 else region
