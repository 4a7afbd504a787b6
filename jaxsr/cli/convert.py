"""``jaxsr convert``: a PyTorch checkpoint, or a training run, becomes a weights file."""

import argparse
import os


def add(commands) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "convert",
        help="turn a PyTorch checkpoint or a training run into weights",
        description="Reads a PyTorch checkpoint, without PyTorch, and recognises its network; or "
        "takes the averaged parameters of a training run's newest checkpoint.",
    )
    parser.add_argument("source", metavar="IN.pth|WORKDIR")
    parser.add_argument("target", metavar="OUT.safetensors")
    parser.add_argument(
        "--scale", type=int, choices=(2, 3, 4), help="needed where the weights do not tell it"
    )
    return parser


def convert(source: str, target: str, scale: int | None):
    """Writes ``target`` and returns what it was made of."""
    from jaxsr import codec, networks, zoo
    from jaxsr.codec.export import export
    from jaxsr.training import checkpoints
    from jaxsr.zoo.convert import convert_file

    if not target.endswith(".safetensors"):
        raise ValueError(f"{target}: weights are written as .safetensors; give such a name")
    if not os.path.isdir(source):
        return convert_file(source, target, scale)
    loaded = checkpoints.load_weights(source)
    if loaded.network in networks.COMPRESSORS:
        codec.weights.save(target, export(loaded))
        return loaded
    loaded = zoo.folded(loaded)
    if scale not in (None, loaded.options["scale"]):
        raise ValueError(f"{source}: a run at ×{loaded.options['scale']}, not ×{scale}")
    zoo.weights.save(target, loaded)
    return loaded


def run(arguments: argparse.Namespace) -> int:
    loaded = convert(arguments.source, arguments.target, arguments.scale)
    command, scale = "compress", ""
    if "scale" in loaded.options:
        command, scale = "upscale", f" ×{loaded.options['scale']}"
    print(f"{arguments.target}: {loaded.network}{scale}")
    print(f"use it with: jaxsr {command} … --model {arguments.target}")
    return 0
