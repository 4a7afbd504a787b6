"""SRFormer: SwinIR with large windows, whose keys are squares of pixels.

Source: Zhou et al., "SRFormer: Permuted Self-Attention for Single Image Super-Resolution" (2023).
"""

from functools import partial

import flax.linen as nn
from jaxtyping import Array

from jaxsr.attention.permuted import PermutedAttention
from jaxsr.networks.atd import ConvolvedPerceptron
from jaxsr.networks.layers import Dtype
from jaxsr.networks.swinir import LayerNorm, SwinBody, SwinGroup, head_of, mean_of
from jaxsr.networks.upscaler import Extract, Upscaler


def srformer(
    scale: int = 4,
    *,
    features: int = 180,
    groups: int = 6,
    depth: int = 6,
    heads: int = 6,
    window: int = 24,
    ratio: float = 2.0,
    kernel: int = 5,
    head: str = "stages",
    head_features: int = 64,
    residual: str = "1conv",
    channels: int = 3,
    value_range: float = 1.0,
    dtype: Dtype = None,
) -> Upscaler:
    """Build SRFormer, 10.5M parameters at ×4: 6 groups of 6 layers.

    Args:
      window: its side, a multiple of 4; keys are squares of two pixels a side.
      kernel: side of the depthwise kernel within the perceptrons.
      ratio, head, residual, channels, value_range: as in :func:`jaxsr.networks.swinir.swinir`.

    Raises:
      UserError: there is no such head, or "image" is to enlarge.
    """
    layer = partial(PermutedLayer, kernel=kernel)
    group = partial(SwinGroup, depth, heads, window, dtype, ratio, residual, layer)
    return Upscaler(
        extract=Extract(features, dtype=dtype),
        enhance=SwinBody(groups, group, dtype, residual),
        fuse=head_of(head, scale, channels, head_features, dtype),
        scale=scale,
        channels=channels,
        mean=mean_of(channels),
        value_range=value_range,
        multiple=window,
    )


# The published light network, 873K parameters at ×4.
srformer_light = partial(srformer, features=60, groups=4, window=16, head="direct")


class PermutedLayer(nn.Module):
    """Permuted attention, then a convolved perceptron; each after a norm and beside a skip."""

    heads: int
    window: int
    shift: int
    dtype: Dtype = None
    ratio: float = 2.0
    kernel: int = 5

    @nn.compact
    def __call__(self, x: Array) -> Array:
        attention = PermutedAttention(
            self.heads, self.window, self.shift, self.dtype, name="attention"
        )
        x = x + attention(LayerNorm(name="norm_attention")(x))
        mlp = ConvolvedPerceptron(self.kernel, self.ratio, self.dtype, name="mlp")
        return x + mlp(LayerNorm(name="norm_mlp")(x))
