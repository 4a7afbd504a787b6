"""Our entropy coder against CompressAI's: same symbols, same scales, same machine, same minutes.

    python benchmarks/entropy_coder.py --torch=PYTHON

`PYTHON` is an interpreter that has torch and compressai (entropy_coder_torch.py runs in it). The
latent is that of a Kodak image: 192 × 32 × 48 Gaussians whose scales vary over channels and
places, rounded, of `--bpp` bits per pixel of 768 × 512. Both sides code it with 64 scales from
0.11 to 256. They take turns, one call a turn, pinned to as many CPUs as they may have threads.
Fails if a symbol comes back wrong.
"""

import argparse
import functools
import math
import statistics
import sys
import tempfile
from pathlib import Path

from side import Side, machine, numbers, print_header, row, serve, take_turns

TORCH_SIDE = Path(__file__).with_name("entropy_coder_torch.py")
SHAPE = (192, 32, 48)
PIXELS = 768 * 512

COLUMNS = (  # heading, width, what it shows
    ("coder", 12, "ours with so many lanes; ×N is N images in one vmap, times for one of them"),
    ("threads", 7, "CPUs and threads of each side"),
    ("bytes", 7, "everything counted"),
    ("over", 6, "% over the ideal, Σ −log₂ p of the symbols under their Gaussians"),
    ("encode", 7, "ms an image, median of the rounds"),
    ("decode", 7, "ms"),
    ("Msym/s", 7, "million symbols a second, encoding"),
    ("Msym/s", 7, "decoding"),
    ("encode", 7, "CompressAI / ours, median over the rounds; its lists are made beforehand"),
    ("decode", 7, "likewise"),
    ("encode", 7, "likewise, with CompressAI's lists made from tensors, as its models do"),
    ("decode", 7, "likewise, with tensors made from lists"),
)


# --- the latent -------------------------------------------------------------------------------


