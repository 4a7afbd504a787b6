"""From a source of images to the examples of each task."""

import functools
from collections.abc import Mapping, Sequence

import ml_collections
import numpy as np

from jaxsr.data import degradations, masked, masks, sources
from jaxsr.data.dataset import Dataset, ImageLayer, Showing
from jaxsr.data.views import Crops, ManyCrops, Pairs, Views
from jaxsr.errors import UserError


def super_resolution(
    config: ml_collections.ConfigDict,
    *,
    scale: int,
    batch_size: int,
    seed: int,
    host: int = 0,
) -> Dataset:
    """Make endless batches ``{"low": (b, p, p, 3), "high": (b, s·p, s·p, 3), "index": (b,)}``.

    Images are uint8; ``index`` (int32) is the image's number in ``names`` of the result. Every
    example draws its image anew, large ones more often (``weight_by_area``) or all alike, then a
    place and a flip.

    Args:
      config: see :mod:`jaxsr.data.options`.
      batch_size: crops in a batch of this host.
      seed: decides, with the config, what every batch is.
      host: number of this host: its batches are the ``host``-th part of those of all.

    Raises:
      UserError: there is no such source or degradation, or no image is large enough.
    """
    if config.low_crop < 1:
        raise UserError(f"config.data.low_crop is {config.low_crop}; give 1 pixel or more")
    source = sources.open_source(config.source, config.cache, config.data_dir)
    indices = source.at_least(config.low_crop * scale, "low_crop")
    layers = {"high": ImageLayer(source.high)} | _low_layer(config, source, scale)
    degrade = degradations.RealWorld(config.real) if config.degradation == "real" else None
    view = Pairs(scale, config.low_crop, config.augment, degrade)
    run = {"seed": seed, "batch_size": batch_size, "host": host}
    return _dataset(config, source, layers, indices, view, run)


def compression(
    config: ml_collections.ConfigDict,
    *,
    batch_size: int,
    seed: int,
    host: int = 0,
) -> Dataset:
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
    view = Crops(config.crop, config.augment)
    layers = {"high": ImageLayer(source.high)}
    run = {"seed": seed, "batch_size": batch_size, "host": host}
    return _dataset(config, source, layers, indices, view, run)


def segmentation(
    config: ml_collections.ConfigDict,
    *,
    batch_size: int,
    seed: int,
    host: int = 0,
) -> Dataset:
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
    view = Views(legend, config.crop, config.augment)
    side = view.packed_side
    layers = {
        "image": ImageLayer(source.high, f"-image-{side}", side=side),
        "mask": ImageLayer(
            lambda index: source.pair(index)[1],
            f"-mask-{side}",
            channels=1,
            side=side,
            resampling=legend.resampling,
        ),
    }
    weights = np.ones_like(indices)
    return Dataset(source, layers, indices, weights, view, seed, batch_size, host, config.workers)


def restoration(
    config: ml_collections.ConfigDict,
    *,
    scales: Sequence[int],
    batch_size: int,
    seed: int,
    host: int = 0,
) -> Dataset:
    """Make endless batches of several crops of an image: one for each of n ``scales``, one more.

    A batch is ``{"high": (b, n + 1, crop, crop, 3), "low_S": (b, crop/S, crop/S, 3) for each scale
    S, "strengths_S": (b, 3), "seed", "place", "index": (b,)}``. ``low_S`` is the crop of ``high``
    that belongs to scale S, reduced as MATLAB does (not for S = 1) and, unless chance leaves it
    clean, degraded at that size: by ``config.real`` for S = 1, else by
    ``config.real_before_upscaling``. ``strengths_S`` (float32) says by how much noise (standard
    deviation in levels of 255), blur (in pixels) and JPEG (what its quality lacks to 100). The last
    crop of ``high`` has no counterpart: it is there to be coded. The rest is as in
    :func:`compression`.

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
    degrade = {
        scale: degradations.RealWorld(config.real if scale == 1 else config.real_before_upscaling)
        for scale in scales
    }
    view = ManyCrops(config.crop, config.augment, degrade, config.clean)
    layers = {"high": ImageLayer(source.high)}
    layers |= {f"low_{scale}": _reduced(source, scale) for scale in scales if scale > 1}
    run = {"seed": seed, "batch_size": batch_size, "host": host}
    return _dataset(config, source, layers, indices, view, run)


def _dataset(
    config,
    source: sources.Source,
    layers: Mapping[str, ImageLayer],
    indices,
    view: Showing,
    run: dict,
) -> Dataset:
    """Make the dataset of some images, weighted as ``config.weight_by_area`` says."""
    area = np.prod(source.sizes[indices], axis=1)
    weights = area if config.weight_by_area else np.ones_like(area)
    return Dataset(source, layers, indices, weights, view, workers=config.workers, **run)


def _reduced(source: sources.Source, scale: int) -> ImageLayer:
    """Return what MATLAB makes of the images at 1/``scale``."""
    return ImageLayer(functools.partial(source.low, scale=scale), f"-x{scale}", scale)


def _low_layer(config, source: sources.Source, scale: int) -> dict[str, ImageLayer]:
    """Return the low-resolution images that ``config.degradation`` says, none if it makes crops.

    Raises:
      UserError: it is unknown, or the source gives none.
    """
    known = ("bicubic", "given", "real")
    if config.degradation not in known:
        raise UserError(
            f"config.data.degradation is {config.degradation!r}; use one of {', '.join(known)}"
        )
    if config.degradation == "given" and not source.gives_low:
        raise UserError(
            f"config.data.degradation is 'given', but {config.source} gives no low-resolution "
            "images; take a tfds dataset with a feature lr, or degradation=bicubic"
        )
    layers = {"bicubic": _reduced(source, scale), "given": _given(source, scale)}
    return {"low": layers[config.degradation]} if config.degradation in layers else {}


def _given(source: sources.Source, scale: int) -> ImageLayer:
    """Return the low-resolution images that come with the images, once their sizes are right."""

    def load(index):
        high, low = source.high(index), source.given(index)
        if list(low.shape[:2]) != [n // scale for n in high.shape[:2]]:
            raise UserError(
                f"image {index} is {high.shape[1]}×{high.shape[0]}, its low-resolution one "
                f"{low.shape[1]}×{low.shape[0]}: that is not ×{scale}"
            )
        return low

    return ImageLayer(load, "-lr", scale)
