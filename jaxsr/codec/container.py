"""The ``.jsr`` file, version 2: bytes to and from its parts, as ``docs/format.md`` describes.

Everything is checked before it is used: sizes against limits and against the bytes that are there,
the whole file against its CRC. The size in the header bounds the memory that a part takes, and the
bytes in the file bound that size.

Integers are unsigned LEB128 (``varint``) unless a width is given; those are little-endian.
"""

import dataclasses
import struct
import zlib
from typing import Any

import numpy as np
from jaxtyping import Int8, UInt8

from jaxsr.codec import alpha as planes
from jaxsr.codec import region as regions
from jaxsr.codec.given import Data, as_bytes
from jaxsr.errors import UserError
from jaxsr.image.files import MAX_PIXELS

MAGIC = b"\x89JSR"
VERSION = 2
TILE = 1024  # pixels: the side that tiles come closest to; see tile_count
TILE_UNIT = 128  # pixels: tiles begin at multiples of it
LEVELS = 1024
MAX_METADATA = 2**24  # bytes of an ICC profile or EXIF block
MAX_LANES = 1024

# Flags
RGB, REGION, ALPHA, ICC, EXIF = 1, 2, 4, 8, 16
SCALE_SHIFT = 5  # two bits: log2 of the scale
SCALES = (1, 2)  # 4 is reserved
RESERVED = 128
# The parts between header and tiles, in this order, each present if its flag is set.
SECTIONS = {REGION: "region", ALPHA: "alpha", ICC: "icc", EXIF: "exif"}

STATE_BYTES = 4  # each lane's state; a tile's words begin with the states
SMALLEST_TILE = 1 + 1 + STATE_BYTES + 4  # lanes, count of words, words, check


