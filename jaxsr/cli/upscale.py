"""``jaxsr upscale``: files, folders and patterns of images, enlarged."""

import argparse
from collections.abc import Sequence

from jaxsr.cli import flags
from jaxsr.cli.paths import Job

PIXELS_AT_ONCE = 2**21  # of images worked on together; their tiles share shapes and batches


def add(commands) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "upscale",
        help="enlarge images",
        description="Enlarges images ×2, ×3 or ×4. An image that fails is reported, the others "
        "go on.",
    )
    flags.add_files(parser)
    flags.add_scale(parser)
    flags.add_model(parser, "--model", "the upscaler")
    flags.add_tile(parser)
    flags.add_format(parser)
    return parser


def run(arguments: argparse.Namespace) -> int:
    from jaxsr.cli import each, paths

    plan = paths.plan(arguments, flags.FORMATS.get(arguments.format))
    return each.run(plan, lambda: steps(arguments), "upscaled", arguments)


def steps(arguments: argparse.Namespace):
    """Returns what upscales files as the flags say."""
    from jaxsr import pipeline, zoo
    from jaxsr.cli import each, pictures

    upscale = pipeline.load_upscaler(arguments.model or zoo.DEFAULT_UPSCALER, arguments.scale)

    def work(group: Sequence, progress: each.Progress) -> list[each.Output]:
        images = [read.picture for _, read in group]
        results = upscale.upscale_many(images, arguments.tile, progress)
        return [output(*of, result.image) for of, result in zip(group, results, strict=True)]

    def output(job: Job, read: pictures.Read, large) -> each.Output:
        return pictures.output(job, read, large, arguments.quality, pictures.size(large))

    return each.Steps(pictures.read, work, pictures.pixels, PIXELS_AT_ONCE)
