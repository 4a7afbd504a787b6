"""Large-kernel attention against SciPy's correlations, float64."""

import jax
import jax.numpy as jnp
import numpy as np
import scipy.ndimage

from jaxsr.attention.large_kernel import LargeKernelAttention


def depthwise(x, params, dilation):
    kernel = np.float64(params["kernel"])[:, :, 0]
    spread = np.zeros((*(dilation * (n - 1) + 1 for n in kernel.shape[:2]), x.shape[-1]))
    spread[::dilation, ::dilation] = kernel
    channels = [
        scipy.ndimage.correlate(x[..., c], spread[..., c], mode="constant")
        for c in range(x.shape[-1])
    ]
    return np.stack(channels, -1) + np.float64(params["bias"])


def test_the_response_of_the_decomposed_kernel_multiplies_the_features():
    x = np.random.default_rng(0).standard_normal((1, 13, 12, 3)).astype(np.float32)
    module = LargeKernelAttention()
    params = jax.tree.map(lambda a: a + 0.05, jax.jit(module.init)(jax.random.key(0), x))
    p = params["params"]
    image = x[0].astype(np.float64)
    far = depthwise(depthwise(image, p["near"], 1), p["far"], 3)
    expected = image * (far @ np.float64(p["mix"]["kernel"][0, 0]) + np.float64(p["mix"]["bias"]))
    np.testing.assert_allclose(jax.jit(module.apply)(params, x)[0], expected, atol=1e-4)


def test_it_sees_eleven_pixels_far_and_no_further():
    module = LargeKernelAttention()
    x = jax.random.normal(jax.random.key(0), (1, 25, 25, 1))
    params = jax.jit(module.init)(jax.random.key(1), x)
    centre = jax.jit(jax.grad(lambda x: module.apply(params, x)[0, 12, 12, 0]))(x)[0, ..., 0]
    seen = jnp.argwhere(centre != 0)
    assert (int(seen.min()), int(seen.max())) == (1, 23)
