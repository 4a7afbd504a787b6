"""Pixels to tiles of coded symbols and back.

An image up to 1024×1024 is one tile, on a canvas of latents whose sides are multiples of 16. A
larger one is cut into tiles of 64×64 latents, each with symbols of its own. The transforms also see
a margin of 8 latents around a tile, which is more than they reach, so tiles leave no seams.
"""

import collections
import functools
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

import jax
import numpy as np
from jaxtyping import Array, Float, Float32, Int8, Int32, UInt8

from jaxsr.codec import container, symbols
from jaxsr.codec.container import CodedTile
from jaxsr.codec.model import Model, Rate
from jaxsr.errors import UserError
from jaxsr.networks.compressor import DOWN
from jaxsr.tiling.runner import MEMORY_SHARE, free_memory

SIDE = container.TILE // DOWN  # latents of a tile, each way
MARGIN = 8  # latents: one window of attention, so that windows lie as in the whole image
STEP = 16  # a lone tile's canvas is a multiple of this many latents
# Bytes to have free for each tile of 1024×1024 pixels in work: XLA reports 52 MB for the
# released codec's analysis and 42 for its synthesis; the rest is for arrays on the host.
TILE_MEMORY = 1 << 28
AHEAD = 4  # tiles for each device that are begun before the first of them is asked for
Map = Int8[np.ndarray, "rows columns"]
Result = TypeVar("Result")


class Place(NamedTuple):
    """Where a tile lies, and the canvas that its symbols are computed on.

    Attributes:
      top, left, height, width: in latents.
      canvas: height and width in latents.
      margin: latents around the canvas that the transforms see.
    """

    top: int
    left: int
    height: int
    width: int
    canvas: tuple[int, int]
    margin: int

    @property
    def size(self) -> np.ndarray:
        """Height and width in latents, int32."""
        return np.array([self.height, self.width], np.int32)


