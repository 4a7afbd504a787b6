"""Adaptive interaction: two branches that weigh each other, one over channels, one over places."""

from typing import Any

import flax.linen as nn
import jax
from jaxtyping import Array, Float

from jaxsr.attention.affine import Affine, AffineParams, dense
from jaxsr.attention.channel import mean_descriptor
from jaxsr.attention.gate import gate


def adaptive_interaction(
    a: Float[Array, "*b h w c"],
    b: Float[Array, "*b h w c"],
    channel: tuple[Affine, Affine],
    spatial: tuple[Affine, Affine],
) -> Float[Array, "*b h w c"]:
    """Weigh two branches by what the other has found: ``a · σ(C(mean b)) + b · σ(S(a))``.

    Source: Chen et al., "Dual Aggregation Transformer for Image Super-Resolution" (2023), eqs. 3-5.

    Args:
      a: weighed a channel. DAT's spatial attention, or the convolution beside its channel
        attention.
      b: weighed a place. The other of the two.
      channel: the dense layers of ``C``, exact GELU between: as many channels come out.
      spatial: those of ``S``: one comes out.
    """
    of_channels = _between(mean_descriptor(b), *channel)
    return gate(a, of_channels) + gate(b, _between(a, *spatial))


def _between(x: Array, down: Affine, up: Affine) -> Array:
    return dense(jax.nn.gelu(dense(x, down), approximate=False), up)


class AdaptiveInteraction(nn.Module):
    """:func:`adaptive_interaction` with its parameters; an eighth and a sixteenth as wide inside.

    Batch norms, which DAT has within, are folded into the layers before them.
    """

    dtype: Any = None

    @nn.compact
    def __call__(
        self, a: Float[Array, "*b h w c"], b: Float[Array, "*b h w c"]
    ) -> Float[Array, "*b h w c"]:
        channels = a.shape[-1]

        def layers(name: str, inner: int, outputs: int) -> tuple[Affine, Affine]:
            down = AffineParams((channels, inner), dtype=self.dtype, name=f"{name}_down")()
            return down, AffineParams((inner, outputs), dtype=self.dtype, name=f"{name}_up")()

        channel = layers("channel", max(1, channels // 8), channels)
        spatial = layers("spatial", max(1, channels // 16), 1)
        return adaptive_interaction(a, b, channel, spatial)
