"""Files to pictures: ``decode`` gives an array, ``decode_picture`` what belongs to it as well."""

import os
from collections.abc import Callable, Iterable
from typing import TypeVar

import jax
import numpy as np
from jaxtyping import Float32, UInt8

from jaxsr.codec import container, half, region, tiles, weights
from jaxsr.codec.container import File, Header
from jaxsr.codec.given import Data
from jaxsr.codec.half import Enlarger
from jaxsr.codec.kept import loaded
from jaxsr.codec.model import Model
from jaxsr.errors import UserError
from jaxsr.image import files

Named = TypeVar("Named", Model, Enlarger)  # what files name by a hash


def decode(
    data: Data,
    *,
    model: str | os.PathLike | Model | None = None,
    upscaler: str | os.PathLike | Enlarger | None = None,
    entropy_device: str | jax.Device | None = None,
) -> UInt8[np.ndarray, "h w *c"]:
    """Decode a ``.jsr`` file to ``(h, w, 3)``, or gray to ``(h, w)``; alpha is a last channel.

    Args:
      data, model, upscaler, entropy_device: as for :func:`decode_picture`.

    Raises:
      UserError: see :func:`decode_picture`.
    """
    return as_array(
        decode_picture(data, model=model, upscaler=upscaler, entropy_device=entropy_device)
    )


def as_array(picture: files.Picture) -> UInt8[np.ndarray, "h w *c"]:
    """Return a picture's pixels as :func:`decode` does."""
    pixels = picture.pixels
    if picture.alpha is not None:
        return np.concatenate([pixels, picture.alpha[..., None]], axis=-1)
    return pixels[..., 0] if pixels.shape[2] == 1 else pixels


def decode_picture(
    data: Data,
    *,
    model: str | os.PathLike | Model | None = None,
    upscaler: str | os.PathLike | Enlarger | None = None,
    entropy_device: str | jax.Device | None = None,
) -> files.Picture:
    """Decode a ``.jsr`` file to its picture: 8-bit pixels and any alpha, ICC profile and EXIF.

    Args:
      data: the bytes of the whole file, in any buffer.
      model: the codec that wrote the file; by default the released one that the file names.
      upscaler: for a file that holds the image at half its size, the upscaler ×2 it was made with;
        by default the released one that the file names.
      entropy_device: where the entropy coder runs; by default where ``model`` says. See
        :class:`jaxsr.codec.Model`.

    Raises:
      UserError: ``data`` is no ``.jsr`` file or is damaged, or the file was made with another
        model or upscaler than the one given, or with one that is not here.
    """
    file = container.parse(data)
    model, enlarger = model_of(file.header, model), enlarger_of(file.header, upscaler)
    if entropy_device is not None:
        model = model.coding_on(entropy_device)
    return files.Picture(decoded(file, model, enlarger), file.alpha, file.icc, file.exif)


def decoded(file: File, model: Model, enlarger: Enlarger | None) -> UInt8[np.ndarray, "h w c"]:
    """Decode the colours of a parsed file; gray has one channel.

    Raises:
      UserError: a tile's symbols are not those that were coded.
    """
    header = file.header
    pixels = tiles.decode(model, header, file.tiles, file.region)
    pixels = in_channels(pixels, header.channels)
    return pixels if enlarger is None else enlarger(pixels, header.height, header.width)


def in_channels(pixels: UInt8[np.ndarray, "h w 3"], channels: int) -> UInt8[np.ndarray, "h w c"]:
    """Return decoded RGB, or the mean of its channels if the picture has one."""
    return np.round(pixels.mean(-1, keepdims=True)).astype(np.uint8) if channels == 1 else pixels


def region_of(data: Data) -> Float32[np.ndarray, "h w"] | None:
    """Return the region a ``.jsr`` file was made with, as a mask in [0, 1]; None if it has none.

    The file holds the mask more coarsely than it was given: of each 16×16 pixels (32×32 in a file
    at half size) whether none, half or all are covered; see :func:`jaxsr.codec.region.mask_of`.

    Raises:
      UserError: ``data`` is no ``.jsr`` file, or is damaged.
    """
    file = container.parse(data)
    if file.region is None:
        return None
    header = file.header
    return region.mask_of(file.region, header.height, header.width, header.scale)


def model_of(header: Header, given: str | os.PathLike | Model | None) -> Model:
    """Return the model that a file was coded with: the one given, or else a released one.

    Raises:
      UserError: the one given is another, or no released one has the file's hash.
    """
    return _named(header.model_hash, "a model", given, weights.available(), weights.load, Model)


def enlarger_of(header: Header, given: str | os.PathLike | Enlarger | None) -> Enlarger | None:
    """Return the upscaler that a file was made with, as :func:`model_of`; None at scale 1.

    Raises:
      UserError: the one given is another, or no released one has the file's hash.
    """
    if header.scale == 1:
        return None
    load = half.load_enlarger
    return _named(header.upscaler, "an upscaler", given, half.available(), load, Enlarger)


def _named(
    wanted: bytes,
    what: str,
    given: str | os.PathLike | Named | None,
    released: Iterable[str],
    load: Callable[[str | os.PathLike], Named],
    loaded_as: type[Named],
) -> Named:
    """Return what has the hash ``wanted``: the one given or, if none is, a released one."""
    kind = what.split()[-1]
    if given is None:
        for name in released:
            if load(name).hash == wanted:
                return load(name)
        raise UserError(
            f"the file was coded with {what} that is not here (hash {wanted.hex()}); "
            f"give its weights file as the {kind}"
        )
    found = loaded(given, load, loaded_as)
    if found.hash != wanted:
        raise UserError(
            f"the file was coded with another {kind} (hash {wanted.hex()}) than the one given "
            f"({found.hash.hex()})"
        )
    return found
