"""``jaxsr compare``: images beside each other in one page, to look at in a browser."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from jaxsr.errors import UserError


def add(commands) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "compare",
        help="make a page that compares images",
        description="Writes one HTML page that holds the images and loads nothing from the network: a "
        "border between any two to move, zoom and pan of both, their difference, and how close each comes "
        "to an original.",
    )
    parser.add_argument("inputs", nargs="+", metavar="IN", help="image or .jsr file")
    parser.add_argument("-o", "--output", required=True, metavar="PAGE.html")
    parser.add_argument(
        "--original",
        metavar="FILE",
        help="what the others should look like: PSNR and SSIM are said, and it is shown too",
    )
    parser.add_argument("--title", default="jaxsr compare", help="of the page (jaxsr compare)")
    parser.add_argument("--overwrite", action="store_true", help="replace a page that exists")
    return parser


def run(arguments: argparse.Namespace) -> int:
    from jaxsr.atomic import make_folder, write_bytes
    from jaxsr.cli import paths
    from jaxsr.image.page import page

    target = Path(arguments.output)
    if target.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"{target}: a page is written here; give a name that ends in .html")
    inputs = [*arguments.inputs, *filter(None, [arguments.original])]
    if not paths.check_target(target, inputs, arguments.overwrite):
        print(f"{target} exists, skipped (--overwrite replaces it)")
        return 0
    scene = compared(arguments.inputs, arguments.original)
    make_folder(target.parent)
    write_bytes(target, page(arguments.title, [scene]).encode())
    for view in scene.views:
        height, width = view.picture.pixels.shape[:2]
        print(f"{view.name}: {width}×{height}{', ' if view.note else ''}{view.note}")
    print(f"{len(scene.views)} images compared in {target}")
    return 0


def compared(inputs: Sequence[str], original: str | None):
    """The files as a scene of a page, the original last.

    Raises:
      UserError: there are fewer than two images, or one cannot be read.
    """
    from jaxsr.image.page import Scene, View, figures

    if len(inputs) + (original is not None) < 2:
        raise UserError("one image has nothing to be compared with; give another, or --original")
    truth = None if original is None else read(original)
    views = []
    for name, file in zip(names_of(inputs), inputs, strict=True):
        picture = read(file)
        told = [] if truth is None else [figures(picture, truth)]
        views.append(View(name, picture, " · ".join([*told, size_of(file)])))
    if truth is not None:
        views.append(View(f"original: {Path(original).name}", truth, size_of(original)))
    return Scene("", views)


def names_of(files: Sequence[str]) -> list[str]:
    """What to call each file: its name, or its whole path where two have one name."""
    names = [Path(file).name for file in files]
    return names if len(set(names)) == len(names) else list(files)


def size_of(file: str) -> str:
    return f"{os.path.getsize(file):,} bytes"


def read(file: str):
    """The picture in an image or a ``.jsr`` file."""
    from jaxsr.image import files

    if Path(file).suffix.lower() != ".jsr":
        return files.read(file)
    from jaxsr import codec
    from jaxsr.atomic import read_bytes

    return codec.decode_picture(read_bytes(file))
