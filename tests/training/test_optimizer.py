"""The optimiser a config describes."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxsr.training import optimizer


def test_schedules_warm_up_and_decay():
    config = optimizer.default_config()
    config.update(learning_rate=1.0, warmup_steps=10, final_fraction=0.1)
    cosine = optimizer.make_schedule(config, 110)
    np.testing.assert_allclose([cosine(0), cosine(5), cosine(10)], [0, 0.5, 1], atol=1e-6)
    np.testing.assert_allclose([cosine(60), cosine(110)], [0.55, 0.1], atol=1e-6)
    config.update(schedule="multistep", warmup_steps=0, milestones=(0.5, 0.75), factor=0.5)
    steps = optimizer.make_schedule(config, 100)
    np.testing.assert_allclose([steps(49), steps(51), steps(99)], [1, 0.5, 0.25], atol=1e-6)
    config.update(schedule="stable", warmup_steps=10, decay_steps=20)
    stable = optimizer.make_schedule(config, 100)
    np.testing.assert_allclose([stable(5), stable(10), stable(80)], [0.5, 1, 1], atol=1e-6)
    np.testing.assert_allclose([stable(90), stable(100)], [0.55, 0.1], atol=1e-6)


@pytest.mark.parametrize("name", ["cosine", "multistep", "stable"])
def test_a_horizon_counts_in_place_of_the_configs_steps(name):
    config = optimizer.default_config()
    config.update(schedule=name, warmup_steps=5, decay_steps=20)
    near, far = (optimizer.make_schedule(config, steps) for steps in (60, 1000))
    for step in (2, 5, 30, 50, 60):
        np.testing.assert_allclose(far(step, 60), near(step), rtol=1e-6)
        np.testing.assert_allclose(far(step, 0), far(step), rtol=1e-6)


def test_schedules_are_those_of_optax():
    config = optimizer.default_config()
    config.update(learning_rate=0.3, warmup_steps=0, final_fraction=0.2, milestones=(0.3, 0.8))
    peers = {
        "cosine": optax.cosine_decay_schedule(0.3, 50, 0.2),
        "multistep": optax.piecewise_constant_schedule(0.3, {15: 0.5, 40: 0.5}),
        "constant": optax.constant_schedule(0.3),
        "stable": optax.linear_schedule(0.3, 0.06, 10, transition_begin=40),
    }
    for name, peer in peers.items():
        config.update(schedule=name, decay_steps=10)
        ours = optimizer.make_schedule(config, 50)
        for step in (0, 10, 16, 35, 41, 45, 50, 70):
            np.testing.assert_allclose(ours(step), peer(step), rtol=1e-5)


def test_weight_decay_spares_biases_and_clipping_bounds_the_gradient():
    config = optimizer.default_config()
    config.update(name="adamw", schedule="constant", learning_rate=0.1, weight_decay=0.5)
    update, _ = optimizer.make_optimizer(config, 10)
    params = {"kernel": jnp.ones((2, 2)), "bias": jnp.ones(2)}
    zero = {"kernel": jnp.zeros((2, 2)), "bias": jnp.zeros(2)}
    moved, _ = update.update(zero, update.init(params), params)
    np.testing.assert_allclose(moved["kernel"], -0.05, rtol=1e-5)
    np.testing.assert_array_equal(moved["bias"], 0)


def test_weight_decay_goes_by_names_not_by_axes():
    params = {
        "conv": {"kernel": jnp.ones((3, 3, 2, 2)), "skip_kernel": jnp.ones((2, 2))},
        "heads": {"kernel0": jnp.ones((2, 4)), "bias": jnp.ones((4, 32))},
        "position": jnp.ones((225, 4)),
        "log_gain": jnp.ones((9, 192)),
        "gamma": jnp.ones((8, 8)),
    }
    decayed = optimizer.kernels(params)
    assert decayed["conv"] == {"kernel": True, "skip_kernel": True}
    assert decayed["heads"] == {"kernel0": True, "bias": False}
    assert not any(decayed[name] for name in ("position", "log_gain", "gamma"))


def test_a_step_of_muon_is_the_one_computed_by_hand():
    config = optimizer.default_config()
    config.update(
        name="muon", schedule="constant", learning_rate=0.1, weight_decay=0.5, adam_fraction=0.25
    )
    update, _ = optimizer.make_optimizer(config, 10)
    rng = np.random.default_rng(0)
    params = {
        "conv": {"kernel": jnp.asarray(rng.normal(size=(3, 3, 16, 24)), jnp.float32)},
        "first": {"kernel": jnp.asarray(rng.normal(size=(3, 3, 3, 24)), jnp.float32)},
        "position": jnp.ones((32, 32)),
    }
    grads = jax.tree.map(lambda p: jnp.asarray(rng.normal(size=p.shape), jnp.float32), params)
    moved, _ = update.update(grads, update.init(params), params)

    # the first step: momentum, corrected for its start, is a multiple of the gradient, which the
    # normalisation before Newton–Schulz removes
    x = np.asarray(grads["conv"]["kernel"], np.float64).reshape(-1, 24).T
    x /= np.linalg.norm(x)
    for _ in range(5):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    kernel = np.asarray(params["conv"]["kernel"])
    expected = -0.1 * (0.2 * np.sqrt(3 * 3 * 16) * x.T.reshape(kernel.shape) + 0.5 * kernel)
    np.testing.assert_allclose(moved["conv"]["kernel"], expected, atol=2e-5)
    # thin kernels and tables by Adam with Nesterov's momentum, without decay: all move alike
    nesterov = 0.9 * 0.1 / (1 - 0.9**2) + 1
    for update in (moved["first"]["kernel"], moved["position"]):
        np.testing.assert_allclose(np.abs(update), 0.1 * 0.25 * nesterov, rtol=1e-3)


@pytest.mark.parametrize("field", ["name", "schedule"])
def test_unknown_names_are_refused(field):
    config = optimizer.default_config()
    config[field] = "sgd"
    with pytest.raises(ValueError, match=f"config.optimizer.{field} is 'sgd'"):
        optimizer.make_optimizer(config, 10)
