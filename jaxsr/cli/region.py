"""What the commands of regions share: the flags that say which one, and the files they read and write."""

import argparse
import functools
import os
from collections.abc import Iterable
from pathlib import Path

from jaxsr.cli.upscale import FORMATS, percent
from jaxsr.errors import UserError


def add_files(parser: argparse.ArgumentParser, written: str = "file") -> None:
    parser.add_argument("inputs", nargs="+", metavar="IN", help="file, folder or quoted pattern")
    parser.add_argument(
        "-o", "--output", required=True, metavar="OUT", help=f"folder; or a {written}, for one file"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")


def add_format(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=FORMATS, help="of what is written: the input's own")
    parser.add_argument(
        "--quality", type=percent, default=95, metavar="N", help="1 to 100, of JPEG and WebP (95)"
    )


def add_model(parser: argparse.ArgumentParser, flag: str, what: str) -> None:
    parser.add_argument(
        flag, metavar="NAME|FILE", help=f"{what}: released weights or a .safetensors file"
    )


def add_boxes(parser: argparse._ActionsContainer, what: str) -> None:
    parser.add_argument(
        "--box",
        type=box,
        action="append",
        metavar="X,Y,W,H",
        help=f"{what}, in pixels of the input from its left top corner; may be repeated",
    )


def add_class(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--class",
        dest="of",
        metavar="NAME|N",
        help="what to look for, of a segmenter of several classes (all but its background)",
    )


def add_region(parser: argparse.ArgumentParser) -> None:
    """``--roi``, ``--box`` and ``--class``, for :func:`roi_of`."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--roi",
        default="auto",
        metavar="auto|all|MASK",
        help="the region: what the segmenter finds, the whole image, or what is white in an image of "
        "the input's size (auto)",
    )
    add_boxes(which, "the region: a rectangle")
    add_class(parser)
    add_model(parser, "--segmenter", "what finds the region")


def box(text: str) -> tuple[int, ...]:
    try:
        numbers = tuple(map(int, text.split(",")))
    except ValueError:
        numbers = ()
    if len(numbers) == 4:
        return numbers
    raise argparse.ArgumentTypeError(f"{text!r} is not X,Y,W,H, four whole numbers of pixels")


def is_auto(arguments: argparse.Namespace) -> bool:
    """Whether the segmenter has to find the region."""
    return arguments.roi == "auto" and not arguments.box


def check_mask_is_kept(arguments: argparse.Namespace, targets: Iterable[Path]) -> None:
    """Raises UserError where the mask that was given as the region would be written over."""
    if arguments.roi not in ("auto", "all"):
        mask = os.path.realpath(arguments.roi)
        if any(os.path.realpath(target) == mask for target in targets):
            raise UserError(
                f"{arguments.roi}: would be overwritten, the region's mask; choose another output"
            )


def segmenter_of(arguments: argparse.Namespace) -> str | None:
    """The segmenter's name or file; None where the region is given.

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
    """The region as :mod:`jaxsr.pipeline` takes it; a mask's file is read here, before any image.

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


def write_mask(path: Path, mask) -> None:
    """As 8-bit gray."""
    from jaxsr.image import files
    from jaxsr.image.values import from_float

    path.parent.mkdir(parents=True, exist_ok=True)
    files.write(path, files.Picture(from_float(mask)[..., None]))


def share_of(mask, threshold: float | None = None) -> str:
    """``640×480 pixels, 12.3 % of them in the region``"""
    from jaxsr.regions.masks import REGION

    share = (mask > (REGION if threshold is None else threshold)).mean()
    height, width = mask.shape
    return f"{width}×{height} pixels, {100 * share:.1f} % of them in the region"


def told(result) -> str:
    """What was done, for the line about a file."""
    tiles = "1 tile" if result.tiles == 1 else f"{result.tiles} tiles"
    return f"{share_of(result.mask)}, {tiles} restored"
