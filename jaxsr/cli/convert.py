"""``jaxsr convert``: a PyTorch checkpoint becomes weights of this package."""

import argparse


def add(commands) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "convert",
        help="turn a PyTorch checkpoint into weights",
        description="Reads a PyTorch checkpoint, without PyTorch, and recognises its network.",
    )
    parser.add_argument("source", metavar="IN.pth")
    parser.add_argument("target", metavar="OUT.safetensors")
    parser.add_argument(
        "--scale", type=int, choices=(2, 3, 4), help="needed where the weights do not tell it"
    )
    return parser


def run(arguments: argparse.Namespace) -> int:
    from jaxsr.zoo.convert import convert_file

    loaded = convert_file(arguments.source, arguments.target, arguments.scale)
    print(f"{arguments.target}: {loaded.network} ×{loaded.options['scale']}")
    print(f"use it with: jaxsr upscale … --model {arguments.target}")
    return 0
