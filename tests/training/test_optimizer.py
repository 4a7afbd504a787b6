"""The optimiser a config describes."""

import jax.numpy as jnp
import numpy as np
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


def test_weight_decay_spares_biases_and_clipping_bounds_the_gradient():
    config = optimizer.default_config()
    config.update(name="adamw", schedule="constant", learning_rate=0.1, weight_decay=0.5)
    update, _ = optimizer.make_optimizer(config, 10)
    params = {"kernel": jnp.ones((2, 2)), "bias": jnp.ones(2)}
    zero = {"kernel": jnp.zeros((2, 2)), "bias": jnp.zeros(2)}
    moved, _ = update.update(zero, update.init(params), params)
    np.testing.assert_allclose(moved["kernel"], -0.05, rtol=1e-5)
    np.testing.assert_array_equal(moved["bias"], 0)


@pytest.mark.parametrize("field", ["name", "schedule"])
def test_unknown_names_are_refused(field):
    config = optimizer.default_config()
    config[field] = "sgd"
    with pytest.raises(ValueError, match=f"config.optimizer.{field} is 'sgd'"):
        optimizer.make_optimizer(config, 10)
