"""Restoring as pure functions: a region's tiles restored, and written back without a seam."""

import functools
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxsr.errors import UserError
from jaxsr.networks.window_restorer import PATCH
from jaxsr.regions.masks import REGION, feather
from jaxsr.tiling.budget import choose, gather, scatter
from jaxsr.tiling.cover import frame_size


@runtime_checkable
class Restorer(Protocol):
    """A network that restores frames and tiles, such as ``WindowRestorer``, or what acts like one.

    Attributes:
      multiple: heights, widths and the places of tiles are multiples of so many pixels.
      margin: pixels around an aligned tile that its result depends on, a multiple of ``multiple``.
    """

    @property
    def multiple(self) -> int: ...

    @property
    def margin(self) -> int: ...

    def apply(
        self, variables: dict[str, Any], x: Array, mask: Array, features: Array | None
    ) -> Any: ...


def is_told(network: Restorer) -> bool:
    """Return True if the network takes ``strengths`` as well: how strongly images are degraded."""
    return getattr(network, "told", False)


def restore(
    network: Restorer,
    params: dict,
    x: Float[Array | np.ndarray, "b h w 3"],
    mask: Float[Array | np.ndarray, "b h w"],
    features: Float[Array | np.ndarray, "b rows cols c"] | None = None,
    strengths: Float[Array | np.ndarray, "b 4"] | None = None,
    *,
    core: int = 256,
    budget: int = 4,
) -> tuple[Float[Array, "b h w 3"], Int[Array, "b"]]:
    """Restore the regions of images: a pure function, of one cost whatever the regions are.

    Of each image ``budget`` tiles are restored: those with the most of the region, on a grid that
    starts at the region's corner. Within the budget the result equals :func:`restore_whole`'s.

    Args:
      x: images in [0, 1] of any size.
      mask: their masks; the region is where it is above 0.5.
      features: the upscaler's, on the restorer's grid (``window_restorer.features_at`` with the
        rows and columns of :func:`grid`, or fewer: those missing are 0); None: not upscaled.
      strengths: for a network that is told them (:mod:`jaxsr.networks.degradation`); an image
        that nothing is wrong with, all of whose strengths are 0, stays as it is.
      core: the side of what a tile restores, in pixels, a multiple of ``network.multiple``; the
        tile is larger by ``network.margin`` on every side, but never larger than the frame.
      budget: tiles an image.

    Returns:
      The images, every pixel outside the region as it was, bit for bit; and how many tiles of each
      image were left as they were because there were more than the budget.

    Raises:
      UserError: the core is not a positive multiple of ``network.multiple``, the budget is less
        than 1, or the features are larger than the grid.
    """
    if core < 1 or core % network.multiple or budget < 1:
        raise UserError(
            f"a budget is 1 tile or more, with a core that is a multiple of {network.multiple} "
            f"pixels, got {budget} with cores of {core}"
        )

    def one(x, mask, features, strengths):
        mask = _wanted(mask, strengths)
        frame, mask_frame, features = _framed(network, x, mask, features)
        region = mask_frame[..., 0] > REGION
        cells = choose(region, network.multiple, core, budget)
        seen_by = functools.partial(gather, cells=cells, core=core, margin=network.margin)
        seen = None if features is None else seen_by(features, step=PATCH)
        tiles = seen_by(frame)
        told = None if strengths is None else jnp.tile(strengths, (len(tiles), 1))
        y = apply(network, params, tiles, seen_by(mask_frame), seen, told)
        # a fourth channel tells what was restored: where the budget ends, the region's feather does
        y = jnp.concatenate([y, jnp.ones_like(y[..., :1])], -1)
        frame = jnp.concatenate([frame, jnp.zeros_like(mask_frame)], -1)
        out = scatter(frame, y, cells, core, network.margin)[: x.shape[0], : x.shape[1]]
        return write_back(x, out[..., :3], mask * out[..., 3]), cells.left_over

    return jax.vmap(one)(jnp.asarray(x), jnp.asarray(mask), features, strengths)


def restore_whole(
    network: Restorer,
    params: dict,
    x: Float[Array | np.ndarray, "b h w 3"],
    mask: Float[Array | np.ndarray, "b h w"],
    features: Float[Array | np.ndarray, "b rows cols c"] | None = None,
    strengths: Float[Array | np.ndarray, "b 4"] | None = None,
) -> Float[Array, "b h w 3"]:
    """Do what :func:`restore` does without tiles, at the whole frame's cost."""
    x, mask = jnp.asarray(x), jnp.asarray(mask)
    features = None if features is None else jnp.asarray(features)
    strengths = None if strengths is None else jnp.asarray(strengths)
    frame, mask_frame, seen = jax.vmap(functools.partial(_framed, network))(x, mask, features)
    y = apply(network, params, frame, mask_frame, seen, strengths)
    mask = jax.vmap(_wanted)(mask, strengths)
    return write_back(x, y[:, : x.shape[1], : x.shape[2]], mask)


def apply(
    network: Restorer,
    params: dict,
    x: Float[Array, "b h w 3"],
    mask: Float[Array, "b h w 1"],
    features: Float[Array, "b rows cols c"] | None = None,
    strengths: Float[Array | np.ndarray, "b 4"] | None = None,
) -> Float[Array, "b h w 3"]:
    """Restore frames or tiles in [0, 1]: a pure function; the result is clipped to that range."""
    told = () if strengths is None else (strengths,)
    return jnp.clip(network.apply({"params": params}, x, mask, features, *told), 0, 1)


def write_back(
    x: Float[Array | np.ndarray, "*b h w c"],
    restored: Float[Array | np.ndarray, "*b h w c"],
    mask: Float[Array | np.ndarray, "*b h w"],
) -> Float[Any, "*b h w c"]:
    """Return ``x + w (restored − x)``, where w is the feathered mask.

    Outside the region w is 0, and the result ``x`` bit for bit.
    """
    weights = feather(mask)[..., None]
    xp = x.__array_namespace__()
    return xp.where(weights > 0, x + weights * (restored - x), x)


def _wanted(mask: Float[Array, "h w"], strengths: Float[Array, "4"] | None) -> Array:
    """Return the mask of an image, or an empty one if nothing is known to be wrong with it."""
    return mask if strengths is None else jnp.where((strengths > 0).any(), mask, 0)


def grid(network: Restorer, height: int, width: int) -> tuple[int, int]:
    """Return rows and columns of the grid on which the restorer wants an image's features."""
    rows, columns = frame_size(height, width, network.multiple)
    return rows // PATCH, columns // PATCH


def _framed(network: Restorer, x: Array, mask: Array, features: Array | None):
    """Continue image and mask ``(h, w, 1)`` by their edges to a frame, features by zeros."""
    height, width = frame_size(mask.shape[0], mask.shape[1], network.multiple)
    pads = [(0, height - mask.shape[0]), (0, width - mask.shape[1]), (0, 0)]
    x, mask = (jnp.pad(a, pads, mode="edge") for a in (x, mask[..., None]))
    if features is not None:
        missing = [n // PATCH - m for n, m in zip((height, width), features.shape, strict=False)]
        if min(missing) < 0:
            raise UserError(
                f"features of {features.shape[0]}×{features.shape[1]} positions for a grid of "
                f"{height // PATCH}×{width // PATCH}; bring them to it by features_at"
            )
        features = jnp.pad(features, [*((0, n) for n in missing), (0, 0)])
    return x, mask, features
