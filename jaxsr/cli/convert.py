"""``jaxsr convert``: a PyTorch checkpoint, or a training run, becomes a weights file."""

import argparse
import dataclasses
import os

from jaxsr.errors import UserError, needs_extra


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
    parser.add_argument(
        "--classes",
        metavar="NAME,…",
        help="what a segmenter's classes are called, background first",
    )
    return parser


def convert(source: str, target: str, scale: int | None, classes: str | None = None):
    """Writes ``target`` and returns what it was made of."""
    from jaxsr import codec, networks, zoo
    from jaxsr.codec.export import export
    from jaxsr.zoo.convert import convert_file

    if not target.endswith(".safetensors"):
        raise UserError(f"{target}: weights are written as .safetensors; give such a name")
    if not os.path.isdir(source):
        if classes is not None:
            raise UserError("--classes is for runs of segmenters")
        return convert_file(source, target, scale)
    with needs_extra("train", "reading a training run"):
        from jaxsr.training import checkpoints
    loaded = checkpoints.load_weights(source)
    if classes is not None:
        loaded = dataclasses.replace(
            loaded, notes=loaded.notes | {"classes": named(loaded, classes)}
        )
    made_for = loaded.options.get("scale")
    if scale not in (None, made_for):
        what = f"at ×{made_for}" if made_for else f"of {loaded.network}, which has no scale"
        raise UserError(f"{source}: a run {what}, not ×{scale}")
    if loaded.network in networks.COMPRESSORS:
        codec.weights.save(target, export(loaded))
        return loaded
    loaded = zoo.folded(loaded)
    zoo.weights.write(target, loaded)
    return loaded


def named(loaded, classes: str) -> str:
    """The names of classes as they are kept with weights.

    Raises:
      UserError: the network has others than so many classes, or none to tell apart.
    """
    names = [name.strip() for name in classes.split(",")]
    count = loaded.options.get("classes", 0)
    if count < 2:  # one logit is no class: it only tells what stands out
        raise UserError(
            f"--classes {classes}: this {loaded.network} tells no classes apart; leave --classes out"
        )
    if len(names) != count or not all(names) or len(set(names)) < count:
        raise UserError(
            f"--classes {classes}: {loaded.network} was trained for {count} classes; "
            "give each one's name, the background's first"
        )
    return ",".join(names)


def run(arguments: argparse.Namespace) -> int:
    from jaxsr import zoo

    loaded = convert(arguments.source, arguments.target, arguments.scale, arguments.classes)
    scale = f" ×{loaded.options['scale']}" if "scale" in loaded.options else ""
    print(f"{arguments.target}: {loaded.network}{scale}")
    command = zoo.kind_of(loaded.network).command
    print(f"use it with: {command} … --model {arguments.target}")
    return 0
