"""Reconstruction losses between images in [0, 1]."""

from collections.abc import Callable, Mapping

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxsr.errors import UserError

Image = Float[Array, "b h w c"]


def l1(output: Image, target: Image) -> Float[Array, ""]:
    """Return the mean absolute difference."""
    return jnp.mean(jnp.abs(output - target))


def charbonnier(output: Image, target: Image, epsilon: float = 1e-3) -> Float[Array, ""]:
    """Return ``mean √(d² + ε²)``: L1, smooth at zero (Lai et al., LapSRN, 2017, eq. 3)."""
    return jnp.mean(jnp.sqrt((output - target) ** 2 + epsilon**2))


def fft(output: Image, target: Image) -> Float[Array, ""]:
    """Return L1 between the 2-D spectra, real and imaginary parts apart.

    The transform is orthonormal, so that the value does not depend on the crop's size.
    Source: Cho et al., "MIMO-UNet" (2021), eq. 4.
    """
    difference = jnp.fft.rfft2(output - target, axes=(1, 2), norm="ortho")
    return jnp.mean(jnp.abs(difference.real)) + jnp.mean(jnp.abs(difference.imag))


LOSSES: dict[str, Callable[[Image, Image], Array]] = {
    "l1": l1,
    "charbonnier": charbonnier,
    "fft": fft,
}


def weighted(
    weights: Mapping[str, float],
) -> Callable[[Image, Image], tuple[Float[Array, ""], dict[str, Float[Array, ""]]]]:
    """Make a loss of named ones: ``weighted({"l1": 1, "fft": 0.05})``.

    Returns:
      (output, target) → the sum of the losses, each times its weight; and the losses by their
      names.

    Raises:
      UserError: a name is not in ``LOSSES``, or no weight is positive.
    """
    weights = {name: weight for name, weight in weights.items() if weight}
    unknown = set(weights) - set(LOSSES)
    if unknown or not weights:
        raise UserError(
            f"config.loss needs weights for some of {', '.join(LOSSES)}; got {dict(weights)}"
        )

    def loss(output: Image, target: Image) -> tuple[Array, dict[str, Array]]:
        parts = {name: LOSSES[name](output, target) for name in weights}
        terms = [weight * parts[name] for name, weight in weights.items()]
        return sum(terms[1:], terms[0]), parts

    return loss
