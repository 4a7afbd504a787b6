"""Transposed attention against loops over heads and channels in NumPy, float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage

from jaxsr.attention.transposed import TransposedAttention, transposed_attention


def one_head(q, k, v, temperature):
    """(n, c) each."""
    q, k = (a / np.linalg.norm(a, axis=0) for a in (q, k))
    out = np.empty(v.shape)
    for i in range(v.shape[1]):
        scores = np.array([temperature * (q[:, i] @ k[:, j]) for j in range(v.shape[1])])
        weights = np.exp(scores) / np.exp(scores).sum()
        out[:, i] = sum(weights[j] * v[:, j] for j in range(v.shape[1]))
    return out


def test_channels_attend_by_the_cosine_of_their_pixels():
    rng = np.random.default_rng(0)
    q, k, v = rng.standard_normal((3, 12, 2, 4))
    temperature = np.array([0.5, 3.0])
    y = transposed_attention(*(jnp.float32(a) for a in (q, k, v, temperature)))
    for h in range(2):
        expected = one_head(q[:, h], k[:, h], v[:, h], temperature[h])
        np.testing.assert_allclose(y[:, h], expected, atol=1e-5)


def test_dark_channels_give_finite_values_and_gradients():
    q = jnp.zeros((4, 1, 2))
    gradient = jax.grad(lambda q: transposed_attention(q, q, q + 1, jnp.ones(1)).sum())(q)
    assert jnp.isfinite(gradient).all()


def test_the_module_projects_and_filters_before_and_projects_after():
    x = np.random.default_rng(0).standard_normal((1, 5, 6, 4)).astype(np.float32)
    module = TransposedAttention(heads=2)
    params = jax.jit(module.init)(jax.random.key(0), x)
    p = jax.tree.map(np.float64, params["params"])
    qkv = x[0] @ p["qkv"]["kernel"][0, 0]
    local = p["qkv_local"]["kernel"][:, :, 0]
    qkv = np.stack(
        [scipy.ndimage.correlate(qkv[..., c], local[..., c], mode="constant") for c in range(12)],
        -1,
    ).reshape(30, 3, 2, 2)
    heads = [one_head(*np.moveaxis(qkv[:, :, h], 1, 0), 1.0) for h in range(2)]
    expected = np.concatenate(heads, -1).reshape(5, 6, 4) @ p["project"]["kernel"][0, 0]
    np.testing.assert_allclose(jax.jit(module.apply)(params, x)[0], expected, atol=1e-5)


def test_heads_must_divide_the_channels():
    with pytest.raises(ValueError, match="3 heads do not divide 4 channels"):
        TransposedAttention(heads=3).init(jax.random.key(0), jnp.ones((1, 2, 2, 4)))
