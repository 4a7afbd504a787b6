"""Networks for gray images and for RGB with alpha, on images of any channels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsr.networks.upscaler import Extract, PixelShuffleDirect, Upscaler
from jaxsr.pipeline import Upscale


class Same(Extract):
    """Features as they are."""

    def __call__(self, x):
        return x


def upscaler(channels):
    """A small network that mixes its channels."""
    network = Upscaler(
        extract=Extract(4),
        enhance=Same(4),
        fuse=PixelShuffleDirect(2, channels=channels, skip="nearest"),
        scale=2,
        channels=channels,
        receptive_field=2,
    )
    params = network.init(jax.random.key(0), jnp.zeros((1, 8, 8, channels)))["params"]
    return Upscale(network, params)


def whole(upscale, x):
    """What the network makes of an image of its own channels."""
    return np.asarray(upscale.apply(upscale.params, jnp.asarray(x)[None])[0])


def image(*shape):
    return np.random.default_rng(0).random(shape, np.float32)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_network_for_gray_images_upscales_every_colour_by_itself(channels):
    upscale, x = upscaler(1), image(9, 11, channels)
    expected = np.concatenate([whole(upscale, x[..., i : i + 1]) for i in range(channels)], -1)
    np.testing.assert_allclose(upscale(x).image, expected, atol=1e-5)


def test_a_network_with_alpha_sees_it_and_makes_it():
    upscale, x = upscaler(4), image(9, 11, 4)
    np.testing.assert_allclose(upscale(x).image, whole(upscale, x), atol=1e-5)


@pytest.mark.parametrize("shape", [(9, 11, 3), (9, 11)])
def test_a_network_with_alpha_takes_images_without_as_opaque(shape):
    upscale, x = upscaler(4), image(*shape)
    rgb = np.broadcast_to(x.reshape(9, 11, -1), (9, 11, 3))
    expected = whole(upscale, np.concatenate([rgb, np.ones((9, 11, 1), np.float32)], -1))[..., :3]
    if len(shape) == 2:
        expected = expected.mean(-1)
    np.testing.assert_allclose(upscale(x).image, expected, atol=1e-5)


def test_gray_with_alpha_keeps_its_channels_and_type():
    x = (255 * image(6, 7, 2)).astype(np.uint8)
    for channels in (1, 3, 4):
        larger = upscaler(channels)(x).image
        assert larger.shape == (12, 14, 2) and larger.dtype == np.uint8