def places(height: int, width: int) -> list[Place]:
    """Return the tiles of an image of so many pixels, in raster order."""
    rows, columns = -(-height // DOWN), -(-width // DOWN)
    if max(rows, columns) <= SIDE:
        canvas = -(-rows // STEP) * STEP, -(-columns // STEP) * STEP
        return [Place(0, 0, rows, columns, canvas, 0)]
    return [
        Place(top, left, min(SIDE, rows - top), min(SIDE, columns - left), (SIDE, SIDE), MARGIN)
        for top in range(0, rows, SIDE)
        for left in range(0, columns, SIDE)
    ]


def cut(x: np.ndarray, place: Place, unit: int, margin: int) -> np.ndarray:
    """Cut a tile's canvas and a margin around it from a plane, whose edge repeats outside.

    Args:
      x: the plane, ``(h, w, …)``, of ``unit`` values each way for a latent.
      place: the tile.
      unit: 1 for latents, 16 for pixels.
      margin: in latents.
    """
    starts = place.top, place.left
    axes = []
    for start, side, size in zip(starts, place.canvas, x.shape[:2], strict=True):
        index = np.arange((start - margin) * unit, (start + side + margin) * unit)
        axes.append(np.clip(index, 0, size - 1))
    return x[axes[0]][:, axes[1]]


@functools.partial(jax.jit, static_argnums=1)  # without jit, the numbers would be moved over
def inner(y: Float[Array, "h w m"], margin: int) -> Float[Array, "hh ww m"]:
    """Take a margin of so many latents off a tile's."""
    return y[margin:-margin, margin:-margin]


class Analysed:
    """An image's latents, ready to be coded at any level."""

    def __init__(self, model: Model, pixels: UInt8[np.ndarray, "h w 3"], region: Map | None):
        """Compute the latents of all tiles; ``region`` is a map as of ``region.region_map``."""
        self.model = model
        self.places = places(*pixels.shape[:2])
        self.region = region_of(region, self.places)
        self._models = models(model, len(self.places))
        self._coders = coders(model, self._models, len(self.places))
        self.latents = list(self._each(self._analyse, [pixels] * len(self.places)))

    def _each(self, function: Callable[..., Result], values: Iterable) -> Iterator[Result]:
        """Yield ``function(model, place, value)`` of every tile, on the device of its latents."""
        return side_by_side(function, self._models, self.places, values)

    def _analyse(self, model: Model, place: Place, pixels: np.ndarray) -> jax.Array:
        y = model.analyse(cut(pixels, place, DOWN, place.margin))
        return inner(y, place.margin) if place.margin else y

    def tiles(self, level: int) -> Iterator[CodedTile]:
        """Yield every tile, coded at ``level``, 0 to 1023."""
        rate = self.model.rate(level)

        def transformed(model: Model, place: Place, latents: jax.Array):
            return self._symbols(model, place, latents, rate)

        def coded(model: Model, place: Place, parts) -> CodedTile:
            found, bits, region = parts
            bits = float(jax.device_get(bits))
            return symbols.write(model, found, rate, region, place.size, bits)

        steps = (transformed, self._models), (coded, self._coders)
        return in_two_steps(*steps, self.places, self.latents)

    def estimate(self, level: int) -> float:
        """Return the bits that all symbols take by the densities that training uses."""
        rate, fraction = self.model.rate(level), np.float32(level / (container.LEVELS - 1))

        def bits(model: Model, place: Place, latents: jax.Array) -> float:
            coded, residual, _ = self._symbols(model, place, latents, rate)
            hyper = model.hyper_bits(coded.hyper, fraction, place.size)
            return sum(map(float, jax.device_get((residual, hyper))))

        return sum(self._each(bits, self.latents))

    def _symbols(self, model: Model, place: Place, latents: jax.Array, rate: Rate):
        """Return a tile's symbols, the estimated bits of its residuals, and its region."""
        region = cut(self.region, place, 1, 0)
        return *model.symbols(latents, rate, region, place.size), region


def models(model: Model, tiles: int) -> list[Model]:
    """Return the model on each device that has a tile to transform, and memory for it."""
    if tiles > 1:
        return [model.on(device) for device in with_memory(jax.local_devices())[:tiles]]
    if not host_of(model):
        return [model]
    # named: what comes from another device is moved to a device with a name only
    return [model.on(model.device or jax.local_devices()[0])]


def coders(model: Model, transformers: list[Model], tiles: int) -> list[Model]:
    """Return the model on each device that codes tiles.

    Those are the devices of ``transformers`` (the same list), unless ``model.entropy_device`` puts
    the coder on another one, or on the CPUs of a host whose transforms run on a GPU or TPU.
    """
    if not (devices := host_of(model)):
        return transformers
    return [model.on(device) for device in with_memory(devices)[:tiles]]


def host_of(model: Model) -> list[jax.Device]:
    """Return the devices apart from the transforms' that code symbols; [] if there are none.

    Raises:
      UserError: the host's CPUs are asked for, but JAX has been told not to use them.
    """
    where = model.entropy_device
    if isinstance(where, jax.Device):
        return [where]
    transforms = model.device or jax.local_devices()[0]
    if where == "default" or transforms.platform == "cpu":
        return []
    try:
        return jax.local_devices(backend="cpu")
    except RuntimeError:  # JAX_PLATFORMS names other platforms only
        if where == "auto":
            return []
        raise UserError(
            "entropy_device is cpu, but JAX_PLATFORMS leaves out the CPU; add it, as in cuda,cpu"
        ) from None


def with_memory(devices: list[jax.Device]) -> list[jax.Device]:
    """Return as many of the devices as there is memory for a tile on each."""
    if devices[0].platform != "cpu":
        return devices
    fit = int(MEMORY_SHARE * free_memory(devices[0]) / TILE_MEMORY)  # they share the machine's
    return devices[: max(1, fit)]


def in_two_steps(
    first: tuple[Callable[..., Any], list[Model]],
    second: tuple[Callable[..., Result], list[Model]],
    places: list[Place],
    *columns: Iterable,
) -> Iterator[Result]:
    """Yield ``second(model, place, first(model, place, *row))`` of every tile, in order.

    Each step comes with the models that it runs on. On the same devices, a tile's steps follow each
    other; on different ones, the second step of tiles is done beside the first of later ones.
    """
    (make, makers), (finish, finishers) = first, second
    if makers is finishers:

        def both(model: Model, place: Place, *row) -> Result:
            return finish(model, place, make(model, place, *row))

        return side_by_side(both, makers, places, *columns)
    made = side_by_side(make, makers, places, *columns, alone=False)
    return side_by_side(finish, finishers, places, made, alone=False)


def side_by_side(
    function: Callable[..., Result], models: list[Model], *columns: Iterable, alone: bool = True
) -> Iterator[Result]:
    """Yield ``function(model, *row)`` of each row of the columns in order, by models in turn.

    Each model works in a thread of its own, on one row at a time; rows are taken as they are
    needed. This is not :class:`jaxsr.tiling.runner.Runner`, whose batches would change the shapes
    of the arrays, so the last bits of floats, and so the bytes of a file. An image of 25 megapixels
    is encoded 1.68 times as fast on two cores as on one, and decoded 1.75 times as fast: in 5.19
    and 6.43 s, against 6.03 and 7.20 s on one device that spans both cores
    (``benchmarks/codec.py``).

    Args:
      alone: False if a single model is to have a thread, too, and so to work beside its caller.
    """
    rows = zip(*columns, strict=True)
    if alone and len(models) == 1:
        yield from (function(models[0], *row) for row in rows)
        return
    threads = [ThreadPoolExecutor(1) for _ in models]
    waiting: collections.deque[Future[Result]] = collections.deque()
    try:
        for i, row in enumerate(rows):
            thread, model = threads[i % len(models)], models[i % len(models)]
            waiting.append(thread.submit(function, model, *row))
            if len(waiting) > AHEAD * len(models):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:  # also where a tile fails
        for thread in threads:
            thread.shutdown(cancel_futures=True)


def region_of(region: Map | None, places: list[Place]) -> Int32[np.ndarray, "rows columns"]:
    """Return the map of all latent positions as int32; zeros if there is none."""
    if region is not None:
        return region.astype(np.int32)
    last = places[-1]
    return np.zeros((last.top + last.height, last.left + last.width), np.int32)


def decode(
    model: Model, header: container.Header, tiles: tuple[CodedTile, ...], region: Map | None
) -> UInt8[np.ndarray, "h w 3"]:
    """Decode all tiles to the image that was coded: at scale 2 that is half the picture's size.

    Args:
      model: the codec that coded them.
      header: gives size and rate.
      tiles: in raster order.
      region: the file's map, or None.

    Raises:
      UserError: a tile's symbols are not those that were coded.
    """
    where = places(*header.coded)
    rate = model.rate(header.level)
    steps = region_of(region, where)
    latents = np.empty((*steps.shape, model.latents), np.float32)

    def read(model: Model, place: Place, tile: CodedTile, number: int) -> symbols.Symbols:
        local = cut(steps, place, 1, 0)
        what = f"tile {number} of {len(where)}"
        return symbols.read(model, tile, rate, local, place.size, what)

    def transformed(model: Model, place: Place, coded: symbols.Symbols) -> np.ndarray:
        local = cut(steps, place, 1, 0)
        y = jax.device_get(model.decoded_latents(coded, rate, local, place.size))
        return y[: place.height, : place.width]

    spread = models(model, len(where))
    reading = read, coders(model, spread, len(where))
    numbers = range(1, len(where) + 1)
    parts = in_two_steps(reading, (transformed, spread), where, tiles, numbers)
    for place, y in zip(where, parts, strict=True):
        rows = slice(place.top, place.top + place.height)
        latents[rows, place.left : place.left + place.width] = y
    return assembled(spread, header, latents, steps, where)


def assembled(
    models: list[Model],
    header: container.Header,
    latents: Float32[np.ndarray, "rows columns m"],
    steps: Int32[np.ndarray, "rows columns"],
    where: list[Place],
) -> UInt8[np.ndarray, "h w 3"]:
    """Compute the pixels of all tiles from the latents and put them in their places."""
    rate = models[0].rate(header.level)
    rows, columns = header.coded
    image = np.empty((rows, columns, 3), np.uint8)

    def synthesised(model: Model, place: Place) -> np.ndarray:
        y, local = (cut(x, place, 1, place.margin) for x in (latents, steps))
        return jax.device_get(model.synthesise(y, rate, local))

    for place, pixels in zip(where, side_by_side(synthesised, models, where), strict=True):
        top, left = place.top * DOWN, place.left * DOWN
        height = min(place.height * DOWN, rows - top)
        width = min(place.width * DOWN, columns - left)
        inner = place.margin * DOWN
        image[top : top + height, left : left + width] = pixels[
            inner : inner + height, inner : inner + width
        ]
    return image
