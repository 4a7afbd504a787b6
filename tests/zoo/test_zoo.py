"""Released weights: what there is, what is said when there is not, and folding on the way in."""

import jax
import numpy as np
import pytest

from jaxsr import networks, zoo
from jaxsr.zoo import weights


@pytest.fixture
def tiny_span(random_params):
    def save(path, folded=False, scale=2, features=4):
        options = {"scale": scale, "features": features, "folded": folded}
        params = random_params(networks.create("span", **options))
        weights.save(path, weights.Weights("span", options, params))
        return path

    return save


def test_released_files_are_found_by_name_and_scale(tmp_path, tiny_span):
    two = tiny_span(tmp_path / "tiny-span-x2.safetensors")
    four = tiny_span(tmp_path / "tiny-span-x4.safetensors", scale=4)
    assert zoo.available(tmp_path) == {"tiny-span": {2: two, 4: four}}
    assert zoo.find("tiny-span", 2, tmp_path) == two
    assert zoo.find("tiny-span", folder=tmp_path) == four
    assert zoo.find(two) == two


def test_what_is_not_there_is_said_with_what_is(tmp_path, tiny_span):
    tiny_span(tmp_path / "tiny-span-x2.safetensors")
    for name, scale, message in (
        ("spam", 2, "unknown model 'spam'; released: tiny-span ×2"),
        ("tiny-span", 4, "not released at ×4; tiny-span ×2"),
        ("tiny-span", 5, "unsupported scale 5"),
        ("missing.safetensors", 2, "no such weights file"),
        (str(tmp_path / "missing"), 2, "no such weights file"),
        ("PAN.pth", 2, "jaxsr convert PAN.pth PAN.safetensors"),
    ):
        with pytest.raises(ValueError, match=message):
            zoo.find(name, scale, tmp_path)


def test_weights_of_another_scale_are_refused(tmp_path, tiny_span):
    path = tiny_span(tmp_path / "two.safetensors", scale=2)
    assert zoo.load(path).options["scale"] == 2
    with pytest.raises(ValueError, match="upscale ×2, not ×4"):
        zoo.load(path, 4)


def test_weights_in_the_training_form_are_folded_when_loaded(tmp_path, tiny_span):
    path = tiny_span(tmp_path / "training.safetensors")
    training, folded = weights.load(path), zoo.load(path)
    x = jax.random.uniform(jax.random.key(1), (1, 8, 6, 3))
    outputs = [
        networks.create(w.network, **w.options).apply({"params": w.params}, x)
        for w in (training, folded)
    ]
    assert folded.options["folded"]
    assert "conv" in folded.params["extract"]
    np.testing.assert_allclose(*outputs, rtol=1e-4, atol=1e-4)
