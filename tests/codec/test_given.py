"""Whatever a caller gives is either coded exactly or ends in one clear error.

The tests check the types of arguments, which users' programs don't: so all cases are run in a
process of its own, by this file as a program, and each is then a test here.
"""

import array
import decimal
import fractions
import io
import json
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import PIL.Image
import pytest

from jaxsr import codec
from jaxsr.image.files import Picture

rng = np.random.default_rng(0)
HEIGHT, WIDTH = 24, 40
ROWS, COLUMNS = np.indices((HEIGHT, WIDTH))
PIXELS = np.dstack([6 * COLUMNS, 10 * ROWS, 3 * (ROWS + COLUMNS)]).astype(np.uint8)
PIXELS += rng.integers(0, 9, PIXELS.shape, np.uint8)
GRAY = PIXELS[..., 1]
FLOATS = PIXELS / np.float32(255)
MASK = (ROWS < 16) & (COLUMNS >= 16)
BOX = (16, 0, 24, 16)  # the same region
HUGE = 10**5000  # more digits than Python prints
NAN, INF = float("nan"), float("inf")


def with_value(value):
    out = FLOATS.copy()
    out[3, 5, 1] = value
    return out


def name_of(value):
    """What a case is called."""
    return "10**5000" if value is HUGE else repr(value)[:40]


def cases(words, *values):
    """Name → what gives the value, and what comes of it: ``EXACT`` or an error of such words."""
    return {name_of(value): (lambda value=value: value, words) for value in values}


def locked(given):
    out = given.copy()
    out.flags.writeable = False
    return out


def mapped(given):
    with tempfile.TemporaryFile() as file:
        out = np.memmap(file, given.dtype, "w+", shape=given.shape)
    out[:] = given
    return out


def spread(given):
    """Not contiguous in any axis."""
    out = np.zeros([2 * n for n in given.shape], given.dtype)
    out[::2, 1::2, ::2] = given
    return out[::2, 1::2, ::2]


def pillow(mode):
    return PIL.Image.fromarray(PIXELS).convert(mode)


