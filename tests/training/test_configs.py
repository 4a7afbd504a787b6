"""Every config in configs/sr, shrunk, builds its task and trains for one step."""

import importlib.util
import inspect
from pathlib import Path

import jax
import numpy as np
import pytest
import skimage.data
from PIL import Image

from jaxsr.networks import UPSCALERS
from jaxsr.training.loop import TASKS
from jaxsr.training.optimizer import make_optimizer
from jaxsr.training.parallel import make_mesh, map_step, replicate, shard_batch
from jaxsr.training.state import new_state
from jaxsr.training.step import make_step

CONFIGS = sorted(Path(__file__).resolve().parents[2].glob("configs/sr/*.py"))
SHRUNK = {
    "features": 8,
    "blocks": 1,
    "groups": 1,
    "depth": 2,
    "heads": 2,
    "window": 4,
    "squeeze": 2,
    "reduction": 2,
}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    Image.fromarray(skimage.data.astronaut()[:64, :64]).save(folder / "astronaut.png")
    return folder


def shrunk(path, photos):
    """The config's task on tiny crops, with a tiny network, and its mapped step."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert f"--config=configs/sr/{path.name}" in module.__doc__
    config = module.get_config("2")
    config.batch_size = 2
    config.optimizer.warmup_steps = 0
    config.data.update(low_crop=16, source=f"folder:{photos}", cache=str(photos / "cache"))
    options = inspect.signature(UPSCALERS[config.model.name]).parameters
    config.model.options = {name: SHRUNK[name] for name in SHRUNK if name in options}
    task = TASKS[config.task](config)
    optimizer, _ = make_optimizer(config.optimizer, config.steps)
    mesh = make_mesh(jax.devices()[:1])
    return task, optimizer, mesh, map_step(make_step(task.loss, optimizer), mesh)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_config_builds_its_task_and_its_step_traces(path, photos):
    task, optimizer, _, step = shrunk(path, photos)
    batch = {k: v for k, v in next(iter(task.dataset)).items() if k != "index"}
    params = jax.eval_shape(task.init, jax.random.key(0))
    state = jax.eval_shape(lambda p: new_state(p, optimizer), params)
    after, metrics = jax.eval_shape(step, state, batch, task.frozen)
    assert jax.tree.map(lambda a: (a.shape, a.dtype), after) == jax.tree.map(
        lambda a: (a.shape, a.dtype), state
    )
    assert metrics["loss"].shape == ()


@pytest.mark.parametrize("name", ["span_compact", "pan", "swinir_light"])
def test_a_step_moves_every_kind_of_parameter(name, photos):
    task, optimizer, mesh, step = shrunk(CONFIGS[0].with_name(f"{name}.py"), photos)
    before = jax.device_get(jax.jit(task.init)(jax.random.key(0)))
    state = replicate(new_state(before, optimizer), mesh)
    batch = {k: v for k, v in next(iter(task.dataset)).items() if k != "index"}
    state, metrics = step(state, shard_batch(batch, mesh), {})
    assert np.isfinite(metrics["loss"])
    moved = jax.tree.map(
        lambda a, b: not np.array_equal(a, b), before, jax.device_get(state.params)
    )
    still = [jax.tree_util.keystr(k) for k, m in jax.tree.leaves_with_path(moved) if not m]
    assert not still
