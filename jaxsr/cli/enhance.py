"""``jaxsr enhance``: images enlarged, what stands out in them found and restored."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from jaxsr.cli import region
from jaxsr.cli.paths import Job
from jaxsr.cli.upscale import FORMATS, tile_side
from jaxsr.errors import UserError


def add(commands) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "enhance",
        help="enlarge images and restore a region",
        description="Enlarges images ×2, ×3 or ×4, finds what stands out in them and restores it. An "
        "image that fails is reported, the others go on.",
    )
    region.add_files(parser)
    parser.add_argument("--scale", type=int, choices=(2, 3, 4), help="4, or that of --model FILE")
    region.add_region(parser)
    parser.add_argument(
        "--mask-out",
        metavar="OUT",
        help="where to write masks, too: folder; or a file, for one file",
    )
    region.add_model(parser, "--model", "the upscaler")
    region.add_model(parser, "--restorer", "the restorer")
    parser.add_argument(
        "--tile",
        type=tile_side,
        default="auto",
        metavar="auto|N|0",
        help="longest side of an upscaler's tile, in pixels of the input; 0: never cut (auto)",
    )
    region.add_format(parser)
    return parser


def run(arguments: argparse.Namespace) -> int:
    from jaxsr.cli import each, paths

    suffix = FORMATS.get(arguments.format)
    jobs, problems = paths.plan(arguments.inputs, arguments.output, suffix)
    masks = {}
    if arguments.mask_out:
        masks, more = mask_targets(arguments.inputs, arguments.mask_out, jobs)
        problems += [problem for problem in more if problem not in problems]
        jobs = [job for job in jobs if job.source in masks]
    region.check_mask_is_kept(arguments, [job.target for job in jobs] + list(masks.values()))
    return each.run(jobs, problems, lambda: enhancer(arguments, masks), "enhanced", arguments)


def mask_targets(
    inputs: Sequence[str], output: str, jobs: Sequence[Job]
) -> tuple[dict[Path, Path], list[str]]:
    """Source → its mask's file, and the problems of the others; those without any are earlier runs' masks.

    Raises:
      UserError: a mask's file would be that of an image that is written.
    """
    from jaxsr.cli import paths

    suffix = None if paths.names_a_file(output) else ".png"
    planned, problems = paths.plan(inputs, output, suffix)
    images = {os.path.realpath(job.target) for job in jobs}
    for job in planned:
        if os.path.realpath(job.target) in images:
            raise UserError(f"{job.target}: an image is written there; choose another --mask-out")
    return {job.source: job.target for job in planned}, problems


def enhancer(arguments: argparse.Namespace, masks: dict[Path, Path]):
    """What enhances one file as the flags say."""
    from jaxsr import pipeline, zoo
    from jaxsr.image import files

    chain = pipeline.load_chain(
        arguments.scale,
        upscaler=arguments.model or zoo.DEFAULT_UPSCALER,
        segmenter=region.segmenter_of(arguments),
        restorer=arguments.restorer or zoo.DEFAULT_RESTORER,
    )
    roi = region.roi_of(arguments, chain.segment)

    def enhance(job: Job) -> str:
        mask_file = masks.get(job.source)
        if mask_file and mask_file.exists() and not arguments.overwrite:
            raise UserError(f"{mask_file} exists; --overwrite replaces it")
        picture = files.read(job.source)
        files.check_holds(job.target, picture)  # before it is enlarged
        result = chain(picture, roi, arguments.tile)
        if mask_file:
            region.write_mask(mask_file, result.mask)
        job.target.parent.mkdir(parents=True, exist_ok=True)
        files.write(job.target, result.image, arguments.quality)
        return region.told(result)

    return enhance
