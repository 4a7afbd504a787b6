"""What ``jaxsr.data.degradations`` does to images, drawn and computed in a program.

The same stages with the same chances: blur and resize equal the host's but for rounding, a JPEG
differs in few pixels by few levels, and noise has the host's distribution. Each step returns how
strong it was, in the host's units. All shapes are fixed.
Where a factor is drawn, images lie in the upper left corners of canvases as large as the largest
factor makes them, laid out (n, rows, 3, columns); what is beyond their edges means nothing. Every
step is done to all images, and a chance decides what is kept of it.
"""

import dataclasses
import functools
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, UInt8

from jaxsr.data import draws, resampling
from jaxsr.data.jpeg import MULTIPLE, through_jpeg
from jaxsr.data.resampling import product
from jaxsr.data.stages import Stage
from jaxsr.image.resize import symmetric

Numbers = Float[Array, "n"]
Words = dict[str, draws.Word]
# what is drawn of words, for each stage
DRAWN = (
    *("blur", "sigma", "anisotropic", "across", "angle", "resize", "factor", "kernel"),
    *("noise", "gray", "poisson", "photons", "noise_sigma", "key0", "key1", "jpeg", "quality"),
    *("last_kernel", "resize_first"),
)
FEW = 10.0  # photons: up to here they are counted one by one


@dataclasses.dataclass(frozen=True)
class Canvases:
    """Images in the upper left corners of equal canvases.

    Attributes:
      pixels: in [0, 1] where they are images.
      height, width: of the images, in pixels.
      full: True if every image fills its canvas.
    """

    pixels: Float[Array, "n h 3 w"]
    height: Int[Array, "n"]
    width: Int[Array, "n"]
    full: bool

    def replaced(self, pixels: Float[Array, "n h 3 w"]) -> "Canvases":
        """Return the same with other pixels."""
        return dataclasses.replace(self, pixels=pixels)


def degrade(
    high: UInt8[Array, "n h w 3"],
    size: tuple[int, int],
    seeds: Sequence[draws.Word],
    stages: Sequence[Stage],
) -> tuple[UInt8[Array, "n H W 3"], Float[Array, "n 3"]]:
    """Degrade images and resize them to ``size``, as ``degradations.RealWorld`` does.

    Args:
      seeds: two random words for each image.
      stages: one or two.
    """
    words = draws.more(seeds, len(DRAWN) * len(stages))
    drawn = [dict(zip(DRAWN, words[len(DRAWN) * i :], strict=False)) for i in range(len(stages))]
    x = filled(high.astype(jnp.float32).swapaxes(2, 3) / 255)
    for stage, word in zip(stages[:-1], drawn, strict=False):
        x, *_ = capture(x, stage, word)
        x, _ = random_jpeg(x, stage, word)
    x, noise, blur = capture(x, stages[-1], drawn[-1])
    x, jpeg = finish(x, size, stages[-1], drawn[-1])
    pixels = jnp.round(jnp.clip(x, 0, 1) * 255).astype(jnp.uint8).swapaxes(2, 3)
    return pixels, jnp.stack([noise, blur, jpeg], axis=-1)


def filled(pixels: Float[Array, "n h 3 w"]) -> Canvases:
    """Take images of one size for canvases that they fill."""
    height, width = (jnp.full(len(pixels), n, jnp.int32) for n in pixels.shape[1::2])
    return Canvases(pixels, height, width, True)


def capture(x: Canvases, stage: Stage, word: Words) -> tuple[Canvases, Numbers, Numbers]:
    """Blur, resize and add noise, each if chance has it; return how strong noise and blur are."""
    noise = blur = jnp.zeros(len(x.pixels))
    if stage.blur:
        x, blur = random_blur(x, stage, word)
    if stage.resize:
        x = random_resize(x, stage, word)
    if stage.noise:
        x, noise = random_noise(x, stage, word)
    return x, noise, blur


