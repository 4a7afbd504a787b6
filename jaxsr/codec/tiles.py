"""Pixels to tiles of coded symbols and back.

An image is cut into tiles of about 64×64 latents, each with symbols of its own. The transforms see
8 latents more on the sides where a tile has neighbours, which is more than they reach: so tiles
leave no seams. All tiles of an image have canvases of one shape, for which programs are compiled.
"""

import collections
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

import jax
import numpy as np
from jaxtyping import Float32, Int8, Int32, UInt8

from jaxsr.codec import container, symbols
from jaxsr.codec.container import CodedTile
from jaxsr.codec.model import Model, Rate, part_of
from jaxsr.errors import UserError
from jaxsr.networks.compressor import DOWN
from jaxsr.tiling.runner import MEMORY_SHARE, free_memory

MARGIN = 8  # latents: one window of attention, so that windows lie as in the whole image
UNIT = container.TILE_UNIT // DOWN  # latents: sides of canvases are multiples of it
# Bytes to have free for each tile of 1024×1024 pixels in work: XLA reports 52 MB for the
# released codec's analysis and 42 for its synthesis; the rest is for arrays on the host.
TILE_MEMORY = 1 << 28
GRAY = 128  # of pixels that no tile gives
AHEAD = 4  # tiles for each device that are begun before the first of them is asked for
Map = Int8[np.ndarray, "rows columns"]
Box = tuple[int, int, int, int]
Result = TypeVar("Result")


class Window(NamedTuple):
    """A rectangle of latents; it may reach beyond the image's bottom and right edges."""

    top: int
    left: int
    height: int
    width: int

    def meets(self, other: "Window") -> bool:
        """Return True if the two have a latent in common."""
        return all(
            self[i] < other[i] + other[i + 2] and other[i] < self[i] + self[i + 2] for i in (0, 1)
        )


class Place(NamedTuple):
    """Where a tile lies, in latents.

    Attributes:
      own: the tile itself.
      canvas: what its symbols are computed on, from the tile's top left.
      seen: what the transforms see.
    """

    own: Window
    canvas: Window
    seen: Window

    @property
    def size(self) -> np.ndarray:
        """Height and width in latents, int32."""
        return np.array(self.own[2:], np.int32)

    @property
    def margin(self) -> np.ndarray:
        """Latents that the transforms see above and to the left of the tile, int32."""
        return np.subtract(self.own[:2], self.seen[:2]).astype(np.int32)


def places(height: int, width: int) -> list[Place]:
    """Return the tiles of an image of so many pixels, in raster order."""
    rows, columns = _along(height), _along(width)
    return [
        Place(*(Window(y[0], x[0], y[1], x[1]) for y, x in zip(row, column, strict=True)))
        for row in rows
        for column in columns
    ]


