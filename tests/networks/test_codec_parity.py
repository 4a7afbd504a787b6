"""Parts of the published codecs against CompressAI's answers (benchmarks/parity_codecs.py)."""

import re
from pathlib import Path

import flax.traverse_util
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsr.entropy.tables import SCALE_MIN
from jaxsr.networks import bmshj2018, cheng2020, mbt2018
from jaxsr.networks.compressor import checkerboard
from jaxsr.networks.density import FactorizedDensity, gaussian_bits
from jaxsr.networks.gdn import GDN
from jaxsr.networks.layers import Conv

GOLDEN = Path(__file__).with_name("golden") / "codecs"
N, M = 4, 6  # channels of the golden parts

# name → (our module, our names of their layers)
ALTERNATE = {"0": "conv0", "1": "gdn0", "2": "conv1", "3": "gdn1", "4": "conv2", "5": "gdn2"}
ALTERNATE |= {"6": "conv3"}
EVERY_SECOND = {str(2 * i): f"conv{i}" for i in range(5)}
DOWN = ("down0", "residual0", "down1", "attention0", "residual1", "down2", "residual2", "down3")
UP = ("attention0", "residual0", "up0", "residual1", "up1", "attention1", "residual2", "up2")
PARTS = {
    "gdn": (GDN(), {}),
    "gdn_inverse": (GDN(inverse=True), {}),
    "bmshj2018_analysis": (bmshj2018.BalleAnalysis(N, M), ALTERNATE),
    "bmshj2018_synthesis": (bmshj2018.BalleSynthesis(N), ALTERNATE),
    "bmshj2018_hyper_analysis": (bmshj2018.BalleHyperAnalysis(N), EVERY_SECOND),
    "mbt2018_hyper_analysis": (bmshj2018.BalleHyperAnalysis(N, signed=True), EVERY_SECOND),
    "mbt2018_hyper_synthesis": (mbt2018.MinnenHyperSynthesis(M), EVERY_SECOND),
    "cheng2020_analysis": (
        cheng2020.ChengAnalysis(M),
        {str(i): name for i, name in enumerate((*DOWN, "attention1"))},
    ),
    "cheng2020_synthesis": (
        cheng2020.ChengSynthesis(M),
        {str(i): name for i, name in enumerate((*UP, "residual3", "up3"))},
    ),
    "cheng2020_hyper_analysis": (cheng2020.ChengHyperAnalysis(M), EVERY_SECOND),
    "cheng2020_hyper_synthesis": (
        cheng2020.ChengHyperSynthesis(M),
        {"0": "conv0", "2": "up0", "4": "conv1", "6": "up1", "8": "conv2"},
    ),
    "factorized_density": (FactorizedDensity(N, filters=(3, 3, 3, 3)), {}),
}
RENAMES = {
    r"conv_a\.(\d)": r"trunk\1",
    r"conv_b\.([012])": r"mask\1",
    r"conv_b\.3": "mask",
    r"\.conv\.0": ".narrow",
    r"\.conv\.2": ".middle",
    r"\.conv\.4": ".wide",
    r"subpel_conv\.0": "up.conv",
    r"upsample\.0": "skip.conv",
    r"(up\d)\.0": r"\1.conv",
    "igdn": "gdn",
    "weight": "kernel",
    r"model\.matrices\.": "matrix",
    r"model\.biases\.": "bias",
    r"model\.factors\.": "factor",
}


def load(name):
    """The part's inputs and output as batches of one, and its state dict."""
    with np.load(GOLDEN / f"{name}.npz") as file:
        arrays = {key: file[key].astype(np.float32) for key in file.files}
    state = {k.removeprefix("state/"): v for k, v in arrays.items() if k.startswith("state/")}
    return {key: arrays[key][None] for key in arrays.keys() - {f"state/{k}" for k in state}}, state


def translated(state, layers, expected, transposed):
    """Their state dict as our parameters, which have the names and shapes of ``expected``."""
    expected = flax.traverse_util.flatten_dict(expected, sep="/")
    flat = {}
    for key, value in state.items():
        head, dot, rest = key.partition(".")
        key = layers.get(head, head) + dot + rest
        for theirs, ours in RENAMES.items():
            key = re.sub(theirs, ours, key)
        key = key.replace(".", "/")
        if value.ndim == 4:
            swapped = transposed and value.shape[2] == 5  # in, out, rows, columns
            value = value.transpose((2, 3, 0, 1) if swapped else (2, 3, 1, 0))
        flat[key] = value.reshape(expected[key].shape)
    assert flat.keys() == expected.keys()
    return flax.traverse_util.unflatten_dict(flat, sep="/")


def only_means(state):
    """CompressAI's last layer tells the scales, then the means."""
    return state | {key: state[key][M:] for key in ("4.weight", "4.bias")}


def answer(name):
    """(our part's answer to the golden input, the golden output)"""
    module, layers = PARTS[name]
    arrays, state = load(name)
    inputs = [arrays["input"]]
    if name.endswith("synthesis"):
        height, width = (4 * n if "hyper" in name else n for n in inputs[0].shape[1:3])
        inputs.append(np.zeros((1, height, width, 1), np.float32))
    if name == "factorized_density":
        inputs.append(np.zeros(1, np.float32))
    expected = jax.eval_shape(module.init, jax.random.key(0), *inputs)["params"]
    output = arrays["output"]
    if name == "mbt2018_hyper_synthesis":
        state, output = only_means(state), output[..., M:]
        state |= {"level.weight": np.zeros((9, 1, 1, 1), np.float32)}
    params = translated(state, layers, expected, transposed="_synthesis" in name)
    with jax.default_matmul_precision("highest"):
        ours = jax.jit(module.apply)({"params": params}, *inputs)
    return np.asarray(ours), output


def test_there_is_a_golden_file_of_every_part():
    assert {path.stem for path in GOLDEN.glob("*.npz")} == {*PARTS, "checkerboard", "gaussian"}


@pytest.mark.parametrize("name", PARTS)
def test_a_part_answers_as_in_compressai(name):
    ours, theirs = answer(name)
    if name == "factorized_density":
        ours, theirs = 2.0**-ours, np.maximum(theirs, 1e-9)
    if name == "cheng2020_hyper_synthesis":
        ours = ours[..., :-1]  # beside its features stands the level
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5 * max(1, np.abs(theirs).max()))


def test_gaussian_bits_are_compressais_likelihoods():
    arrays, _ = load("gaussian")
    scale = np.maximum(arrays["scale"], SCALE_MIN)
    ours = 2.0 ** -np.asarray(gaussian_bits(jnp.asarray(arrays["input"]), jnp.asarray(scale)))
    np.testing.assert_allclose(ours, np.maximum(arrays["output"], 1e-9), rtol=1e-4, atol=2e-7)


def test_a_plain_convolution_of_the_anchors_is_the_masked_one_at_the_other_positions():
    arrays, state = load("checkerboard")
    anchor = np.asarray(checkerboard(6, 8))[..., None]
    kernel = state["weight"].transpose(2, 3, 1, 0)
    ours = Conv(2 * M, 5, use_bias=False).apply(
        {"params": {"kernel": kernel}}, arrays["input"] * anchor
    )
    np.testing.assert_allclose(ours * (1 - anchor), arrays["output"] * (1 - anchor), atol=1e-5)
