"""One step is the same step on one device, on four, through pmap, and in pieces."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import PartitionSpec

from jaxsr.training.parallel import (
    make_mesh,
    map_step,
    partition_step,
    replicate,
    shard_batch,
    spread,
)
from jaxsr.training.state import new_state
from jaxsr.training.step import AXIS, make_step

OPTIMIZER = optax.chain(optax.clip_by_global_norm(0.5), optax.adam(1e-2))


def loss(params, batch, frozen):
    hidden = jnp.tanh(batch["x"] @ params["a"]) * frozen["gain"]
    error = (hidden @ params["b"] - batch["y"]) ** 2
    return jnp.mean(error), {"first": jnp.mean(error[:, 0]), "second": jnp.mean(error[:, 1])}


def run(devices, mapper="shard_map", accumulate=1, steps=5, shard_params=False):
    rng = np.random.default_rng(0)
    params = {"a": rng.normal(size=(6, 8)), "b": rng.normal(size=(8, 2))}
    params = jax.tree.map(lambda p: jnp.asarray(p, jnp.float32), params)
    mesh = make_mesh(jax.devices()[:devices])
    state = (spread if shard_params else replicate)(new_state(params, OPTIMIZER), mesh)
    frozen = replicate({"gain": np.float32(2.0)}, mesh)
    step = make_step(
        loss,
        OPTIMIZER,
        accumulate=accumulate,
        schedule=lambda step, horizon: 1e-2 / (step + 1),
        mapped=not shard_params,
    )
    if shard_params:
        step = partition_step(step, state, mesh)
        assert state.params["a"].sharding.spec == PartitionSpec(None, AXIS)
        assert state.opt_state[1][0].mu["b"].sharding.spec == PartitionSpec(AXIS)
    else:
        step = map_step(step, mesh, mapper)
    for _ in range(steps):
        batch = {k: rng.normal(size=(8, n)).astype(np.float32) for k, n in [("x", 6), ("y", 2)]}
        state, metrics = step(state, shard_batch(batch, mesh), frozen)
    return jax.device_get(state), {name: float(value) for name, value in metrics.items()}


@pytest.fixture(scope="module")
def reference():
    return run(1)


@pytest.mark.parametrize(
    "options",
    [
        {"devices": 4},
        {"devices": 4, "mapper": "pmap"},
        {"devices": 1, "accumulate": 4},
        {"devices": 4, "shard_params": True},
    ],
    ids=str,
)
def test_every_way_of_mapping_agrees(reference, options, monkeypatch):
    monkeypatch.setattr("jaxsr.training.parallel.SMALLEST_SPREAD", 1)
    state, metrics = run(**options)
    assert int(state.step) == 5
    assert metrics.keys() == reference[1].keys()
    assert metrics == pytest.approx(reference[1], rel=1e-5)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), state, reference[0])


def test_metrics_are_the_loss_its_parts_norms_and_the_learning_rate(reference):
    _, metrics = reference
    parts = {"first", "second"}
    assert metrics.keys() == parts | {"loss", "grad_norm", "update_norm", "learning_rate"}
    assert metrics["loss"] == pytest.approx((metrics["first"] + metrics["second"]) / 2)
    assert metrics["learning_rate"] == pytest.approx(1e-2 / 5)


def test_the_average_starts_as_the_mean_of_what_there_is(reference):
    state, _ = reference
    assert any(
        np.abs(e - p).max() > 1e-4
        for e, p in zip(*map(jax.tree.leaves, (state.ema, state.params)), strict=True)
    )


def test_an_unknown_mapper_is_refused():
    with pytest.raises(ValueError, match="shard_map and pmap"):
        map_step(lambda s, b, f: (s, {}), make_mesh(), "vmap")
