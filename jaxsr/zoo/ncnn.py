"""Read models of ncnn without ncnn: a ``.param`` file of layers and a ``.bin`` file of numbers.

The ``.param`` is text, a line a layer: kind, name, counts of inputs and outputs, their names, then
``key=value`` options. The ``.bin`` has the layers' numbers one after another, without names.
:func:`read_ncnn` recognises a network by the order of its layers, and returns a state dict in the
words that the network's authors use, so that :mod:`jaxsr.zoo.dialects` read it as any other.
Source: ncnn's wiki, "param and model file structure".
"""

import dataclasses
import math
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from jaxsr.errors import UserError
from jaxsr.zoo.dialects.realcugan import PRO
from jaxsr.zoo.dialects.srvgg import RESIZED
from jaxsr.zoo.dialects.state import State

MAGIC = "7767517"
FLOAT16, INT8, FLOAT32, PLAIN = 0x01306B47, 0x000D4B38, 0x0002C056, 0  # tags before arrays
RELU, LEAKY_RELU = 1, 2  # numbers of activations that a convolution ends with

Value = float | tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class NcnnLayer:
    """A line of a ``.param`` file.

    Attributes:
      kind: ncnn's word, as "Convolution".
      name: of the layer.
      inputs: how many it has.
      options: ncnn's number of an option → its value, or its values.
    """

    kind: str
    name: str
    inputs: int
    options: Mapping[int, Value]

    def number(self, option: int, default: float = 0.0) -> float:
        """Return an option that has one value."""
        value = self.options.get(option, default)
        if isinstance(value, tuple):
            raise UserError(f"layer {self.name!r}: option {option} is a list, not a number")
        return value

    def whole(self, option: int, default: int = 0) -> int:
        """Return an option that is a whole number."""
        return int(self.number(option, float(default)))

    def numbers(self, option: int) -> tuple[float, ...]:
        """Return an option that is a list; ncnn stores those under −23300 − option."""
        value = self.options.get(-23300 - option, ())
        return value if isinstance(value, tuple) else (value,)


@dataclasses.dataclass(frozen=True)
class NumberedLayer:
    """A layer with its numbers, by the names of its leaves: ``weight``, ``bias`` or ``slope``."""

    layer: NcnnLayer
    arrays: Mapping[str, np.ndarray]


def files_of(path: str | os.PathLike) -> tuple[Path, Path] | None:
    """Return the ``.param`` and ``.bin`` files of a model, given either; None: it is none of ncnn.

    Raises:
      UserError: it is a ``.param`` file that no ``.bin`` lies beside.
    """
    path = Path(path)
    param, numbers = path.with_suffix(".param"), path.with_suffix(".bin")
    if path.suffix not in (".param", ".bin") or not _begins(param):
        return None
    if not numbers.is_file():
        raise UserError(f"{path}: a model of ncnn is two files; {numbers.name} is not beside it")
    return param, numbers


def _begins(param: Path) -> bool:
    try:
        with param.open("rb") as file:
            return file.read(len(MAGIC)).decode("ascii", "replace") == MAGIC
    except OSError:
        return False


