"""``jaxsr models``: which networks there are, what they cost, and which have released weights."""

import argparse

from jaxsr.cli.report import short

ROW = "{:<22} {:>10} {:>13} {:>5}   {}"
CODEC_ROW = "{:<22} {:>10}   {}"


def add(commands) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "models",
        help="list the networks and the released weights",
        description="Parameters; multiply-adds, attention's included: of upscalers for an output of "
        "1280×720, of segmenters for any image, of restorers for a region of 1280×720; and how far an "
        "output pixel sees, in pixels of the input.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these networks")
    parser.add_argument("--scale", type=int, choices=(2, 3, 4), default=4, help="costs at (4)")
    return parser


def run(arguments: argparse.Namespace) -> int:
    from jaxsr.zoo import kinds

    check_known(arguments.names)
    released = released_by_network()
    for kind in kinds.KINDS:
        names = [name for name in sorted(kind.networks) if name in (arguments.names or (name,))]
        if not names:
            continue
        row = CODEC_ROW if kind is kinds.CODEC else ROW
        title = kind.name.split()[-1]
        columns = ["parameters"] if kind is kinds.CODEC else ["parameters", "multiply-adds", "sees"]
        print(row.format(title, *columns, "released weights"))
        for name in names:  # one by one: the large networks take seconds to count
            costs = COSTS[kind.name](kind, name, arguments.scale)
            print(row.format(name, *costs, released.get(name, "-")), flush=True)
        print()
    print(
        f"Upscalers at ×{arguments.scale}; all are built for ×2, ×3 and ×4. A codec is one model for all "
        "rates.\nReleased weights are taken by --model NAME, others by --model FILE.safetensors "
        "(see jaxsr convert)."
    )
    return 0
