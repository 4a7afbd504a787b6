"""What numbers of pixels mean: uint8 and uint16 at the file boundary, float32 in [0, 1] inside."""

import numpy as np
from jaxtyping import Array, Float, Num, Shaped, UInt

from jaxsr.errors import UserError


def to_float(pixels: UInt[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
    """Convert uint8 or uint16 to float32 in [0, 1].

    Raises:
      UserError: the pixels are of another type.
    """
    return np.divide(pixels, _white(pixels.dtype), dtype=np.float32)


def from_float(
    x: Num[Array | np.ndarray, "*n"], dtype: np.dtype | type[np.generic] = np.uint8
) -> UInt[np.ndarray, "*n"]:
    """Convert floats in [0, 1] to uint8 or uint16: clip, scale, round (halves up).

    Raises:
      UserError: ``x`` holds NaN, or ``dtype`` is another type.
    """
    white = _white(np.dtype(dtype))
    x = np.array(x, np.float32)
    if np.isnan(x).any():
        raise UserError("the image holds NaN: no pixel can stand for it; the network has diverged")
    np.clip(x, 0, 1, out=x)
    x *= white
    x += np.float32(0.5)
    return x.astype(dtype)


def _white(dtype: np.dtype) -> np.float32:
    """Return the largest value of uint8 or uint16."""
    if dtype not in (np.uint8, np.uint16):
        raise UserError(f"pixels are uint8 or uint16, got {dtype}")
    return np.float32(np.iinfo(dtype).max)


def decoded(x: Shaped[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
    """Return pixels as float32 in [0, 1]; those that are float32 as they are."""
    return x if x.dtype == np.float32 else to_float(x)


def encoded(x: Float[np.ndarray, "*n"], dtype: np.dtype) -> Shaped[np.ndarray, "*n"]:
    """Return float32 in [0, 1] as ``dtype``: float32 as it is, uint8 or uint16 rounded."""
    return x if dtype == np.float32 else from_float(x, dtype)
