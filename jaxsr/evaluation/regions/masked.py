"""Images with the masks of their regions: a folder of ``images/`` and ``masks/``, one by one."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Bool, UInt8

from jaxsr.data import masked, masks
from jaxsr.errors import UserError
from jaxsr.evaluation import originals
from jaxsr.image import files

Image = UInt8[np.ndarray, "h w 3"]
Truth = Bool[np.ndarray, "h w"]


def has_masks(folder: str | os.PathLike) -> bool:
    """Return True for a folder of images with masks, False for one of images."""
    return Path(folder, "masks").is_dir()


def check_folder(folder: str | os.PathLike) -> None:
    """Check that there are images, each with a mask, before any work is done.

    Raises:
      UserError: a folder is missing or without images, or an image has no mask.
    """
    originals.check_folder(Path(folder, "images"))
    masks_of(folder)


def read(folder: str | os.PathLike) -> Iterator[tuple[str, Image, Truth]]:
    """Yield (name, image, where its mask is above half) of every image in ``folder/images``.

    Raises:
      UserError: as :func:`check_folder`; or a file is damaged, or a mask is coloured or has another
        size than its image.
    """
    masks = masks_of(folder)
    for name, image in colour(Path(folder, "images")):
        truth = read_mask(masks[name])
        if truth.shape != image.shape[:2]:
            raise UserError(
                f"{masks[name]} has {truth.shape[1]}×{truth.shape[0]} pixels, its image "
                f"{image.shape[1]}×{image.shape[0]}; a mask has its image's size"
            )
        yield name, image, truth


def colour(folder: str | os.PathLike) -> Iterator[tuple[str, Image]]:
    """Yield (name, 8-bit RGB) of every image in and below a folder; gray counts as RGB."""
    for name, image in originals.read(folder):
        image = image if image.ndim == 3 else image[..., None]
        yield name, np.ascontiguousarray(np.broadcast_to(image, (*image.shape[:2], 3)))


def read_mask(path: str | os.PathLike) -> Truth:
    """Read where a mask's file is above half of white, as training does.

    Raises:
      UserError: the mask is coloured, or its values look like numbers of classes.
    """
    level = masks.brightness(files.read(path).pixels, os.fspath(path))
    return masks.Brightness().labels(level) == 1


def masks_of(folder: str | os.PathLike) -> dict[str, Path]:
    """Return the mask's file of each image, by the image's name (:func:`originals.read`).

    Raises:
      UserError: an image has none.
    """
    images, masks = (Path(folder, part) for part in ("images", "masks"))
    found, named = dict(masked.masks_of(folder)), {}
    for name, path in originals.named(images).items():
        if found[path] is None:
            stem = path.relative_to(images).with_suffix("")
            raise UserError(f"{path} has no mask; it would be {masks / stem}.png")
        named[name] = found[path]
    return named
