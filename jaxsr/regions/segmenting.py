"""Segmenting on the host: images of any size through a network that works on squares."""

import copy
import functools
import os
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Float, Shaped, UInt

from jaxsr import zoo
from jaxsr.errors import UserError
from jaxsr.image.pictures import Colour, Mask, rgb
from jaxsr.image.values import decoded
from jaxsr.networks.attention_unet import AttentionUNet
from jaxsr.regions import masks
from jaxsr.regions.segment import probabilities, salient
from jaxsr.tiling.runner import OutOfMemory, Runner

Pixels = Shaped[np.ndarray, "_ _ _"]  # gray or RGB, of any size
AT_ONCE = 4  # squares a device works on together


def load(name_or_path: str | os.PathLike = zoo.DEFAULT_SEGMENTER) -> "SquareSegmenter":
    """Return a segmenter with weights, ready to run; see :func:`read`."""
    return SquareSegmenter(*read(name_or_path))


def read(
    name_or_path: str | os.PathLike = zoo.DEFAULT_SEGMENTER,
) -> tuple[AttentionUNet, dict[str, Any], Sequence[str]]:
    """Read a segmenter's network, parameters and names of classes: released by name, or of a file.

    The names are the note ``classes`` of the weights, ``background,cat,dog``.

    Raises:
      UserError: there are no such weights, or they don't fit the network they name.
    """
    weights = zoo.read_segmenter(name_or_path)
    names = weights.notes.get("classes", "")
    return zoo.build(weights, name_or_path), weights.params, names.split(",") if names else ()


class SquareSegmenter:
    """A segmenter with its parameters, compiled once for images of all sizes.

    Attributes:
      network: the linen module.
      classes: their names, the background first: numbers where they have none. Empty where the
        network tells only the region from the rest.
    """

    def __init__(
        self,
        network: AttentionUNet,
        params: dict[str, Any],
        classes: Sequence[str] = (),
        devices: Sequence[jax.Device] = (),
    ):
        """Place the parameters on ``devices``: all local ones unless told.

        Raises:
          UserError: ``classes`` are not as many as the network has.
        """
        self.network = network
        several = network.classes > 1
        self.classes = tuple(classes) or tuple(map(str, range(network.classes * several)))
        if several and len(self.classes) != network.classes:
            raise UserError(f"{len(self.classes)} names for the {network.classes} classes")
        self._runner = Runner(functools.partial(probabilities, network), params, devices)

    def with_params(self, params: dict[str, Any]) -> "SquareSegmenter":
        """Return the same with other parameters; what is compiled is shared."""
        other = copy.copy(self)
        other._runner = self._runner.with_params(params)
        return other

    def __call__(self, image: Colour, of: str | int | None = None) -> Mask:
        """Return the soft mask of what stands out in an image, or of one class.

        Args:
          image: gray or RGB.
          of: a class's name or number; None: all but the background.

        Raises:
          UserError: there is no such class, or memory does not suffice.
        """
        (mask,) = self.masks([image], of)
        return mask

    def masks(
        self, images: Sequence[Pixels], of: str | int | None = None
    ) -> list[Float[np.ndarray, "_ _"]]:
        """Return what :meth:`__call__` does, of several images that share devices."""
        index = None if of is None else self.index(of)
        return [self._mask(p, index, *image.shape[:2]) for image, p in self._run(images)]

    def labels(self, image: Colour) -> UInt[np.ndarray, "h w"]:
        """Return every pixel's most probable class by its number; without classes 1 is the region.

        Raises:
          UserError: memory does not suffice.
        """
        ((_, p),) = self._run([image])
        if not self.classes:
            p = np.concatenate([1 - p, p], -1)
        planes = _planes(p, *image.shape[:2])
        best = next(planes)
        labels = np.zeros(image.shape[:2], np.min_scalar_type(p.shape[-1] - 1))
        for label, plane in enumerate(planes, 1):
            labels[plane > best] = label
            np.maximum(best, plane, out=best)
        return labels

    def index(self, of: str | int) -> int:
        """Return the number of a class; a text is looked up among the names first.

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

    def _run(
        self, images: Sequence[Pixels]
    ) -> Iterator[tuple[Pixels, Float[np.ndarray, "s s classes"]]]:
        """Yield every image with the classes' probabilities in the network's square."""
        try:
            yield from self._runner.run([(images, AT_ONCE)], self._square)
        except OutOfMemory:
            raise UserError("not enough memory to segment; close other programs") from None

    def _square(self, image: Colour) -> tuple[Float[np.ndarray, "s s 3"]]:
        """Resize an image to the network's square."""
        side = self.network.side
        # one plane after another: the whole image in float32 might not fit in memory
        planes = [masks.resized(decoded(plane), side, side) for plane in np.moveaxis(image, -1, 0)]
        return (rgb(np.stack(planes, -1)),)

    def _mask(
        self, p: Float[np.ndarray, "s s classes"], index: int | None, height: int, width: int
    ) -> Mask:
        if index is None:
            mask = masks.resized(salient(p), height, width)
        else:
            planes = _planes(np.roll(p, -index, axis=-1), height, width)  # the class first
            mine, others = next(planes), functools.reduce(np.maximum, planes)
            mask = masks.of_class(np.stack([mine, others], -1), 0)
        return np.clip(mask, 0, 1)  # resizing rounds


def _planes(
    p: Float[np.ndarray, "s s classes"], height: int, width: int
) -> Iterator[Float[np.ndarray, "{height} {width}"]]:
    """Yield each class at the image's size, one after another."""
    return (masks.resized(plane, height, width) for plane in np.moveaxis(p, -1, 0))
