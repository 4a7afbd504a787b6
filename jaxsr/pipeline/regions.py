"""The region of an image, whichever way it is said, and its tiles restored on the host.

Images of any size pass through few compiled shapes: the tiles of :func:`jaxsr.tiling.cover.plan`. Where
the image was upscaled, each tile's features are computed anew, from as much of the small image as they
depend on: to keep those of a whole image would take many times its memory.
"""

import copy
import functools
import math
from collections.abc import Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, PartitionSpec
from jaxtyping import Array, Float, Int, Shaped

from jaxsr.errors import UserError
from jaxsr.image.pictures import Colour, Mask, rgb, stored
from jaxsr.networks.upscaler import Upscaler
from jaxsr.networks.window_restorer import PATCH, features_at
from jaxsr.pipeline.upscaling import Params
from jaxsr.regions import masks
from jaxsr.regions.restore import Restorer, apply, write_back
from jaxsr.tiling import cover
from jaxsr.tiling.geometry import Tile
from jaxsr.tiling.runner import OutOfMemory, memory_errors, one_ahead
from jaxsr.tiling.upscaling import BLEND, COMPILATION_ELSEWHERE, PIXELS_AT_ONCE

Source = Shaped[np.ndarray, "_ _ c"]  # gray or RGB of another size
INTERPOLATION = 2  # pixels of the small image around it that a position's features are a mean of


