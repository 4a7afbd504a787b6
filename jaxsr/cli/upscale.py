"""``jaxsr upscale``: files, folders and patterns of images, enlarged."""

import argparse

from jaxsr.cli.report import complain

BAR = "{percentage:3.0f}% {bar} {elapsed}<{remaining}"
FORMATS = {"png": ".png", "jpg": ".jpg", "webp": ".webp", "tiff": ".tiff"}


def add(commands) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "upscale",
        help="enlarge images",
        description="Enlarges images ×2, ×3 or ×4. An image that fails is reported, the others go on.",
    )
    parser.add_argument("inputs", nargs="+", metavar="IN", help="file, folder or quoted pattern")
    parser.add_argument(
        "-o", "--output", required=True, metavar="OUT", help="folder; or a file, for one file"
    )
    parser.add_argument("--scale", type=int, choices=(2, 3, 4), help="4, or that of --model FILE")
    parser.add_argument(
        "--model",
        metavar="NAME|FILE",
        help="released weights (see jaxsr models) or a .safetensors file",
    )
    parser.add_argument(
        "--tile",
        type=tile_side,
        default="auto",
        metavar="auto|N|0",
        help="longest side of a tile, in pixels of the input; 0: never cut (auto)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")
    parser.add_argument("--format", choices=FORMATS, help="of what is written: the input's own")
    parser.add_argument(
        "--quality", type=percent, default=95, metavar="N", help="1 to 100, of JPEG and WebP (95)"
    )
    return parser


def tile_side(text: str) -> int | str:
    if text == "auto" or text.isdecimal():
        return text if text == "auto" else int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is neither auto nor a number of pixels")


def percent(text: str) -> int:
    if text.isdecimal() and 1 <= int(text) <= 100:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 100")


def run(arguments: argparse.Namespace) -> int:
    from tqdm import tqdm

    from jaxsr import pipeline, zoo
    from jaxsr.cli import paths
    from jaxsr.cli.worker import Worker

    jobs, problems = paths.plan(arguments.inputs, arguments.output, FORMATS.get(arguments.format))
    for problem in problems:
        complain(problem)
    waiting = [job for job in jobs if arguments.overwrite or not job.target.exists()]
    done = failed = 0
    if waiting:
        upscale = pipeline.load_upscaler(arguments.model or zoo.DEFAULT_UPSCALER, arguments.scale)
        with tqdm(total=len(waiting), bar_format=BAR, disable=None, leave=False) as bar:
            done, failed = Worker(upscale, arguments, bar).work(waiting)
    skipped = len(jobs) - len(waiting)
    print(summary(done, skipped, failed + len(problems), arguments.output))
    return 2 if failed or problems else 0


def summary(done: int, skipped: int, failed: int, output: str) -> str:
    parts = [f"{done} upscaled to {output}"]
    if skipped:
        parts.append(f"{skipped} skipped that exist (--overwrite replaces them)")
    if failed:
        parts.append(f"{failed} failed")
    return ", ".join(parts)
