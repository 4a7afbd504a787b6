"""Restoring on the host: regions of images of any size, tile by tile.

Images of any size pass through few compiled shapes: the tiles of :func:`jaxsr.tiling.cover.plan`.
Where the image was upscaled, each tile's features are computed anew, from as much of the small
image as they depend on: to keep those of a whole image would take many times its memory.
"""

import copy
import functools
import logging
import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Shaped

from jaxsr.errors import UserError
from jaxsr.image.pictures import Colour, Mask, rgb, stored
from jaxsr.networks.degradation import estimate
from jaxsr.networks.upscaler import Upscaler
from jaxsr.networks.window_restorer import PATCH, features_at
from jaxsr.regions import degradation, masks
from jaxsr.regions.degradation import UNKNOWN, Degraded, Strengths
from jaxsr.regions.restore import Restorer, apply, is_told, write_back
from jaxsr.tiling import cover
from jaxsr.tiling.geometry import Tile
from jaxsr.tiling.runner import OutOfMemory, Runner
from jaxsr.tiling.upscaling import BLEND, COMPILATION_ELSEWHERE, LONGEST, reach_of

log = logging.getLogger("jaxsr")

Params = dict[str, Any]
Source = Shaped[np.ndarray, "_ _ c"]  # gray or RGB of another size
PIXELS_AT_ONCE = 4 * LONGEST**2  # of one batch on one device: restorers take less a pixel
INTERPOLATION = 2  # pixels of the small image around it that a position's features are a mean of


