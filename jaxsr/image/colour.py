"""BT.601 luma and chroma in the limited range of video, as MATLAB's ``rgb2ycbcr``.

All arrays are in [0, 1]; Y then lies in [16/255, 235/255], Cb and Cr in [16/255, 240/255].
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxsr.errors import UserError

# Rows give Y, Cb, Cr from R, G, B in [0, 1], in units of 1/255 (Poynton, "Digital Video", ch. 9).
RGB_TO_YCBCR = np.array(
    [[65.481, 128.553, 24.966], [-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]]
)
OFFSET = np.array([16.0, 128.0, 128.0])


def rgb_to_y(x: Float[Array | np.ndarray, "*b c"]) -> Float[Array, "*b 1"]:
    """Return the luma ``Y = (16 + 65.481 R + …) / 255``, which super-resolution is scored on.

    Raises:
      UserError: the last axis is not three channels; replicate gray images first.
    """
    return _affine(x, RGB_TO_YCBCR[:1] / 255, OFFSET[:1] / 255)


def rgb_to_ycbcr(x: Float[Array | np.ndarray, "*b c"]) -> Float[Array, "*b 3"]:
    """Return luma and the two colour differences; raises as :func:`rgb_to_y`."""
    return _affine(x, RGB_TO_YCBCR / 255, OFFSET / 255)


def ycbcr_to_rgb(x: Float[Array | np.ndarray, "*b c"]) -> Float[Array, "*b 3"]:
    """Invert :func:`rgb_to_ycbcr`; nothing is clipped. Raises as :func:`rgb_to_y`."""
    inverse = np.linalg.inv(RGB_TO_YCBCR)
    return _affine(x, inverse * 255, -inverse @ OFFSET)


def _affine(x, matrix: np.ndarray, offset: np.ndarray) -> Array:
    if x.shape[-1] != 3:
        raise UserError(f"colour conversion needs 3 channels last, got an array of {x.shape}")
    x = jnp.asarray(x)
    x = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    product = jnp.einsum(
        "...i,oi->...o", x, matrix.astype(x.dtype), precision=jax.lax.Precision.HIGHEST
    )
    return product + offset.astype(x.dtype)
