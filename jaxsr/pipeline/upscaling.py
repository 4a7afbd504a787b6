"""Extract, enhance, fuse: images of any kind and size made larger."""

import copy
import functools
import itertools
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Array

from jaxsr import zoo
from jaxsr.image.pictures import Image, joined, opened, split
from jaxsr.networks.upscaler import Upscaler
from jaxsr.pipeline.channels import given_back, taken
from jaxsr.pipeline.result import Result
from jaxsr.tiling.upscaling import Progress, TiledUpscaler, apply

Params = dict[str, Any]


def load_upscaler(
    name_or_path: str | os.PathLike = zoo.DEFAULT_UPSCALER,
    scale: int | None = None,
    precision: str = zoo.PRECISIONS[0],
) -> "Upscale":
    """Return an upscaler with weights: released ones by name, or those of a file.

    Args:
      name_or_path: as for :func:`jaxsr.load`.
      scale: when not given, 4 for a name and the file's own for a path.
      precision: what to compute in: "float32", or on GPUs and TPUs, where they are faster,
        "bfloat16" or "float16".

    Raises:
      UserError: there are no such weights, they don't fit the network they name, or it does not
        compute in that precision.
    """
    weights = zoo.read_upscaler(name_or_path, scale)
    return Upscale(zoo.build(weights, name_or_path, precision), weights.params)


class Upscale:
    """The first three stages: images ``scale`` times as large; see :meth:`__call__`.

    Attributes:
      network: the linen module.
      params: its parameters, on the default device.
      scale: 1, 2, 3, 4 or 8.
      apply: ``apply(params, x)``, x of ``(b, h, w, network.channels)`` in [0, 1] → ``(b, sh, sw,
        network.channels)`` in [0, 1]: a pure function, to jit, grad, vmap and shard in other code.
      tiled: the engine: upscales gray and RGB arrays of any size, in tiles.
      description: what the weights are, where :func:`jaxsr.load` loaded them.
    """

    description: zoo.Description | None = None

    def __init__(self, network: Upscaler, params: Params, devices: Sequence[jax.Device] = ()):
        """Place ``params`` on ``devices``: all local ones unless told."""
        self.network = network
        self.params = jax.device_put(params)
        self.scale = network.scale
        self.apply: Callable[[Params, Array], Array] = functools.partial(apply, network)
        self.tiled = TiledUpscaler(network, self.params, devices)

    def with_params(self, params: Params) -> "Upscale":
        """Return the same with other parameters; what is compiled is shared."""
        other = copy.copy(self)
        other.params = jax.device_put(params)
        other.tiled = self.tiled.with_params(other.params)
        return other

    def __call__(self, image: Image, tile: int | str = "auto") -> Result:
        """Upscale one image, or one array of images ``(b, h, w, c)``.

        Gray images (no channel axis, or one or two channels) are upscaled as RGB and come back
        gray; a network for gray images upscales each colour by itself. A last channel beyond gray
        or RGB is alpha: it is upscaled by bicubic interpolation, unless the network takes it, too;
        the colours it hides don't show.

        Args:
          image: an array, float in [0, 1] or uint8 or uint16, or a Picture, or a file's path.
          tile: the longest side of a tile in low-resolution pixels, 0 for the whole image.

        Returns:
          ``image``: an array in the type of the one given (floats as float32, clipped to [0, 1]),
          on the host; a Picture, with the ICC profile and EXIF it had, for a Picture or a path.

        Raises:
          UserError: the file or the array is not an image, or memory suffices for no tile.
        """
        if getattr(image, "ndim", 0) == 4:
            many = self.upscale_many(list(np.asarray(image)), tile)
            return Result(np.stack([np.asarray(result.image) for result in many]))
        return self.upscale_many([image], tile)[0]

    def upscale_many(
        self,
        images: Iterable[Image],
        tile: int | str = "auto",
        progress: Progress | None = None,
    ) -> list[Result]:
        """Upscale images of any sizes and kinds, in order; their tiles share batches and devices.

        All of them are in memory at a time: give a long list in parts. Arguments and errors are
        those of :meth:`__call__`; ``progress`` is called with (tiles done, tiles in all).
        """
        images = [opened(image) for image in images]
        parts = [split(image) for image in images]
        inputs = [taken(*part, self.network.channels) for part in parts]
        results = iter(self.tiled(list(itertools.chain(*inputs)), tile, progress))
        outputs = [list(itertools.islice(results, len(each))) for each in inputs]
        return [
            Result(joined(*given_back(output, *part, self.scale), image))
            for image, output, part in zip(images, outputs, parts, strict=True)
        ]
