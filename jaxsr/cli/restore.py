"""``jaxsr restore``: regions of images freed of blur, noise and what compression left."""

import argparse

from jaxsr.cli import each, flags, paths, region


def add(commands: argparse._SubParsersAction) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "restore",
        help="restore a region of images",
        description="Restores a region of images at their own size; the rest stays as it is, bit "
        "for bit where the format is lossless. An image that fails is reported, the others go on.",
    )
    flags.add_files(parser)
    region.add_region(parser)
    region.add_degraded(parser)
    flags.add_model(parser, "--model", "the restorer", flags.RESTORER, "--restorer")
    flags.add_precision(parser)
    flags.add_format(parser)
    return parser


def run(arguments: argparse.Namespace) -> int:
    return each.run(paths.plan(arguments), steps, "restored", arguments)


def steps(arguments: argparse.Namespace) -> each.Steps:
    """Return what restores files as the flags say."""
    from jaxsr import pipeline, zoo
    from jaxsr.cli import pictures

    segmenter = region.segmenter_of(arguments)
    model = arguments.model or zoo.DEFAULT_RESTORER
    restore = pipeline.load_restorer(model, segmenter, arguments.precision)
    roi, known = region.roi_of(arguments, restore.segment), region.known_of(arguments)

    def work(job: paths.Job, read: pictures.Read) -> each.Output:
        result = restore(read.picture, roi, known)
        line = region.told(result)
        return pictures.output(job, read, result.image, arguments.quality, line)

    return each.Steps(pictures.read, each.one_by_one(work))
