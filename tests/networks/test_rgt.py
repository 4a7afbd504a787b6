"""RGT: the published sizes, any image, attention to the image made small."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsr.attention import recursive
from jaxsr.attention.affine import Affine
from jaxsr.networks import create
from jaxsr.networks.count import parameters

SMALL = {"scale": 2, "features": 16, "groups": 1, "depth": 2, "heads": 2, "window": (2, 4)}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "published"), [("rgt", 13.37), ("rgt_s", 10.20)])
def test_published_parameter_counts(name, published):
    assert round(parameters(create(name)) / 1e6, 2) == published


@pytest.fixture(scope="module")
def small(random_params):
    network = create("rgt", **SMALL, head_features=4)
    return network, {"params": random_params(network)}


@pytest.mark.parametrize("size", [(1, 1), (17, 21)])
def test_any_size_works(small, size):
    network, params = small
    y = jax.jit(network.apply)(params, jnp.full((1, *size, 3), 0.5))
    assert y.shape == (1, 2 * size[0], 2 * size[1], 3)
    assert np.isfinite(y).all()


@pytest.mark.parametrize(
    ("size", "times"), [(5, 2), (64, 2), (255, 2), (256, 2), (1023, 2), (1024, 3), (4096, 4)]
)
def test_images_are_reduced_to_some_16_to_64_pixels_a_side(size, times):
    assert recursive.reductions(size, 16) == recursive.reductions(16, size) == times


def test_a_reduction_sums_squares_of_four_pixels_and_leaves_out_the_rest():
    x = jnp.arange(2 * 9 * 4 * 3, dtype=jnp.float32).reshape(2, 9, 4, 3)
    weights = Affine(jnp.ones((4, 4, 1, 3)), jnp.full(3, 7.0))
    expected = x[:, :8].reshape(2, 2, 4, 4, 3).sum((2, 3))[:, :, None] + 7
    np.testing.assert_array_equal(recursive.recursive_reduction(x, weights, 1), expected)


def test_rows_take_turns_where_there_are_many_logits(monkeypatch):
    rng = np.random.default_rng(0)
    q, k, v = (
        jnp.asarray(rng.standard_normal(shape), jnp.float32)
        for shape in ((2, 5, 3, 2, 4), (2, 6, 2, 4), (2, 6, 2, 7))
    )
    at_once = recursive.global_attention(q, k, v)
    monkeypatch.setattr(recursive, "LOGITS", 2 * 2 * 3 * 6 * 2)  # of two rows
    in_turns = recursive.global_attention(q, k, v)
    np.testing.assert_allclose(in_turns, at_once, atol=1e-6)