class TiledRestorer:
    """A restorer with its parameters, compiled as needed for the tiles of regions of any size.

    Attributes:
      network: the restorer.
      upscaler: of the images it is given, whose features it takes; None: they come as they are.
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
        """``features``: whether the restorer is given those of the upscaler. ``devices``: all local ones."""
        self.network = network
        self.upscaler = upscaler
        self.scale = upscaler.scale if upscaler else 1
        self._features = features
        self._devices = list(devices) or jax.local_devices()
        self._params = {"restore": params, "upscale": upscaler_params}
        self._known: set[tuple[int, int]] = set()
        self._run = functools.cache(self._shared)
        if upscaler:
            known = upscaler.receptive_field is not None
            self._reach = (upscaler.receptive_field if known else BLEND) + INTERPOLATION

    def with_params(self, params: Params) -> "TiledRestorer":
        """Returns the same with other parameters of the restorer; what is compiled is shared."""
        other = copy.copy(self)
        other._params = self._params | {"restore": params}
        return other

    def __call__(self, image: Colour, source: Source, mask: Mask) -> tuple[Colour, int]:
        """The image with the region of ``mask`` restored, and how many tiles that took.

        Outside the region it is the same bit for bit.

        Args:
          image: gray or RGB of any type.
          source: what it was upscaled from; else what the restorer sees of it.

        Raises:
          UserError: memory does not suffice for the smallest tiles.
        """
        sides = [side for side in cover.SIDES if side % self.network.multiple == 0]
        while True:
            try:
                return self._restored(image, source, mask, sides)
            except OutOfMemory:
                sides = sides[: len(sides) // 2]
                if not sides or sides[-1] <= 2 * self._margin:
                    raise UserError(
                        "not enough memory to restore even small tiles; close other programs"
                    ) from None

    @property
    def _margin(self) -> int:
        """Of tiles: the restorer's, or the feather's width where that is more."""
        multiple = self.network.multiple
        return max(self.network.margin, -(-masks.WIDTH // multiple) * multiple)

    def _restored(
        self, image: Colour, source: Source, mask: Mask, sides: Sequence[int]
    ) -> tuple[Colour, int]:
        options = (
            {} if self._devices[0].platform == "cpu" else {"compilation": COMPILATION_ELSEWHERE}
        )
        plan = cover.plan(
            mask > masks.REGION,
            self.network.multiple,
            self._margin,
            sides,
            known=self._known,
            **options,
        )
        out = image.copy()
        for batch, running in one_ahead(self._batches(plan, source, mask)):
            with memory_errors():
                results = np.asarray(running)
            for tile, result in zip(batch, results, strict=False):  # the rest is padding
                paste(out, image, mask, tile, result)
        return out, len(plan)

    def _batches(
        self, plan: Sequence[Tile], source: Source, mask: Mask
    ) -> Iterator[tuple[Sequence[Tile], Array]]:
        """Tiles that run together, and their results while these are still computed."""
        if not plan:
            return
        side = _length(plan[0].rows), _length(plan[0].cols)
        each = self._each(side)
        devices = len(self._devices) if len(plan) > each else 1
        for start in range(0, len(plan), each * devices):
            batch = plan[start : start + each * devices]
            jobs = [self._inputs(source, mask, tile) for tile in batch]
            jobs += jobs[-1:] * (each * devices - len(jobs))
            with memory_errors():
                running = self._run(devices)(self._params, *map(np.stack, zip(*jobs, strict=True)))
            self._known.add(side)
            yield batch, running

    def _each(self, side: tuple[int, int]) -> int:
        """Tiles of a batch on one device; CPUs gain nothing by more."""
        if self._devices[0].platform == "cpu":
            return 1
        return max(1, 4 * PIXELS_AT_ONCE // math.prod(side))

    def _inputs(self, source: Source, mask: Mask, tile: Tile):
        """What a device gets: the part of the source, the tile's mask, and where in the part it begins."""
        mask = cover.cut(mask, tile)[..., None]
        if self.upscaler is None:
            return rgb(cover.cut(source, tile)), mask, np.zeros(2, np.int32)
        rows, cols = (
            part(span, n, self.scale, self._reach)
            for span, n in zip((tile.rows, tile.cols), source.shape[:2], strict=True)
        )
        starts = [
            span.start - self.scale * low.start
            for span, low in zip((tile.rows, tile.cols), (rows, cols), strict=True)
        ]
        return rgb(source[rows, cols]), mask, np.array(starts, np.int32)

    def _shared(self, count: int):
        """The compiled function of batches that are shared by so many devices."""
        mesh = jax.make_mesh(
            (count,), ("tiles",), axis_types=(AxisType.Auto,), devices=self._devices[:count]
        )
        whole, shared = PartitionSpec(), PartitionSpec("tiles")
        return jax.jit(
            jax.shard_map(
                self._of_tiles,
                mesh=mesh,
                in_specs=(whole, shared, shared, shared),
                out_specs=shared,
                check_vma=False,
            )
        )

    def _of_tiles(
        self,
        params: Params,
        seen: Float[Array, "b h w 3"],
        mask: Float[Array, "b th tw 1"],
        starts: Int[Array, "b 2"],
    ) -> Float[Array, "b th tw 3"]:
        """Tiles restored: a pure function."""
        if self.upscaler is None:
            return apply(self.network, params["restore"], seen, mask)
        variables = {"params": params["upscale"]}
        y, f = self.upscaler.apply(variables, seen, method="with_features")
        height, width = mask.shape[1:3]
        x = jax.vmap(functools.partial(within, height=height, width=width))(
            jnp.clip(y, 0, 1), starts
        )
        if not self._features:
            return apply(self.network, params["restore"], x, mask)
        rows, columns = height // PATCH, width // PATCH
        f = jax.vmap(lambda f, at: features_at(f[None], self.scale, rows, columns, at / PATCH)[0])(
            f, starts
        )
        return apply(self.network, params["restore"], x, mask, f)


def part(span: slice, size: int, scale: int, reach: int) -> slice:
    """Along one axis: what of a small image a tile of the large one depends on.

    It is of one length for all tiles of one, but never longer than the image.
    """
    length = min(size, -(-_length(span) // scale) + 2 * reach + 1)
    start = min(max(span.start // scale - reach, 0), size - length)
    return slice(start, start + length)


def within(
    y: Float[Array, "h w c"], start: Int[Array, "2"], height: int, width: int
) -> Float[Array, "{height} {width} c"]:
    """The tile that begins at ``start``, continued by the edge pixels where the image ends before it."""
    rows, cols = (
        jnp.minimum(at + jnp.arange(n), end - 1)
        for at, n, end in zip(start, (height, width), y.shape[:2], strict=True)
    )
    return y[rows[:, None], cols]


def paste(
    out: Colour, image: Colour, mask: Mask, tile: Tile, result: Float[np.ndarray, "th tw 3"]
) -> None:
    """Writes into ``out`` what of a tile is kept and lies in the region, feathered into ``image``."""
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
