"""``jaxsr enhance``: images enlarged, what stands out in them found and restored."""

import argparse

from jaxsr.cli import each, flags, paths, region


def add(commands: argparse._SubParsersAction) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "enhance",
        help="enlarge images and restore a region",
        description="Enlarges images ×2, ×3 or ×4, finds what stands out in them and restores it. "
        "An image that fails is reported, the others go on.",
    )
    flags.add_files(parser)
    flags.add_scale(parser)
    region.add_region(parser)
    region.add_degraded(parser)
    parser.add_argument(
        "--mask-out",
        type=flags.name,
        metavar="OUT",
        help="where to write the masks of the regions, too: a folder; for one input also an image "
        "file, or - for stdout",
    )
    flags.add_model(parser, "--model", "the upscaler", flags.UPSCALER)
    flags.add_model(parser, "--restorer", "the restorer", flags.RESTORER)
    flags.add_tile(parser)
    flags.add_format(parser)
    return parser


def run(arguments: argparse.Namespace) -> int:
    return each.run(paths.plan(arguments), steps, "enhanced", arguments)


def steps(arguments: argparse.Namespace) -> each.Steps:
    """Return what enhances files as the flags say."""
    from jaxsr import pipeline, zoo
    from jaxsr.cli import pictures

    chain = pipeline.load_chain(
        arguments.scale,
        upscaler=arguments.model or zoo.DEFAULT_UPSCALER,
        segmenter=region.segmenter_of(arguments),
        restorer=arguments.restorer or zoo.DEFAULT_RESTORER,
    )
    roi, known = region.roi_of(arguments, chain.segment), region.known_of(arguments)

    def work(job: paths.Job, read: pictures.Read) -> each.Output:
        result = chain(read.picture, roi, arguments.tile, known)
        line = region.told(result)
        output = pictures.output(job, read, result.image, arguments.quality, line)
        if job.mask is None:
            return output
        mask = region.encoder(job.mask, result.mask)
        return each.Output({job.mask: mask, **output.files}, line)

    return each.Steps(pictures.read, each.one_by_one(work))
