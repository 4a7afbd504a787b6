"""What numbers of pixels mean: uint8 and uint16 at the file boundary, float32 in [0, 1] inside."""

import numpy as np
from jaxtyping import Array, Float, Num, UInt

from jaxsr.errors import UserError


def to_float(pixels: UInt[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
    """uint8 or uint16 → float32 in [0, 1].

    Raises:
      UserError: the pixels are of another type.
    """
    return np.divide(pixels, _white(pixels.dtype), dtype=np.float32)


def from_float(x: Num[Array | np.ndarray, "*n"], dtype=np.uint8) -> UInt[np.ndarray, "*n"]:
    """Floats in [0, 1] → uint8 or uint16: clipped, scaled, rounded (halves up).

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
    if dtype not in (np.uint8, np.uint16):
        raise UserError(f"pixels are uint8 or uint16, got {dtype}")
    return np.float32(np.iinfo(dtype).max)


def decoded(x: np.ndarray) -> np.ndarray:
    """float32 in [0, 1] of either type."""
    return x if x.dtype == np.float32 else to_float(x)


def encoded(x: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """float32 in [0, 1] as ``dtype``: floats as they are, integers rounded."""
    return x if dtype == np.float32 else from_float(x, dtype)
