"""Upscalers and restorers of whole images, on a region alone."""

import math
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxsr.errors import UserError
from jaxsr.networks.upscaler import Upscaler
from jaxsr.tiling.upscaling import BLEND, apply

UNIT = 8  # pixels: regions are covered by blocks of at least so many a side


class RestoresImages:
    """A network ×1 of whole images as a restorer of regions, which looks at no mask.

    Tiles equal the whole image where the network's receptive field is known; elsewhere its margin
    is ``BLEND`` pixels, and tiles are close to it.

    Attributes:
      network: the network.
      multiple, margin: see :class:`jaxsr.regions.restore.Restorer`.
    """

    def __init__(self, network: Upscaler):
        """Take a network.

        Raises:
          UserError: it enlarges.
        """
        if network.scale != 1:
            raise UserError(
                f"this network enlarges ×{network.scale}; to have a region enlarged by it, use "
                "jaxsr upscale --box or jaxsr.pipeline.load_region_upscaler"
            )
        self.network = network
        self.multiple = math.lcm(network.multiple, UNIT)
        field = network.receptive_field
        reach = BLEND if field is None else field
        self.margin = -(-reach // self.multiple) * self.multiple

    def apply(
        self,
        variables: Mapping[str, Any],
        x: Float[Array, "b h w 3"],
        mask: Float[Array, "b h w 1"],
        features: Float[Array, "b rows cols c"] | None = None,
    ) -> Float[Array, "b h w 3"]:
        """Restore tiles of RGB in [0, 1]; mask and features are not looked at."""
        params = variables["params"]
        if self.network.channels == 1:  # each colour is a gray image
            gray = jnp.concatenate(jnp.split(x, 3, axis=-1))
            y = apply(self.network, params, gray)
            return jnp.concatenate(jnp.split(y, 3), axis=-1)
        if self.network.channels == 4:
            x = jnp.concatenate([x, jnp.ones_like(x[..., :1])], axis=-1)
        return apply(self.network, params, x)[..., :3]


class LeavesImages:
    """A restorer that changes nothing: what is wanted in a region is how it was upscaled."""

    multiple = UNIT
    margin = 0

    def apply(
        self,
        variables: Mapping[str, Any],
        x: Float[Array, "b h w 3"],
        mask: Float[Array, "b h w 1"],
        features: Float[Array, "b rows cols c"] | None = None,
    ) -> Float[Array, "b h w 3"]:
        """Return ``x``."""
        return x
