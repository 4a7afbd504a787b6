"""One step is the same step on one device, on four, through pmap, and in pieces."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxsr.training.parallel import make_mesh, map_step, replicate, shard_batch
from jaxsr.training.state import new_state
from jaxsr.training.step import make_step

OPTIMIZER = optax.chain(optax.clip_by_global_norm(0.5), optax.adam(1e-2))


def loss(params, batch):
    hidden = jnp.tanh(batch["x"] @ params["a"])
    return jnp.mean((hidden @ params["b"] - batch["y"]) ** 2)


def run(devices, mapper="shard_map", accumulate=1, steps=5):
    rng = np.random.default_rng(0)
    params = {"a": rng.normal(size=(6, 8)), "b": rng.normal(size=(8, 2))}
    params = jax.tree.map(lambda p: jnp.asarray(p, jnp.float32), params)
    mesh = make_mesh(jax.devices()[:devices])
    state = replicate(new_state(params, OPTIMIZER), mesh)
    step = map_step(make_step(loss, OPTIMIZER, accumulate=accumulate), mesh, mapper)
    for _ in range(steps):
        batch = {k: rng.normal(size=(8, n)).astype(np.float32) for k, n in [("x", 6), ("y", 2)]}
        state, metrics = step(state, shard_batch(batch, mesh))
    return jax.device_get(state), float(metrics["loss"])


@pytest.fixture(scope="module")
def reference():
    return run(1)


@pytest.mark.parametrize(
    "options",
    [{"devices": 4}, {"devices": 4, "mapper": "pmap"}, {"devices": 1, "accumulate": 4}],
    ids=str,
)
def test_every_way_of_mapping_agrees(reference, options):
    state, value = run(**options)
    assert int(state.step) == 5
    assert value == pytest.approx(reference[1], abs=1e-5)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), state, reference[0])


def test_the_average_starts_as_the_mean_of_what_there_is(reference):
    state, _ = reference
    assert any(
        np.abs(e - p).max() > 1e-4
        for e, p in zip(*map(jax.tree.leaves, (state.ema, state.params)), strict=True)
    )


def test_an_unknown_mapper_is_refused():
    with pytest.raises(ValueError, match="shard_map and pmap"):
        map_step(lambda s, b: (s, b), make_mesh(), "vmap")
