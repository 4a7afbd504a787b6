"""Every network under JAX's settings: no implicit promotion, no other types than float32."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsr.zoo import KINDS

NETWORKS = [(kind, name) for kind in KINDS for name in kind.networks]


@pytest.mark.parametrize(("kind", "name"), NETWORKS, ids=lambda x: x if isinstance(x, str) else "")
def test_networks_and_their_gradients_are_float32_under_the_strictest_settings(
    kind, name, fewer, strictest
):
    network = kind.create(name, **fewer(name))

    def loss(params, *inputs):
        leaves = jax.tree.leaves(network.apply({"params": params}, *inputs))
        return sum(jnp.mean(x) for x in leaves), leaves

    with strictest():
        inputs = kind.inputs(network)
        params = jax.eval_shape(network.init, jax.random.key(0), *inputs)["params"]
        inputs = kind.inputs(network, params=params)
        gradient = jax.value_and_grad(loss, has_aux=True)
        (value, leaves), gradients = jax.eval_shape(gradient, params, *inputs)
    found = {x.dtype for x in jax.tree.leaves([value, leaves, params, gradients])}
    assert found == {np.dtype(np.float32)}