def _along(pixels: int) -> list[tuple[tuple[int, int], ...]]:
    """Return (start, length) of every tile, its canvas and what is seen of it, along an axis."""
    size = -(-pixels // DOWN)
    whole = -(-size // UNIT) * UNIT
    starts = [start // DOWN for start in container.tile_starts(pixels)]
    ends = [*starts[1:], whole]
    side = max(end - start for start, end in zip(starts, ends, strict=True))
    seen = side + MARGIN * min(2, len(starts) - 1)
    return [
        (
            (start, min(end, size) - start),
            (start, side),
            (min(max(start - MARGIN, 0), whole - seen), seen),
        )
        for start, end in zip(starts, ends, strict=True)
    ]


def cut(x: np.ndarray, window: Window, unit: int = 1) -> np.ndarray:
    """Cut a window from a plane, whose edge repeats outside.

    Args:
      x: the plane, ``(h, w, …)``, of ``unit`` values each way for a latent.
      window: in latents.
      unit: 1 for latents, 16 for pixels.
    """
    axes = [
        np.clip(np.arange(start * unit, (start + side) * unit), 0, size - 1)
        for start, side, size in zip(window[:2], window[2:], x.shape[:2], strict=True)
    ]
    return x[axes[0]][:, axes[1]]


# without jit, the numbers would be moved over
_part_of = jax.jit(part_of, static_argnums=3)


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
        y = model.analyse(cut(pixels, place.seen, DOWN))
        if place.seen == place.canvas:
            return y
        first, size = jax.device_put((place.margin, np.array(y.shape[:2], np.int32)), y.sharding)
        return _part_of(y, first, size, place.canvas[2:])

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
        region = cut(self.region, place.canvas)
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
    tiles: Iterable,
    *columns: Iterable,
) -> Iterator[Result]:
    """Yield ``second(model, tile, first(model, tile, *row))`` of every tile, in order.

    Each step comes with the models that it runs on. On the same devices, a tile's steps follow each
    other; on different ones, the second step of tiles is done beside the first of later ones.
    """
    (make, makers), (finish, finishers) = first, second
    if makers is finishers:

        def both(model: Model, tile: Any, *row) -> Result:
            return finish(model, tile, make(model, tile, *row))

        return side_by_side(both, makers, tiles, *columns)
    made = side_by_side(make, makers, tiles, *columns, alone=False)
    return side_by_side(finish, finishers, tiles, made, alone=False)


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
    last = places[-1].own
    return np.zeros((last.top + last.height, last.left + last.width), np.int32)


class DecodedTiles(NamedTuple):
    """An image, or a part of it.

    Attributes:
      pixels: 8-bit RGB.
      missing: tiles that belong into it but are not there.
    """

    pixels: UInt8[np.ndarray, "h w 3"]
    missing: tuple[Place, ...]


def decode(
    model: Model,
    header: container.Header,
    tiles: tuple[CodedTile, ...],
    region: Map | None,
    box: Box | None = None,
    partial: bool = False,
) -> DecodedTiles:
    """Decode tiles to the image that was coded: at scale 2 that is half the picture's size.

    Args:
      model: the codec that coded them.
      header: gives size and rate.
      tiles: in raster order; all of them, or the first ones where ``partial``.
      region: the file's map, or None.
      box: the part of the image to decode, (x, y, width, height) in pixels within it; None: all.
        The symbols of those tiles are decoded that the box touches or that the transforms see
        beside these.
      partial: True if tiles that are not there, or not sound, are left gray.

    Raises:
      UserError: a tile's symbols are not those that were coded; where ``partial``, those of all.
    """
    where = places(*header.coded)
    steps = region_of(region, where)
    rows, columns = header.coded
    box = (0, 0, columns, rows) if box is None else box
    wanted, needed = touched(where, box)
    needed = [i for i in needed if i < len(tiles)] if partial else needed
    spread = models(model, len(needed))
    latents, there = np.zeros((*steps.shape, model.latents), np.float32), set()
    found = _latents(spread, header, tiles, steps, {i: where[i] for i in needed}, partial)
    for i, y in zip(needed, found, strict=True):
        if y is not None:
            top, left, height, width = where[i].own
            latents[top : top + height, left : left + width] = y
            there.add(i)
    if not there.intersection(wanted):
        raise UserError("nothing can be decoded: no tile that belongs into it is whole")
    shown = [where[i] for i in wanted if i in there]
    pixels = assembled(spread, header, latents, steps, shown, box)
    return DecodedTiles(pixels, tuple(where[i] for i in wanted if i not in there))


def box_of(window: Window, scale: int) -> Box:
    """Return a window's (x, y, width, height) in pixels of a picture ``scale`` times as large."""
    top, left, height, width = (n * DOWN * scale for n in window)
    return left, top, width, height


def touched(where: list[Place], box: Box) -> tuple[list[int], list[int]]:
    """Return which tiles a box of pixels touches, and those that the transforms see with them."""
    x, y, width, height = box
    top, left = y // DOWN, x // DOWN
    part = Window(top, left, -(-(y + height) // DOWN) - top, -(-(x + width) // DOWN) - left)
    wanted = [i for i, place in enumerate(where) if place.own.meets(part)]
    seen = [where[i].seen for i in wanted]
    return wanted, [i for i, place in enumerate(where) if any(map(place.own.meets, seen))]


def _latents(
    models: list[Model],
    header: container.Header,
    tiles: tuple[CodedTile, ...],
    steps: Int32[np.ndarray, "rows columns"],
    where: dict[int, Place],
    partial: bool,
) -> Iterator[Float32[np.ndarray, "h w m"] | None]:
    """Yield the latents of some tiles; None where ``partial`` and one is damaged."""
    rate = models[0].rate(header.level)

    def read(model: Model, i: int) -> symbols.Symbols | None:
        local, what = cut(steps, where[i].canvas), f"tile {i + 1} of {header.tiles}"
        try:
            return symbols.read(model, tiles[i], rate, local, where[i].size, what)
        except UserError:
            if partial:
                return None
            raise

    def transformed(model: Model, i: int, coded: symbols.Symbols | None) -> np.ndarray | None:
        if coded is None:
            return None
        local = cut(steps, where[i].canvas)
        y = jax.device_get(model.decoded_latents(coded, rate, local, where[i].size))
        return y[: where[i].own.height, : where[i].own.width]

    reading = read, coders(models[0], models, len(where))
    return in_two_steps(reading, (transformed, models), where)


def assembled(
    models: list[Model],
    header: container.Header,
    latents: Float32[np.ndarray, "rows columns m"],
    steps: Int32[np.ndarray, "rows columns"],
    where: list[Place],
    box: Box,
) -> UInt8[np.ndarray, "h w 3"]:
    """Compute the pixels of tiles from the latents and put them in their places in a box.

    What no tile of ``where`` covers is gray.
    """
    rate = models[0].rate(header.level)
    x, y, width, height = box
    image = np.full((height, width, 3), GRAY, np.uint8)

    def synthesised(model: Model, place: Place) -> np.ndarray:
        seen = cut(latents, place.seen), rate, cut(steps, place.seen)
        return jax.device_get(model.synthesise(*seen))

    for place, pixels in zip(where, side_by_side(synthesised, models, where), strict=True):
        own, seen = (np.array(window) * DOWN for window in (place.own, place.seen))
        first = np.maximum(own[:2], (y, x))
        last = np.minimum(own[:2] + own[2:], (y + height, x + width))
        here, there = (
            [slice(*side) for side in zip(first - start, last - start, strict=True)]
            for start in ((y, x), seen[:2])
        )
        image[*here] = pixels[*there]
    return image
