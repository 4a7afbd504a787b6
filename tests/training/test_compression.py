"""The compression task: its draws, its loss, its configs, and steps that make it better."""

import functools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxsr.entropy.tables import STEP
from jaxsr.networks.compressor import Coded, lambda_of, rate_of
from jaxsr.training.compression import REGION_STEPS, compression, draw_coding, rate_distortion_loss
from jaxsr.training.config import default_config
from jaxsr.training.parallel import make_mesh, map_step, replicate, shard_batch
from jaxsr.training.state import new_state
from jaxsr.training.step import make_step

CONFIGS = sorted(Path(__file__).resolve().parents[2].glob("configs/codec/*.py"))
TINY = {"features": 4, "latents": 8, "hidden": 2}


@pytest.fixture(scope="module")
def photos(folder_of, crops):
    return folder_of(crops("astronaut coffee", slice(128), slice(100, 292)))


@pytest.fixture
def config(photos):
    config = default_config("compression")
    config.model.update(name="bmshj2018_hyperprior", options=TINY)
    config.data.update(source=f"folder:{photos}", cache=str(photos / "cache"), crop=64)
    config.batch_size = 8
    return config


def batch_of(task):
    return {key: x for key, x in next(iter(task.dataset)).items() if key != "index"}


# ---- what is drawn ----


def draw(count, size, **options):
    """The rates and regions of a batch of ``count`` images."""
    keys = jax.random.split(jax.random.key(options.pop("seed", 1)), count)
    one = functools.partial(draw_coding, count=count, size=size, **options)
    return jax.vmap(one)(keys, jnp.arange(count))[:2]


def test_the_rates_of_a_batch_are_spread_evenly():
    for seed in range(5):
        rate, _ = draw(8, (64, 64), seed=seed)
        np.testing.assert_array_equal(np.floor(rate * 8), np.arange(8))


def test_a_power_draws_low_rates_more_often():
    even, _ = draw(8, (64, 64))
    low, _ = draw(8, (64, 64), power=1.3)
    np.testing.assert_allclose(low, even**1.3, rtol=1e-6)


def test_a_rate_may_be_fixed_and_regions_left_out():
    rate, region = draw(3, (128, 64), fixed=0.25, region_chance=0.0)
    np.testing.assert_array_equal(rate, np.full(3, 0.25, np.float32))
    np.testing.assert_array_equal(region, np.zeros((3, 8, 4)))


def test_a_region_is_a_rectangle_of_whole_steps_in_as_many_images_as_asked():
    _, region = draw(2000, (96, 160), region_chance=0.5)
    assert region.shape == (2000, 6, 10)
    region = np.asarray(region)
    np.testing.assert_array_equal(region, np.round(region))
    assert np.abs(region).max() == REGION_STEPS
    inside = region != 0
    for image, where in zip(region, inside, strict=True):
        rows, columns = where.any(1), where.any(0)
        np.testing.assert_array_equal(where, rows[:, None] & columns)
        assert (np.abs(np.diff(np.pad(rows, 1).astype(int))).sum() in (0, 2)) and (
            len(np.unique(image[where])) <= 1
        )
    # some rectangles are empty, some of 0 steps
    assert 0.3 < inside.any((1, 2)).mean() < 0.5


# ---- the loss ----


def test_the_loss_weighs_bits_and_squared_error_by_the_rate():
    rng = np.random.default_rng(0)
    image = jnp.float32(rng.uniform(size=(2, 32, 64, 3)))
    output = image + jnp.float32(rng.normal(0, 0.1, image.shape))
    rate, region = jnp.array([0.2, 0.9]), jnp.zeros((2, 2, 4)).at[1, 0, 0].set(6.0)
    coded = Coded(output, jnp.array([900.0, 5000.0]), jnp.array([100.0, 50.0]))
    error = 255**2 * np.asarray((output - image) ** 2, np.float64).mean(-1)
    error[1, :16, :16] *= np.exp(12 * STEP)  # a finer step is best where λ is larger by its square
    bpp = np.array([1000, 5050]) / (32 * 64)
    weight = np.asarray(lambda_of(rate))
    expected = np.mean(np.sqrt(weight) * error.mean((1, 2)) + bpp / np.sqrt(weight))
    loss, parts = rate_distortion_loss(image, coded, rate, region)
    assert loss == pytest.approx(expected, rel=1e-5)
    loss, _ = rate_distortion_loss(image, coded, rate, region, "logarithm")
    assert loss == pytest.approx(np.mean(np.log(weight * error.mean((1, 2)) + bpp)), rel=1e-5)
    assert parts["bpp_residuals"] + parts["bpp_z"] == pytest.approx(bpp.mean())
    assert parts["bpp_z"] == pytest.approx(75 / (32 * 64))
    mse = 255**2 * float(jnp.mean((output - image) ** 2))
    assert parts["mse"] == pytest.approx(mse, rel=1e-5)


# ---- configs and options ----


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_config_builds_its_task_and_its_step_traces(path, dtype, config, module_at):
    full = module_at(path).get_config()
    full.dtype = dtype
    full.data.update(source=config.data.source, cache=config.data.cache, crop=128)
    full.batch_size = 1
    task = compression(full)
    optimizer = optax.adam(1e-4)
    step = map_step(make_step(task.loss, optimizer), make_mesh(jax.devices()[:1]))
    params = jax.eval_shape(task.init, jax.random.key(0))
    state = jax.eval_shape(lambda p: new_state(p, optimizer), params)
    after, metrics = jax.eval_shape(step, state, batch_of(task), task.frozen)
    assert jax.tree.map(lambda x: x.dtype, after) == jax.tree.map(lambda x: x.dtype, state)
    assert {(x.shape, x.dtype) for x in metrics.values()} == {((), np.dtype(np.float32))}


@pytest.mark.parametrize("path", [p for p in CONFIGS if p.stem != "patch_hyperprior"], ids=str)
def test_a_published_config_takes_lambda_for_a_single_rate(path, module_at):
    get_config = module_at(path).get_config
    config = get_config("0.013")
    assert config.rate == rate_of(0.013) and config.region_chance == 0
    assert config.model.options.anchors == 1
    assert get_config().rate < 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rate": 1.5}, "config.rate is 1.5; give one of 0..1"),
        ({"rate_power": 0.0}, "config.rate_power is 0.0; give a positive one"),
        ({"region_chance": 2.0}, "config.region_chance is 2.0; give a chance of 0..1"),
        ({"data.crop": 100}, "config.data.crop is 100; make it a multiple of 64"),
        ({"model.name": "span"}, "unknown network 'span'"),
    ],
    ids=str,
)
def test_an_option_that_cannot_be_is_refused_in_one_line(config, changes, message):
    config.update_from_flattened_dict(changes)
    with pytest.raises(ValueError, match=message) as error:
        compression(config)
    assert "\n" not in str(error.value)


# ---- steps ----


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_steps_lower_the_loss(config, dtype):
    config.dtype = dtype
    task = compression(config)
    optimizer = optax.adam(3e-3)
    mesh = make_mesh(jax.devices()[:4])
    step = map_step(make_step(task.loss, optimizer), mesh)
    batch = batch_of(task)
    params = jax.device_get(jax.jit(task.init)(jax.random.key(0)))
    state, losses = replicate(new_state(params, optimizer), mesh), []
    for _ in range(30):
        state, metrics = step(state, shard_batch(batch, mesh), {})
        losses.append(float(metrics["loss"]))
    assert losses[-1] < 0.8 * losses[0]
