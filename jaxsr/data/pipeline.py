"""From a source of images to endless batches of aligned crops (grain).

Everything is a random-access ``grain.MapDataset`` up to the batches: batch number n is a function
of the config, the seed and n alone. So the number of worker processes changes nothing, a host's
slice is every k-th element of one global order, and the position of an iterator is one number.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence

import grain
import ml_collections
import numpy as np
from absl import flags
from jaxtyping import Int, UInt8

from jaxsr.data import degradations, masked, sources
from jaxsr.data.sources import first_readable
from jaxsr.errors import UserError
from jaxsr.image.symmetry import turn


def default_config() -> ml_collections.ConfigDict:
    """Options of :func:`super_resolution` and :func:`compression`."""
    return ml_collections.ConfigDict(
        {
            "source": "",  # folder:PATH[,PATH…] or tfds:NAME[:SPLIT]
            "data_dir": "",  # of prepared tfds datasets; "": ~/tensorflow_datasets
            "low_crop": 48,  # super-resolution: side of the low-resolution crops in pixels
            "crop": 256,  # the other tasks: side of the crops in pixels
            "augment": True,  # each crop in one of its eight flips and rotations
            "weight_by_area": True,  # an image is met as often as it has crops; or all equally often
            # What makes the low-resolution image: MATLAB's "bicubic"; "real": blur, resize, noise,
            # JPEG as below; "given": nothing, it comes with the image (feature lr of a tfds dataset)
            "degradation": "bicubic",
            "real": degradations.default_config(),
            # restoration: of images that are enlarged afterwards (``real`` is of the others), and the
            # chance that an image is only reduced and not degraded
            "real_before_upscaling": degradations.default_config(),
            "clean": 0.3,
            # segmentation: the value in masks of each class, the background's first, or several values
            # ((0, 3), 1); (): what is above half of white is class 1
            "mask_classes": (),
            "mask_ignored": (),  # values in masks whose pixels carry no loss
            "workers": 0,  # processes that make batches; 0: a thread of this process
            "cache": "",  # folder of decoded images; "": ~/.cache/jaxsr/images
        }
    )


def super_resolution(
    config: ml_collections.ConfigDict,
    *,
    scale: int,
    batch_size: int,
    seed: int,
    shard_index: int = 0,
    shard_count: int = 1,
) -> "Batches":
    """Endless batches ``{"low": (b, p, p, 3), "high": (b, s·p, s·p, 3), "index": (b,)}``.

    Images are uint8, ``index`` (int32) numbers the image in ``names`` of the result. An epoch meets
    every image as often as crops of this size fit into it (``weight_by_area``) or once, in an order
    that is new each time; a place and a flip are drawn for each crop.

    Args:
      config: see :func:`default_config`.
      batch_size: crops in a batch of this host.
      shard_index, shard_count: this host and their number: together the hosts' n-th batches are
        the n-th ``shard_count · batch_size`` crops of the global order.

    Raises:
      UserError: there is no such source or degradation, or no image is large enough.
    """
    if config.low_crop < 1:
        raise UserError(f"low_crop is a number of pixels, got {config.low_crop}")
    source = sources.open_source(config.source, config.cache, config.data_dir)
    side = config.low_crop * scale
    indices = source.at_least(side)
    make = _pairs(config, source, indices, scale)
    shard = slice(shard_index, None, shard_count)
    return _batches(config, source, indices, side, make, batch_size, seed, shard)


def compression(
    config: ml_collections.ConfigDict,
    *,
    batch_size: int,
    seed: int,
    shard_index: int = 0,
    shard_count: int = 1,
) -> "Batches":
    """Endless batches ``{"image": (b, crop, crop, 3), "seed": (b,), "index": (b,)}``.

    ``seed`` (uint32) is a random number for whatever training draws for the example: its rate, its
    noise. The rest is as in :func:`super_resolution`.

    Raises:
      UserError: there is no such source, or no image is large enough.
    """
    if config.crop < 1:
        raise UserError(f"crop is a number of pixels, got {config.crop}")
    source = sources.open_source(config.source, config.cache, config.data_dir)
    indices = source.at_least(config.crop)
    make = RandomCrop(source.high, indices, config.crop, config.augment)
    shard = slice(shard_index, None, shard_count)
    return _batches(config, source, indices, config.crop, make, batch_size, seed, shard)


def segmentation(
    config: ml_collections.ConfigDict,
    *,
    batch_size: int,
    seed: int,
    shard_index: int = 0,
    shard_count: int = 1,
) -> "Batches":
    """Endless batches ``{"image": (b, crop, crop, 3), "mask": (b, crop, crop), "index": (b,)}``.

    Both are uint8, a mask's values classes or ``masked.IGNORED``. Images are taken whole, or a large
    part of each, and stretched to squares. The rest is as in :func:`super_resolution`.

    Raises:
      UserError: there is no such source, an image without a mask, or the options of masks contradict
        themselves; later, for a mask of another size than its image, or of a value that is no class.
    """
    if config.crop < 1:
        raise UserError(f"crop is a number of pixels, got {config.crop}")
    legend = masked.legend_of(config.mask_classes, config.mask_ignored)
    source = masked.open_masked(config.source, legend, config.cache, config.data_dir)
    indices = np.arange(len(source))
    make = masked.RandomView(source.pair, legend, indices, config.crop, config.augment)
    batches = _endless(indices, make, seed, slice(shard_index, None, shard_count), batch_size)
    return Batches(batches, source, config.workers)


def restoration(
    config: ml_collections.ConfigDict,
    *,
    scales: Sequence[int],
    batch_size: int,
    seed: int,
    shard_index: int = 0,
    shard_count: int = 1,
) -> "Batches":
    """Endless batches of several crops of an image, one for each of ``scales`` and one more.

    ``{"high": (b, n + 1, crop, crop, 3), "low_S": (b, crop/S, crop/S, 3) for each scale S, "seed":
    (b,), "index": (b,)}``; ``low_S`` is the crop of that place in ``high`` reduced (not for S = 1) as MATLAB
    does and, unless chance leaves it clean, degraded at its own size: by ``config.real`` for S = 1, else
    by ``config.real_before_upscaling``. The last of ``high`` has none: it is there to be coded. The rest
    is as in :func:`compression`.

    Raises:
      UserError: there is no such source, no image is large enough, or the crop no multiple of a scale.
    """
    if any(config.crop % scale for scale in scales) or config.crop < 1:
        raise UserError(f"crop is {config.crop}; make it a multiple of the scales {tuple(scales)}")
    source = sources.open_source(config.source, config.cache, config.data_dir)
    indices = source.at_least(config.crop)
    drawn = indices, config.crop, config.augment
    alone = RandomCrop(source.high, *drawn)
    pairs = tuple(_reduced_pair(source, scale, *drawn) for scale in scales)
    degrade = tuple(
        degradations.RealWorld(config.real if scale == 1 else config.real_before_upscaling)
        for scale in scales
    )
    make = RandomCrops(pairs, degrade, alone, config.clean)
    shard = slice(shard_index, None, shard_count)
    return _batches(config, source, indices, config.crop, make, batch_size, seed, shard)


def _reduced_pair(source: sources.Source, scale: int, indices, side: int, augment) -> "RandomPair":
    """Draws crops of ``side`` pixels and what MATLAB makes of them at 1/``scale``."""
    low = source.high if scale == 1 else functools.partial(source.low, scale=scale)
    return RandomPair(source.high, low, None, indices, scale, side // scale, augment)


def _batches(config, source, indices, side, make, batch_size, seed, shard: slice) -> "Batches":
    """Batches of what ``make`` draws of each image, as often as it has crops of ``side`` pixels."""
    area = np.prod(source.sizes[indices], axis=1) / side**2
    times = np.maximum(1, np.round(area)).astype(int) if config.weight_by_area else 1
    positions = np.repeat(np.arange(len(indices)), times)
    return Batches(_endless(positions, make, seed, shard, batch_size), source, config.workers)


def _endless(positions, make, seed: int, shard: slice, batch_size: int) -> grain.MapDataset:
    """Batches of what ``make`` draws of the positions, in an order that is new each time."""
    return (
        grain.MapDataset.source(positions)
        .seed(seed)
        .shuffle()
        .repeat()
        .random_map(make)
        .slice(shard)
        .batch(batch_size, drop_remainder=True)  # endless: there is none; grain counts exactly
    )


def _pairs(config, source: sources.Source, indices, scale: int) -> "RandomPair":
    low_images = {
        "bicubic": lambda index: source.low(index, scale),
        "given": source.given,
        "real": None,
    }
    if config.degradation not in low_images:
        known = ", ".join(low_images)
        raise UserError(f"degradation {config.degradation!r} is not known; use one of {known}")
    if config.degradation == "given" and not source.gives_low:
        raise UserError(
            f"{config.source} has no low-resolution images to be degradation='given'; a tfds "
            "dataset with a feature lr has; or use bicubic"
        )
    return RandomPair(
        source.high,
        low_images[config.degradation],
        degradations.RealWorld(config.real) if config.degradation == "real" else None,
        indices,
        scale,
        config.low_crop,
        config.augment,
    )


@dataclasses.dataclass(frozen=True)
class RandomPair:
    """Position in ``indices`` → random crops of that image and of its low-resolution counterpart.

    An image that cannot be read is replaced by the next one.

    Attributes:
      high: image index → image.
      low: image index → low-resolution image; ``None``: ``degrade`` makes it of the crop.
      degrade: (crop, (height, width), generator) → low-resolution crop.
      indices: of the images, by position.
      scale: of the pair.
      side: of the low-resolution crop.
      augment: whether to flip and rotate.
    """

    high: Callable
    low: Callable | None
    degrade: Callable | None
    indices: Int[np.ndarray, "n"]
    scale: int
    side: int
    augment: bool

    def __call__(self, position: int | np.integer, rng: np.random.Generator) -> dict:
        index, high, low = self._images(int(position))
        size = [n // self.scale for n in high.shape[:2]]
        if low is not None and list(low.shape[:2]) != size:
            raise UserError(
                f"image {index} is {high.shape[1]}×{high.shape[0]}, its low-resolution one "
                f"{low.shape[1]}×{low.shape[0]}: that is not ×{self.scale}"
            )
        y, x = (int(rng.integers(n - self.side + 1)) for n in size)
        which = int(rng.integers(8)) if self.augment else 0
        high = turn(crop(high, y, x, self.side, self.scale), which)
        if low is None:
            low = self.degrade(high, (self.side, self.side), rng)
        else:
            low = turn(crop(low, y, x, self.side), which)
        return {"low": low, "high": high, "index": np.int32(index)}

    def _images(self, position: int) -> tuple:
        def both(index):
            return self.high(index), self.low(index) if self.low else None

        index, (high, low) = first_readable(both, self.indices, position)
        return index, high, low


@dataclasses.dataclass(frozen=True)
class RandomCrop:
    """Position in ``indices`` → a random crop of that image, and a seed; see :class:`RandomPair`."""

    high: Callable
    indices: Int[np.ndarray, "n"]
    side: int
    augment: bool

    def __call__(self, position: int | np.integer, rng: np.random.Generator) -> dict:
        index, image = first_readable(self.high, self.indices, int(position))
        y, x = (int(rng.integers(n - self.side + 1)) for n in image.shape[:2])
        which = int(rng.integers(8)) if self.augment else 0
        image = turn(crop(image, y, x, self.side), which)
        seed = rng.integers(2**32, dtype=np.uint32)
        return {"image": image, "seed": seed, "index": np.int32(index)}


@dataclasses.dataclass(frozen=True)
class RandomCrops:
    """Position → several random crops of an image, as :func:`restoration` says.

    Attributes:
      pairs: a drawer for each scale.
      degrade: for each, (low-resolution crop, its size, generator) → degraded, of the same size.
      alone: draws the last crop.
      clean: the chance that one is not degraded.
    """

    pairs: tuple[RandomPair, ...]
    degrade: tuple[Callable, ...]
    alone: RandomCrop
    clean: float

    def __call__(self, position: int | np.integer, rng: np.random.Generator) -> dict:
        example, highs = {}, []
        for draw, degrade in zip(self.pairs, self.degrade, strict=True):
            pair = draw(position, rng)
            low = pair["low"]
            if rng.random() >= self.clean:
                low = degrade(low, low.shape[:2], rng)
            example[f"low_{draw.scale}"] = low
            highs.append(pair["high"])
        alone = self.alone(position, rng)
        highs.append(alone.pop("image"))
        return example | alone | {"high": np.stack(highs)}


def crop(
    x: UInt8[np.ndarray, "h w c"], top: int, left: int, side: int, scale: int = 1
) -> UInt8[np.ndarray, "p p c"]:
    """A copy of a square of ``x``, the place and side given in pixels ``scale`` times as large."""
    top, left, side = top * scale, left * scale, side * scale
    return np.array(x[top : top + side, left : left + side])


class Batches(grain.IterDataset):
    """Batches made ahead of time by a thread or by processes.

    The state of its iterators is the number of batches given out, so a run may be resumed with
    another number of workers.

    Attributes:
      source: the images.
      names: their names, by the "index" in a batch.
    """

    def __init__(self, batches: grain.MapDataset, source: sources.Source, workers: int):
        super().__init__(batches)
        self.source = source
        self._workers = workers

    @property
    def names(self) -> tuple[str, ...]:
        return self.source.names

    def __iter__(self) -> grain.DatasetIterator:
        return _BatchIterator(self._parent, self._workers)


class _BatchIterator(grain.DatasetIterator):
    def __init__(self, batches: grain.MapDataset, workers: int):
        super().__init__()
        self._batches = batches
        self._workers = workers
        self._given = 0
        self._rest = None

    def __next__(self) -> dict:
        self.start_prefetch()
        batch = next(self._rest)
        self._given += 1
        return batch

    def start_prefetch(self) -> None:
        if self._rest is None:
            rest = self._batches.slice(slice(self._given, None))
            rest = rest.to_iter_dataset(grain.ReadOptions(num_threads=1, prefetch_buffer_size=4))
            if self._workers:
                _mark_flags_as_parsed()
                options = grain.MultiprocessingOptions(self._workers, per_worker_buffer_size=4)
                rest = rest.mp_prefetch(options)
            self._rest = iter(rest)

    def get_state(self) -> dict:
        return {"batches": self._given}

    def set_state(self, state: dict) -> None:
        self._stop()
        self._given = state["batches"]

    def close(self) -> None:
        self._stop()
        super().close()

    def _stop(self) -> None:
        if self._rest is not None:
            self._rest.close()
            self._rest = None


def _mark_flags_as_parsed() -> None:
    """grain's worker processes read its absl flags, which only ``absl.app.run`` parses."""
    if not flags.FLAGS.is_parsed():
        flags.FLAGS.mark_as_parsed()
