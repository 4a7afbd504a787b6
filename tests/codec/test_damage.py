"""Ten thousand bad files: each ends in one clear error or in a picture, none in anything else.

How they ended is printed: pytest -s tests/codec/test_damage.py
"""

import collections
import re
import resource
import struct
import time
import zlib

import numpy as np
import pytest
import skimage.data

from jaxsr import codec
from jaxsr.codec import container, tiles
from jaxsr.image import files

CAT = skimage.data.chelsea()[100:160, 100:180]
NEW_SHAPES = 3  # of files whose header states another size or lane count: each has to be compiled
SECONDS = 1.0  # of the processor: no file takes longer; good ones take some 0.01


class Decoder:
    """Decodes whatever it is given, and counts how that ended."""

    def __init__(self, model, good):
        self.model = model
        self.shapes = set()
        self.ends = collections.Counter()
        self.slowest = 0.0
        for data in good:
            codec.decode(data, model=model)
            self.shapes.add(shape_of(container.parse(data)))
        self.room = len(self.shapes) + NEW_SHAPES

    def end(self, kind, data):
        """``(kind, how it ended)``; anything but a ValueError of one line comes through."""
        start, known = time.process_time(), True
        try:
            file = container.parse(data)
            known = shape_of(file) in self.shapes
            if not known and len(self.shapes) >= self.room:
                how = "parsed, of another shape"  # decoding it would be compiled first
            else:
                self.shapes.add(shape_of(file))
                pixels = codec.decode(data, model=self.model)
                assert pixels.shape[:2] == (file.header.height, file.header.width)
                how = "picture"
        except ValueError as error:
            how = cause(str(error))
        if known:
            self.slowest = max(self.slowest, time.process_time() - start)
        self.ends[kind, how] += 1
        return how


def shape_of(file):
    """What has to be compiled for a file."""
    places = tiles.places(*file.header.coded)
    longest = max(len(tile.words) for tile in file.tiles)
    enlarged = file.header.coded if file.header.scale > 1 else None
    return places[0][1:], len(places), file.tiles[0].lanes, longest.bit_length(), enlarged


def cause(message):
    assert "\n" not in message
    for words in (
        "not a .jsr file",
        "of format version",
        "checksum is wrong",
        "does not decode to what was coded",
        "coded with another model",
        "coded with an upscaler that is not here",
        "the file is damaged",
    ):
        if words in message:
            return words
    raise AssertionError(f"no clear error: {message}")


def repaired(data):
    """With the checksum made right."""
    return data[:-4] + struct.pack("<I", zlib.crc32(data[:-4]))


def mutated(rng, data, start=0):
    out = bytearray(data)
    for _ in range(rng.integers(1, 9)):
        out[rng.integers(start, len(out))] = rng.integers(256)
    return bytes(out)