def finish(
    x: Canvases, size: tuple[int, int], stage: Stage, word: Words
) -> tuple[Float[Array, "n H 3 W"], Numbers]:
    """Resize to ``size``, before the last JPEG or after it; return how strong that is."""
    coded, jpeg = random_jpeg(x, stage, word)
    if x.full and x.pixels.shape[1::2] == size:
        return coded.pixels, jpeg
    which = draws.below(word["last_kernel"], len(stage.kernels))
    after = _resized(coded, size, (stage.kernels, which))
    if not stage.jpeg:
        return after.pixels, jpeg
    before, _ = random_jpeg(_resized(x, size, (stage.kernels, which)), stage, word)
    first = draws.chance(word["resize_first"], 0.5)
    return _where(first, before.pixels, after.pixels), jpeg


def _where(chosen: Array, x: Array, y: Array) -> Array:
    """Take images of ``x`` where they are chosen, else of ``y``."""
    return jnp.where(chosen.reshape(-1, *[1] * (x.ndim - 1)), x, y)


# Blur


def random_blur(x: Canvases, stage: Stage, word: Words) -> tuple[Canvases, Numbers]:
    """Blur by a round Gaussian, or by one of two widths along axes of any direction."""
    blurred = draws.chance(word["blur"], stage.blur)
    anisotropic = draws.chance(word["anisotropic"], stage.anisotropic)
    sigma, other = (draws.uniform(word[name], *stage.blur_sigma) for name in ("sigma", "across"))
    across = jnp.where(anisotropic, other, sigma)
    sigma, across = (jnp.where(blurred, s, 0) for s in (sigma, across))  # 0: it stays as it is
    angle = draws.uniform(word["angle"], 0, np.pi)
    strength = jnp.sqrt((sigma**2 + across**2) / 2)
    return gaussian_blur(x, sigma, across, angle, math.ceil(3 * stage.blur_sigma[1])), strength


def gaussian_blur(
    x: Canvases, sigma: Numbers, across: Numbers, angle: Numbers, margin: int
) -> Canvases:
    """Do as ``degradations.gaussian_blur``, with ``margin`` pixels of mirrored border.

    Fourier transforms are products with matrices, which mirror at once the images that fill their
    canvases: what accelerators do best, and on CPUs as fast as an FFT of such sides.
    """
    height, width = x.pixels.shape[1::2]
    down, wide = height + 2 * margin, width + 2 * margin
    pixels = x.pixels if x.full else mirrored(x, margin)
    n, rows = pixels.shape[:2]
    to_rows, from_rows = _transforms(height, margin, x.full)
    to_columns, from_columns = _real_transforms(width, margin, x.full)
    response = _response(down, wide, sigma, across, angle)
    parts = jnp.split(product(pixels, to_columns), 2, axis=-1)  # real, imaginary
    parts = jnp.concatenate(parts, axis=1).reshape(n, 2 * rows, -1)
    parts = product(to_rows, parts).reshape(n, 2, down, 3, -1) * response[:, None, :, None]
    parts = product(from_rows, parts.reshape(n, 2 * down, -1))
    parts = jnp.split(parts.reshape(n, 2 * height, 3, -1), 2, axis=1)
    return x.replaced(product(jnp.concatenate(parts, axis=-1), from_columns))


