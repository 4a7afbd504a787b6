"""Flags that several commands have, and the types of their values."""

import argparse
import math
from collections.abc import Callable

from jaxsr.cli.cluster import Shard
from jaxsr.image.formats import FORMATS as IMAGE_FORMATS

FORMATS = {kind.suffix.removeprefix("."): kind.suffix for kind in IMAGE_FORMATS if kind.written}
# The names of the released weights that commands use by default: the DEFAULT_… of jaxsr.zoo
# and jaxsr.codec and the CLEAN_UPSCALER of jaxsr.zoo, which take JAX to import.
UPSCALER, SEGMENTER, RESTORER = "span-photo", "attention-unet", "window-restorer"
CODEC, CLEAN_UPSCALER = "patch-hyperprior", "span-compact"
SCALES = (1, 2, 3, 4, 8)  # of jaxsr.networks, likewise
PRECISIONS = ("float32", "bfloat16", "float16")  # of jaxsr.zoo, likewise
ENTROPY_DEVICES = ("auto", "cpu", "default")  # of jaxsr.codec, likewise


def add_files(
    parser: argparse.ArgumentParser,
    written: str = "a file",
    names: str = "; where its format is another, with that suffix added: a.jpg.png",
) -> None:
    """Add what is read, ``-o`` and ``--overwrite``.

    Args:
      written: what ``-o`` may name for one input.
      names: how a result's name in a folder differs from its input's.
    """
    parser.add_argument(
        "inputs",
        nargs="+",
        type=name,
        metavar="IN",
        help="a file, a folder (with all below it), a quoted pattern, or - for stdin",
    )
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        type=name,
        metavar="OUT",
        help=f"the folder for the results; for one input also {written}, or - for stdout. In a "
        f"folder each result is named after its input{names}",
    )
    add_overwrite(parser)
    add_processes(parser)


def add_processes(parser: argparse.ArgumentParser) -> None:
    """Add what shares the files among several processes; alone until :func:`cluster.joined`."""
    parser.set_defaults(cluster=None)
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--shard",
        type=shard,
        default=Shard(),
        metavar="I/N",
        help="do only the I-th of N shares of the files, I from 0 to N-1, as a job of an array "
        "does; shares depend on the files' paths alone",
    )
    which.add_argument(
        "--distributed",
        action="store_true",
        help="share the files among the processes of a cluster (jax.distributed.initialize); "
        "process 0 tells the end of the whole job",
    )
    parser.add_argument(
        "--coordinator",
        metavar="HOST:PORT",
        help="with --distributed, where JAX does not know the cluster: the address of process 0",
    )
    parser.add_argument(
        "--processes", type=int, metavar="N", help="likewise: the number of processes"
    )
    parser.add_argument(
        "--process", type=int, metavar="I", help="likewise: this process's number, from 0"
    )


def add_overwrite(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="replace files that exist; without this flag they are skipped",
    )


def add_format(parser: argparse.ArgumentParser, default: str = "the input's own, or png") -> None:
    """Add ``--format`` and ``--quality`` of images that are written."""
    parser.add_argument(
        "--format",
        choices=FORMATS,
        help=f"the format of the images that are written (default: {default})",
    )
    parser.add_argument(
        "--quality",
        type=percent,
        default=95,
        metavar="N",
        help="the quality of JPEG, WebP, AVIF and JPEG XL files, 1 to 100 (default: 95)",
    )


def add_scale(
    parser: argparse.ArgumentParser,
    help: str = "how many times as wide and as high images become (default: 4, or what the weights "
    "file given by --model is for)",
) -> None:
    parser.add_argument("--scale", type=int, choices=SCALES, help=help)


def add_model(
    parser: argparse.ArgumentParser, flag: str, what: str, default: str, *others: str
) -> None:
    """Add a flag that takes weights; ``others`` are more names of it."""
    parser.add_argument(
        flag,
        *others,
        type=name,
        metavar="NAME|FILE",
        help=f"{what}: a name of weights (see jaxsr models) or a file of them, also PyTorch's or "
        f"ncnn's (default: {default})",
    )


def add_precision(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        default=PRECISIONS[0],
        help="what networks compute in: on GPUs and TPUs the short types are faster; float16 has "
        "too small a range for some networks (default: float32)",
    )


def add_entropy_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--entropy-device",
        choices=ENTROPY_DEVICES,
        default="auto",
        help="where the entropy coder runs: on the host's CPUs (cpu), beside the networks "
        "(default), or on the CPUs where networks run on a GPU or TPU (auto); files do not depend "
        "on it (default: auto)",
    )


def add_tile(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--tile",
        type=tile_side,
        default="auto",
        metavar="auto|N|0",
        help="the longest side of the tiles that images are cut into, in pixels of the input; 0: "
        "images are not cut; auto: tiles as large as the free memory allows (default: auto)",
    )


def name(text: str) -> str:
    """Take the name of a file; not the empty one of a shell's unset variable, a folder's else."""
    if text:
        return text
    raise argparse.ArgumentTypeError("the name is empty")


def shard(text: str) -> Shard:
    index, _, count = text.partition("/")
    if index.isdecimal() and count.isdecimal() and int(index) < int(count):
        return Shard(int(index), int(count))
    raise argparse.ArgumentTypeError(f"{text!r} is not I/N, with I from 0 to N-1")


def tile_side(text: str) -> int | str:
    if text == "auto" or text.isdecimal():
        return text if text == "auto" else int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is neither auto nor a number of pixels")


def percent(text: str) -> int:
    if text.isdecimal() and 1 <= int(text) <= 100:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 100")


def count(text: str) -> int:
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a number of bytes above 0")


def size(text: str) -> tuple[int | None, int | None]:
    """Read ``1920x1080``, ``1920x`` or ``x1080`` as width and height."""
    width, cross, height = text.lower().partition("x")
    if cross and (width or height) and all(s.isdecimal() and int(s) for s in (width, height) if s):
        return int(width) if width else None, int(height) if height else None
    raise argparse.ArgumentTypeError(f"{text!r} is no size; give WxH, Wx or xH in pixels")


def whole_size(text: str) -> tuple[int, int]:
    """Read ``1920x1080`` as width and height."""
    width, height = size(text)
    if width and height:
        return width, height
    raise argparse.ArgumentTypeError(f"{text!r} has one side only; give WxH, as 1280x720")


def number(accepts: Callable[[float], bool], what: str) -> Callable[[str], float]:
    """Make the type of finite numbers that ``accepts`` takes; errors call them ``what``."""

    def parsed(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if math.isfinite(value) and accepts(value):
            return value
        raise argparse.ArgumentTypeError(f"{text!r} is not {what}")

    return parsed


def auto_or(accepts: Callable[[float], bool], what: str) -> Callable[[str], float | None]:
    """Make the type of such numbers as :func:`number`, or "auto", which is None."""
    parsed = number(accepts, f"auto or {what}")
    return lambda text: None if text == "auto" else parsed(text)


def box(text: str) -> tuple[int, ...]:
    try:
        numbers = tuple(map(int, text.split(",")))
    except ValueError:
        numbers = ()
    if len(numbers) == 4:
        return numbers
    raise argparse.ArgumentTypeError(f"{text!r} is not X,Y,W,H, four whole numbers of pixels")
