"""``jaxsr models``: which weights and networks there are, and what they cost."""

import argparse
import time
from collections.abc import Iterable
from pathlib import Path

from jaxsr.cli import flags
from jaxsr.cli.environment import prepare_to_compile_for
from jaxsr.cli.report import short
from jaxsr.errors import UserError

LIST = "{:<{}} {:<11} {:<21} {:>10} {:>14}{}"
SIDE = 256  # of the image that is timed
ROW = "{:<21} {:>10} {:>13} {:>6}   {}"
REGION = 736, 1280  # height and width: an image of 1280×720 in whole windows of attention
ADVICE = (
    f"{flags.UPSCALER}, the default, is for photographs as they are: noisy, soft, saved as JPEG. "
    "For clean images,\nas drawings, screenshots and photographs that were reduced, take "
    f"--model {flags.CLEAN_UPSCALER}."
)
NOTES = {
    "upscaler": "Costs at ×{scale} for an output of 1280×720; what restores has ×1.",
    "segmenter": "Costs for an image of any size; it is brought to the network's own.",
    "restorer": "Costs for a region of 1280×720, features of an upscaler aside.",
    "codec": "One model each for all rates.",
}


def add(commands: argparse._SubParsersAction) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "models",
        help="list the weights that are here, or networks",
        description="Lists the weights that are here: released ones, those of installed packages, "
        "and those in $JAXSR_MODELS (~/.local/share/jaxsr/models); parameters, and multiply-adds "
        "for each megapixel of the input. With names or --networks: the networks' parameters; "
        "multiply-adds, attention's included; and how far an output pixel sees, in pixels of the "
        "input.",
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="list the networks of these names, or of released weights of these names",
    )
    parser.add_argument("--networks", action="store_true", help="list all networks")
    parser.add_argument(
        "--time",
        action="store_true",
        help=f"of the weights, measure also the time for an image of {SIDE}×{SIDE} here",
    )
    parser.add_argument(
        "--scale",
        type=int,
        choices=flags.SCALES,
        default=4,
        help="the scale for which the costs of upscalers are counted (default: 4)",
    )
    parser.add_argument(
        "--compile_for",
        metavar="TOPOLOGY",
        help="compile what using them runs for v5e:1x1 or another chip, which need not be here, "
        "and print what each program takes of it",
    )
    parser.add_argument(
        "--size",
        type=flags.whole_size,
        default=(1280, 720),
        metavar="WxH",
        help="with --compile_for: pixels of the image that goes in (1280x720)",
    )
    return parser


def run(arguments: argparse.Namespace) -> int:
    if arguments.compile_for:
        return compile_for(arguments)
    if not (arguments.names or arguments.networks):
        return list_weights(arguments.time)
    from jaxsr.zoo import KINDS

    released = released_by_network()
    wanted = [network_of(name) for name in arguments.names]
    for kind in KINDS:
        names = sorted(set(wanted or kind.networks) & set(kind.networks))
        if not names:
            continue
        print(ROW.format(kind.name, "parameters", "multiply-adds", "sees", "released weights"))
        for name in names:  # one by one: the large networks take seconds to count
            print(
                ROW.format(name, *costs(name, arguments.scale), released.get(name, "-")), flush=True
            )
        print(NOTES[kind.name].format(scale=arguments.scale), end="\n\n")
    print(
        "Released weights are taken by --model NAME, others by --model FILE.safetensors "
        "(see jaxsr convert)."
    )
    return 0


def list_weights(timed: bool) -> int:
    """Print a row for the weights of every name."""
    from jaxsr.zoo import own

    heading = f" {f'{SIDE}×{SIDE}':>9}" if timed else ""
    files = here()
    width = max(map(len, files))
    print(LIST.format("weights", width, "kind", "network", "parameters", "multiply-adds", heading))
    for name, file in files.items():
        print(row_of(name, width, file, timed), flush=True)
    print(f"\n{ADVICE}")
    print(f"Your own are looked for in {own.folder()}; any file may be given by its path, too.")
    print("jaxsr models --networks lists what can be trained, or loaded from other programs.")
    return 0


def here() -> dict[str, Path]:
    """Return the weights that are here: name, with scales where it has some → one of its files."""
    from jaxsr.zoo import own, packages

    files = released_files()
    for name, scales in packages.upscalers().items():
        files[with_scales(name, scales)] = next(iter(scales.values()))
    known = {name.split()[0] for name in files}
    return files | {name: file for name, file in own.models().items() if name not in known}


def with_scales(name: str, scales: Iterable[int]) -> str:
    """Return a name with its scales: ``span-compact ×2 ×4``."""
    return " ".join([name, *(f"×{scale}" for scale in scales)])


