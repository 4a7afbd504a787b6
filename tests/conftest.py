"""What every test shares: four virtual devices, checked array types, a compilation cache, shared/."""

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
    """The folder of test images and peers' weights beside the project; the test skips without it."""
    if not SHARED.is_dir():
        pytest.skip("../shared is not here: the conformance data is not part of the project")
    return SHARED


@pytest.fixture(scope="session")
def random_params():
    """``random_params(module, *inputs)``: a tree of its parameters' shapes, drawn by NumPy.

    JAX compiles an initialisation for seconds; these tests only need some numbers.
    """

    def draw(module, *inputs, seed=0):
        rng = np.random.default_rng(seed)
        inputs = inputs or (jax.ShapeDtypeStruct((1, 16, 16, 3), np.float32),)
        shapes = jax.eval_shape(module.init, jax.random.key(0), *inputs)["params"]
        return jax.tree.map(lambda a: rng.normal(0, 0.1, a.shape).astype(np.float32), shapes)

    return draw