def flipped(rng, data):
    out, bit = bytearray(data), rng.integers(8 * len(data))
    out[bit // 8] ^= 1 << bit % 8
    return bytes(out)


def moved(rng, data):
    """A piece of it put elsewhere."""
    start, stop, to = sorted(rng.integers(5, len(data), 3))
    return data[:start] + data[stop:to] + data[start:stop] + data[to:]


def noise(rng, _):
    start = (b"", b"\x89JSR", b"\x89JSR\x02")[rng.integers(3)]
    return start + rng.bytes(rng.integers(0, 300))


# kind → how many, how it is made of a good file
BAD = {
    "bytes changed": (3000, mutated),
    "a bit flipped": (2000, flipped),
    "truncated": (1000, lambda rng, data: data[: rng.integers(len(data))]),
    "extended": (500, lambda rng, data: data + rng.bytes(rng.integers(1, 50))),
    "random": (1000, noise),
    "random, checksum right": (500, lambda rng, data: repaired(noise(rng, data) + b"crc?")),
    "bytes changed, checksum right": (1000, lambda rng, data: repaired(mutated(rng, data, 5))),
    "truncated, checksum right": (
        400,
        lambda rng, data: repaired(data[: rng.integers(5, len(data) - 4)] + b"crc?"),
    ),
    "extended, checksum right": (
        200,
        lambda rng, data: repaired(data[:-4] + rng.bytes(rng.integers(1, 50)) + b"crc?"),
    ),
    "pieces moved, checksum right": (400, lambda rng, data: repaired(moved(rng, data))),
}


@pytest.fixture(scope="module")
def model(tiny_codec):
    return codec.load(tiny_codec)


@pytest.fixture(scope="module")
def good(model):
    """Files of one canvas: a photo, one with all parts, gray, a single pixel, half the size."""
    rich = files.Picture(CAT, CAT[..., 0], icc=b"profile" * 30, exif=b"Exif\0\0" + b"tags" * 9)
    mask = np.zeros(CAT.shape[:2], bool)
    mask[20:40, 30:60] = True
    return [
        codec.encode(CAT, 60, model=model),
        codec.encode(rich, 20, roi=mask, keep_metadata=True, model=model),
        codec.encode(CAT[:33, :50, 1], 100, model=model),
        codec.encode(CAT[:1, :1], 1, model=model),
        codec.encode(CAT[:, :79], 90, mode="half", model=model),
    ]


@pytest.mark.slow
def test_ten_thousand_bad_files_end_in_one_error_or_a_picture(model, good):
    assert sum(count for count, _ in BAD.values()) == 10_000
    rng = np.random.default_rng(0)
    decoder = Decoder(model, good)
    before = peak_memory()
    for kind, (count, make) in BAD.items():
        for i in range(count):
            original = good[i % len(good)]
            data = make(rng, original)
            how = decoder.end(kind, data)
            # whatever is not repaired is noticed, if anything changed at all
            assert how != "picture" or "right" in kind or data == original
    print(table(decoder.ends))
    print(
        f"slowest {decoder.slowest:.3f} s of the processor, "
        f"memory + {(peak_memory() - before) / 2**20:.0f} MiB"
    )
    assert decoder.ends["bytes changed, checksum right", "does not decode to what was coded"] > 100
    assert decoder.slowest < SECONDS
    assert peak_memory() - before < 300 * 2**20  # what is compiled for NEW_SHAPES


def peak_memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def table(ends):
    lines = [f"{count:5} {kind}: {how}" for (kind, how), count in sorted(ends.items())]
    return "\n" + "\n".join(lines)


def test_every_flipped_bit_of_a_real_file_is_noticed(model, good):
    data = good[3]
    for bit in range(8 * len(data)):
        bad = bytearray(data)
        bad[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ValueError):
            codec.decode(bytes(bad), model=model)


def test_every_flipped_bit_of_the_words_is_noticed_by_the_symbols_alone(model, good):
    """Where the file's own checksum is right, the tile's and the coder's end are a second one."""
    data = good[0]
    file = container.parse(data)
    start = data.index(file.tiles[0].words)
    rng = np.random.default_rng(0)
    for bit in rng.choice(8 * len(file.tiles[0].words), 300, replace=False):
        bad = bytearray(data)
        bad[start + bit // 8] ^= 1 << bit % 8
        with pytest.raises(ValueError, match="tile 1 of 1 does not decode to what was coded"):
            codec.decode(repaired(bytes(bad)), model=model)


def test_a_header_that_lies_about_the_size_costs_no_more_than_a_good_file_of_that_size(model, good):
    image = np.tile(CAT, (4, 3, 1))  # of the same canvas: nothing to compile but the lanes
    whole = codec.encode(image, 60, model=model)
    sizes = (struct.pack("BB", *CAT.shape[1::-1]), b"\xf0\x01\xf0\x01")  # 240×240 as varints
    lie = repaired(good[0].replace(*sizes, 1))
    assert container.parse_header(lie).width == image.shape[1]
    assert container.parse_header(lie).height == image.shape[0]
    seconds = {}
    for name, data in (("good", whole), ("lie", lie)):
        tries = []
        for _ in range(4):  # the first is compiled
            start = time.process_time()
            try:
                codec.decode(data, model=model)
            except ValueError as error:
                assert name == "lie" and re.search("does not decode", str(error))
            tries.append(time.process_time() - start)
        seconds[name] = min(tries)
    assert seconds["lie"] < 2 * seconds["good"] + 0.01


def test_five_hundred_million_pixels_of_nothing_are_refused_before_they_are_allocated(model, good):
    """Enough tiles of the smallest size for 20000×25000 pixels: the first is found out."""
    header = container.Header(20_000, 25_000, 3, model.number, model.hash, 500)
    tile = container.CodedTile(1, bytes(4), 0)
    data = container.pack(container.File(header, (tile,) * header.tiles))
    assert len(data) < 6000
    before = peak_memory()
    with pytest.raises(ValueError, match="tile 1 of 480 does not decode"):
        codec.decode(data, model=model)
    assert peak_memory() - before < 2**30
