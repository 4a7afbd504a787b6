"""Running an upscaler over images of any size: tiles, batches of them, devices, memory.

Tiles do three jobs with one mechanism. They bound memory; they turn images of many sizes into a few
shapes, each compiled once; and tiles of one shape, from however many images, form the batches that
are spread over the devices.

A network with a known receptive field gives exactly the untiled result
(:mod:`jaxsr.tiling.geometry` says why; an image smaller than a tile is a shape of its own for that
reason). One that looks at the whole image is run on the whole image if memory permits, else on
tiles blended into each other, which is close but not equal. One with a known field that is very
large is run on tiles as if it were smaller (:func:`reach_of`).
"""

import collections
import copy
import dataclasses
import functools
import itertools
import logging
import math
import operator
from collections.abc import Callable, Iterable, Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped

from jaxsr.errors import UserError
from jaxsr.image.pictures import stored
from jaxsr.image.values import decoded
from jaxsr.networks import layers
from jaxsr.networks.upscaler import Upscaler, pad_to_multiple
from jaxsr.tiling import geometry
from jaxsr.tiling.geometry import Tile
from jaxsr.tiling.runner import OutOfMemory, Runner

log = logging.getLogger("jaxsr")

# Larger tiles recompute less: SPAN (48 features) on two CPU cores takes 9800 ns a kept pixel at a
# side of 128, 8100 at 256, 6900 at 384. Compiling takes as long at every size.
LONGEST, STEP = 512, 32
# Of the result of what one core computes at once: RRDB's last convolutions have two maps of 64
# features there, a gigabyte at a side of 1344; with tiles of 512 pixels ×4 it would be two.
LONGEST_RESULT_ON_CPU = 1344
BLEND = 32  # least distance of a kept pixel from a cut, where no distance is exact
# The greatest distance of a kept pixel from a cut. RRDB sees 349 pixels around, so that exact tiles
# would be margin for the most part; with Real-ESRGAN's weights, a cut 32, 48, 64 and 80 pixels away
# changes a pixel by up to 10, 2.2, 0.7 and 0.3 of 255 (two photographs).
FARTHEST = 72
# A new shape costs as much time as this many pixels: 0.3 s at 5 µs on a CPU, some 5 s at 0.1 µs
# on a GPU or TPU. Only the order of magnitude matters.
COMPILATION = {"cpu": 2**16}
COMPILATION_ELSEWHERE = 2**26

Image = Shaped[np.ndarray, "_ _ _"]
Sides = tuple[int, int]  # height and width of tiles
Progress = Callable[[int, int], None]


