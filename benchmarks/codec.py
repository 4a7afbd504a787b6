"""Our codec's complete files against CompressAI's bmshj2018-hyperprior: same image, same minutes.

    python benchmarks/codec.py --torch=PYTHON --image=PHOTO

`PYTHON` is an interpreter that has torch and compressai (codec_torch.py runs in it); without it
only ours is timed. Both sides are pinned to as many CPUs as they may have threads and take turns,
one call a turn, so that whatever else the machine does hits both alike.

CompressAI's weights are random (N=128, M=192: qualities 1 to 5), for they are not in its package.
Its networks take the same time with any weights; its coder has fewer bits to write than for a real
file, which is in its favour. Networks and coder are therefore also timed apart.

Then, in a fresh process for each: how time and memory grow with the image, which is the photo
tiled; and how long the first file takes, with and without XLA's cache on disk.
"""

import argparse
import math
import statistics
import sys
import tempfile
import time
from pathlib import Path

from side import Side, machine, serve, take_turns

TORCH_SIDE = Path(__file__).with_name("codec_torch.py")
SIZE = (512, 768)  # of the image both sides code
CUT = (1024, 1024), (1040, 1040), (512, 2048)  # one tile, one that is little larger, two
PAUSE = 0.02  # seconds between turns: idle OpenMP threads go on spinning for a while

ENCODING = {  # our stages
    "analysis": "pixels → latents",
    "symbols": "hyper-networks, σ indexes, means, rounding",
    "write": "rANS and the check of symbols",
    "pack": "the file around it, with its CRC",
}
DECODING = {
    "parse": "the file taken apart, its CRC",
    "read": "rANS, σ indexes, the check of symbols",
    "latents": "means and gains",
    "synthesis": "latents → pixels",
}
THEIR_ENCODING = {
    "analysis": "g_a",
    "hyper, encoding": "h_a and h_s",
    "write": "both coders, with lists made from tensors as compress does",
}
THEIR_DECODING = {
    "read": "both coders, with tensors made from lists",
    "hyper, decoding": "h_s",
    "synthesis": "g_s",
}


# --- our side ---------------------------------------------------------------------------------


def prepare(pixels: str, model: str, quality: int, stages: bool):
    """Return calls by name, and the file's bytes; how long the first calls took."""
    import numpy as np

    from jaxsr import codec

    image, network = np.load(pixels), codec.load(model)
    runs = {
        "encode": lambda: codec.encode(image, quality, model=network),
        "decode": lambda: codec.decode(data, model=network),
    }
    start = time.perf_counter()
    data = runs["encode"]()
    encoded = time.perf_counter()
    runs["decode"]()
    first = [encoded - start, time.perf_counter() - encoded]
    answer = {"bytes": len(data), "first": first, "tiles": codec.info(data).tiles}
    if stages:
        runs |= stages_of(network, image, data)
        for run in runs.values():
            run()
    return runs, answer


def stages_of(model, pixels, data: bytes) -> dict:
    """Return calls of every stage by name; the image is one tile of whole latents, no region."""
    import jax
    import numpy as np

    from jaxsr.codec import container, symbols, tiles

    place = tiles.places(*pixels.shape[:2])[0]
    file = container.parse(data)
    rate = model.rate(file.header.level)
    region = np.zeros(place.canvas[2:], np.int32)
    latents = model.analyse(pixels)
    coded, bits = model.symbols(latents, rate, region, place.size)
    decoded = model.decoded_latents(coded, rate, region, place.size)
    return {
        "analysis": lambda: model.analyse(pixels).block_until_ready(),
        "symbols": lambda: jax.block_until_ready(model.symbols(latents, rate, region, place.size)),
        "write": lambda: symbols.write(model, coded, rate, region, place.size, float(bits)),
        "pack": lambda: container.pack(file),
        "parse": lambda: container.parse(data),
        "read": lambda: symbols.read(model, file.tiles[0], rate, region, place.size, "the tile"),
        "latents": lambda: model.decoded_latents(
            coded, rate, region, place.size
        ).block_until_ready(),
        "synthesis": lambda: np.asarray(model.synthesise(decoded, rate, region)),
    }


