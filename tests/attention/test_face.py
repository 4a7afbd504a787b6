"""jaxsr.attention: every operator is there twice, as a function and as a module."""

import inspect
import re

import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest

from jaxsr import attention

FUNCTION_OF = {
    "AdaptiveInteraction": "adaptive_interaction",
    "AttentionGate": "attention_gate",
    "ChannelAttention": "channel_attention",
    "DepthwiseConv": "depthwise_conv",
    "DynamicUpsample": "dynamic_upsample",
    "EnhancedSpatialAttention": "enhanced_spatial_attention",
    "LargeKernelAttention": "large_kernel_attention",
    "OverlappingCrossAttention": "overlapping_cross_attention",
    "ParameterFreeAttention": "parameter_free_attention",
    "PermutedAttention": "permuted_attention",
    "PixelAttention": "pixel_attention",
    "RectangleAttention": "rectangle_attention",
    "RecursiveAttention": "recursive_reduction",
    "SelfModulation": "self_modulation",
    "SimplifiedChannelAttention": "simplified_channel_attention",
    "SpatialAttention": "spatial_attention",
    "TransposedAttention": "transposed_attention",
    "WindowAttention": "shifted_window_attention",
}
MODULES = {
    name: module
    for name, module in vars(attention).items()
    if inspect.isclass(module) and issubclass(module, nn.Module)
}
OPTIONS = {
    "RectangleAttention": {"heads": 2, "window": (4, 8)},
    "RecursiveAttention": {"heads": 2},
    "ChannelAttention": {"reduction": 4},
    "DynamicUpsample": {"scale": 2},
    "PermutedAttention": {"heads": 2, "window": 8, "shift": 4},
    "WindowAttention": {"heads": 2, "window": 8},
    "OverlappingCrossAttention": {"heads": 2, "window": 8},
}
TWO_INPUTS = ("AdaptiveInteraction", "AttentionGate", "ParameterFreeAttention")


def test_every_module_names_its_function_and_every_function_its_paper():
    assert MODULES.keys() == FUNCTION_OF.keys()
    for name, module in MODULES.items():
        function = FUNCTION_OF[name]
        assert f":func:`{function}`" in module.__doc__, name
        doc = getattr(attention, function).__doc__
        assert re.search("Sources?:", doc) or name == "DepthwiseConv", name
        assert re.search(rf"^{function} +{name} ", attention.__doc__, re.MULTILINE), name


def test_every_public_name_is_importable():
    for name in attention.__all__:
        assert getattr(attention, name).__name__ == name


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(MODULES))
def test_every_operator_jits_differentiates_and_computes_in_bfloat16(name):
    x = jax.random.normal(jax.random.key(0), (2, 16, 16, 8))
    inputs = (x, x[::-1]) if name in TWO_INPUTS else (x,)
    dtype = {} if name == "ParameterFreeAttention" else {"dtype": jnp.bfloat16}
    module = MODULES[name](**OPTIONS.get(name, {}))
    params = jax.jit(module.init)(jax.random.key(1), *inputs)
    gradient = jax.jit(jax.grad(lambda p, *x: (module.apply(p, *x) ** 2).mean(), (0, 1)))
    assert all(jnp.isfinite(g).all() for g in jax.tree.leaves(gradient(params, *inputs)))
    narrow = MODULES[name](**OPTIONS.get(name, {}), **dtype)
    half = [x.astype(jnp.bfloat16) for x in inputs]
    assert jax.eval_shape(narrow.apply, params, *half).dtype == jnp.bfloat16
