"""Which start, width and update make the better codec? Short trainings of equal length.

    python benchmarks/codec_study.py --photos=DIR[,DIR] --test=KODAK [--steps=1200] [--only=NAMES]

Every variant trains from the same seed on the same crops, and goes on where it was stopped. Printed
are, on every fourth image of the test folder, the BD-rate against the first release's recipe, by
the bits that training estimates; blockiness at lines of 8 and of 16 pixels, at the lower rates
(originals have 1.00); and milliseconds of the two transforms for 768×512 pixels. Results are kept
in the working directory, which ``--workdir`` names. At first, what linear starts gain without any
training (``--only=gains``: that alone).
"""

import argparse
import contextlib
import json
import os
import time
import unittest.mock
from pathlib import Path
from typing import Any

os.environ.setdefault("JAX_NUM_CPU_DEVICES", str(os.cpu_count()))

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import scipy.linalg

from jaxsr import networks
from jaxsr.evaluation.codecs.bd import bd_rate
from jaxsr.image.files import read
from jaxsr.image.metrics import blockiness
from jaxsr.image.values import to_float
from jaxsr.networks.layers import apply, blockwise, dct, overlap
from jaxsr.networks.patch_hyperprior import MIDDLE
from jaxsr.training import compression, loop
from jaxsr.training.config import config_of

REPO = Path(__file__).resolve().parents[1]
KEPT = "study.json"  # a variant's result
RATES = 0.05, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95
FIRST = {  # the first release's recipe; today's config has what was found since
    "model.options.overlaps": False,
    "model.options.latents": 320,
    "rate_power": 1.0,
    "optimizer.name": "adam",
    "optimizer.learning_rate": 1e-3,
    "optimizer.schedule": "cosine",
    "optimizer.warmup_steps": 200,
    "optimizer.final_fraction": 0.01,
}
MUON = FIRST | {"optimizer.name": "muon"}
LAPPED = MUON | {"model.options.overlaps": True}
FASTER = LAPPED | {"optimizer.learning_rate": 2e-3}
VARIANTS: dict[str, dict[str, Any]] = {
    "first release": FIRST,
    "lapped": FIRST | {"model.options.overlaps": True},
    "muon": MUON,
    "lapped, muon": LAPPED,
    # all others differ from this one by what they are called
    "rate 2e-3": FASTER,
    "rate 4e-3": LAPPED | {"optimizer.learning_rate": 4e-3},
    "logarithm": FASTER | {"balance": "logarithm"},
    "low rates": FASTER | {"rate_power": 1.3},
    "low frequencies": FASTER,  # see SPECTRA
    "high frequencies": FASTER,
    "448 latents": FASTER | {"model.options.latents": 448},
    "3 attention blocks": FASTER | {"model.options.layers": 3},
    "wide blocks": FASTER | {"model.options.width": 96},
    "192 features": FASTER | {"model.options.features": 192},
    "twice the blocks": FASTER
    | {"model.options.analysis_blocks": 6, "model.options.synthesis_blocks": 8},
}
# powers of 1 + k, the weight of the error's k-th frequency in blocks of 8 along either axis
SPECTRA = {"low frequencies": -0.25, "high frequencies": 0.25}


def parse():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--photos", required=True, help="folders to train on, by commas")
    parser.add_argument("--test", required=True, help="folder of images of 768×512 pixels")
    parser.add_argument("--steps", type=int, default=1200, help="of each training (1200)")
    parser.add_argument("--only", default="", help="variants, by semicolons; default: all")
    parser.add_argument("--workdir", default="runs/codec_study", type=Path)
    return parser.parse_args()


def changed(args, changes: dict[str, Any]) -> ml_collections.ConfigDict:
    """Return the released codec's config, shortened and changed."""
    config = config_of(REPO / "configs/codec/patch_hyperprior.py")
    with config.unlocked():
        config.update_from_flattened_dict({k: v for k, v in changes.items() if "options" not in k})
    config.model.options.update(
        {k.rpartition(".")[2]: v for k, v in changes.items() if "options" in k}
    )
    config.data.source = f"folder:{args.photos}"
    config.update(steps=args.steps, eval_every=10**6, checkpoint_every=300)
    return config


@contextlib.contextmanager
def spectrum(power: float):
    """Weigh frequencies of the squared error in the loss; that of white noise counts as before."""
    weights = np.arange(1.0, 9.0) ** power
    matrix = dct(8).T @ np.diag(weights / np.sqrt((weights**2).mean())) @ dct(8)
    plain = compression.rate_distortion_loss

    def loss(image, coded, *others):
        output = blockwise(coded.output, matrix)
        return plain(blockwise(image, matrix), coded._replace(output=output), *others)

    with unittest.mock.patch.object(compression, "rate_distortion_loss", loss):
        yield


