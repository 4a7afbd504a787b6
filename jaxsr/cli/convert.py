"""``jaxsr convert``: a PyTorch checkpoint, or a training run, becomes a weights file; or back."""

import argparse
import dataclasses
import functools
import os
from pathlib import Path

from jaxsr.cli import flags
from jaxsr.cli.report import say
from jaxsr.errors import UserError, needs_extra


def add(commands: argparse._SubParsersAction) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "convert",
        help="turn a PyTorch checkpoint or a training run into weights, or weights into PyTorch's",
        description="Reads a PyTorch checkpoint, without PyTorch, and recognises its network; or "
        "takes the averaged parameters of a training run's newest checkpoint. With --to pytorch it "
        "writes weights under the names by which PyTorch programs know their network.",
    )
    parser.add_argument(
        "source",
        type=flags.name,
        metavar="IN.pth|WORKDIR",
        help="a PyTorch checkpoint, - for one from stdin, or the --workdir of a training run; with "
        "--to pytorch also weights of ours, by name or file",
    )
    parser.add_argument(
        "target",
        type=flags.name,
        metavar="OUT.safetensors",
        help="the weights file to write, or - for stdout",
    )
    flags.add_overwrite(parser)
    parser.add_argument(
        "--to",
        choices=("jaxsr", "pytorch"),
        default="jaxsr",
        help="pytorch: the published names and axes of upscalers and of networks that restore, as "
        "ComfyUI, chaiNNer and spandrel load them (default: jaxsr)",
    )
    parser.add_argument(
        "--scale",
        type=int,
        choices=flags.SCALES,
        help="the scale of an upscaler; needed only where its weights do not tell it",
    )
    parser.add_argument(
        "--classes",
        metavar="NAME,…",
        help="the names of the classes of a segmenter's training run, the background's first",
    )
    return parser


def convert(source: str, target: str, scale: int | None, classes: str | None = None):
    """Write ``target`` and return what it was made of."""
    from jaxsr.zoo.convert import convert_file

    if os.path.isdir(source):
        return convert_run(source, target, scale, classes)
    if classes is not None:
        raise UserError("--classes is for runs of segmenters")
    return convert_file(source, target, scale)


def to_pytorch(source: str, target: str, scale: int | None):
    """Write weights, a checkpoint's or a run's under their published names; return the dialect."""
    from jaxsr import zoo
    from jaxsr.zoo import published

    if os.path.isdir(source):
        return published.write_published(target, parameters_of(source, scale))
    path = zoo.find_any_weights(source, scale)
    published.check_published(zoo.weights.network_of(path))
    return published.write_published(target, zoo.weights.read(path))


def convert_run(source: str, target: str, scale: int | None, classes: str | None):
    """Write the averaged parameters of a training run's newest checkpoint; return them."""
    loaded = parameters_of(source, scale)
    from jaxsr.training.exporting import write_weights

    if classes is not None:
        notes = loaded.notes | {"classes": named(loaded, classes)}
        loaded = dataclasses.replace(loaded, notes=notes)
    return write_weights(target, loaded)


def parameters_of(source: str, scale: int | None):
    """Return the averaged parameters of a training run's newest checkpoint."""
    with needs_extra("train", "reading a training run"):
        from jaxsr.training import checkpoints
    loaded = checkpoints.load_weights(source)
    made_for = loaded.options.get("scale")
    if scale not in (None, made_for):
        what = f"at ×{made_for}" if made_for else f"of {loaded.network}, which has no scale"
        raise UserError(f"{source}: a run {what}, not ×{scale}")
    return loaded


def named(loaded, classes: str) -> str:
    """Return the names of classes as they are kept with weights.

    Raises:
      UserError: the network has others than so many classes, or none to tell apart.
    """
    names = [name.strip() for name in classes.split(",")]
    count = loaded.options.get("classes", 0)
    if count < 2:  # one logit is no class: it only tells what stands out
        raise UserError(
            f"--classes {classes}: this {loaded.network} tells no classes apart; "
            "leave --classes out"
        )
    if len(names) != count or not all(names) or len(set(names)) < count:
        raise UserError(
            f"--classes {classes}: {loaded.network} was trained for {count} classes; "
            "give each one's name, the background's first"
        )
    return ",".join(names)


def run(arguments: argparse.Namespace) -> int:
    from jaxsr import zoo
    from jaxsr.cli import paths, streams

    source, target = Path(arguments.source), Path(arguments.target)
    streamed = target == paths.STREAM
    if not streamed and target.suffix != ".safetensors":
        raise UserError(f"{target}: weights are written as .safetensors; give such a name")
    if not streamed and not paths.check_target(target, [source], arguments.overwrite):
        say(f"{target} exists, skipped (--overwrite replaces it)")
        return 0
    if arguments.to == "pytorch" and arguments.classes is not None:
        raise UserError("--classes does not go with --to pytorch")
    tell = functools.partial(say, on_stderr=streamed)
    with streams.as_file(source, ".pth") as given, streams.to_file(target) as written:
        if arguments.to == "pytorch":
            dialect = to_pytorch(str(given), str(written), arguments.scale)
            tell(f"{target}: for PyTorch, under the names of {dialect.name}")
            return 0
        loaded = convert(str(given), str(written), arguments.scale, arguments.classes)
    scale = f" ×{loaded.options['scale']}" if "scale" in loaded.options else ""
    tell(f"{target}: {loaded.network}{scale}")
    tell(f"use it with: {zoo.known_kind(loaded.network).command} … --model {target}")
    return 0