EXACT = None  # as the plain one: else words that are in the error
TYPE = "an image is uint8, uint16 or float in [0, 1], got "
SHAPE = "an image is (height, width) or (height, width, 1 to 4 channels), got "
RANGE = "a float image is in [0, 1], "
# How to call; what stands for the plain one; the cases by name
CASES = {
    "image": (
        lambda model, given: codec.encode(given(), model=model),
        lambda: PIXELS,
        {
            "float16": (lambda: FLOATS.astype(np.float16), EXACT),
            "float64": (lambda: PIXELS / 255, EXACT),
            "longdouble": (lambda: FLOATS.astype(np.longdouble), EXACT),
            "big-endian floats": (lambda: FLOATS.astype(">f4"), EXACT),
            "slight overshoot": (lambda: np.where(FLOATS == 1, 1.2, FLOATS), EXACT),
            "NaN": (lambda: with_value(NAN), RANGE + "this one holds NaN"),
            "infinity": (lambda: with_value(INF), RANGE + "got"),
            "negative infinity": (lambda: with_value(-INF), RANGE + "got -inf"),
            "negative": (lambda: FLOATS - 2, RANGE + "got -2"),
            "above 1": (lambda: FLOATS * 255, RANGE + "got"),
            "int64": (lambda: PIXELS.astype(np.int64), TYPE + "int64"),
            "int8": (lambda: (PIXELS >> 1).astype(np.int8), TYPE + "int8"),
            "int4": (lambda: jnp.asarray(PIXELS >> 5, jnp.int4), TYPE + "int4"),
            "bool": (lambda: PIXELS > 99, TYPE + "bool"),
            "uint16": (lambda: PIXELS.astype(np.uint16), "16 bits a channel"),
            "big-endian uint16": (lambda: PIXELS.astype(">u2"), "16 bits a channel"),
            "complex": (lambda: FLOATS.astype(complex), TYPE + "complex128"),
            "objects": (lambda: PIXELS.astype(object), TYPE + "object"),
            "texts": (lambda: PIXELS.astype(str), TYPE + "<U3"),
            "bytes each": (lambda: PIXELS.astype("S3"), TYPE + "|S3"),
            "dates": (lambda: PIXELS.astype("M8[s]"), TYPE + "datetime64"),
            "records": (lambda: np.zeros((9, 9), [("r", "u1")]), TYPE + "[('r', 'u1')]"),
            "not contiguous": (lambda: spread(PIXELS), EXACT),
            "negative strides": (lambda: PIXELS[::-1, ::-1].copy()[::-1, ::-1], EXACT),
            "read-only": (lambda: locked(PIXELS), EXACT),
            "Fortran's order": (lambda: np.asfortranarray(PIXELS), EXACT),
            "memory-mapped": (lambda: mapped(PIXELS), EXACT),
            "masked": (lambda: np.ma.masked_array(PIXELS), EXACT),
            "jax": (lambda: jnp.asarray(PIXELS), EXACT),
            "jax floats": (lambda: jnp.asarray(FLOATS), EXACT),
            "random key": (lambda: jax.random.key(0), "an image is an array, got PRNGKeyArray"),
            "Picture": (lambda: Picture(PIXELS), EXACT),
            "Picture of jax": (lambda: Picture(jnp.asarray(PIXELS)), EXACT),
            "Picture of a list": (lambda: Picture(PIXELS.tolist()), "pixels are an array"),
            "Picture of nothing": (lambda: Picture(None), "pixels are an array, got NoneType"),
            "Picture of floats": (lambda: Picture(FLOATS), "uint8 or uint16 pixels, got float32"),
            "Picture, alpha a list": (lambda: Picture(PIXELS, [1]), "alpha are an array, got list"),
            "Picture, ICC a text": (lambda: Picture(PIXELS, icc="sRGB"), "icc is bytes, got str"),
            "no rows": (lambda: PIXELS[:0], SHAPE + "(0, 40, 3)"),
            "no channels": (lambda: PIXELS[..., :0], SHAPE + "(24, 40, 0)"),
            "a number": (lambda: np.uint8(4), SHAPE + "()"),
            "no axes": (lambda: np.array(4, np.uint8), SHAPE + "()"),
            "one axis": (lambda: PIXELS[0, 0], SHAPE + "(3,)"),
            "a batch": (lambda: PIXELS[None], SHAPE + "(1, 24, 40, 3)"),
            "five axes": (lambda: PIXELS[None, None], SHAPE + "(1, 1, 24, 40, 3)"),
            "five channels": (lambda: np.dstack([PIXELS, PIXELS[..., :2]]), SHAPE),
            "600 million pixels": (
                lambda: np.broadcast_to(np.float64(0.5), (20_000, 30_000, 3)),
                "at most 500 million pixels",
            ),
            "a line of 600 million": (
                lambda: np.broadcast_to(np.uint8(5), (1, 600_000_000)),
                "at most 500 million pixels",
            ),
            "list": (lambda: PIXELS.tolist(), TYPE + "int64"),
            "ragged list": (lambda: [[1, 2], [3]], "an image is an array, got list"),
            "None": (lambda: None, "an image is an array or a file's path, got NoneType"),
            "int": (lambda: 5, "an image is an array or a file's path, got int"),
            "bytes": (lambda: PIXELS.tobytes(), "got bytes"),
            "dict": (lambda: {"image": PIXELS}, "got dict"),
            "missing file": (lambda: "nope.png", "nope.png: no such file"),
            "missing path": (lambda: Path("nope.png"), "nope.png: no such file"),
            "folder": (lambda: os.sep, "is a folder"),
            "Pillow": (lambda: pillow("RGB"), EXACT),
            "Pillow, palette": (lambda: pillow("P"), "Pillow's mode P;"),
            "Pillow, CMYK": (lambda: pillow("CMYK"), "Pillow's mode CMYK;"),
            "Pillow, HSV": (lambda: pillow("HSV"), "mode HSV; modes are L, LA, RGB, RGBA, I;16"),
            "Pillow, one bit": (lambda: pillow("1"), "Pillow's mode 1;"),
        },
    ),
    "channels": (
        lambda model, given: codec.encode(given(), model=model),
        lambda: np.dstack([GRAY, MASK * np.uint8(255)]),
        {
            "two channels of floats": (lambda: np.dstack([FLOATS[..., 1], MASK]), EXACT),
            "Picture": (lambda: Picture(GRAY[..., None], MASK * np.uint8(255)), EXACT),
            "Fortran's order": (
                lambda: np.asfortranarray(np.dstack([GRAY, MASK * np.uint8(255)])),
                EXACT,
            ),
            "not contiguous": (lambda: spread(np.dstack([GRAY, MASK * np.uint8(255)])), EXACT),
        },
    ),
    "quality": (
        lambda model, given: codec.encode(PIXELS, given(), model=model),
        lambda: 50,
        cases(
            EXACT,
            *(50.0, np.int64(50), np.uint8(50), np.float32(50), np.array(50)),
            *(jnp.int8(50), fractions.Fraction(50)),
        )
        | cases(
            "quality is a whole number of 1 to 100, got ",
            *(NAN, INF, True, np.True_, "50", b"50", [50], np.array([50]), 50.5),
            *(0, 101, -1, HUGE, 50 + 0j, decimal.Decimal(50), np.complex64(50)),
            *({}, PIXELS, object),
        ),
    ),
    "bpp": (
        lambda model, given: codec.encode(PIXELS, bpp=given(), model=model),
        lambda: 2.0,
        cases(
            EXACT,
            *(2, np.float16(2), np.float32(2), np.int8(2), np.array(2.0)),
            *(jnp.bfloat16(2), fractions.Fraction(2)),
        )
        | cases(
            "bpp is more than 0, got ",
            *(NAN, True, "2", [2], np.array([2.0]), 0, -1, -INF, 2 + 0j, {}),
        )
        | cases("the smallest file of this image is", 1e-300),
    ),
    "target_psnr": (
        lambda model, given: codec.encode(PIXELS, target_psnr=given(), model=model),
        lambda: 22.0,
        cases(EXACT, 22, np.float16(22), np.int8(22), jnp.float32(22))
        | cases(
            "target_psnr is a number of more than 0, got ",
            *(NAN, INF, True, "22", [22], np.array([22]), 0, -1, 22 + 0j),
        )
        | cases("no file of this image has PSNR ", 99, HUGE),
    ),
    "target_msssim": (
        lambda model, given: codec.encode(PIXELS, target_msssim=given(), model=model),
        None,
        cases("target_msssim ", NAN, INF, True, "0.9", [0.9], 0, 1, 0.9),
    ),
    "no limit": (
        lambda model, given: codec.encode(PIXELS, **given(), model=model),
        lambda: {"max_bytes": 10**9},
        {
            "bpp inf": (lambda: {"bpp": INF}, EXACT),
            "bpp huge": (lambda: {"bpp": HUGE}, EXACT),
            "max_bytes inf": (lambda: {"max_bytes": INF}, EXACT),
            "max_bytes huge": (lambda: {"max_bytes": HUGE}, EXACT),
            "both": (lambda: {"bpp": 1, "max_bytes": 9}, "not both"),
        },
    ),
    "max_bytes": (
        lambda model, given: codec.encode(PIXELS, max_bytes=given(), model=model),
        lambda: 250,
        cases(
            EXACT,
            *(250.0, 250.5, np.float16(250), np.int16(250), np.uint8(250)),
            *(np.array(250), jnp.int32(250)),
        )
        | cases(
            "max_bytes is 1 or more, got ",
            *(NAN, True, "250", [250], np.array([250]), 0, -1, -INF, 0.5, 250 + 0j),
        )
        | cases("the smallest file of this image is", 9),
    ),
    "roi": (
        lambda model, given: codec.encode(PIXELS, roi=given(), model=model),
        lambda: MASK,
        {
            "uint8": (lambda: MASK * np.uint8(255), EXACT),
            "uint16": (lambda: MASK * np.uint16(65535), EXACT),
            "big-endian uint16": (lambda: (MASK * np.uint16(65535)).astype(">u2"), EXACT),
            "float16": (lambda: MASK.astype(np.float16), EXACT),
            "bfloat16": (lambda: MASK.astype(ml_dtypes.bfloat16), EXACT),
            "big-endian floats": (lambda: MASK.astype(">f8"), EXACT),
            "Fortran's order": (lambda: np.asfortranarray(MASK), EXACT),
            "read-only": (lambda: locked(MASK), EXACT),
            "jax": (lambda: jnp.asarray(MASK), EXACT),
            "one channel": (lambda: MASK[..., None], EXACT),
            "function": (lambda: lambda colour: MASK, EXACT),
            "box": (lambda: [BOX], EXACT),
            "boxes that overlap": (lambda: (BOX, np.array(BOX)), EXACT),
            "box beyond the edge": (lambda: [(16, -(10**30), 10**30, 10**30 + 16)], EXACT),
            "array of boxes": (lambda: np.array([BOX, BOX]), EXACT),
            "array of uint8 boxes": (lambda: np.array([BOX], np.uint8), EXACT),
            "generator of boxes": (lambda: (box for box in [BOX]), EXACT),
            "set of boxes": (lambda: {BOX}, EXACT),
            "int64": (lambda: MASK * np.int64(1), "a mask is bool, uint8, uint16 or float"),
            "objects": (lambda: MASK.astype(object), "a mask is bool, uint8, uint16 or float"),
            "texts": (lambda: MASK.astype(str), "a mask is bool, uint8, uint16 or float"),
            "complex": (lambda: MASK.astype(complex), "a mask is bool, uint8, uint16 or float"),
            "NaN": (lambda: np.where(MASK, NAN, 0), "a float mask is in [0, 1], got nan"),
            "above 1": (lambda: 2.0 * MASK, "a float mask is in [0, 1], got 0 to 2"),
            "negative": (lambda: -1.0 * MASK, "a float mask is in [0, 1], got -1"),
            "three channels": (lambda: np.dstack([MASK] * 3), "the mask is 40×24 of 3 channels"),
            "five axes": (lambda: MASK[None, None, None], "the mask is an array of (1, 1, 1"),
            "no axes": (lambda: np.array(True), "the mask is an array of ()"),
            "transposed": (lambda: MASK.T, "the mask is 24×40, the image 40×24"),
            "no rows": (lambda: MASK[:0], "the mask is 40×0"),
            "one box": (lambda: BOX, "a box is four whole numbers"),
            "box of floats": (lambda: [(16.0, 0, 24, 16)], "a box is four whole numbers"),
            "box of NaN": (lambda: [(NAN, 0, 24, 16)], "a box is four whole numbers"),
            "box of text": (lambda: ["16,0,24,16"], "a box is four whole numbers"),
            "box of truths": (lambda: [(True,) * 4], "a box is four whole numbers"),
            "box of three": (lambda: [(1, 2, 3)], "a box is four whole numbers"),
            "box of None": (lambda: [None], "a box is four whole numbers"),
            "empty box": (lambda: [(1, 2, 0, 3)], "is empty"),
            "box outside": (lambda: [(40, 0, 1, 1)], "lies outside the image"),
            "no boxes": (lambda: [], "no boxes given"),
            "bytes": (lambda: b"ab", "a box is four whole numbers"),
            "number": (lambda: 5, "a region is 'auto', 'all', boxes, a mask or its file, got int"),
            "True": (
                lambda: True,
                "a region is 'auto', 'all', boxes, a mask or its file, got bool",
            ),
            "Picture": (lambda: Picture(PIXELS), "a mask or its file, got Picture"),
            "Pillow, one bit": (lambda: pillow("1"), "mode 1; modes are L"),
            "missing file": (lambda: "nope.png", "nope.png: no such file"),
            "function of None": (lambda: lambda colour: None, "a mask is an array"),
            "function of another size": (lambda: lambda colour: MASK[1:], "the mask is 40×23"),
        },
    ),
    "roi_gain": (
        lambda model, given: codec.encode(PIXELS, roi=MASK, roi_gain=given(), model=model),
        lambda: 10,
        cases(EXACT, 10.0, np.float16(10), np.int8(10), jnp.float32(10))
        | cases(
            "a region's gain is -67 to 67 dB, got ",
            *(NAN, INF, -68, HUGE, True, "10", None, [10], np.array([10]), 10 + 0j),
        ),
    ),
    "mode": (
        lambda model, given: codec.encode(PIXELS, mode=given(), model=model),
        lambda: "full",
        {
            repr(value): (lambda value=value: value, "a mode is full, half or auto, got ")
            for value in (None, ["full"], np.array(["full"]), 1, "FULL", b"full")
        },
    ),
    "weights": (
        lambda model, given: codec.encode(PIXELS, **{"model": model, "mode": "half"} | given()),
        lambda: {},
        {
            f"{name} {value!r}"[:40]: (lambda name=name, value=value: {name: value}, words)
            for name in ("model", "upscaler")
            for value, words in [
                *((v, "a file's path or a loaded ") for v in (None, 5, b"x", PIXELS, {})),
                *((v, "released: ") for v in ("nope",)),
            ]
        },
    ),
}
BFLOATS = FLOATS.astype(ml_dtypes.bfloat16)
CASES["bfloat16"] = (
    CASES["image"][0],
    lambda: BFLOATS.astype(np.float32),
    {"NumPy": (lambda: BFLOATS, EXACT), "jax": (lambda: jnp.asarray(BFLOATS), EXACT)},
)
CASES["image of a batch"] = (
    lambda model, given: codec.encode_batch([given()], model=model)[0],
    *CASES["image"][1:],
)


