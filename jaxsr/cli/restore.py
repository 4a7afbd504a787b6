"""``jaxsr restore``: regions of images freed of blur, noise and what compression left."""

import argparse

from jaxsr.cli import region
from jaxsr.cli.upscale import FORMATS


def add(commands) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "restore",
        help="restore a region of images",
        description="Restores a region of images at their own size; the rest stays as it is, bit for "
        "bit where the format is lossless. An image that fails is reported, the others go on.",
    )
    region.add_files(parser)
    region.add_region(parser)
    region.add_model(parser, "--model", "the restorer")
    region.add_format(parser)
    return parser


def run(arguments: argparse.Namespace) -> int:
    from jaxsr.cli import each, paths

    suffix = FORMATS.get(arguments.format)
    jobs, problems = paths.plan(arguments.inputs, arguments.output, suffix)
    region.check_mask_is_kept(arguments, [job.target for job in jobs])
    return each.run(jobs, problems, lambda: restorer(arguments), "restored", arguments)


def restorer(arguments: argparse.Namespace):
    """What restores one file as the flags say."""
    from jaxsr import pipeline, zoo
    from jaxsr.cli import paths
    from jaxsr.image import files

    segmenter = region.segmenter_of(arguments)
    work = pipeline.load_restorer(arguments.model or zoo.DEFAULT_RESTORER, segmenter)
    roi = region.roi_of(arguments, work.segment)

    def restore(job: paths.Job) -> str:
        picture = files.read(job.source)
        files.check_holds(job.target, picture)  # before it is restored
        result = work(picture, roi)
        job.target.parent.mkdir(parents=True, exist_ok=True)
        files.write(job.target, result.image, arguments.quality)
        return region.told(result)

    return restore
