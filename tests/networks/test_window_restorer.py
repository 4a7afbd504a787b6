"""The restorer: how far it looks, what it starts as, and the features it is given."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from jaxsr.networks import create_restorer
from jaxsr.networks.degradation import estimate
from jaxsr.networks.window_restorer import features_at

SMALL = {"features": 12, "blocks": 1, "layers": 2, "window": 2, "heads": 2}
RNG = np.random.default_rng(0)


def inputs(height, width, channels=3):
    shapes = (height, width, 3), (height, width, 1), (height // 4, width // 4, channels)
    return tuple(jnp.asarray(RNG.random((1, *shape), np.float32)) for shape in shapes)


@pytest.fixture(scope="module")
def small(random_params):
    network = create_restorer("window_restorer", **SMALL)
    return network, {"params": random_params(network, *inputs(16, 16))}


def test_a_fresh_network_returns_its_input():
    network = create_restorer("window_restorer", **SMALL)
    x, mask, features = inputs(16, 24)
    y, _ = jax.jit(network.init_with_output)(jax.random.key(0), x, mask, features)
    np.testing.assert_array_equal(y, x)


def test_no_features_are_zeros(small):
    network, params = small
    x, mask, features = inputs(16, 16)
    apply = jax.jit(network.apply)
    none = apply(params, x, mask)
    np.testing.assert_allclose(none, apply(params, x, mask, 0 * features), atol=1e-5)
    assert np.abs(none - apply(params, x, mask, features)).max() > 1e-3


@pytest.mark.parametrize("blocks", [1, 2, 4])
def test_an_aligned_tile_with_its_margin_gives_on_its_core_what_the_whole_gives(
    blocks, random_params
):
    network = create_restorer("window_restorer", **SMALL | {"blocks": blocks})
    side, margin = network.multiple, network.margin
    frame = inputs(2 * margin + 3 * side, 2 * margin + 2 * side)
    params = {"params": random_params(network, *frame)}
    apply = jax.jit(network.apply)
    whole = apply(params, *frame)
    down, across = 2 * side, side  # not at the frame's border
    size = 2 * margin + side
    tile = apply(
        params,
        *(
            x[:, down // n : (down + size) // n, across // n : (across + size) // n]
            for x, n in zip(frame, (1, 1, 4), strict=True)
        ),
    )
    core = slice(margin, margin + side)
    there = whole[:, down:, across:][:, core, core]
    np.testing.assert_allclose(tile[:, core, core], there, atol=1e-4 * np.abs(there).max())


def test_no_smaller_margin_would_do(small):
    """An input pixel changes the output just within the margin, and nothing beyond it."""
    network, params = small
    far = network.margin + network.multiple
    size = far + network.multiple
    x, mask, _ = inputs(network.multiple, size)
    first = np.arange(size) < network.multiple

    def output(x, params):
        return jnp.sum(network.apply(params, x, mask)[:, :, first])

    gradient = jax.jit(jax.grad(output))(x, params)
    reach = np.flatnonzero(np.abs(gradient).max((0, 1, 3)))[-1] + 1
    assert network.margin < reach <= far


def test_the_released_size_is_heavier_than_the_upscaler_and_sees_64_pixels_far():
    network = create_restorer("window_restorer")
    shapes = jax.eval_shape(network.init, jax.random.key(0), *inputs(32, 32, 32))["params"]
    count = sum(int(np.prod(a.shape)) for a in jax.tree.leaves(shapes))
    assert (count, network.margin, network.multiple) == (431_352, 64, 32)


def test_sizes_that_do_not_fit_the_windows_are_refused(small):
    network, params = small
    with pytest.raises(ValueError, match="multiples of 8 pixels, got 12×8"):
        network.apply(params, *inputs(8, 12))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_it_lowers_for_every_platform(dtype, random_params):
    network = create_restorer("window_restorer", **SMALL, dtype=jnp.dtype(dtype))
    params = {"params": random_params(network, *inputs(16, 16))}
    program = export.export(jax.jit(network.apply), platforms=["cpu", "cuda", "tpu"])(
        params, *inputs(16, 16)
    )
    assert program.out_avals[0].dtype == np.float32


def test_features_of_a_quadruple_enlargement_are_taken_as_they_are():
    f = jnp.asarray(RNG.random((1, 5, 6, 2), np.float32))
    np.testing.assert_array_equal(features_at(f, 4, 5, 6), f)
    padded = np.asarray(features_at(f, 4, 8, 8))
    np.testing.assert_array_equal(padded[:, :5, :6], f)
    assert not padded[:, 5:].any() and not padded[:, :, 6:].any()


@pytest.mark.parametrize("scale", [2, 3])
def test_features_keep_their_place_in_the_enlarged_image(scale):
    """A ramp in high-resolution pixels is the same ramp on the restorer's grid."""
    places = (np.arange(24) + 0.5) * scale
    f = np.broadcast_to(places[None, :, None, None], (1, 24, 24, 1)).astype(np.float32)
    rows = 24 * scale // 4
    got = np.asarray(features_at(jnp.asarray(f), scale, rows, rows))
    want = (np.arange(rows) + 0.5) * 4
    np.testing.assert_allclose(
        got[0, 2:-2, 2:-2, 0], np.tile(want[2:-2, None], rows - 4), atol=0.05
    )


# ---- what it is told ----


def test_it_is_told_how_images_are_degraded(random_params):
    network = create_restorer("window_restorer", **SMALL, told=True)
    x, mask, features = inputs(16, 16)
    params = {"params": random_params(network, x, mask, features)}
    apply = jax.jit(network.apply)
    strengths = jnp.array([[15.0, 0, 30, 0]])
    told, untold = (apply(params, x, mask, features, s) for s in (strengths, 0 * strengths))
    np.testing.assert_array_equal(apply(params, x, mask, features), untold)
    assert np.abs(told - untold).max() > 1e-3


def test_weights_that_were_told_nothing_do_the_same_in_a_network_that_is_told(small):
    plain, params = small
    network = create_restorer("window_restorer", **SMALL, told=True)
    x, mask, features = inputs(16, 16)
    fresh = jax.jit(network.init)(jax.random.key(0), x, mask, features)["params"]
    params = {"params": fresh | params["params"]}
    told = jax.jit(network.apply)(params, x, mask, features, jnp.full((1, 4), 9.0))
    np.testing.assert_allclose(told, jax.jit(plain.apply)(params, x, mask, features), atol=1e-6)


@pytest.mark.parametrize("size", [(1, 1), (9, 30)])
def test_strengths_are_estimated_of_images_of_any_size(size, random_params):
    network = create_restorer("window_restorer", **SMALL, told=True)
    params = random_params(network, *inputs(16, 16))["estimate"]
    x = jnp.asarray(RNG.random((2, *size, 3), np.float32))
    found = estimate(params, x)
    assert found.shape == (2, 4)
    np.testing.assert_allclose(estimate(params, x[1:]), found[1:], rtol=1e-4)
