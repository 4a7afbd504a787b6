"""The file: every part comes back, every damage is noticed, and no lie costs memory."""

import dataclasses
import itertools
import struct
import time
import tracemalloc
import zlib

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxsr.codec import alpha, container, region
from jaxsr.codec.container import CodedTile, File, Header
from jaxsr.errors import UserError

HEADER = Header(40, 23, 3, model=1, model_hash=b"hash", level=700, quality=50)
TILE = CodedTile(2, bytes(range(10)), 0x12345678)


def small_file():
    """A file with every part, 100-odd bytes."""
    plane = np.arange(23 * 40, dtype=np.uint8).reshape(23, 40)
    values = region.region_map(np.eye(23, 40), 20.0)
    return container.pack(File(HEADER, (TILE,), plane, b"icc" * 9, b"Exif\0\0", values))


def with_check(body):
    """A file whose CRC is right whatever stands before it."""
    return bytes(body) + struct.pack("<I", zlib.crc32(body))


def assert_same(a, b):
    assert (a.header, a.tiles, a.icc, a.exif) == (b.header, b.tiles, b.icc, b.exif)
    for one, other in ((a.alpha, b.alpha), (a.region, b.region)):
        assert (one is None) == (other is None)
        if one is not None:
            np.testing.assert_array_equal(one, other)


def peak_and_seconds(function, *arguments):
    """Peak bytes of a call that must end in a ValueError, its time and message."""
    tracemalloc.start()
    start = time.perf_counter()
    try:
        with pytest.raises(ValueError) as error:
            function(*arguments)
        return tracemalloc.get_traced_memory()[1], time.perf_counter() - start, str(error.value)
    finally:
        tracemalloc.stop()


@st.composite
def tiles(draw):
    lanes = 2 ** draw(st.integers(0, 10))
    words = draw(st.binary(max_size=20)) * 2 + bytes(4 * lanes)
    return CodedTile(lanes, words, draw(st.integers(0, 2**32 - 1)))


@st.composite
def parts(draw):
    """The arguments of a File. (It is made outside: checking its types draws random numbers.)"""
    sides = st.integers(1, 40) | st.sampled_from([1023, 1024, 1025, 2049])
    scale = draw(st.sampled_from([1, 2]))
    header = Header(
        width=draw(sides),
        height=draw(st.integers(1, 40)),
        channels=draw(st.sampled_from([1, 3])),
        model=draw(st.integers(0, 255)),
        model_hash=draw(st.binary(min_size=4, max_size=4)),
        level=draw(st.integers(0, 1023)),
        quality=draw(st.integers(0, 100)),
        scale=scale,
        upscaler=b"" if scale == 1 else draw(st.binary(min_size=4, max_size=4)),
    )
    size = header.height, header.width
    steps = st.integers(-63, 63)
    fill = st.just(0)
    return (
        header,
        tuple(draw(tiles()) for _ in range(header.tiles)),
        draw(st.none() | hnp.arrays(np.uint8, size, fill=fill)),
        draw(st.none() | st.binary(max_size=300)),
        draw(st.none() | st.binary(max_size=300)),
        draw(
            st.none()
            | hnp.arrays(np.int8, region.map_shape(*header.coded), elements=steps, fill=fill)
        ),
    )


@given(parts())
@settings(max_examples=100, deadline=None)
def test_every_part_comes_back(parts):
    file = File(*parts)
    data = container.pack(file)
    assert_same(container.parse(data), file)
    assert container.parse_header(data) == file.header
    assert container.inspect(data).problem is None


def test_a_plain_file_of_a_photo_has_29_bytes_beside_its_words():
    tile = CodedTile(4, bytes(4900), 0)
    data = container.pack(File(dataclasses.replace(HEADER, width=768, height=512), (tile,)))
    assert len(data) - 4900 == 29


def test_the_bytes_are_those_of_the_documentation():
    header = Header(300, 2, 1, model=7, model_hash=b"\xaa\xbb\xcc\xdd", level=0x0102, quality=9)
    data = container.pack(File(header, (CodedTile(1, bytes(range(8)), 6),)))
    expected = (
        b"\x89JSR \x02 \x00 \xac\x02 \x02 \x07 \xaa\xbb\xcc\xdd \x02\x01 \x09"
        b" \x00 \x04 \x00\x01\x02\x03\x04\x05\x06\x07 \x06\x00\x00\x00".replace(b" ", b"")
    )
    assert data == with_check(expected)


def test_the_bytes_of_a_picture_at_half_its_size_are_those_of_the_documentation():
    header = Header(301, 3, 1, 7, b"\xaa\xbb\xcc\xdd", 0x0102, 9, scale=2, upscaler=b"up 2")
    data = container.pack(File(header, (CodedTile(1, bytes(8), 6),)))
    start = b"\x89JSR\x02\x20\xad\x02\x03\x07\xaa\xbb\xcc\xdd\x02\x01\x09up 2\x00\x04"
    assert data.startswith(start)
    assert header.coded == (2, 151)


