"""``jaxsr decompress``: ``.jsr`` files as images, enlarged and restored where asked for."""

import argparse
import functools
from typing import Any

from jaxsr.cli import each, flags, paths, streams


def add(commands: argparse._SubParsersAction) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "decompress",
        help="turn .jsr files into images",
        description="Turns .jsr files into images. A file that fails is reported, the others go "
        "on.",
    )
    flags.add_files(
        parser,
        "an image's name",
        " without .jsr; where its format is another, with that suffix added: a.jpg.png",
    )
    parser.add_argument(
        "--box",
        type=flags.box,
        metavar="X,Y,W,H",
        help="decode this part alone, in pixels: left top corner and size; quicker than the whole",
    )
    parser.add_argument(
        "--partial",
        action="store_true",
        help="of files that are damaged or cut short decode the tiles that are whole; the rest is "
        "gray",
    )
    flags.add_scale(
        parser,
        f"enlarge images so many times, by {flags.CLEAN_UPSCALER}, and restore the region of files "
        "that have one (default: neither)",
    )
    parser.add_argument(
        "--restore",
        action=argparse.BooleanOptionalAction,
        help="restore the region of files that have one, or leave it as it is (default: restore "
        "it where --scale is given)",
    )
    flags.add_format(parser, "png")
    flags.add_model(
        parser, "--model", "the codec that made the files", "the released one that a file names"
    )
    flags.add_model(
        parser,
        "--upscaler",
        "the ×2 upscaler of images that were kept at half their size",
        "the released one that a file names",
    )
    flags.add_model(parser, "--restorer", "the restorer of the region", flags.RESTORER)
    flags.add_entropy_device(parser)
    return parser


def run(arguments: argparse.Namespace) -> int:
    streamed = arguments.output == "-"
    plan = paths.plan(arguments, ".png" if streamed else None, reads=paths.COMPRESSED)
    return each.run(plan, steps, "decompressed", arguments)


def steps(arguments: argparse.Namespace) -> each.Steps:
    """Return what decompresses files as the flags say."""
    from jaxsr import codec
    from jaxsr.cli import pictures
    from jaxsr.image import files

    model = codec.load(arguments.model) if arguments.model else None
    upscaler = codec.load_enlarger(arguments.upscaler) if arguments.upscaler else None
    networks = {"model": model, "upscaler": upscaler, "entropy_device": arguments.entropy_device}
    finish = finisher(arguments)

    def work(job: paths.Job, data: bytes) -> each.Output:
        picture, lost = decoded(data, arguments, networks)
        kind: Any = pictures.format_of(job, data)
        files.check_holds(kind, picture, job.target)  # before it is enlarged
        mask = codec.region_of(data, box=arguments.box, partial=arguments.partial)
        result, done = finish(picture, mask)
        read = pictures.Read(picture, kind, "")
        return pictures.output(
            job, read, result, arguments.quality, f"{pictures.size(result)}{done}{lost}"
        )

    return each.Steps(lambda job: streams.read(job.source), each.one_by_one(work))


def decoded(data: bytes, arguments: argparse.Namespace, networks: dict[str, Any]):
    """Return the picture, or the part that is asked for, and what to say of gray tiles."""
    from jaxsr import codec

    if not arguments.partial:
        return codec.decode_picture(data, box=arguments.box, **networks), ""
    picture, missing = codec.decode_partial(data, box=arguments.box, **networks)
    boxes = " and ".join(",".join(map(str, box)) for box in missing)
    return picture, boxes and f", gray where tiles are missing: {boxes}"


def finisher(arguments: argparse.Namespace):
    """Return (picture, mask of its region or None) → what is made of it, and what to say of that.

    Networks are loaded for the first picture that needs them.
    """
    from jaxsr import pipeline, zoo
    from jaxsr.regions import masks

    restorer, scale = arguments.restorer or zoo.DEFAULT_RESTORER, arguments.scale
    # the default of photographs takes what a codec has left for blur, and makes more of it
    enlarger = zoo.CLEAN_UPSCALER
    restores = arguments.restore or (arguments.restore is None and scale is not None)
    enlarge = functools.cache(lambda: pipeline.load_upscaler(enlarger, scale))
    restore = functools.cache(lambda: pipeline.load_restorer(restorer, segmenter=None))
    chain = functools.cache(
        lambda: pipeline.load_chain(scale, upscaler=enlarger, restorer=restorer, segmenter=None)
    )

    def finish(picture, mask):
        if not restores or mask is None:
            lacking = ", no region in it to restore" if arguments.restore else ""
            return enlarge()(picture).image if scale else picture, lacking
        result = chain()(picture, mask) if scale else restore()(picture, mask)
        return result.image, f", {100 * (result.mask > masks.REGION).mean():.0f} % of it restored"

    return finish
