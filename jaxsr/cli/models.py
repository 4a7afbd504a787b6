"""``jaxsr models``: which networks there are, what they cost, and which have released weights."""

import argparse

from jaxsr.cli.report import short

CODEC_ROW = "{:<22} {:>10}   {}"
ROW = "{:<14} {:>10} {:>13} {:>6}   {}"


def add(commands) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "models",
        help="list the networks and the released weights",
        description="Parameters; multiply-adds for an output of 1280×720, attention's included; and "
        "how far an output pixel sees, in low-resolution pixels.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these networks")
    parser.add_argument("--scale", type=int, choices=(2, 3, 4), default=4, help="costs at (4)")
    return parser


def run(arguments: argparse.Namespace) -> int:
    from jaxsr import networks

    released = released_by_network()
    if codecs := sorted(set(arguments.names or networks.COMPRESSORS) & set(networks.COMPRESSORS)):
        print(CODEC_ROW.format("codec", "parameters", "released weights"))
        for name in codecs:
            print(CODEC_ROW.format(name, short(codec_parameters(name)), released.get(name, "-")))
        print(
            "\nOne model each for all rates. jaxsr compress takes released weights, --model others.\n"
        )
    names = [n for n in arguments.names or sorted(networks.UPSCALERS) if n not in codecs]
    if not names:
        return 0
    print(ROW.format("network", "parameters", "multiply-adds", "sees", "released weights"))
    for name in names:  # one by one: the large networks take seconds to count
        print(ROW.format(*costs(name, arguments.scale), released.get(name, "-")), flush=True)
    print(
        f"\nCosts at ×{arguments.scale}; all are built for ×2, ×3 and ×4. Released weights are taken "
        "by --model NAME,\nothers by --model FILE.safetensors (see jaxsr convert)."
    )
    return 0


def released_by_network() -> dict[str, str]:
    """Network → its released weights: ``{"span_compact": "span-compact ×2 ×4"}``."""
    from jaxsr import zoo
    from jaxsr.codec import weights as codec_weights
    from jaxsr.zoo import weights

    found: dict[str, list[str]] = {}
    for name, files in zoo.available().items():
        network = weights.load(next(iter(files.values()))).network
        found.setdefault(network, []).append(" ".join([name, *(f"×{scale}" for scale in files)]))
    for name in codec_weights.available():
        found.setdefault(codec_weights.load(name).name, []).append(name)
    return {network: ", ".join(names) for network, names in found.items()}


def codec_parameters(name: str) -> int:
    import jax
    import numpy as np

    from jaxsr import networks

    images = np.zeros((1, 128, 128, 3), np.float32), np.zeros(1), np.zeros((1, 8, 8))
    network = networks.create_compressor(name)
    key = jax.random.key(0)
    params = jax.eval_shape(network.init, key, *images, key)["params"]
    return sum(array.size for array in jax.tree.leaves(params))


def costs(name: str, scale: int) -> tuple[str, str, str, str]:
    """A network's name, parameters, multiply-adds and receptive field, in the form that is run."""
    from jaxsr import networks, zoo
    from jaxsr.networks import count

    folded = {"folded": True} if zoo.has_folded_form(name) else {}
    network = networks.create(name, scale=scale, **folded)
    field = network.receptive_field
    return (
        name,
        short(count.parameters(network)),
        short(count.multiply_adds(network)),
        "all" if field is None else f"±{field}",
    )