def prepare_batch(pixels: str, model: str, quality: int, images: int):
    """Return calls that code so many images' symbols at once: the photo turned and mirrored."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    from jaxsr import codec
    from jaxsr.codec import symbols, tiles
    from jaxsr.entropy import rans

    image, network = np.load(pixels), codec.load(model)
    place = tiles.places(*image.shape[:2])[0]
    rate = network.rate(codec.level_of(quality))
    region = np.zeros(place.canvas[2:], np.int32)
    variants = [image[:: 1 - 2 * (i & 1), :: 1 - (i & 2), :] for i in range(images)]
    variants = [np.roll(x, 16 * (i // 4), 1) for i, x in enumerate(variants)]
    coded = [
        network.symbols(network.analyse(np.ascontiguousarray(x)), rate, region, place.size)
        for x in variants
    ]
    lanes = symbols.write(network, coded[0][0], rate, region, place.size, float(coded[0][1])).lanes
    batch = jax.tree.map(lambda *x: jnp.stack(x), *(one for one, _ in coded))
    encoder, decoder = symbols._encoder(network, lanes), symbols._decoder(network, lanes)
    encode = jax.jit(jax.vmap(encoder, (0, None, None)))
    decode = jax.jit(jax.vmap(decoder, (0, 0, None, None, None)))
    words, lengths = encode(batch, rate.anchor, place.size)
    longest = 2 ** math.ceil(math.log2(int(lengths.max())))
    words = words[:, :longest]
    back, sound = decode(words, lengths, rate, region, place.size)
    if not sound.all() or (back.residual != batch.residual).any():
        raise SystemExit("the batch's symbols came back wrong")
    one = jax.tree.map(lambda x: x[0], batch)
    single = words[0], int(lengths[0])
    alone = rans.to_bytes(*encoder(one, rate.anchor, place.size))
    if alone != rans.to_bytes(words[0], lengths[0]):
        raise SystemExit("an image's stream in a batch is not the one it has alone")
    runs = {
        "encode 1": lambda: encoder(one, rate.anchor, place.size),
        "decode 1": lambda: decoder(*single, rate, region, place.size),
        f"encode {images}": lambda: encode(batch, rate.anchor, place.size),
        f"decode {images}": lambda: decode(words, lengths, rate, region, place.size),
    }
    runs = {name: lambda run=run: jax.block_until_ready(run()) for name, run in runs.items()}
    for run in runs.values():
        run()
    return runs, {"lanes": lanes}


# --- the driver -------------------------------------------------------------------------------


def our_side(threads: int, cache: str = "", devices: int = 1) -> Side:
    """Start our side with so many CPU devices; XLA keeps what it compiles in ``cache``."""
    kept = {
        "JAX_NUM_CPU_DEVICES": str(devices),
        "JAX_ENABLE_COMPILATION_CACHE": "true" if cache else "false",
        "JAX_COMPILATION_CACHE_DIR": cache,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.1",  # as the command line has it
    }
    return Side([sys.executable, __file__, "--serve"], threads, **kept)


def compare(arguments: argparse.Namespace, pixels: str) -> None:
    """Time the whole file on both sides, and every stage."""
    ours = our_side(arguments.threads)
    request = {"pixels": pixels, "model": arguments.model}
    prepared = ours.ask("prepare", **request, quality=arguments.quality, stages=True)
    sides = {ours: prepared["names"]}
    bytes_ = f"ours {prepared['bytes']} bytes at quality {arguments.quality}"
    if arguments.torch:
        theirs = Side([arguments.torch, str(TORCH_SIDE)], arguments.threads)
        answer = theirs.ask("prepare", pixels=pixels)
        sides[theirs] = answer["names"]
        bytes_ += f"; CompressAI {answer['bytes']}, random weights"
    print(f"768×512, {arguments.threads} threads, {bytes_}\n")
    seconds = take_turns(sides, arguments.rounds, PAUSE)
    for side in sides:
        side.close()
    ms = [{n: statistics.median(t) * 1e3 for n, t in seconds[side].items()} for side in sides]
    print(
        f"{'ms, median':<18} {'ours':>8}" + bool(arguments.torch) * f" {'theirs':>8} {'speed':>6}"
    )
    for what in ("encode", "decode"):
        line = f"{what:<18} {ms[0][what]:8.1f}"
        if arguments.torch:
            pairs = zip(seconds[theirs][what], seconds[ours][what], strict=True)
            line += f" {ms[1][what]:8.1f} {statistics.median(a / b for a, b in pairs):6.1f}"
        print(line)
    stages(ms[0], "our", ENCODING, DECODING)
    if arguments.torch:
        stages(ms[1], "CompressAI's", THEIR_ENCODING, THEIR_DECODING)
    print(flush=True)


def stages(ms: dict[str, float], whose: str, *groups: dict[str, str]) -> None:
    for group, what in zip(groups, ("encoding", "decoding"), strict=True):
        print(f"\n{whose} stages of {what}, ms")
        for name, meaning in group.items():
            print(f"  {name.split(',')[0]:<16} {ms[name]:8.1f}  {meaning}")


def batches(arguments: argparse.Namespace, pixels: str) -> None:
    """Time the entropy coder over several images at once."""
    side = our_side(arguments.threads)
    request = {"pixels": pixels, "model": arguments.model, "quality": arguments.quality}
    answer = side.ask("prepare batch", **request, images=arguments.batch)
    seconds = take_turns({side: answer["names"]}, arguments.rounds, PAUSE)[side]
    side.close()
    print(f"entropy coder under vmap, {answer['lanes']} lanes: ms an image, images a second")
    for name, values in seconds.items():
        one = statistics.median(values) / int(name.split()[1])
        print(f"  {name:<16} {one * 1e3:8.1f} {1 / one:8.1f}")
    print(flush=True)


def growth(arguments: argparse.Namespace, photo, folder: str) -> None:
    """Print seconds and memory over the size, each in a fresh process."""
    print("the photo tiled; seconds, the fastest of three; MiB: the process's peak, all counted;")
    heading = ("MP", "tiles", "bytes", "encode", "decode", "s/MP", "s/MP", "MiB")
    print(" ".join(f"{name:>8}" for name in heading))
    for megapixels in map(float, arguments.megapixels.split(",")):
        path = tiled(photo, *size_of(megapixels), folder)
        side = our_side(arguments.threads)
        request = {"pixels": path, "model": arguments.model, "quality": arguments.quality}
        answer = side.ask("prepare", **request, stages=False)
        encode, decode = (
            min(side.ask("time", name=name) for _ in range(3)) for name in ("encode", "decode")
        )
        cells = [f"{megapixels:8.2f}", f"{answer['tiles']:8d}", f"{answer['bytes']:8d}"]
        cells += [f"{x:8.3f}" for x in (encode, decode, encode / megapixels, decode / megapixels)]
        print(" ".join([*cells, f"{side.ask('memory'):8.0f}"]), flush=True)
        side.close()
    print(flush=True)


def size_of(megapixels: float) -> tuple[int, int]:
    """Return height and width, as 2 to 3, of an image of so many megapixels."""
    area = megapixels * 1e6
    return round(math.sqrt(area * 2 / 3)), round(math.sqrt(area * 3 / 2))


def tiled(photo, height: int, width: int, folder: str) -> str:
    """Write the photo, repeated to fill so many pixels; return the file's path."""
    import numpy as np

    times = -(-height // photo.shape[0]), -(-width // photo.shape[1]), 1
    path = f"{folder}/{height}x{width}.npy"
    np.save(path, np.tile(photo, times)[:height, :width])
    return path


def cutting(arguments: argparse.Namespace, photo, folder: str) -> None:
    """Time images of about a megapixel in one tile and in two, in turns, on one core."""
    request = {"model": arguments.model, "quality": arguments.quality, "stages": False}
    sides, counts = {size: our_side(1) for size in CUT}, {}
    for size, side in sides.items():
        answer = side.ask("prepare", pixels=tiled(photo, *size, folder), **request)
        counts[size] = answer["tiles"]
    names = ["encode", "decode"]
    seconds = take_turns(dict.fromkeys(sides.values(), names), arguments.rounds)
    print("one core; ms a megapixel, and times those of the first")
    per_pixel = {
        size: [min(seconds[side][name]) / math.prod(size) * 1e9 for name in names]
        for size, side in sides.items()
    }
    for (height, width), (encode, decode) in per_pixel.items():
        first = per_pixel[CUT[0]]
        cells = f"{encode:8.1f} {encode / first[0]:5.2f} {decode:8.1f} {decode / first[1]:5.2f}"
        print(f"  {width}×{height}, tiles: {counts[height, width]}   {cells}")
    print(flush=True)
    for side in sides.values():
        side.close()


def sharing(arguments: argparse.Namespace, photo, folder: str) -> None:
    """Time the largest image on one core, and on all as one device and as many, in turns."""
    megapixels = max(map(float, arguments.megapixels.split(",")))
    path = tiled(photo, *size_of(megapixels), folder)
    request = {"pixels": path, "model": arguments.model, "quality": arguments.quality}
    cores = arguments.threads
    sides = [our_side(threads, devices=n) for threads, n in ((1, 1), (cores, 1), (cores, cores))]
    sizes = {side.ask("prepare", **request, stages=False)["bytes"] for side in sides}
    names = ["encode", "decode"]
    seconds = take_turns(dict.fromkeys(sides, names), min(3, arguments.rounds))
    print(f"{megapixels:g} MP, s: one core; {cores} cores as one device; as {cores}: times as fast")
    for name in names:
        one, shared, apart = (min(seconds[side][name]) for side in sides)
        print(f"  {name:<16} {one:8.2f} {shared:8.2f} {apart:8.2f} {one / apart:8.2f}")
    print(f"  files of {' and '.join(map(str, sizes))} bytes\n", flush=True)
    for side in sides:
        side.close()


def first_file(arguments: argparse.Namespace, pixels: str, folder: str) -> None:
    """Print how long a new user waits."""
    print("first file of a process, s: encode, decode (compiling included, imports not)")
    for when in ("nothing cached", "cached on disk"):
        side = our_side(arguments.threads, f"{folder}/cache")
        request = {"pixels": pixels, "model": arguments.model, "quality": arguments.quality}
        encode, decode = side.ask("prepare", **request, stages=False)["first"]
        side.close()
        print(f"  {when:<16} {encode:8.2f} {decode:8.2f}", flush=True)


def photo_of(path: str | None):
    """Return the image both sides code: its middle, enlarged only if it is too small for that."""
    import numpy as np
    from PIL import Image

    if path:
        image = Image.open(path).convert("RGB")
    else:
        import skimage.data

        image = Image.fromarray(skimage.data.astronaut())
    height, width = SIZE
    if image.height > image.width:
        image = image.transpose(Image.Transpose.ROTATE_90)
    factor = max(1, width / image.width, height / image.height)
    image = image.resize((round(image.width * factor), round(image.height * factor)))
    top, left = (image.height - height) // 2, (image.width - width) // 2
    return np.asarray(image)[top : top + height, left : left + width]


def main() -> None:
    arguments = parse()
    if arguments.serve:
        return serve(arguments.threads, {"prepare": prepare, "prepare batch": prepare_batch})
    import numpy as np

    print(machine())
    photo = photo_of(arguments.image)
    with tempfile.TemporaryDirectory() as folder:
        pixels = f"{folder}/photo.npy"
        np.save(pixels, photo)
        compare(arguments, pixels)
        if arguments.batch > 1:
            batches(arguments, pixels)
        if arguments.megapixels:
            cutting(arguments, photo, folder)
            growth(arguments, photo, folder)
            sharing(arguments, photo, folder)
        first_file(arguments, pixels, folder)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--torch", metavar="PYTHON", help="an interpreter that has CompressAI")
    parser.add_argument("--image", metavar="PHOTO", help="(scikit-image's astronaut, enlarged)")
    parser.add_argument("--model", default="patch-hyperprior", metavar="NAME|FILE")
    parser.add_argument("--quality", default=50, type=int, metavar="N")
    parser.add_argument("--threads", default=2, type=int, metavar="NUMBER")
    parser.add_argument("--rounds", default=9, type=int, metavar="NUMBER")
    parser.add_argument("--batch", default=8, type=int, metavar="IMAGES", help="1: leave that out")
    parser.add_argument(
        "--megapixels", default="0.25,1,4,9,25", metavar="NUMBERS", help="'': leave that out"
    )
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
