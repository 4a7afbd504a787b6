"""The integer network: exact, the same as its floating twin of training, and bounded."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from jaxsr.entropy import integer
from jaxsr.networks.compressor import IntegerScales
from jaxsr.networks.layers import pixel_shuffle

# the accumulator of the last layer in a step of the σ index
STEP = 2 ** (integer.WEIGHT_BITS + integer.ACTIVATION_BITS) // integer.INDEX_SCALE


@pytest.mark.parametrize("gain", [0.3, 1.0, 4.0])
def test_integers_and_the_floats_of_training_agree_to_the_last_bit(random_params, gain):
    rng = np.random.default_rng(0)
    z = rng.integers(-40, 41, (2, 3, 5, 6)).astype(np.int32)  # beyond the clamps as well
    twin = IntegerScales(hidden=16, latents=12)
    params = random_params(twin, z.astype(np.float32), gain=gain)
    layers = [integer.export(params[f"kernel{i}"], params[f"bias{i}"]) for i in range(3)]
    floats = jax.jit(twin.apply)({"params": params}, z.astype(np.float32))
    integers = jax.jit(integer.run)(layers, z)
    assert integers.dtype == jnp.int32 and integers.shape == (2, 12, 20, 12)
    np.testing.assert_array_equal(np.asarray(floats, np.float64) * STEP, integers)
    assert len(np.unique(integers)) > 1000


def test_the_accumulator_is_a_convolution_with_zero_padding():
    rng = np.random.default_rng(1)
    x = rng.integers(-128, 128, (4, 5, 3)).astype(np.int8)
    kernel = rng.integers(-127, 128, (3, 3, 3, 2)).astype(np.int8)
    bias = np.array([5, -100_000], np.int32)
    expected = np.zeros((4, 5, 2), np.int64) + bias
    padded = np.pad(x.astype(np.int64), ((1, 1), (1, 1), (0, 0)))
    for i, j in np.ndindex(3, 3):
        expected += padded[i : i + 4, j : j + 5] @ kernel[i, j].astype(np.int64)
    found = jax.jit(integer.convolve)(x, integer.Layer(kernel, bias))
    np.testing.assert_array_equal(found, expected)


def test_a_layer_that_could_leave_exact_floats_is_refused():
    kernel = np.full((3, 3, 115, 1), 1.9999, np.float32)  # 1035 taps of 127 or 128 in 64
    with pytest.raises(ValueError, match=r"an accumulator could reach 168.* below 16777216"):
        integer.export(kernel, np.zeros(1, np.float32))
    integer.export(kernel[:, :, :114], np.zeros(1, np.float32))  # 1026 stay below
    with pytest.raises(ValueError, match="an accumulator could reach"):
        integer.export(kernel[:, :, :1], np.full(1, 2.0**14, np.float32))


def test_weights_beyond_int8_are_clipped_alike_in_training_and_in_the_file():
    kernel = np.array([-9.0, -1.99, 0.0078, 0.0079, 9.0], np.float32).reshape(1, 1, 5, 1)
    layer = integer.export(kernel, np.zeros(1, np.float32))
    np.testing.assert_array_equal(layer.kernel.ravel(), [-127, -127, 0, 1, 127])
    np.testing.assert_array_equal(layer.kernel / 64, integer.rounded_kernel(kernel))


def test_shifting_rounds_halves_up_and_activations_are_clamped():
    values = jnp.arange(-200, 9000)
    np.testing.assert_array_equal(integer.shifted(values, 6), np.floor(values / 64 + 0.5))
    activation = integer.activation(values)
    assert activation.dtype == jnp.int8
    np.testing.assert_array_equal(activation, np.clip(np.floor(values / 64 + 0.5), 0, 127))
    first = integer.first_activation(jnp.array([-(2**31), -33, -32, -1, 0, 31, 32, 2**31 - 1]))
    np.testing.assert_array_equal(first, [-128, -128, -128, -4, 0, 124, 124, 124])


def test_it_lowers_for_every_platform_without_a_float_or_an_integer_convolution():
    def layer(side, inputs, outputs):
        kernel = jax.ShapeDtypeStruct((side, side, inputs, outputs), jnp.int8)
        return integer.Layer(kernel, jax.ShapeDtypeStruct((outputs,), jnp.int32))

    layers = [layer(3, 6, 16), layer(3, 4, 16), layer(1, 4, 8)]
    z = jax.ShapeDtypeStruct((2, 3, 6), jnp.int32)
    program = export.export(jax.jit(integer.run), platforms=["cpu", "cuda", "tpu"])(layers, z)
    text = program.mlir_module()
    assert "stablehlo.dot_general" in text and "stablehlo.convolution" not in text
    assert not re.search(r"xf(16|32|64)>|tensor<f", text)


def test_integers_are_shuffled_as_floats_are():
    x = np.random.default_rng(2).integers(-128, 128, (2, 3, 8)).astype(np.int8)
    shuffled = integer.shuffled(jnp.asarray(x))
    np.testing.assert_array_equal(shuffled, pixel_shuffle(jnp.asarray(x, jnp.float32), 2))
