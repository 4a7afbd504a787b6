"""One batch trains alike on any number of devices: whatever is drawn belongs to the example."""

import jax
import numpy as np
import optax
import pytest

from jaxsr.training.loop import TASKS
from jaxsr.training.parallel import make_mesh, map_step, replicate, shard_batch
from jaxsr.training.state import new_state
from jaxsr.training.step import make_step

SMALL = {  # config file → its options
    "sr/span_compact": {"model.options": {"features": 4, "blocks": 1}, "data.low_crop": 8},
    "codec/bmshj2018_hyperprior": {
        "model.options": {"features": 4, "latents": 8, "hidden": 2},
        "data.crop": 64,
        "region_chance": 1.0,
    },
    "roi/segment": {
        "model.options": {"features": (4, 4), "layers": 0, "side": 32, "classes": 1},
        "data.crop": 32,
        "data.mask_classes": ((0,), (1, 2)),
        "data.mask_ignored": (255,),
    },
    "roi/restore": {
        "model.options": {
            **{"features": 8, "blocks": 1, "layers": 1, "window": 4, "heads": 2},
            "told": True,
        },
        "harm": 8.0,
        "data.crop": 48,
        "data.real.first.noise": 0.0,
    },
}


@pytest.fixture(scope="module")
def folder(folder_of, crops):
    """Images with masks, some of whose pixels are ignored: more of them in one than in another."""
    images = crops("astronaut coffee chelsea", slice(144), slice(100, 292))
    masks = {name: (image[..., 0] > 100).astype(np.uint8) for name, image in images.items()}
    for i, mask in enumerate(masks.values()):
        mask[: 40 * i] = 255
    return folder_of(images, masks)


@pytest.fixture
def task(request, module_at, folder, tiny_codec):
    """The task of a config that is made small."""
    name = request.param
    config = module_at(f"configs/{name}.py").get_config()
    images = folder if name == "roi/segment" else folder / "images"
    config.data.update(source=f"folder:{images}", cache=str(folder / "cache"))
    config.batch_size = 4
    if "codec" in config:
        config.codec = str(tiny_codec)
    with config.unlocked():
        for option, value in SMALL[name].items():
            place, _, last = option.rpartition(".")
            part = config
            for step in filter(None, place.split(".")):
                part = part[step]
            part[last] = value
    return TASKS[config.task](config)


every_task = pytest.mark.parametrize("task", SMALL, indirect=True)


@every_task
def test_no_network_is_a_constant_of_the_program(task):
    params = jax.eval_shape(task.init, jax.random.key(0))
    batch = {key: x for key, x in next(iter(task.dataset)).items() if key != "index"}
    program = jax.make_jaxpr(task.loss)(params, batch, task.frozen)
    # tables of windows and of lapped blocks are constants; every frozen network has a hundred
    # thousand numbers or more
    assert sum(np.size(constant) for constant in program.consts) < 30_000


@pytest.mark.slow
@every_task
def test_one_device_and_four_train_alike(task):
    params = jax.device_get(jax.jit(task.init)(jax.random.key(0)))
    # off the start, where a restorer gives its input back and rounding decides whether it did harm
    rng = np.random.default_rng(0)
    params = jax.tree.map(lambda p: p + 0.03 * rng.standard_normal(p.shape, np.float32), params)
    batches = [batch for batch, _ in zip(task.dataset, range(3), strict=False)]
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(0.05))
    after = []
    for count in (1, 4):
        mesh = make_mesh(jax.devices()[:count])
        state = replicate(new_state(params, optimizer), mesh)
        frozen = replicate(task.frozen, mesh)
        step = map_step(make_step(task.loss, optimizer), mesh)
        figures = []
        for batch in batches:
            batch = {key: x for key, x in batch.items() if key != "index"}
            state, metrics = step(state, shard_batch(batch, mesh), frozen)
            figures.append(jax.device_get(metrics))
        after.append((jax.device_get(state.params), figures))
    (one, seen), (four, seen_by_four) = after
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), one, four)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4), seen, seen_by_four)
    moved = jax.tree.map(lambda a, b: np.abs(a - b).max(), one, params)
    assert max(jax.tree.leaves(moved)) > 1e-3
