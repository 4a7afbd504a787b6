"""The examples of a run: batches that the host makes, or draws of a program from packed images.

Either way an example is a function of the seed, the step and its place in the batch of all devices
and hosts. So the number of worker processes, devices or hosts changes nothing, a run is resumed by
its number of steps, and the host's crops are the program's to the bit. What changes pixels (real
degradations, parts of images with masks) the two draw alike in distribution alone. Images are drawn
with replacement, each as often as its weight says.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
import PIL.Image
from absl import logging
from jaxtyping import Array, Int, UInt8, UInt32

from jaxsr.data import draws, packed
from jaxsr.data.batches import BatchIterator
from jaxsr.data.images import HostImages, PackedImages, stretched
from jaxsr.data.sources import Source, first_readable
from jaxsr.errors import UserError


@dataclasses.dataclass(frozen=True)
class ImageLayer:
    """One of the images that an example has of each image of a source.

    Attributes:
      load: the image's index → uint8 of ``channels``.
      variant: names what is packed of the image, in packed files.
      scale: how many times smaller it is than the image.
      channels: 3; or 1, of arrays (h, w).
      side: if not 0, it is packed stretched to a square of so many pixels.
      resampling: how it is stretched.
    """

    load: Callable
    variant: str = ""
    scale: int = 1
    channels: int = 3
    side: int = 0
    resampling: PIL.Image.Resampling = PIL.Image.Resampling.BILINEAR

    def packed_bytes(self, sizes: Int[np.ndarray, "m 2"]) -> int:
        """Return how many bytes images of these sizes take when packed."""
        sizes = np.full_like(sizes, self.side) if self.side else sizes // self.scale
        return packed.bytes_of(sizes[:, 0], sizes[:, 1], self.channels)

    def pack(self, source: Source) -> packed.Packed:
        """Pack it of all images of a source."""
        return packed.pack(source, self.variant, self._to_pack, self.channels)

    def _to_pack(self, index: int) -> UInt8[np.ndarray, "h w c"]:
        image = self.load(index)
        if self.side:
            image = stretched(image, self.side, resampling=self.resampling)
        return image.reshape(*image.shape[:2], self.channels)


@runtime_checkable
class Showing(Protocol):
    """What a batch shows of its images.

    Attributes:
      words: how many random words an example takes.
    """

    @property
    def words(self) -> int: ...

    def draw(self, images: Any, words: list, places: Any) -> dict:
        """Draw a batch's arrays.

        Args:
          images: a :class:`HostImages`; or, inside a program, a :class:`PackedImages`.
          words: each of one word an example.
          places: of the examples in the batch of all hosts.
        """
        ...


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Endless batches of the images of a source.

    Attributes:
      source: the images.
      layers: what an example has of its image, by name.
      indices: of the images that are drawn.
      weights: how often, against each other.
      view: what a batch shows of them.
      seed: of the run.
      batch_size: examples in a batch of this host.
      host: number of this host, whose examples begin at place ``host · batch_size``.
      workers: processes that make batches; 0: a thread.
    """

    source: Source
    layers: Mapping[str, ImageLayer]
    indices: Int[np.ndarray, "m"]
    weights: Int[np.ndarray, "m"]
    view: Showing
    seed: int
    batch_size: int
    host: int = 0
    workers: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """What to call the images, by their index."""
        return self.source.names

    @functools.cached_property
    def _thresholds(self) -> UInt32[np.ndarray, "_"]:
        return draws.thresholds_of(self.weights)

    # On the host

    def __iter__(self) -> BatchIterator:
        return BatchIterator(self.batch, self.workers)

    def batch(self, step: int) -> dict[str, np.ndarray]:
        """Make this host's part of the batch of ``step`` (from 0), with each image's "index"."""
        words, places = self._words(step)
        images = self._images(words[0])
        example = self.view.draw(images, words[1:], places)
        return example | {"index": images.indices}

    def shown(self, step: int) -> list[str]:
        """Return what to call the images of this host's part of a batch, one an example."""
        return [self.names[i] for i in self._images(self._words(step)[0][0]).indices]

    def _words(self, step: int):
        places = np.arange(self.batch_size, dtype=np.int32) + self.host * self.batch_size
        return draws.words(self.seed, step, places, self.view.words + 1), places

    def _images(self, word) -> HostImages:
        def load(index):
            return [layer.load(index) for layer in self.layers.values()]

        positions = draws.choose(word, self._thresholds)
        found = [first_readable(load, self.indices, int(position)) for position in positions]
        indices, images = zip(*found, strict=True)
        layers = dict(zip(self.layers, zip(*images, strict=True), strict=True))
        return HostImages(np.array(indices, np.int32), layers)

    # In a program

    def packed_bytes(self) -> int:
        """Return about how many bytes :meth:`pack` takes, without decoding an image."""
        return sum(layer.packed_bytes(self.source.sizes) for layer in self.layers.values())

    def pack(self) -> dict[str, Any]:
        """Pack all images and return the arrays from which :meth:`draw` draws.

        The images are on disk, memory-mapped; the first time it takes as long as decoding all.

        Raises:
          UserError: no image can be read.
        """
        packs = {name: layer.pack(self.source) for name, layer in self.layers.items()}
        readable = np.all([pack.readable[self.indices] for pack in packs.values()], axis=0)
        if lost := [self.names[i] for i in self.indices[~readable]]:
            logging.warning("%d images are left out, unreadable; first %s", len(lost), lost[0])
        found = self.indices[next_of(readable)]
        layers = {
            name: {"blocks": pack.blocks, "table": pack.table[found]}
            for name, pack in packs.items()
        }
        return {"thresholds": self._thresholds, "layers": layers}

    def draw(self, arrays: dict[str, Any], step: Any, places: Int[Array, "n"]) -> dict[str, Array]:
        """Draw the examples of some places of a batch from what :meth:`pack` returned."""
        first, *words = draws.words(self.seed, step, places, self.view.words + 1)
        positions = draws.choose(first, arrays["thresholds"])
        layers = {
            name: (layer["blocks"], layer["table"][positions])
            for name, layer in arrays["layers"].items()
        }
        return self.view.draw(PackedImages(layers), words, places)


def next_of(readable: np.ndarray) -> Int[np.ndarray, "m"]:
    """Return for every position that of the first readable image from there on, around the end.

    Raises:
      UserError: there is none.
    """
    positions = np.flatnonzero(readable)
    if not len(positions):
        raise UserError(f"none of the {len(readable)} images can be read; the log names each")
    after = np.searchsorted(positions, np.arange(len(readable)))
    return positions[after % len(positions)]
