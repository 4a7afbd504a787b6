"""Attention by a dictionary of tokens: pixels attend to it, and to pixels of their category.

Source of all: Zhang et al., "Transcending the Limit of Local Window: Advanced Super-Resolution
Transformer with Adaptive Token Dictionary" (2024).
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxsr.attention.lengths import inverse_length
from jaxsr.attention.window import window_attention

LARGEST_SCALE = 100.0  # of the logits between pixels of a category


def dictionary_attention(
    q: Float[Array, "b n d"],
    k: Float[Array, "b m d"],
    v: Float[Array, "b m c"],
    sharpness: Float[Array, "m"],
) -> tuple[Float[Array, "b n c"], Float[Array, "b n m"]]:
    """Attend from pixels to tokens, by cosine: ``softmax((1 + τ ln m) q̂ k̂ᵀ) v``.

    Source: Zhang et al., "Transcending the Limit of Local Window" (2024), eqs. 4-6.

    Args:
      sharpness: τ of each token, cut to 0..1.

    Returns:
      What is found for each pixel, and how much of each token that is (float32).
    """
    cosines = jnp.einsum("bnd,bmd->bnm", _unit(q), _unit(k))
    factor = 1 + jnp.clip(sharpness, 0, 1) * math.log(k.shape[1])
    similarity = jax.nn.softmax(cosines * jnp.broadcast_to(factor, cosines.shape), axis=-1)
    return jnp.einsum("bnm,bmc->bnc", similarity.astype(v.dtype), v), similarity


def _unit(x: Array) -> Array:
    """Return vectors of length 1, in float32."""
    return x.astype(jnp.float32) * inverse_length(x, -1)


def category_attention(
    qkv: Float[Array, "b n c3"],
    similarity: Float[Array, "b n m"],
    heads: int,
    size: int,
    log_scale: Float[Array, "1"],
) -> Float[Array, "b n c"]:
    """Attend among pixels that resemble the same token, wherever they are in the image.

    Pixels are sorted by their most similar token and cut into groups of ``size``; the last group is
    filled up by mirroring. Source: Zhang et al., "Transcending the Limit of Local Window" (2024),
    eqs. 8-11.

    Args:
      qkv: queries, keys and values of all pixels side by side, ``c`` channels each.
      similarity: of each pixel to each token.
      size: pixels in a group.
      log_scale: the logits' factor, as its logarithm.
    """
    batch, pixels, _ = qkv.shape
    size = min(pixels, size)
    order = jnp.argsort(jnp.argmax(similarity, axis=-1), axis=-1)
    qkv = jnp.take_along_axis(qkv, order[..., None], axis=1)
    missing = -pixels % size
    qkv = jnp.concatenate([qkv, jnp.flip(qkv[:, pixels - missing :], axis=1)], axis=1)
    q, k, v = (
        part.reshape(batch, -1, size, heads, part.shape[-1] // heads)
        for part in jnp.split(qkv, 3, axis=-1)
    )
    scale = jnp.exp(jnp.minimum(log_scale, math.log(LARGEST_SCALE))) * q.shape[-1] ** 0.5
    q = (q * jnp.broadcast_to(scale, q.shape)).astype(v.dtype)
    y = window_attention(q, k, v, jnp.zeros((heads, size, size)))
    y = y.reshape(batch, pixels + missing, -1)
    return jnp.take_along_axis(y, jnp.argsort(order, axis=-1)[..., None], axis=1)


def refined_dictionary(
    dictionary: Float[Array, "b m c"],
    x: Float[Array, "b n c"],
    evidence: Float[Array, "b n m"],
    keep: Float[Array, "m 1"],
) -> Float[Array, "b m c"]:
    """Blend each token with the pixels that resemble it: ``σ(s) D + (1 − σ(s)) softmax(Aᵀ) x``.

    Source: Zhang et al., "Transcending the Limit of Local Window" (2024), eq. 7.

    Args:
      evidence: each pixel's similarity to each token, normalised over the pixels.
      keep: s: how much of the token stays.
    """
    weights = jax.nn.softmax(evidence.astype(jnp.float32), axis=1)
    seen = jnp.einsum("bnm,bnc->bmc", weights, x.astype(jnp.float32))
    keep = jnp.broadcast_to(jax.nn.sigmoid(keep), dictionary.shape)
    return keep * dictionary + (1 - keep) * seen
