"""ATD: the published sizes, any image, attention by a dictionary."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsr.attention import category_attention, dictionary_attention, refined_dictionary
from jaxsr.networks import create
from jaxsr.networks.count import parameters

SMALL = {
    "scale": 2,
    "features": 8,
    "groups": 1,
    "depth": 2,
    "heads": 2,
    "window": 4,
    "tokens": 5,
    "key_features": 3,
    "category": 24,
    "head_features": 4,
}


@pytest.fixture(scope="module")
def random():
    rng = np.random.default_rng(0)
    return lambda *shape: jnp.asarray(rng.standard_normal(shape), jnp.float32)


@pytest.mark.parametrize(("name", "expected"), [("atd", 20_260_929), ("atd_light", 768_792)])
def test_published_parameter_counts(name, expected):
    assert parameters(create(name)) == expected


def test_any_size_works_and_every_parameter_receives_a_gradient(random_params):
    network = create("atd", **SMALL)
    params = random_params(network)
    for layer in ("layer_0", "layer_1"):  # as initialised: beyond 0..1 they are cut
        params["enhance"]["group_0"][layer]["dictionary"]["sharpness"] = np.full(5, 0.5, np.float32)
    x = jax.random.uniform(jax.random.key(1), (1, 5, 7, 3))

    def loss(params):
        y = network.apply(params, x)
        return jnp.square(y).mean(), y

    grads, y = jax.jit(jax.grad(loss, has_aux=True))({"params": params})
    assert y.shape == (1, 10, 14, 3)
    for path, grad in jax.tree_util.tree_leaves_with_path(grads):
        name = jax.tree_util.keystr(path)
        # a softmax over the pixels drops what is added to all of them
        dropped = "refinement" in name and "bias" in name
        assert np.isfinite(grad).all() and (np.abs(grad).max() > 0 or dropped), name


def test_pixels_find_the_token_that_points_their_way(random):
    tokens, values = jnp.eye(4)[None], random(1, 4, 3)
    found, similarity = dictionary_attention(7 * tokens, tokens, values, jnp.ones(4))
    np.testing.assert_array_equal(jnp.argmax(similarity[0], axis=-1), np.arange(4))
    np.testing.assert_allclose(similarity.sum(-1), 1, rtol=1e-6)
    own, other = np.exp(1 + np.log(4)), 1
    expected = (own * values + other * (values.sum(1, keepdims=True) - values)) / (own + 3)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_pixels_attend_to_their_category_wherever_they_are(random):
    categories = np.array([0, 1, 0, 1, 1, 0])
    similarity = jax.nn.one_hot(categories, 2)[None]
    qkv = random(1, 6, 6)
    y = category_attention(qkv, similarity, 1, 3, jnp.zeros(1))
    q, k, v = jnp.split(qkv[0], 3, axis=-1)
    for category in (0, 1):
        own = categories == category
        expected = jax.nn.softmax(q[own] @ k[own].T) @ v[own]
        np.testing.assert_allclose(y[0, own], expected, atol=1e-6)


def test_the_last_category_is_filled_up_by_mirroring(random):
    qkv, similarity = random(1, 5, 6), jnp.ones((1, 5, 2))
    y = category_attention(qkv, similarity, 1, 3, jnp.zeros(1))
    q, k, v = jnp.split(qkv[0], 3, axis=-1)
    last = jnp.array([3, 4, 4])
    np.testing.assert_allclose(y[0, 3:], jax.nn.softmax(q[3:] @ k[last].T) @ v[last], atol=1e-6)


def test_a_token_becomes_what_resembles_it_where_nothing_of_it_is_kept(random):
    x, tokens = random(1, 3, 4), random(1, 2, 4)
    evidence = jnp.array([[[99.0, 0], [0, 99.0], [0, 0]]])
    changed = refined_dictionary(tokens, x, evidence, jnp.full((2, 1), -99.0))
    np.testing.assert_allclose(changed, x[:, :2], atol=1e-6)
    kept = refined_dictionary(tokens, x, evidence, jnp.full((2, 1), 99.0))
    np.testing.assert_allclose(kept, tokens, atol=1e-6)
