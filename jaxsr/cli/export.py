"""``jaxsr export``: a network as ONNX or StableHLO, for programs without jaxsr."""

import argparse
from pathlib import Path

from jaxsr.cli import flags
from jaxsr.cli.report import say
from jaxsr.errors import UserError

SUFFIXES = (".onnx", ".stablehlo")


def add(commands: argparse._SubParsersAction) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "export",
        help="write a network as ONNX or StableHLO",
        description="Writes an upscaler, or a network that restores whole images, with its weights "
        "as one file for other programs: .onnx for onnxruntime, chaiNNer and others (needs pip "
        "install 'jaxsr[onnx]'; checked by onnxruntime), or .stablehlo for JAX alone, on CPUs, "
        "NVIDIA GPUs and TPUs. Values are 0 to 1, colours RGB.",
    )
    parser.add_argument(
        "model",
        type=flags.name,
        metavar="NAME|FILE",
        help="a name of weights (see jaxsr models) or a file of them, also PyTorch's or ncnn's",
    )
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        type=flags.name,
        metavar="OUT.onnx|OUT.stablehlo",
        help="the file to write",
    )
    flags.add_scale(parser, "the scale of an upscaler that has several, or does not tell its own")
    parser.add_argument(
        "--size",
        type=flags.whole_size,
        metavar="WxH",
        help="export for images of this size alone, in pixels (default: any size; for networks "
        "whose program depends on the size, 128x128 or the next one they take)",
    )
    flags.add_overwrite(parser)
    return parser


def run(arguments: argparse.Namespace) -> int:
    from jaxsr import zoo
    from jaxsr.cli import paths

    target = Path(arguments.output)
    if target.suffix.lower() not in SUFFIXES:
        raise UserError(f"{target}: networks are exported as {' or '.join(SUFFIXES)}")
    if not paths.check_target(target, [arguments.model], arguments.overwrite):
        say(f"{target} exists, skipped (--overwrite replaces it)")
        return 0
    read = zoo.weights.read(zoo.find_weights(zoo.UPSCALER, arguments.model, arguments.scale))
    for line in written(target, read, arguments.size):
        say(f"{target}: {line}")
    return 0


def write_onnx(target: Path, program):
    """Write ONNX, for images of one size where jax2onnx needs to know it; return the program."""
    from jaxsr.zoo import onnx

    try:
        return program, onnx.write_onnx(target, program)
    except onnx.Untranslated:
        if program.size is not None:
            raise
        program = program.of_one_size()
        return program, onnx.write_onnx(target, program)


def written(target: Path, read, given: tuple[int, int] | None) -> list[str]:
    """Write the file; return what there is to say of it."""
    from jaxsr.zoo.portable import COLOURS, portable

    program = portable(read, (given[1], given[0]) if given else None)
    checked = []
    if target.suffix.lower() == ".onnx":
        program, difference = write_onnx(target, program)
        checked = [f"onnxruntime's results differ by {difference:.0e} of their range"]
    else:
        from jaxsr.zoo.stablehlo import write_stablehlo

        write_stablehlo(target, program)
    colours = COLOURS[program.network.channels]
    what = f"{read.network} ×{program.network.scale}, {colours}, values 0 to 1"
    another = "; --size gives another; cut larger images into tiles"
    sizes = f"sizes of images: {program.sizes()}" + (another if program.size and not given else "")
    return [what, sizes, *checked]
