"""Gates: features times a learned weight in 0..1, which most convolutional attention ends in."""

from typing import Any

import flax.linen as nn
import jax
from jaxtyping import Array, Float

from jaxsr.attention.affine import Affine, AffineParams, convolve


def gate(
    x: Float[Array, "*b h w c"], logits: Float[Array, "*b #h #w #c"]
) -> Float[Array, "*b h w c"]:
    """``x · σ(logits)``, the logits repeated along axes of size 1.

    Their shape says what is weighed: a channel ``(1, 1, c)``, a place ``(h, w, 1)`` or every single
    value ``(h, w, c)``.
    """
    return x * jax.nn.sigmoid(logits).astype(x.dtype)


def attention_gate(
    skip: Float[Array, "*b h w c"],
    context: Float[Array, "*b h w k"],
    of_skip: Affine,
    of_context: Affine,
    logits: Affine,
) -> Float[Array, "*b h w c"]:
    """``s · σ(ψ relu(W_s s + W_g g))``: one weight per place, from the skip ``s`` and its context.

    Source: Oktay et al., "Attention U-Net: Learning Where to Look for the Pancreas" (2018), eq. 1.

    Args:
      skip: features that the gate lets pass.
      context: features ``g`` of the coarser level, already enlarged to the skip's size.
      of_skip, of_context, logits: 1×1 convolutions ``W_s``, ``W_g`` (to the same width) and ``ψ``.
    """
    inner = jax.nn.relu(convolve(skip, of_skip) + convolve(context, of_context))
    return gate(skip, convolve(inner, logits))


class AttentionGate(nn.Module):
    """:func:`attention_gate` with its parameters; half as wide inside as the skip."""

    dtype: Any = None

    @nn.compact
    def __call__(
        self, skip: Float[Array, "*b h w c"], context: Float[Array, "*b h w k"]
    ) -> Float[Array, "*b h w c"]:
        def pointwise(inputs: int, outputs: int, name: str) -> Affine:
            return AffineParams((1, 1, inputs, outputs), dtype=self.dtype, name=name)()

        inner = skip.shape[-1] // 2
        return attention_gate(
            skip,
            context,
            pointwise(skip.shape[-1], inner, "skip"),
            pointwise(context.shape[-1], inner, "context"),
            pointwise(inner, 1, "logits"),
        )
