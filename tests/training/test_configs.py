"""Every config says its command; those in configs/sr, shrunk, train for one step."""

import inspect
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxsr.networks import UPSCALERS
from jaxsr.training.loop import TASKS
from jaxsr.training.optimizer import make_optimizer
from jaxsr.training.parallel import make_mesh, map_step, replicate, shard_batch
from jaxsr.training.state import new_state
from jaxsr.training.step import make_step

ROOT = Path(__file__).resolve().parents[2] / "configs"
CONFIGS = sorted(ROOT.glob("sr/*.py"))
SHRUNK = {
    "features": 8,
    "blocks": 1,
    "groups": 1,
    "depth": 2,
    "heads": 2,
    "window": 4,
    "squeeze": 2,
    "reduction": 2,
    "part": 4,
    "encoder": (1,),
    "decoder": (1,),
    "middle": 1,
    "head_features": 4,
    "hidden": 4,
    "convolutions": 2,
}


@pytest.fixture(scope="module")
def photos(folder_of, crops):
    return folder_of(crops("astronaut", slice(64), slice(64)))


@pytest.fixture
def shrunk(module_at, photos):
    """``shrunk(path)``: the config's task on tiny crops, a tiny network, and its mapped step."""

    def shrink(path):
        get_config = module_at(path).get_config
        restores = not inspect.signature(get_config).parameters  # it has no scale to give
        config = get_config() if restores else get_config("2")
        config.batch_size = 2
        config.optimizer.warmup_steps = 0
        config.data.update(low_crop=16, source=f"folder:{photos}", cache=str(photos / "cache"))
        options = inspect.signature(UPSCALERS[config.model.name]).parameters
        small = {name: SHRUNK[name] for name in SHRUNK if name in options}
        config.model.options = config.model.options.to_dict() | small
        task = TASKS[config.task](config)
        optimizer, _ = make_optimizer(config.optimizer, config.steps)
        mesh = make_mesh(jax.devices()[:1])
        return task, optimizer, mesh, map_step(make_step(task.loss, optimizer), mesh)

    return shrink


@pytest.mark.parametrize("path", sorted(ROOT.glob("*/*.py")), ids=lambda path: path.stem)
def test_every_config_says_its_command(path, module_at):
    command = f"--config=configs/{path.relative_to(ROOT)}"
    assert command in module_at(path).__doc__


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_config_builds_its_task_and_its_step_traces(path, shrunk):
    task, optimizer, _, step = shrunk(path)
    batch = {k: v for k, v in next(iter(task.dataset)).items() if k != "index"}
    params = jax.eval_shape(task.init, jax.random.key(0))
    state = jax.eval_shape(lambda p: new_state(p, optimizer), params)
    after, metrics = jax.eval_shape(step, state, batch, task.frozen)
    assert jax.tree.map(lambda a: (a.shape, a.dtype), after) == jax.tree.map(
        lambda a: (a.shape, a.dtype), state
    )
    assert metrics["loss"].shape == ()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["span_compact", "pan", "swinir_light"])
def test_a_step_moves_every_kind_of_parameter(name, shrunk):
    task, optimizer, mesh, step = shrunk(CONFIGS[0].with_name(f"{name}.py"))
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
