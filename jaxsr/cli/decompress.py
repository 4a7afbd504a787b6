"""``jaxsr decompress``: ``.jsr`` files as images, at their own size or enlarged, the region restored."""

import argparse
import functools

from jaxsr.cli.upscale import FORMATS, percent


def add(commands) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "decompress",
        help="turn .jsr files into images",
        description="Turns .jsr files into images. A file that fails is reported, the others go on.",
    )
    parser.add_argument("inputs", nargs="+", metavar="IN", help="file, folder or quoted pattern")
    parser.add_argument(
        "-o", "--output", required=True, metavar="OUT", help="folder; or an image, for one file"
    )
    parser.add_argument(
        "--scale",
        type=int,
        choices=(2, 3, 4),
        help="enlarge it, too, and restore the region of files that have one",
    )
    parser.add_argument(
        "--restore",
        action=argparse.BooleanOptionalAction,
        help="restore the region also where nothing is enlarged; or not even there",
    )
    parser.add_argument("--format", choices=FORMATS, help="of what is written (png)")
    parser.add_argument(
        "--quality", type=percent, default=95, metavar="N", help="1 to 100, of JPEG and WebP (95)"
    )
    parser.add_argument(
        "--model", metavar="NAME|FILE", help="the codec, if it is none of the released ones"
    )
    parser.add_argument(
        "--upscaler",
        metavar="NAME|FILE",
        help="that images kept at half their size were made with, if it is none of the released ones",
    )
    parser.add_argument("--restorer", metavar="NAME|FILE", help="weights that restore the region")
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")
    return parser


def run(arguments: argparse.Namespace) -> int:
    from jaxsr.cli import each, paths

    jobs, problems = paths.plan(
        arguments.inputs, arguments.output, FORMATS.get(arguments.format), reads=paths.COMPRESSED
    )
    return each.run(jobs, problems, lambda: decompressor(arguments), "decompressed", arguments)


def decompressor(arguments: argparse.Namespace):
    """What decompresses one file as the flags say."""
    from jaxsr import codec
    from jaxsr.cli import paths
    from jaxsr.image import files

    model = codec.load(arguments.model) if arguments.model else None
    upscaler = codec.half.load_enlarger(arguments.upscaler) if arguments.upscaler else None
    finish = finisher(arguments)

    def decompress(job: paths.Job) -> str:
        data = job.source.read_bytes()
        picture = codec.decode_picture(data, model=model, upscaler=upscaler)
        files.check_holds(job.target, picture)  # before it is enlarged
        picture, done = finish(picture, codec.region_of(data))
        job.target.parent.mkdir(parents=True, exist_ok=True)
        files.write(job.target, picture, arguments.quality)
        height, width = picture.pixels.shape[:2]
        return f"{width}×{height} pixels{done}"

    return decompress


def finisher(arguments: argparse.Namespace):
    """(picture, mask of its region or None) → what is made of it, and what to say of that.

    Networks are loaded for the first picture that needs them.
    """
    from jaxsr import pipeline, zoo
    from jaxsr.regions import masks

    restorer, scale = arguments.restorer or zoo.DEFAULT_RESTORER, arguments.scale
    restores = arguments.restore or (arguments.restore is None and scale is not None)
    enlarge = functools.cache(lambda: pipeline.load_upscaler(scale=scale))
    restore = functools.cache(lambda: pipeline.load_restorer(restorer, segmenter=None))
    chain = functools.cache(lambda: pipeline.load_chain(scale, restorer=restorer, segmenter=None))

    def finish(picture, mask):
        if not restores or mask is None:
            return enlarge()(picture).image if scale else picture, ""
        result = chain()(picture, mask) if scale else restore()(picture, mask)
        return result.image, f", {100 * (result.mask > masks.REGION).mean():.0f} % of it restored"

    return finish
