"""What the header of a JPEG XL file says, and its EXIF, which imagecodecs does not tell.

Source: ISO/IEC 18181-1, the size header and the first fields of the image metadata; 18181-2, boxes.
"""

import struct
from collections.abc import Iterator

RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))  # width : height, from 1 on
SIZE_BITS = (9, 13, 18, 30)
CODESTREAM = b"\xff\x0a"


def header(data: bytes) -> tuple[int, int, bool]:
    """Return width and height in pixels, and whether there may be several frames.

    Raises:
      ValueError: it is no JPEG XL file, or is cut off.
    """
    bits = _Bits(_codestream(data)[2:])
    width, height = _size(bits)
    if bits.take(1) or not bits.take(1):  # all by default; no extra fields
        return width, height, False
    bits.take(3)  # orientation
    if bits.take(1):  # intrinsic size
        _size(bits)
    preview = bits.take(1)
    return width, height, bool(preview or bits.take(1))


def exif(data: bytes) -> bytes:
    """Return the EXIF block of a file; empty where it has none, or only a compressed one."""
    if data.startswith(CODESTREAM):
        return b""
    found = (body for name, body in _boxes(data) if name == b"Exif")
    body = next(found, bytes(4))
    return body[4 + int.from_bytes(body[:4], "big") :]


def exif_box(exif: bytes) -> bytes:
    """Return what is added to a file in boxes to give it an EXIF block."""
    body = bytes(4) + exif.removeprefix(b"Exif\0\0")
    return struct.pack(">I4s", 8 + len(body), b"Exif") + body


def _codestream(data: bytes) -> bytes:
    if data.startswith(CODESTREAM):
        return data
    for name, body in _boxes(data):
        if name in (b"jxlc", b"jxlp"):
            return body if name == b"jxlc" else body[4:]
    raise ValueError("no codestream in a JPEG XL file")


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield names and contents of a file's boxes; one of size 0 goes on to the end."""
    at = 0
    while at + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        start = at + 8
        if size == 1 and start + 8 <= len(data):  # its size is too large for 32 bits
            (size,) = struct.unpack_from(">Q", data, start)
            start += 8
        end = at + size if size else len(data)
        if end < start:
            raise ValueError("a box of a JPEG XL file is shorter than its header")
        yield name, data[start:end]
        at = end


def _size(bits: "_Bits") -> tuple[int, int]:
    small = bits.take(1)

    def side() -> int:
        return 8 * (bits.take(5) + 1) if small else bits.take(SIZE_BITS[bits.take(2)]) + 1

    height, ratio = side(), bits.take(3)
    if ratio == 0:
        return side(), height
    across, down = RATIOS[ratio - 1]
    return height * across // down, height


class _Bits:
    """Bits from the lowest of each byte on."""

    def __init__(self, data: bytes):
        self._bits = int.from_bytes(data[:64], "little")
        self._left = 8 * min(len(data), 64)

    def take(self, count: int) -> int:
        if count > self._left:
            raise ValueError("the header is cut off")
        value = self._bits & ((1 << count) - 1)
        self._bits >>= count
        self._left -= count
        return value
