"""How alike two images are: PSNR, SSIM and MS-SSIM, in float32 on any device.

Images are floats, (height, width) or (height, width, channels); ``jax.vmap`` makes them batches.
Local variances are sums of squared differences from the local mean, never E[x²] − E[x]², which
would lose in float32 the digits that published tables print.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Num, Shaped

from jaxsr.errors import UserError

Image = Num[Array | np.ndarray, "_ _ ..."]  # floats of one shape: said by a ValueError, not a type
Score = Float[Array, ""]

WINDOW = 11
SIGMA = 1.5
K1, K2 = 0.01, 0.03
MS_SSIM_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
# the shortest side it can score: its window must fit, four times halved
MS_SSIM_SIDE = (WINDOW - 1) * 2 ** (len(MS_SSIM_WEIGHTS) - 1) + 1


def psnr(a: Image, b: Image, max_value: float | int = 1.0) -> Score:
    """Return the peak signal-to-noise ratio in dB, ``10 log10(max_value² / MSE)``.

    It is ``inf`` if the images are identical.

    Raises:
      UserError: the images differ in shape or are not floats.
    """
    return _psnr(*_pair(a, b), max_value)


@jax.jit
def _psnr(a: Array, b: Array, max_value: Array) -> Array:
    return 10 * jnp.log10(max_value**2 / _mean((a - b) ** 2).mean())


def ssim(a: Image, b: Image, max_value: float | int = 1.0) -> Score:
    """Return the structural similarity: 11×11 Gaussian window, σ = 1.5, mean where it fits.

    Population covariance, K = (0.01, 0.03); channels are scored one by one and averaged. Equals
    scikit-image with ``gaussian_weights=True, sigma=1.5, use_sample_covariance=False``.

    Source: Wang et al., "Image Quality Assessment: From Error Visibility to Structural
    Similarity" (2004), eq. 13.

    Raises:
      UserError: the images differ in shape, are not floats, or have a side under 11 pixels.
    """
    _check_window(a)
    return _ssim(*_pair(a, b), max_value)


@jax.jit
def _ssim(a: Array, b: Array, max_value: Array) -> Array:
    return _luminance_and_structure(a, b, max_value)[0].mean()


def ssim_map(a: Image, b: Image, max_value: float | int = 1.0) -> Float[Array, "rows columns"]:
    """Return SSIM around each pixel where the window fits, the mean of the channels.

    :func:`ssim` is its mean. It has ``WINDOW − 1`` rows and columns fewer than the images, half of
    them on either side.

    Raises:
      UserError: as :func:`ssim`.
    """
    _check_window(a)
    return _ssim_map(*_pair(a, b), max_value)


@jax.jit
def _ssim_map(a: Array, b: Array, max_value: Array) -> Array:
    return _maps(a, b, max_value)[0].mean(0)


def _check_window(a: Image) -> None:
    if min(a.shape[:2]) < WINDOW:
        raise UserError(f"SSIM needs images of at least {WINDOW} pixels a side, got {a.shape[:2]}")


def ms_ssim(a: Image, b: Image, max_value: float | int = 1.0) -> Score:
    """Return the multi-scale SSIM: contrast and structure of five octaves, luminance of the last.

    Each octave is halved by 2×2 averages. As pytorch-msssim, whose figures the compression
    literature reports, negative terms count as zero and a side of odd length is padded with zeros
    at both ends before it is halved.

    Source: Wang et al., "Multi-scale Structural Similarity for Image Quality Assessment" (2003),
    eq. 7.

    Raises:
      UserError: the images differ in shape, are not floats, or have a side under 161 pixels.
    """
    if min(a.shape[:2]) < MS_SSIM_SIDE:
        raise UserError(
            f"MS-SSIM needs images of at least {MS_SSIM_SIDE} pixels a side, got {a.shape[:2]}: "
            "its window must fit after four halvings; use ssim"
        )
    return _ms_ssim(*_pair(a, b), max_value)


@jax.jit
def _ms_ssim(a: Array, b: Array, max_value: Array) -> Array:
    score = jnp.ones(len(a), jnp.float32)
    for octave, weight in enumerate(MS_SSIM_WEIGHTS):
        if octave:
            a, b = _halve(a), _halve(b)
        whole, structure = _luminance_and_structure(a, b, max_value)
        term = whole if octave == len(MS_SSIM_WEIGHTS) - 1 else structure
        score *= jnp.maximum(term, 0) ** weight
    return score.mean()


def blockiness(x: Image, period: int) -> Score:
    """Return the mean step across the lines of a grid, over the mean step elsewhere.

    A step is the absolute difference of neighbouring pixels, along rows and along columns; the
    lines lie at multiples of ``period``. Photographs have about 1, images with visible blocks more.

    Args:
      x: an image of more than ``period`` pixels each way.
      period: pixels between lines.
    """
    on, off = [], []
    for axis in (0, 1):
        size = x.shape[axis]
        steps = jnp.abs(jnp.diff(jnp.asarray(x, jnp.float32), axis=axis))
        line = np.arange(1, size) % period == 0
        on.append(steps.take(np.flatnonzero(line), axis).ravel())
        off.append(steps.take(np.flatnonzero(~line), axis).ravel())
    return jnp.concatenate(on).mean() / jnp.concatenate(off).mean()


def shave(x: Shaped[Array | np.ndarray, "h w *c"], border: int) -> Shaped[Any, "h2 w2 *c"]:
    """Cut ``border`` pixels from every side, as super-resolution is scored.

    Raises:
      UserError: nothing would be left.
    """
    height, width = x.shape[:2]
    if border < 0 or min(height, width) <= 2 * border:
        raise UserError(f"cannot cut {border} pixels from every side of a {height}×{width} image")
    return x[border : height - border, border : width - border]


def gaussian_window() -> Float[np.ndarray, "11"]:
    """Return SSIM's window along one axis; it sums to one."""
    x = np.arange(WINDOW) - WINDOW // 2
    window = np.exp(-(x**2) / (2 * SIGMA**2))
    return window / window.sum()


