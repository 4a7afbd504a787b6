"""The learned codec as a user calls it: ``encode(image, quality=60)`` → bytes → ``decode(data)``.

A file decodes to the same symbols on every device, and to the same pixels within ±1 of 255.
"""

import bisect
import functools
import os
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, Shaped, UInt8

from jaxsr.codec import coder, container, region, weights
from jaxsr.codec.container import LEVELS, File, Header, parse_header
from jaxsr.codec.model import Model
from jaxsr.image import io

DEFAULT = weights.DEFAULT
TOLERANCE = 0.03  # how far below a wanted number of bytes a file may stay
TRIES = 8  # files written at most to meet it
Image = Shaped[np.ndarray | Array, "..."] | io.Picture | str | os.PathLike

info = parse_header


@functools.lru_cache(maxsize=4)
def load(name_or_path: str | os.PathLike = DEFAULT) -> Model:
    """A codec's model, by released name or file; see :func:`jaxsr.codec.weights.load`."""
    return weights.load(name_or_path)


def encode(
    image: Image,
    quality: int = 50,
    *,
    bpp: float | None = None,
    max_bytes: int | None = None,
    roi: region.Mask | None = None,
    roi_gain: float = 6.0,
    keep_metadata: bool = False,
    model: str | os.PathLike | Model = DEFAULT,
) -> bytes:
    """An image as a complete ``.jsr`` file.

    Args:
      image: uint8 ``(h, w)``, ``(h, w, 1)``, ``(h, w, 2)`` gray and alpha, ``(h, w, 3)`` or
        ``(h, w, 4)``; the same as floats in [0, 1]; or a Picture or an image file's path.
      quality: 1 (smallest) to 100 (best).
      bpp: instead of a quality, bits per pixel of the whole file, not exceeded; missed by more than
        3 % only where the highest level takes less.
      max_bytes: instead of a quality, the size of the whole file, not exceeded.
      roi: a mask of the image's size, bool, uint8 (255: all) or float in [0, 1]: where it is set,
        the image is coded finer. Under ``bpp`` or ``max_bytes`` the rest pays for it.
      roi_gain: by how many dB finer.
      keep_metadata: whether a Picture's ICC profile and EXIF block go into the file.
      model: the codec: a released name, a weights file or a loaded Model.

    Raises:
      ValueError: no such image, one of 16 bits, or a size that cannot be met.
    """
    picture = _picture(image)
    model = model if isinstance(model, Model) else load(model)
    file = _Prepared(model, picture, _region(roi, roi_gain, picture), keep_metadata)
    if bpp is None and max_bytes is None:
        return file.at(level_of(quality), quality)
    pixels = picture.pixels.shape[0] * picture.pixels.shape[1]
    return file.within(_limit(bpp, max_bytes, pixels))


def level_of(quality: int) -> int:
    """The rate level of a quality.

    Raises:
      ValueError: it is not 1 to 100.
    """
    if quality not in range(1, 101):
        raise ValueError(f"quality is a whole number of 1 to 100, got {quality}")
    return round((quality - 1) / 99 * (LEVELS - 1))


def _limit(bpp: float | None, max_bytes: int | None, pixels: int) -> int:
    if bpp is not None and max_bytes is not None:
        raise ValueError("give bpp or max_bytes, not both")
    if bpp is not None:
        if not bpp > 0:
            raise ValueError(f"bpp is more than 0, got {bpp}")
        return int(min(bpp, 1e6) * pixels / 8)
    if max_bytes < 1:
        raise ValueError(f"max_bytes is 1 or more, got {max_bytes}")
    return max_bytes


def _region(roi, gain: float, picture: io.Picture):
    if roi is None:
        return None
    size = picture.pixels.shape[:2]
    if roi.shape != size:
        raise ValueError(
            f"the region's mask is {roi.shape[1]}×{roi.shape[0]}, the image {size[1]}×{size[0]}; "
            "they must be of one size"
        )
    return region.region_map(roi, gain)


class _Prepared:
    """A picture whose transform is computed; its files of any size only take the coding."""

    def __init__(self, model: Model, picture: io.Picture, steps, keep_metadata: bool):
        self.model, self.picture, self.steps, self.keep = model, picture, steps, keep_metadata
        pixels = picture.pixels
        if picture.alpha is not None:
            pixels = io.bleed(io.to_float(pixels), io.to_float(picture.alpha))
            pixels = io.from_float(pixels)
        pixels = np.broadcast_to(pixels, (*pixels.shape[:2], 3))
        self.analysed = coder.Analysed(model, pixels, steps)

    def at(self, level: int, quality: int = 0) -> bytes:
        """The complete file at a level."""
        picture = self.picture
        height, width, channels = picture.pixels.shape
        header = Header(width, height, channels, self.model.number, self.model.hash, level, quality)
        tiles = tuple(self.analysed.tiles(level))
        icc, exif = (picture.icc, picture.exif) if self.keep else (None, None)
        return container.pack(File(header, tiles, picture.alpha, icc, exif, self.steps))

    def within(self, limit: int) -> bytes:
        """The largest file found of at most ``limit`` bytes; at once if within ``TOLERANCE``.

        Levels are chosen by the estimate; by how much the file then misses, the next aim is corrected.

        Raises:
          ValueError: even the lowest level's file is larger.
        """
        best, aim, levels = b"", limit, range(LEVELS)  # those still possible
        for _ in range(TRIES):
            level = bisect.bisect_right(levels[1:], aim, key=self._estimate) + levels.start
            file = self.at(level)
            missing = limit - len(file)
            if missing < 0:
                levels = range(levels.start, level)
            else:
                best, levels = file, range(level, levels.stop)
            if 0 <= missing <= limit * TOLERANCE / 3 or len(levels) < 2:
                break
            aim += missing
        best = best or self.at(0)
        if len(best) > limit:
            raise ValueError(f"the smallest file of this image is {len(best)} bytes, not {limit}")
        return best

    def _estimate(self, level: int) -> float:
        """Bytes of the tiles."""
        return self.analysed.estimate(level) / 8