def gains() -> dict[str, float]:
    """Return the coding gains of linear starts in dB: of a block of 16 values in a long row.

    The row is a first-order process with correlation 0.95.
    """
    size, blocks = 16, 5
    n = size * blocks
    edge = np.eye(size // 2)
    lapped = scipy.linalg.block_diag(edge, *[overlap(size)] * (blocks - 1), edge)
    one = np.kron(np.eye(blocks), dct(size))
    two = np.kron(np.eye(blocks), _two_steps())
    k, t = np.arange(size)[:, None], np.arange(2 * size)
    window = np.sin(np.pi * (t + 0.5) / (2 * size))
    mdct = window * np.cos(np.pi / size * (t + 0.5 + size / 2) * (k + 0.5)) * np.sqrt(2 / size)
    starts = {
        "DCT": one,
        "DCT in two steps": two,
        "lapped DCT (LOT)": one @ lapped,
        "lapped DCT in two steps": two @ lapped,
        "the same, lapped in the middle": two @ lapped @ np.kron(np.eye(blocks), MIDDLE),
    }
    middle = slice(n // 2 - size // 2, n // 2 + size // 2)
    functions = {name: matrix[middle] for name, matrix in starts.items()}
    functions["MDCT, sine window"] = np.pad(mdct, ((0, 0), (n // 2 - size, n // 2 - size)))
    process = 0.95 ** np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    return {
        name: float(-10 * np.log10(np.einsum("ki,ij,kj->k", f, process, f)).mean())
        for name, f in functions.items()
    }


def _two_steps() -> np.ndarray:
    """Return the transform of a row of 16 values that a fresh network has: of 8, then of 2."""
    return np.kron(dct(2), np.eye(8)) @ np.kron(np.eye(2), dct(8))


def folder_of(workdir: Path, name: str) -> Path:
    """Return where a variant trains."""
    return workdir / name.replace(", ", "-").replace(" ", "-")


def images(folder: str):
    """Return every fourth image, in [0, 1], lying."""
    paths = sorted(Path(folder).iterdir())[::4]
    pixels = (to_float(read(path).pixels) for path in paths)
    return [x if x.shape[0] == 512 else x.transpose(1, 0, 2) for x in pixels]


def measured(config: ml_collections.ConfigDict, params: dict, test) -> dict[str, Any]:
    """Return bits, PSNR and blockiness by rate, as the training estimates them, and times."""
    network = networks.create_compressor(config.model.name, **config.model.options.to_dict())

    @jax.jit
    def coded(params, x, rate):
        region = jnp.zeros((1, x.shape[0] // 16, x.shape[1] // 16))
        out = apply(network, params, x[None], rate[None], region, jax.random.key(0))
        y = jnp.clip(jnp.round(out.output[0] * 255), 0, 255)
        bits = (out.latent_bits + out.hyper_bits)[0] / (x.shape[0] * x.shape[1])
        return bits, ((y - 255 * x) ** 2).mean(), blockiness(y, 8), blockiness(y, 16)

    rows = []
    for rate in RATES:
        each = np.array([jax.device_get(coded(params, x, jnp.float32(rate))) for x in test])
        bpp, _, eight, sixteen = each.mean(0)
        psnr = (10 * np.log10(255**2 / each[:, 1])).mean()
        rows.append([float(bpp), float(psnr), float(eight), float(sixteen)])
    return {"rows": rows, "ms": times(network, params, test[0])}


def times(network, params, x) -> list[float]:
    """Return the milliseconds of analysis and synthesis, the least of five."""

    @jax.jit
    def analysis(params, x):
        return network.analysis.apply({"params": params["analysis"]}, x)

    @jax.jit
    def synthesis(params, y):
        level = jnp.zeros((*y.shape[:3], 1))
        return network.synthesis.apply({"params": params["synthesis"]}, y, level)

    y = analysis(params, x[None])
    best = []
    for call in (lambda: analysis(params, x[None]), lambda: synthesis(params, y)):
        jax.block_until_ready(call())
        took = []
        for _ in range(5):
            start = time.perf_counter()
            jax.block_until_ready(call())
            took.append(1e3 * (time.perf_counter() - start))
        best.append(min(took))
    return best


def main() -> None:
    args = parse()
    for name, gain in gains().items():
        print(f"{name:<32} {gain:.2f} dB")
    if args.only == "gains":
        return
    test = images(args.test)
    wanted = [name for name in args.only.split(";") if name] or list(VARIANTS)
    for name in wanted:
        folder = folder_of(args.workdir, name)
        kept = folder / KEPT
        if not kept.exists():
            config = changed(args, VARIANTS[name])
            with spectrum(SPECTRA[name]) if name in SPECTRA else contextlib.nullcontext():
                state = loop.fit(config, folder)
            if int(state.step) < args.steps:
                return  # a signal ended it
            # not the moving average, which still knows the start after so few steps
            result = measured(config, jax.device_get(state.params), test)
            kept.write_text(json.dumps(result) + "\n", "utf-8")
    kept = {name: folder_of(args.workdir, name) / KEPT for name in VARIANTS}
    results = {
        name: json.loads(path.read_text("utf-8")) for name, path in kept.items() if path.exists()
    }
    first = np.array(next(iter(results.values()))["rows"])
    print(f"{'variant':<22} {'BD-rate':>8} {'of 8':>12} {'of 16':>12} {'ms':>12}")
    for name, result in results.items():
        rows = np.array(result["rows"])
        saved = bd_rate(rows[:, 0], rows[:, 1], first[:, 0], first[:, 1])
        eight, sixteen = (f"{rows[:3, i].min():.2f}–{rows[:3, i].max():.2f}" for i in (2, 3))
        ms = " + ".join(f"{x:.0f}" for x in result["ms"])
        print(f"{name:<22} {saved:>7.1f}% {eight:>12} {sixteen:>12} {ms:>12}")


if __name__ == "__main__":
    main()