def _pair(a, b) -> tuple[Array, Array]:
    """Return both images as float32 (channels, height, width): sums run along contiguous rows."""
    if a.shape != b.shape:
        raise UserError(f"the images to compare differ in shape: {a.shape} and {b.shape}")
    a, b = jnp.asarray(a), jnp.asarray(b)
    if not all(jnp.issubdtype(x.dtype, jnp.floating) for x in (a, b)):
        raise UserError(
            f"metrics compare floats, got {a.dtype} and {b.dtype}; use jaxsr.image.to_float"
        )
    return _channels(a), _channels(b)


def _channels(x: Array) -> Array:
    return jnp.moveaxis(x.astype(jnp.float32).reshape(*x.shape[:2], -1), -1, 0)


def _luminance_and_structure(a: Array, b: Array, max_value) -> tuple[Array, Array]:
    """Return each channel's means of SSIM and of its contrast–structure factor alone."""
    whole, structure = _maps(a, b, max_value)
    return _mean(whole), _mean(structure)


def _maps(a: Array, b: Array, max_value) -> tuple[Array, Array]:
    """Return SSIM and its contrast–structure factor alone, by channel and place."""
    (mean_a, mean_b), (aa, bb, ab) = _local_moments(a, b)
    c1, c2 = (K1 * max_value) ** 2, (K2 * max_value) ** 2
    structure = (2 * ab + c2) / (aa + bb + c2)
    luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    return luminance * structure, structure


def _mean(x: Array) -> Array:
    """Return each channel's mean, an axis at a time: one long float32 sum would lose digits."""
    return x.mean(-1).mean(-1)


def _local_moments(a: Array, b: Array) -> tuple[Array, Array]:
    """Return (mean a, mean b) and (variance a, variance b, covariance) where the window fits.

    The window is separable, and so are its moments: along each axis, the covariance is the mean of
    the covariances found so far plus the covariance of the means.
    """
    means, covariances = jnp.stack([a, b]), jnp.zeros((3, *a.shape))
    for axis in (-2, -1):
        means, covariances = _moments_along(axis, means, covariances)
    return means, covariances


def _moments_along(axis: int, means: Array, covariances: Array) -> tuple[Array, Array]:
    size = means.shape[axis] - WINDOW + 1
    window = jnp.asarray(gaussian_window(), means.dtype)

    def tap(x, i):
        return jax.lax.dynamic_slice_in_dim(x, i, size, axis=axis)

    def weigh(term):  # a loop, not eleven copies of the terms: those take seconds to compile
        zero = jnp.zeros_like(term(0))
        return jax.lax.fori_loop(0, WINDOW, lambda i, total: total + window[i] * term(i), zero)

    mean = weigh(lambda i: tap(means, i))

    def spread(i):
        a, b = tap(means, i) - mean
        return jnp.stack([a * a, b * b, a * b])

    return mean, weigh(lambda i: tap(covariances, i) + spread(i))


def _halve(x: Array) -> Array:
    """Return 2×2 averages, as torch's ``avg_pool2d`` with a padding of one at odd lengths."""
    odd = [(size % 2, size % 2) for size in x.shape[1:]]
    x = jnp.pad(x, ((0, 0), *odd))
    x = x[:, : x.shape[1] // 2 * 2, : x.shape[2] // 2 * 2]
    return (x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]) / 4
