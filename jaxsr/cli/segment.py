"""``jaxsr segment``: what stands out in images, as masks."""

import argparse
import math

from jaxsr.cli import region


def add(commands) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "segment",
        help="find what stands out in images",
        description="Writes masks, 8-bit gray images of the input's size: white where something stands "
        "out, black elsewhere. An image that fails is reported, the others go on.",
    )
    region.add_files(parser, "mask")
    region.add_boxes(parser, "look only into a rectangle")
    region.add_class(parser)
    parser.add_argument(
        "--threshold",
        type=part,
        metavar="T",
        help="0 to 1: only black and white, which is where the mask is above it",
    )
    region.add_model(parser, "--model", "the segmenter")
    return parser


def part(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if 0 <= number < 1:
        return number
    raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to below 1")


def run(arguments: argparse.Namespace) -> int:
    from jaxsr.cli import each, paths

    suffix = None if paths.names_a_file(arguments.output) else ".png"
    jobs, problems = paths.plan(arguments.inputs, arguments.output, suffix)
    return each.run(jobs, problems, lambda: segmenter(arguments), "segmented", arguments)


def segmenter(arguments: argparse.Namespace):
    """What segments one file as the flags say."""
    from jaxsr import pipeline, zoo
    from jaxsr.cli import paths
    from jaxsr.image import files

    find = pipeline.load_segmenter(arguments.model or zoo.DEFAULT_SEGMENTER)
    if arguments.of is not None:
        find.index(arguments.of)  # that there is such a class
    threshold = arguments.threshold

    def segment(job: paths.Job) -> str:
        picture = files.read(job.source)
        if arguments.box:
            mask = find.in_boxes(picture, arguments.box, arguments.of).mask
        else:
            mask = find(picture, arguments.of).mask
        written = mask if threshold is None else (mask > threshold).astype(mask.dtype)
        region.write_mask(job.target, written)
        return region.share_of(mask, threshold)

    return segment
