"""What tests share: four virtual devices, checked array types, a compilation cache, shared/."""

import os
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ["XLA_FLAGS"] = (
    os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=4"
)

import jax
import jaxtyping
import numpy as np
import pytest

REPO = Path(__file__).resolve().parent.parent
SHARED = REPO.parent / "shared"

jax.config.update("jax_compilation_cache_dir", str(REPO / ".cache" / "jax"))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)

jaxtyping.install_import_hook("jaxsr", "beartype.beartype")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of test images and peers' weights; the test skips where there is none."""
    if not SHARED.is_dir():
        pytest.skip("../shared is not here: the conformance data is not part of the project")
    return SHARED


@pytest.fixture(scope="session")
def random_params():
    """``random_params(module, *inputs, gain=1.0)``: its parameters, drawn by NumPy.

    Compiling a network's ``init`` takes longer than most of what is tested with the result.
    """

    def draw(module, *inputs, gain=1.0):
        rng = np.random.default_rng(0)
        inputs = inputs or (jax.ShapeDtypeStruct((1, 16, 16, 3), np.float32),)
        shapes = jax.eval_shape(module.init, jax.random.key(0), *inputs)["params"]

        def leaf(a):
            fan_in = max(1, np.prod(a.shape[:-1]))
            return (rng.standard_normal(a.shape) * gain / np.sqrt(fan_in)).astype(np.float32)

        return jax.tree.map(leaf, shapes)

    return draw


@pytest.fixture(scope="session")
def tiny_codec(random_params, tmp_path_factory):
    """The weights file of a small codec: what it decodes is noise, but always the same noise."""
    from jaxsr import networks
    from jaxsr.codec import export, weights
    from jaxsr.zoo.weights import Weights

    options = {"features": 12, "latents": 16, "hyper": 4, "width": 4, "attention": 4}
    options |= {"context": 4, "analysis_blocks": 1, "synthesis_blocks": 1}
    network = networks.create_compressor("patch_hyperprior", **options)
    shapes = (1, 128, 128, 3), (1,), (1, 8, 8)
    inputs = (jax.ShapeDtypeStruct(shape, np.float32) for shape in shapes)
    params = random_params(network, *inputs, jax.random.key(1))
    rate = np.linspace(0, 1, len(params["rates"]["log_gain"]), dtype=np.float32)[:, None]
    for name, values in (("log_gain", 4 * rate), ("offset", 2 + 4 * rate)):
        params["rates"][name] = np.broadcast_to(values, params["rates"][name].shape)
    path = tmp_path_factory.mktemp("codec") / "tiny.safetensors"
    weights.save(path, export.export(Weights("patch_hyperprior", options, params)))
    return path
