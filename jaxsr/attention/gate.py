"""The gate that most convolutional attention ends in: features times a learned weight in 0..1."""

import jax
from jaxtyping import Array, Float


def gate(
    x: Float[Array, "*b h w c"], logits: Float[Array, "*b #h #w #c"]
) -> Float[Array, "*b h w c"]:
    """``x · σ(logits)``, the logits repeated along axes of size 1.

    Their shape says what is weighed: a channel ``(1, 1, c)``, a place ``(h, w, 1)`` or every single
    value ``(h, w, c)``.
    """
    return x * jax.nn.sigmoid(logits).astype(x.dtype)