def read_ncnn(param: str | os.PathLike, numbers: str | os.PathLike) -> State:
    """Read a model's two files into the state dict of a network that :mod:`jaxsr.zoo` knows.

    Raises:
      UserError: a file cannot be read or is damaged, they do not belong together, or the layers are
        those of no network that is known.
    """
    param = Path(param)
    try:
        layers = parse(param.read_text("utf-8"))
        state = state_of(loaded(layers, Path(numbers).read_bytes()))
        return {**state, **_kind_by_name(param, state)}
    except OSError as error:
        raise UserError(f"{error.filename}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise UserError(f"{param}: not the text of a model of ncnn") from None
    except UserError as error:
        raise UserError(f"{param}: {error}") from None


def _kind_by_name(param: Path, state: State) -> dict[str, np.ndarray]:
    """Mark Real-CUGAN's "pro" weights, whose files differ from others in their names alone."""
    words = re.findall("[a-z]+", f"{param.parent.name} {param.stem}".lower())
    is_pro = f"{CUGAN_NAMES[0]}.weight" in state and PRO in words
    return {PRO: np.zeros(1, np.float32)} if is_pro else {}


# The text ----------------------------------------------------------------------------------------


def parse(text: str) -> list[NcnnLayer]:
    """Read the lines of a ``.param`` file.

    Raises:
      UserError: it does not begin as such files do, or a line is none of a layer.
    """
    lines = [line.split() for line in text.splitlines() if line.strip()]
    if len(lines) < 2 or lines[0] != [MAGIC]:
        raise UserError(f"not a model of ncnn, whose first line is {MAGIC}")
    try:
        layers = [_layer(words) for words in lines[2:]]
        count = int(lines[1][0])
    except (ValueError, IndexError):
        raise UserError("damaged: a line is not that of a layer") from None
    if count != len(layers):
        raise UserError(f"damaged: {len(layers)} layers, and {count} are announced")
    return layers


def _layer(words: Sequence[str]) -> NcnnLayer:
    kind, name, inputs, outputs = words[0], words[1], int(words[2]), int(words[3])
    pairs = (word.split("=") for word in words[4 + inputs + outputs :])
    options = {int(key): _value(int(key), value) for key, value in pairs}
    return NcnnLayer(kind, name, inputs, options)


def _value(option: int, text: str) -> Value:
    numbers = tuple(float(number) for number in text.split(","))
    if not all(map(math.isfinite, numbers)):
        raise ValueError
    return numbers[1:] if option <= -23300 else float(text)  # a list begins with its length


# The numbers -------------------------------------------------------------------------------------


class NumberReader:
    """Takes arrays off the bytes of a ``.bin`` file, in order."""

    def __init__(self, content: bytes):
        """Begin at the first byte."""
        self._content, self._at = content, 0

    def rest(self) -> int:
        """Count the bytes that are left."""
        return len(self._content) - self._at

    def raw(self, count: int, dtype: str = "<f4") -> np.ndarray:
        """Take ``count`` numbers as they are; each array fills whole words of four bytes."""
        size = count * np.dtype(dtype).itemsize
        if count < 0 or size > self.rest():
            raise UserError("damaged: the .bin file ends before the layers have their numbers")
        array = np.frombuffer(self._content, dtype, count, self._at)
        self._at += -(-size // 4) * 4
        return array

    def tagged(self, count: int) -> np.ndarray:
        """Take ``count`` numbers behind the tag that says how they are stored."""
        (tag,) = self.raw(1, "<u4")
        if tag in (PLAIN, FLOAT32):
            return self.raw(count)
        if tag == FLOAT16:
            return self.raw(count, "<f2")
        how = "8-bit" if tag == INT8 else "quantised, or damaged,"
        raise UserError(f"{how} numbers are not read; give the model with 16- or 32-bit floats")


def loaded(layers: Sequence[NcnnLayer], content: bytes) -> list[NumberedLayer]:
    """Give each layer its numbers.

    Raises:
      UserError: there are too few or too many for the layers, or a layer is of an unknown kind that
        may have some.
    """
    reader = NumberReader(content)
    found = [NumberedLayer(layer, _numbers(layer, reader)) for layer in layers]
    if reader.rest():
        raise UserError(f"damaged: {reader.rest()} bytes of the .bin file belong to no layer")
    return found


def _numbers(layer: NcnnLayer, reader: NumberReader) -> Mapping[str, np.ndarray]:
    if layer.kind not in KINDS:
        raise UserError(f"layers of the kind {layer.kind!r} are in no network that is known")
    read = KINDS[layer.kind][1]
    return read(layer, reader) if read else {}


def _convolution(layer: NcnnLayer, reader: NumberReader) -> Mapping[str, np.ndarray]:
    features, width = layer.whole(0), layer.whole(1)
    height, count = layer.whole(11, width), layer.whole(6)
    taps = features * height * width
    if taps < 1 or count < 1 or count % taps:
        raise UserError(f"damaged: layer {layer.name!r} has {count} weights for {taps} taps")
    if layer.number(8):
        raise UserError("8-bit numbers are not read; give the model with 16- or 32-bit floats")
    weight = reader.tagged(count).reshape(features, -1, height, width)
    return {"weight": weight} | ({"bias": reader.raw(features)} if layer.number(5) else {})


def _deconvolution(layer: NcnnLayer, reader: NumberReader) -> Mapping[str, np.ndarray]:
    arrays = _convolution(layer, reader)  # outputs first, as convolutions; PyTorch's are second
    return {**arrays, "weight": arrays["weight"].swapaxes(0, 1)}


def _dense(layer: NcnnLayer, reader: NumberReader) -> Mapping[str, np.ndarray]:
    features, count = layer.whole(0), layer.whole(2)
    if features < 1 or count < 1 or count % features:
        raise UserError(f"damaged: layer {layer.name!r} has {count} weights for {features} outputs")
    if layer.number(8):
        raise UserError("8-bit numbers are not read; give the model with 16- or 32-bit floats")
    weight = reader.tagged(count).reshape(features, -1, 1, 1)
    return {"weight": weight} | ({"bias": reader.raw(features)} if layer.number(1) else {})


def _prelu(layer: NcnnLayer, reader: NumberReader) -> Mapping[str, np.ndarray]:
    return {"slope": reader.raw(layer.whole(0))}


Read = Callable[[NcnnLayer, NumberReader], Mapping[str, np.ndarray]]
# ncnn's word → the letter that stands for the layer in the patterns below, "" where it computes
# nothing; and what reads its numbers, where it has some
KINDS: dict[str, tuple[str, Read | None]] = {
    "Input": ("", None),
    "Split": ("", None),
    "Noop": ("", None),
    "Dropout": ("", None),
    "Convolution": ("C", _convolution),
    "Deconvolution": ("D", _deconvolution),
    "InnerProduct": ("F", _dense),
    "PReLU": ("P", _prelu),
    "ReLU": ("R", None),
    "Concat": ("K", None),
    "Eltwise": ("A", None),
    "BinaryOp": ("A", None),
    "Interp": ("I", None),
    "PixelShuffle": ("S", None),
    "Pooling": ("G", None),
    "Crop": ("X", None),
}
PRODUCT = 2  # the number of BinaryOp that multiplies
CUBIC = 3  # of Interp that is not nearest


# The networks ------------------------------------------------------------------------------------


def state_of(layers: Sequence[NumberedLayer]) -> State:
    """Name the numbers of a network's layers as its authors do.

    Raises:
      UserError: the layers are those of no network that is known, or compute with other constants.
    """
    layers = [layer for layer in layers if KINDS[layer.layer.kind][0]]
    order = "".join(_letter(layer.layer) for layer in layers)
    for pattern, name in NETWORKS.items():
        if re.fullmatch(pattern, order):
            return name(layers)
    raise UserError(
        f"{len(layers)} layers in an order that no known network has ({order[:24]} …); known are "
        "models of RRDB, SRVGGNetCompact and Real-CUGAN"
    )


def _letter(layer: NcnnLayer) -> str:
    """Return a layer's letter; M for a product, B for bicubic interpolation."""
    if layer.kind == "BinaryOp" and layer.whole(0) == PRODUCT:
        return "M"
    if layer.kind == "Interp" and layer.whole(0) == CUBIC:
        return "B"
    return KINDS[layer.kind][0]


def _rrdb(layers: Sequence[NumberedLayer]) -> State:
    """Name the convolutions of RRDB as BasicSR does."""
    for constant in _constants(layers):
        if not any(math.isclose(constant, ours, rel_tol=1e-3) for ours in (0.2, 1.0)):
            raise UserError(f"an RRDB with the constant {constant}, where ours has 0.2 or 1")
    convolutions = [layer for layer in layers if layer.layer.kind == "Convolution"]
    enlargements = sum(layer.layer.kind == "Interp" for layer in layers)
    blocks = (len(convolutions) - 4 - enlargements) // 15
    names = [
        "conv_first",
        *(
            f"body.{block}.rdb{dense}.conv{conv}"
            for block in range(blocks)
            for dense in range(1, 4)
            for conv in range(1, 6)
        ),
        "conv_body",
        *(f"conv_up{i + 1}" for i in range(enlargements)),
        *("conv_hr", "conv_last"),
    ]
    return _named(names, convolutions)


def _cugan(layers: Sequence[NumberedLayer]) -> State:
    """Name the layers of Real-CUGAN's two U-Nets."""
    for constant in _constants(layers):
        if not math.isclose(constant, 0.1, rel_tol=1e-3):
            raise UserError(f"a Real-CUGAN with the constant {constant}, where ours has 0.1")
    numbered = [layer for layer in layers if layer.arrays]
    return _named(CUGAN_NAMES[: len(numbered)], numbered)


def _compact(layers: Sequence[NumberedLayer]) -> State:
    """Name what a Compact network has: convolutions, and slopes, fixed ones included."""
    state, number = {}, 0
    for layer, after in zip(layers, [*layers[1:], None], strict=True):
        if layer.layer.kind != "Convolution":
            continue
        state |= _named([f"body.{number}"], [layer])
        slopes = _slopes(layer, after)
        if slopes is not None:
            state[f"body.{number + 1}.weight"] = slopes
        number += 2
    resized = [layer.layer for layer in layers if _letter(layer.layer) == "B"]
    if resized:
        ratio = Fraction(resized[0].number(1, 1.0)).limit_denominator(16)
        state[RESIZED] = np.array([ratio.numerator, ratio.denominator])
    return state


def _slopes(layer: NumberedLayer, after: NumberedLayer | None) -> np.ndarray | None:
    """Return the slope of each channel in the activation of a convolution; None: it has none."""
    features = layer.layer.whole(0)
    if after is not None and after.layer.kind == "PReLU":
        return np.broadcast_to(after.arrays["slope"], features)
    if after is not None and after.layer.kind == "ReLU":
        return np.full(features, after.layer.number(0), np.float32)
    activation = layer.layer.whole(9)
    if activation == RELU:
        return np.zeros(features, np.float32)
    if activation == LEAKY_RELU:
        return np.full(features, layer.layer.numbers(10)[0], np.float32)
    return None


def _constants(layers: Sequence[NumberedLayer]) -> Iterator[float]:
    """Yield slopes of leaky ReLUs, and factors of sums and products."""
    for layer in (layer.layer for layer in layers):
        if layer.kind in ("Convolution", "Deconvolution") and layer.number(9):
            yield from layer.numbers(10) or (0.0,)
        if layer.kind == "ReLU":
            yield layer.number(0)
        if layer.kind == "Eltwise":
            yield from layer.numbers(1)
        if layer.kind == "BinaryOp" and layer.number(1):
            yield layer.number(2)


def _named(names: Sequence[str], layers: Sequence[NumberedLayer]) -> dict[str, np.ndarray]:
    return {
        f"{name}.{leaf}": array
        for name, layer in zip(names, layers, strict=True)
        for leaf, array in layer.arrays.items()
    }


# names of the layers of Real-CUGAN that have numbers, in the order of ncnn's files
_PAIR, _SQUEEZE = ("conv.0", "conv.2"), ("seblock.conv1", "seblock.conv2")
CUGAN_NAMES = (
    *(f"unet1.conv1.{name}" for name in _PAIR),
    "unet1.conv1_down",
    *(f"unet1.conv2.{name}" for name in (*_PAIR, *_SQUEEZE)),
    *("unet1.conv2_up", "unet1.conv3", "unet1.conv_bottom"),
    *(f"unet2.conv1.{name}" for name in _PAIR),
    "unet2.conv1_down",
    *(f"unet2.conv2.{name}" for name in (*_PAIR, *_SQUEEZE)),
    "unet2.conv2_down",
    *(f"unet2.conv3.{name}" for name in (*_PAIR, *_SQUEEZE)),
    "unet2.conv3_up",
    *(f"unet2.conv4.{name}" for name in (*_PAIR, *_SQUEEZE)),
    *("unet2.conv4_up", "unet2.conv5", "unet2.conv_bottom", "conv_final"),
)

CONVOLVED = "CR?"
WEIGHED = "CCGFFM"  # two convolutions, and attention to channels
LEVEL = "XDA"  # a border is cut off what is added to the enlarged level below
DENSE = f"({CONVOLVED}K){{4}}CM?A"
# the order of layers, a letter each → what names their numbers
NETWORKS: dict[str, Callable[[Sequence[NumberedLayer]], State]] = {
    f"C(({DENSE}){{3}}M?A)+CA(I{CONVOLVED})*{CONVOLVED}C": _rrdb,
    "I?(C[PR]?)+CSI?AB?": _compact,
    f"CCC{WEIGHED}{LEVEL}CDCCC{WEIGHED}C{WEIGHED}{LEVEL}{WEIGHED}{LEVEL}XCCA(CXS)?": _cugan,
}
