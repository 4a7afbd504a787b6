"""Depthwise convolution against SciPy's correlation, one channel at a time."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage

from jaxsr.attention.depthwise import DepthwiseConv, depthwise_conv


@pytest.mark.parametrize(("size", "dilation"), [(3, 1), (5, 1), (7, 3)])
def test_every_channel_is_correlated_with_its_own_kernel(size, dilation):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 9, 11, 3)).astype(np.float32)
    kernel = rng.standard_normal((size, size, 1, 3)).astype(np.float32)
    spread = np.zeros((dilation * (size - 1) + 1,) * 2 + (3,))
    spread[::dilation, ::dilation] = kernel[:, :, 0]
    expected = [
        [scipy.ndimage.correlate(image[..., c], spread[..., c], mode="constant") for c in range(3)]
        for image in x.astype(np.float64)
    ]
    y = jax.jit(depthwise_conv, static_argnums=2)(jnp.array(x), jnp.array(kernel), dilation)
    np.testing.assert_allclose(y, np.moveaxis(expected, 1, -1), atol=1e-4)


def test_its_gradients_are_those_of_a_grouped_convolution():
    rng = np.random.default_rng(1)
    x, kernel = (
        jnp.array(rng.standard_normal(s).astype(np.float32)) for s in ((1, 6, 5, 4), (3, 3, 1, 4))
    )

    def grouped(x, kernel):
        return jax.lax.conv_general_dilated(
            x,
            kernel,
            (1, 1),
            "SAME",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            feature_group_count=4,
        )

    @jax.jit
    def gradients(x, kernel):
        return [
            jax.grad(lambda x, kernel, conv=conv: jnp.sum(jnp.sin(conv(x, kernel))), (0, 1))(
                x, kernel
            )
            for conv in (depthwise_conv, grouped)
        ]

    ours, theirs = gradients(x, kernel)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_the_module_computes_in_the_dtype_it_is_told():
    module = DepthwiseConv(3, dtype=jnp.bfloat16)
    x = jnp.ones((1, 4, 4, 2))
    params = jax.jit(module.init)(jax.random.key(0), x)
    assert params["params"]["kernel"].dtype == jnp.float32
    assert module.apply(params, x).dtype == jnp.bfloat16
