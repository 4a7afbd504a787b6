"""The weights in the package do what their card says."""

import re

import jax
import numpy as np
import pytest
import skimage.data

from jaxsr import networks, pipeline, zoo
from jaxsr.evaluation.upscalers.protocol import evaluate
from jaxsr.networks import count

RELEASED = [(name, scale) for name, scales in zoo.released_upscalers().items() for scale in scales]


@pytest.fixture(scope="module", params=RELEASED, ids=lambda model: f"{model[0]}-x{model[1]}")
def model(request):
    return request.param


def test_a_photograph_gains_over_bicubic(model):
    name, scale = model
    upscale = pipeline.load_upscaler(name, scale)
    photo = skimage.data.astronaut()[:192, 96:288]
    result = evaluate(upscale.tiled, [("astronaut", photo)], scale)
    assert result.mean.psnr > result.bicubic.psnr + 1.5
    assert result.mean.ssim > result.bicubic.ssim


def test_the_default_is_small_and_there_at_every_scale():
    scales = zoo.released_upscalers()[zoo.DEFAULT_UPSCALER]
    assert tuple(scales) == (2, 3, 4)
    for path in scales.values():
        weights = zoo.weights.read(path)
        network = networks.create(weights.network, **weights.options)
        assert count.parameters(network) < 400_000
        assert sum(leaf.size for leaf in jax.tree.leaves(weights.params)) == count.parameters(
            network
        )


def test_set5_has_the_figures_of_the_card(model, shared):
    name, scale = model
    card = (zoo.FOLDER / f"{name}.md").read_text()
    psnr, ssim = re.search(rf"Set5 ×{scale} +\| +([\d.]+) / ([\d.]+)", card).groups()
    upscale = pipeline.load_upscaler(name, scale)
    result = evaluate(upscale.tiled, shared / "data/test/set5", scale)
    np.testing.assert_allclose(result.mean.psnr, float(psnr), atol=2e-3)
    np.testing.assert_allclose(result.mean.ssim, float(ssim), atol=2e-4)
