"""``jaxsr compare``: images beside each other in one page, to look at in a browser."""

import argparse
import functools
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from jaxsr.cli import flags
from jaxsr.cli.report import say
from jaxsr.errors import UserError

JSR = b"\x89JSR"  # jaxsr.codec.container.MAGIC, which takes JAX to import


def add(commands: argparse._SubParsersAction) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "compare",
        help="make a page that compares images",
        description="Writes one HTML page that holds the images and loads nothing from the "
        "network: a border between any two to move, zoom and pan of both, their difference, and "
        "how close each comes to an original.",
    )
    parser.add_argument(
        "inputs",
        nargs="+",
        type=flags.name,
        metavar="IN",
        help="an image or .jsr file to compare, or - for stdin",
    )
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        type=flags.name,
        metavar="PAGE.html",
        help="the page to write, or - for stdout",
    )
    parser.add_argument(
        "--original",
        type=flags.name,
        metavar="FILE",
        help="the image or .jsr file that the others should look like: it is shown, too, and PSNR "
        "and SSIM of each image to it",
    )
    parser.add_argument(
        "--models",
        type=names,
        metavar="NAME|FILE,…",
        help="compare what upscalers make of one image: bicubic interpolation, and each of these, "
        "as upscale --model takes them",
    )
    parser.add_argument(
        "--title", default="jaxsr compare", help="the title of the page (default: jaxsr compare)"
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="replace the page if it exists; without this flag it is kept",
    )
    return parser


def names(text: str) -> list[str]:
    """Read names between commas."""
    read = text.split(",")
    if all(read):
        return read
    raise argparse.ArgumentTypeError(f"{text!r}: give names between commas, as A,B,C")


def run(arguments: argparse.Namespace) -> int:
    from jaxsr.cli import paths, streams
    from jaxsr.image.page import page

    target = Path(arguments.output)
    streamed = target == paths.STREAM
    if not streamed and target.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"{target}: a page is written here; give a name that ends in .html")
    inputs = [*arguments.inputs, *filter(None, [arguments.original])]
    if inputs.count("-") > 1:
        raise UserError("-: stdin holds one image; name the others")
    if not streamed and not paths.check_target(target, inputs, arguments.overwrite):
        say(f"{target} exists, skipped (--overwrite replaces it)")
        return 0
    scene = compared(opened(arguments), arguments.original)
    streams.write(target, page(arguments.title, [scene]).encode())
    tell = functools.partial(say, on_stderr=streamed)
    for view in scene.views:
        height, width = view.picture.pixels.shape[:2]
        tell(f"{view.name}: {width}×{height}, {view.note}")
    tell(f"{len(scene.views)} images compared in {target}")
    return 0


def opened(arguments: argparse.Namespace) -> Iterator[tuple[str, Any, str]]:
    """Yield what is compared: its name, its picture, and what to say of it.

    Raises:
      UserError: there are fewer than two images, an image or weights cannot be read, or several
        images are given with ``--models``.
    """
    inputs = arguments.inputs
    if arguments.models is not None:
        if len(inputs) > 1:
            raise UserError("--models compares what they make of one image; give one")
        yield from upscaled(read(inputs[0])[0], arguments.models)
        return
    if len(inputs) + (arguments.original is not None) < 2:
        raise UserError("one image has nothing to be compared with; give another, or --original")
    for name, file in zip(names_of(inputs), inputs, strict=True):
        yield name, *read(file)


def upscaled(picture, models: Sequence[str]) -> Iterator[tuple[str, Any, str]]:
    """Yield a picture enlarged by bicubic interpolation and by each of the models."""
    from jaxsr import pipeline

    made = []
    for name in models:
        upscale = pipeline.load_upscaler(name)
        start = time.perf_counter()
        large = upscale(picture).image
        seconds = time.perf_counter() - start
        note = f"×{upscale.scale}, {seconds:.1f} s, compiling included"
        made.append((upscale.scale, (Path(name).name, large, note)))
    scale = max(scale for scale, _ in made)
    if scale > 1:
        yield "bicubic", pipeline.bicubic(picture, scale).image, f"×{scale}"
    else:
        yield "as it is", picture, ""
    yield from (view for _, view in made)


def compared(given: Iterable[tuple[str, Any, str]], original: str | None):
    """Return pictures as a scene of a page, the original last.

    Raises:
      UserError: the original cannot be read.
    """
    from jaxsr.image.page import Scene, View, figures

    truth, its_bytes = (None, "") if original is None else read(original)
    views = []
    for name, picture, note in given:
        told = [] if truth is None else [figures(picture, truth)]
        views.append(View(name, picture, " · ".join(filter(None, [*told, note]))))
    if truth is not None and original is not None:
        views.append(View(f"original: {Path(original).name}", truth, its_bytes))
    return Scene("", views)


def names_of(files: Sequence[str]) -> list[str]:
    """Return what to call each file: its name, or its whole path where two have one name."""
    names = [Path(file).name for file in files]
    return names if len(set(names)) == len(names) else list(files)


def read(file: str):
    """Return the picture in an image or a ``.jsr`` file, and how many bytes the file has."""
    from jaxsr.cli import streams
    from jaxsr.image import files

    data = streams.read(Path(file))
    if not file.lower().endswith(".jsr") and not data.startswith(JSR):
        return files.decode(data, file), f"{len(data):,} bytes"
    from jaxsr import codec

    return codec.decode_picture(data), f"{len(data):,} bytes"
