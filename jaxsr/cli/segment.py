"""``jaxsr segment``: what stands out in images, as masks."""

import argparse

from jaxsr.cli import each, flags, paths, region


def add(commands: argparse._SubParsersAction) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "segment",
        help="find what stands out in images",
        description="Writes masks, 8-bit gray images of the input's size: white where something "
        "stands out, black elsewhere. An image that fails is reported, the others go on.",
    )
    flags.add_files(parser, "a mask's file", " and is a PNG: a.png, or a.jpg.png")
    region.add_boxes(parser, "a rectangle to look into; masks are black outside")
    region.add_class(parser)
    parser.add_argument(
        "--threshold",
        type=flags.number(lambda x: 0 <= x < 1, "a number from 0 to below 1"),
        metavar="T",
        help="write masks of black and white alone, white where the mask is above T, a number from "
        "0 to below 1 (default: masks with all grays)",
    )
    flags.add_model(parser, "--model", "the segmenter", flags.SEGMENTER)
    return parser


def run(arguments: argparse.Namespace) -> int:
    named = paths.names_a_file(arguments.output, arguments.inputs)
    plan = paths.plan(arguments, None if named else ".png")
    return each.run(plan, steps, "segmented", arguments)


def steps(arguments: argparse.Namespace) -> each.Steps:
    """Return what segments files as the flags say."""
    from jaxsr import pipeline, zoo
    from jaxsr.cli import pictures

    find = pipeline.load_segmenter(arguments.model or zoo.DEFAULT_SEGMENTER)
    if arguments.of is not None:
        find.index(arguments.of)  # that there is such a class
    threshold = arguments.threshold

    def work(job: paths.Job, read: pictures.Read) -> each.Output:
        if arguments.box:
            mask = find.in_boxes(read.picture, arguments.box, arguments.of).mask
        else:
            mask = find(read.picture, arguments.of).mask
        shown = mask if threshold is None else (mask > threshold).astype(mask.dtype)
        line = region.share_of(mask, threshold) + read.dropped
        return each.Output({job.target: region.encoder(job.target, shown)}, line)

    return each.Steps(pictures.look, each.one_by_one(work))
