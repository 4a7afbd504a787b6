"""The attention codec of Cheng et al. (2020), as a compressor of ours.

Source: Cheng, Sun, Takeuchi, Katto, "Learned Image Compression with Discretized Gaussian Mixture
Likelihoods and Attention Modules" (CVPR 2020), in the form known as CompressAI's "cheng2020-attn":
one Gaussian in place of the mixture. It differs as ``jaxsr.networks.bmshj2018`` does, and in its
context of decoded latents: a checkerboard in two passes (He et al., 2021) that serves the means
alone. The paper's takes one pass a latent and serves the scales as well.
"""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array

from jaxsr.networks.bmshj2018 import plain_rates
from jaxsr.networks.compressor import ANCHORS, Compressor, IntegerScales
from jaxsr.networks.density import FactorizedDensity
from jaxsr.networks.gdn import GDN
from jaxsr.networks.layers import Conv, Dtype, pixel_shuffle


class Subpixel(nn.Module):
    """A 3×3 convolution and a pixel shuffle: to twice the size."""

    features: int
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        return pixel_shuffle(Conv(4 * self.features, 3, dtype=self.dtype, name="conv")(x), 2)


class Residual(nn.Module):
    """Two 3×3 convolutions, added to their input, whose type stays."""

    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        channels = x.shape[-1]
        y = nn.leaky_relu(Conv(channels, 3, dtype=self.dtype, name="conv1")(x))
        y = nn.leaky_relu(Conv(channels, 3, dtype=self.dtype, name="conv2")(y))
        return x + y.astype(x.dtype)


class ResidualDown(nn.Module):
    """Two 3×3 convolutions to half the size, ended by GDN, beside a 1×1 skip.

    Attributes:
      first: dtype of the layers that see the input.
    """

    features: int
    dtype: Dtype = None
    first: Dtype = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        y = Conv(self.features, 3, strides=2, dtype=self.first, name="conv1")(x)
        y = Conv(self.features, 3, dtype=self.dtype, name="conv2")(nn.leaky_relu(y))
        y = GDN(name="gdn")(y)
        skip = nn.Dense(self.features, dtype=self.first, name="skip")(x[:, ::2, ::2])
        return y + skip.astype(y.dtype)


class ResidualUp(nn.Module):
    """Two 3×3 convolutions to twice the size, ended by inverse GDN, beside a skip.

    Attributes:
      first: dtype of the layers that see the input.
    """

    features: int
    dtype: Dtype = None
    first: Dtype = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        y = nn.leaky_relu(Subpixel(self.features, self.first, name="up")(x))
        y = Conv(self.features, 3, dtype=self.dtype, name="conv")(y)
        y = GDN(inverse=True, name="gdn")(y)
        return y + Subpixel(self.features, self.first, name="skip")(x).astype(y.dtype)


