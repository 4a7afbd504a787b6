"""Real-CUGAN: two small U-Nets, one that enlarges and one that corrects it; for drawings.

Source: bilibili's "Real Cascade U-Nets for Anime Image Super Resolution" (2022), of waifu2x's
CUNet. Convolutions see no zeros: the image is mirrored around, and every layer takes a border off.
"""

from functools import partial

import flax.linen as nn
from jaxtyping import Array, Float

from jaxsr.attention.channel import ChannelAttention
from jaxsr.errors import UserError
from jaxsr.networks.layers import Conv, Dtype, TransposedConv, pixel_shuffle
from jaxsr.networks.unet import halved
from jaxsr.networks.upscaler import Upscaler, add_skip

# by scale: the enlarging convolution's side, stride and crop; pixels mirrored around the image, and
# what its sides have to be multiples of, so that halves and quarters of what is seen are whole
ENLARGE = {2: (4, 2, 3), 3: (5, 3, 2), 4: (4, 2, 3)}
MARGIN = {2: 18, 3: 14, 4: 19}
MULTIPLE = {2: 2, 3: 4, 4: 2}
# "pro" weights see values from 0.15 to 0.85
PRO_RANGE = 0.7
PRO_MEAN = -0.15 / PRO_RANGE
SECOND = 20  # what the second U-Net takes off each side

leaky = partial(nn.leaky_relu, negative_slope=0.1)


def realcugan(
    scale: int = 4,
    *,
    features: int = 64,
    reduction: int = 8,
    pro: bool = False,
    fast: bool = False,
    channels: int = 3,
    dtype: Dtype = None,
) -> Upscaler:
    """Build Real-CUGAN, 1.3M parameters (1.4M at ×4).

    Channels are weighed by their mean over the image, so tiles differ a little from the whole.

    Args:
      scale: 2, 3 or 4.
      reduction: of the channel attention.
      pro: values are squeezed to 0.15 … 0.85, as the weights called "pro" expect.
      fast: at ×2, see squares of two pixels a side as one: the network of ×4 on half the size.

    Raises:
      UserError: it is not built for that scale, or ``fast`` for another than 2.
    """
    if scale not in ENLARGE:
        raise UserError(f"realcugan enlarges by 2, 3 or 4, not {scale}")
    if fast and scale != 2:
        raise UserError(f"realcugan is fast at scale 2 alone, not at {scale}")
    unshuffle = 2 if fast else 1
    inner = scale * unshuffle  # by which the network enlarges what it sees
    margin = MARGIN[inner] * unshuffle
    return Upscaler(
        extract=ConvPair(features // 2, features, None, dtype),
        enhance=EnlargingBody(features, reduction, dtype),
        fuse=CascadeHead(scale, inner, channels, features, reduction, margin, unshuffle, dtype),
        scale=scale,
        channels=channels,
        mean=(PRO_MEAN if pro else 0.0,),
        value_range=PRO_RANGE if pro else 1.0,
        multiple=MULTIPLE[inner] * unshuffle,
        unshuffle=unshuffle,
        margin=margin,
    )


def cut(x: Float[Array, "b h w c"], border: int) -> Float[Array, "b h2 w2 c"]:
    """Take a border of so many pixels off."""
    return x[:, border:-border, border:-border]


class ConvPair(nn.Module):
    """Two 3×3 convolutions, each taking a pixel off every side; channels are weighed behind them.

    Attributes:
      hidden: channels between the two.
      reduction: of the channel attention; None: there is none.
    """

    hidden: int
    features: int
    reduction: int | None
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        for i, features in enumerate((self.hidden, self.features)):
            conv = Conv(features, padding="VALID", dtype=self.dtype, name=f"conv_{i}")
            x = leaky(conv(x))
        if self.reduction is None:
            return x
        return ChannelAttention(self.reduction, dtype=self.dtype, name="attention")(x)


class EnlargingBody(nn.Module):
    """The first U-Net between its first convolutions and the one that enlarges: one level."""

    features: int
    reduction: int
    dtype: Dtype = None

    @nn.compact
    def __call__(self, f0: Array) -> Array:
        features = self.features
        f = leaky(halved(f0, features, True, self.dtype, "down"))
        f = ConvPair(2 * features, features, self.reduction, self.dtype, name="pair")(f)
        f = leaky(TransposedConv(features, 2, 2, dtype=self.dtype, name="up")(f))
        conv = Conv(features, padding="VALID", dtype=self.dtype, name="conv")
        return leaky(conv(cut(f0, 4) + f))


class CorrectingUNet(nn.Module):
    """The second U-Net, of two levels, which takes ``SECOND`` pixels off every side."""

    outputs: int
    features: int
    reduction: int
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        n = self.features
        pair = partial(ConvPair, reduction=self.reduction, dtype=self.dtype)
        first = ConvPair(n // 2, n, None, self.dtype, name="pair_0")(x)
        f = leaky(halved(first, n, True, self.dtype, "down_0"))
        second = pair(n, 2 * n, name="pair_1")(f)
        f = leaky(halved(second, 2 * n, True, self.dtype, "down_1"))
        f = pair(4 * n, 2 * n, name="pair_2")(f)
        f = leaky(TransposedConv(2 * n, 2, 2, dtype=self.dtype, name="up_0")(f))
        f = pair(n, n, name="pair_3")(cut(second, 4) + f)
        f = leaky(TransposedConv(n, 2, 2, dtype=self.dtype, name="up_1")(f))
        conv = partial(Conv, padding="VALID", dtype=self.dtype)
        f = leaky(conv(n, name="conv")(cut(first, 16) + f))
        return conv(self.outputs, name="conv_last")(f)


class CascadeHead(nn.Module):
    """Features become an image (at ×4 features again), which the second U-Net corrects.

    At ×4 they are then shuffled to twice the size and added to the image's repeated pixels.

    Attributes:
      scale, inner: of the network; of what it sees, which is smaller where it is unshuffled.
      channels: of the image.
      margin: pixels around the image it is given.
    """

    scale: int
    inner: int
    channels: int
    features: int
    reduction: int
    margin: int
    unshuffle: int
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array, f: Array) -> Array:
        shuffles = self.inner == 4
        outputs = self.features if shuffles else self.channels
        enlarge = TransposedConv(outputs, *ENLARGE[self.inner], dtype=self.dtype, name="enlarge")
        f = enlarge(f)
        correct = CorrectingUNet(outputs, self.features, self.reduction, self.dtype, name="correct")
        f = correct(f) + cut(f, SECOND)
        if not shuffles:
            return f
        conv = Conv(4 * self.channels, padding="VALID", dtype=self.dtype, name="conv")
        image = cut(pixel_shuffle(x, self.unshuffle), self.margin)
        y = pixel_shuffle(cut(conv(f), 1), 2)
        return add_skip(y, image, self.scale, "nearest")
