"""What the values of a mask mean: brightness, or numbers of classes."""

import dataclasses
from collections.abc import Sequence
from io import BytesIO
from typing import TypeVar

import numpy as np
import PIL.Image
from jaxtyping import Array, Shaped, UInt, UInt8

from jaxsr.errors import UserError
from jaxsr.image import files
from jaxsr.image.decoding import ORIENTATION
from jaxsr.image.values import from_float, to_float

IGNORED = 255  # the label of pixels that carry no loss
JPEG_TINT = 16  # by which JPEG lets the channels of gray differ
# of one mask or of several, on the host or in a program
Labels = TypeVar("Labels", UInt8[np.ndarray, "*b h w"], UInt8[Array, "*b h w"])


def legend_of(classes: Sequence = (), ignored: Sequence[int] = ()) -> "Brightness | Legend":
    """Return what masks mean by the data's options ``mask_classes`` and ``mask_ignored``.

    Raises:
      UserError: there are too few or too many classes, or a value stands for two things.
    """
    if not classes and not ignored:
        return BRIGHTNESS
    classes = tuple(tuple(np.atleast_1d(values).tolist()) for values in classes)
    given = f"config.data.mask_classes={classes}, mask_ignored={tuple(ignored)}"
    if not 2 <= len(classes) <= IGNORED:
        raise UserError(f"{given}; give the values of 2 to {IGNORED} classes, background first")
    values = [value for values in (*classes, ignored) for value in values]
    if len(set(values)) < len(values):
        raise UserError(f"{given}; a value can stand for one class only")
    return Legend(classes, tuple(ignored))


@dataclasses.dataclass(frozen=True)
class Brightness:
    """A mask is gray: above half of white is class 1, the rest class 0, the background.

    Attributes:
      count: number of classes.
      resampling: how such a mask is resized.
    """

    count = 2  # classes
    resampling = PIL.Image.Resampling.BILINEAR

    def decode(self, data: bytes, name: str) -> UInt[np.ndarray, "h w c"]:
        """Decode a mask's file; ``name`` is for messages."""
        return files.decode(data, name).pixels

    def mask(self, pixels: UInt[np.ndarray, "h w c"], name: str) -> UInt8[np.ndarray, "h w"]:
        """Return its :func:`brightness`."""
        return brightness(
            pixels,
            name,
            ", or say by config.data.mask_classes which value stands for which class",
        )

    def labels(self, mask: Labels) -> Labels:
        """Return the class of every pixel of what :meth:`mask` made."""
        return (mask > 127).astype(np.uint8)


def brightness(
    pixels: UInt[np.ndarray, "h w c"], name: str, otherwise: str = ""
) -> UInt8[np.ndarray, "h w"]:
    """Return a gray mask's brightness, in 8 bits.

    Args:
      pixels: of the mask; the first channel is taken.
      name: of the mask, for the error.
      otherwise: what else would help than another mask, for the error.

    Raises:
      UserError: it looks as if its values were numbers of classes.
    """
    pixels = pixels if pixels.dtype == np.uint8 else from_float(to_float(pixels))
    coloured, brightest = np.ptp(pixels, -1).max() > JPEG_TINT, pixels.max()
    if coloured or 0 < brightest < 128:
        found = "is coloured" if coloured else f"has no value above {brightest} of 255"
        raise UserError(
            f"{name} {found}; make it white inside a region and black outside{otherwise}"
        )
    return np.ascontiguousarray(pixels[..., 0])


BRIGHTNESS = Brightness()


@dataclasses.dataclass(frozen=True)
class Legend:
    """A mask's values are numbers: its gray levels, as the file has them, or places in its palette.

    Attributes:
      classes: the values of each class.
      ignored: values of pixels that carry no loss.
      resampling: how such a mask is resized.
    """

    classes: tuple[tuple[int, ...], ...]
    ignored: tuple[int, ...] = ()
    resampling = PIL.Image.Resampling.NEAREST

    @property
    def count(self) -> int:
        """The number of classes."""
        return len(self.classes)

    def decode(self, data: bytes, name: str) -> Shaped[np.ndarray, "h w c"]:
        """Decode a mask's file to its values, a palette's numbers as they are."""
        with PIL.Image.open(BytesIO(data)) as image:
            values, orientation = np.asarray(image), image.getexif().get(ORIENTATION, 1)
            channels = values.reshape(image.height, image.width, -1)
            channels = channels[..., :-1] if image.mode in ("LA", "PA", "RGBA") else channels
        return files.turn_upright(channels, orientation)

    def mask(self, channels: Shaped[np.ndarray, "h w c"], name: str) -> UInt8[np.ndarray, "h w"]:
        """Return the class of every pixel, or ``IGNORED``.

        Raises:
          UserError: the mask has colours and no palette, or a value that means nothing.
        """
        if np.ptp(channels.astype(int), -1).any():
            raise UserError(
                f"{name} has colours for classes; "
                "give it a palette or make it gray, a level a class"
            )
        found, places = np.unique(channels[..., 0], return_inverse=True)
        label_of = {value: n for n, values in enumerate(self.classes) for value in values}
        label_of |= dict.fromkeys(self.ignored, IGNORED)
        unknown = [value for value in found.tolist() if value not in label_of]
        if unknown:
            raise UserError(
                f"{name} holds {', '.join(map(str, unknown[:8]))}, no class's value; "
                "name it in config.data.mask_classes or mask_ignored"
            )
        labels = np.array([label_of[value] for value in found.tolist()], np.uint8)
        return labels[places].reshape(channels.shape[:2])

    def labels(self, mask: Labels) -> Labels:
        """Return what :meth:`mask` made as it is."""
        return mask
