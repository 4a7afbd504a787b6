"""Spatial attention against loops in NumPy, float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.signal

from jaxsr.attention.spatial import EnhancedSpatialAttention, SpatialAttention, resize_bilinear


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def conv(x, params, stride=1, mode="same"):
    """One image (h, w, c) through a linen convolution's parameters."""
    kernel = np.float64(params["kernel"])
    out = [
        sum(scipy.signal.correlate(x[..., i], kernel[..., i, o], mode) for i in range(x.shape[-1]))[
            ::stride, ::stride
        ]
        for o in range(kernel.shape[-1])
    ]
    return np.stack(out, -1) + np.float64(params.get("bias", 0))


def bilinear(x, height, width):
    """Pixel by pixel: half-pixel centres, coordinates clamped to the image."""
    out = np.empty((height, width, x.shape[-1]))
    for i, j in np.ndindex(height, width):
        row = np.clip((i + 0.5) * x.shape[0] / height - 0.5, 0, x.shape[0] - 1)
        column = np.clip((j + 0.5) * x.shape[1] / width - 0.5, 0, x.shape[1] - 1)
        top, left = int(row), int(column)
        bottom, right = min(top + 1, x.shape[0] - 1), min(left + 1, x.shape[1] - 1)
        a, b = row - top, column - left
        out[i, j] = (1 - a) * ((1 - b) * x[top, left] + b * x[top, right]) + a * (
            (1 - b) * x[bottom, left] + b * x[bottom, right]
        )
    return out


def test_places_are_weighed_by_a_look_at_mean_and_maximum():
    x = np.random.default_rng(0).standard_normal((1, 9, 8, 5)).astype(np.float32)
    module = SpatialAttention()
    params = jax.jit(module.init)(jax.random.key(0), x)
    image = x[0].astype(np.float64)
    seen = np.stack([image.mean(-1), image.max(-1)], -1)
    expected = image * sigmoid(conv(seen, params["params"]["conv"]))
    np.testing.assert_allclose(jax.jit(module.apply)(params, x)[0], expected, atol=1e-5)


@pytest.mark.parametrize("size", [(7, 13), (3, 2)])
def test_bilinear_resizing_clamps_at_the_edges_and_does_not_blur(size):
    x = np.random.default_rng(0).standard_normal((1, 3, 4, 2)).astype(np.float32)
    y = resize_bilinear(jnp.array(x), *size)
    np.testing.assert_allclose(y[0], bilinear(x[0].astype(np.float64), *size), atol=1e-5)


def test_enhanced_spatial_attention_is_its_chain_of_steps():
    x = np.random.default_rng(0).standard_normal((1, 23, 27, 6)).astype(np.float32)
    module = EnhancedSpatialAttention(features=4)
    params = jax.tree.map(lambda a: a + 0.05, jax.jit(module.init)(jax.random.key(0), x))
    p = params["params"]

    image = x[0].astype(np.float64)
    reduced = conv(image, p["conv_1"])
    coarse = conv(reduced, p["conv_2"], stride=2, mode="valid")
    rows, columns = ((n - 7) // 3 + 1 for n in coarse.shape[:2])
    pooled = np.array(
        [
            [coarse[3 * i : 3 * i + 7, 3 * j : 3 * j + 7].max((0, 1)) for j in range(columns)]
            for i in range(rows)
        ]
    )
    coarse = bilinear(conv(pooled, p["conv_3"]), 23, 27)
    expected = image * sigmoid(conv(coarse + conv(reduced, p["conv_skip"]), p["conv_4"]))
    np.testing.assert_allclose(jax.jit(module.apply)(params, x)[0], expected, atol=1e-4)


def test_enhanced_spatial_attention_says_what_it_cannot_pool():
    with pytest.raises(ValueError, match="at least 15×15 pixels, got 20×14"):
        EnhancedSpatialAttention().init(jax.random.key(0), jnp.ones((1, 14, 20, 8)))