def with_gaps(data):
    """A view of every third byte."""
    return memoryview(bytes(byte for one in data for byte in (one, 0, 0)))[::3]


AS_BYTES = "a .jsr file is given as its bytes, got "
DATA = {
    "bytearray": (bytearray, EXACT),
    "memoryview": (memoryview, EXACT),
    "memoryview with gaps": (with_gaps, EXACT),
    "NumPy": (lambda data: np.frombuffer(data, np.uint8), EXACT),
    "array": (lambda data: array.array("B", data), EXACT),
    "str": (lambda data: data.decode("latin1"), AS_BYTES + "str"),
    "path": (lambda data: Path("a.jsr"), "pathlib.Path(path).read_bytes()"),
    "None": (lambda data: None, AS_BYTES + "NoneType"),
    "int": (lambda data: 5, AS_BYTES + "int"),
    "list": (list, AS_BYTES + "list"),
    "open file": (io.BytesIO, AS_BYTES + "BytesIO"),
    "floats": (lambda data: np.zeros(9), "not a .jsr file"),
    "nothing": (lambda data: b"", "not a .jsr file"),
}


def coded(model):
    return codec.encode(PIXELS, roi=MASK, model=model)


CASES |= {
    "decode": (
        lambda model, given: codec.decode(given(coded(model)), model=model).tobytes(),
        bytes,
        DATA,
    ),
    "decode_picture": (
        lambda model, given: codec.decode_picture(
            given(coded(model)), model=model
        ).pixels.tobytes(),
        bytes,
        DATA,
    ),
    "decode_batch": (
        lambda model, given: codec.decode_batch([given(coded(model))], model=model)[0].tobytes(),
        bytes,
        DATA,
    ),
    "info": (lambda model, given: codec.info(given(coded(model))), bytes, DATA),
    "region_of": (lambda model, given: codec.region_of(given(coded(model))).tobytes(), bytes, DATA),
    "decode's weights": (
        lambda model, given: codec.decode(coded(model), **({"model": model} | given())).tobytes(),
        dict,
        {
            "another": (lambda: {"model": codec.DEFAULT}, "coded with another model"),
            "no model": (lambda: {"model": None}, "a model that is not here"),
            "int": (lambda: {"model": 5}, "or a loaded Model, got int"),
            "device": (lambda: {"entropy_device": jax.devices()[0]}, EXACT),
            "no such device": (lambda: {"entropy_device": "gpu"}, "entropy_device is "),
            "number of a device": (lambda: {"entropy_device": 0}, "entropy_device is "),
            "list of devices": (lambda: {"entropy_device": ["cpu"]}, "entropy_device is "),
        },
    ),
}


def outcome(call, model, given, plain):
    """How a case ends: exactly, otherwise, or in which error."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return "exact" if call(model, given) == plain else "another result"
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def outcomes(model):
    for group, (call, plain, cases) in CASES.items():
        expected = plain and call(model, plain)
        for name, (given, _) in cases.items():
            yield f"{group}: {name}", outcome(call, model, given, expected)


@pytest.fixture(scope="module")
def ends(small_path):
    command = [sys.executable, __file__, str(small_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


EXPECTED = {
    f"{group}: {name}": words
    for group, (_, _, cases) in CASES.items()
    for name, (_, words) in cases.items()
}


@pytest.mark.parametrize("case", EXPECTED)
def test_what_is_given_is_coded_exactly_or_ends_in_one_clear_error(case, ends):
    words = EXPECTED[case]
    if words is EXACT:
        assert ends[case] == "exact"
    else:
        assert ends[case].startswith("UserError: ") and words in ends[case]
        assert "\n" not in ends[case] and len(ends[case]) < 300


if __name__ == "__main__":
    print(json.dumps(dict(outcomes(codec.load(sys.argv[1])))))
