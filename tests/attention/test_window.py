"""Window attention against one window, one head, one query at a time in NumPy float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsr.attention import window as w


def attend(q, k, v, bias):
    """One query (d,) over keys and values (k, d)."""
    logits = k @ q / np.sqrt(len(q)) + bias
    weights = np.exp(logits - logits.max())
    return weights @ v / weights.sum()


def split_heads(x, heads):
    return np.asarray(x, np.float64).reshape(*x.shape[:-1], heads, -1)


def project(x, layer):
    return x @ np.asarray(layer["kernel"], np.float64) + np.asarray(layer["bias"], np.float64)


def attention_pixel_by_pixel(x, params, heads, keys_of):
    """Self-attention where pixel (i, j) sees the pixels ``keys_of(i, j)``.

    ``keys_of`` gives a list of ((y, x) of the key or None for a zero outside, row of the table).
    """
    batch, height, width, channels = x.shape
    q, k, v = (
        split_heads(a, heads)
        for a in np.split(project(np.asarray(x, np.float64), params["qkv"]), 3, -1)
    )
    table = np.asarray(params["position"], np.float64)
    out = np.zeros((batch, height, width, channels))
    outside = np.zeros(channels // heads)
    for b, i, j in np.ndindex(batch, height, width):
        places, rows = zip(*keys_of(i, j), strict=True)
        for h in range(heads):
            keys = np.stack([outside if p is None else k[b, *p, h] for p in places])
            values = np.stack([outside if p is None else v[b, *p, h] for p in places])
            d = channels // heads
            out[b, i, j, h * d : (h + 1) * d] = attend(
                q[b, i, j, h], keys, values, table[list(rows), h]
            )
    return project(out, params["proj"])


def randomised(params):
    """Weights large enough that every part of them shows in the result."""
    leaves, tree = jax.tree.flatten(params)
    rng = np.random.default_rng(0)
    return jax.tree.unflatten(
        tree, [jnp.asarray(rng.normal(size=a.shape), jnp.float32) for a in leaves]
    )


def apply(module, x):
    params = randomised(jax.jit(module.init)(jax.random.key(0), x)["params"])
    return jax.jit(module.apply)({"params": params}, x), params


@pytest.fixture
def x():
    return jax.random.normal(jax.random.key(1), (2, 8, 12, 4))


@pytest.mark.parametrize("shift", [0, 2])
def test_pixels_attend_within_their_shifted_window_and_never_across_the_border(x, shift):
    window, heads = 4, 2
    y, params = apply(w.WindowAttention(heads, window, shift), x)

    def block(i, size):
        """The stretch of pixels that i's window covers, its window placed at shift − window, …"""
        start = (i - shift) // window * window + shift
        return range(max(start, 0), min(start + window, size))

    def keys_of(i, j):
        span = 2 * window - 1
        return [
            ((a, b), (i - a + window - 1) * span + (j - b + window - 1))
            for a in block(i, 8)
            for b in block(j, 12)
        ]

    np.testing.assert_allclose(y, attention_pixel_by_pixel(x, params, heads, keys_of), atol=2e-4)


def test_overlapping_cross_attention_sees_the_grown_window_and_zeros_outside(x):
    window, heads, margin = 4, 2, 1
    y, params = apply(w.OverlappingCrossAttention(heads, window, 0.5), x)
    # outside the image keys and values are zero: the padding comes after the projection

    def keys_of(i, j):
        top, left = i // window * window - margin, j // window * window - margin
        side = window + 2 * margin
        span = window + side - 1
        keys = []
        for a in range(top, top + side):
            for b in range(left, left + side):
                dy, dx = i - a, j - b  # from −(window − 1 + margin) up
                row = (dy + window - 1 + margin) * span + dx + window - 1 + margin
                keys.append(((a, b) if 0 <= a < 8 and 0 <= b < 12 else None, row))
        return keys

    np.testing.assert_allclose(y, attention_pixel_by_pixel(x, params, heads, keys_of), atol=2e-4)


def test_merging_undoes_partitioning(x):
    windows = w.window_partition(x, 4)
    assert windows.shape == (2, 6, 16, 4)
    np.testing.assert_array_equal(windows[1, 4, 5], x[1, 5, 5])
    np.testing.assert_array_equal(w.window_merge(windows, 8, 12), x)


@pytest.mark.parametrize("overlap", [0.0, 0.5, 1.0])
def test_overlapping_windows_are_slices_of_the_padded_image(x, overlap):
    window, extra = 4, int(4 * overlap)
    windows = np.asarray(w.overlapping_windows(x, window, overlap))
    padded = np.pad(x, ((0, 0), (extra // 2,) * 2, (extra // 2,) * 2, (0, 0)))
    for n, (i, j) in enumerate(np.ndindex(2, 3)):
        expected = padded[:, i * 4 : i * 4 + 4 + extra, j * 4 : j * 4 + 4 + extra]
        np.testing.assert_array_equal(windows[:, n], expected.reshape(2, -1, 4))


@pytest.mark.slow
@pytest.mark.parametrize("masked", [False, True])
def test_windows_that_take_turns_answer_as_all_at_once(monkeypatch, masked):
    q, k, v = jax.random.normal(jax.random.key(3), (3, 2, 6, 16, 2, 4))
    bias = jax.random.normal(jax.random.key(4), (2, 16, 16))
    mask = w.shifted_window_mask(8, 12, 4, 2) if masked else None
    at_once = w.window_attention(q, k, v, bias, mask)
    monkeypatch.setattr(w, "LOGITS", 4 * 2 * 2 * 16 * 16 + 1)  # four windows, then two
    np.testing.assert_allclose(w.window_attention(q, k, v, bias, mask), at_once, atol=1e-6)


def test_bfloat16_attention_keeps_its_softmax_in_float32():
    q = (3 * jax.random.normal(jax.random.key(2), (1, 1, 256, 1, 2))).astype(jnp.bfloat16)
    bias = jnp.zeros((1, 256, 256))
    y = w.window_attention(q, q, q, bias)
    exact = w.window_attention(*(q.astype(jnp.float32),) * 3, bias)
    assert y.dtype == jnp.bfloat16
    np.testing.assert_allclose(y.astype(jnp.float32), exact, atol=0.02, rtol=0.01)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: w.window_partition(x, 5),
        lambda x: w.overlapping_windows(x, 5, 0.4),
        lambda x: w.overlapping_windows(x, 4, 0.25),
        lambda x: w.overlapping_windows(x, 4, 1.5),
    ],
)
def test_windows_that_do_not_fit_are_refused(x, call):
    with pytest.raises(ValueError, match=r"\d"):
        call(x)
