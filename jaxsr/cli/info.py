"""``jaxsr info``: what an image, a compressed image or a weights file holds."""

import argparse
from collections.abc import Callable
from pathlib import Path

from jaxsr.cli import flags
from jaxsr.cli.report import complain, say
from jaxsr.errors import UserError

WEIGHTS = (".safetensors", ".pth", ".pt", ".ckpt", ".param", ".bin")  # zoo.SUFFIXES, without JAX


def add(commands: argparse._SubParsersAction) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "info",
        help="say what an image, a .jsr file or a weights file holds",
        description="Says what a file holds. An image: its size, channels, bits, frames, ICC "
        "profile and EXIF; a .jsr file: also the format's version, the model, the settings, the "
        "bytes of each part, and whether it is sound; "
        "weights, also PyTorch's and ncnn's, and by name those that jaxsr models lists: what they "
        "are for, their network, its options and size, and how images go through it.",
    )
    parser.add_argument(
        "file",
        type=flags.name,
        metavar="FILE",
        help="an image, a .jsr file, weights or their name, or - for stdin",
    )
    return parser


def run(arguments: argparse.Namespace) -> int:
    from jaxsr.cli import streams

    path = Path(arguments.file)
    if path.suffix.lower() in WEIGHTS or may_be_a_name(path):
        lines, problem = of_weights(path), None
    else:
        lines, problem = of_data(streams.read(path), path)
    width = max(len(name) for name, _ in lines)
    say(f"{path}")
    for name, value in lines:
        say(f"  {name:<{width}}  {value}")
    if problem:
        complain(f"{path}: {problem}")
    return 2 if problem else 0


def may_be_a_name(path: Path) -> bool:
    """Return True for what is no file, nor looks like one: it may be a name of weights."""
    return str(path) != "-" and path.name == str(path) and not path.suffix and not path.exists()


def of_data(data: bytes, path: Path) -> tuple[list[tuple[str, str]], str | None]:
    """Say what a file holds, and what is wrong with it."""
    from jaxsr.cli import streams
    from jaxsr.codec import container

    if path.suffix.lower() == ".jsr" or data.startswith(container.MAGIC):
        return of_compressed(data, path)
    if holds_weights(data):
        with streams.copied(data, path, ".safetensors") as copy:
            return of_weights(copy), None
    return of_image(data, path), None


def holds_weights(data: bytes) -> bool:
    """Return True if ``data`` begins as safetensors or PyTorch's files do."""
    safetensors = data[8:9] == b"{" and int.from_bytes(data[:8], "little") < len(data)
    return safetensors or data.startswith((b"PK\x03\x04", b"\x80\x02", b"\x80\x04"))


def of_image(data: bytes, path: Path) -> list[tuple[str, str]]:
    """Say size, channels, bits and what comes with the pixels."""
    from jaxsr.image import files

    picture = files.decode(data, path)
    height, width, channels = picture.pixels.shape
    colour = "gray" if channels == 1 else "RGB"
    frames = files.count_frames(data)
    return [
        ("size", f"{width}×{height} pixels"),
        ("channels", colour + (" and alpha" if picture.alpha is not None else "")),
        ("bits", f"{picture.pixels.dtype.itemsize * 8} a channel"),
        ("frames", "1" if frames == 1 else f"{frames}, of which the first is read"),
        ("ICC profile", f"{len(picture.icc)} bytes" if picture.icc else "none"),
        ("EXIF", f"{len(picture.exif)} bytes" if picture.exif else "none"),
    ]


NAMES = {"region": "region map", "alpha": "alpha", "icc": "ICC profile", "exif": "EXIF"}


def of_compressed(data: bytes, path: Path) -> tuple[list[tuple[str, str]], str | None]:
    """Say what made a ``.jsr`` file, with which settings, its bytes by part, and what is wrong.

    As far as it can be read; of what is in it, only the region's map is decoded.
    """
    from jaxsr.codec import container

    try:
        layout = container.inspect(data)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    header = layout.header
    lines = [("format", f".jsr, version {container.VERSION}"), ("bytes", str(len(data)))]
    if header is not None:
        lines[1:] = [*of_header(header), ("region", region(layout))]
        lines.append(("bytes", f"{len(data)}, {bpp(len(data), header)}"))
        lines.append(("by part", parts(layout)))
        lines.append(("tiles", tiles(layout)))
    for name, title in NAMES.items():
        coded = layout.sections.get(name)
        lines.append((title, "none" if coded is None else f"{len(coded)} bytes, as stored"))
    lines.append(("checksum", "wrong" if not layout.sound else "right"))
    return lines, layout.problem


def of_header(header) -> list[tuple[str, str]]:
    """Say what a ``.jsr`` file's header says."""
    from jaxsr.codec import half, weights

    asked = f"{header.quality}" if header.quality else "by size or likeness"
    size = f"{header.width}×{header.height} pixels"
    if header.scale > 1:
        height, width = header.coded
        upscaler = known(header.upscaler, half.name_of)
        size += f", coded as {width}×{height} for upscaler {upscaler}"
    return [
        ("size", size),
        ("channels", "gray" if header.channels == 1 else "RGB"),
        ("quality", f"{asked} (rate level {header.level} of 0 to 1023)"),
        ("model", known(header.model_hash, weights.name_of)),
    ]


def known(hash: bytes, name_of: Callable[[bytes], str | None]) -> str:
    """Return the released name of weights that a file names, if there is one, and their hash."""
    return f"{name_of(hash) or 'not among the released ones'} (hash {hash.hex()})"


def region(layout) -> str:
    """Say how much of the picture is coded finer or coarser, and by how much."""
    from jaxsr.codec import region

    if (coded := layout.sections.get("region")) is None:
        return "none"
    try:
        steps = region.decode_map(coded, region.map_shape(*layout.header.coded))
    except UserError as error:
        return f"cannot be read: {error}"
    said = [
        f"{(chosen > 0).mean():.0%} of the picture {how}, by up to {gain * region.STEP_DB:.1f} dB"
        for how, chosen in (("finer", steps), ("coarser", -steps))
        if (gain := chosen.max()) > 0
    ]
    return "; ".join(said) or "as fine as all else"


def parts(layout) -> str:
    """Say how many bytes each part takes, with its lengths; in a sound file that is all of them."""
    return ", ".join(f"{NAMES.get(name, name)} {size}" for name, size in layout.parts.items())


def bpp(size: int, header) -> str:
    return f"{8 * size / (header.width * header.height):.3f} bpp"


def tiles(layout) -> str:
    rows, columns = layout.header.grid
    lanes = sorted({tile.lanes for tile in layout.tiles}) or [0]
    words = sum(len(tile.words) for tile in layout.tiles)
    span = f"{lanes[0]} to {lanes[-1]}" if len(lanes) > 1 else f"{lanes[0]}"
    return f"{columns}×{rows}, {words} bytes in {span} lanes"


def of_weights(path: Path) -> list[tuple[str, str]]:
    """Say what weights are; of a codec, also the hash by which files name it."""
    from jaxsr import codec, pipeline

    loaded = pipeline.load(path)
    lines = loaded.description.lines()
    if isinstance(loaded, codec.Model):
        lines.insert(2, ("hash", loaded.hash.hex()))
    return lines
