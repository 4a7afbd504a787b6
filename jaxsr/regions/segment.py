"""Segmenting as pure functions: images through a network that works on squares, and back.

:mod:`jaxsr.regions.segmenting` does the same for images of any size on the host.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxsr.networks import layers
from jaxsr.networks.attention_unet import AttentionUNet
from jaxsr.regions.masks import resized


def saliency(
    network: AttentionUNet, params: dict, image: Float[Array | np.ndarray, "b h w 3"]
) -> Float[Array, "b h w"]:
    """Return the soft mask of what stands out: the one class, or all but the background.

    Arguments are those of :func:`classify`.
    """
    return salient(classify(network, params, image))


def classify(
    network: AttentionUNet, params: dict, image: Float[Array | np.ndarray, "b h w 3"]
) -> Float[Array, "b h w classes"]:
    """Return every pixel's probability of each class: a pure function, to jit, vmap and grad.

    Args:
      image: RGB in [0, 1] of any size; resized to squares of ``network.side``, the result back.
    """
    image = jnp.asarray(image)
    p = probabilities(network, params, _planes(image, network.side, network.side))
    return _planes(p, *image.shape[1:3])


def probabilities(
    network: AttentionUNet, params: dict, squares: Float[Array | np.ndarray, "b s s 3"]
) -> Float[Array, "b s s classes"]:
    """Run the network on squares of its side: the sigmoid of one logit, the softmax of several."""
    logits = layers.apply(network, params, jnp.asarray(squares)).astype(jnp.float32)
    return jax.nn.sigmoid(logits) if logits.shape[-1] == 1 else jax.nn.softmax(logits)


def salient(p: Float[Array | np.ndarray, "*b classes"]) -> Float[Any, "*b"]:
    """Return the probability of not being background, from :func:`probabilities`."""
    return p[..., 0] if p.shape[-1] == 1 else 1 - p[..., 0]


def _planes(x: Float[Array, "b h w c"], height: int, width: int) -> Float[Array, "b _ _ c"]:
    """Resize every channel (:func:`~jaxsr.regions.masks.resized`)."""
    return jnp.moveaxis(resized(jnp.moveaxis(x, -1, -3), height, width), -3, -1)
