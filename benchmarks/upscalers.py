"""Our upscalers against PyTorch's: same weights, same machine, same minutes.

    python benchmarks/upscalers.py --torch=PYTHON --peers=DIR
    python benchmarks/upscalers.py --torch=PYTHON --networks=rrdb,compact,swinir,dat,hat,nafnet \\
        --sizes=64,128 --rounds=3

`PYTHON` is an interpreter that has torch and spandrel (see parity_torch.py). PAN and RLFN have
their published weights, from DIR; the others, at their published sizes, random ones. Each side runs
in a process of its own, pinned to as many CPUs as it may have threads before it loads anything (XLA
sizes its pool by them). The sides take turns, one image a turn, so that whatever else the machine
does hits both alike.
"""

import argparse
import copy
import ctypes
import functools
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from side import Side, machine, numbers, print_header, row, serve, take_turns

SCALE = 4
CHECKPOINTS = {"pan": "pan/PANx4_DF2K.pth", "rlfn": "rlfn/rlfn_x4.pth"}
TOLERANCE = 1e-4  # between the outputs of the two sides, of the range of PyTorch's
PAUSE = 0.02  # seconds between turns: idle OpenMP threads go on spinning for a while

COLUMNS = (  # heading, width, what it shows
    ("network", 7, f"at ×{SCALE}; nafnet at ×1"),
    ("input", 6, "side of the square low-resolution image, pixels"),
    ("threads", 7, "CPUs and threads of each side"),
    ("whole", 8, "ms an image, median of the rounds: ours, the image whole on one device"),
    ("ours", 8, "ms: ours as users run it: in tiles over as many devices as threads"),
    ("nchw", 8, "ms: PyTorch, contiguous"),
    ("nhwc", 8, "ms: PyTorch, channels last"),
    ("speed", 6, "the better PyTorch / ours, median over the rounds: above 1 we are faster"),
    ("MP/s", 6, "ours: megapixels of output a second"),
    ("compile", 7, "s: XLA, no cache"),
    ("whole", 6, "MiB by which resident memory grows during an image: ours, whole"),
    ("ours", 6, "MiB: ours as users run it"),
    ("torch", 6, "MiB: the faster PyTorch"),
    ("differ", 7, "largest difference between the outputs, of the range of PyTorch's"),
)


# --- a side: one process, one framework -----------------------------------------------------------


def prepare(size: int, output: str, framework: str, threads: int, **case):
    """Return a side's runs by name; what each makes of the image is kept in ``output``."""
    import numpy as np

    runs, answer = {"jax": prepare_jax, "torch": prepare_torch}[framework](
        waves(size), threads=threads, **case
    )
    for name, run in runs.items():
        np.save(f"{output}/{name}.npy", run())
    return runs, answer


def waves(side: int):
    """Return a smooth RGB image in [0, 1]: white noise makes PAN, which never saw any, overflow."""
    import numpy as np

    y, x, c = np.ogrid[:side, :side, :3]
    return (0.5 + 0.4 * np.sin(x / 5 + c) * np.cos(y / 7 - c)).astype(np.float32)


def memory_growth(run) -> float:
    """Return by how many MiB the peak resident memory grows in ``run()`` (Linux and glibc)."""

    def resident(field):
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith(field)) / 1024

    ctypes.CDLL(None).malloc_trim(0)  # memory kept for reuse goes back, or it would hide the growth
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts anew from here
    before = resident("VmRSS")
    run()
    return resident("VmHWM") - before


def prepare_jax(image, *, network, checkpoint, threads):
    """Return our runs: the image whole on one device, and as users run it."""
    import jax
    import numpy as np

    from jaxsr import networks
    from jaxsr.tiling.upscaling import TiledUpscaler
    from jaxsr.zoo.convert import convert
    from jaxsr.zoo.pytorch import read_checkpoint

    jax.config.update("jax_enable_compilation_cache", False)
    weights = convert(read_checkpoint(checkpoint))
    model = networks.create(weights.network, **weights.options)
    variables = {"params": jax.device_put(weights.params)}
    start = time.perf_counter()
    compiled = jax.jit(model.apply).lower(variables, image[None]).compile()
    seconds = time.perf_counter() - start
    tiled = TiledUpscaler(model, weights.params)
    runs = {
        "whole": lambda: np.asarray(compiled(variables, image[None]))[0],
        "ours": lambda: tiled([image])[0],
    }
    return runs, {"compile": seconds}


def prepare_torch(image, *, network, checkpoint, threads):
    """Return PyTorch's runs: contiguous and channels-last memory."""
    import parity_torch
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    model = torch_network(parity_torch, network)
    if network in CHECKPOINTS:
        model.load_state_dict(torch.load(checkpoint, map_location="cpu", weights_only=True))
    else:
        torch.save(model.state_dict(), checkpoint)
    model.eval()
    runs = {}
    for name, layout in [("nchw", torch.contiguous_format), ("nhwc", torch.channels_last)]:
        there = copy.deepcopy(model).to(memory_format=layout)
        x = torch.from_numpy(image).permute(2, 0, 1)[None].contiguous(memory_format=layout)

        def run(model=there, x=x):
            with torch.inference_mode():
                return model(x)[0].permute(1, 2, 0).numpy()

        runs[name] = run
    return runs, {}


