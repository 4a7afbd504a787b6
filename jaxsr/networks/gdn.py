"""Generalised divisive normalisation, the activation of the first learned codecs."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxsr.networks.density import bounded

PEDESTAL = 2.0**-36  # added under the trained roots, so that their gradient never vanishes
BETA_MIN = 1e-6


def gdn(
    x: Float[Array, "*b c"], beta: Float[Array, "c"], gamma: Float[Array, "c c"], inverse: bool
) -> Float[Array, "*b c"]:
    """Return ``xᵢ / √(βᵢ + Σⱼ γᵢⱼ xⱼ²)``, or ``xᵢ`` times that root where ``inverse``.

    The root is float32, as all norms are, whatever the type of ``x``.

    Source: Ballé, Laparra, Simoncelli, "Density Modeling of Images Using a Generalized
    Normalization Transformation" (ICLR 2016), eq. 3 with its exponents fixed to 2 and ½.
    """
    wide = x.astype(jnp.float32)
    sums = jnp.einsum("...j,ij->...i", wide * wide, gamma)
    root = jnp.sqrt(jnp.broadcast_to(beta, x.shape) + sums)
    return (wide * root if inverse else wide / root).astype(x.dtype)


class GDN(nn.Module):
    """:func:`gdn` with its parameters, β ≥ 1e-6 and γ ≥ 0.

    Their roots are trained, so that a step's size goes with the value's: the parametrisation of
    Ballé, "Efficient Nonlinear Transforms for Lossy Image Compression" (2018).
    """

    inverse: bool = False

    @nn.compact
    def __call__(self, x: Float[Array, "*b c"]) -> Float[Array, "*b c"]:
        channels = x.shape[-1]
        beta = self.param("beta", lambda _: jnp.sqrt(jnp.ones(channels, jnp.float32) + PEDESTAL))
        gamma = self.param(
            "gamma", lambda _: jnp.sqrt(0.1 * jnp.eye(channels, dtype=jnp.float32) + PEDESTAL)
        )
        return gdn(x, _squared(beta, BETA_MIN), _squared(gamma, 0.0), self.inverse)


def _squared(root: Array, least: float) -> Array:
    return bounded(root, (least + PEDESTAL) ** 0.5, float("inf")) ** 2 - PEDESTAL