def row_of(name: str, width: int, file: Path, timed: bool) -> str:
    """Return a row of the table of weights; of a file that cannot be read, why."""
    from jaxsr import pipeline
    from jaxsr.networks import count
    from jaxsr.pipeline import Upscale

    try:
        loaded = pipeline.load(file)
    except UserError as error:
        return f"{name:<{width}} {error}"
    what, cost, took = loaded.description, "", ""
    if isinstance(loaded, Upscale):
        side = SIDE // loaded.network.multiple * loaded.network.multiple
        done = count.multiply_adds(loaded.network, side, side)
        cost = short(done * 2**20 / side**2)
        took = f" {milliseconds(loaded):>6.0f} ms" if timed else ""
    columns = what.kind, what.architecture, short(what.parameters), cost, took
    return LIST.format(name, width, *columns)


def milliseconds(upscale) -> float:
    """Return the time that an image takes, the least of three, compiling left out."""
    import numpy as np

    image = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    times = []
    for _ in range(4):
        start = time.perf_counter()
        upscale(image)
        times.append(1e3 * (time.perf_counter() - start))
    return min(times[1:])


def compile_for(arguments: argparse.Namespace) -> int:
    """Print what each program of the networks takes; 2 where one does not fit."""
    from jaxsr import zoo
    from jaxsr.chips.programs import DoesNotFit
    from jaxsr.chips.report import HEADINGS, row
    from jaxsr.chips.topology import topology_of
    from jaxsr.pipeline import programs

    prepare_to_compile_for(arguments.compile_for)
    topology = topology_of(arguments.compile_for)
    names = [network_of(name) for name in arguments.names]
    every = [name for kind in zoo.KINDS for name in sorted(kind.networks)]
    width, height = arguments.size
    print(f"one image of {width}×{height} on a {topology.name.partition(':')[0]} device, bfloat16")
    print(f"{'network':<21} {'program':<10} {HEADINGS}")
    failed = False
    for name in names or every:
        for use in programs.uses(name, (height, width), arguments.scale):
            try:
                found = row(programs.compiled(use, topology), topology)
            except DoesNotFit as error:
                found, failed = str(error), True
            print(f"{name:<21} {use.what:<10} {found}", flush=True)
    if failed:
        print("What does not fit is run in tiles; give a smaller --size, that of a tile.")
    return 2 if failed else 0


def network_of(name: str) -> str:
    """Return the network that ``name`` is, or that the released weights of this name are of.

    Raises:
      UserError: there is neither.
    """
    from jaxsr import zoo

    if zoo.kind_of(name) is not None:
        return name
    for released, file in released_files().items():
        if name == released.split()[0]:
            return str(zoo.weights.network_of(file))
    networks = ", ".join(name for kind in zoo.KINDS for name in sorted(kind.networks))
    released = ", ".join(released.split()[0] for released in released_files())
    raise UserError(
        f"unknown network {name!r}; there are: {networks}; and released weights: {released}"
    )


def released_files() -> dict[str, Path]:
    """Return released weights, with their scales where they have some → one of their files."""
    from jaxsr import zoo
    from jaxsr.zoo.kinds import CODEC, RESTORER, SEGMENTER

    files: dict[str, Path] = {}
    for name, scales in zoo.released_upscalers().items():
        files[with_scales(name, scales)] = next(iter(scales.values()))
    for kind in (SEGMENTER, RESTORER, CODEC):
        files |= zoo.released(kind)
    return files


def released_by_network() -> dict[str, str]:
    """Return network → its released weights: ``{"span_compact": "span-compact ×2 ×4"}``."""
    from jaxsr import zoo

    found: dict[str, list[str]] = {}
    for name, file in released_files().items():
        found.setdefault(str(zoo.weights.network_of(file)), []).append(name)
    return {network: ", ".join(names) for network, names in found.items()}


def costs(name: str, scale: int) -> tuple[str, str, str]:
    """Return a network's parameters, multiply-adds and how far it sees, as it is run."""
    from jaxsr import zoo
    from jaxsr.networks import count
    from jaxsr.zoo.kinds import CODEC, SEGMENTER, UPSCALER

    kind = zoo.known_kind(name)
    network = kind.create(name, **zoo.options_to_run(name, scale))
    parameters = short(count.parameters(network, *kind.inputs(network)))
    if kind is CODEC:
        return parameters, "", ""
    if kind is UPSCALER:
        multiply_adds, field = count.multiply_adds(network), network.receptive_field
    elif kind is SEGMENTER:
        size = network.side, network.side
        multiply_adds, field = count.multiply_adds_of(network, *kind.inputs(network, size)), None
    else:
        inputs = kind.inputs(network, REGION)
        multiply_adds, field = count.multiply_adds_of(network, *inputs), network.margin
    return parameters, short(multiply_adds), "all" if field is None else f"±{field}"
