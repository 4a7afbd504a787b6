"""Where a run may start: runs, files and released weights, of every kind of network."""

import functools
from pathlib import Path

import jax
import numpy as np
import pytest
import safetensors.numpy

from jaxsr import zoo
from jaxsr.training import loop
from jaxsr.training.config import default_config
from jaxsr.training.initial import start_from
from jaxsr.zoo import kinds, weights
from jaxsr.zoo.convert import convert

GOLDEN = Path(__file__).parents[1] / "networks/golden"
# a checkpoint of others for every config of configs/sr but those of our own networks and variants
OTHERS = (
    *("atd_x4", "dat_x3", "dncnn_x1", "drct_x2", "drunet_x1", "edsr_x4", "fbcnn_x1", "hat_x3"),
    *("imdn_x2", "mosr_x2", "nafnet_x1", "omnisr_x2", "pan_x4", "plksr_x3", "rcan_x3"),
    *("realcugan_x2", "realplksr_x4", "restormer_x1", "rgt_x2", "rlfn_x2", "rrdb_x4", "safmn_x2"),
    *("scunet_x1", "seemore_x2", "smfanet_x2", "span_x4", "srformer_x3", "srvgg_compact_x4"),
    *("swinir_x4", "swinir_light_x2"),
)
OUR_OWN = {"span_compact", "span_photo"}
SIZES = ("features", "convolutions")
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


def checkpoint_of_others(name, folder):
    """Write ``any.pth`` as others name its arrays; return it and the parameters that it holds."""
    with np.load(GOLDEN / f"{name}.npz") as golden:
        state = {
            key.removeprefix("state/"): golden[key].astype(np.float32)
            for key in golden.files
            if key.startswith("state/")
        }
    path = folder / "any.pth"
    safetensors.numpy.save_file(state, path)
    return str(path), convert(state, hint=int(name.rpartition("_x")[2])).params


@pytest.mark.parametrize("name", OTHERS)
def test_checkpoints_of_others_are_taken_as_they_are(name, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    source, params = checkpoint_of_others(name, tmp_path)
    fresh = jax.tree.map(np.zeros_like, params)
    tuned = start_from(fresh, source, int(name.rpartition("_x")[2]))
    jax.tree.map(np.testing.assert_array_equal, tuned, params)


def test_a_run_starts_from_a_checkpoint_of_others(tmp_path, monkeypatch, folder_of, crops):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    source, params = checkpoint_of_others("srvgg_compact_x4", tmp_path)
    config = default_config()
    photos = folder_of(crops("astronaut", slice(0, 64), slice(0, 64)))
    config.data.update(source=f"folder:{photos}", cache=str(tmp_path / "cache"), low_crop=8)
    options = weights.read(zoo.find_any_weights(source)).options
    config.model.update(name="srvgg_compact", options={k: options[k] for k in SIZES})
    config.update(steps=1, batch_size=jax.device_count(), init_from=source)
    config.optimizer.learning_rate = 0.0
    tuned = loop.fit(config, tmp_path / "run")
    jax.tree.map(np.testing.assert_array_equal, tuned.params, params)


def test_every_config_of_an_upscaler_can_start_from_a_checkpoint_of_others():
    configs = Path(__file__).parents[2] / "configs/sr"
    named = {name.rpartition("_x")[0] for name in OTHERS} | {"edsr_baseline"}
    assert {path.stem for path in configs.glob("*.py")} - OUR_OWN == named - {"edsr"}


def test_a_body_of_others_is_taken_at_another_scale(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    source, params = checkpoint_of_others("srvgg_compact_x4", tmp_path)
    fresh = jax.tree.map(np.zeros_like, params)
    fresh["fuse"] = jax.tree.map(lambda leaf: np.zeros((*leaf.shape[:-1], 12)), fresh["fuse"])
    tuned = start_from(fresh, source, 2)
    assert "the rest starts anew: fuse/" in capsys.readouterr().out
    jax.tree.map(np.testing.assert_array_equal, tuned["enhance"], params["enhance"])
