"""FBCNN: a U-Net that finds, or is told, the quality of a JPEG, and undoes that much.

Source: Jiang et al., "Towards Flexible Blind JPEG Artifacts Removal" (2021).
"""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array

from jaxsr.attention.channel import mean_descriptor
from jaxsr.networks.edsr import EdsrBlock
from jaxsr.networks.layers import Conv, Dtype
from jaxsr.networks.unet import doubled, halved
from jaxsr.networks.upscaler import Extract, PixelShuffleDirect, Upscaler, check_restores

LEVELS = 3  # halvings


def fbcnn(
    scale: int = 1,
    *,
    features: int = 64,
    blocks: int = 4,
    hidden: int = 512,
    quality: float | None = None,
    channels: int = 3,
    dtype: Dtype = None,
) -> Upscaler:
    """Build FBCNN, 71.9M parameters; ``channels=1`` for gray images.

    The quality is that of the whole image, so tiles differ a little from it, unless it is given.

    Args:
      blocks: number of residual blocks of every level, on the way down and back.
      hidden: width of the dense layers that quality passes.
      quality: of the JPEG, 0 to 100; less removes more. None: found in the image.

    Raises:
      UserError: the scale is not 1.
    """
    check_restores("fbcnn", scale)
    return Upscaler(
        extract=Extract(features, dtype=dtype),
        enhance=QualityBody(blocks, hidden, quality, dtype),
        fuse=PixelShuffleDirect(1, channels, dtype=dtype),
        scale=1,
        channels=channels,
        multiple=2**LEVELS,
        padding="edge",
    )


class QualityBody(nn.Module):
    """A U-Net whose way back depends on the quality found at its bottom (fig. 2)."""

    blocks: int
    hidden: int
    quality: float | None
    dtype: Dtype = None

    @nn.compact
    def __call__(self, f0: Array) -> Array:
        f, entered = f0, []
        for level in range(LEVELS):
            entered.append(f)
            features = 2 * f.shape[-1]
            f = self._residual(f, f"encode_{level}")
            f = halved(f, features, True, self.dtype, f"down_{level}")
        entered.append(f)
        f = self._residual(f, "middle_down")
        found = self._found(f)  # also where it is told, that the parameters are the same
        told = found if self.quality is None else jnp.full_like(found, 1 - self.quality / 100)
        embedded = told
        for i in range(3):
            embedded = nn.relu(self._dense(self.hidden, f"embed_{i}")(embedded))
        f = self._residual(f, "middle_up")
        for back, f1 in enumerate(reversed(entered[:-1])):
            features = f1.shape[-1]
            f = doubled(f + entered[LEVELS - back], features, True, self.dtype, f"up_{back}")
            gain = nn.sigmoid(self._dense(features, f"gain_{back}")(embedded))
            shift = nn.tanh(self._dense(features, f"shift_{back}")(embedded))
            for i in range(self.blocks):
                block = ModulatedBlock(features, self.dtype, name=f"decode_{back}_{i}")
                f = block(f, gain, shift)
        return f + entered[0]

    def _residual(self, f: Array, name: str) -> Array:
        for i in range(self.blocks):
            f = EdsrBlock(f.shape[-1], 1.0, self.dtype, name=f"{name}_{i}")(f)
        return f

    def _found(self, f: Array) -> Array:
        """Return 1 − quality/100 as it shows in the deepest features."""
        q = mean_descriptor(self._residual(f, "predict")).astype(f.dtype)
        for i in range(2):
            q = nn.relu(self._dense(self.hidden, f"predict_dense_{i}")(q))
        return nn.sigmoid(self._dense(1, "predict_dense_2")(q))

    def _dense(self, features: int, name: str) -> nn.Dense:
        return nn.Dense(features, dtype=self.dtype, name=name)


class ModulatedBlock(nn.Module):
    """``x + γ · conv(relu(conv(x))) + β``, a ``γ`` and a ``β`` for each channel (eq. 3)."""

    features: int
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array, gain: Array, shift: Array) -> Array:
        f = nn.relu(Conv(self.features, dtype=self.dtype, name="conv_0")(x))
        f = Conv(self.features, dtype=self.dtype, name="conv_1")(f)
        gain, shift = (jnp.broadcast_to(a, f.shape) for a in (gain, shift))
        return x + gain * f + shift
