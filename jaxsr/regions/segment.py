"""Segmenting: an image of any size through a network that works on squares, and its masks back.

:func:`classify` does it inside JAX. For files its three parts stand alone: :func:`squares` and
:func:`fitted` resize on the host, and :func:`probabilities` is compiled once for all images.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxsr.networks.attention_unet import AttentionUNet
from jaxsr.regions.masks import resized


def saliency(
    network: AttentionUNet, params: dict, image: Float[Array | np.ndarray, "b h w 3"]
) -> Float[Array, "b h w"]:
    """The soft mask of what stands out: of one class it is that; of several, all but the background.

    Arguments are those of :func:`classify`.
    """
    return salient(classify(network, params, image))


def classify(
    network: AttentionUNet, params: dict, image: Float[Array | np.ndarray, "b h w 3"]
) -> Float[Array, "b h w classes"]:
    """Every pixel's probability of each class: a pure function, to jit, vmap and grad.

    Args:
      image: RGB in [0, 1] of any size; it is resized to ``network.side`` both ways, the result back.
    """
    image = jnp.asarray(image)
    p = probabilities(network, params, _planes(image, network.side, network.side))
    return _planes(p, *image.shape[1:3])


def probabilities(
    network: AttentionUNet, params: dict, squares: Float[Array | np.ndarray, "b s s 3"]
) -> Float[Array, "b s s classes"]:
    """The network on squares of its side: the sigmoid of one logit, or the softmax of several."""
    logits = network.apply({"params": params}, jnp.asarray(squares)).astype(jnp.float32)
    return jax.nn.sigmoid(logits) if logits.shape[-1] == 1 else jax.nn.softmax(logits)


def salient(p: Float[Array | np.ndarray, "*b classes"]) -> Float[Array | np.ndarray, "*b"]:
    """The probability of not being background, of :func:`probabilities`."""
    return p[..., 0] if p.shape[-1] == 1 else 1 - p[..., 0]


def squares(
    images: Sequence[Float[np.ndarray, "_ _ 3"]], side: int
) -> Float[np.ndarray, "b {side} {side} 3"]:
    """Images of any sizes as a batch of squares, on the host."""
    return np.stack([_planes(image, side, side) for image in images])


def fitted(
    p: Float[np.ndarray, "s s classes"], height: int, width: int
) -> Float[np.ndarray, "{height} {width} classes"]:
    """An image's probabilities at its own size, on the host."""
    return _planes(p, height, width)


def _planes(x, height: int, width: int):
    """:func:`resized` of every channel."""
    xp = x.__array_namespace__()
    return xp.moveaxis(resized(xp.moveaxis(x, -1, -3), height, width), -3, -1)