class Unit(nn.Module):
    """A residual bottleneck of an attention module; its input's type stays."""

    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        channels = x.shape[-1]
        y = nn.relu(nn.Dense(channels // 2, dtype=self.dtype, name="narrow")(x))
        y = nn.relu(Conv(channels // 2, 3, dtype=self.dtype, name="middle")(y))
        return nn.relu(x + nn.Dense(channels, dtype=self.dtype, name="wide")(y).astype(x.dtype))


class Attention(nn.Module):
    """``x + trunk(x) · sigmoid(mask(x))``: the paper's figure 5, without its non-local block.

    Its input's type stays.
    """

    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        trunk = mask = x
        for i in range(3):
            trunk = Unit(self.dtype, name=f"trunk{i}")(trunk)
            mask = Unit(self.dtype, name=f"mask{i}")(mask)
        mask = nn.Dense(x.shape[-1], dtype=self.dtype, name="mask")(mask)
        return x + trunk * nn.sigmoid(mask).astype(x.dtype)


class ChengAnalysis(nn.Module):
    """Images → latents at 1/16 of their size."""

    features: int
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        dtype = self.dtype
        x = ResidualDown(self.features, dtype, name="down0")(x)
        x = Residual(dtype, name="residual0")(x)
        x = ResidualDown(self.features, dtype, dtype, name="down1")(x)
        x = Attention(dtype, name="attention0")(x)
        x = Residual(dtype, name="residual1")(x)
        x = ResidualDown(self.features, dtype, dtype, name="down2")(x)
        x = Residual(dtype, name="residual2")(x)
        x = Conv(self.features, 3, strides=2, name="down3")(x)
        return Attention(dtype, name="attention1")(x)


class ChengSynthesis(nn.Module):
    """Latents → images. It ignores the level."""

    features: int
    dtype: Dtype = None

    @nn.compact
    def __call__(self, y: Array, level: Array) -> Array:
        dtype = self.dtype
        y = Attention(dtype, name="attention0")(y)
        y = Residual(dtype, name="residual0")(y)
        y = ResidualUp(self.features, dtype, name="up0")(y)
        y = Residual(dtype, name="residual1")(y)
        y = ResidualUp(self.features, dtype, dtype, name="up1")(y)
        y = Attention(dtype, name="attention1")(y)
        y = Residual(dtype, name="residual2")(y)
        y = ResidualUp(self.features, dtype, dtype, name="up2")(y)
        y = Residual(dtype, name="residual3")(y)
        return Subpixel(3, name="up3")(y)


class ChengHyperAnalysis(nn.Module):
    """Five 3×3 convolutions, two of them of stride 2: latents → hyper-latents."""

    features: int

    @nn.compact
    def __call__(self, y: Array) -> Array:
        for i, stride in enumerate((1, 1, 2, 1)):
            y = nn.leaky_relu(Conv(self.features, 3, strides=stride, name=f"conv{i}")(y))
        return Conv(self.features, 3, strides=2, name="conv4")(y)


class ChengHyperSynthesis(nn.Module):
    """Hyper-latents → features for the means, the level appended to them."""

    features: int

    @nn.compact
    def __call__(self, z: Array, level: Array) -> Array:
        wide = 3 * self.features // 2
        x = nn.leaky_relu(Conv(self.features, 3, name="conv0")(z))
        x = nn.leaky_relu(Subpixel(self.features, name="up0")(x))
        x = nn.leaky_relu(Conv(wide, 3, name="conv1")(x))
        x = nn.leaky_relu(Subpixel(wide, name="up1")(x))
        x = Conv(2 * self.features, 3, name="conv2")(x)
        return jnp.concatenate([x, level], axis=-1)


class ChengMeans(nn.Module):
    """Features and the decoded anchors around each position → means.

    A 5×5 convolution sees the anchors; all other positions hold zeros, so it needs no mask.
    """

    latents: int

    @nn.compact
    def __call__(self, features: Array, anchors: Array | None) -> Array:
        if anchors is None:
            around = jnp.zeros((*features.shape[:-1], 2 * self.latents), features.dtype)
        else:
            around = Conv(2 * self.latents, 5, name="around", use_bias=False)(anchors)
        x = jnp.concatenate([features, around], axis=-1)
        x = nn.leaky_relu(nn.Dense(10 * self.latents // 3, name="dense0")(x))
        x = nn.leaky_relu(nn.Dense(8 * self.latents // 3, name="dense1")(x))
        return nn.Dense(self.latents, name="dense2")(x)


def cheng2020_attention(
    features: int = 192, hidden: int = 64, anchors: int = ANCHORS, dtype: Dtype = None
) -> Compressor:
    """Build the compressor.

    Args:
      features: the paper's N, channels of everything (192; 128 for its lower rates).
      hidden: width of the integer network that predicts the σ indexes.
      anchors: rates at which the hyper-latents' density is learnt; 1 as in the paper, for a single
        rate.
      dtype: what the transforms compute in; see :class:`~jaxsr.networks.compressor.TransformCodec`.
    """
    return Compressor(
        analysis=ChengAnalysis(features, dtype),
        synthesis=ChengSynthesis(features, dtype),
        hyper_analysis=ChengHyperAnalysis(features),
        hyper_synthesis=ChengHyperSynthesis(features),
        means=ChengMeans(features),
        scales=IntegerScales(hidden, features),
        rates=plain_rates(features),
        density=FactorizedDensity(features, anchors),
    )