def latent(bpp: float, scales):
    """Return symbols, scale indexes, and the ideal bytes of the symbols."""
    import numpy as np

    rng = np.random.default_rng(0)
    channels = rng.normal(0, 1.3, (SHAPE[0], 1, 1))
    places = smooth(rng.normal(size=SHAPE[1:]))
    spread = channels + 0.7 * places + rng.normal(0, 0.3, SHAPE)
    place = spread.reshape(-1) / math.log(scales[1] / scales[0])
    tables = [log_probabilities(scale) for scale in scales]
    entropy = np.array([-(np.exp2(bits) * bits).sum() for bits in tables])
    low, high = -60.0, 60.0
    for _ in range(40):
        indexes = np.clip(np.round(place + (low + high) / 2), 0, len(scales) - 1).astype(np.int32)
        over = entropy[indexes].sum() > bpp * PIXELS
        low, high = (low, (low + high) / 2) if over else ((low + high) / 2, high)
    symbols = np.round(rng.normal(size=indexes.size) * np.array(scales)[indexes]).astype(np.int32)
    bits = sum(
        -tables[i][symbols[indexes == i] + len(tables[i]) // 2].sum() for i in range(len(scales))
    )
    return symbols, indexes, bits / 8


def smooth(x):
    """Return noise of standard deviation 1 whose neighbours are alike."""
    import numpy as np

    for axis in (0, 1):
        for _ in range(4):
            x = x + np.roll(x, 1, axis) + np.roll(x, -1, axis)
    return (x - x.mean()) / x.std()


def log_probabilities(scale: float):
    """Return log₂ of the probabilities of −m … m of a rounded Gaussian, m far out."""
    import numpy as np

    tail = [math.erfc((k - 0.5) / (scale * math.sqrt(2))) / 2 for k in range(int(8 * scale) + 8)]
    half = np.log2(-np.diff(tail) + 1e-300)
    return np.concatenate([half[:0:-1], half])


# --- our side: a process of its own -----------------------------------------------------------


def prepare_lanes(case: str, lanes: list[int], batch: int):
    """Return calls by name, for every number of lanes, and the bytes of each."""
    import jax
    import numpy as np

    from jaxsr.entropy import rans, tables

    jax.config.update("jax_enable_compilation_cache", False)
    gaussians = tables.gaussian_tables()
    runs, sizes = {}, {}
    with np.load(case) as kept:
        symbols, indexes = (jax.device_put(kept[name]) for name in ("symbols", "indexes"))
    for count in lanes:
        encode = functools.partial(rans.encode, lanes=count)
        decode = functools.partial(rans.decode, lanes=count)
        new = prepare(encode, decode, symbols, indexes, gaussians)
        runs |= {f"{name} {count}": run for name, run in new.items()}
        sizes[f"{count}"] = 2 * int(new["encode"]()[1])
        if batch > 1:
            many = (jax.numpy.stack([x] * batch) for x in (symbols, indexes))
            encode, decode = (
                jax.vmap(call, (*(0,) * arrays, None))
                for call, arrays in ((encode, 2), (decode, 3))
            )
            new = prepare(encode, decode, *many, gaussians)
            runs |= {f"{name} {count}×": run for name, run in new.items()}
    return runs, {"bytes": sizes}


def prepare(encode, decode, symbols, indexes, tables) -> dict:
    """Return compiled calls that wait for their results; symbols checked."""
    import jax

    encode, decode = jax.jit(encode), jax.jit(decode)
    words, length = encode(symbols, indexes, tables)
    words = words[..., : int(length.max()) + 1000]
    decoded, sound = decode(words, length, indexes, tables)
    if not (sound.all() and (decoded == symbols).all()):
        raise SystemExit("our symbols came back wrong")
    return {
        "encode": lambda: jax.block_until_ready(encode(symbols, indexes, tables)),
        "decode": lambda: jax.block_until_ready(decode(words, length, indexes, tables)),
    }


# --- the driver: prepares, takes turns, prints ------------------------------------------------


def measure(flags, case: str, threads: int) -> tuple[dict, dict]:
    """Return the seconds of each round by name, and bytes by coder."""
    ours = Side([sys.executable, __file__, "--serve"], threads)
    theirs = Side([flags.torch, "-W", "ignore", str(TORCH_SIDE)], threads)
    lanes = numbers(flags.lanes)
    answers = {
        ours: ours.ask("prepare", case=case, lanes=lanes, batch=flags.batch),
        theirs: theirs.ask("prepare", case=case),
    }
    names = {side: answer["names"] for side, answer in answers.items()}
    seconds = take_turns(names, flags.rounds)
    for side in answers:
        side.close()
    return seconds[ours] | seconds[theirs], answers[ours]["bytes"] | answers[theirs]["bytes"]


def rows(flags, seconds: dict, sizes: dict, ideal: float, threads: int):
    """Return the cells under ``COLUMNS``, coder by coder."""
    count = math.prod(SHAPE)
    coders = dict.fromkeys(name.split(" ", 1)[1] for name in seconds)
    for coder in coders:
        many = flags.batch if coder.endswith("×") else 1
        size = sizes[coder.rstrip("×")]
        times = {do: [t / many for t in seconds[f"{do} {coder}"]] for do in ("encode", "decode")}
        median = {do: statistics.median(values) for do, values in times.items()}
        speeds = [
            statistics.median(
                b / a for a, b in zip(times[do], seconds[f"{do} {peer}"], strict=True)
            )
            for peer in ("compressai", "+tensors")
            for do in ("encode", "decode")
        ]
        yield [
            f"{coder}{flags.batch}" if many > 1 else coder,
            str(threads),
            str(size),
            f"{100 * (size / ideal - 1):.2f}",
            *(f"{1e3 * median[do]:.2f}" for do in median),
            *(f"{count / median[do] / 1e6:.0f}" for do in median),
            *(f"{speed:.2f}" for speed in speeds),
        ]


def main() -> None:
    flags = parse()
    if flags.serve:
        return serve(int(flags.threads), {"prepare": prepare_lanes})
    import numpy as np

    from jaxsr.entropy.tables import SCALES

    symbols, indexes, ideal = latent(flags.bpp, SCALES)
    about = (
        f"{symbols.size} symbols, ideally {ideal:.0f} bytes, {8 * ideal / PIXELS:.3f} bits a pixel"
    )
    print_header(COLUMNS, f"{machine()}; {about}")
    with tempfile.TemporaryDirectory() as folder:
        case = f"{folder}/case.npz"
        np.savez(case, symbols=symbols, indexes=indexes, scales=SCALES)
        for threads in numbers(flags.threads):
            seconds, sizes = measure(flags, case, threads)
            for cells in rows(flags, seconds, sizes, ideal, threads):
                print(row(cells, COLUMNS), flush=True)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--torch", metavar="PYTHON", help="has torch and compressai")
    parser.add_argument("--bpp", default=0.5, type=float, metavar="BITS")
    parser.add_argument("--lanes", default="16,64,256,1024", metavar="NUMBERS")
    parser.add_argument("--batch", default=8, type=int, metavar="NUMBER")
    parser.add_argument("--threads", default="1,2", metavar="NUMBERS")
    parser.add_argument("--rounds", default=15, type=int, metavar="NUMBER")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    flags = parser.parse_args()
    if not flags.serve and not flags.torch:
        parser.error("--torch is needed")
    return flags


if __name__ == "__main__":
    main()
