"""A region alone, by networks for whole images: ×1 ones restore it, others upscale it."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import skimage.data

from jaxsr import networks, pipeline, zoo
from jaxsr.networks.upscaler import Extract, PixelShuffleDirect, Upscaler
from jaxsr.pipeline import Restore
from jaxsr.regions.others import RestoresImages
from jaxsr.zoo import weights

CAT = skimage.data.chelsea()[60:268, 80:304]  # 208×224
BOX = [(60, 70, 90, 60)]


class Squash(nn.Module):
    """Something that changes features where they are."""

    @nn.compact
    def __call__(self, f):
        return nn.tanh(f)


def restorer(channels=3):
    """A small network ×1, and what it makes of a whole image."""
    network = Upscaler(
        extract=Extract(8),
        enhance=Squash(),
        fuse=PixelShuffleDirect(1, channels=channels, skip="nearest", variance=0.1),
        scale=1,
        channels=channels,
        receptive_field=2,
    )
    params = network.init(jax.random.key(0), jnp.zeros((1, 8, 8, channels)))["params"]
    return network, params, pipeline.Upscale(network, params)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_network_of_whole_images_restores_a_region_and_nothing_else(channels):
    network, params, whole = restorer(channels)
    result = Restore(RestoresImages(network), params)(CAT, BOX)
    outside = result.mask == 0
    np.testing.assert_array_equal(result.image[outside], CAT[outside])
    x, y, w, h = BOX[0]
    inner = slice(y + 17, y + h - 17), slice(x + 17, x + w - 17)  # beyond the feather
    everywhere = whole(CAT).image
    np.testing.assert_allclose(
        result.image[inner].astype(int), everywhere[inner].astype(int), atol=1
    )
    assert (everywhere != CAT).mean() > 0.5


def test_a_network_that_enlarges_is_no_restorer():
    network = pipeline.load_upscaler(scale=2).network
    with pytest.raises(ValueError, match=r"this network enlarges ×2; .* --box"):
        RestoresImages(network)


def test_a_region_is_upscaled_by_one_network_and_the_rest_by_another(tmp_path):
    around = pipeline.load_upscaler(scale=2)
    read = zoo.read_upscaler(scale=2)
    other = jax.tree.map(lambda x: 0.9 * x, read.params)
    path = tmp_path / "fine-x2.safetensors"
    weights.write(path, weights.Weights(read.network, read.options, other))
    inside = pipeline.load_upscaler(path)
    upscale = pipeline.load_region_upscaler(path, segmenter=None)
    result = upscale(CAT, BOX)
    outside = result.mask == 0
    np.testing.assert_array_equal(result.image[outside], around(CAT).image[outside])
    x, y, w, h = (2 * n for n in BOX[0])
    inner = slice(y + 17, y + h - 17), slice(x + 17, x + w - 17)
    expected = inside(CAT).image[inner].astype(int)
    np.testing.assert_allclose(result.image[inner].astype(int), expected, atol=1)
    assert (expected != around(CAT).image[inner]).mean() > 0.5


def test_a_file_of_a_network_of_whole_images_is_loaded_as_a_restorer(tmp_path):
    path = tmp_path / "edsr.safetensors"
    options = {"scale": 1, "features": 8, "blocks": 1}
    network = networks.create("edsr_baseline", **options)
    params = network.init(jax.random.key(0), jnp.zeros((1, 8, 8, 3)))["params"]
    weights.write(path, weights.Weights("edsr_baseline", options, params))
    restore = pipeline.load_restorer(path, segmenter=None)
    result = restore(CAT, BOX)
    assert result.tiles == 1
    stages, params = pipeline.load_stages(1, segment=None, restore=path)
    pure = pipeline.run_chain(stages, params, CAT[None] / np.float32(255), result.mask[None])
    np.testing.assert_allclose(pure.image[0], result.image / 255, atol=1 / 255)
