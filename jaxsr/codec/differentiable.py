"""The codec as a differentiable function of images, for training what comes before or after it."""

import os

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key, PyTree

from jaxsr.codec import weights
from jaxsr.codec.kept import loaded
from jaxsr.codec.model import Model
from jaxsr.networks import Compressor, layers
from jaxsr.networks.compressor import DOWN

WHOLE = 128  # pixels that images are padded to multiples of: the windows of attention


def rate_distortion(
    image: Float[Array, "b h w 3"],
    quality: float | int | Float[Array, ""] | Float[Array, "b"] = 50.0,
    *,
    key: Key[Array, "..."] | None = None,
    model: str | os.PathLike | Model = weights.DEFAULT,
) -> tuple[Float[Array, "b h w 3"], Float[Array, "b"]]:
    """Code images as :func:`coded` does, with the parameters of a codec's model.

    Inside a jitted function the parameters become constants of its program, which makes compiling
    slower. If that matters, call ``coded(model.network, params, …)`` in it instead and pass
    ``params = model.trainable`` to it as an argument.

    Args:
      image: RGB in [0, 1].
      quality: 1 to 100, fractions too; one for all images or one for each.
      key: of the noise, one or one for each image; by default the same at every call.
      model: a released name, a weights file or a loaded Model.

    Returns:
      The decoded images, not clipped to [0, 1], and the estimated bits per pixel of each.

    Raises:
      UserError: there is no such model.
    """
    model = loaded(model, weights.load, Model)
    rate = jnp.broadcast_to(rate_of(quality), image.shape[:1])
    key = jax.random.key(0) if key is None else key
    return coded(model.network, model.placed_trainable, image, rate, key)


def coded(
    network: Compressor,
    params: PyTree,
    image: Float[Array, "b h w 3"],
    rate: Float[Array, "b"],
    key: Key[Array, "..."],
) -> tuple[Float[Array, "b h w 3"], Float[Array, "b"]]:
    """Code images of any size: a pure function, differentiable in parameters, images and rate.

    The image's gradients pass through rounding as if it were the identity. The bits are those of
    rounded values; their gradients are those of values with noise in place of rounding, as in the
    codec's own training.

    Args:
      network: such as ``Model.network``.
      params: its parameters, such as ``Model.trainable``.
      image: RGB in [0, 1].
      rate: 0 to 1 for each image; :func:`rate_of` converts a quality.
      key: of the noise; one for all images or one for each.

    Returns:
      The decoded images, not clipped to [0, 1], and the estimated bits per pixel of each.
    """
    height, width = image.shape[1:3]
    pad = [(0, 0), (0, -height % WHOLE), (0, -width % WHOLE), (0, 0)]
    x = jnp.pad(image, pad, mode="edge")
    region = jnp.zeros((len(x), x.shape[1] // DOWN, x.shape[2] // DOWN))
    result = layers.apply(network, params, x, rate, region, key)
    bits = (result.latent_bits + result.hyper_bits) / (height * width)
    return result.output[:, :height, :width], bits


def rate_of(quality: float | int | Float[Array, "*n"]) -> Float[Array, "*n"]:
    """Convert a quality of 1 to 100 to a rate of 0 to 1."""
    return (jnp.asarray(quality, jnp.float32) - 1) / 99
