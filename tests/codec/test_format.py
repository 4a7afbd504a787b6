"""A second decoder, written from docs/format.md alone: plain Python, from bytes to symbols."""

import hashlib
import json
import struct
import zlib

import numpy as np
import pytest
import safetensors.numpy
import skimage.data

from jaxsr import codec, zoo
from jaxsr.codec import container

CAT = skimage.data.chelsea()[100:150, 100:180]
MASK = 2**32 - 1


class Bytes:
    """Section 1: what stands where."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        self.at += count
        assert self.at <= len(self.data)
        return self.data[self.at - count : self.at]

    def number(self, kind):
        return struct.unpack("<" + kind, self.take(struct.calcsize(kind)))[0]

    def varint(self):
        number, shift = 0, 0
        while True:
            byte = self.number("B")
            number |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return number


def read_file(data):
    assert struct.unpack("<I", data[-4:])[0] == zlib.crc32(data[:-4])
    source = Bytes(data[:-4])
    assert source.take(5) == b"\x89JSR\x02"
    flags = source.number("B")
    file = {"flags": flags, "width": source.varint(), "height": source.varint()}
    file |= {"model": source.number("B"), "hash": source.take(4)}
    file |= {"level": source.number("H"), "quality": source.number("B")}
    if flags >> 5 & 3:
        file["upscaler"] = source.take(4)
        file["coded"] = -(-file["height"] // 2), -(-file["width"] // 2)
    else:
        file["coded"] = file["height"], file["width"]
    for bit, name in ((1, "region"), (2, "alpha"), (3, "icc"), (4, "exif")):
        if flags >> bit & 1:
            file[name] = source.take(source.varint())
    file["tiles"] = []
    rows, columns = file["coded"]
    for _ in range(max(1, (rows + 512) // 1024) * max(1, (columns + 512) // 1024)):
        lanes = 2 ** source.number("B")
        words = struct.unpack(f"<{(n := source.varint())}H", source.take(2 * n))
        file["tiles"].append((lanes, words, source.number("I")))
    assert source.at == len(source.data)
    return file


def read_region(data, rows, columns):
    one, seen = [32768] * 138, [0] * 138
    low, high, at = 0, MASK, 4
    number = int.from_bytes(data[:4].ljust(4, b"\0"), "big")

    def decision(c):
        nonlocal low, high, number, at
        middle = low + ((high - low) * one[c] >> 16)
        bit = int(number <= middle)
        if bit:
            high = middle
        else:
            low = middle + 1
        while low >> 24 == high >> 24:
            low, high = low << 8 & MASK, high << 8 & MASK | 255
            number = number << 8 & MASK | (data[at] if at < len(data) else 0)
            at += 1
        one[c] += 2 * (65536 * bit - one[c]) // (2 * seen[c] + 3)
        one[c] = min(max(one[c], 64), 65472)
        seen[c] = min(seen[c] + 1, 30)
        return bit

    s = np.zeros((rows + 1, columns + 2), int)
    for i in range(1, rows + 1):
        for j in range(1, columns + 1):
            left, up, corner, ahead = s[i, j - 1], s[i - 1, j], s[i - 1, j - 1], s[i - 1, j + 1]
            if decision(4 * (left == up) + 2 * (corner == up) + (ahead == up)):
                s[i, j] = up
            elif left != up and decision(8 + (corner == left)):
                s[i, j] = left
            else:
                node = 1
                for _ in range(7):
                    node = 2 * node + decision(10 + node)
                s[i, j] = node - 191
    assert number == (((low >> 24) + 1) << 24 if low else 0)
    return s[1:, 1:-1]


class Table:
    def __init__(self, minimum, frequencies):
        self.minimum, self.frequencies = int(minimum), [int(f) for f in frequencies]
        self.precision = sum(self.frequencies).bit_length() - 1
        self.starts = np.cumsum([0, *self.frequencies]).tolist()


def tables_of(arrays, name):
    minimums, sizes, frequencies = (
        arrays[f"{name}/{part}"] for part in ("minimums", "sizes", "frequencies")
    )
    ends = np.cumsum(sizes)
    return [
        Table(minimum, frequencies[end - size : end])
        for minimum, size, end in zip(minimums, sizes, ends, strict=True)
    ]


CLASSES = Table(0, [1002, 1002, *(max(1, 1024 >> n // 2) for n in range(2, 66)), 2])


class Stream:
    """Section 2."""

    def __init__(self, words, lanes):
        self.states = [words[i] << 16 | words[i + 1] for i in range(0, 2 * lanes, 2)]
        self.words = list(words[2 * lanes :])
        self.escapes = 0

    def step(self, items, decode):
        found = []
        for lane, item in enumerate(items):
            value, self.states[lane] = decode(self.states[lane], item)
            found.append(value)
        for lane in range(len(items)):
            if self.states[lane] < 65536:
                self.states[lane] = self.states[lane] << 16 | self.words.pop(0)
        return found

    def rows(self, items):
        for first in range(0, len(items), len(self.states)):
            yield items[first : first + len(self.states)]

    def group(self, tables):
        entries = [e for row in self.rows(tables) for e in self.step(row, entry_of)]
        escaped = [i for i, table in enumerate(tables) if entries[i] == len(table.frequencies) - 1]
        self.escapes += len(escaped)
        symbols = [table.minimum + e for table, e in zip(tables, entries, strict=True)]
        for row in self.rows(escaped):
            classes = self.step([CLASSES] * len(row), entry_of)
            bits = [max(c >> 1, 1) - 1 for c in classes]
            low = self.step([min(b, 16) for b in bits], number_of)
            high = self.step([b - min(b, 16) for b in bits], number_of)
            for i, c, l, h in zip(row, classes, low, high, strict=True):  # noqa: E741
                distance = 65536 * h + l + (2 ** ((c >> 1) - 1) if c > 1 else 0)
                minimum, m = tables[i].minimum, len(tables[i].frequencies)
                symbols[i] = minimum - 1 - distance if c & 1 else minimum + m - 1 + distance
        return symbols

    def assert_ended(self):
        assert not self.words and set(self.states) == {65536}


def entry_of(x, table):
    slot = x & (1 << table.precision) - 1
    entry = int(np.searchsorted(table.starts, slot, "right")) - 1
    return entry, table.frequencies[entry] * (x >> table.precision) + slot - table.starts[entry]


def number_of(x, bits):
    slot, room = x & 65535, 16 - bits
    number = slot >> room
    return number, (x >> 16 << room) + slot - (number << room)


def indexes(arrays, z, offset, s):
    """Section 3: the integer network."""
    x = np.clip(z, -32, 31) * 4
    layers = sum(name.startswith("scales/") for name in arrays) // 2
    for i in range(layers):
        kernel = arrays[f"scales/{i}/kernel"].astype(int)
        half = kernel.shape[0] // 2
        padded = np.pad(x, ((half, half), (half, half), (0, 0)))
        acc = arrays[f"scales/{i}/bias"].astype(int) + sum(
            padded[a : a + x.shape[0], b : b + x.shape[1]] @ kernel[a, b]
            for a in range(kernel.shape[0])
            for b in range(kernel.shape[0])
        )
        if i < layers - 1:
            acc = np.clip((acc + 32) >> 6, 0, 127)
            rows, columns, channels = acc.shape
            x = np.zeros((2 * rows, 2 * columns, channels // 4), int)
            for a in range(2):
                for b in range(2):
                    x[a::2, b::2] = acc[:, :, 2 * a + b :: 4]
    return np.clip((acc + offset + 128 * s[:, :, None] + 64) >> 7, 0, 63)


def read_symbols(arrays, file):
    """z, σ indexes and residuals of a file of one tile, and how many escapes it has."""
    lanes, words, check = file["tiles"][0]
    stream = Stream(words, lanes)
    gains, offsets = arrays["rates/gains"].astype(int), arrays["rates/offsets"].astype(int)
    anchors, latents = gains.shape
    position = file["level"] * (anchors - 1)
    row = min(position // 1023, anchors - 2)
    part = position - 1023 * row
    gain, offset = ((t[row] * (1023 - part) + t[row + 1] * part) // 1023 for t in (gains, offsets))
    hyper = arrays["scales/0/kernel"].shape[2]
    rows = len(arrays["hyper_tables/minimums"]) // hyper
    anchor = (2 * file["level"] * (rows - 1) + 1023) // 2046

    height, width = (-(-n // 16) for n in file["coded"])
    size = -(-height // 4), -(-width // 4), hyper
    tables = tables_of(arrays, "hyper_tables")[anchor * hyper : (anchor + 1) * hyper]
    z = np.reshape(stream.group(tables * (size[0] * size[1])), size)

    canvas = -(-height // 8) * 8, -(-width // 8) * 8
    spread, s = np.zeros((canvas[0] // 4, canvas[1] // 4, hyper), int), np.zeros(canvas, int)
    spread[: size[0], : size[1]] = z
    if "region" in file:
        s[:height, :width] = read_region(file["region"], height, width)
    index = indexes(arrays, spread, offset, s)[:height, :width]

    tables = tables_of(arrays, "residual_tables")
    residual = np.zeros((height, width, latents), int)
    residual[index > 0] = stream.group([tables[i] for i in index[index > 0]])
    stream.assert_ended()
    planes = gain, s[:height, :width], z, residual
    symbols = b"".join(np.asarray(x, "<i4").tobytes() for x in planes)
    assert zlib.crc32(symbols) == check
    return z, index, residual, stream.escapes


@pytest.fixture(scope="module")
def arrays(tiny_codec):
    return safetensors.numpy.load_file(tiny_codec)


@pytest.mark.parametrize("quality", [1, 50, 93])
def test_the_documentation_is_enough_to_decode_the_symbols(arrays, tiny_codec, quality):
    mask = np.zeros(CAT.shape[:2], bool)
    mask[:20, 20:70] = True
    data = codec.encode(CAT, quality, roi=mask, roi_gain=9.0, model=tiny_codec)
    file = read_file(data)
    assert (file["width"], file["height"], file["quality"]) == (80, 50, quality)
    _, index, residual, _ = read_symbols(arrays, file)
    assert np.unique(index).size > 5 and residual.any()


def test_it_decodes_files_that_hold_the_picture_at_half_its_size(arrays, tiny_codec):
    image, mask = CAT[:37, :79], np.zeros((37, 79), bool)
    mask[:32, 10:70] = True
    file = read_file(codec.encode(image, 60, roi=mask, roi_gain=6.0, mode="half", model=tiny_codec))
    assert (file["width"], file["height"], file["coded"]) == (79, 37, (19, 40))
    assert file["upscaler"] == hash_of(zoo.find_weights(zoo.UPSCALER, "span-compact", 2))
    assert read_region(file["region"], 2, 3).tolist() == [[3, 6, 3], [0, 0, 0]]
    _, _, residual, _ = read_symbols(arrays, file)
    assert residual.any()


def test_it_decodes_files_of_several_lanes_with_escapes(arrays, tiny_codec):
    image = np.random.default_rng(0).integers(0, 256, (240, 250, 3), np.uint8)
    image[:60] = np.arange(250)[:, None]
    file = read_file(codec.encode(image, 80, model=tiny_codec))
    *_, escapes = read_symbols(arrays, file)
    assert file["tiles"][0][0] > 1
    assert escapes > 10


def test_alpha_and_metadata_are_as_documented(tiny_codec):
    from jaxsr.image import files

    alpha = np.add.outer(np.arange(50), np.arange(80)).astype(np.uint8)
    picture = files.Picture(CAT, alpha, icc=b"profile" * 30, exif=b"Exif\0\0tags")
    file = read_file(codec.encode(picture, keep_metadata=True, model=tiny_codec))
    assert file["flags"] == 0b11101
    for name, expected in (("icc", picture.icc), ("exif", picture.exif)):
        source = Bytes(file[name])
        assert source.varint() == len(expected)
        assert zlib.decompress(file[name][source.at :], wbits=-15) == expected
    method, values = file["alpha"][0], zlib.decompress(file["alpha"][1:], wbits=-15)
    plane = np.frombuffer(values, np.uint8).reshape(alpha.shape)
    for axis in {1: (), 2: (1,), 3: (0,), 4: (0, 1)}[method]:
        plane = np.cumsum(plane, axis, dtype=np.uint8)
    np.testing.assert_array_equal(plane, alpha)


def hash_of(path):
    """Section 5."""
    arrays = safetensors.numpy.load_file(path)
    with safetensors.safe_open(path, "numpy") as file:
        metadata = file.metadata()
    text = json.dumps([metadata["network"], json.loads(metadata["options"])], sort_keys=True)
    sha = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = arrays[name]
        sha.update(f"{name} {array.dtype.str} {array.shape}".encode())
        sha.update(array.tobytes())
    return sha.digest()[:4]


def test_the_models_hash_is_as_documented(tiny_codec):
    data = codec.encode(CAT, model=tiny_codec)
    assert container.parse_header(data).model_hash == hash_of(tiny_codec)
