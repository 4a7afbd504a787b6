"""Many images at once: ``encode_batch`` and ``decode_batch``.

On GPUs and TPUs images whose canvases have one shape go through the transforms together, by
``jax.vmap``. On CPUs, where XLA would run such a batch in turn, each device takes one image after
another. The entropy coder takes image by image: on all cores of the host, unless told otherwise.
"""

import collections
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

import jax
import numpy as np
from jaxtyping import Int, Int32, UInt8

from jaxsr.codec import container, symbols, tiles, weights
from jaxsr.codec.decoding import as_array, decode, in_channels, model_of
from jaxsr.codec.encoding import QUALITY, check_size, encode, level_of, original
from jaxsr.codec.given import Data
from jaxsr.codec.half import Enlarger
from jaxsr.codec.kept import loaded
from jaxsr.codec.model import Model, Rate, Symbols
from jaxsr.codec.prepared import Original, Prepared
from jaxsr.codec.tiles import Place
from jaxsr.errors import UserError
from jaxsr.image import files
from jaxsr.image.pictures import Image, opened, planes
from jaxsr.networks.compressor import DOWN
from jaxsr.tiling.runner import MEMORY_SHARE, free_memory

LARGEST = 32  # images that go through one program together
# Keywords of encode that neither search for a rate nor code at half the size.
OF_AN_IMAGE = frozenset({"roi", "roi_gain", "keep_metadata", "segmenter"})
Result = TypeVar("Result")


class Where(NamedTuple):
    """What the programs of one image take beside its pixels or symbols."""

    rate: Rate
    region: Int32[np.ndarray, "h w"]
    size: Int[np.ndarray, "2"]


def encode_batch(
    images: Iterable[Image],
    quality: int | None = None,
    *,
    model: str | os.PathLike | Model = weights.DEFAULT,
    **options: Any,
) -> list[bytes]:
    """Code images as complete ``.jsr`` files, on all devices.

    On CPUs the files are byte for byte those that :func:`encode` writes. On GPUs and TPUs the
    transforms of a batch may differ from those of one image in a float's last bit, which now and
    then makes a symbol differ by one. Such a file is as good, and is decoded as exactly.

    Args:
      images: each as for :func:`encode`; also one array of all, the images along its first axis.
        All are in memory at once.
      quality, model: as for :func:`encode`.
      options: the other keywords of :func:`encode`, for every image. Where they search for a rate
        (``bpp``, ``max_bytes``, a target) or give a ``mode``, images are coded one by one on each
        device, GPUs and TPUs included. So are images of several tiles.

    Raises:
      UserError: as for :func:`encode`; it says which image, counted from 1. Or one image is given,
        not several.
    """
    model = loaded(model, weights.load, Model)
    images = _several(images)
    named = _Named("image", len(images))
    pictures = [named(i, opened, image) for i, image in enumerate(images)]
    grids = [named(i, _grid, picture) for i, picture in enumerate(pictures)]
    together = []
    if batches(model) and options.keys() <= OF_AN_IMAGE:
        together = [i for i, count in enumerate(grids) if count == 1]
    sources = {i: named(i, original, pictures[i], **options) for i in together}
    done = _encoded(model, sources, QUALITY if quality is None else quality) if sources else {}

    def alone(model: Model, i: int) -> bytes:
        return named(i, encode, pictures[i], quality, model=model, **options)

    done |= _one_by_one(alone, model, {i: n for i, n in enumerate(grids) if i not in done})
    return [done[i] for i in range(len(images))]


