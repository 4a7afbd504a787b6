"""``jaxsr decompress``: ``.jsr`` files as images, at their own size or enlarged."""

import argparse

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
    parser.add_argument("--scale", type=int, choices=(2, 3, 4), help="enlarge it, too")
    parser.add_argument("--format", choices=FORMATS, help="of what is written (png)")
    parser.add_argument(
        "--quality", type=percent, default=95, metavar="N", help="1 to 100, of JPEG and WebP (95)"
    )
    parser.add_argument(
        "--model", metavar="NAME|FILE", help="the codec, if it is none of the released ones"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")
    return parser


def run(arguments: argparse.Namespace) -> int:
    from jaxsr.cli import each, files

    jobs, problems = files.plan(
        arguments.inputs, arguments.output, FORMATS.get(arguments.format), reads=files.COMPRESSED
    )
    return each.run(jobs, problems, lambda: decompressor(arguments), "decompressed", arguments)


def decompressor(arguments: argparse.Namespace):
    """What decompresses one file as the flags say."""
    from jaxsr import codec, pipeline
    from jaxsr.cli import files
    from jaxsr.image import io

    model = codec.load(arguments.model) if arguments.model else None
    enlarge = pipeline.load(scale=arguments.scale) if arguments.scale else lambda picture: picture

    def decompress(job: files.Job) -> str:
        picture = codec.decode_picture(job.source.read_bytes(), model=model)
        io.check_holds(job.target, picture)  # before it is enlarged
        picture = enlarge(picture)
        job.target.parent.mkdir(parents=True, exist_ok=True)
        io.write(job.target, picture, arguments.quality)
        height, width = picture.pixels.shape[:2]
        return f"{width}×{height} pixels"

    return decompress
