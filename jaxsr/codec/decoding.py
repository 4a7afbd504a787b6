"""Files to pictures: ``decode`` gives an array, ``decode_picture`` what belongs to it as well."""

import os
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

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
from jaxsr.image.pictures import Box, within

Named = TypeVar("Named", Model, Enlarger)  # what files name by a hash


class Partial(NamedTuple):
    """What could be decoded of a file that is damaged or cut short.

    Attributes:
      picture: gray where tiles are missing.
      missing: boxes (x, y, width, height) of the picture's pixels that are gray.
    """

    picture: files.Picture
    missing: tuple[Box, ...]


def decode(
    data: Data,
    *,
    box: Box | None = None,
    model: str | os.PathLike | Model | None = None,
    upscaler: str | os.PathLike | Enlarger | None = None,
    entropy_device: str | jax.Device | None = None,
) -> UInt8[np.ndarray, "h w *c"]:
    """Decode a ``.jsr`` file to ``(h, w, 3)``, or gray to ``(h, w)``; alpha is a last channel.

    Args:
      data, box, model, upscaler, entropy_device: as for :func:`decode_picture`.

    Raises:
      UserError: see :func:`decode_picture`.
    """
    return as_array(
        decode_picture(data, box=box, model=model, upscaler=upscaler, entropy_device=entropy_device)
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
    box: Box | None = None,
    model: str | os.PathLike | Model | None = None,
    upscaler: str | os.PathLike | Enlarger | None = None,
    entropy_device: str | jax.Device | None = None,
) -> files.Picture:
    """Decode a ``.jsr`` file to its picture: 8-bit pixels and any alpha, ICC profile and EXIF.

    Args:
      data: the bytes of the whole file, in any buffer.
      box: decode only this part of the picture: (x, y, width, height) in pixels; what of it lies
        beyond the picture is cut off. Takes the time of the tiles that it touches. The pixels are
        those of the whole picture, but at half its size, where they may differ by 1.
      model: the codec that wrote the file; by default the released one that the file names.
      upscaler: for a file that holds the image at half its size, the upscaler ×2 it was made with;
        by default the released one that the file names.
      entropy_device: where the entropy coder runs; by default where ``model`` says. See
        :class:`jaxsr.codec.Model`.

    Raises:
      UserError: ``data`` is no ``.jsr`` file or is damaged, the file was made with another model or
        upscaler than the one given, or with one that is not here, or the box lies outside.
    """
    file = container.parse(data)
    networks = networks_of(file.header, model, upscaler, entropy_device)
    return _picture(file, networks, box).picture


def decode_partial(
    data: Data,
    *,
    box: Box | None = None,
    model: str | os.PathLike | Model | None = None,
    upscaler: str | os.PathLike | Enlarger | None = None,
    entropy_device: str | jax.Device | None = None,
) -> Partial:
    """Decode what is there of a file that is damaged or cut short; of a whole file, all of it.

    Args:
      data: the file, from its beginning.
      box, model, upscaler, entropy_device: as for :func:`decode_picture`.

    Raises:
      UserError: as for :func:`decode_picture`; also where what comes before the tiles is damaged,
        or no tile is whole.
    """
    file = container.parse(data, partial=True)
    networks = networks_of(file.header, model, upscaler, entropy_device)
    return _picture(file, networks, box, partial=True)


def decoded(file: File, model: Model, enlarger: Enlarger | None) -> UInt8[np.ndarray, "h w c"]:
    """Decode the colours of a parsed file; gray has one channel.

    Without an ``enlarger`` a picture at half its size stays so.

    Raises:
      UserError: a tile's symbols are not those that were coded.
    """
    header = file.header
    height, width = (header.height, header.width) if enlarger else header.coded
    return _part(file, model, enlarger, (0, 0, width, height)).pixels


class _Part(NamedTuple):
    """A box's pixels; and boxes of the picture that belong into it but are gray."""

    pixels: UInt8[np.ndarray, "h w c"]
    missing: tuple[Box, ...]