class TiledUpscaler:
    """A network with its parameters, compiled as needed for the tiles of whatever it is given.

    Attributes:
      network: the linen module.
      exact: True if a tiled result equals the untiled one.
      unit: tiles start and end at multiples of this many pixels (the network's windows).
      reach: how far a kept pixel is from where a tile is cut, in pixels.
      smallest: the least side of a tile.
    """

    def __init__(self, network: Upscaler, params: dict, devices: Sequence[jax.Device] = ()):
        """Place ``params`` on ``devices``, which share the batches: all local ones unless told."""
        self.network = network
        field = network.receptive_field
        self.exact = field is not None and field <= FARTHEST
        self.unit = network.multiple
        self._blended = field is None
        self._overlap = self._units(reach_of(network))
        self.reach = self._overlap * self.unit
        self.smallest = (2 * self._overlap + self._units(16)) * self.unit
        self._runner = Runner(functools.partial(apply, network), params, devices)

    def with_params(self, params: dict) -> "TiledUpscaler":
        """Return the same with other parameters; what is compiled is shared."""
        other = copy.copy(self)
        other._runner = self._runner.with_params(params)
        return other

    def __call__(
        self,
        images: Sequence[Image],
        tile: int | str = "auto",
        progress: Progress | None = None,
    ) -> list[Image]:
        """Upscale images; results have their order, type and channels.

        Images have the network's channels; or one, which is repeated for it.

        Where a batch does not fit into memory, tiles of half the side are tried, and so on.

        Args:
          images: uint8, uint16, or float32 in [0, 1]; any sizes.
          tile: the longest side of a tile in pixels of ``images``; 0: uncut; "auto": the quickest.
          progress: called with (tiles done, tiles in all).

        Raises:
          UserError: the tile is too small for the network, or memory for the smallest tile.
        """
        if not images:
            return []
        sides, at_once = self._sides(images, tile), self._longest**2
        while True:
            try:
                return self._run(images, sides, at_once, progress)
            except OutOfMemory:
                side = self._smaller(max(sides))
                sides, at_once = (side, side), side**2  # and no longer several of them

    def _sides(self, images: Sequence[Image], tile: int | str) -> Sides:
        """Return the height and width to start with, in pixels; at most those of an image."""
        largest = self._largest(images)
        if tile == "auto":
            return largest if self._blended else self._quickest(images, largest)
        if isinstance(tile, str) or tile < 0 or 0 < tile < self.smallest:
            raise UserError(
                f"tile {tile!r} is not possible; give auto, 0 for the whole image, or at least "
                f"{self.smallest} for this network"
            )
        side = tile // self.unit * self.unit or max(largest)
        return min(side, largest[0]), min(side, largest[1])

    def _largest(self, images: Sequence[Image]) -> Sides:
        """Return the greatest height and the greatest width, in pixels of whole units."""
        height, width = (
            max(self._units(image.shape[axis]) for image in images) * self.unit for axis in (0, 1)
        )
        return height, width

    def _quickest(self, images: Sequence[Image], largest: Sides) -> Sides:
        """Return the sides that cost a device the least; a new shape counts as so many pixels."""
        compilation = COMPILATION.get(self._runner.platform, COMPILATION_ELSEWHERE)
        devices = len(self._runner.devices)

        def cost(sides: Sides) -> int:
            counts = collections.Counter()
            for plan in (self._plan(image, sides) for image in images):
                counts[plan[0].shape] += len(plan)
            rounds = {shape: -(-count // devices) for shape, count in counts.items()}
            pixels = sum(times * math.prod(shape) for shape, times in rounds.items())
            return pixels + compilation * len(counts)

        return min(self._candidates(*largest), key=cost)

    def _candidates(self, height: int, width: int) -> list[Sides]:
        """List squares, and the strips of which a small image gives each device one."""
        longest = max(self._longest, 2 * self.smallest)
        squares = range(longest, self.smallest - 1, -STEP)
        sides = [(min(side, height), min(side, width)) for side in squares]
        for strip in ((self._strip(height), width), (height, self._strip(width))):
            if min(strip) >= self.smallest and math.prod(strip) <= longest**2:
                sides.append(strip)
        return list(dict.fromkeys(sides))  # a small image is smaller than many squares

    def _strip(self, length: int) -> int:
        """Return a strip's side where one a device covers so many pixels, overlaps included."""
        devices = len(self._runner.devices)
        covered = self._units(length) + 2 * self._overlap * (devices - 1)
        return -(-covered // devices) * self.unit

    @property
    def _longest(self) -> int:
        """Return the side of the largest square that a device computes at once."""
        on_cpu = LONGEST_RESULT_ON_CPU // self.network.scale
        return min(LONGEST, on_cpu) if self._runner.platform == "cpu" else LONGEST

    def _smaller(self, side: int) -> int:
        """Halve a side of tiles, saying so; raise UserError where it is the smallest."""
        smaller = max(side // 2 // self.unit * self.unit, self.smallest)
        if smaller >= side:
            raise UserError(
                f"not enough memory for tiles of even {side} pixels; close other programs or take "
                "a smaller network"
            )
        log.warning("%d-pixel tiles exceed the memory, trying %d", side, smaller)
        return smaller

    def _run(
        self, images: Sequence[Image], sides: Sides, at_once: int, progress: Progress | None
    ) -> list[Image]:
        """Do what :meth:`__call__` says, by tiles of such sides."""
        plans = [self._plan(image, sides) for image in images]
        total, done = sum(map(len, plans)), itertools.count(1)
        if total > len(plans) and self._blended:
            log.warning(
                "this network looks at the whole image: %d-pixel tiles are blended into each "
                "other, which differs slightly",
                max(sides),
            )
        outputs: dict[int, Image] = {}

        def of_one_image(results) -> Iterator[tuple[Tile, np.ndarray]]:
            for _, tile, result in results:
                yield tile, result
                if progress:
                    progress(next(done), total)

        everything = self._results(images, plans, at_once)
        for index, results in itertools.groupby(everything, operator.itemgetter(0)):
            outputs[index] = self._assemble(images[index], len(plans[index]), of_one_image(results))
        return [outputs[index] for index in range(len(images))]

    def _plan(self, image: Image, sides: Sides) -> list[Tile]:
        """Plan an image's tiles, in units."""
        height, width = map(self._units, image.shape[:2])
        tile = sides[0] // self.unit, sides[1] // self.unit
        return geometry.plan(height, width, tile, self._overlap)

    def _results(
        self, images: Sequence[Image], plans: Sequence[list[Tile]], at_once: int
    ) -> Iterator[tuple[int, Tile, np.ndarray]]:
        """Yield every tile's result, image by image: (index of its image, tile, upscaled RGB)."""
        waiting: dict[tuple[int, int], list] = {}
        for index, plan in enumerate(plans):
            waiting.setdefault(plan[0].shape, []).extend((index, tile) for tile in plan)
        groups = (
            (jobs, max(1, at_once // (math.prod(shape) * self.unit**2)))
            for shape, jobs in waiting.items()
        )
        for (index, tile), result in self._runner.run(
            groups, lambda job: (self._seen(images[job[0]], job[1]),)
        ):
            check_finite(result)
            yield index, tile, result

    def _assemble(
        self, image: Image, count: int, results: Iterable[tuple[Tile, np.ndarray]]
    ) -> Image:
        """Assemble the upscaled image, in the type and channels of ``image``, from its tiles."""
        height, width = map(self._units, image.shape[:2])
        scale = self.network.scale * self.unit
        if not self._blended or count == 1:
            out = np.empty((height * scale, width * scale, image.shape[2]), image.dtype)
            for tile, result in results:
                geometry.paste(out, tile, stored(result, image), scale)
        else:
            trim = self._overlap // 2
            inner = (without_cuts(*result, height, width, trim, scale) for result in results)
            out = stored(geometry.blend(inner, height, width, scale), image)
        height, width = (n * self.network.scale for n in image.shape[:2])
        return out[:height, :width]

    def _seen(self, image: Image, tile: Tile) -> np.ndarray:
        return cut(image, tile, self.network)

    def _units(self, pixels: int) -> int:
        """Count the units that cover so many pixels."""
        return -(-pixels // self.unit)


def reach_of(network: Upscaler) -> int:
    """Return how far a kept pixel of a tile is from its cuts, in pixels: exactly so, or nearly."""
    field = network.receptive_field
    return BLEND if field is None else min(field, FARTHEST)


def apply(network: Upscaler, params: dict, x: Float[Array, "b h w c"]) -> Float[Array, "b H W c"]:
    """Upscale images in [0, 1] and clip the result to it: a pure function.

    What is infinite becomes NaN: clipped, it would seem to be white.
    """
    y = layers.apply(network, params, x)
    return jnp.where(jnp.isfinite(y), jnp.clip(y, 0, 1), jnp.nan).astype(jnp.float32)


def check_finite(result: np.ndarray) -> None:
    """Check what a network has computed.

    Raises:
      UserError: there are numbers in it that are not finite.
    """
    if np.isnan(result).any():
        raise UserError(
            "the network's result is not finite: its weights have diverged, or its numbers exceed "
            "the range of float16, which bfloat16 has not: give that precision"
        )


def cut(image: Image, tile: Tile, network: Upscaler) -> Float[np.ndarray, "h w c"]:
    """Cut a tile as the network wants it: float32, padded to whole units at the image's end.

    Args:
      image: of the network's channels, or gray.
      tile: in units of ``network.multiple`` pixels.
    """
    unit = network.multiple
    rows, cols = (slice(s.start * unit, s.stop * unit) for s in (tile.rows, tile.cols))
    seen = decoded(image[rows, cols])
    seen = np.broadcast_to(seen, (*seen.shape[:2], network.channels))
    if seen.shape[0] % unit or seen.shape[1] % unit:
        seen = np.asarray(pad_to_multiple(seen[None], unit, network.padding)[0])
    return seen


def without_cuts(
    tile: Tile, result: np.ndarray, height: int, width: int, trim: int, scale: int
) -> tuple[Tile, np.ndarray]:
    """Trim a tile and its result along each cut, where results are the most wrong.

    Args:
      height, width: the image's, in units.
      trim: how much, in units.
      scale: pixels of the result a unit.
    """
    spans, crop = [], []
    for span, size in ((tile.rows, height), (tile.cols, width)):
        start = span.start + trim * (span.start > 0)
        stop = span.stop - trim * (span.stop < size)
        spans.append(slice(start, stop))
        crop.append(slice((start - span.start) * scale, (stop - span.start) * scale))
    return dataclasses.replace(tile, rows=spans[0], cols=spans[1]), result[tuple(crop)]
