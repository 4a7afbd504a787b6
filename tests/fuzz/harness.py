"""What is done with every bad file of a fuzzer, and what must come of it.

A file's checksum is made right, so that all behind it meets what was changed. The file is parsed;
where that gives a file, its tiles are decoded; and where their symbols are not those that were
coded, as nearly always, they are coded anew. That makes a sound file of them, which must decode to
a picture: otherwise nothing behind the tiles' checks would ever meet a strange symbol.

Nothing here needs a fuzzer: ``fuzz.py`` brings it, and ``test_fuzz.py`` tries the corpus.
"""

import collections
import dataclasses
import lzma
import math
import re
import resource
import struct
import tempfile
import time
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from jaxsr import codec
from jaxsr.codec import container, decoding, region, symbols, tiles
from jaxsr.codec.container import File
from jaxsr.errors import UserError

HERE = Path(__file__).parent
WEIGHTS = HERE.parent / "codec/golden/small/model.safetensors.xz"
MAX_BYTES = 4096  # of a file, so that streams fit the programs that are compiled at first
SMALL = 16  # latents a side of the canvases of images up to 256×256
MAX_TILES = 2
# Only every so many files, by their checksums: transforms take five times as long as symbols, and
# all takes ten times as long on a larger canvas.
TRANSFORMED = 8
LARGER = 64

# What a good file takes to parse: bytes of memory for any (what inflating needs), for each byte of
# the file, pixel of alpha, position of a map, and byte of an ICC profile or EXIF block. Measured;
# none may take twice that.
GOOD = {"any": 42_000, "file": 1, "alpha": 2, "region": 30, "metadata": 3}
SECONDS = 1.0  # of the processor for any file, and, as a map is read in Python,
SECONDS_A_POSITION = 20e-6  # for each position of a map


def repaired(data: bytes) -> bytes:
    """Return the file with its checksum made right."""
    return data[:-4] + struct.pack("<I", zlib.crc32(data[:-4]))


def load_small() -> codec.Model:
    """Load the small codec of the golden files, which coded the corpus."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "small.safetensors"
        path.write_bytes(lzma.decompress(WEIGHTS.read_bytes()))
        return codec.load(path)


def seeds() -> dict[str, bytes]:
    """Return the files of the corpus, by name."""
    return {path.stem: path.read_bytes() for path in sorted((HERE / "corpus").glob("*.jsr"))}


class Harness:
    """Tries files, one a call, and counts how they ended.

    Attributes:
      ends: how many files ended how: in a picture, in which error.
      slowest: seconds of the processor that the slowest took.
      largest: bytes that parsing one took at most.
    """

    def __init__(self, model: codec.Model):
        self.model = model
        self.ends: collections.Counter[str] = collections.Counter()
        self.executions, self.slowest, self.largest = 0, 0.0, 0
        self._compiled: set[tuple] = set()
        self._compiling = 0.0

    def __call__(self, data: bytes, thorough: bool = False) -> None:
        """Try one file; if ``thorough``, with all that is otherwise done to some files only.

        Raises:
          AssertionError: it took too long or too much memory, or something else came of it than
            has to. Any other exception is a fault of the decoder.
        """
        self.executions += 1
        data = repaired(data.ljust(8, b"\0"))
        start, self._compiling = time.process_time(), 0.0
        try:
            self.ends[self._end(data, thorough)] += 1
        except UserError as error:
            self.ends["error: " + kind(error)] += 1
        seconds = time.process_time() - start - self._compiling
        self.slowest = max(self.slowest, seconds)
        assert seconds < SECONDS + SECONDS_A_POSITION * sizes(data)["region"], f"{seconds:.2f} s"

    def report(self) -> str:
        """Say how all files ended, how long the slowest took, and how much memory the largest."""
        lines = [f"{count:9} {how}" for how, count in self.ends.most_common()]
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return "\n".join(
            [
                f"{self.executions:9} files, of which ended in",
                *lines,
                f"the slowest took {self.slowest:.3f} s of the processor",
                f"the largest took {self.largest / 2**20:.1f} MiB to parse; "
                f"at its peak the process took {memory:.0f} MiB",
            ]
        )

    def _end(self, data: bytes, thorough: bool) -> str:
        """Return how a file ends."""
        file = self._parsed(data)
        model = decoding.model_of(file.header, self.model)  # another one is an error
        number, places = zlib.crc32(data[:-4]), tiles.places(*file.header.coded)
        canvas = places[0].canvas[2:]
        larger = number % LARGER == 0 or thorough
        if len(places) > MAX_TILES or (max(canvas) > SMALL and not larger):
            return "a file of a larger canvas"
        lanes = tuple(sorted({tile.lanes for tile in file.tiles}))
        found = self._timed(("read", canvas, lanes), read, model, file)
        right = all(right for _, right in found)
        if right:
            self._picture(data, file)
        if not thorough and (right or number // LARGER % TRANSFORMED):
            return "a picture" if right else "other symbols than were coded"
        if not right:
            self._refused(file)
        coded = self._timed(("write", canvas, lanes), written, model, file, found)
        if sum(len(tile.words) for tile in coded.tiles) > 2 * MAX_BYTES:
            return "other symbols than were coded"
        self._picture(container.pack(coded), coded)
        return "a picture of other symbols than were coded"

    def _timed(self, program: tuple, call: Callable, *arguments):
        """Call; the time of a program's first call is that of compiling it, and does not count."""
        start = time.process_time()
        result = call(*arguments)
        if program not in self._compiled:
            self._compiled.add(program)
            self._compiling += time.process_time() - start
        return result

    def _parsed(self, data: bytes) -> File:
        """Parse a file; check what that allocates, and that all ways of reading agree."""
        tracemalloc.start()
        try:
            file = container.parse(data)
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            self.largest = max(self.largest, peak)
            assert peak < 2 * allowed(data), f"{peak} bytes, {2 * allowed(data)} can be"
        layout = container.inspect(data)
        assert layout.sound and layout.problem is None
        assert container.parse_header(data) == layout.header == file.header
        assert sum(layout.parts.values()) == len(data)
        if file.header.width * file.header.height < 2**16:
            assert_same(container.parse(container.pack(file)), file)
        return file

    def _picture(self, data: bytes, file: File) -> None:
        """Decode a file that must be one, as it was before an upscaler."""
        header = file.header
        program = "picture", tiles.places(*header.coded)[0].canvas[2:]
        pixels = self._timed(program, decoding.decoded, file, self.model, None)
        assert pixels.shape == (*header.coded, header.channels) and pixels.dtype == np.uint8
        assert container.parse_header(data) == header
        if header.scale == 1:
            x, y = header.width // 3, header.height // 2
            part = decoding.decode_picture(data, box=(x, y, 9, 9), model=self.model).pixels
            np.testing.assert_array_equal(part, pixels[y : y + 9, x : x + 9])

    def _refused(self, file: File) -> None:
        """Decode a file that must end in an error of its tiles."""
        try:
            decoding.decoded(file, self.model, None)
        except UserError as error:
            assert "does not decode to what was coded" in str(error)
        else:
            raise AssertionError("decodes, although its symbols are not those that were coded")
        if file.header.scale == 1:
            try:
                assert decoding.decode_partial(container.pack(file), model=self.model).missing
            except UserError as error:
                assert "no tile that belongs into it is whole" in str(error)