def _part(
    file: File, model: Model, enlarger: Enlarger | None, box: Box, partial: bool = False
) -> _Part:
    header = file.header
    x, y, width, height = box
    source = enlarger.source(box, header.coded) if enlarger else (x, y, width, height)
    found = tiles.decode(model, header, file.tiles, file.region, source, partial)
    pixels = in_channels(found.pixels, header.channels)
    if enlarger:
        left, top = x - half.SCALE * source[0], y - half.SCALE * source[1]
        pixels = enlarger(pixels, top + height, left + width)[top:, left:]
    boxes = (tiles.box_of(place.own, header.scale) for place in found.missing)
    return _Part(pixels, tuple(within(one, header.height, header.width) for one in boxes))


def _picture(
    file: File, networks: tuple[Model, Enlarger | None], box: Box | None, partial: bool = False
) -> Partial:
    """Decode a parsed file, or a box of it."""
    header = file.header
    box = _box_in(header, box)
    part = _part(file, *networks, box, partial)
    alpha = None if file.alpha is None else _cut(file.alpha, box)
    return Partial(files.Picture(part.pixels, alpha, file.icc, file.exif), part.missing)


def _box_in(header: Header, box: Box | None) -> tuple[int, int, int, int]:
    """Return the part of a box that lies in the picture; all of the picture for None."""
    box = (0, 0, header.width, header.height) if box is None else box
    return within(box, header.height, header.width)


def _cut(plane: np.ndarray, box: Box) -> Any:
    """Return a box of a plane."""
    x, y, width, height = box
    return plane[y : y + height, x : x + width]


def in_channels(pixels: UInt8[np.ndarray, "h w 3"], channels: int) -> UInt8[np.ndarray, "h w c"]:
    """Return decoded RGB, or the mean of its channels if the picture has one."""
    return np.round(pixels.mean(-1, keepdims=True)).astype(np.uint8) if channels == 1 else pixels


def region_of(
    data: Data, *, box: Box | None = None, partial: bool = False
) -> Float32[np.ndarray, "h w"] | None:
    """Return the region a ``.jsr`` file was made with, as a mask in [0, 1]; None if it has none.

    The file holds the mask more coarsely than it was given: of each 16×16 pixels (32×32 in a file
    at half size) whether none, half or all are covered; see :func:`jaxsr.codec.region.mask_of`.

    Args:
      data: the file.
      box: return this part of the mask, as for :func:`decode_picture`.
      partial: True if it may be cut short, as for :func:`decode_partial`.

    Raises:
      UserError: ``data`` is no ``.jsr`` file, or is damaged; or the box lies outside.
    """
    file = container.parse(data, partial)
    if file.region is None:
        return None
    header = file.header
    mask = region.mask_of(file.region, header.height, header.width, header.scale)
    return _cut(mask, _box_in(header, box))


def networks_of(
    header: Header,
    model: str | os.PathLike | Model | None,
    upscaler: str | os.PathLike | Enlarger | None,
    entropy_device: str | jax.Device | None,
) -> tuple[Model, Enlarger | None]:
    """Return the model and the upscaler of a file, as :func:`model_of`; the coder where it says."""
    found, enlarger = model_of(header, model), enlarger_of(header, upscaler)
    return found if entropy_device is None else found.coding_on(entropy_device), enlarger


def model_of(header: Header, given: str | os.PathLike | Model | None) -> Model:
    """Return the model that a file was coded with: the one given, or else a released one.

    Raises:
      UserError: the one given is another, or no released one has the file's hash.
    """
    return _named(header.model_hash, "a model", given, weights.name_of, weights.load, Model)


def enlarger_of(header: Header, given: str | os.PathLike | Enlarger | None) -> Enlarger | None:
    """Return the upscaler that a file was made with, as :func:`model_of`; None at scale 1.

    Raises:
      UserError: the one given is another, or no released one has the file's hash.
    """
    if header.scale == 1:
        return None
    load = half.load_enlarger
    return _named(header.upscaler, "an upscaler", given, half.name_of, load, Enlarger)


def _named(
    wanted: bytes,
    what: str,
    given: str | os.PathLike | Named | None,
    name_of: Callable[[bytes], str | None],
    load: Callable[[str | os.PathLike], Named],
    loaded_as: type[Named],
) -> Named:
    """Return what has the hash ``wanted``: the one given or, if none is, a released one."""
    kind = what.split()[-1]
    if given is None:
        if name := name_of(wanted):
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