def test_the_bytes_of_every_part_sum_to_the_file():
    data = small_file()
    parts = container.inspect(data).parts
    assert list(parts) == ["header", "region", "alpha", "icc", "exif", "tiles", "checksum"]
    assert sum(parts.values()) == len(data)
    assert parts["header"] == 16 and parts["tiles"] == 1 + 1 + 10 + 4 and parts["checksum"] == 4


def test_of_a_file_cut_short_the_parts_that_are_there_are_told():
    data = small_file()
    whole = container.inspect(data).parts
    ends = dict(zip(whole, np.cumsum(list(whole.values())), strict=True))
    for length in range(len(data)):
        layout = container.inspect(data[:length]) if length >= 4 else None
        there = {} if layout is None else layout.parts
        assert there == {n: whole[n] for n in there} and sum(there.values()) <= max(length, 0)
        if length < len(data):
            assert "checksum" not in there
            assert set(there) == {n for n, end in ends.items() if end <= length - 4}


def test_tiles_are_counted_by_the_size():
    grids = {(1, 1): (1, 1), (1535, 1024): (1, 1), (1536, 1): (1, 2), (2048, 3000): (3, 2)}
    for (width, height), grid in grids.items():
        header = dataclasses.replace(HEADER, width=width, height=height)
        assert header.grid == grid and header.tiles == grid[0] * grid[1]
        double = dataclasses.replace(
            header, width=2 * width - 1, height=2 * height, scale=2, upscaler=b"hash"
        )
        assert double.grid == grid


@pytest.mark.parametrize(
    "change",
    [
        {"width": 0},
        {"height": -1},
        {"width": 25_000, "height": 20_001},
        {"channels": 2},
        {"model": 256},
        {"model_hash": b"abc"},
        {"level": 1024},
        {"quality": 101},
        {"scale": 2},
        {"scale": 4, "upscaler": b"hash"},
        {"scale": 3, "upscaler": b"hash"},
        {"upscaler": b"hash"},
    ],
    ids=str,
)
def test_headers_that_cannot_be_are_refused(change):
    with pytest.raises(ValueError):
        dataclasses.replace(HEADER, **change)


def test_parts_that_do_not_fit_are_refused():
    for lanes, words, check in ((3, bytes(20), 0), (2048, bytes(9000), 0), (2, bytes(15), 0)):
        with pytest.raises(ValueError):
            CodedTile(lanes, words, check)
    with pytest.raises(ValueError, match="bytes of words for 4 lanes"):
        CodedTile(4, bytes(14), 0)
    good = File(HEADER, (TILE,))
    for change, message in (
        ({"tiles": ()}, "0 tiles"),
        ({"alpha": np.zeros((40, 23), np.uint8)}, "alpha of"),
        ({"region": np.zeros((3, 3), np.int8)}, "region map of"),
        ({"icc": bytes(2**24 + 1)}, "ICC profile"),
    ):
        with pytest.raises(ValueError, match=message):
            container.pack(dataclasses.replace(good, **change))


def test_every_flipped_bit_is_noticed():
    data = small_file()
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ValueError):
            container.parse(bytes(flipped))


def test_every_truncation_and_extension_is_noticed():
    data = small_file()
    for length in range(len(data)):
        with pytest.raises(ValueError):
            container.parse(data[:length])
    for more in (b"\0", b"\xff", data[-4:], data):
        with pytest.raises(ValueError, match="checksum"):
            container.parse(data + more)


def test_truncation_is_noticed_where_the_checksum_is_made_right():
    """And extension: by structure alone."""
    body = small_file()[:-4]
    for length in range(len(body)):
        with pytest.raises(ValueError):
            container.parse(with_check(body[:length]))
    with pytest.raises(ValueError, match="2 bytes follow the last tile"):
        container.parse(with_check(body + b"\0\0"))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a .jsr file"),
        (b"\x89JS", "not a .jsr file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(60), "not a .jsr file"),
        (b"\x89JSR", "it ends within the header"),
        (b"\x89JSR\x03" + bytes(30), "format version 3.*made by a newer one"),
        (b"\x89JSR\x01" + bytes(30), "format version 1, .* version 2: made by an older jaxsr"),
        (small_file()[:-1], "checksum is wrong"),
        (small_file()[:50], "checksum is wrong; it ends within"),
    ],
)
def test_errors_are_one_sentence_that_says_what_is_wrong(data, message):
    with pytest.raises(ValueError, match=message) as error:
        container.parse(data)
    assert "\n" not in str(error.value)


