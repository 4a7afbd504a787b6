"""Networks of scale 1: the published sizes, how far they see, and what they are told."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsr.cli.models import costs
from jaxsr.errors import UserError
from jaxsr.networks import create, restores
from jaxsr.networks.count import parameters
from jaxsr.networks.unet import doubled
from jaxsr.tiling.upscaling import TiledUpscaler


class Doubled(nn.Module):
    @nn.compact
    def __call__(self, x):
        return doubled(x, 3, False, None, "up")


NAMES = ("dncnn", "drunet", "fbcnn", "nafnet", "restormer", "scunet")


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("dncnn", {}, 555_137),
        ("dncnn", {"depth": 20, "channels": 3}, 668_227),
        ("drunet", {}, 32_640_960),
        ("fbcnn", {}, 71_923_140),
        ("nafnet", {"features": 32}, 17_111_907),
        ("restormer", {}, 26_126_644),
        ("restormer", {"channels": 1, "centred": False}, 26_109_076),
        ("scunet", {}, 17_946_072),
    ],
)
def test_parameter_counts_of_the_published_networks(name, options, expected):
    assert parameters(create(name, scale=1, **options)) == expected


@pytest.mark.parametrize("name", NAMES)
def test_none_of_them_enlarges(name):
    with pytest.raises(UserError, match=f"{name} restores images at their own size"):
        create(name, scale=2)


def test_a_trained_drunet_is_told_more_noise_by_an_option(random_params):
    small = {"scale": 1, "features": 4, "blocks": 1}
    params = random_params(create("drunet", **small))
    x = jax.random.uniform(jax.random.key(0), (1, 8, 8, 3))
    plain, more = (create("drunet", noise=n, **small) for n in (15.0, 50.0))
    expected = plain.apply({"params": params}, x)
    assert np.abs(np.asarray(more.apply({"params": params}, x)) - expected).max() > 1e-4


def test_a_quality_that_is_given_replaces_the_one_that_is_found(random_params):
    small = {"scale": 1, "features": 4, "blocks": 1, "hidden": 8}
    params = random_params(create("fbcnn", **small))
    x = jax.random.uniform(jax.random.key(0), (1, 8, 8, 3))
    results = [
        np.asarray(jax.jit(create("fbcnn", quality=q, **small).apply)({"params": params}, x))
        for q in (None, 10.0, 90.0)
    ]
    assert np.abs(results[1] - results[2]).max() > 1e-4
    # the layers that find it decide nothing any more
    params["enhance"]["predict_dense_2"]["bias"] += 1.0
    again = jnp.asarray(create("fbcnn", quality=10.0, **small).apply({"params": params}, x))
    np.testing.assert_allclose(again, results[1], atol=1e-5)


@pytest.mark.parametrize(
    ("name", "options"), [("drunet", {"blocks": 1}), ("dncnn", {"depth": 5, "channels": 3})]
)
def test_tiles_of_what_sees_so_far_are_the_whole(name, options, random_params):
    network = create(name, scale=1, features=4, **options)
    tiled = TiledUpscaler(network, random_params(network))
    image = np.random.default_rng(0).random((21, tiled.smallest + 40, 3), np.float32)
    whole, tiles = (tiled([image], tile=tile)[0] for tile in (0, tiled.smallest))
    np.testing.assert_allclose(tiles, whole, atol=2e-5)


def test_a_1x1_convolution_and_a_shuffle_are_a_transposed_convolution(random_params):
    x = jax.random.uniform(jax.random.key(0), (1, 4, 5, 2))
    params = random_params(Doubled(), x)
    kernel = jnp.asarray(params["up"]["kernel"]).reshape(2, 3, 2, 2)  # in, out, down, across
    expected = jnp.einsum("bhwi,iopq->bhpwqo", x, kernel).reshape(1, 8, 10, 3)
    y = Doubled().apply({"params": params}, x)
    np.testing.assert_allclose(jnp.asarray(y), expected, atol=1e-6)


def test_costs_of_what_restores_are_those_of_its_own_scale():
    assert restores("dncnn") and not restores("span")
    parameters_, _, field = costs("dncnn", 4)
    assert (parameters_, field) == ("555K", "±17")
