"""Parameter-free attention: features weigh themselves (SPAN)."""

import flax.linen as nn
import jax
from jaxtyping import Array, Float


def parameter_free_attention(
    features: Float[Array, "*b h w c"], identity: Float[Array, "*b h w c"]
) -> Float[Array, "*b h w c"]:
    """``(identity + features) · (σ(features) − ½)``: a symmetric gate that needs no weights.

    Strong responses of either sign pass, weak ones are suppressed. Source: Wan et al., "Swift
    Parameter-free Attention Network for Efficient Super-Resolution" (2023), eqs. 5-6.

    Args:
      features: responses of the block's convolutions, any real range.
      identity: the block's input, same shape.
    """
    return (identity + features) * (jax.nn.sigmoid(features) - 0.5)


class ParameterFreeAttention(nn.Module):
    """Module around :func:`parameter_free_attention`; it holds no parameters."""

    @nn.compact
    def __call__(self, features: Array, identity: Array) -> Array:
        return parameter_free_attention(features, identity)
