"""``jaxsr compress``: images as small ``.jsr`` files."""

import argparse
import math

from jaxsr.cli import region
from jaxsr.cli.upscale import percent
from jaxsr.errors import UserError

QUALITY = 50
MODES = ("full", "half", "auto")  # jaxsr.codec.MODES, which is not imported to print the help


def add(commands) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "compress",
        help="compress images to .jsr files",
        description="Compresses images with a learned codec. An image that fails is reported, the "
        "others go on.",
    )
    parser.add_argument("inputs", nargs="+", metavar="IN", help="file, folder or quoted pattern")
    parser.add_argument(
        "-o", "--output", required=True, metavar="OUT", help="folder; or a .jsr file, for one file"
    )
    rate = parser.add_mutually_exclusive_group()
    rate.add_argument("--quality", type=percent, metavar="N", help=f"1 to 100 ({QUALITY})")
    rate.add_argument(
        "--bpp", type=positive, metavar="X", help="bits per pixel of the whole file, not exceeded"
    )
    rate.add_argument(
        "--max-bytes", type=count, metavar="N", help="size of the whole file, not exceeded"
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--roi",
        metavar="auto|all|MASK",
        help="what is coded finer: what the segmenter finds, the whole image, or what is white in an "
        "image of the input's size (nothing)",
    )
    region.add_boxes(which, "what is coded finer: a rectangle")
    region.add_class(parser)
    region.add_model(parser, "--segmenter", "what finds the region")
    parser.add_argument(
        "--roi-gain", type=decibels, metavar="dB", help="how much finer; below 0: coarser (10)"
    )
    parser.add_argument(
        "--mode",
        choices=MODES,
        default="full",
        help="code the image at its size (full), or at half of it, which decompressing super-resolves; "
        "auto: whichever is nearer to the original (full)",
    )
    parser.add_argument(
        "--keep-metadata", action="store_true", help="keep the ICC profile and EXIF"
    )
    parser.add_argument(
        "--reduce-to-8-bit", action="store_true", help="round 16-bit images, else refused, to 8"
    )
    parser.add_argument(
        "--model", metavar="NAME|FILE", help="a released codec or a .safetensors file"
    )
    parser.add_argument(
        "--upscaler", metavar="NAME|FILE", help="×2, of images kept at half their size"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")
    return parser


def positive(text: str) -> float:
    return _number(text, lambda x: x > 0, "a number above 0")


def decibels(text: str) -> float:
    return _number(text, lambda x: True, "a number of dB")


def _number(text: str, accepted, what: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if math.isfinite(number) and accepted(number):
        return number
    raise argparse.ArgumentTypeError(f"{text!r} is not {what}")


def count(text: str) -> int:
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a number of bytes above 0")


def run(arguments: argparse.Namespace) -> int:
    from jaxsr.cli import each, paths

    if arguments.roi_gain is not None and not has_region(arguments):
        raise UserError("--roi-gain says how much finer a region is coded; name it with --roi")
    jobs, problems = paths.plan(arguments.inputs, arguments.output, ".jsr", writes=paths.COMPRESSED)
    return each.run(jobs, problems, lambda: compressor(arguments), "compressed", arguments)


def has_region(arguments: argparse.Namespace) -> bool:
    return arguments.roi is not None or bool(arguments.box)


def compressor(arguments: argparse.Namespace):
    """What compresses one file as the flags say. Mask and model are read once, before any image."""
    from jaxsr import codec
    from jaxsr.atomic import write_bytes
    from jaxsr.cli import paths
    from jaxsr.image import files
    from jaxsr.regions.masks import REGION

    model = codec.load(arguments.model or codec.DEFAULT)
    options = {"bpp": arguments.bpp, "max_bytes": arguments.max_bytes}
    options |= {"keep_metadata": arguments.keep_metadata, "mode": arguments.mode}
    if arguments.upscaler:
        options["upscaler"] = codec.half.load_enlarger(arguments.upscaler)
    if arguments.roi_gain is not None:
        options["roi_gain"] = arguments.roi_gain
    mask_of = masker(arguments)

    def compress(job: paths.Job) -> str:
        picture = files.read(job.source)
        if picture.pixels.dtype != "uint8":
            picture = reduced(picture, arguments.reduce_to_8_bit)
        mask = mask_of(picture)
        quality = arguments.quality or QUALITY
        data = codec.encode(picture, quality, roi=mask, model=model, **options)
        job.target.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(job.target, data)
        height, width = picture.pixels.shape[:2]
        line = f"{len(data)} bytes, {8 * len(data) / (height * width):.3f} bpp"
        if codec.info(data).scale > 1:
            line += ", at half its size"
        if mask is not None:
            line += f", {100 * (mask > REGION).mean():.0f} % of it region"
        left_out = picture.icc and not arguments.keep_metadata
        return line + (", without its ICC profile" if left_out else "")

    return compress


def masker(arguments: argparse.Namespace):
    """What gives a picture's region, as a mask or None."""
    segmenter = region.segmenter_of(arguments)
    if not has_region(arguments):
        return lambda picture: None
    from jaxsr import codec, pipeline

    segment = pipeline.load_segmenter(segmenter) if segmenter else None
    roi = region.roi_of(arguments, segment)
    return lambda picture: codec.find_region(picture, roi, segment)


def reduced(picture, allowed: bool):
    """A 16-bit picture in 8 bits, rounded.

    Raises:
      UserError: it is not allowed.
    """
    from jaxsr.image import files
    from jaxsr.image.values import from_float, to_float

    if not allowed:
        raise UserError(
            "16 bits a channel, a .jsr file holds 8; give --reduce-to-8-bit to have them rounded"
        )
    pixels, alpha = (
        None if x is None else from_float(to_float(x)) for x in (picture.pixels, picture.alpha)
    )
    return files.Picture(pixels, alpha, picture.icc, picture.exif)
