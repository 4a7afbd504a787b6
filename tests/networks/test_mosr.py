"""MoSR and SAFMN: how far they see, that tiles are the whole, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsr.networks import create
from jaxsr.networks.count import parameters
from jaxsr.tiling.upscaling import TiledUpscaler


@pytest.mark.parametrize(("scale", "expected"), [(2, 227_820), (3, 233_235), (4, 239_520)])
def test_published_parameter_counts_of_safmn(scale, expected):
    assert parameters(create("safmn", scale=scale)) == pytest.approx(expected, abs=1000)


def test_no_pixel_is_seen_beyond_the_receptive_field_of_mosr(random_params):
    network = create("mosr", scale=2, features=8, blocks=1, hidden=8, part=4)
    field = network.receptive_field or 0
    n = 2 * field + 3
    x = jnp.full((1, 1, n, 3), 0.5)
    params = {"params": random_params(network, x)}
    apply = jax.jit(network.apply)
    changed = apply(params, x.at[0, 0, n // 2].set(1.0)) - apply(params, x)
    reach = np.abs(np.flatnonzero(np.any(np.asarray(changed[0, 0]) != 0, axis=-1)) // 2 - n // 2)
    assert reach.max() == field


def test_tiles_of_safmn_are_the_whole(random_params):
    network = create("safmn", scale=2, features=8, blocks=1, hidden=8)
    tiled = TiledUpscaler(network, random_params(network))
    image = np.random.default_rng(0).random((21, tiled.smallest + 40, 3), np.float32)
    whole, tiles = (tiled([image], tile=tile)[0] for tile in (0, tiled.smallest))
    np.testing.assert_allclose(tiles, whole, atol=2e-5)


@pytest.mark.parametrize(
    ("option", "message"),
    [({"head": "x"}, "there are: shuffle, dysample"), ({"hidden": 8}, "hidden is 8")],
)
def test_unknown_parts_of_mosr_are_refused(option, message):
    with pytest.raises(ValueError, match=message):
        create("mosr", **option)