def most_memory(minutes: float) -> int:
    """Return the MiB that the process may take: twice what it takes after good files.

    And what tracemalloc keeps: 1.1 KB a file in Python 3.11, at most 250 files a second.
    """
    after_good_ones = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return 2 * after_good_ones + int(16 * minutes)


def read(model: codec.Model, file: File) -> list[tuple[symbols.Symbols, bool]]:
    """Decode all tiles' symbols, whatever they are; True with those that are as coded."""
    found = []
    for tile, where in zip(file.tiles, placed(model, file), strict=True):
        coded, sound = symbols.read_unchecked(model, tile, *where)
        found.append((coded, sound and symbols.check_of(coded, *where) == tile.check))
    return found


def written(model: codec.Model, file: File, found: list) -> File:
    """Return the sound file of what was decoded."""
    bits = [8.0 * symbols.BYTES_PER_LANE * tile.lanes for tile in file.tiles]
    places = placed(model, file)
    coded = [
        symbols.write(model, coded, *where, size)
        for (coded, _), where, size in zip(found, places, bits, strict=True)
    ]
    return dataclasses.replace(file, tiles=tuple(coded))


def placed(model: codec.Model, file: File) -> list[tuple]:
    """Return each tile's rate, region and size."""
    places = tiles.places(*file.header.coded)
    steps, rate = tiles.region_of(file.region, places), model.rate(file.header.level)
    return [(rate, tiles.cut(steps, place.canvas), place.size) for place in places]


def sizes(data: bytes) -> dict[str, int]:
    """Return what the memory and time of a good file depend on, as far as this one says it."""
    sizes = {"any": 1, "file": len(data), "alpha": 0, "region": 0, "metadata": 0}
    try:
        layout = container.inspect(data)
    except UserError:
        return sizes
    if header := layout.header:
        sizes["alpha"] = header.width * header.height * ("alpha" in layout.sections)
        sizes["region"] = math.prod(region.map_shape(*header.coded)) * ("region" in layout.sections)
    for name in ("icc", "exif"):
        sizes["metadata"] += inflated_size(layout.sections.get(name, b""))
    return sizes


def inflated_size(section: bytes) -> int:
    """Return the bytes that a section of an ICC profile or EXIF has, as far as it could."""
    said = 0
    for place, byte in enumerate(section[:5]):
        said |= (byte & 127) << 7 * place
        if byte < 128:
            break
    return min(said, container.MAX_METADATA, 1032 * len(section))  # deflate packs no more


def allowed(data: bytes) -> int:
    """Return the bytes of memory that a good file of these sizes takes to parse."""
    return sum(GOOD[what] * size for what, size in sizes(data).items())


def kind(error: UserError) -> str:
    """Return an error's words, without numbers."""
    message = str(error)
    assert "\n" not in message and len(message) < 300, message
    message = re.sub(r"\(hash [^)]*\)|\(Error[^)]*\)", "(…)", message)
    return re.sub(r"[\d,.]*\d", "N", message)


def assert_same(a: File, b: File) -> None:
    """Raise AssertionError unless two files have the same parts."""
    assert (a.header, a.tiles, a.icc, a.exif) == (b.header, b.tiles, b.icc, b.exif)
    for one, other in ((a.alpha, b.alpha), (a.region, b.region)):
        assert (one is None) == (other is None) and (one is None or (one == other).all())
