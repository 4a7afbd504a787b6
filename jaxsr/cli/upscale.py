"""``jaxsr upscale``: files, folders and patterns of images, enlarged."""

import argparse
from collections.abc import Callable, Sequence

from jaxsr.cli import each, flags, paths, region
from jaxsr.errors import UserError

# Pixels of images that are worked on together: their tiles share batches. On CPUs, whose batches
# are small, fewer, so that the first are written while the next are computed.
PIXELS_AT_ONCE, PIXELS_AT_ONCE_ON_CPU = 2**21, 2**18


def add(commands: argparse._SubParsersAction) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "upscale",
        help="enlarge images",
        description="Enlarges images, to any size. An image that fails is reported, the others "
        "go on.",
    )
    flags.add_files(parser)
    add_size(parser)
    flags.add_model(parser, "--model", "the upscaler", flags.UPSCALER)
    parser.add_argument(
        "--strength",
        type=flags.number(lambda value: 0 <= value <= 1, "a number from 0 to 1"),
        default=1.0,
        metavar="S",
        help="how much of the network: 1 is all, 0 is bicubic interpolation (default: 1)",
    )
    parser.add_argument(
        "--self-ensemble",
        action="store_true",
        help="average what is made of an image's eight flips and turns: a little better, in eight "
        "times the time",
    )
    region.add_region(parser, "upscale by --model, all else by --around", default=None)
    flags.add_model(parser, "--around", "with a region: the upscaler of all else", flags.UPSCALER)
    flags.add_tile(parser)
    flags.add_precision(parser)
    flags.add_format(parser)
    return parser


def add_size(parser: argparse.ArgumentParser) -> None:
    wanted = parser.add_mutually_exclusive_group()
    wanted.add_argument(
        "--scale",
        type=flags.number(lambda value: value > 0, "a number above 0"),
        metavar="N",
        help="how many times as wide and as high images become, as 2 or 1.5: by the network of the "
        "next larger scale, then resized exactly (default: what the network makes)",
    )
    wanted.add_argument(
        "--size",
        type=flags.size,
        metavar="WxH",
        help="the size instead, in pixels; 1920x or x1080: the other side follows",
    )


def run(arguments: argparse.Namespace) -> int:
    return each.run(paths.plan(arguments), steps, "upscaled", arguments)


def in_region(arguments: argparse.Namespace, model: str) -> Callable[..., each.Output]:
    """Return what upscales a region of an image by one network and all else by another.

    Raises:
      UserError: flags ask for what is not done with a region.
    """
    from jaxsr import pipeline, zoo
    from jaxsr.cli import pictures

    scale = arguments.scale
    if arguments.size or arguments.strength < 1 or arguments.self_ensemble:
        raise UserError("--size, --strength and --self-ensemble do not go with a region")
    if scale is not None and scale != int(scale):
        raise UserError(f"--scale {scale:g}: with a region, give the scale of a network")
    around = arguments.around or zoo.DEFAULT_UPSCALER
    segmenter = region.segmenter_of(arguments)
    scale = None if scale is None else int(scale)
    upscale = pipeline.load_region_upscaler(model, around, scale, segmenter, arguments.precision)
    roi = region.roi_of(arguments, upscale.segment)

    def work(job: paths.Job, read: pictures.Read) -> each.Output:
        result = upscale(read.picture, roi, arguments.tile)
        line = region.told(result, "upscaled by the model")
        return pictures.output(job, read, result.image, arguments.quality, line)

    return work


def one_network_does(arguments: argparse.Namespace, model: str) -> bool:
    """Return True if images become what a network makes of them: then they share its batches."""
    from jaxsr import zoo

    if arguments.size or arguments.strength < 1 or arguments.self_ensemble:
        return False
    return arguments.scale in (None, *zoo.upscalers().get(model, {}))


def steps(arguments: argparse.Namespace) -> each.Steps:
    """Return what upscales files as the flags say."""
    import jax

    from jaxsr import pipeline, zoo
    from jaxsr.cli import pictures

    def output(job: paths.Job, read: pictures.Read, large) -> each.Output:
        return pictures.output(job, read, large, arguments.quality, pictures.size(large))

    model = arguments.model or zoo.DEFAULT_UPSCALER
    if arguments.box or arguments.roi:
        return each.Steps(pictures.read, each.one_by_one(in_region(arguments, model)))
    if arguments.around or arguments.of or arguments.segmenter:
        raise UserError("--around, --class and --segmenter are for a region; give --roi or --box")
    if not one_network_does(arguments, model):
        wanted = arguments.scale, arguments.size, arguments.strength, arguments.self_ensemble
        enlarge = pipeline.Enlarge(model, *wanted, arguments.precision)

        def one(job: paths.Job, read: pictures.Read) -> each.Output:
            return output(job, read, enlarge(read.picture, arguments.tile).image)

        return each.Steps(pictures.read, each.one_by_one(one))

    scale = None if arguments.scale is None else int(arguments.scale)
    upscale = pipeline.load_upscaler(model, scale, arguments.precision)

    def work(group: Sequence, progress: each.Progress) -> list[each.Output]:
        images = [read.picture for _, read in group]
        results = upscale.upscale_many(images, arguments.tile, progress)
        return [
            output(job, read, result.image)
            for (job, read), result in zip(group, results, strict=True)
        ]

    on_cpu = jax.default_backend() == "cpu"
    together = PIXELS_AT_ONCE_ON_CPU if on_cpu else PIXELS_AT_ONCE
    return each.Steps(pictures.read, work, pictures.pixels, together)
