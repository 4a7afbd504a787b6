"""Is all well on the accelerator that JAX finds? In under two minutes, beside the same on the CPU.

    python benchmarks/check_accelerator.py [--image=PHOTO] [--out=checks.json]

1. Every network's output, float32 and bfloat16, is that of the CPU, to a share of its range.
2. Files made on the CPU are decoded on the accelerator, and the other way round: the same symbols,
   which the files' check sums tell, and the same pixels, but for steps of one.
3. A training that is killed and resumed ends with the weights of one that was not.
4. Speeds: span-compact ×4, the codec, training with its share of the chip's peaks.

Without an accelerator it compares the CPU with itself. The exit code is 1 where a check fails.
"""

import argparse
import concurrent.futures
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # the training shares the memory

import jax
import jax.numpy as jnp
import numpy as np

import jaxsr
from jaxsr import codec, networks, zoo
from jaxsr.codec.encoding import encode
from jaxsr.zoo.kinds import CODEC, KINDS, UPSCALER, Kind

REPO = Path(__file__).resolve().parents[1]
SIDE = 64  # pixels of the images that networks are compared on
# of the root mean square of the difference to the CPU's float32 output, over that output's spread
TOLERANCE = {"float32": 1e-4, "bfloat16": 3e-2}
FAILED = "FAILED: "
SIZES = (480, 640), (720, 1280)  # of the images that are enlarged
TRAINING = (
    "--config=configs/sr/span_compact.py:4",
    "--config.steps=60",
    "--config.checkpoint_every=20",
    "--config.log_every=20",
    "--config.data.low_crop=16",
    "--config.model.options.blocks=1",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--image", help="a photograph (scikit-image's astronaut)")
    parser.add_argument("--out", help="a JSON file for the figures")
    arguments = parser.parse_args()
    device, cpu = jax.devices()[0], jax.devices("cpu")[0]
    print(f"{device.device_kind}, jax {jax.__version__}", flush=True)
    photo = photo_of(arguments.image)
    found: dict[str, Any] = {"device": device.device_kind, "jax": jax.__version__}
    with tempfile.TemporaryDirectory() as folder:
        checks = {
            "networks": lambda: dict(compared(device, cpu)),
            "codec": lambda: exchanged(photo, device, cpu),
            "resume": lambda: resumed(photo, Path(folder)),
            "speeds": lambda: speeds(photo, device),
        }
        for name, check in checks.items():
            start = time.perf_counter()
            found[name] = check()
            print(f"{name}, {time.perf_counter() - start:.1f} s", flush=True)
            for what, value in found[name].items():
                print(f"  {what:<36} {value}", flush=True)
    if arguments.out:
        Path(arguments.out).write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    results = [pair for name in checks for pair in found[name].items()]
    failed = [what for what, value in results if str(value).startswith(FAILED)]
    print(f"failed: {', '.join(failed)}" if failed else "all is well")
    sys.exit(bool(failed))


def photo_of(path: str | None) -> np.ndarray:
    """Return a photograph as (h, w, 3) uint8."""
    if path:
        from PIL import Image

        return np.asarray(Image.open(path).convert("RGB"))
    import skimage.data

    return skimage.data.astronaut()


# --- networks -----------------------------------------------------------------------------------


def compared(device: jax.Device, cpu: jax.Device) -> Iterator[tuple[str, Any]]:
    """Yield for every network whether its output there is that of the CPU, several at a time."""
    jobs = [
        (kind, name, dtype)
        for kind in KINDS
        if kind is not CODEC
        for name in sorted(kind.networks)
        for dtype in TOLERANCE
    ]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        errors = pool.map(
            error_of, *zip(*jobs, strict=True), len(jobs) * [device], len(jobs) * [cpu]
        )
        for (_, name, dtype), error in zip(jobs, errors, strict=True):
            yield f"{name} {dtype}", told(error <= TOLERANCE[dtype], f"{error:.1e} apart")


def told(fine: bool, text: str) -> str:
    """Return what a check found, marked where that is too much."""
    return text if fine else f"{FAILED}{text}"


def error_of(kind: Kind, name: str, dtype: str, device: jax.Device, cpu: jax.Device) -> float:
    """Return how far a network's output is from the CPU's in float32, as ``TOLERANCE`` has it."""
    of = {"scale": 4} if kind is UPSCALER else {}
    exact, network = (kind.create(name, **of, dtype=jnp.dtype(d)) for d in ("float32", dtype))
    size = (network.side,) * 2 if hasattr(network, "side") else (SIDE, SIDE)
    inputs = kind.inputs(network, size)
    rng = np.random.default_rng(0)
    given = [rng.random(x.shape, np.float32) for x in inputs]
    params = jax.tree.map(
        lambda x: drawn(rng, x.shape), jax.eval_shape(exact.init, jax.random.key(0), *inputs)
    )
    precision = "highest" if dtype == "float32" else None
    expected = run(exact, params, given, cpu, "highest")
    output = run(network, params, given, device, precision)
    return float(np.sqrt(np.mean((output - expected) ** 2)) / np.std(expected))


def drawn(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draw a parameter that halves the size of what passes, as trained residual branches do."""
    fan_in = max(1, int(np.prod(shape[:-1])))
    return (rng.standard_normal(shape) / (2 * np.sqrt(fan_in))).astype(np.float32)


def run(network, params, inputs, device: jax.Device, precision: str | None) -> np.ndarray:
    """Return a network's output, computed on a device."""
    with jax.default_matmul_precision(precision):
        placed = jax.device_put((params, *inputs), device)
        return np.asarray(jax.jit(network.apply)(*placed), np.float32)


# --- codec --------------------------------------------------------------------------------------


def exchanged(photo: np.ndarray, device: jax.Device, cpu: jax.Device) -> dict[str, Any]:
    """Say whether files of either device are decoded on the other, to pixels at most 1 apart."""
    found: dict[str, Any] = {}
    model = codec.load()
    for quality in (20, 80):
        for name, (here, there) in {
            "CPU → there": (cpu, device),
            "there → CPU": (device, cpu),
        }.items():
            with jax.default_device(here):
                data = encode(photo, quality=quality, model=model.on(here))
                own = codec.decode(data, model=model.on(here))
            with jax.default_device(there):
                other = codec.decode(data, model=model.on(there))
            apart = int(np.abs(pixels_of(own) - pixels_of(other)).max())
            what = f"quality {quality}, {name}"
            found[what] = told(apart <= 1, f"{len(data)} bytes, pixels {apart} apart")
    return found


def pixels_of(decoded: Any) -> np.ndarray:
    """Return what was decoded as numbers that can be subtracted."""
    return np.asarray(getattr(decoded, "image", decoded)).astype(int)


# --- training -----------------------------------------------------------------------------------


def resumed(photo: np.ndarray, folder: Path) -> dict[str, Any]:
    """Say whether a killed and resumed training ends as one that was not killed."""
    from PIL import Image

    (folder / "photos").mkdir()
    Image.fromarray(photo).save(folder / "photos" / "photo.png")
    train(folder, "whole")
    killed = train(folder, "killed", kill_after="step 40")
    train(folder, "killed")
    ends = [json.loads(line) for line in (folder / "whole/metrics.jsonl").open()]
    again = [json.loads(line) for line in (folder / "killed/metrics.jsonl").open()]
    losses = ends[-1]["loss"], again[-1]["loss"]
    speed = {name: ends[-1][name] for name in ("examples/s", "TFLOP/s", "MFU") if name in ends[-1]}
    checks = {
        "killed after 40 steps": told(killed, "yes" if killed else "no"),
        "loss after 60, whole and resumed": told(
            losses[0] == losses[1], f"{losses[0]}, {losses[1]}"
        ),
    }
    return checks | speed


def train(folder: Path, name: str, kill_after: str = "") -> bool:
    """Run train.py; kill it once it prints ``kill_after``. Return True if it was."""
    command = [sys.executable, "train.py", *TRAINING, f"--workdir={folder / name}"]
    command.append(f"--config.data.source=folder:{folder / 'photos'}")
    process = subprocess.Popen(
        command, cwd=REPO, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if kill_after and line.startswith(kill_after):
            process.kill()
    if process.wait() and not kill_after:
        sys.exit("".join(lines))
    return process.returncode < 0


# --- speeds -------------------------------------------------------------------------------------


def speeds(photo: np.ndarray, device: jax.Device) -> dict[str, Any]:
    """Return images a second, compiling left out."""
    found: dict[str, Any] = {}
    weights = zoo.read_upscaler("span-compact", 4)
    network = networks.create(weights.network, **weights.options, dtype=jnp.bfloat16)
    params = jax.device_put({"params": weights.params}, device)
    apply = jax.jit(network.apply)
    for height, width in SIZES:
        x = jax.device_put(resized(photo, height, width)[None] / np.float32(255), device)
        seconds = timed(lambda x=x: jax.block_until_ready(apply(params, x)))
        found[f"span-compact {width}×{height} → ×4, images/s"] = round(1 / seconds, 2)
    frame = np.round(resized(photo, 1080, 1920)).astype(np.uint8)
    data = jaxsr.codec.encode(frame)
    found["codec, 1920×1080, files/s written"] = round(1 / timed(lambda: codec.encode(frame)), 2)
    found["codec, 1920×1080, files/s read"] = round(1 / timed(lambda: codec.decode(data)), 2)
    return found


def resized(photo: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return the photograph tiled to a size, as float32 of 0 to 255."""
    times = -(-height // photo.shape[0]), -(-width // photo.shape[1]), 1
    return np.tile(photo, times)[:height, :width].astype(np.float32)


def timed(call: Callable[[], Any], budget: float = 3.0) -> float:
    """Return the seconds of the fastest call within a budget, after one that warms up."""
    call()
    best, start = float("inf"), time.perf_counter()
    while time.perf_counter() - start < budget:
        before = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - before)
    return best


if __name__ == "__main__":
    main()