class TiledRestorer:
    """A restorer with its parameters, compiled as needed for the tiles of regions of any size.

    Attributes:
      network: the restorer.
      upscaler: of the images it is given, whose features it takes; None: they come as they are.
      scale: the upscaler's; 1 without one.
    """

    def __init__(
        self,
        network: Restorer,
        params: Params,
        upscaler: Upscaler | None = None,
        upscaler_params: Params | None = None,
        *,
        features: bool = True,
        devices: Sequence[jax.Device] = (),
    ):
        """Place the parameters on ``devices``: all local ones unless told.

        Args:
          features: whether the restorer is given those of the upscaler.
        """
        self.network = network
        self.upscaler = upscaler
        self.scale = upscaler.scale if upscaler else 1
        self._features = features
        self._known: set[tuple[int, int]] = set()  # sides of tiles that are compiled
        self._reach = (reach_of(upscaler) if upscaler else BLEND) + INTERPOLATION
        both = {"restore": params, "upscale": upscaler_params}
        self._runner = Runner(self._of_tiles, both, devices)
        self._estimator = Runner(estimate, params.get("estimate", {}), devices)

    def with_params(self, params: Params) -> "TiledRestorer":
        """Return the same with other parameters of the restorer; what is compiled is shared."""
        other = copy.copy(self)
        other._runner = self._runner.with_params(self._runner.params | {"restore": params})
        other._estimator = self._estimator.with_params(params.get("estimate", {}))
        return other

    def __call__(
        self, image: Colour, source: Source, mask: Mask, known: Degraded = UNKNOWN
    ) -> tuple[Colour, int, Degraded | None]:
        """Restore the region of ``mask``; outside of it the image stays the same bit for bit.

        Where a batch does not fit into memory, one tile at a time and smaller ones are tried.

        Args:
          image: gray or RGB of any type.
          source: what it was upscaled from; else what the restorer sees of it.
          known: how it was degraded, for a restorer that is told; the rest is estimated.

        Returns:
          The restored image; how many tiles that took; and what the restorer was told. If that is
          nothing, the image is the one given, and no tile was restored.

        Raises:
          UserError: memory does not suffice for the smallest tiles; what is known is out of its
            range, or the restorer is not told.
        """
        strengths = self._strengths(source, mask, known)
        if strengths is None:
            return *self._restored(image, source, mask, ()), None
        told = degradation.found(strengths)
        if not strengths.any():
            return image.copy(), 0, told
        return *self._restored(image, source, mask, (strengths,)), told

    def _strengths(self, source: Source, mask: Mask, known: Degraded) -> Strengths | None:
        """Return what the restorer is told; None if it is told nothing."""
        strengths = degradation.given(known, self.network)
        if not is_told(self.network):
            return None
        missing = np.isnan(strengths)
        crops = degradation.crops(source, mask, self.scale) if missing.any() else []
        if crops:
            most = self._each(crops[0].shape[:2], PIXELS_AT_ONCE)
            each = self._estimator.run([(crops, most)], lambda crop: (rgb(crop),))
            estimates = degradation.trusted(np.mean([row for _, row in each], axis=0))
            strengths[missing] = estimates[missing]
        return np.nan_to_num(strengths)  # nothing is wrong with an empty region

    def _restored(
        self, image: Colour, source: Source, mask: Mask, told: tuple[Strengths, ...]
    ) -> tuple[Colour, int]:
        """Restore with the largest tiles that memory suffices for."""
        sides = [side for side in cover.SIDES if side % self.network.multiple == 0]
        at_once = PIXELS_AT_ONCE
        while True:
            try:
                return self._in_tiles(image, source, mask, told, sides, at_once)
            except OutOfMemory:
                sides, at_once = sides[: len(sides) // 2], 0
                if not sides or sides[-1] <= 2 * self._margin:
                    raise UserError(
                        "not enough memory to restore even small tiles; close other programs"
                    ) from None
                log.warning("tiles exceed the memory, trying those of %d pixels", sides[-1])

    @property
    def _margin(self) -> int:
        """The tiles' margin in pixels: the restorer's, or the feather's width if that is more."""
        multiple = self.network.multiple
        return max(self.network.margin, -(-masks.WIDTH // multiple) * multiple)

    def _in_tiles(
        self,
        image: Colour,
        source: Source,
        mask: Mask,
        told: tuple[Strengths, ...],
        sides: Sequence[int],
        at_once: int,
    ) -> tuple[Colour, int]:
        """Restore in tiles of such ``sides``, ``at_once`` pixels of them on a device."""
        options = {} if self._runner.platform == "cpu" else {"compilation": COMPILATION_ELSEWHERE}
        plan = cover.plan(
            mask > masks.REGION,
            self.network.multiple,
            self._margin,
            sides,
            known=self._known,
            **options,
        )
        out = image.copy()
        groups = [(plan, self._each(plan[0].shape, at_once))] if plan else []
        inputs = functools.partial(self._inputs, source, mask, told)
        for tile, result in self._runner.run(groups, inputs):
            paste(out, image, mask, tile, result)
            self._known.add(tile.shape)
        return out, len(plan)

    def _each(self, shape: tuple[int, int], at_once: int) -> int:
        """Return how many tiles a device takes at a time; CPUs gain nothing by more than one."""
        return 1 if self._runner.platform == "cpu" else max(1, at_once // math.prod(shape))

    def _inputs(
        self, source: Source, mask: Mask, told: tuple[Strengths, ...], tile: Tile
    ) -> tuple[np.ndarray, ...]:
        """Return a part of the source, the tile's mask and place in the part, and what is told."""
        mask = cover.cut(mask, tile)[..., None]
        if self.upscaler is None:
            return rgb(cover.cut(source, tile)), mask, np.zeros(2, np.int32), *told
        rows, cols = (
            part(span, n, self.scale, self._reach, self.upscaler.multiple)
            for span, n in zip((tile.rows, tile.cols), source.shape[:2], strict=True)
        )
        starts = [
            span.start - self.scale * low.start
            for span, low in zip((tile.rows, tile.cols), (rows, cols), strict=True)
        ]
        return rgb(source[rows, cols]), mask, np.array(starts, np.int32), *told

    def _of_tiles(
        self,
        params: Params,
        seen: Float[Array, "b h w 3"],
        mask: Float[Array, "b th tw 1"],
        starts: Int[Array, "b 2"],
        told: Float[Array, "b 4"] | None = None,
    ) -> Float[Array, "b th tw 3"]:
        """Restore tiles: a pure function of parameters and what :meth:`_inputs` returns."""
        if self.upscaler is None:
            return apply(self.network, params["restore"], seen, mask, None, told)
        variables = {"params": params["upscale"]}
        y, f = self.upscaler.apply(variables, seen, method="with_features")
        height, width = mask.shape[1:3]
        x = jax.vmap(functools.partial(within, height=height, width=width))(
            jnp.clip(y, 0, 1), starts
        )
        if not self._features:
            return apply(self.network, params["restore"], x, mask, None, told)
        rows, columns = height // PATCH, width // PATCH
        f = jax.vmap(lambda f, at: features_at(f[None], self.scale, rows, columns, at / PATCH)[0])(
            f, starts
        )
        return apply(self.network, params["restore"], x, mask, f, told)


def part(span: slice, size: int, scale: int, reach: int, unit: int = 1) -> slice:
    """Return, along one axis, what of a small image a tile of the large one depends on.

    All tiles of one length have parts of one length, never longer than the image. Parts start, and
    those at the image's end stop, where windows of ``unit`` pixels do when the whole image is
    upscaled, so that a network looks at the same windows.

    Args:
      span: of the tile, in pixels of the large image.
      size: of the small image, in pixels.
      reach: pixels of the small image beyond the tile.
    """
    length = -(-_length(span) // scale) + 2 * reach + unit
    length = min(size, length + (size - length) % unit)
    start = max(span.start // scale - reach, 0) // unit * unit
    start = min(start, size - length)
    return slice(start, start + length)


def within(
    y: Float[Array, "h w c"], start: Int[Array, "2"], height: int, width: int
) -> Float[Array, "{height} {width} c"]:
    """Cut the tile that begins at ``start``; edge pixels continue an image that ends before it."""
    rows, cols = (
        jnp.minimum(at + jnp.arange(n), end - 1)
        for at, n, end in zip(start, (height, width), y.shape[:2], strict=True)
    )
    return y[rows[:, None], cols]


def paste(
    out: Colour, image: Colour, mask: Mask, tile: Tile, result: Float[np.ndarray, "th tw 3"]
) -> None:
    """Write what of a tile is kept and in the region into ``out``, feathered into ``image``."""
    keep = tile.keep_rows, tile.keep_cols
    around = tuple(  # the feather's weights depend on the mask as far as it is wide
        slice(max(0, span.start - masks.WIDTH), min(n, span.stop + masks.WIDTH))
        for span, n in zip(keep, mask.shape, strict=True)
    )
    seen = tuple(_moved(a, -t.start) for a, t in zip(around, (tile.rows, tile.cols), strict=True))
    inner = tuple(_moved(k, -a.start) for k, a in zip(keep, around, strict=True))
    y = write_back(rgb(image[around]), result[seen], mask[around])[inner]
    region = mask[keep] > masks.REGION
    out[keep][region] = stored(y, image)[region]


def _moved(span: slice, by: int) -> slice:
    return slice(span.start + by, span.stop + by)


def _length(span: slice) -> int:
    return span.stop - span.start