def test_the_header_can_be_read_from_the_beginning_alone_and_of_a_damaged_file():
    data = small_file()
    assert container.parse_header(data[:20]) == HEADER
    damaged = data[:-10] + b"?" + data[-9:]
    layout = container.inspect(damaged)
    assert layout.header == HEADER and "checksum" in layout.problem
    assert list(layout.sections) == ["region", "alpha", "icc", "exif"]
    assert layout.tiles[0].lanes == 2
    with pytest.raises(ValueError, match="ends within the header"):
        container.parse_header(data[:12])


def header_bytes(width, height, flags=1):
    sizes = container.varint(width) + container.varint(height)
    return b"\x89JSR\x02" + bytes([flags]) + sizes + b"\x01hash" + b"\0\0\0"


LIES = {
    "forty bytes that claim 500 million pixels": header_bytes(20_000, 25_000) + bytes(20),
    "more pixels than can be": header_bytes(2**34, 2**34) + bytes(20),
    "a line of 500 million pixels": header_bytes(500_000_000, 1) + bytes(1000),
    "no pixels": header_bytes(0, 1) + bytes(20),
    "words beyond the end": header_bytes(9, 9) + b"\0" + container.varint(2**34) + bytes(20),
    "alpha beyond the end": header_bytes(9, 9, 5) + container.varint(2**34) + bytes(20),
    "2^255 lanes": header_bytes(9, 9) + b"\xff\2lanecrc?",
    "a number without end": header_bytes(9, 9) + b"\0" + b"\xff" * 40,
    "a number longer than needed": header_bytes(9, 9) + b"\0\x82\0lanecrc?",
    "an undefined flag": header_bytes(9, 9, 0x81) + b"\0\2lanecrc?",
    "half the size of no upscaler": header_bytes(9, 9, 0x21) + b"\0\2lanecrc?",
    "a quarter of the size": header_bytes(9, 9, 0x41) + b"hash\0\2lanecrc?",
}


def section(flag, data, size=(9, 9)):
    """A sound file but for one part."""
    return header_bytes(*size, 1 | flag) + container.varint(len(data)) + data + b"\0\2lanecrc?"


BOMB = alpha.deflated(bytes(2**26))  # 64 MiB in 65 KB
LIES |= {
    "an alpha plane that inflates to 64 MiB": section(container.ALPHA, b"\1" + BOMB),
    "a profile that inflates to more than it says": section(container.ICC, b"\x05" + BOMB),
    "a profile that says 4 GiB": section(container.ICC, container.varint(2**32) + BOMB),
    "a region map with bytes to spare": section(container.REGION, b"?" * 1000),
    "a profile without a byte": section(container.ICC, b""),
}


@pytest.mark.parametrize("lie", LIES)
def test_lies_with_a_right_checksum_are_errors_at_once_that_allocate_nothing(lie):
    data = with_check(LIES[lie])
    peak, seconds, message = peak_and_seconds(container.parse, data)
    assert peak < 4 * len(data) + 50_000
    assert seconds < 0.2
    assert "\n" not in message and "damaged" in message


def test_thousands_of_mutations_end_in_a_file_or_in_one_error():
    """With the checksum made right, so that everything behind it meets them too."""
    rng = np.random.default_rng(0)
    body = np.frombuffer(small_file()[:-4], np.uint8)
    ends = {"file": 0, "error": 0}
    for _ in range(4000):
        mutated = body[: rng.integers(1, len(body) + 1) if rng.random() < 0.2 else None].copy()
        places = rng.integers(min(4, len(mutated) - 1), len(mutated), rng.integers(1, 4))
        mutated[places] = rng.integers(0, 256, len(places))
        try:
            file = container.parse(with_check(mutated.tobytes()))
        except UserError as error:
            assert "\n" not in str(error)
            ends["error"] += 1
        else:
            assert_same(container.parse(container.pack(file)), file)
            ends["file"] += 1
    assert min(ends.values()) > 400


def test_random_bytes_are_errors():
    rng = np.random.default_rng(0)
    for length, start in itertools.product(range(60), (b"", b"\x89JSR", b"\x89JSR\x02")):
        for check in (bytes, with_check):
            with pytest.raises(UserError):
                container.parse(check(start + rng.bytes(length)))


@pytest.mark.parametrize("faulty", ["_read_header", "_read_tile", "_metadata"])
def test_a_fault_of_ours_is_not_taken_for_a_damaged_file(monkeypatch, faulty):
    def fault(*_):
        raise ValueError("a fault")

    data = small_file()
    monkeypatch.setattr(container, faulty, fault)
    with pytest.raises(ValueError, match=r"^a fault$") as error:
        container.parse(data)
    assert not isinstance(error.value, UserError)
