"""Every network, small, lowers for CPUs, NVIDIA GPUs and TPUs, in float32 and bf16."""

import inspect

import jax
import jax.numpy as jnp
import pytest
from jax import export

from jaxsr.networks import UPSCALERS

SMALL = {"features": 8, "blocks": 1, "groups": 1, "depth": 2, "heads": 2, "window": 4}
SMALL |= {"reduction": 2, "squeeze": 2, "compress": 2, "part": 4, "convolutions": 2}
SMALL |= {"encoder": (1,), "decoder": (1,), "middle": 1, "head_features": 4, "hidden": 4}


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16], ids=["float32", "bf16"])
@pytest.mark.parametrize("name", UPSCALERS)
def test_a_network_lowers_for_every_platform(name, dtype):
    options = inspect.signature(UPSCALERS[name]).parameters
    scale = min(2, options["scale"].default)  # those that restore have 1
    network = UPSCALERS[name](scale, dtype=dtype, **{k: SMALL[k] for k in SMALL if k in options})
    image = jax.ShapeDtypeStruct((1, 16, 16, network.channels), jnp.float32)
    params = jax.eval_shape(network.init, jax.random.key(0), image)
    program = export.export(jax.jit(network.apply), platforms=["cpu", "cuda", "tpu"])(params, image)
    (out,) = program.out_avals
    assert (out.shape, out.dtype) == (
        (1, 16 * scale, 16 * scale, network.channels),
        jnp.float32,
    )
