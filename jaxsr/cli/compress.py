"""``jaxsr compress``: images as small ``.jsr`` files."""

import argparse
import math

from jaxsr.cli.upscale import percent

QUALITY = 50


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
    parser.add_argument(
        "--roi", metavar="MASK", help="image of the same size: what is white in it is coded finer"
    )
    parser.add_argument(
        "--roi-gain", type=decibels, metavar="dB", help="how much finer; below 0: coarser (6)"
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
    from jaxsr.cli import each, files

    if arguments.roi_gain is not None and arguments.roi is None:
        raise ValueError("--roi-gain says how much finer a region is coded; name it with --roi")
    jobs, problems = files.plan(arguments.inputs, arguments.output, ".jsr", writes=files.COMPRESSED)
    return each.run(jobs, problems, lambda: compressor(arguments), "compressed", arguments)


def compressor(arguments: argparse.Namespace):
    """What compresses one file as the flags say. Mask and model are read once, before any image."""
    from jaxsr import codec
    from jaxsr.cli import files
    from jaxsr.image import io

    model = codec.load(arguments.model or codec.DEFAULT)
    options = {"bpp": arguments.bpp, "max_bytes": arguments.max_bytes}
    options |= {"keep_metadata": arguments.keep_metadata}
    if arguments.roi is not None:
        options["roi"] = read_mask(arguments.roi)
        if arguments.roi_gain is not None:
            options["roi_gain"] = arguments.roi_gain

    def compress(job: files.Job) -> str:
        picture = io.read(job.source)
        if picture.pixels.dtype != "uint8":
            picture = reduced(picture, arguments.reduce_to_8_bit)
        data = codec.encode(picture, arguments.quality or QUALITY, model=model, **options)
        job.target.parent.mkdir(parents=True, exist_ok=True)
        io.write_bytes(job.target, data)
        height, width = picture.pixels.shape[:2]
        line = f"{len(data)} bytes, {8 * len(data) / (height * width):.3f} bpp"
        left_out = picture.icc and not arguments.keep_metadata
        return line + (", without its ICC profile" if left_out else "")

    return compress


def read_mask(path: str):
    """(h, w) float32 in [0, 1]: the mean of the mask's channels; transparent counts as black."""
    from jaxsr.image import io

    mask = io.read(path)
    values = io.to_float(mask.pixels).mean(axis=-1)
    return values if mask.alpha is None else values * io.to_float(mask.alpha)


def reduced(picture, allowed: bool):
    """A 16-bit picture in 8 bits, rounded.

    Raises:
      ValueError: it is not allowed.
    """
    from jaxsr.image import io

    if not allowed:
        raise ValueError(
            "16 bits a channel, a .jsr file holds 8; give --reduce-to-8-bit to have them rounded"
        )
    pixels, alpha = (
        None if x is None else io.from_float(io.to_float(x))
        for x in (picture.pixels, picture.alpha)
    )
    return io.Picture(pixels, alpha, picture.icc, picture.exif)
