"""Low-resolution images as the world makes them: blur, resizing, noise and JPEG, drawn at random.

Source: Wang et al., "Real-ESRGAN: Training Real-World Blind Super-Resolution with Pure Synthetic
Data" (2021), section 3, without its sinc filters. An image passes through one stage of blur →
resize → noise → JPEG or through two; the resize to the low resolution comes before or after the
last JPEG. (The other degradation, MATLAB's bicubic, is ``jaxsr.image.resize.imresize_uint8``.)

Here it is done on the host, by NumPy and Pillow: images are (h, w, 3), float32 in [0, 1] between
the steps, and all randomness comes from the generator passed in. Each step also returns how strong
it was: the standard deviation of the blur in pixels and of the noise in levels of 255, and what a
JPEG's quality lacks to 100; 0 where chance did nothing. ``jaxsr.data.degrading`` does the
same inside a program. There are two, as the host's is three times faster on a CPU or more: it makes
images as large as they are, a program always the largest ones, and both kinds of noise.
"""

import io
from collections.abc import Sequence

import ml_collections
import numpy as np
import PIL.Image
from jaxtyping import Array, Float, UInt8

from jaxsr.data import degrading
from jaxsr.data.stages import Stage
from jaxsr.errors import UserError

KERNELS = {  # for resizing; Pillow widens all of them when shrinking
    "area": PIL.Image.Resampling.BOX,
    "bilinear": PIL.Image.Resampling.BILINEAR,
    "bicubic": PIL.Image.Resampling.BICUBIC,
}


class RealWorld:
    """Makes degraded low-resolution crops of high-resolution ones.

    Args:
      config: such as :func:`jaxsr.data.stages.default_config` returns.

    Raises:
      UserError: an option of the config is out of its range.
    """

    def __init__(self, config: ml_collections.ConfigDict):
        if config.stages not in (1, 2):
            raise UserError(f"a degradation's stages are {config.stages}; give 1 or 2")
        stages = (config.first, config.second)[: config.stages]
        self._stages = [Stage(**stage.to_dict()) for stage in stages]

    def __call__(
        self, high: UInt8[np.ndarray, "h w 3"], size: tuple[int, int], rng: np.random.Generator
    ) -> tuple[UInt8[np.ndarray, "H W 3"], Float[np.ndarray, "3"]]:
        """Degrade an image and resize it to ``size`` = (H, W).

        Returns:
          The image; and how strong noise, blur and JPEG of the last stage were.
        """
        x = high.astype(np.float32) / 255
        for stage in self._stages[:-1]:
            x, *_ = capture(x, stage, rng)
            x, _ = random_jpeg(x, stage, rng)
        last = self._stages[-1]
        x, noise, blur = capture(x, last, rng)
        kernel = str(rng.choice(last.kernels))
        if rng.random() < 0.5:
            x, jpeg = random_jpeg(resize(x, size, kernel), last, rng)
        else:
            x, jpeg = random_jpeg(x, last, rng)
            x = resize(x, size, kernel)
        return to_uint8(x), np.array([noise, blur, jpeg], np.float32)

    def batch(
        self, high: UInt8[np.ndarray | Array, "n h w 3"], size: tuple[int, int], words: Sequence
    ) -> tuple[UInt8[np.ndarray | Array, "n H W 3"], Float[np.ndarray | Array, "n 3"]]:
        """Degrade several images, each as its own two random words decide, as :meth:`__call__`.

        JAX arrays are degraded as :func:`jaxsr.data.degrading.degrade` does.
        """
        if not isinstance(high, np.ndarray):
            return degrading.degrade(high, size, words, self._stages)
        generators = (np.random.default_rng(seed) for seed in zip(*words, strict=True))
        degraded = [self(x, size, rng) for x, rng in zip(high, generators, strict=True)]
        images, strengths = zip(*degraded, strict=True)
        return np.stack(images), np.stack(strengths)


def capture(
    x: Float[np.ndarray, "h w 3"], stage: Stage, rng: np.random.Generator
) -> tuple[Float[np.ndarray, "H W 3"], float, float]:
    """Blur, resize and add noise, each if chance has it; return how strong noise and blur are."""
    noise = blur = 0.0
    if rng.random() < stage.blur:
        x, blur = random_blur(x, stage, rng)
    if rng.random() < stage.resize:
        factor = np.exp(rng.uniform(*np.log(stage.resize_factor)))
        height, width = (max(1, round(n * factor)) for n in x.shape[:2])
        x = resize(x, (height, width), str(rng.choice(stage.kernels)))
    if rng.random() < stage.noise:
        x, noise = random_noise(x, stage, rng)
    return x, noise, blur


