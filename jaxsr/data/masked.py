"""Sources of images with masks: folders, and TensorFlow datasets."""

import functools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from jaxsr.data.masks import BRIGHTNESS, Brightness, Legend
from jaxsr.data.sources import FolderSource, Source, TfdsSource, file_key, open_source
from jaxsr.errors import UserError
from jaxsr.image.folders import find_images


def open_masked(
    spec: str,
    legend: Brightness | Legend,
    cache: str | os.PathLike = "",
    data_dir: str | os.PathLike = "",
) -> "Masked":
    """Open the source of images with masks ``folder:DIR[,DIR…]`` or ``tfds:NAME[:SPLIT]``.

    Raises:
      UserError: as :func:`jaxsr.data.sources.open_source`; or an image has no mask.
    """
    kinds = (functools.partial(kind, legend=legend) for kind in (MaskedFolder, MaskedTfds))
    source: Any = open_source(spec, cache, data_dir, *kinds)
    return source


class Masked(Source):
    """What a ``Source`` of images with masks has in addition.

    Attributes:
      legend: what the values of its masks mean.
    """

    legend: Brightness | Legend
    _mask_keys: list[str]

    def pair(self, index: int) -> tuple[UInt8[np.ndarray, "h w 3"], UInt8[np.ndarray, "h w"]]:
        """Return an image and what ``legend`` makes of its mask, memory-mapped from the cache.

        Raises:
          Unreadable: one of them cannot be decoded.
          UserError: they differ in size, or ``legend`` refuses the mask.
        """
        image = self.high(index)
        key = f"{self._mask_keys[index]}|{self.legend}"
        mask = self._cache.get(key, "-mask", lambda: self._mask(index))
        if mask.shape != image.shape[:2]:
            raise UserError(
                f"{self.names[index]} is {image.shape[1]}×{image.shape[0]}, its mask "
                f"{mask.shape[1]}×{mask.shape[0]} pixels; a mask has its image's size"
            )
        return image, mask

    def _all_keys(self) -> Sequence[str]:
        return [*self._keys, *self._mask_keys, str(self.legend)]

    def _mask(self, index: int) -> UInt8[np.ndarray, "h w"]:
        name = f"{self.names[index]}'s mask"
        with self._reporting(index):
            pixels = self.legend.decode(self._mask_bytes(index), name)
        return self.legend.mask(pixels, name)

    def _mask_bytes(self, index: int) -> bytes:
        """Read the mask's file."""
        raise NotImplementedError


class MaskedFolder(Masked, FolderSource):
    """Images in and below ``DIR/images`` whose masks lie in ``DIR/masks`` under the same names.

    Only the suffix may differ: ``images/a/b.jpg`` has the mask ``masks/a/b.png``.

    Raises:
      UserError: there is no such folder, no image in it, or an image without a mask.
    """

    def __init__(
        self,
        folders: Sequence[str | os.PathLike],
        cache: str | os.PathLike = "",
        legend: Brightness | Legend = BRIGHTNESS,
    ):
        super().__init__([Path(folder, "images") for folder in folders], cache)
        self.legend = legend
        masks = {path: mask for folder in folders for path, mask in masks_of(folder)}
        self._masks = [mask for path in self._paths if (mask := masks[path])]
        if alone := next((path for path in self._paths if masks[path] is None), None):
            raise UserError(f"{alone} has no mask of its name in the folder masks/ beside images/")
        self._mask_keys = [file_key(mask) for mask in self._masks]

    def _mask_bytes(self, index: int) -> bytes:
        return self._masks[index].read_bytes()


def masks_of(folder: str | os.PathLike) -> Iterator[tuple[Path, Path | None]]:
    """Yield every image in and below ``folder/images`` with its mask, or None where it has none.

    :class:`MaskedFolder` says where masks lie.
    """
    images, masks = (Path(folder, part) for part in ("images", "masks"))
    known = {path.relative_to(masks).with_suffix(""): path for path in find_images(masks)}
    for path in find_images(images):
        yield path, known.get(path.relative_to(images).with_suffix(""))


class MaskedTfds(Masked, TfdsSource):
    """A split of a TensorFlow dataset with images and masks, such as ``oxford_iiit_pet``.

    The mask is the only feature besides ``image`` that is an image, whatever its name.

    Raises:
      UserError: as :class:`TfdsSource`; or there is no such feature, or more than one.
    """

    def __init__(
        self,
        name: str,
        split: str = "train",
        data_dir: str | os.PathLike = "",
        cache: str | os.PathLike = "",
        legend: Brightness | Legend = BRIGHTNESS,
    ):
        super().__init__(name, split, data_dir, cache)
        self.legend = legend
        self._mask_keys = [f"{key}|{self._mask_feature}" for key in self._keys]

    def _used(self, name: str, features) -> dict:
        import tensorflow_datasets as tfds

        used = super()._used(name, features)
        masks = [
            k for k in features if isinstance(features[k], tfds.features.Image) and k not in used
        ]
        if len(masks) != 1:
            found = ", ".join(features)
            raise UserError(
                f"tfds dataset {name} needs a mask, one image besides {', '.join(used)}; "
                f"it has {found}"
            )
        (self._mask_feature,) = masks
        return used | {self._mask_feature: features[self._mask_feature]}

    def _mask_bytes(self, index: int) -> bytes:
        return self._records[index][self._mask_feature]
