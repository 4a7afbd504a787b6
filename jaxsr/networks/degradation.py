"""How strongly images are degraded: the numbers a restorer is told, and a network that finds them.

After FBCNN (Jiang et al., "Towards Flexible Blind JPEG Artifacts Removal", 2021), whose restorer is
told the quality that another branch predicts, and that users may change.
"""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxsr.networks.layers import COLOURS, Conv, Dtype, apply, blockwise, dct, pixel_unshuffle

# Strengths are, in this order: the standard deviation of noise in levels of 255, and of a blur in
# pixels; and what the quality of a JPEG, and of a file of our codec, lacks to 100. 0: none of it.
UNITS = np.array([25.0, 2.0, 100.0, 100.0], np.float32)  # networks see strengths divided by these
PATCH = 8  # pixels: a JPEG's blocks


class DegradationEstimator(nn.Module):
    """Images → strengths: at their own size, as they were stored, before anything enlarges them.

    It sees the logarithms of DCT coefficients of 8×8 blocks from the left top corner on, those of a
    JPEG: noise raises the fine ones, a blur lowers them, quantising leaves gaps. Features of places
    are averaged, weighted by what the network thinks a place can tell.

    Attributes:
      features: channels.
    """

    features: int = 64
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Float[Array, "b h w 3"]) -> Float[Array, "b 4"]:
        """Return the strengths of images in [0, 1], whose sides are multiples of 8.

        They may be a little negative. (Made positive by a softplus, those of rare kinds were never
        learnt: there is no gradient left once it has learnt that there mostly is none of them.)
        """
        coefficients = pixel_unshuffle(blockwise(x @ COLOURS.T, dct(PATCH)), PATCH)
        f = jnp.log(jnp.abs(coefficients) * 255 + 0.25)
        f = nn.leaky_relu(nn.Dense(self.features, dtype=self.dtype, name="narrow")(f))
        f = nn.leaky_relu(Conv(self.features, dtype=self.dtype, name="around")(f))
        score = nn.Dense(self.features, dtype=self.dtype, name="score")(f).astype(jnp.float32)
        f = jnp.sum(nn.softmax(score, axis=(1, 2)) * f, axis=(1, 2))
        f = nn.leaky_relu(nn.Dense(self.features, dtype=self.dtype, name="mix")(f))
        y = nn.Dense(len(UNITS), dtype=self.dtype, name="strengths")(f)
        return y.astype(jnp.float32) * UNITS


def estimate(params: dict[str, Any], x: Float[Array, "b h w 3"]) -> Float[Array, "b 4"]:
    """Estimate the strengths of images in [0, 1] of any size; edges are mirrored to whole blocks.

    What is not there has a strength about 0, perhaps below.

    Args:
      params: of the estimator: "estimate" in those of a restorer that is told.
    """
    pads = [(0, -n % PATCH) for n in x.shape[1:3]]
    x = jnp.pad(x, ((0, 0), *pads, (0, 0)), "symmetric")
    return apply(DegradationEstimator(params["narrow"]["bias"].shape[0]), params, x)