def random_blur(
    x: Float[np.ndarray, "h w c"], stage: Stage, rng: np.random.Generator
) -> tuple[Float[np.ndarray, "h w c"], float]:
    """Blur by a round Gaussian, or by one of two widths along axes of any direction.

    The blur is as strong as a round one of the same mean variance.
    """
    sigma = across = rng.uniform(*stage.blur_sigma)
    angle = 0.0
    if rng.random() < stage.anisotropic:
        across, angle = rng.uniform(*stage.blur_sigma), rng.uniform(0, np.pi)
    strength = float(np.sqrt((sigma**2 + across**2) / 2))
    return gaussian_blur(x, sigma, across, angle), strength


def gaussian_blur(
    x: Float[np.ndarray, "h w c"], sigma: float, across: float, angle: float
) -> Float[np.ndarray, "h w c"]:
    """Convolve with a Gaussian whose width is ``sigma`` along ``angle`` and ``across`` athwart.

    It is done in the frequency domain, where a Gaussian of covariance Σ is exp(−2π² fᵀΣf), exact at
    any width; borders are mirrored, three widths of them.
    """
    margin = int(np.ceil(3 * max(sigma, across)))
    padded = np.pad(x, ((margin, margin), (margin, margin), (0, 0)), "symmetric")
    height, width = padded.shape[:2]
    fy, fx = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    along = np.cos(angle) * fx + np.sin(angle) * fy
    athwart = np.cos(angle) * fy - np.sin(angle) * fx
    response = np.exp(-2 * np.pi**2 * ((sigma * along) ** 2 + (across * athwart) ** 2))
    spectrum = np.fft.rfft2(padded, axes=(0, 1)) * response[..., None].astype(np.float32)
    blurred = np.fft.irfft2(spectrum, (height, width), axes=(0, 1))
    return blurred[margin : margin + x.shape[0], margin : margin + x.shape[1]].astype(np.float32)


def resize(
    x: Float[np.ndarray, "h w c"], size: tuple[int, int], kernel: str
) -> Float[np.ndarray, "H W c"]:
    """Resize to ``size`` = (H, W) with one of ``KERNELS``."""
    channels = [
        PIL.Image.fromarray(np.ascontiguousarray(channel)).resize(
            (size[1], size[0]), KERNELS[kernel]
        )
        for channel in np.moveaxis(x, -1, 0)
    ]
    return np.stack([np.asarray(channel) for channel in channels], axis=-1)


def random_noise(
    x: Float[np.ndarray, "h w 3"], stage: Stage, rng: np.random.Generator
) -> tuple[Float[np.ndarray, "h w 3"], float]:
    """Add Gaussian or shot noise, to each channel its own or to all the same; clip to [0, 1].

    Shot noise is as strong as Gaussian noise of the same mean variance.
    """
    x = np.clip(x, 0, 1)
    signal = x.mean(axis=-1, keepdims=True) if rng.random() < stage.gray else x
    if rng.random() < stage.poisson:
        photons = np.exp(rng.uniform(*np.log(stage.photons)))
        noise = rng.poisson(signal * photons) / photons - signal
        sigma = float(np.sqrt(signal.mean() / photons))
    else:
        sigma = rng.uniform(*stage.noise_sigma) / 255
        noise = sigma * rng.standard_normal(signal.shape, np.float32)
    return np.clip(x + noise, 0, 1).astype(np.float32), 255 * sigma


def random_jpeg(
    x: Float[np.ndarray, "h w 3"], stage: Stage, rng: np.random.Generator
) -> tuple[Float[np.ndarray, "h w 3"], float]:
    """Write and read a JPEG file (4:2:0), if chance has it."""
    if rng.random() >= stage.jpeg:
        return x, 0.0
    low, high = stage.quality
    file = io.BytesIO()
    quality = int(rng.integers(int(low), int(high) + 1))
    PIL.Image.fromarray(to_uint8(x)).save(file, "JPEG", quality=quality)
    with PIL.Image.open(file) as image:
        return np.asarray(image).astype(np.float32) / 255, 100.0 - quality


def to_uint8(x: Float[np.ndarray, "h w c"]) -> UInt8[np.ndarray, "h w c"]:
    """Bring [0, 1] to 0..255, clipped and rounded."""
    return np.round(np.clip(x, 0, 1) * 255).astype(np.uint8)