@dataclasses.dataclass(frozen=True)
class Header:
    """The fields at the start of a file, before any pixel.

    Attributes:
      width, height: pixels of the image.
      channels: 1 gray, 3 RGB; 8 bits each.
      model: the number of the released model that coded it, 0 to 255.
      model_hash: the first four bytes of SHA-256 over the model's weights and tables.
      level: the rate, 0 to 1023.
      quality: 1 to 100 as asked for; 0 if bytes or a likeness were asked for.
      scale: 1, or 2 if the tiles hold the image at half its size, to be enlarged by an upscaler.
      upscaler: the first four bytes of SHA-256 over that upscaler's weights; empty at scale 1.

    Raises:
      UserError: a field is out of range.
    """

    width: int
    height: int
    channels: int
    model: int
    model_hash: bytes
    level: int
    quality: int = 0
    scale: int = 1
    upscaler: bytes = b""

    def __post_init__(self):
        if self.width < 1 or self.height < 1 or self.width * self.height > MAX_PIXELS:
            raise UserError(
                f"an image of {self.width}×{self.height} pixels; from 1×1 to "
                f"{MAX_PIXELS // 10**6} million pixels can be"
            )
        if self.channels not in (1, 3):
            raise UserError(f"{self.channels} channels; 1 (gray) or 3 (RGB) can be")
        if not 0 <= self.model <= 255 or len(self.model_hash) != 4:
            raise UserError("a model is a number of 0 to 255 and a hash of 4 bytes")
        if not 0 <= self.level < LEVELS:
            raise UserError(f"rate level {self.level}; 0 to {LEVELS - 1} can be")
        if not 0 <= self.quality <= 100:
            raise UserError(f"quality {self.quality}; 0 to 100 can be")
        if self.scale not in SCALES:
            raise UserError(
                f"an image stored at 1/{self.scale} of its size, which this version cannot read"
            )
        if len(self.upscaler) != (0 if self.scale == 1 else 4):
            raise UserError("an upscaler is named, by a hash of 4 bytes, where the scale is not 1")

    @property
    def coded(self) -> tuple[int, int]:
        """Height and width in pixels of the image that the tiles hold."""
        return -(-self.height // self.scale), -(-self.width // self.scale)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of tiles."""
        height, width = self.coded
        return tile_count(height), tile_count(width)

    @property
    def tiles(self) -> int:
        """The number of tiles."""
        rows, columns = self.grid
        return rows * columns


def tile_count(pixels: int) -> int:
    """Return into how many tiles an axis of so many pixels is cut: one below 1.5 ``TILE``."""
    return max(1, (pixels + TILE // 2) // TILE)


def tile_starts(pixels: int) -> list[int]:
    """Return where the tiles of an axis begin, in pixels; all are nearly equally long."""
    count, units = tile_count(pixels), -(-pixels // TILE_UNIT)
    return [TILE_UNIT * (i * units // count) for i in range(count)]


@dataclasses.dataclass(frozen=True)
class CodedTile:
    """One independently coded part of the image.

    Attributes:
      lanes: the lanes of the rANS coder, a power of two from 1 to 1024.
      words: the coder's stream of uint16 words, little-endian; see :mod:`jaxsr.entropy.rans`.
      check: CRC32 of the decoded symbols.

    Raises:
      UserError: a field is out of range.
    """

    lanes: int
    words: bytes
    check: int

    def __post_init__(self):
        if self.lanes not in (1 << i for i in range(MAX_LANES.bit_length())):
            raise UserError(f"{self.lanes} lanes; powers of two up to {MAX_LANES} can be")
        if len(self.words) % 2 or len(self.words) < STATE_BYTES * self.lanes:
            raise UserError(f"{len(self.words)} bytes of words for {self.lanes} lanes")
        if not 0 <= self.check < 2**32:
            raise UserError("a tile's check is a CRC32")


@dataclasses.dataclass(frozen=True, eq=False)
class File:
    """All parts of a file.

    Attributes:
      header: size, model and rate.
      tiles: in raster order.
      alpha: opacity, of the image's size; 255 is opaque.
      icc, exif: as in :class:`jaxsr.image.files.Picture`.
      region: by how many steps each latent position is quantised finer; its shape is
        ``region.map_shape(*header.coded)``.
    """

    header: Header
    tiles: tuple[CodedTile, ...]
    alpha: UInt8[np.ndarray, "h w"] | None = None
    icc: bytes | None = None
    exif: bytes | None = None
    region: Int8[np.ndarray, "rows cols"] | None = None


@dataclasses.dataclass(frozen=True)
class Layout:
    """The parts that could be read of a file, sound or damaged.

    Attributes:
      header: ``None`` if it is damaged.
      sections: the bytes of the optional parts, still coded: ``{"region": …, "icc": …}``.
      tiles: those before the first that could not be read.
      parts: the bytes that each part takes with its lengths, in the order of the file: "header",
        the sections, "tiles" and "checksum"; they sum to the file where it is sound.
      sound: True if the checksum is right.
      problem: why the file cannot be decoded; ``None`` if it can.
    """

    header: Header | None
    sections: dict[str, bytes]
    tiles: tuple[CodedTile, ...]
    parts: dict[str, int]
    sound: bool
    problem: str | None


# Writing


def pack(file: File) -> bytes:
    """Write the parts of a file as its bytes.

    Raises:
      UserError: the parts don't fit each other, or a profile or EXIF block is larger than 16 MiB.
    """
    header = file.header
    _check_parts(file)
    sections = {flag: _coded(getattr(file, name), flag) for flag, name in SECTIONS.items()}
    sections = {flag: data for flag, data in sections.items() if data is not None}
    flags = sum(sections) + (RGB if header.channels == 3 else 0)
    flags += header.scale.bit_length() - 1 << SCALE_SHIFT
    out = bytearray(MAGIC + bytes([VERSION, flags]))
    out += varint(header.width) + varint(header.height)
    out += struct.pack("<B4sHB", header.model, header.model_hash, header.level, header.quality)
    out += header.upscaler
    for data in sections.values():
        out += varint(len(data)) + data
    for tile in file.tiles:
        out += bytes([tile.lanes.bit_length() - 1])
        out += varint(len(tile.words) // 2) + tile.words
        out += struct.pack("<I", tile.check)
    return bytes(out + struct.pack("<I", zlib.crc32(out)))


def _check_parts(file: File) -> None:
    header = file.header
    size = header.height, header.width
    if len(file.tiles) != header.tiles:
        raise UserError(f"{len(file.tiles)} tiles for an image that has {header.tiles}")
    if file.alpha is not None and file.alpha.shape != size:
        raise UserError(f"alpha of {file.alpha.shape} for an image of {size}")
    positions = regions.map_shape(*header.coded)
    if file.region is not None and file.region.shape != positions:
        raise UserError(f"a region map of {file.region.shape} for {positions} latent positions")
    for name, data in (("ICC profile", file.icc), ("EXIF", file.exif)):
        if data is not None and len(data) > MAX_METADATA:
            raise UserError(f"{len(data)} bytes of {name}; {MAX_METADATA} can be kept")


def _coded(part: Any, flag: int) -> bytes | None:
    if part is None:
        return None
    if flag == REGION:
        return regions.encode_map(part)
    if flag == ALPHA:
        return planes.encode_plane(part)
    return varint(len(part)) + planes.deflated(part)


def varint(number: int) -> bytes:
    """Code unsigned LEB128: seven bits a byte, lowest first; top bit set on all but the last."""
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


# Reading


def parse(data: Data, partial: bool = False) -> File:
    """Read all parts of a file.

    Args:
      data: the file.
      partial: True to read what is there of a file that is damaged or truncated: all that stands
        before the tiles, and the first tiles, at least one.

    Raises:
      UserError: ``data`` is no ``.jsr`` file, or one of another version, damaged or truncated.
    """
    layout = inspect(data)
    if layout.problem is not None and not (partial and layout.tiles):
        raise UserError(layout.problem + ("; no tile of it is whole" if partial else ""))
    assert layout.header is not None  # it stands before the tiles
    header, sections = layout.header, layout.sections
    size, positions = (header.height, header.width), regions.map_shape(*header.coded)
    try:
        region, alpha = sections.get("region"), sections.get("alpha")
        return File(
            header,
            layout.tiles,
            None if alpha is None else planes.decode_plane(alpha, size),
            *metadata(layout),
            None if region is None else regions.decode_map(region, positions),
        )
    except UserError as error:
        raise UserError(f"the file is damaged: {error}") from None


def parse_header(data: Data) -> Header:
    """Read the header alone; the rest of the file may be missing and is not checked.

    Raises:
      UserError: ``data`` is no ``.jsr`` file, of another version, or the header is damaged.
    """
    reader = _opened(as_bytes(data))
    try:
        return _read_header(reader)[0]
    except UserError as error:
        raise UserError(f"the file is damaged: {error}") from None


def inspect(data: Data) -> Layout:
    """Read as much of a file as can be read, without decompressing anything.

    Raises:
      UserError: ``data`` is no ``.jsr`` file, or of another version.
    """
    data = as_bytes(data)
    reader = _opened(data)
    checksum = min(4, reader.left)
    reader.end -= checksum
    header, sections, tiles, parts, found = None, {}, [], {}, ""
    try:
        header, flags = _read_header(reader)
        parts["header"] = reader.at
        for flag, name in SECTIONS.items():
            if flags & flag:
                start = reader.at
                what = {"icc": "the ICC profile", "exif": "EXIF"}.get(name, f"the {name}")
                sections[name] = reader.take(reader.varint(what), what)
                parts[name] = reader.at - start
        start = reader.at
        for index in range(_checked_count(header, reader)):
            tiles.append(_read_tile(reader, f"tile {index + 1} of {header.tiles}"))
            parts["tiles"] = reader.at - start
        parts["checksum"] = checksum
        if reader.left:
            raise UserError(f"{reader.left} bytes follow the last tile")
    except UserError as error:
        found = str(error)
    sound = _is_sound(data)
    return Layout(header, sections, tuple(tiles), parts, sound, _problem(sound, found))


def _problem(sound: bool, found: str) -> str | None:
    if sound:
        return f"the file is damaged: {found}" if found else None
    return "the file is damaged or cut off: its checksum is wrong" + (found and f"; {found}")


def _is_sound(data: bytes) -> bool:
    return data[-4:] == struct.pack("<I", zlib.crc32(memoryview(data)[:-4]))


def _opened(data: bytes) -> "_Reader":
    """Return a reader placed behind the magic number and the version."""
    if data[: len(MAGIC)] != MAGIC:
        raise UserError("not a .jsr file")
    reader = _Reader(data, len(MAGIC))
    if reader.left and (version := reader.byte("the header")) != VERSION:
        made_by = "an older jaxsr" if 0 < version < VERSION else "a newer one, or damaged"
        raise UserError(
            f"the file is of format version {version}, this jaxsr reads version {VERSION}: made by "
            f"{made_by}"
        )
    return reader


def _read_header(reader: "_Reader") -> tuple[Header, int]:
    """Read the header and the flags."""
    what = "the header"
    flags = reader.byte(what)
    if flags & RESERVED:
        raise UserError("the header has a flag that is not defined")
    width, height = reader.varint(what), reader.varint(what)
    model, model_hash, level, quality = struct.unpack("<B4sHB", reader.take(8, what))
    channels = 3 if flags & RGB else 1
    scale = 1 << (flags >> SCALE_SHIFT & 3)
    upscaler = b"" if scale == 1 else reader.take(4, what)
    known = channels, model, model_hash, level, quality, scale, upscaler
    return Header(width, height, *known), flags


def _checked_count(header: Header, reader: "_Reader") -> int:
    if header.tiles * SMALLEST_TILE > reader.left:
        raise UserError(
            f"{reader.left} bytes are left for the {header.tiles} tiles of {header.width}×"
            f"{header.height} pixels"
        )
    return header.tiles


def _read_tile(reader: "_Reader", what: str) -> CodedTile:
    lanes = 1 << min(reader.byte(what), 31)
    words = reader.take(2 * reader.varint(what), what)
    (check,) = struct.unpack("<I", reader.take(4, what))
    try:
        return CodedTile(lanes, words, check)
    except UserError as error:
        raise UserError(f"{what} has {error}") from None


def metadata(layout: Layout) -> tuple[bytes | None, bytes | None]:
    """Return the ICC profile and the EXIF block of a file.

    Raises:
      UserError: one of them is damaged.
    """
    icc, exif = (layout.sections.get(name) for name in ("icc", "exif"))
    return _metadata(icc, "the ICC profile"), _metadata(exif, "EXIF")


def _metadata(data: bytes | None, what: str) -> bytes | None:
    if data is None:
        return None
    reader = _Reader(data)
    size = reader.varint(what)
    if size > MAX_METADATA:
        raise UserError(f"{what} claims {size} bytes, {MAX_METADATA} can be")
    return planes.inflated(reader.take(reader.left, what), size, what)


class _Reader:
    """A reader of bytes from left to right that refuses to go beyond the end."""

    def __init__(self, data: bytes, at: int = 0):
        self.data, self.at, self.end = data, at, len(data)

    @property
    def left(self) -> int:
        return self.end - self.at

    def take(self, count: int, what: str) -> bytes:
        if count > self.left:
            raise UserError(f"it ends within {what}")
        self.at += count
        return self.data[self.at - count : self.at]

    def byte(self, what: str) -> int:
        return self.take(1, what)[0]

    def varint(self, what: str) -> int:
        """Read a number of at most 35 bits; refuse one that fewer bytes could hold."""
        number = 0
        for place in range(0, 35, 7):
            byte = self.byte(what)
            number |= (byte & 127) << place
            if byte < 128:
                if byte == 0 and place:
                    break
                return number
        raise UserError(f"a number in {what} is written in a way that is not allowed")
