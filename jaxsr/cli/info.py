"""``jaxsr info``: what an image file or a weights file holds."""

import argparse
from pathlib import Path

from jaxsr.cli.report import short


def add(commands) -> argparse.ArgumentParser:
    parser = commands.add_parser("info", help="say what an image or a weights file holds")
    parser.add_argument("file", metavar="FILE")
    return parser


def run(arguments: argparse.Namespace) -> int:
    path = Path(arguments.file)
    lines = of_weights(path) if path.suffix == ".safetensors" else of_image(path)
    width = max(len(name) for name, _ in lines)
    print(f"{path}")
    for name, value in lines:
        print(f"  {name:<{width}}  {value}")
    return 0


def of_image(path: Path) -> list[tuple[str, str]]:
    """Size, channels, bits and what comes with the pixels."""
    from jaxsr.image import io

    picture = io.read(path)
    height, width, channels = picture.pixels.shape
    colour = "gray" if channels == 1 else "RGB"
    return [
        ("size", f"{width}×{height} pixels"),
        ("channels", colour + (" and alpha" if picture.alpha is not None else "")),
        ("bits", f"{picture.pixels.dtype.itemsize * 8} a channel"),
        ("ICC profile", f"{len(picture.icc)} bytes" if picture.icc else "none"),
        ("EXIF", f"{len(picture.exif)} bytes" if picture.exif else "none"),
    ]


def of_weights(path: Path) -> list[tuple[str, str]]:
    """The network, how it is built, its size, and the notes kept with it."""
    import jax

    from jaxsr.zoo import weights

    loaded = weights.load(path)
    options = ", ".join(f"{key}={value}" for key, value in loaded.options.items())
    count = sum(leaf.size for leaf in jax.tree.leaves(loaded.params))
    return [
        ("network", loaded.network),
        ("options", options),
        ("parameters", f"{count} ({short(count)})"),
        *loaded.notes.items(),
    ]
