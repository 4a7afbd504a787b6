"""What the commands of regions share: flags that say which region, and masks as files."""

import argparse
import functools
from collections.abc import Callable
from pathlib import Path

from jaxsr.cli import flags
from jaxsr.cli.paths import STREAM
from jaxsr.cli.report import counted
from jaxsr.errors import UserError


def add_boxes(parser: argparse._ActionsContainer, what: str) -> None:
    parser.add_argument(
        "--box",
        type=flags.box,
        action="append",
        metavar="X,Y,W,H",
        help=f"{what}: its left edge, top edge, width and height, in pixels of the input; may be "
        "given several times",
    )


def add_class(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--class",
        dest="of",
        metavar="NAME|N",
        help="the class to look for, by its name or number, where the segmenter tells several "
        "apart (default: all but the background)",
    )


def add_region(
    parser: argparse.ArgumentParser, verb: str = "restore", default: str | None = "auto"
) -> None:
    """Add ``--roi``, ``--box``, ``--class`` and ``--segmenter``, for :func:`roi_of`.

    Args:
      verb: what is done to the region.
      default: the region where none is given; None: none.
    """
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--roi",
        type=flags.name,
        default=default,
        metavar="auto|all|MASK",
        help=f"the region to {verb}: what the segmenter finds (auto), the whole image (all), or "
        "what is white in MASK, an image of the input's size (default: {default or 'none'})",
    )
    add_boxes(which, f"a rectangle to {verb}")
    add_class(parser)
    flags.add_model(parser, "--segmenter", "the segmenter that finds the region", flags.SEGMENTER)


def add_degraded(parser: argparse.ArgumentParser) -> None:
    """Add ``--noise``, ``--deblur`` and ``--jpeg``, for :func:`known_of`."""
    strength = flags.auto_or(lambda x: x >= 0, "a number of 0 or more")
    quality = flags.auto_or(lambda x: 1 <= x <= 100, "a number from 1 to 100")
    sigma = "of this standard deviation, in"
    for flag, kind, metavar, what in (
        ("--noise", strength, "auto|SIGMA", f"noise {sigma} levels of 255; 0: none"),
        ("--deblur", strength, "auto|SIGMA", f"a Gaussian blur {sigma} pixels; 0: none"),
        ("--jpeg", quality, "auto|Q", "a JPEG of this quality; 100: none"),
    ):
        wrong = f"what is wrong with the input: {what} (default: auto, estimated from its pixels)"
        parser.add_argument(flag, type=kind, metavar=metavar, help=wrong)


def known_of(arguments: argparse.Namespace):
    """Return what the flags say of how images were degraded."""
    from jaxsr.regions.degradation import Degraded

    return Degraded(arguments.noise, arguments.deblur, arguments.jpeg)


def is_auto(arguments: argparse.Namespace) -> bool:
    """Return True if the segmenter has to find the region."""
    return arguments.roi == "auto" and not arguments.box


def segmenter_of(arguments: argparse.Namespace) -> str | None:
    """Return the segmenter's name or file; None where the region is given.

    Raises:
      UserError: flags are for a segmenter that has nothing to do.
    """
    from jaxsr import zoo

    if is_auto(arguments):
        return arguments.segmenter or zoo.DEFAULT_SEGMENTER
    for flag, given in (("--class", arguments.of), ("--segmenter", arguments.segmenter)):
        if given is not None:
            raise UserError(
                f"{flag} is for regions that are found; leave it out, or give --roi auto"
            )
    return None


def roi_of(arguments: argparse.Namespace, segment):
    """Return the region as :mod:`jaxsr.pipeline` takes it; a mask's file is read here, once.

    Raises:
      UserError: there is no such mask or class.
    """
    from jaxsr.image.pictures import read_mask

    if arguments.box:
        return arguments.box
    if arguments.roi == "all":
        return "all"
    if arguments.roi != "auto":
        return read_mask(arguments.roi)  # once for all images
    if arguments.of is None:
        return "auto"
    return functools.partial(segment, of=segment.index(arguments.of))


def encoder(path: Path, mask) -> Callable[[], bytes]:
    """Return what encodes a mask as 8-bit gray, in the format of its file (PNG for stdout)."""
    from jaxsr.image import files, formats
    from jaxsr.image.values import from_float

    kind = formats.format_of("mask.png" if path == STREAM else path)
    picture = files.Picture(from_float(mask)[..., None])
    return functools.partial(files.encode, kind, picture, name=path)


def share_of(mask, threshold: float | None = None) -> str:
    """Describe a mask: ``640×480 pixels, 12.3 % of them in the region``."""
    from jaxsr.regions.masks import REGION

    share = (mask > (REGION if threshold is None else threshold)).mean()
    height, width = mask.shape
    return f"{width}×{height} pixels, {100 * share:.1f} % of them in the region"


def told(result, done: str = "restored") -> str:
    """Describe what was done to a region, for the line about a file."""
    line = f"{share_of(result.mask)}, {counted(result.tiles, 'tile')} {done}"
    return line if result.degraded is None else f"{line}; {described(result.degraded)}"


def described(degraded) -> str:
    """Describe how an image was degraded: ``noise 14.6, JPEG 31``."""
    strengths = ("noise", degraded.noise), ("blur", degraded.blur)
    qualities = ("JPEG", degraded.jpeg), ("codec", degraded.codec)
    found = [f"{name} {x:.1f}" for name, x in strengths if x]
    found += [f"{name} {x:.0f}" for name, x in qualities if x < 100]
    return ", ".join(found) or "nothing is wrong with it"