def decode_batch(
    data: Iterable[Data],
    *,
    model: str | os.PathLike | Model | None = None,
    upscaler: str | os.PathLike | Enlarger | None = None,
    entropy_device: str | jax.Device | None = None,
) -> list[UInt8[np.ndarray, "h w *c"]]:
    """Decode ``.jsr`` files to what :func:`decode` makes of each, on all devices.

    On CPUs pixels are the same; on GPUs and TPUs they may differ by 1, as between devices.

    Args:
      data: whole files.
      model, upscaler, entropy_device: as for :func:`decode`, for every file.

    Raises:
      UserError: as for :func:`decode`; it says which file, counted from 1.
    """
    data = list(data)
    named = _Named("file", len(data))
    headers = [named(i, container.parse_header, one) for i, one in enumerate(data)]
    models = [named(i, model_of, header, model) for i, header in enumerate(headers)]
    if entropy_device is not None:
        models = [found.coding_on(entropy_device) for found in models]

    def alone(model: Model, i: int) -> UInt8[np.ndarray, "h w *c"]:
        return named(i, decode, data[i], model=model, upscaler=upscaler)

    done: dict[int, np.ndarray] = {}
    for found in dict.fromkeys(models):
        grids = {i: headers[i].tiles for i, model in enumerate(models) if model is found}
        together = []
        if batches(found):
            together = [i for i, n in grids.items() if n == 1 and headers[i].scale == 1]
        parsed = {i: named(i, container.parse, data[i]) for i in together}
        done |= _decoded(found, parsed, named) if parsed else {}
        done |= _one_by_one(alone, found, {i: n for i, n in grids.items() if i not in done})
    return [done[i] for i in range(len(data))]


def _several(images: Any) -> list[Any]:
    """Return images as a list.

    Raises:
      UserError: it is one image, whose rows or letters would be taken for images.
    """
    shape = getattr(images, "shape", ())
    row = len(shape) in (1, 2) or (len(shape) == 3 and shape[2] <= 4)
    if row or not isinstance(images, Iterable) or isinstance(images, str | os.PathLike):
        raise UserError(
            "a batch is several images, this is one: give a list of them, or use encode"
        )
    return list(images)


def _grid(image: Any) -> int:
    """Return the number of tiles of an image."""
    check_size(image)
    return len(tiles.places(*planes(image)[0].shape[:2]))


class _Named:
    """Calls functions for one of many things, and says in errors which one it was."""

    def __init__(self, what: str, count: int):
        self.what, self.count = what, count

    def __call__(
        self, i: int, function: Callable[..., Result], *args: Any, **options: Any
    ) -> Result:
        try:
            return function(*args, **options)
        except UserError as error:
            raise UserError(f"{self.what} {i + 1} of {self.count}: {error}") from None


def batches(model: Model) -> bool:
    """Return True if the model's transforms run where a batch is faster than one by one."""
    return (model.device or jax.local_devices()[0]).platform != "cpu"


def _one_by_one(
    work: Callable[[Model, int], Result], model: Model, grids: dict[int, int]
) -> dict[int, Result]:
    """Return ``work(model, i)`` of all keys of ``grids``, the numbers of their tiles.

    Images of one tile are done side by side on the devices; of several, one after another, as each
    takes all devices.
    """
    small = [i for i, count in grids.items() if count == 1]
    spread = tiles.models(model, len(small))
    done = dict(zip(small, tiles.side_by_side(work, spread, small), strict=True))
    return done | {i: work(model, i) for i in grids if i not in done}


# Together: chunks of images with one shape of canvas


def _encoded(model: Model, sources: dict[int, Original], quality: int) -> dict[int, bytes]:
    """Return the files of images of one tile."""
    level = level_of(quality)
    ways = {i: Prepared(model, source) for i, source in sources.items()}
    places = {i: tiles.places(*source.size)[0] for i, source in sources.items()}
    where = {i: _where(model, level, way.steps, places[i]) for i, way in ways.items()}
    chunks = list(_chunks(model, places))

    def transformed(model: Model, chunk: list[int]) -> list[tuple[Symbols, np.float32]]:
        rows = [(tiles.cut(ways[i].pixels, places[i].canvas, DOWN), *where[i]) for i in chunk]
        return _apart(model.symbols_of_many(*_stacked(rows)))

    def coded(model: Model, i: int, found: tuple[Symbols, np.float32]) -> bytes:
        tile = symbols.write(model, found[0], *where[i], float(found[1]))
        return ways[i].file(level, int(quality), (tile,))

    spread = tiles.models(model, len(chunks))
    order = list(itertools.chain.from_iterable(chunks))
    made = tiles.side_by_side(transformed, spread, chunks, alone=False)
    every = itertools.chain.from_iterable(made)
    coders = _coders(model, spread, len(order))
    data = tiles.side_by_side(coded, coders, order, every, alone=False)
    return dict(zip(order, data, strict=True))


