"""Parameter-free attention: features that weigh themselves (SPAN)."""

import flax.linen as nn
import jax
import jax.numpy as jnp
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


def residual_parameter_free_attention(
    features: Float[Array, "*b h w c"], identity: Float[Array, "*b h w c"]
) -> Float[Array, "*b h w c"]:
    """``identity + features · |2σ(features) − 1|``: the same gate, on the response alone.

    :func:`parameter_free_attention` also gates the input, which a fresh network's weak responses
    all but erase; here the input always passes, so that training starts from a well-conditioned
    identity. ``|2σ(f) − 1| = |tanh(f / 2)|`` lies in [0, 1) and grows with the response's strength.
    """
    return identity + features * jnp.abs(jnp.tanh(features / 2))


class ParameterFreeAttention(nn.Module):
    """:func:`parameter_free_attention` as a module; it holds no parameters.

    Attributes:
      residual: use :func:`residual_parameter_free_attention` instead.
    """

    residual: bool = False

    def __call__(
        self, features: Float[Array, "*b h w c"], identity: Float[Array, "*b h w c"]
    ) -> Float[Array, "*b h w c"]:
        attend = residual_parameter_free_attention if self.residual else parameter_free_attention
        return attend(features, identity)
