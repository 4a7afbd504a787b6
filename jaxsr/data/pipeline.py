"""From a source of images to endless batches of aligned crops, for each task.

Everything is a random-access ``grain.MapDataset`` up to the batches: batch number n is a function
of the config, the seed and n alone. So the number of worker processes changes nothing, a host's
slice is every k-th element of one global order, and the position of an iterator is one number.
"""

import functools
from collections.abc import Sequence

import ml_collections
import numpy as np

from jaxsr.data import degradations, masked, masks, sources
from jaxsr.data.batches import Batches, endless
from jaxsr.data.views import RandomCrop, RandomCrops, RandomPair, RandomView
from jaxsr.errors import UserError


def super_resolution(
    config: ml_collections.ConfigDict,
    *,
    scale: int,
    batch_size: int,
    seed: int,
    shard_index: int = 0,
    shard_count: int = 1,
) -> Batches:
    """Make endless batches ``{"low": (b, p, p, 3), "high": (b, s·p, s·p, 3), "index": (b,)}``.

    Images are uint8; ``index`` (int32) is the image's number in ``names`` of the result. An epoch
    meets every image as often as crops of this size fit into it (``weight_by_area``) or once, in an
    order that is new each time; a place and a flip are drawn for each crop.

    Args:
      config: see :mod:`jaxsr.data.options`.
      batch_size: crops in a batch of this host.
      seed: decides, with the config, what every batch is.
      shard_index, shard_count: this host and the number of hosts: their n-th batches together are
        the n-th ``shard_count · batch_size`` crops of the global order.

    Raises:
      UserError: there is no such source or degradation, or no image is large enough.
    """
    if config.low_crop < 1:
        raise UserError(f"config.data.low_crop is {config.low_crop}; give 1 pixel or more")
    source = sources.open_source(config.source, config.cache, config.data_dir)
    side = config.low_crop * scale
    indices = source.at_least(side, "low_crop")
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
) -> Batches:
    """Make endless batches ``{"image": (b, crop, crop, 3), "seed", "place", "index": (b,)}``.

    ``seed`` (uint32) is a random number for whatever training draws for the example, such as its
    rate and its noise; ``place`` (int32) is the example's position in the batch of all hosts
    together. The rest is as in :func:`super_resolution`.

    Raises:
      UserError: there is no such source, or no image is large enough.
    """
    if config.crop < 1:
        raise UserError(f"config.data.crop is {config.crop}; give 1 pixel or more")
    source = sources.open_source(config.source, config.cache, config.data_dir)
    indices = source.at_least(config.crop, "crop")
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
) -> Batches:
    """Make endless batches ``{"image": (b, p, p, 3), "mask": (b, p, p), "index": (b,)}``.

    The side p is ``config.crop``. Both are uint8; a mask's values are classes or ``masks.IGNORED``.
    Of each image the whole, or a large part, is stretched to a square. The rest is as in
    :func:`super_resolution`.

    Raises:
      UserError: there is no such source, an image has no mask, or the options of masks contradict
        each other. While batches are made: a mask has another size than its image, or a value that
        stands for no class.
    """
    if config.crop < 1:
        raise UserError(f"config.data.crop is {config.crop}; give 1 pixel or more")
    legend = masks.legend_of(config.mask_classes, config.mask_ignored)
    source = masked.open_masked(config.source, legend, config.cache, config.data_dir)
    indices = np.arange(len(source))
    make = RandomView(source.pair, legend, indices, config.crop, config.augment)
    batches = endless(indices, make, seed, slice(shard_index, None, shard_count), batch_size)
    return Batches(batches, source, config.workers)


def restoration(
    config: ml_collections.ConfigDict,
    *,
    scales: Sequence[int],
    batch_size: int,
    seed: int,
    shard_index: int = 0,
    shard_count: int = 1,
) -> Batches:
    """Make endless batches of several crops of an image: one for each of n ``scales``, one more.

    A batch is ``{"high": (b, n + 1, crop, crop, 3), "low_S": (b, crop/S, crop/S, 3) for each scale
    S, "seed", "place", "index": (b,)}``. ``low_S`` is the crop of ``high`` that belongs to scale
    S, reduced as MATLAB does (not for S = 1) and, unless chance leaves it clean, degraded at that
    size: by ``config.real`` for S = 1, else by ``config.real_before_upscaling``. The last crop of
    ``high`` has no counterpart: it is there to be coded. The rest is as in :func:`compression`.

    Raises:
      UserError: there is no such source, no image is large enough, or the crop is no multiple of a
        scale.
    """
    if any(config.crop % scale for scale in scales) or config.crop < 1:
        raise UserError(
            f"config.data.crop is {config.crop}; make it a multiple of the scales {tuple(scales)}"
        )
    source = sources.open_source(config.source, config.cache, config.data_dir)
    indices = source.at_least(config.crop, "crop")
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


def _reduced_pair(source: sources.Source, scale: int, indices, side: int, augment) -> RandomPair:
    """Draw crops of ``side`` pixels and what MATLAB makes of them at 1/``scale``."""
    low = source.high if scale == 1 else functools.partial(source.low, scale=scale)
    return RandomPair(source.high, low, None, indices, scale, side // scale, augment)


def _batches(config, source, indices, side, make, batch_size, seed, shard: slice) -> Batches:
    """Batch what ``make`` draws of each image, as often as crops of ``side`` pixels fit in."""
    area = np.prod(source.sizes[indices], axis=1) / side**2
    times = np.maximum(1, np.round(area)).astype(int) if config.weight_by_area else 1
    positions = np.repeat(np.arange(len(indices)), times)
    return Batches(endless(positions, make, seed, shard, batch_size), source, config.workers)


def _pairs(config, source: sources.Source, indices, scale: int) -> RandomPair:
    """Draw crops and their low-resolution counterparts, made as ``config.degradation`` says."""
    low_images = {
        "bicubic": lambda index: source.low(index, scale),
        "given": source.given,
        "real": None,
    }
    if config.degradation not in low_images:
        known = ", ".join(low_images)
        raise UserError(f"config.data.degradation is {config.degradation!r}; use one of {known}")
    if config.degradation == "given" and not source.gives_low:
        raise UserError(
            f"config.data.degradation is 'given', but {config.source} gives no low-resolution "
            "images; take a tfds dataset with a feature lr, or degradation=bicubic"
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