def _decoded(
    model: Model, parsed: dict[int, container.File], named: _Named
) -> dict[int, UInt8[np.ndarray, "h w *c"]]:
    """Return the pixels of files of one tile at scale 1."""
    places = {i: tiles.places(*file.header.coded)[0] for i, file in parsed.items()}
    where = {
        i: _where(model, file.header.level, file.region, places[i]) for i, file in parsed.items()
    }
    chunks = list(_chunks(model, places))

    def read(model: Model, i: int) -> Symbols:
        (tile,) = parsed[i].tiles
        return jax.device_get(named(i, symbols.read, model, tile, *where[i], "tile 1 of 1"))

    def transformed(model: Model, chunk: list[int], found: list[Symbols]) -> list[np.ndarray]:
        rows = [(coded, *where[i]) for coded, i in zip(found, chunk, strict=True)]
        return _apart(model.pixels_of_many(*_stacked(rows)))

    spread = tiles.models(model, len(chunks))
    order = list(itertools.chain.from_iterable(chunks))
    coders = _coders(model, spread, len(order))
    every = tiles.side_by_side(read, coders, order, alone=False)
    rows = (list(itertools.islice(every, len(chunk))) for chunk in chunks)
    made = tiles.side_by_side(transformed, spread, chunks, rows, alone=False)
    pixels = zip(order, itertools.chain.from_iterable(made), strict=True)
    return {i: _shown(parsed[i], x) for i, x in pixels}


def _shown(
    file: container.File, canvas: UInt8[np.ndarray, "hh ww 3"]
) -> UInt8[np.ndarray, "h w *c"]:
    """Return what a file holds, of the pixels of its only tile's canvas."""
    header = file.header
    pixels = in_channels(canvas[: header.height, : header.width], header.channels)
    return as_array(files.Picture(pixels, file.alpha))


def _where(model: Model, level: int, region: tiles.Map | None, place: Place) -> Where:
    """Return what programs take of a level and of a tile with its place in the region's map."""
    steps = tiles.cut(tiles.region_of(region, [place]), place.canvas)
    return Where(model.rate(level), steps, place.size)


def _chunks(model: Model, places: dict[int, Place]) -> Iterator[list[int]]:
    """Group images by the shape of their canvas, powers of two at a time: few programs compile."""
    alike = collections.defaultdict(list)
    for i, place in places.items():
        alike[place.canvas[2:]].append(i)
    room = MEMORY_SHARE * free_memory(model.device or jax.local_devices()[0]) / tiles.TILE_MEMORY
    for (rows, columns), left in alike.items():
        most = min(LARGEST, max(1, int(room * (container.TILE // DOWN) ** 2 / (rows * columns))))
        while left:
            count = 1 << (min(len(left), most).bit_length() - 1)
            yield left[:count]
            left = left[count:]


def _coders(model: Model, spread: list[Model], images: int) -> list[Model]:
    """Return the model on the devices that code entropy, once for each thread that does.

    The coder's loops take one core each, so a host has a thread for each core.
    """
    coders = tiles.coders(model, spread, images)
    if coders is spread:
        return spread
    threads = max(len(coders), min(images, os.cpu_count() or 1))
    return list(itertools.islice(itertools.cycle(coders), threads))


def _stacked(rows: Sequence[Any]) -> Any:
    """Stack trees of arrays, each of an image."""
    return jax.tree.map(lambda *x: np.stack(x), *rows)


def _apart(batch: Any) -> list[Any]:
    """Move a tree of arrays, of a batch, to the host, and return that of each image."""
    leaves, tree = jax.tree.flatten(jax.device_get(batch))
    return [tree.unflatten(row) for row in zip(*leaves, strict=True)]
