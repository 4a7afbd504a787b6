"""Every operator under JAX's settings: no implicit promotion, no other types than float32."""

import inspect

import flax.linen as nn
import jax
import numpy as np
import pytest

from jaxsr import attention

OPTIONS = {
    "RectangleAttention": {"heads": 2, "window": (4, 8), "shift": (2, 4)},
    "PermutedAttention": {"heads": 2, "window": 8, "shift": 4},
    "RecursiveAttention": {"heads": 2},
    "WindowAttention": {"heads": 2, "window": 4, "shift": 2},
    "OverlappingCrossAttention": {"heads": 2, "window": 4},
    "ChannelAttention": {"reduction": 4},
    "DynamicUpsample": {"scale": 2},
    "EnhancedSpatialAttention": {"features": 4},
}
INPUTS = {  # arrays that they take
    "AdaptiveInteraction": 2,
    "AttentionGate": 2,
    "ParameterFreeAttention": 2,
}


def operators():
    """Every module that the package offers, by its name."""
    offered = {name: getattr(attention, name) for name in attention.__all__}
    return {n: x for n, x in offered.items() if inspect.isclass(x) and issubclass(x, nn.Module)}


@pytest.mark.parametrize("name", operators())
def test_operators_and_their_gradients_are_float32_under_the_strictest_settings(name, strictest):
    operator = operators()[name](**OPTIONS.get(name, {}))
    inputs = [jax.ShapeDtypeStruct((1, 32, 32, 16), np.float32)] * INPUTS.get(name, 1)

    def loss(variables, *inputs):
        y = operator.apply(variables, *inputs)
        return y.mean(), y

    with strictest():
        variables = jax.eval_shape(operator.init, jax.random.key(0), *inputs)
        gradient = jax.value_and_grad(loss, has_aux=True, argnums=(0, 1))
        result = jax.eval_shape(gradient, variables, *inputs)
    found = {a.dtype for a in jax.tree.leaves((variables, result))}
    assert found == {np.dtype(np.float32)}
