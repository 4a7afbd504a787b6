"""Write networks as StableHLO, serialised by ``jax.export``: for JAX without jaxsr and Flax."""

import os

import jax
import jax.numpy as jnp
from jax import export

from jaxsr.atomic import write_bytes
from jaxsr.zoo.portable import Portable

PLATFORMS = ("cpu", "cuda", "tpu")


def write_stablehlo(target: str | os.PathLike, program: Portable) -> None:
    """Write one program for CPUs, NVIDIA GPUs and TPUs; ``jax.export.deserialize`` reads it.

    Its only argument is an image, ``(1, height, width, channels)``, float32 in [0, 1]; so is its
    result, which is not clipped.
    """
    image = jax.ShapeDtypeStruct((1, *program.sides(), program.network.channels), jnp.float32)

    def enlarge(image):
        return program(image)

    enlarge.__name__ = f"{program.read.network}_x{program.network.scale}"
    exported = export.export(jax.jit(enlarge), platforms=PLATFORMS)(image)
    write_bytes(target, bytes(exported.serialize()))
