"""Transparency inside a file: an 8-bit plane, lossless.

The first byte is the method. Then comes either the one value of a constant plane, or the deflated
differences of the plane along none, one or both axes, modulo 256. These are PNG's filters, one for
the whole plane.
"""

import zlib

import numpy as np
from jaxtyping import UInt8

from jaxsr.errors import UserError

Plane = UInt8[np.ndarray, "h w"]

CONSTANT = 0
# method → the axes along which neighbours are subtracted
DIFFERENCES = {1: (), 2: (1,), 3: (0,), 4: (0, 1)}


def encode_plane(plane: Plane) -> bytes:
    """Code a plane with the method that takes fewest bytes: two bytes where it is constant."""
    if (plane == plane[0, 0]).all():
        return bytes([CONSTANT, plane[0, 0]])
    method = min(DIFFERENCES, key=lambda method: len(_deflated(plane, method, level=1)))
    return bytes([method]) + _deflated(plane, method, level=9)


def decode_plane(data: bytes, shape: tuple[int, int]) -> Plane:
    """Invert :func:`encode_plane` for a plane of ``shape``; inflate no more than that holds.

    Raises:
      UserError: the data are damaged, or hold more or fewer values.
    """
    method, body = data[:1], memoryview(data)[1:]
    if method == bytes([CONSTANT]) and len(body) == 1:
        return np.full(shape, body[0], np.uint8)
    if not method or method[0] not in DIFFERENCES:
        raise UserError("the alpha plane is coded in no known way")
    values = inflated(body, shape[0] * shape[1], "the alpha plane")
    plane = np.frombuffer(values, np.uint8).reshape(shape)
    for axis in DIFFERENCES[method[0]]:
        plane = np.cumsum(plane, axis, dtype=np.uint8)
    return plane


def _deflated(plane: Plane, method: int, level: int) -> bytes:
    for axis in DIFFERENCES[method]:
        plane = np.diff(plane, axis=axis, prepend=np.uint8(0))
    return deflated(np.ascontiguousarray(plane), level)


def deflated(data, level: int = 9) -> bytes:
    """Compress any buffer with raw deflate (RFC 1951)."""
    coder = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS, 9)
    return coder.compress(data) + coder.flush()


def inflated(data: bytes | memoryview, size: int, what: str) -> bytes:
    """Invert :func:`deflated`; memory grows with the output, to at most ``size`` + 1 bytes.

    Raises:
      UserError: ``data`` are damaged, or hold more or less than ``size`` bytes.
    """
    coder = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        result = coder.decompress(data, size + 1)
    except zlib.error as error:
        raise UserError(f"{what} is damaged ({error})") from None
    if len(result) != size or not coder.eof or coder.unused_data:
        raise UserError(f"{what} does not hold the {size} bytes it should")
    return result
