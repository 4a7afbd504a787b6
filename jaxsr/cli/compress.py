"""``jaxsr compress``: images as small ``.jsr`` files."""

import argparse

from jaxsr.cli import each, flags, paths, region
from jaxsr.errors import UserError

QUALITY = 50  # jaxsr.codec.encode's, which is not imported to print the help
RATES = ("quality", "bpp", "max_bytes", "target_psnr", "target_msssim")
MODES = ("full", "half", "auto")  # jaxsr.codec.MODES, likewise


def add(commands: argparse._SubParsersAction) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "compress",
        help="compress images to .jsr files",
        description="Compresses images with a learned codec. An image that fails is reported, the "
        "others go on.",
    )
    flags.add_files(parser, "a .jsr file", ", with .jsr added: a.jpg.jsr")
    add_rate(parser)
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--roi",
        type=flags.name,
        metavar="auto|all|MASK",
        help="the region to code finer: what the segmenter finds (auto), the whole image (all), or "
        "what is white in MASK, an image of the input's size (default: no region)",
    )
    region.add_boxes(which, "a rectangle to code finer")
    region.add_class(parser)
    flags.add_model(parser, "--segmenter", "the segmenter that finds the region", flags.SEGMENTER)
    parser.add_argument(
        "--roi-gain",
        type=flags.number(lambda x: True, "a number of dB"),
        metavar="dB",
        help="by how many dB the region is coded finer than the rest; below 0 it is coded coarser "
        "(default: 10)",
    )
    parser.add_argument(
        "--mode",
        choices=MODES,
        default="full",
        help="code images at their own size (full), or at half their width and height (half), "
        "which decompressing enlarges by super-resolution; auto: whichever comes nearer to the "
        "original (default: full)",
    )
    parser.add_argument(
        "--keep-metadata",
        action="store_true",
        help="keep the EXIF block, too; the ICC profile is always kept",
    )
    parser.add_argument(
        "--reduce-to-8-bit",
        action="store_true",
        help="round images of 16 bits a channel to 8 bits; without this flag they are refused",
    )
    flags.add_model(parser, "--model", "the codec", flags.CODEC)
    flags.add_model(
        parser,
        "--upscaler",
        "the ×2 upscaler of images kept at half their size",
        flags.CLEAN_UPSCALER,
    )
    flags.add_entropy_device(parser)
    return parser


def add_rate(parser: argparse.ArgumentParser) -> None:
    """Add the ways to say how large files become, or how like the images."""
    rate = parser.add_mutually_exclusive_group()
    rate.add_argument(
        "--quality",
        type=flags.percent,
        metavar="N",
        help=f"the quality, from 1 (smallest file) to 100 (best image) (default: {QUALITY})",
    )
    rate.add_argument(
        "--bpp",
        type=flags.number(lambda x: x > 0, "a number above 0"),
        metavar="X",
        help="the most bits per pixel that a whole file may take, in place of --quality",
    )
    rate.add_argument(
        "--max-bytes",
        type=flags.count,
        metavar="N",
        help="the most bytes that a whole file may take, in place of --quality",
    )
    rate.add_argument(
        "--target-psnr",
        type=flags.number(lambda x: x > 0, "a number of dB above 0"),
        metavar="dB",
        help="the least PSNR that a decompressed image is to have, in place of --quality; each "
        "file is the smallest that has it",
    )
    rate.add_argument(
        "--target-msssim",
        type=flags.number(lambda x: 0 < x < 1, "a number between 0 and 1"),
        metavar="X",
        help="likewise the least MS-SSIM; images need at least 161 pixels a side",
    )


def run(arguments: argparse.Namespace) -> int:
    if arguments.roi_gain is not None and not has_region(arguments):
        raise UserError("--roi-gain says how much finer a region is coded; name it with --roi")
    plan = paths.plan(arguments, ".jsr", writes=paths.COMPRESSED)
    return each.run(plan, steps, "compressed", arguments)


def has_region(arguments: argparse.Namespace) -> bool:
    return arguments.roi is not None or bool(arguments.box)


def steps(arguments: argparse.Namespace) -> each.Steps:
    """Return what compresses files as the flags say; mask and model are read here, once."""
    from jaxsr import codec
    from jaxsr.cli import pictures

    model = codec.load(arguments.model or codec.DEFAULT, arguments.entropy_device)
    options = {name: getattr(arguments, name) for name in RATES}
    options |= {"keep_metadata": arguments.keep_metadata, "mode": arguments.mode}
    if arguments.upscaler:
        options["upscaler"] = codec.load_enlarger(arguments.upscaler)
    if arguments.roi_gain is not None:
        options["roi_gain"] = arguments.roi_gain
    mask_of = masker(arguments)

    def work(job: paths.Job, read: pictures.Read) -> each.Output:
        picture = read.picture
        if picture.pixels.dtype != "uint8":
            picture = reduced(picture, arguments.reduce_to_8_bit)
        mask = mask_of(picture)
        data = codec.encode(picture, roi=mask, model=model, **options)
        return each.Output({job.target: lambda: data}, told(data, picture, mask) + read.dropped)

    return each.Steps(pictures.look, each.one_by_one(work))


def told(data: bytes, picture, mask) -> str:
    """Describe what a picture was coded to, and what of it is not in the file."""
    from jaxsr.codec import container
    from jaxsr.regions.masks import REGION

    layout = container.inspect(data)
    height, width = picture.pixels.shape[:2]
    line = f"{len(data)} bytes, {8 * len(data) / (height * width):.3f} bpp"
    if layout.header is not None and layout.header.scale > 1:
        line += ", at half its size"
    if mask is not None:
        line += f", {100 * (mask > REGION).mean():.0f} % of it region"
    had = {"icc": ("ICC profile", picture.icc), "exif": ("EXIF", picture.exif)}
    lost = [name for key, (name, data) in had.items() if data and key not in layout.sections]
    return line + (f", without its {' and '.join(lost)} (see --keep-metadata)" if lost else "")


def masker(arguments: argparse.Namespace):
    """Return what gives a picture's region, as a mask or None."""
    segmenter = region.segmenter_of(arguments)
    if not has_region(arguments):
        return lambda picture: None
    from jaxsr import codec, pipeline

    segment = pipeline.load_segmenter(segmenter) if segmenter else None
    roi = region.roi_of(arguments, segment)
    return lambda picture: codec.find_region(picture, roi, segment)


def reduced(picture, allowed: bool):
    """Return a 16-bit picture in 8 bits, rounded.

    Raises:
      UserError: it is not allowed.
    """
    from jaxsr.image import files
    from jaxsr.image.values import from_float, to_float

    if not allowed:
        raise UserError(
            "16 bits a channel, a .jsr file holds 8; give --reduce-to-8-bit to have them rounded"
        )
    alpha = None if picture.alpha is None else from_float(to_float(picture.alpha))
    return files.Picture(from_float(to_float(picture.pixels)), alpha, picture.icc, picture.exif)
