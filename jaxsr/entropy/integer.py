"""A convolutional network of integers: the same numbers on every backend, by construction.

Products of int8 activations and int8 weights are summed in int32 by ``lax.dot_general`` over
shifted copies (integer ``lax.conv`` is missing or wrong on GPUs), then shifted right and clamped.
:func:`export` makes sure that no sum can overflow, so the order of summation does not matter.

The scheme is that of Ballé et al., "Integer Networks for Data Compression with Latent-Variable
Models" (ICLR 2019): a decoder whose probabilities are integers parses a stream the same way
everywhere.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Int8, Int32

from jaxsr.errors import UserError

WEIGHT_BITS = 6  # a weight w is stored as round(w · 2^6)
ACTIVATION_BITS = 4  # an activation a ≥ 0 is stored as round(a · 2^4), at most 127
INPUT_BITS = 2  # an input z is fed in as z · 2^2, clamped to int8
INDEX_SCALE = 8  # 1.0 of the last layer is 8 σ index steps
EXACT_FLOAT = 2**24  # sums below it are exact in float32, too, in which the network is trained


class Layer(NamedTuple):
    """One convolution: int8 kernel ``(k, k, in, out)``, int32 bias in the accumulator's units."""

    kernel: Int8[np.ndarray | Array, "k k i o"]
    bias: Int32[np.ndarray | Array, "o"]


def export(
    kernel: Float[np.ndarray | Array, "k k i o"], bias: Float[np.ndarray | Array, "o"]
) -> Layer:
    """Convert a layer trained with :func:`rounded_kernel` and :func:`rounded_bias` to integers.

    Raises:
      UserError: some input could bring the accumulator to 2²⁴, from where on sums are not exact in
        the float32 of training.
    """
    kernel = np.asarray(jnp.round(rounded_kernel(kernel) * 2**WEIGHT_BITS), np.int8)
    unit = 2 ** (WEIGHT_BITS + ACTIVATION_BITS)
    bias = np.asarray(jnp.round(rounded_bias(bias) * unit), np.int32)
    most = np.abs(kernel.astype(np.int64)).sum((0, 1, 2)) * 128 + np.abs(bias.astype(np.int64))
    if most.max() >= EXACT_FLOAT:
        raise UserError(f"an accumulator could reach {most.max()}; below {EXACT_FLOAT} is exact")
    return Layer(kernel, bias)


def rounded_kernel(kernel: Float[np.ndarray | Array, "..."]) -> Float[Array, "..."]:
    """Round to the multiples of 2⁻⁶ within ±127/64 that an int8 kernel can hold."""
    return jnp.clip(jnp.round(kernel * 2**WEIGHT_BITS), -127, 127) / 2**WEIGHT_BITS


def rounded_bias(bias: Float[np.ndarray | Array, "..."]) -> Float[Array, "..."]:
    """Round to the multiples of 2⁻¹⁰ that an int32 bias can hold."""
    unit = 2 ** (WEIGHT_BITS + ACTIVATION_BITS)
    return jnp.round(bias * unit) / unit


def first_activation(z: Int[Array, "..."]) -> Int8[Array, "..."]:
    """Convert integers to the network's input, clamped to −32 … 31 and times 2²."""
    return jnp.clip(z, -32, 31).astype(jnp.int8) * jnp.int8(2**INPUT_BITS)


def convolve(x: Int8[Array, "*b h w i"], layer: Layer) -> Int32[Array, "*b h w o"]:
    """Compute the accumulator ``Σ x·kernel + bias`` of a convolution: zero padding, stride 1."""
    side = layer.kernel.shape[0]
    height, width = x.shape[-3:-1]
    pad = [(0, 0)] * (x.ndim - 3) + [(side // 2, side // 2)] * 2 + [(0, 0)]
    x = jnp.pad(x, pad)
    copies = [x[..., i : i + height, j : j + width, :] for i in range(side) for j in range(side)]
    columns = jnp.concatenate(copies, axis=-1)
    kernel = jnp.asarray(layer.kernel).reshape(-1, layer.kernel.shape[-1])
    contract = (((columns.ndim - 1,), (0,)), ((), ()))
    sums = jax.lax.dot_general(columns, kernel, contract, preferred_element_type=jnp.int32)
    return sums + jnp.broadcast_to(jnp.asarray(layer.bias), sums.shape)


def activation(accumulator: Int32[Array, "..."]) -> Int8[Array, "..."]:
    """Apply ReLU and return to int8: ``clamp((acc + 2⁵) >> 6, 0, 127)``."""
    return jnp.clip(shifted(accumulator, WEIGHT_BITS), 0, 127).astype(jnp.int8)


def shifted(x: Int32[Array, "..."], bits: int) -> Int32[Array, "..."]:
    """Divide by ``2^bits``, rounded to the nearest integer, halves up: an arithmetic shift."""
    return (x + (1 << (bits - 1))) >> bits


def run(layers: Sequence[Layer], z: Int[Array, "*b h w i"]) -> Int32[Array, "*b h4 w4 o"]:
    """Run the network and return its last layer's accumulator.

    Every layer but the last is followed by ReLU and a pixel shuffle that doubles height and width.
    """
    x = first_activation(z)
    for layer in layers[:-1]:
        x = shuffled(activation(convolve(x, layer)))
    return convolve(x, layers[-1])


def shuffled(x: Array) -> Array:
    """Shuffle pixels by 2, with channels in torch's order: (h, w, 4c) → (2h, 2w, c)."""
    *batch, height, width, channels = x.shape
    x = x.reshape(*batch, height, width, channels // 4, 2, 2)
    x = jnp.moveaxis(x, (-2, -1), (-4, -2))
    return x.reshape(*batch, 2 * height, 2 * width, channels // 4)
