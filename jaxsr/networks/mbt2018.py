"""The mean–scale hyperprior of Minnen et al. (2018), as a compressor of ours.

Source: Minnen, Ballé, Toderici, "Joint Autoregressive and Hierarchical Priors for Learned Image
Compression" (NeurIPS 2018), its model without the autoregressive context ("mbt2018-mean"). It
differs as ``jaxsr.networks.bmshj2018`` does: the paper's hyper-synthesis predicts means and scales,
here the means alone, before the gain.
"""

import flax.linen as nn
from jaxtyping import Array

from jaxsr.networks.bmshj2018 import (
    BalleAnalysis,
    BalleHyperAnalysis,
    BalleSynthesis,
    Transposed,
    WithoutContext,
    plain_rates,
)
from jaxsr.networks.compressor import ANCHORS, Compressor, IntegerScales
from jaxsr.networks.density import FactorizedDensity
from jaxsr.networks.layers import Conv, Dtype


class MinnenHyperSynthesis(nn.Module):
    """The paper's ``h_s``: hyper-latents → means. The level joins before the last activation.

    A fresh network ignores the level.
    """

    latents: int

    @nn.compact
    def __call__(self, z: Array, level: Array) -> Array:
        wide = 3 * self.latents // 2
        x = nn.leaky_relu(Transposed(self.latents, name="conv0")(z))
        x = Transposed(wide, name="conv1")(x)
        x = x + nn.Dense(wide, False, kernel_init=nn.initializers.zeros, name="level")(level)
        return Conv(self.latents, 3, name="conv2")(nn.leaky_relu(x))


def mbt2018_mean(
    features: int = 128,
    latents: int = 192,
    hidden: int = 64,
    anchors: int = ANCHORS,
    dtype: Dtype = None,
) -> Compressor:
    """Build the compressor; options as of ``jaxsr.networks.bmshj2018.bmshj2018_hyperprior``."""
    return Compressor(
        analysis=BalleAnalysis(features, latents, dtype),
        synthesis=BalleSynthesis(features, dtype),
        hyper_analysis=BalleHyperAnalysis(features, signed=True),
        hyper_synthesis=MinnenHyperSynthesis(latents),
        means=WithoutContext(),
        scales=IntegerScales(hidden, latents),
        rates=plain_rates(latents),
        density=FactorizedDensity(features, anchors),
    )
