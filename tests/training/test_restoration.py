"""The restoration task: what it draws, its loss, its config."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsr.data import pipeline
from jaxsr.image.resize import imresize_uint8
from jaxsr.training.loop import TASKS
from jaxsr.training.optimizer import make_optimizer
from jaxsr.training.parallel import make_mesh, map_step, replicate, shard_batch
from jaxsr.training.restoration import SCALES, draw_masks
from jaxsr.training.state import new_state
from jaxsr.training.step import make_step

SMALL = {"features": 8, "blocks": 1, "layers": 1, "window": 4, "heads": 2, "told": True}


@pytest.fixture(scope="module")
def photos(folder_of, crops):
    return folder_of(crops("astronaut", slice(96), slice(100, 220)))


@pytest.fixture
def config(photos, tiny_codec, module_at):
    config = module_at("configs/roi/restore.py").get_config()
    config.data.update(source=f"folder:{photos}", cache=str(photos / "cache"), crop=48)
    config.model.options = SMALL
    config.codec = str(tiny_codec)
    config.batch_size = 1
    config.optimizer.update(warmup_steps=0, learning_rate=3e-4)
    return config


def drawn(config, **options):
    return next(iter(pipeline.restoration(config.data, batch_size=2, seed=0, **options)))


def test_a_crop_for_every_scale_and_one_to_be_coded(config):
    batch = drawn(config, scales=SCALES)
    assert batch["high"].shape == (2, 5, 48, 48, 3)
    for scale in SCALES:
        assert batch[f"low_{scale}"].shape == (2, 48 // scale, 48 // scale, 3)


def test_what_is_left_clean_is_only_reduced(config):
    config.data.clean = 1.0
    batch = drawn(config, scales=(1, 2))
    np.testing.assert_array_equal(batch["low_1"], batch["high"][:, 0])
    for low, high in zip(batch["low_2"], batch["high"][:, 1], strict=True):
        inside = slice(4, -4)  # at the borders the whole image's reduction has seen beyond the crop
        here = imresize_uint8(high, 1 / 2)[inside, inside].astype(int)
        assert np.abs(low[inside, inside].astype(int) - here).max() <= 1


def test_what_is_degraded_is_so_at_its_own_size(config):
    config.data.clean = 0.0
    config.data.real.first.update(blur=0.0, noise=1.0, poisson=0.0, noise_sigma=(20, 20), jpeg=0.0)
    batch = drawn(config, scales=(1, 4))
    difference = batch["low_1"].astype(float) - batch["high"][:, 0]
    assert 15 < difference.std() < 21  # some is cut off at black and white


def test_crops_are_multiples_of_every_scale(config):
    config.data.crop = 32
    with pytest.raises(ValueError, match="crop is 32; make it a multiple of the scales"):
        drawn(config, scales=SCALES)


def test_every_second_image_is_all_region_and_the_others_have_a_rectangle():
    for place in (0, 1):
        mask = np.asarray(draw_masks(jax.random.key(0), jnp.int32(place), count=6, size=(24, 32)))
        assert (mask[place::2] == 1).all()
        assert set(np.unique(mask[1 - place :: 2])) == {0, 1}


@pytest.mark.slow
def test_steps_of_the_task_make_its_loss_smaller(config):
    task = TASKS[config.task](config)
    optimizer, _ = make_optimizer(config.optimizer, config.steps)
    mesh = make_mesh(jax.devices()[:1])
    step = map_step(make_step(task.loss, optimizer), mesh)
    params = jax.jit(task.init)(jax.random.key(0))
    state = replicate(new_state(params, optimizer), mesh)
    frozen = replicate(task.frozen, mesh)
    batch = {k: v for k, v in next(iter(task.dataset)).items() if k != "index"}
    losses = []
    for _ in range(8):
        state, metrics = step(state, shard_batch(batch, mesh), frozen)
        losses.append(float(metrics["loss"]))
    assert losses[-1] < losses[0]
    total = float(metrics["l1"] + config.harm * metrics["harm"])
    total += float(config.estimate * metrics["estimate"])
    assert metrics["loss"] == pytest.approx(total, rel=1e-5)
    assert 0 < metrics["unrestored"] < 1
    before = jax.device_get(frozen)
    jax.tree.map(np.testing.assert_array_equal, before, task.frozen)  # nothing trains them
    assert task.dataset.names == (str(next(Path(config.data.source[7:]).glob("*.png"))),)
