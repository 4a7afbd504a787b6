"""``jaxsr models``: which networks there are, what they cost, and which have released weights."""

import argparse
from pathlib import Path

from jaxsr.cli.report import short
from jaxsr.errors import UserError

ROW = "{:<21} {:>10} {:>13} {:>6}   {}"
REGION = 736, 1280  # height and width: an image of 1280×720 in whole windows of attention
NOTES = {
    "upscaler": "Costs at ×{scale} for an output of 1280×720; all are built for ×2, ×3 and ×4.",
    "segmenter": "Costs for an image of any size; it is brought to the network's own.",
    "restorer": "Costs for a region of 1280×720, features of an upscaler aside.",
    "codec": "One model each for all rates.",
}


def add(commands: argparse._SubParsersAction) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "models",
        help="list the networks and the released weights",
        description="Lists parameters; multiply-adds, attention's included; and how far an output "
        "pixel sees, in pixels of the input.",
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="list only the networks of these names, or of released weights of these names",
    )
    parser.add_argument(
        "--scale",
        type=int,
        choices=(2, 3, 4),
        default=4,
        help="the scale for which the costs of upscalers are counted (default: 4)",
    )
    return parser


def run(arguments: argparse.Namespace) -> int:
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
        files[" ".join([name, *(f"×{scale}" for scale in scales)])] = next(iter(scales.values()))
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
    options = {"scale": scale} if kind is UPSCALER else {}
    options |= {"folded": True} if zoo.has_folded_form(name) else {}
    network = kind.create(name, **options)
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
