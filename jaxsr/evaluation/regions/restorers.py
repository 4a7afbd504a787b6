"""Measuring restorers: images are degraded, upscaled if reduced, and their regions restored."""

import copy
import os
from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import UInt8

from jaxsr import pipeline, zoo
from jaxsr.evaluation import originals
from jaxsr.evaluation.degradation import check_names
from jaxsr.evaluation.evaluator import Evaluator, Figures, Show, make_evaluator
from jaxsr.evaluation.regions import masked, quality, saliency
from jaxsr.image.values import from_float, to_float
from jaxsr.pipeline.stages import conditions
from jaxsr.regions.masks import REGION
from jaxsr.zoo.weights import Weights

DEGRADATIONS = ("x4", "x4-noise", "x2-jpeg", "noise", "jpeg")  # some of each sort


def evaluator(
    folder: str | os.PathLike,
    *,
    upscaler: str = zoo.DEFAULT_UPSCALER,
    degradations: Sequence[str] = DEGRADATIONS,
    pictures: int = 2,
) -> Evaluator:
    """Return what measures restorers while they train, on a folder of originals.

    For each degradation NAME: ``gain_NAME``, by how many dB restoring raises the PSNR inside the
    region, the mean over images; ``gain`` is the mean of these.

    Args:
      folder: images in ``images/`` and masks in ``masks/``, or images, whose middle is the region.
      upscaler: the released name of what enlarges reduced images.
      degradations: names of :data:`jaxsr.evaluation.regions.quality.DEGRADATIONS`.

    Raises: UserError: there are no images in the folder, one has no mask, or there is no such
      degradation.
    """
    check_folder(folder)
    check_names(degradations, quality.DEGRADATIONS)

    def build(weights: Weights, before: "Restoration | None") -> "Restoration":
        return before.with_params(weights.params) if before else Restoration(weights, upscaler)

    def measure(restoration: "Restoration", show: Show) -> Figures:
        def picture(name: str, degradation: str, *images: quality.Image) -> None:
            show(f"{name} {degradation}", np.concatenate(images, axis=1))

        results = quality.evaluate(restoration, regions(folder), degradations, picture=picture)
        gains = {f"gain_{result.name}": result.gain("inside").psnr for result in results}
        return gains | {"gain": float(np.mean(list(gains.values())))}

    return make_evaluator(build, measure, pictures)


class Restoration:
    """Restores degraded images as ``pipeline`` does; see :meth:`__call__`."""

    def __init__(self, weights: Weights, upscaler: str):
        """Build the restorer of ``weights``; the released ``upscaler`` enlarges reduced images."""
        self._restore = pipeline.Restore(zoo.build(weights), weights.params)
        self._weights, self._upscaler = weights, upscaler
        self._chains: dict[int, pipeline.Chain] = {}

    def with_params(self, params: pipeline.Params) -> "Restoration":
        """Return the same with other parameters of the restorer; what is compiled is shared."""
        other = copy.copy(self)
        other._restore = self._restore.with_params(params)
        other._chains = {s: chain.with_restorer(params) for s, chain in self._chains.items()}
        return other

    def __call__(
        self, low: UInt8[np.ndarray, "rows columns 3"], mask: quality.Mask, scale: int
    ) -> tuple[quality.Image, quality.Image]:
        """Return the global and the restored image, ``scale`` times as large as ``low``.

        Args:
          mask: the region, of their size.
        """
        # floats: what is rounded to 8 bits twice differs in some pixels from what is rounded once
        x, region = to_float(low), mask.astype(np.float32)
        if scale == 1:
            return low, from_float(self._restore(x, region).image)
        chain = self._chain(scale)
        upscaled = chain.upscale(x).image
        return from_float(upscaled), from_float(chain(x, lambda _: region).image)

    def _chain(self, scale: int) -> pipeline.Chain:
        if scale not in self._chains:
            enlarger = zoo.read_upscaler(self._upscaler, scale)
            self._chains[scale] = pipeline.Chain(
                pipeline.load_upscaler(self._upscaler, scale),
                self._restore,
                features=conditions(self._weights, enlarger),
            )
        return self._chains[scale]


def check_folder(folder: str | os.PathLike) -> None:
    """Raise UserError where a folder has no images, or ``masks/`` without one of each image."""
    (masked.check_folder if masked.has_masks(folder) else originals.check_folder)(folder)


def regions(
    folder: str | os.PathLike, find: saliency.FindMask | None = None
) -> Iterator[tuple[str, quality.Image, quality.Mask]]:
    """Yield every image with its region: its mask, else what ``find`` finds, else a box."""
    if masked.has_masks(folder):
        yield from masked.read(folder)
        return
    for name, image in masked.colour(folder):
        mask = find(image) > REGION if find else np.zeros(image.shape[:2], bool)
        yield name, image, mask if mask.any() else quality.centred_box(image)
