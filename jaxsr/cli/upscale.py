"""``jaxsr upscale``: files, folders and patterns of images, enlarged."""

import argparse
from collections.abc import Sequence

from jaxsr.cli import each, flags, paths

# Pixels of images that are worked on together: their tiles share batches. On CPUs, whose batches
# are small, fewer, so that the first are written while the next are computed.
PIXELS_AT_ONCE, PIXELS_AT_ONCE_ON_CPU = 2**21, 2**18


def add(commands: argparse._SubParsersAction) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "upscale",
        help="enlarge images",
        description="Enlarges images ×2, ×3 or ×4. An image that fails is reported, the others "
        "go on.",
    )
    flags.add_files(parser)
    flags.add_scale(parser)
    flags.add_model(parser, "--model", "the upscaler", flags.UPSCALER)
    flags.add_tile(parser)
    flags.add_format(parser)
    return parser


def run(arguments: argparse.Namespace) -> int:
    return each.run(paths.plan(arguments), steps, "upscaled", arguments)


def steps(arguments: argparse.Namespace) -> each.Steps:
    """Return what upscales files as the flags say."""
    import jax

    from jaxsr import pipeline, zoo
    from jaxsr.cli import pictures

    upscale = pipeline.load_upscaler(arguments.model or zoo.DEFAULT_UPSCALER, arguments.scale)

    def work(group: Sequence, progress: each.Progress) -> list[each.Output]:
        images = [read.picture for _, read in group]
        results = upscale.upscale_many(images, arguments.tile, progress)
        return [
            output(job, read, result.image)
            for (job, read), result in zip(group, results, strict=True)
        ]

    def output(job: paths.Job, read: pictures.Read, large) -> each.Output:
        return pictures.output(job, read, large, arguments.quality, pictures.size(large))

    on_cpu = jax.default_backend() == "cpu"
    together = PIXELS_AT_ONCE_ON_CPU if on_cpu else PIXELS_AT_ONCE
    return each.Steps(pictures.read, work, pictures.pixels, together)