@functools.lru_cache(maxsize=64)
def _transforms(size: int, margin: int, mirror: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the Fourier transform along rows with a margin, and its inverse without it.

    Both take columns of real parts above imaginary ones; ``mirror`` takes them without the margin.
    """
    places = np.arange(size + 2 * margin)
    turns = _turns(places, places)
    cos, sin = np.cos(turns), np.sin(turns)
    there = [_folded(part.T, size, margin, mirror).T for part in (cos, sin)]
    there = np.block([[there[0], there[1]], [-there[1], there[0]]])
    cos, sin = (part[margin : margin + size] / len(places) for part in (cos, sin))
    back = np.block([[cos, -sin], [sin, cos]])
    return there.astype(np.float32), back.astype(np.float32)


@functools.lru_cache(maxsize=64)
def _real_transforms(size: int, margin: int, mirror: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the same along columns of real numbers: real parts are left of imaginary ones."""
    places = np.arange(size + 2 * margin)
    frequencies = places[: len(places) // 2 + 1]
    turns = _turns(places, frequencies)
    there = np.concatenate([np.cos(turns), -np.sin(turns)], axis=1)
    alone = (frequencies == 0) | (2 * frequencies == len(places))
    back = there * np.tile(np.where(alone, 1, 2), 2) / len(places)
    back = back.T[:, margin : margin + size]
    return _folded(there, size, margin, mirror).astype(np.float32), back.astype(np.float32)


def _turns(places: np.ndarray, frequencies: np.ndarray) -> np.ndarray:
    return 2 * np.pi * (np.outer(places, frequencies) % len(places)) / len(places)


def _folded(transform: np.ndarray, size: int, margin: int, mirror: bool) -> np.ndarray:
    """Add the rows of a transform that take what is mirrored to those that take the original."""
    if not mirror:
        return transform
    folded = np.zeros((size, transform.shape[1]))
    np.add.at(folded, symmetric(np.arange(len(transform)) - margin, size), transform)
    return folded


def _response(
    down: int, wide: int, sigma: Numbers, across: Numbers, angle: Numbers
) -> Float[Array, "n h f"]:
    """Return exp(−2π² fᵀΣf) at the frequencies of a real transform."""
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    yy = (sigma * sin) ** 2 + (across * cos) ** 2
    xx = (sigma * cos) ** 2 + (across * sin) ** 2
    xy = (sigma**2 - across**2) * sin * cos
    # computed before, once an image: XLA would fuse it into what is done for every frequency
    covariance = jax.lax.optimization_barrier((yy, xx, xy))
    yy, xx, xy = (x[:, None, None] for x in covariance)
    fy, fx = np.fft.fftfreq(down)[:, None], np.fft.rfftfreq(wide)
    fy, fx = fy.astype(np.float32), fx.astype(np.float32)
    return jnp.exp(-2 * np.pi**2 * (yy * fy**2 + xx * fx**2 + 2 * xy * fx * fy))


def mirrored(x: Canvases, margin: int) -> Float[Array, "n H 3 W"]:
    """Mirror images at their edges, on all sides by ``margin`` pixels, below as far as it takes."""
    sides = x.pixels.shape[1::2]
    rows, columns = (
        resampling.choosing(symmetric(jnp.arange(side + 2 * margin) - margin, n[:, None]), side)
        for side, n in zip(sides, (x.height, x.width), strict=True)
    )
    return resampling.apply(x.pixels, rows, columns)


# Resize


def random_resize(x: Canvases, stage: Stage, word: Words) -> Canvases:
    """Resize by a random factor with a random kernel."""
    factor = jnp.exp(draws.uniform(word["factor"], *np.log(stage.resize_factor)))
    factor = jnp.where(draws.chance(word["resize"], stage.resize), factor, 1)
    which = draws.below(word["kernel"], len(stage.kernels))
    size = [jnp.maximum(1, jnp.round(n * factor)).astype(int) for n in (x.height, x.width)]
    largest = max(stage.resize_factor[1], 1.0 if stage.resize < 1 else 0.0)
    shape = [max(1, math.ceil(n * largest)) for n in x.pixels.shape[1::2]]
    return _resized(x, size, (stage.kernels, which), shape)


def _resized(x: Canvases, size: Sequence, kernel: tuple, shape: Sequence | None = None) -> Canvases:
    """Resize images.

    Args:
      x: the images.
      size: their new heights and widths, arrays; or one height and one width for all.
      kernel: as :func:`jaxsr.data.resampling.resizing` takes it.
      shape: of the new canvases; ``None``: ``size``, which all images then fill.
    """
    full, shape = shape is None, size if shape is None else shape
    height, width = (jnp.broadcast_to(jnp.asarray(n), x.height.shape) for n in size)
    rows = resampling.resizing(kernel, x.height, height, (shape[0], x.pixels.shape[1]))
    columns = resampling.resizing(kernel, x.width, width, (shape[1], x.pixels.shape[3]))
    return Canvases(resampling.apply(x.pixels, rows, columns), height, width, full)


# Noise


def random_noise(x: Canvases, stage: Stage, word: Words) -> tuple[Canvases, Numbers]:
    """Add Gaussian or shot noise, to each channel its own or to all the same; clip to [0, 1]."""
    pixels = jnp.clip(x.pixels, 0, 1)
    gray = draws.chance(word["gray"], stage.gray)
    signal = _where(gray, pixels.mean(axis=2, keepdims=True), pixels)
    share = draws.field([word["key0"], word["key1"]], pixels.shape[1:])
    share = _where(gray, share[:, :, :1], share)
    sigma, noise = jnp.zeros(len(pixels)), jnp.zeros_like(pixels)
    if stage.poisson < 1:
        sigma = draws.uniform(word["noise_sigma"], *stage.noise_sigma) / 255
        noise = sigma[:, None, None, None] * normal(share)
    if stage.poisson:
        photons = jnp.exp(draws.uniform(word["photons"], *np.log(stage.photons)))
        each = photons[:, None, None, None]
        shot = poisson(share, signal * each) / each - signal
        is_shot = draws.chance(word["poisson"], stage.poisson)
        noise = _where(is_shot, shot, noise)
        sigma = jnp.where(is_shot, jnp.sqrt(_means(x, signal) / photons), sigma)
    noisy = draws.chance(word["noise"], stage.noise)
    noise = _where(noisy, noise, jnp.zeros_like(noise))
    return x.replaced(jnp.clip(pixels + noise, 0, 1)), jnp.where(noisy, 255 * sigma, 0)


def _means(x: Canvases, values: Float[Array, "n h c w"]) -> Numbers:
    """Return the means over the images that the canvases hold."""
    rows, columns = (
        jnp.arange(side) < n[:, None]
        for side, n in zip(x.pixels.shape[1::2], (x.height, x.width), strict=True)
    )
    inside = (rows[:, :, None] & columns[:, None])[:, :, None]
    return jnp.where(inside, values, 0).mean((1, 2, 3)) / inside.mean((1, 2, 3))


def normal(share: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """Return the quantiles of the normal distribution at shares in (0, 1)."""
    return np.float32(np.sqrt(2)) * jax.lax.erf_inv(2 * share - 1)


def poisson(share: Float[Array, "*n"], mean: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """Return the quantiles of Poisson's distribution, nearly: random counts of random shares.

    Up to a mean of ``FEW`` they are summed up, above they are those of Giles, "Algorithm 955:
    Approximation of the Inverse Poisson Cumulative Distribution Function" (2016), eq. 6.
    """
    few = jnp.minimum(mean, FEW)
    term = total = jnp.exp(-few)
    count = jnp.zeros_like(mean)
    for i in range(1, 30):
        count += share > total
        term *= few / i
        total += term
    w, root = normal(share), jnp.sqrt(jnp.maximum(mean, FEW))
    many = mean + root * w + (2 + w**2) / 6 - (w / 36 + w**3 / 72) / root
    return jnp.where(mean <= FEW, count, jnp.floor(many))


# JPEG


def random_jpeg(x: Canvases, stage: Stage, word: Words) -> tuple[Canvases, Numbers]:
    """Replace images by what a JPEG file leaves of them, if chance has it."""
    if not stage.jpeg:
        return x, jnp.zeros(len(x.pixels))
    low, high = map(int, stage.quality)
    quality = low + jnp.asarray(draws.below(word["quality"], high - low + 1))
    height, width = x.pixels.shape[1::2]
    beyond = [(0, 0), (0, -height % MULTIPLE), (0, 0), (0, -width % MULTIPLE)]
    levels = jnp.round(jnp.clip(x.pixels, 0, 1) * 255)
    coded = through_jpeg(jnp.pad(levels, beyond), x.height, x.width, quality) / 255
    coded = coded[:, :height, :, :width]
    chosen = draws.chance(word["jpeg"], stage.jpeg)
    return x.replaced(_where(chosen, coded, x.pixels)), jnp.where(chosen, 100.0 - quality, 0)