def decode(
    data: bytes, *, model: str | os.PathLike | Model | None = None
) -> UInt8[np.ndarray, "h w *c"]:
    """The image of a ``.jsr`` file: ``(h, w, 3)``, gray ``(h, w)``; alpha as a last channel.

    Raises:
      ValueError: see :func:`decode_picture`.
    """
    picture = decode_picture(data, model=model)
    pixels = picture.pixels
    if picture.alpha is not None:
        return np.concatenate([pixels, picture.alpha[..., None]], axis=-1)
    return pixels[..., 0] if pixels.shape[2] == 1 else pixels


def decode_picture(data: bytes, *, model: str | os.PathLike | Model | None = None) -> io.Picture:
    """The image with its alpha, and ICC profile and EXIF block where the file has them.

    Args:
      model: the codec it was coded with; unless given, the released one that the file names.

    Raises:
      ValueError: it is no ``.jsr`` file, damaged, or coded with a model that is not here.
    """
    file = container.parse(data)
    model = _model_of(file.header, model)
    pixels = coder.decode(model, file.header, file.tiles, file.region)
    if file.header.channels == 1:
        pixels = np.round(pixels.mean(-1, keepdims=True)).astype(np.uint8)
    return io.Picture(pixels, file.alpha, file.icc, file.exif)


def _model_of(header: Header, model) -> Model:
    if model is None:
        for name in weights.available():
            if load(name).hash == header.model_hash:
                return load(name)
        raise ValueError(
            f"the file was coded with a model that is not here (hash {header.model_hash.hex()}); "
            "give its weights file as the model"
        )
    model = model if isinstance(model, Model) else load(model)
    if model.hash != header.model_hash:
        raise ValueError(
            f"the file was coded with another model (hash {header.model_hash.hex()}) "
            f"than the one given ({model.hash.hex()})"
        )
    return model


def rate_distortion(
    image: Float[Array, "b h w 3"],
    quality: float | Float[Array, ""] | Float[Array, "b"] = 50.0,
    *,
    key: PRNGKeyArray | None = None,
    model: str | os.PathLike | Model = DEFAULT,
) -> tuple[Float[Array, "b h w 3"], Float[Array, "b"]]:
    """What the codec makes of images in [0, 1], differentiable in them: for training on top of it.

    Rounding passes gradients as if it were not there, and the gradients of the bits are those of values
    with noise in place of rounding, as in the codec's own training.

    Args:
      quality: 1 to 100, fractions too; one or one for each image.
      key: of the noise; one and the same unless given.

    Returns:
      The images as decoded, and the bits per pixel they are estimated to take.
    """
    model = model if isinstance(model, Model) else load(model)
    batch, height, width, _ = image.shape
    pad = [(0, 0), (0, -height % 128), (0, -width % 128), (0, 0)]
    x = jnp.pad(image, pad, mode="edge")
    rate = jnp.broadcast_to((jnp.asarray(quality, jnp.float32) - 1) / 99, (batch,))
    region = jnp.zeros((batch, x.shape[1] // coder.DOWN, x.shape[2] // coder.DOWN))
    key = jax.random.key(0) if key is None else key
    params = jax.tree.map(jnp.asarray, model.trainable)
    coded = model.network.apply({"params": params}, x, rate, region, key)
    bits = (coded.latent_bits + coded.hyper_bits) / (height * width)
    return coded.output[:, :height, :width], bits


def _picture(image: Any) -> io.Picture:
    """The image as a Picture of 8 bits."""
    if isinstance(image, str | os.PathLike):
        image = io.read(image)
    if not isinstance(image, io.Picture):
        image = _from_array(np.asarray(image))
    if image.pixels.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"an image is uint8, or float in [0, 1], got {image.pixels.dtype}")
    if image.pixels.dtype != np.uint8:
        raise ValueError(
            "the image has 16 bits a channel, this format holds 8; reduce it first "
            "(jaxsr compress --reduce-to-8-bit)"
        )
    return image


def _from_array(array: np.ndarray) -> io.Picture:
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or not 1 <= array.shape[2] <= 4 or 0 in array.shape:
        raise ValueError(
            f"an image is (height, width) or (height, width, 1 to 4 channels), got {array.shape}"
        )
    if jnp.issubdtype(array.dtype, jnp.floating):
        if not (array.min() >= 0 and array.max() <= 1):
            raise ValueError(
                f"a float image is in [0, 1], got {array.min():g} to {array.max():g}; "
                "divide by its white, or give uint8"
            )
        array = io.from_float(array.astype(np.float32))
    colours = 1 if array.shape[2] < 3 else 3
    alpha = array[..., colours] if array.shape[2] > colours else None
    return io.Picture(array[..., :colours], alpha)