def torch_network(code, network: str):
    """Build a network of PyTorch at its published size; DAT is DAT-S, NAFNet that for noise, 32."""
    wide = {"upscale": SCALE, "embed_dim": 180, "num_heads": [6] * 6}
    swin = wide | {"depths": [6] * 6, "mlp_ratio": 2, "upsampler": "pixelshuffle"}
    networks = {
        "pan": lambda: code.PAN(features=40, head=24, blocks=16),
        "rlfn": lambda: code.RLFN(SCALE, features=52, attention=16),
        "rrdb": lambda: code.ESRGAN(scale=SCALE),
        "compact": lambda: code.Compact(upscale=SCALE),
        "swinir": lambda: code.SwinIR(window_size=8, **swin),
        "dat": lambda: code.DAT(depth=[6] * 6, split_size=[8, 16], expansion_factor=2, **wide),
        "hat": lambda: code.HAT(window_size=16, **swin),
        "nafnet": lambda: code.NAFNet(
            width=32, enc_blk_nums=[2, 2, 4, 8], middle_blk_num=12, dec_blk_nums=[2, 2, 2, 2]
        ),
    }
    return networks[network]()


# --- the driver: prepares, takes turns, prints ----------------------------------------------------


def measure(ours: Side, theirs: Side, rounds: int, **case) -> dict:
    """Measure a network at one size: compare both sides, time them in turns, weigh them."""
    with tempfile.TemporaryDirectory() as folder:
        case.setdefault("checkpoint", f"{folder}/random.pth")  # which PyTorch writes
        prepared = {side: side.ask("prepare", output=folder, **case) for side in (theirs, ours)}
        difference = largest_difference(Path(folder))
    names = {side: answer["names"] for side, answer in prepared.items()}
    seconds = take_turns(names, rounds, PAUSE)
    return {
        "seconds": seconds[ours] | seconds[theirs],
        "memory": {n: side.ask("memory", name=n) for side in names for n in names[side]},
        "compile": prepared[ours]["compile"],
        "difference": difference,
    }


def largest_difference(folder: Path) -> float:
    """Return the largest difference between PyTorch's output and ours of the whole image.

    Raises:
      SystemExit: they are not the same network.
    """
    import numpy as np

    ours, theirs = (np.load(folder / f"{name}.npy") for name in ("whole", "nchw"))
    difference = float(np.abs(ours - theirs).max() / np.ptp(theirs))
    if difference > TOLERANCE:
        raise SystemExit(f"the outputs differ by {difference:.1e}: not the same network")
    return difference


def cells_of(case: dict, measured: dict) -> list[str]:
    """Return the cells under ``COLUMNS``."""
    seconds, memory = measured["seconds"], measured["memory"]
    median = {name: statistics.median(values) for name, values in seconds.items()}
    best = min(("nchw", "nhwc"), key=lambda name: median[name])
    speed = statistics.median(
        theirs / ours for theirs, ours in zip(seconds[best], seconds["ours"], strict=True)
    )
    scale = 1 if case["network"] == "nafnet" else SCALE
    megapixels = (case["size"] * scale) ** 2 / 1e6

    def cell(values, name, factor):
        return f"{values[name] * factor:.1f}" if name in values else "-"

    return [
        case["network"],
        f"{case['size']}²",
        str(case["threads"]),
        *(cell(median, name, 1e3) for name in ("whole", "ours", "nchw", "nhwc")),
        f"{speed:.2f}",
        f"{megapixels / median['ours']:.2f}",
        f"{measured['compile']:.1f}",
        *(cell(memory, name, 1) for name in ("whole", "ours", best)),
        f"{measured['difference']:.0e}",
    ]


def main() -> None:
    arguments = parse()
    if arguments.serve:
        side = {"framework": arguments.serve, "threads": int(arguments.threads)}
        return serve(
            side["threads"], {"prepare": functools.partial(prepare, **side)}, memory_growth
        )
    print_header(COLUMNS, machine())
    for threads in numbers(arguments.threads):
        devices = {"JAX_NUM_CPU_DEVICES": str(threads)}
        ours = Side([sys.executable, __file__, "--serve=jax"], threads, **devices)
        theirs = Side([arguments.torch, __file__, "--serve=torch"], threads)
        for network in arguments.networks.split(","):
            for size in numbers(arguments.sizes):
                case = {"network": network, "size": size}
                if network in CHECKPOINTS:
                    case["checkpoint"] = os.path.join(arguments.peers, CHECKPOINTS[network])
                measured = measure(ours, theirs, arguments.rounds, **case)
                print(row(cells_of({**case, "threads": threads}, measured), COLUMNS), flush=True)
        ours.close()
        theirs.close()


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--torch", metavar="PYTHON", help="an interpreter that has PyTorch")
    parser.add_argument("--peers", metavar="DIR", help="the folder with the published weights")
    parser.add_argument("--networks", default="pan,rlfn", metavar="NAMES")
    parser.add_argument("--sizes", default="64,128,256,512", metavar="PIXELS")
    parser.add_argument("--threads", default="1,2", metavar="NUMBERS")
    parser.add_argument("--rounds", default=7, type=int, metavar="NUMBER")
    parser.add_argument("--serve", choices=("jax", "torch"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    published = CHECKPOINTS.keys() & set(arguments.networks.split(","))
    if not arguments.serve and not (arguments.torch and (arguments.peers or not published)):
        parser.error("--torch is needed and, for pan and rlfn, --peers")
    return arguments


if __name__ == "__main__":
    main()
