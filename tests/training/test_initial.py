"""Where a run may start: runs, files and released weights, of every kind of network."""

import functools

import jax
import numpy as np
import pytest

from jaxsr import zoo
from jaxsr.training.initial import start_from
from jaxsr.zoo import kinds, weights

OPTIONS = {"features": [4, 4, 4, 8], "layers": 1}


@pytest.fixture(scope="module")
def segmenter(random_params):
    network = kinds.SEGMENTER.create("attention_unet", **OPTIONS)
    return random_params(network, *kinds.SEGMENTER.inputs(network))


@pytest.fixture
def released(segmenter, tmp_path, monkeypatch):
    """The name of weights that are released for this test."""
    weights.write(
        tmp_path / "tiny.safetensors", weights.Weights("attention_unet", OPTIONS, segmenter)
    )
    monkeypatch.setattr(
        zoo, "find_any_weights", functools.partial(zoo.find_any_weights, folder=tmp_path)
    )
    return "tiny"


def test_released_segmenters_are_taken_by_name_and_by_file(segmenter, released, tmp_path):
    fresh = jax.tree.map(np.zeros_like, segmenter)
    for source in (released, str(tmp_path / "tiny.safetensors")):
        jax.tree.map(np.testing.assert_array_equal, start_from(fresh, source, 4), segmenter)


def test_a_head_for_other_classes_starts_anew(segmenter, released, capsys):
    fresh = jax.tree.map(np.zeros_like, segmenter)
    fresh["logits"] = {"kernel": np.zeros((3, 3, 4, 5)), "bias": np.zeros(5)}
    tuned = start_from(fresh, released, 4)
    assert "the rest starts anew: logits/bias, logits/kernel" in capsys.readouterr().out
    assert tuned["logits"]["kernel"].shape[-1] == 5
    assert np.any(tuned["down_0"]["kernel"])
